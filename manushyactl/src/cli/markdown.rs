//! The reference of all commands, generated from the command tree.

use std::fmt::Write as _;

use super::{command, examples, topics};

/// Writes the reference of every command as Markdown: `docs/cli.md`.
pub fn cli_markdown() -> String {
    let mut tree = command();
    tree.build();
    let mut text = String::from(
        "# manushyactl\n\n\
         <!-- Generated from the command tree; `MANUSHYA_BLESS=1 cargo test -p manushyactl` \
         writes it again. -->\n\n",
    );
    text.push_str("Identity and memory for autonomous agents on this machine.\n");
    text.push_str("\nEvery command also takes the [global options](#global-options).\n\n");
    contents(&tree, &mut text);
    for noun in tree.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        section(noun, noun.get_name(), 2, &mut text);
    }
    text.push_str("\n## Global options\n\n");
    options(tree.get_arguments(), &mut text);
    for (name, _) in topics::NAMES {
        let body = topics::text(name).unwrap_or_default();
        let (title, body) = body.split_once("\n\n").unwrap_or(("", &body));
        let _ = write!(text, "\n## {title}\n\n```text\n{}\n```\n", body.trim_end());
    }
    text
}

fn contents(tree: &clap::Command, text: &mut String) {
    text.push_str("| command | what it does |\n|---|---|\n");
    for noun in tree.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = noun.get_name();
        let _ = writeln!(text, "| [`{name}`](#{name}) | {} |", about(noun));
    }
}

fn section(command: &clap::Command, path: &str, level: usize, text: &mut String) {
    let _ = write!(
        text,
        "\n{} {path}\n\n{}.\n",
        "#".repeat(level),
        about(command)
    );
    let aliases: Vec<_> = command.get_visible_aliases().collect();
    if !aliases.is_empty() {
        let _ = write!(text, "\nAlso: `{}`.\n", aliases.join("`, `"));
    }
    let verbs: Vec<_> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .collect();
    if !verbs.is_empty() {
        for verb in verbs {
            section(
                verb,
                &format!("{path} {}", verb.get_name()),
                level + 1,
                text,
            );
        }
        return;
    }
    if let Some(lines) = examples::of(path) {
        let _ = write!(text, "\n```sh\n{}\n```\n", lines.join("\n"));
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let _ = write!(text, "\nUsage: `{usage}`\n");
    let own: Vec<_> = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && !is_builtin(arg))
        .collect();
    if !own.is_empty() {
        text.push('\n');
        options(own.into_iter(), text);
    }
}

fn is_builtin(arg: &clap::Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn options<'a>(args: impl Iterator<Item = &'a clap::Arg>, text: &mut String) {
    text.push_str("| argument | meaning |\n|---|---|\n");
    for arg in args.filter(|arg| !arg.is_hide_set() && !is_builtin(arg)) {
        let mut meaning = arg
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default()
            .replace('\n', " ");
        let takes_value = arg.get_action().takes_values();
        let values: Vec<String> = arg
            .get_possible_values()
            .iter()
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if takes_value && !values.is_empty() {
            let _ = write!(meaning, ": {}", values.join(", "));
        }
        let defaults: Vec<_> = arg
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy().into_owned())
            .collect();
        if takes_value && !defaults.is_empty() {
            let _ = write!(meaning, " [default: {}]", defaults.join(", "));
        }
        let _ = writeln!(
            text,
            "| `{}` | {} |",
            spelled(arg),
            meaning.replace('|', "\\|")
        );
    }
}

fn spelled(arg: &clap::Arg) -> String {
    let value = arg
        .get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string)
        .unwrap_or_default()
        .replace('|', "\\|");
    let mut text = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, None) => return value,
    };
    if arg.get_action().takes_values() {
        let _ = write!(text, " {value}");
    }
    text
}

fn about(command: &clap::Command) -> String {
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn reference_in_the_docs_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
        let wanted = cli_markdown();
        if std::env::var_os("MANUSHYA_BLESS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == wanted,
            "docs/cli.md is stale: MANUSHYA_BLESS=1 cargo test -p manushyactl"
        );
    }
}
