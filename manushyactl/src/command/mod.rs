//! What the commands do: translate, call the daemon, show the answer.

pub mod api_key;
pub mod approval;
pub mod audit;
pub mod backup;
pub mod config;
pub mod help;
pub mod identity;
pub mod invitation;
pub mod key;
pub mod limit;
pub mod memory;
pub mod policy;
pub mod purge;
pub mod quickstart;
mod receipt;
pub mod recovery;
pub mod session;
pub mod sink;
mod subject;
pub mod system;
pub mod tenant;
pub mod token;

use manushya_protocol::exit;

use crate::cli::Command;
use crate::config::Format;
use crate::context::Context;
use crate::error::{Outcome, Stop};

/// Whether a command ends by itself, in its own way, when the user interrupts it.
pub fn handles_interrupt(command: &Command) -> bool {
    use crate::cli::memory::Memory;
    matches!(command, Command::Memory(Memory::Import(_)))
}

/// Runs a command.
///
/// # Errors
///
/// Why it stopped, if not because all is done.
pub async fn run(command: Command, context: &Context) -> Outcome {
    let exports = matches!(command, Command::Audit(crate::cli::audit::Audit::Export(_)));
    if context.ui.format == Format::Cef && !exports {
        return Err(Stop::usage("only audit export writes CEF")
            .hint("-o table, json, jsonl, yaml, csv or name"));
    }
    match command {
        Command::Up(up) => system::up::run(&up, context).await,
        Command::Down => system::down::run(context).await,
        Command::Status => system::status::run(context).await,
        Command::Doctor => system::doctor::run(context).await,
        Command::Whoami => system::status::whoami(context).await,
        Command::Quickstart(arguments) => quickstart::run(&arguments, context).await,
        Command::Tenant(verb) => tenant::run(verb, context).await,
        Command::Identity(verb) => identity::run(verb, context).await,
        Command::Token(verb) => token::run(verb, context).await,
        Command::ApiKey(verb) => api_key::run(verb, context).await,
        Command::Login(arguments) => session::login(arguments, context).await,
        Command::Logout(arguments) => session::logout(arguments, context).await,
        Command::Session(verb) => session::run(verb, context).await,
        Command::Enroll(arguments) => invitation::enroll(arguments, context).await,
        Command::Invitation(verb) => invitation::run(verb, context).await,
        Command::Key(verb) => key::run(verb, context).await,
        Command::Limit(verb) => limit::run(verb, context).await,
        Command::Memory(verb) => memory::run(verb, context).await,
        Command::Policy(verb) => policy::run(verb, context).await,
        Command::Approval(verb) => approval::run(verb, context).await,
        Command::Audit(verb) => audit::run(verb, context).await,
        Command::Purge(verb) => purge::run(verb, context).await,
        Command::Backup(verb) => backup::run(verb, context).await,
        Command::Config(verb) => config::run(&verb, context),
        Command::Completions(arguments) => help::completions(&arguments, context),
        Command::Man(topic) => help::man(&topic.words, context),
        Command::Help(topic) => help::help(&topic.words, context),
        Command::Seal => system::seal::seal(context).await,
        Command::Unseal(arguments) => system::seal::unseal(&arguments, context).await,
        Command::Daemon(_) => Err(system::no_daemon()),
    }
}

/// Does something to many things one by one; what fails is told and the rest goes on.
///
/// # Errors
///
/// With one thing, its own error. With more, exit code 3 if some failed.
pub async fn each<T, F>(context: &Context, things: &[T], mut action: F) -> Outcome
where
    T: std::fmt::Display,
    F: AsyncFnMut(&T) -> Outcome,
{
    if let [thing] = things {
        return action(thing).await;
    }
    let mut failed = 0usize;
    for thing in things {
        match action(thing).await {
            Ok(()) => {}
            Err(Stop::Error(error)) if !is_fatal(error.code) => {
                failed += 1;
                let mut error = *error;
                error.message = format!("{thing}: {}", error.message);
                context.ui.error(&error);
            }
            Err(stop) => return Err(stop),
        }
    }
    match failed {
        0 => Ok(()),
        _ => {
            context
                .ui
                .note(&format!("{failed} of {} failed", things.len()));
            Err(Stop::Exit(exit::PARTIAL))
        }
    }
}

/// Whether an error of one thing is one of all.
fn is_fatal(code: manushya_protocol::error::ErrorCode) -> bool {
    use manushya_protocol::error::ErrorCode;
    matches!(
        code,
        ErrorCode::Unreachable
            | ErrorCode::Unauthenticated
            | ErrorCode::Interrupted
            | ErrorCode::VersionMismatch
    )
}
