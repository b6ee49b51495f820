//! Who may import whom: strictly downward, nothing sideways.

use crate::source::Source;

/// For each crate its modules by floor, the lowest first. Modules of one floor do not know each
/// other.
const FLOORS: &[(&str, &[&[&str]])] = &[
    (
        "protocol",
        &[
            &["unit", "limits", "secret", "exit", "version"],
            &["id"],
            &["error"],
            &["v1"],
            &["frame", "home"],
            &["client"],
            &["lib"],
        ],
    ),
    (
        "core",
        &[
            &["model"],
            &["policy", "audit", "recall"],
            &["command", "plan"],
            &["directory"],
            &["view"],
            &["decide"],
            &["lib"],
        ],
    ),
    (
        "manushyad",
        &[
            &["port", "config"],
            &["os"],
            &["vault"],
            &["store", "index", "embed", "auth"],
            &["service"],
            &["rpc", "jobs"],
            &["app"],
            &["lib"],
            &["main"],
        ],
    ),
    (
        "manushyactl",
        &[
            &["error"],
            &["config"],
            &["cli"],
            &["ui"],
            &["context"],
            &["embedded"],
            &["command"],
            &["lib"],
            &["main"],
        ],
    ),
    (
        "tui",
        &[
            &["text", "connect"],
            &["effect"],
            &["msg"],
            &["keymap"],
            &["model"],
            &["update", "view"],
            &["runtime"],
            &["tests"],
            &["lib"],
            &["main"],
        ],
    ),
    (
        "tests",
        &[
            &[
                "caller",
                "corpus",
                "embeddings",
                "measure",
                "random",
                "scan",
                "wire",
            ],
            &["home", "text", "hostile", "fuzz"],
            &["daemon"],
            &["own"],
            &["lib"],
            &["bin"],
        ],
    ),
];

fn floor(of_crate: &str, module: &str) -> Option<usize> {
    let (_, floors) = FLOORS.iter().find(|(name, _)| *name == of_crate)?;
    floors.iter().position(|floor| floor.contains(&module))
}

/// The modules that a line names behind `crate::`, in a list as well.
fn named(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, found) in line.match_indices("crate::") {
        let before = line[..at].chars().next_back();
        // `$crate::` is in macros for other crates, and `x_crate::` is another name.
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &line[at + found.len()..];
        let word = |text: &str| -> String {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        };
        match rest.strip_prefix('{') {
            None => names.push(word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut start = 0;
                for (place, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => {
                            names.push(word(list[start..place].trim()));
                            break;
                        }
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            names.push(word(list[start..place].trim()));
                            start = place + 1;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names.retain(|name| name.starts_with(|c: char| c.is_lowercase()));
    names
}

/// Joins a `use` over several lines to one, at its first line.
fn statements(source: &Source) -> Vec<(usize, String)> {
    let mut joined: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in source.code() {
        match joined.last_mut() {
            Some((_, last)) if open => last.push_str(line.trim()),
            _ => joined.push((number, line.clone())),
        }
        let Some((_, last)) = joined.last() else {
            continue;
        };
        let start = last.trim_start();
        let is_use = start.starts_with("use ")
            || start.starts_with("pub use ")
            || start.starts_with("pub(crate) use ");
        open = is_use && !last.contains(';');
    }
    joined
}

/// Every import that does not go downward.
pub fn findings(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let (Some((of_crate, _)), Some(from)) = (source.of_crate(), source.module()) else {
            continue;
        };
        let Some(own) = floor(of_crate, from) else {
            findings.push(format!(
                "{}: module {from} of {of_crate} is on no floor",
                source.path
            ));
            continue;
        };
        for (number, statement) in statements(source) {
            for to in named(&statement).iter().filter(|to| *to != from) {
                // What is no module is a macro or an item of the root, which is no import upward.
                let Some(other) = floor(of_crate, to) else {
                    continue;
                };
                if other >= own {
                    let way = if other == own { "sideways" } else { "upward" };
                    let path = &source.path;
                    findings.push(format!(
                        "{path}:{number}: {from} imports {to}, which goes {way}"
                    ));
                }
            }
        }
    }
    findings
}

#[test]
fn imports_upward_and_sideways_are_found_wherever_they_stand() {
    let find = |path: &str, text: &str| findings(&[Source::of(path, text)]);
    let upward = find(
        "manushyad/src/store/txn.rs",
        "use std::fmt;\nuse crate::service::Service;\n",
    );
    assert_eq!(upward.len(), 1);
    assert!(
        upward[0].contains("txn.rs:2: store imports service, which goes upward"),
        "{upward:?}"
    );
    assert!(find("manushyad/src/store/mod.rs", "use crate::index::X;\n")[0].contains("sideways"));
    assert_eq!(
        find("manushyad/src/store/mod.rs", "fn f() -> crate::rpc::X {}\n").len(),
        1
    );
    assert_eq!(
        find(
            "manushyad/src/store/mod.rs",
            "use crate::{\n    port::A,\n    app::{B, C},\n};\n"
        )
        .len(),
        1
    );
    assert_eq!(
        find("protocol/src/id.rs", "use crate::error::E;\n").len(),
        1
    );
    for fine in [
        "use crate::port::X;",
        "use crate::store::Y;",
        "// use crate::app::Z;",
        "use super::txn;",
    ] {
        assert!(
            find("manushyad/src/store/mod.rs", fine).is_empty(),
            "{fine}"
        );
    }
    assert!(find("manushyad/src/stray/mod.rs", "")[0].contains("no floor"));
}
