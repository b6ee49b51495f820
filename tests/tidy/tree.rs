//! The files themselves: all of them are used, and none knows a machine.

use std::collections::HashSet;

use crate::source::{CRATES, Source, strip};

/// The modules that a file declares.
fn declared(text: &str) -> Vec<String> {
    let stripped = strip(text);
    let name = |line: &str| -> Option<String> {
        let line = line.trim();
        let line = ["pub(crate) ", "pub(super) ", "pub "]
            .iter()
            .find_map(|prefix| line.strip_prefix(prefix))
            .unwrap_or(line);
        let name = line.strip_prefix("mod ")?.strip_suffix(';')?;
        Some(name.trim().to_owned())
    };
    stripped.lines().filter_map(name).collect()
}

/// Every Rust file that no module declares.
pub fn orphans(sources: &[Source]) -> Vec<String> {
    let all: HashSet<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let mut reached: HashSet<String> = HashSet::new();
    let mut open: Vec<String> = Vec::new();
    for (_, folder) in CRATES {
        open.extend(["lib.rs", "main.rs"].map(|root| format!("{folder}{root}")));
    }
    // Every file right under bin, and every main.rs one below it, is a program.
    open.extend(
        all.iter()
            .filter(|path| {
                path.split_once("/src/bin/")
                    .is_some_and(|(_, rest)| !rest.contains('/') || rest.ends_with("/main.rs"))
            })
            .map(|path| (*path).to_owned()),
    );
    open.retain(|path| all.contains(path.as_str()));
    while let Some(path) = open.pop() {
        let Some(source) = sources.iter().find(|source| source.path == path) else {
            continue;
        };
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
        let own = match file {
            "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
            _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
        };
        for name in declared(&source.text) {
            for child in [format!("{own}/{name}.rs"), format!("{own}/{name}/mod.rs")] {
                if all.contains(child.as_str()) && !reached.contains(&child) {
                    open.push(child);
                }
            }
        }
        reached.insert(path);
    }
    let mut orphans: Vec<String> = all
        .iter()
        .filter(|path| !reached.contains(**path))
        .map(|path| format!("{path}: no module declares it"))
        .collect();
    orphans.sort();
    orphans
}

/// Every line that names a path of the machine it was written on.
pub fn machine_paths(files: &[Source]) -> Vec<String> {
    // Put together here, so that this file does not find itself.
    let paths = [
        ["/wo", "rk/"].concat(),
        ["/ro", "ot/"].concat(),
        ["/home/", "ubuntu"].concat(),
    ];
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            if paths.iter().any(|path| line.contains(path)) {
                findings.push(format!("{}:{}: a path of a machine", file.path, number + 1));
            }
        }
    }
    findings
}

#[test]
fn files_that_nobody_declares_are_found() {
    let sources = [
        Source::of(
            "protocol/src/lib.rs",
            "pub mod a;\n#[cfg(test)]\nmod tests {}\n",
        ),
        Source::of("protocol/src/a.rs", "mod b;\n"),
        Source::of("protocol/src/a/b.rs", "// mod c;\n"),
        Source::of("protocol/src/a/c.rs", ""),
        Source::of("tests/src/bin/x.rs", ""),
        Source::of("tests/src/bin/y/main.rs", "mod z;\n"),
        Source::of("tests/src/bin/y/z.rs", ""),
    ];
    assert_eq!(
        orphans(&sources),
        ["protocol/src/a/c.rs: no module declares it"]
    );
}

#[test]
fn paths_of_a_machine_are_found() {
    let bad = Source::of("README.md", &["fine\nsee /wo", "rk/x\n"].concat());
    assert_eq!(machine_paths(&[bad]), ["README.md:2: a path of a machine"]);
    assert!(machine_paths(&[Source::of("README.md", "/tmp/x network/ artwork/x")]).is_empty());
}
