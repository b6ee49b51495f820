//! The operator's command line of Manushya: one front end for people and scripts.

pub mod cli;
pub mod command;
pub mod config;
pub mod context;
#[cfg(feature = "embedded")]
mod embedded;
pub mod error;
pub mod ui;

use std::process::ExitCode;

use clap::FromArgMatches as _;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::exit;

pub use cli::markdown::cli_markdown;
use cli::{Cli, Command};
use config::{Env, Format};
use context::Context;
use error::{Outcome, Stop};
use ui::progress::eprint_line;

/// Runs the command line of this process and says what to exit with.
pub fn main_entry() -> ExitCode {
    let env = Env::process();
    let matches = match cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return refused(&error, &env),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refused(&error, &env),
    };
    let context = match Context::new(&cli.global, env.clone()) {
        Ok(context) => context,
        Err(stop) => return untold(&stop, asked_format(&env)),
    };
    if let Some(code) = foreground(&cli.command, &context) {
        return code;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprint_line(&format!("error: cannot start: {error}"));
            return ExitCode::from(exit::FAILURE);
        }
    };
    let outcome = runtime.block_on(interruptible(cli.command, &context));
    // A thread that waits for standard input must not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => ExitCode::from(context.ui.stop(&stop)),
    }
}

/// Runs the daemon in this process, if that is what the command asks for. It brings its own
/// runtime.
fn foreground(command: &Command, context: &Context) -> Option<ExitCode> {
    #[cfg(feature = "embedded")]
    {
        let run = match command {
            Command::Daemon(cli::system::Daemon::Run(run)) => run.clone(),
            Command::Up(up) if up.foreground => cli::system::DaemonRun {
                passphrase_file: up.passphrase_file.clone(),
                recovery_recipient: command::recovery::in_front(context),
                log_format: None,
            },
            _ => return None,
        };
        Some(embedded::run(context, run))
    }
    #[cfg(not(feature = "embedded"))]
    {
        let _ = (command, context);
        None
    }
}

async fn interruptible(command: Command, context: &Context) -> Outcome {
    if command::handles_interrupt(&command) {
        return command::run(command, context).await;
    }
    tokio::select! {
        outcome = command::run(command, context) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Stop::interrupted()),
    }
}

/// Tells an error that came before there was a context.
fn untold(stop: &Stop, format: Format) -> ExitCode {
    if let Stop::Error(error) = stop {
        match format.is_structured() {
            true => eprint_line(&error::as_json(error)),
            false => eprint_line(&error::as_text(error, "error:")),
        }
    }
    ExitCode::from(stop.exit())
}

/// Tells what clap refused, or shows the help it was asked for.
fn refused(error: &clap::Error, env: &Env) -> ExitCode {
    let format = asked_format(env);
    if !error.use_stderr() || !format.is_structured() {
        // Nobody is left to tell if this fails.
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() {
            exit::USAGE
        } else {
            exit::OK
        });
    }
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines
        .next()
        .unwrap_or("wrong usage")
        .trim_start_matches("error: ");
    let hint = lines
        .find_map(|line| line.strip_prefix("tip: "))
        .unwrap_or("manushyactl help");
    let error = WireError::new(ErrorCode::InvalidArgument, message).hint(hint);
    eprint_line(&error::as_json(&error));
    ExitCode::from(exit::USAGE)
}

/// The format the user asked for, as far as it can be told from a command line that is wrong.
fn asked_format(env: &Env) -> Format {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    format_in(&words)
        .or_else(|| Format::of(&env.text("MANUSHYA_OUTPUT")?))
        .unwrap_or_default()
}

fn format_in(words: &[String]) -> Option<Format> {
    let mut found = None;
    for (place, word) in words.iter().enumerate() {
        let value = match word.as_str() {
            "--" => break,
            "-o" | "--output" => words.get(place + 1).map(String::as_str),
            other => other
                .strip_prefix("--output=")
                .or_else(|| other.strip_prefix("-o").map(|v| v.trim_start_matches('='))),
        };
        found = value.and_then(Format::of).or(found);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_is_found_in_a_wrong_command_line() {
        let check = |line: &str, wanted| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(format_in(&words), wanted, "{line}");
        };
        check("manushyactl -o json nonsense", Some(Format::Json));
        check("manushyactl nonsense --output=yaml", Some(Format::Yaml));
        check("manushyactl nonsense -ojsonl", Some(Format::Jsonl));
        check("manushyactl -o xml", None);
        check("manushyactl memory add -- -o json", None);
        check("manushyactl status -o", None);
    }
}
