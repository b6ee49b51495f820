//! The command tree: nouns and verbs, their flags and their help.

pub mod args;
pub mod audit;
pub mod backup;
pub mod credential;
pub mod examples;
pub mod identity;
pub mod key;
pub mod markdown;
pub mod memory;
pub mod policy;
pub mod purge;
pub mod review;
pub mod system;
pub mod topics;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

/// Identity and memory for autonomous agents on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "manushyactl",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// How to write what is found [default: table] [env: MANUSHYA_OUTPUT]
    #[arg(
        short, long, global = true, value_name = "FORMAT", ignore_case = true,
        value_parser = ["table", "json", "jsonl", "yaml", "csv", "name", "cef"]
    )]
    pub output: Option<String>,
    /// Tenant to work in, by name [env: MANUSHYA_TENANT]
    #[arg(long, global = true, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Socket of the daemon [env: MANUSHYA_SOCKET]
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// File that holds the access token, `-` for standard input; MANUSHYA_TOKEN holds the token
    /// itself [env: MANUSHYA_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// How long a call may take, such as 500ms or 10s [default: 10s] [env: MANUSHYA_TIMEOUT]
    #[arg(long, global = true, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// What the work is for: the fact `request.purpose` of policies [env: MANUSHYA_PURPOSE]
    #[arg(long, global = true, value_name = "TEXT")]
    pub purpose: Option<String>,
    /// Answer yes to questions; irreversible commands still want --confirm
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Decide and report, but change nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Never ask a question [env: MANUSHYA_NO_INPUT]
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Write results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Write more, such as how long calls took
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to colour [default: auto] [env: MANUSHYA_COLOR, NO_COLOR]
    #[arg(
        long, global = true, value_name = "WHEN", ignore_case = true,
        value_parser = ["auto", "always", "never"]
    )]
    pub color: Option<String>,
    /// Configuration file to read [env: MANUSHYA_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Every noun, and the commands that stand alone.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the daemon; does nothing if it runs already
    Up(system::Up),
    /// Stop the daemon
    Down,
    /// Say how the daemon is
    Status,
    /// Check this installation, with a fix for everything that is wrong
    Doctor,
    /// Say who the daemon takes you for, and why
    Whoami,
    /// Show it all in ten seconds, in a temporary home
    Quickstart(system::Quickstart),
    /// Manage tenants: hard walls between groups of identities
    #[command(subcommand)]
    Tenant(identity::Tenant),
    /// Manage identities: who may act here
    #[command(subcommand, visible_alias = "id")]
    Identity(identity::Identity),
    /// Issue, inspect and revoke access tokens
    #[command(subcommand)]
    Token(identity::Token),
    /// Make, list and revoke API keys for scripts
    #[command(subcommand)]
    ApiKey(credential::ApiKey),
    /// Open a login session, which later commands use until you log out
    Login(credential::Login),
    /// End the login session
    Logout(credential::Logout),
    /// List and revoke login sessions
    #[command(subcommand)]
    Session(credential::Session),
    /// Become an identity by an enrolment code; its access token is shown once
    Enroll(credential::Enroll),
    /// List, show, revoke and resend invitations
    #[command(subcommand)]
    Invitation(credential::Invitation),
    /// List and rotate the keys of this host
    #[command(subcommand)]
    Key(key::Key),
    /// Add, search and manage memories
    #[command(subcommand, visible_alias = "mem")]
    Memory(memory::Memory),
    /// Manage policies, and ask what they decide
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Read and verify the audit log
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Plan and carry out irreversible erasure
    #[command(subcommand)]
    Purge(purge::Purge),
    /// Take, verify and restore backups
    #[command(subcommand)]
    Backup(backup::Backup),
    /// Show the configuration and where it comes from
    #[command(subcommand)]
    Config(system::Config),
    /// Write shell completions
    Completions(system::Completions),
    /// Write a manual page
    Man(system::Topic),
    /// Explain a command or a topic: exit-codes, environment, output
    Help(system::Topic),
    /// Drop every key from memory at once and serve nothing until `unseal`
    Seal,
    /// Open a sealed daemon again
    Unseal(system::Unseal),
    /// Run the daemon in this process
    #[command(subcommand, hide = true)]
    Daemon(system::Daemon),
}

const TEMPLATE: &str = "{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The commands as a tree, with their help.
pub type Tree = clap::Command;

/// The whole command tree, each command's help led by examples.
pub fn command() -> Tree {
    decorate(Cli::command(), "")
}

fn decorate(command: clap::Command, path: &str) -> clap::Command {
    let command = command.help_template(TEMPLATE);
    let command = match examples::of(path) {
        Some(lines) => command.before_help(examples::block(lines)),
        None => command,
    };
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}").trim().to_owned();
        command.mut_subcommand(&name, |sub| decorate(sub, &path))
    })
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    #[test]
    fn tree_is_sound() {
        command().debug_assert();
    }

    fn leaves(command: &clap::Command, path: &str, into: &mut Vec<String>) {
        if command.get_subcommands().next().is_none() {
            into.push(path.to_owned());
        }
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            leaves(sub, format!("{path} {}", sub.get_name()).trim(), into);
        }
    }

    #[test]
    fn every_command_has_examples_and_they_parse() {
        let mut paths = Vec::new();
        leaves(&command(), "", &mut paths);
        assert!(paths.len() > 50, "{paths:?}");
        for path in paths {
            let lines = examples::of(&path).unwrap_or_else(|| panic!("`{path}` has no examples"));
            for line in lines {
                let words = examples::words(line);
                let parsed = command()
                    .try_get_matches_from(&words)
                    .and_then(|matches| Cli::from_arg_matches(&matches));
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                assert!(line.contains(&path), "`{line}` stands under `{path}`");
            }
        }
    }

    #[test]
    fn examples_name_only_commands_that_exist() {
        let mut paths = Vec::new();
        leaves(&command(), "", &mut paths);
        for (path, _) in examples::all() {
            let known = path.is_empty() || paths.iter().any(|p| p == path || p.starts_with(path));
            assert!(known, "{path}");
        }
    }

    #[test]
    fn help_starts_with_the_purpose_and_examples() {
        let mut command = command();
        let memory = command.find_subcommand_mut("memory").unwrap();
        let help = memory
            .find_subcommand_mut("search")
            .unwrap()
            .render_long_help()
            .to_string();
        let examples = help.find("Examples:").unwrap();
        assert!(examples < help.find("Usage:").unwrap(), "{help}");
    }

    #[test]
    fn tokens_cannot_be_given_as_arguments() {
        let refused = command().try_get_matches_from(["manushyactl", "--token", "x", "status"]);
        assert!(refused.is_err());
    }
}
