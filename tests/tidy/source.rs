//! The sources of the workspace, read as text.

use std::fs;
use std::path::{Path, PathBuf};

/// The crates and where their sources are; the deepest folder that fits is a file's.
pub const CRATES: &[(&str, &str)] = &[
    ("protocol", "protocol/src/"),
    ("core", "manushyad/core/src/"),
    ("manushyad", "manushyad/src/"),
    ("manushyactl", "manushyactl/src/"),
    ("tui", "manushya-tui/src/"),
    ("tests", "tests/src/"),
];

/// One file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path from the root of the repository.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // A file called .git marks a worktree.
        let skipped = name == "target" || name == ".git" || name == "node_modules";
        if skipped || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            walk(&path, into)
        } else {
            into.push(path)
        }
    }
}

/// Every text file of the repository but build products, by path.
pub fn tracked() -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).ok()?;
        let path = path
            .strip_prefix(&root)
            .ok()?
            .to_string_lossy()
            .into_owned();
        Some(Source { path, text })
    };
    paths.into_iter().filter_map(read).collect()
}

impl Source {
    /// A file that is not there, for the tests of the rules.
    #[cfg(test)]
    pub fn of(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Every Rust file of the crates.
    pub fn all() -> Vec<Self> {
        let all: Vec<Self> = tracked()
            .into_iter()
            .filter(|source| source.path.ends_with(".rs") && source.of_crate().is_some())
            .collect();
        assert!(all.len() > 50, "the walk finds only {} files", all.len());
        all
    }

    /// The crate it belongs to and its path within that crate's sources.
    pub fn of_crate(&self) -> Option<(&'static str, &str)> {
        CRATES
            .iter()
            .find_map(|(name, folder)| Some((*name, self.path.strip_prefix(folder)?)))
    }

    /// The top-level module it belongs to: `store` for `store/txn.rs` and for `store.rs`.
    pub fn module(&self) -> Option<&str> {
        let (_, path) = self.of_crate()?;
        Some(path.split('/').next()?.trim_end_matches(".rs"))
    }

    /// Its lines of code with their numbers: without comments, texts and inline tests.
    pub fn code(&self) -> Vec<(usize, String)> {
        if self.path.ends_with("/tests.rs") || self.path.contains("/tests/") {
            return Vec::new();
        }
        let stripped = strip(&self.text);
        let mut lines = Vec::new();
        for (number, line) in stripped.lines().enumerate() {
            if is_inline_tests(&stripped, number) {
                break;
            }
            lines.push((number + 1, line.to_owned()));
        }
        lines
    }
}

/// Whether inline tests start at this line: `#[cfg(test)]` and then a module with a body.
pub fn is_inline_tests(text: &str, number: usize) -> bool {
    let mut lines = text.lines().skip(number).map(str::trim);
    lines.next() == Some("#[cfg(test)]")
        && lines
            .find(|line| !line.starts_with("#[") && !line.is_empty())
            .is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
}

/// Blanks out comments and the insides of texts, keeping every line where it is.
pub fn strip(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let end = match rest {
            ['/', '/', ..] => at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => at + comment(rest),
            ['"', ..] => at + quoted(rest),
            ['r', '"', ..] | ['r', '#', '"' | '#', ..] if !is_word(at, &chars) => at + raw(rest),
            ['\'', '\\', ..] => at + character(rest),
            ['\'', _, '\'', ..] => at + 3,
            _ => {
                out.push(chars[at]);
                at += 1;
                continue;
            }
        };
        let end = end.clamp(at + 1, chars.len());
        out.extend(chars[at..end].iter().filter(|c| **c == '\n'));
        // Something stands where a text was, so that `f("x")` does not read as `f()`.
        if rest[0] != '/' {
            out.push_str("\"\"");
        }
        at = end;
    }
    out
}

fn is_word(at: usize, chars: &[char]) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn comment(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < rest.len() {
        match (rest[at], rest[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 1;
    }
    let closing: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let start = 2 + hashes;
    let found = rest[start..]
        .windows(closing.len())
        .position(|w| *w == closing[..]);
    found.map_or(rest.len(), |place| start + place + closing.len())
}

fn character(rest: &[char]) -> usize {
    rest.iter()
        .skip(3)
        .position(|c| *c == '\'')
        .map_or(rest.len(), |place| place + 4)
}

#[test]
fn comments_and_texts_are_blanked_and_lines_stay() {
    let text = "let a = \"use redb; \\\" {\"; // use redb\nlet b = r#\"x\" {\"#; /* { \n { */ fn f<'a>() { '{'; '\\''; }\n";
    let stripped = strip(text);
    assert!(!stripped.contains("redb"), "{stripped}");
    assert_eq!(stripped.lines().count(), text.lines().count());
    assert_eq!(stripped.matches('{').count(), 1, "{stripped}");
    assert!(stripped.contains("fn f<'a>()"), "{stripped}");
}

#[test]
fn code_ends_where_inline_tests_begin() {
    let source = Source::of(
        "protocol/src/a.rs",
        "fn a() {}\n#[cfg(test)]\nmod tests {\n use x;\n}\n",
    );
    assert_eq!(source.code().len(), 1);
    let source = Source::of("protocol/src/a.rs", "#[cfg(test)]\nmod tests;\nfn a() {}\n");
    assert_eq!(source.code().len(), 3);
    assert_eq!(
        Source::of("manushyad/core/src/policy/rule.rs", "").module(),
        Some("policy")
    );
}
