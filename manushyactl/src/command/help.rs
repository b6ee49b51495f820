//! `help`, `man` and `completions`.

use crate::cli::system::Completions;
use crate::cli::{Tree, command, topics};
use crate::context::Context;
use crate::error::{Outcome, Stop};

/// Explains a command or a topic.
///
/// # Errors
///
/// A usage error if there is no such thing.
pub fn help(words: &[String], context: &Context) -> Outcome {
    if let [topic] = words
        && let Some(text) = topics::text(topic)
    {
        return context.ui.emit(&text);
    }
    let mut found = find(words)?;
    let mut text = found.render_long_help().to_string();
    if words.is_empty() {
        text.push_str("\nTopics (manushyactl help TOPIC):\n");
        for (name, about) in topics::NAMES {
            text.push_str(&format!("  {name:<12}  {about}\n"));
        }
    }
    context.ui.emit(&text)
}

/// Writes a manual page in roff.
///
/// # Errors
///
/// A usage error if there is no such command.
pub fn man(words: &[String], context: &Context) -> Outcome {
    let found = find(words)?;
    let mut page = Vec::new();
    clap_mangen::Man::new(found).render(&mut page)?;
    context.ui.emit(&String::from_utf8_lossy(&page))
}

/// Writes the completions of a shell.
///
/// # Errors
///
/// If nobody reads them.
pub fn completions(arguments: &Completions, context: &Context) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "manushyactl", &mut script);
    context.ui.emit(&String::from_utf8_lossy(&script))
}

fn find(words: &[String]) -> Outcome<Tree> {
    let mut tree = command();
    tree.build();
    let mut found = &tree;
    for word in words {
        found = found.find_subcommand(word).ok_or_else(|| {
            Stop::usage(format!(
                "there is no command or topic `{}`",
                words.join(" ")
            ))
            .hint("manushyactl help")
        })?;
    }
    Ok(found.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_found_and_nonsense_is_not() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(find(&words("mem search")).unwrap().get_name(), "search");
        assert!(find(&words("memory forget")).is_err());
    }

    #[test]
    fn every_shell_has_completions() {
        use clap::ValueEnum as _;
        for shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command(), "manushyactl", &mut script);
            assert!(
                String::from_utf8(script).unwrap().contains("can-i"),
                "{shell}"
            );
        }
    }
}
