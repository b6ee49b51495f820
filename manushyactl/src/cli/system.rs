//! Commands that stand alone, and `config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

/// Arguments of `up`.
#[derive(Args, Clone, Debug, Default)]
pub struct Up {
    /// Stay in front, log to this terminal
    #[arg(long)]
    pub foreground: bool,
    /// File that holds the passphrase of the keys
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Arguments of `unseal`.
#[derive(Args, Clone, Debug, Default)]
pub struct Unseal {
    /// File whose first line is the passphrase of the keys, `-` for standard input [default: what
    /// the daemon's configuration names, or an identity without one]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Arguments of `quickstart`.
#[derive(Args, Debug)]
pub struct Quickstart {
    /// Your own memories as JSON Lines, in place of the bundled ones
    pub file: Option<PathBuf>,
    /// A question to ask; repeat for more
    #[arg(long = "query", value_name = "TEXT")]
    pub queries: Vec<String>,
    /// Leave the daemon running and keep its home
    #[arg(long)]
    pub keep: bool,
}

/// Verbs of `config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Show every setting
    Show(ConfigShow),
    /// Show the files and folders in use
    Path,
    /// Write a configuration file to start from
    Template,
}

/// Arguments of `config show`.
#[derive(Args, Debug)]
pub struct ConfigShow {
    /// Say where each setting comes from
    #[arg(long)]
    pub origin: bool,
}

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct Completions {
    /// Which shell
    pub shell: Shell,
}

/// Names a command or a topic.
#[derive(Args, Debug)]
pub struct Topic {
    /// Words of the command, or a topic
    #[arg(value_name = "CMD|TOPIC")]
    pub words: Vec<String>,
}

/// Verbs of the hidden `daemon`.
#[derive(Debug, Subcommand)]
pub enum Daemon {
    /// Run the daemon in this process until it is told to stop
    Run(DaemonRun),
}

/// Arguments of `daemon run`.
#[derive(Args, Clone, Debug, Default)]
pub struct DaemonRun {
    /// File that holds the passphrase of the keys
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Public half of the recovery key of a home that is to be made
    #[arg(long, value_name = "RECIPIENT")]
    pub recovery_recipient: Option<String>,
    /// `text` or `json`
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    pub log_format: Option<String>,
}
