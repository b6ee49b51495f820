//! Questions: asked on a terminal only, and never of a script.

use std::io::IsTerminal as _;

use manushya_protocol::error::ErrorCode;

use crate::error::{Outcome, Stop};

/// Whether and how to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prompt {
    /// `--yes`.
    pub yes: bool,
    /// `--no-input`.
    pub no_input: bool,
}

impl Prompt {
    fn can_ask(self) -> bool {
        !self.no_input && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks before something that can be undone or was asked for by id.
    ///
    /// # Errors
    ///
    /// A usage error that names `--yes` if nobody can be asked, and a failure if the answer is no.
    pub fn confirm(self, question: &str) -> Outcome {
        if self.yes {
            return Ok(());
        }
        if !self.can_ask() {
            return Err(Stop::usage(format!("nobody can be asked: {question}"))
                .reason("there is no terminal to ask on, or --no-input is set")
                .hint("add -y (--yes)"));
        }
        let answer = dialoguer::Confirm::new()
            .with_prompt(question)
            .default(false)
            .interact()
            .map_err(told)?;
        match answer {
            true => Ok(()),
            false => Err(declined()),
        }
    }

    /// Asks for the name of what is about to be lost for good. `--yes` does not answer this.
    ///
    /// # Errors
    ///
    /// A usage error that names `--confirm` if nobody can be asked or the name is not the one.
    pub fn confirm_name(self, what: &str, name: &str, given: Option<&str>) -> Outcome<String> {
        if let Some(given) = given {
            return match given == name {
                true => Ok(given.to_owned()),
                false => Err(
                    Stop::usage(format!("--confirm={given} does not name {what}"))
                        .reason(format!("it must be `{name}`"))
                        .hint(format!("--confirm={name}")),
                ),
            };
        }
        if !self.can_ask() {
            return Err(
                Stop::usage(format!("{what} is erased for good only if you name it"))
                    .reason("there is no terminal to ask on, or --no-input is set")
                    .hint(format!("add --confirm={name}")),
            );
        }
        let answer: String = dialoguer::Input::new()
            .with_prompt(format!(
                "This cannot be undone. Type `{name}` to erase {what}"
            ))
            .allow_empty(true)
            .interact_text()
            .map_err(told)?;
        match answer.trim() == name {
            true => Ok(name.to_owned()),
            false => Err(declined()),
        }
    }
}

fn declined() -> Stop {
    Stop::new(ErrorCode::Interrupted, "nothing was changed").reason("you did not confirm it")
}

fn told(error: dialoguer::Error) -> Stop {
    let dialoguer::Error::IO(error) = error;
    match error.kind() {
        std::io::ErrorKind::Interrupted => Stop::interrupted(),
        _ => Stop::usage("cannot ask on this terminal").reason(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use manushya_protocol::exit;

    use super::*;

    #[test]
    fn yes_answers_mild_questions_only() {
        let prompt = Prompt {
            yes: true,
            no_input: true,
        };
        assert!(prompt.confirm("delete").is_ok());
        let stop = prompt
            .confirm_name("identity", "agent-a", None)
            .unwrap_err();
        assert_eq!(stop.exit(), exit::USAGE);
        assert!(format!("{stop:?}").contains("--confirm=agent-a"));
    }

    #[test]
    fn nobody_to_ask_is_a_usage_error_that_names_the_flag() {
        let prompt = Prompt {
            yes: false,
            no_input: true,
        };
        let stop = prompt.confirm("Delete 1 memory?").unwrap_err();
        assert_eq!(stop.exit(), exit::USAGE);
        assert!(format!("{stop:?}").contains("--yes"));
    }

    #[test]
    fn wrong_name_is_refused() {
        let prompt = Prompt::default();
        assert!(
            prompt
                .confirm_name("it", "agent-a", Some("agent-a"))
                .is_ok()
        );
        assert_eq!(
            prompt
                .confirm_name("it", "agent-a", Some("b"))
                .unwrap_err()
                .exit(),
            exit::USAGE
        );
    }
}
