//! The log, for operators: identifiers, sizes and durations, never content.

use std::io::IsTerminal;

use manushya_protocol::error::{ErrorCode, WireError};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts the log on standard error.
///
/// # Errors
///
/// `INVALID_ARGUMENT` if the filter does not parse.
pub fn start(config: &Config) -> Result<(), WireError> {
    let filter = EnvFilter::try_new(&config.log).map_err(|error| {
        WireError::new(
            ErrorCode::InvalidArgument,
            "the setting daemon.log is not valid",
        )
        .reason(error.to_string())
        .hint("write for example `info` or `manushyad=debug`")
    })?;
    // These log whole requests when asked to, and requests hold content.
    let mut filter = filter;
    for quiet in ["tarpc=off", "ureq=off", "ureq_proto=off"] {
        let quiet = quiet.parse().map_err(|_| {
            WireError::new(ErrorCode::Internal, "the log's own filter does not parse")
        })?;
        filter = filter.add_directive(quiet);
    }
    let is_terminal = std::io::stderr().is_terminal();
    let format = config.log_format.unwrap_or(if is_terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal && std::env::var_os("NO_COLOR").is_none())
        .with_target(false);
    // A process that runs twice in one (a test) keeps the log it has.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}
