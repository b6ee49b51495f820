//! The examples of the README run as they stand.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use manushya_tests::caller::clean;
use manushya_tests::{Home, Out};

use crate::programs;

/// One command of a document.
#[derive(Debug, PartialEq)]
struct Example {
    line: usize,
    command: String,
    exit: i32,
}

/// Takes the commands out of the blocks marked `console`: what follows `$ `, with the lines that
/// a `\` or `> ` continues. `# exit N` at the end says what it exits with.
fn examples(text: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let (mut inside, mut open) = (false, false);
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            inside = !inside && line.trim() == "```console";
            open = false;
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            found.push(Example {
                line: number + 1,
                command: command.to_owned(),
                exit: 0,
            });
            open = command.ends_with('\\');
        } else if inside
            && let Some(last) = found.last_mut()
            && (open || line.starts_with("> "))
        {
            last.command.push('\n');
            last.command
                .push_str(line.strip_prefix("> ").unwrap_or(line));
            open = line.ends_with('\\');
        }
    }
    for example in &mut found {
        if let Some((_, code)) = example.command.rsplit_once("# exit ") {
            example.exit = code.trim().parse().unwrap_or(0);
        }
        let quickstart = "cargo run --release -p manushyactl -- ";
        example.command = example.command.replace(quickstart, "manushyactl ");
    }
    found
}

/// Whether a command can be run here: it builds, fetches and installs nothing.
fn runs(command: &str) -> bool {
    ![
        "cargo ",
        "git ",
        "cd ",
        "rustup ",
        "sudo ",
        "apt",
        "manushya-tui",
    ]
    .iter()
    .any(|start| command.starts_with(start))
}

fn script(examples: &[Example]) -> String {
    let mut script =
        "set -u -o pipefail\ntrap 'manushyactl down >/dev/null 2>&1' EXIT\n".to_owned();
    for example in examples.iter().filter(|example| runs(&example.command)) {
        script.push_str(&format!(
            "{}\ncode=$?\nif [ $code -ne {} ]; then echo \"README line {} exits $code\" >&2; exit 99; fi\n",
            example.command, example.exit, example.line
        ));
    }
    script
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

#[test]
fn readme_examples_run() {
    let Ok(text) = fs::read_to_string(root().join("README.md")) else {
        println!("skipped: there is no README.md yet");
        return;
    };
    let examples = examples(&text);
    let ours = examples
        .iter()
        .filter(|example| example.command.contains("manushyactl"));
    assert!(
        ours.count() > 0,
        "README.md has no block marked ```console that runs manushyactl"
    );
    let has_jq = Command::new("jq")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    if !has_jq && text.contains("jq ") {
        println!("skipped: the examples use jq, which is not here");
        return;
    }
    let home = Home::new();
    let bin = home.join("bin");
    fs::create_dir_all(&bin).unwrap();
    symlink(programs().ctl, bin.join("manushyactl")).unwrap();
    symlink(programs().daemon.0, bin.join("manushyad")).unwrap();
    let mut command = Command::new("bash");
    clean(&mut command, home.path());
    let path = std::env::var("PATH").unwrap_or_default();
    let output = command
        .env("PATH", format!("{}:{path}", bin.display()))
        .args(["-c", &script(&examples)])
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let out = Out::of(&output, "the README".to_owned());
    assert_eq!(out.code, 0, "{}\n{}", out.stderr, out.stdout);
}

#[test]
fn commands_are_taken_out_of_console_blocks_only() {
    let text = "$ not this\n```sh\n$ nor this\n```\n```console\n$ manushyactl up\nit answers\n\
        $ manushyactl memory add \\\n    \"x\"\n$ cat > f <<'E'\n> one\n> E\n\
        $ manushyactl policy can-i read memory  # exit 5\n```\n$ nor that\n";
    let found = examples(text);
    let commands: Vec<&str> = found
        .iter()
        .map(|example| example.command.as_str())
        .collect();
    assert_eq!(commands[0], "manushyactl up");
    assert_eq!(commands[1], "manushyactl memory add \\\n    \"x\"");
    assert_eq!(commands[2], "cat > f <<'E'\none\nE");
    assert_eq!((found.len(), found[3].exit, found[3].line), (4, 5, 13));
    assert!(runs("manushyactl up") && !runs("cargo test --workspace"));
}
