//! What may be named only in its own place.

use crate::source::Source;

/// Each heavy crate, and where its name may stand: folders or files.
const PLACES: &[(&str, &[&str])] = &[
    ("redb", &["manushyad/src/store/"]),
    ("usearch", &["manushyad/src/index/vectors/graph.rs"]),
    ("jsonlogic_rs", &["manushyad/core/src/policy/engine.rs"]),
    ("jsonlogic", &["manushyad/core/src/policy/engine.rs"]),
    ("jsonwebtoken", &["manushyad/src/auth/"]),
    ("age", &["manushyad/src/vault/"]),
    ("chacha20poly1305", &["manushyad/src/vault/"]),
    ("tarpc", &["protocol/src/", "manushyad/src/rpc/"]),
    (
        "clap",
        &[
            "manushyactl/src/cli/",
            "manushyactl/src/lib.rs",
            "manushyactl/src/command/help.rs",
            "manushya-tui/src/",
            "manushyad/src/app/flags.rs",
        ],
    ),
    ("clap_complete", &["manushyactl/src/"]),
    ("clap_mangen", &["manushyactl/src/"]),
    ("ratatui", &["manushya-tui/src/"]),
    ("crossterm", &["manushya-tui/src/"]),
    ("indicatif", &["manushyactl/src/ui/progress.rs"]),
    ("dialoguer", &["manushyactl/src/ui/prompt.rs"]),
    (
        "manushyad",
        &[
            "manushyad/src/main.rs",
            "manushyactl/src/embedded.rs",
            "tests/src/bin/",
            "tests/src/corpus.rs",
            "tests/src/fuzz.rs",
        ],
    ),
    (
        "governor",
        &[
            "manushyad/src/service/rate.rs",
            "manushyad/src/service/rate/",
        ],
    ),
    ("tracing_subscriber", &["manushyad/src/app/"]),
    ("candle_core", &["manushyad/src/embed/model/"]),
    ("candle_nn", &["manushyad/src/embed/model/"]),
    (
        "ureq",
        &["manushyad/src/embed/http.rs", "manushyad/src/embed/http/"],
    ),
];

/// Files that may open a secret, by folder or file.
const EXPOSE: &[&str] = &[
    "protocol/src/secret.rs",
    "manushyad/src/auth/",
    "manushyad/src/vault/",
    // The one place that shows a new token, and where it is checked that there is one.
    "manushyactl/src/command/api_key.rs",
    "manushyactl/src/command/identity.rs",
    "manushyactl/src/command/invitation.rs",
    "manushyactl/src/command/token.rs",
    "manushyactl/src/command/quickstart/",
    "manushyactl/src/command/recovery.rs",
    "manushyactl/src/command/quickstart.rs",
    "manushyactl/src/context.rs",
    // The same for the dashboard, and where a new token goes to the clipboard.
    "manushya-tui/src/view/secret.rs",
    "manushya-tui/src/runtime/terminal.rs",
    // The header that shows a service its key.
    "manushyad/src/embed/http/key.rs",
    // The load driver hands the tokens of its owners to its connections.
    "tests/src/bin/load/",
    // Where it is checked that a token is not told.
    "tests/src/fuzz.rs",
];

/// Files that may be unsafe: none.
const UNSAFE: &[&str] = &[];

fn is_in(path: &str, places: &[&str]) -> bool {
    places
        .iter()
        .any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)))
}

/// Whether a line names a crate as a path: `name::`, `use name;` or `extern crate name`.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + name.len()..];
        let whole =
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '.');
        let is_use = line
            .trim_start()
            .trim_start_matches("pub ")
            .starts_with("use ");
        whole && (after.starts_with("::") || (is_use && after.starts_with([';', ' '])))
    })
}

/// Every crate that is named out of its place.
pub fn crates(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for (number, line) in source.code() {
            for (name, places) in PLACES {
                if names(&line, name) && !is_in(&source.path, places) {
                    findings.push(format!(
                        "{}:{number}: {name} is named out of its place",
                        source.path
                    ));
                }
            }
        }
    }
    findings
}

fn having(sources: &[Source], words: &[&str], allowed: &[&str], told: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources
        .iter()
        .filter(|source| !is_in(&source.path, allowed))
    {
        for (number, line) in source.code() {
            if words.iter().any(|word| line.contains(word)) {
                findings.push(format!("{}:{number}: {told}", source.path));
            }
        }
    }
    findings
}

/// Every secret that is opened where it need not be.
pub fn exposures(sources: &[Source]) -> Vec<String> {
    having(
        sources,
        &[".expose(", "expose_secret"],
        EXPOSE,
        "a secret is opened",
    )
}

/// Every unsafe block, function or permission for one.
pub fn unsafes(sources: &[Source]) -> Vec<String> {
    let words = [
        "unsafe {",
        "unsafe fn",
        "unsafe impl",
        "unsafe extern",
        "allow(unsafe_code)",
    ];
    having(sources, &words, UNSAFE, "unsafe code")
}

#[test]
fn crates_out_of_place_are_found() {
    let find = |path: &str, text: &str| crates(&[Source::of(path, text)]).len();
    assert_eq!(
        find("manushyad/src/service/mod.rs", "use redb::Database;"),
        1
    );
    assert_eq!(
        find("manushyad/src/service/mod.rs", "let x: redb::Table = y;"),
        1
    );
    assert_eq!(find("manushyad/src/store/mod.rs", "use redb::Database;"), 0);
    assert_eq!(
        find(
            "manushyad/src/service/mod.rs",
            "let percentage::X; page::y(); self.age();"
        ),
        0
    );
    assert_eq!(find("manushyad/src/service/mod.rs", "use age as a;"), 1);
    assert_eq!(
        find(
            "manushyad/src/service/mod.rs",
            "// redb::Database\nlet x = \"redb::\";"
        ),
        0
    );
    assert_eq!(
        find("manushyactl/src/command/up.rs", "manushyad::run(x)"),
        1
    );
}

#[test]
fn opened_secrets_and_unsafe_code_are_found() {
    let bad = [Source::of(
        "manushyad/src/service/a.rs",
        "let t = token.expose();\n",
    )];
    assert_eq!(exposures(&bad).len(), 1);
    let fine = [Source::of(
        "manushyad/src/auth/a.rs",
        "let t = token.expose();\n",
    )];
    assert!(exposures(&fine).is_empty());
    let bad = [Source::of(
        "manushyad/src/index/a.rs",
        "#[allow(unsafe_code)]\nfn f() { unsafe { g() } }\n",
    )];
    assert_eq!(unsafes(&bad).len(), 2);
    let fine = [Source::of(
        "manushyad/src/index/a.rs",
        "// unsafe { }\nlet unsafe_count = 1;\n",
    )];
    assert!(unsafes(&fine).is_empty());
}
