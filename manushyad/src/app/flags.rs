//! The command line of `manushyad`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::config::RunOptions;

/// Runs the Manushya daemon in the foreground.
#[derive(Parser)]
#[command(
    name = "manushyad",
    version,
    before_help = "Examples:\n  manushyad\n  \
    MANUSHYA_HOME=/srv/manushya manushyad --log-format json"
)]
struct Flags {
    /// Folder that everything lies under
    #[arg(long, env = "MANUSHYA_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
    /// Configuration file
    #[arg(long, env = "MANUSHYA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Socket to serve
    #[arg(long, env = "MANUSHYA_SOCKET", value_name = "PATH")]
    socket: Option<PathBuf>,
    /// File whose first line is the passphrase of the keys
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Public half of the recovery key (age1...) of a home that is to be made: it opens the home if
    /// the identity is lost
    #[arg(long, env = "MANUSHYA_RECOVERY_RECIPIENT", value_name = "RECIPIENT")]
    recovery_recipient: Option<String>,
    /// How to write the log: text or json
    #[arg(long, env = "MANUSHYA_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<String>,
}

/// Reads the command line and runs.
pub fn run() -> ExitCode {
    let flags = Flags::parse();
    super::run(&RunOptions {
        home: flags.home,
        config: flags.config,
        socket: flags.socket,
        passphrase_file: flags.passphrase_file,
        recovery_recipient: flags.recovery_recipient,
        log_format: flags.log_format,
    })
}
