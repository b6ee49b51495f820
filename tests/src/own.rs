//! A driver that is its own daemon, so that nothing else has to be built, and how it is filled.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use manushya_protocol::client::Client;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::v1::memory::{ItemResult, MemoryAdd, MemoryAddMany};

use crate::daemon::{Daemon, Programs};
use crate::home::Home;

/// The hidden first argument that makes a driver the daemon.
const DAEMON: &str = "__daemon";

/// Memories of one batch of an import.
pub const BATCH: usize = 256;

/// Whether this process was started to be the daemon.
pub fn is_daemon() -> bool {
    std::env::args().nth(1).as_deref() == Some(DAEMON)
}

/// This program as the daemon, beside the command line `ctl`.
///
/// # Errors
///
/// [`std::io::Error`] if the system does not tell where this program is.
pub fn programs(ctl: PathBuf) -> std::io::Result<Programs> {
    Ok(Programs {
        ctl,
        daemon: (std::env::current_exe()?, vec![DAEMON.to_owned()]),
    })
}

/// An error of the driver itself.
pub fn failed(message: &str, reason: impl std::fmt::Display) -> WireError {
    WireError::new(ErrorCode::Internal, message).reason(reason.to_string())
}

/// A line of the daemon's configuration of an argument `key=value`: numbers, truth values and whatever
/// is quoted or bracketed as they are, other values as text.
///
/// # Errors
///
/// What is wrong with it, in one sentence.
pub fn setting(argument: &str) -> Result<String, String> {
    let (key, value) = argument
        .split_once('=')
        .ok_or_else(|| format!("--set takes key=value, not `{argument}`"))?;
    let as_is = value.parse::<f64>().is_ok()
        || matches!(value, "true" | "false")
        || value.starts_with(['"', '\'', '[', '{']);
    Ok(if as_is {
        format!("{key} = {value}")
    } else {
        // A string of JSON is one of TOML.
        format!("{key} = {}", serde_json::Value::from(value))
    })
}

/// A daemon in a temporary home with these lines of configuration.
pub fn start(programs: &Programs, settings: &[String]) -> Daemon {
    let home = Home::new();
    home.configure(&settings.join("\n"));
    Daemon::start_in(programs, home)
}

/// Tells how a driver ended.
pub fn exit(ended: Result<(), WireError>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(reason) = &error.reason {
                eprintln!("  why: {reason}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Adds memories in one call.
///
/// # Errors
///
/// That of the call, or of the first memory that was refused.
pub async fn add_batch(client: Client, items: Vec<MemoryAdd>) -> Result<(), WireError> {
    let added = crate::call!(client, memory_add_many, MemoryAddMany { items }).await?;
    added
        .results
        .into_iter()
        .find_map(|result| match result {
            ItemResult::Err(error) => Some(Err(error)),
            ItemResult::Ok(_) => None,
        })
        .unwrap_or(Ok(()))
}

/// Waits until the graph has the vectors, as it has in a daemon that has run for a while.
///
/// # Errors
///
/// That of asking for the state.
pub async fn settle(daemon: &Daemon) -> Result<(), WireError> {
    let client = daemon.client(None).await?;
    let start = Instant::now();
    loop {
        let status = crate::call!(client, status).await?;
        let indexes = status.host.map(|host| host.indexes).unwrap_or_default();
        let waiting = indexes
            .iter()
            .any(|index| index.graph > 0 && index.tail > 1_000);
        let unbuilt = indexes
            .iter()
            .any(|index| index.graph == 0 && index.tail > 10_000);
        if (!waiting && !unbuilt) || start.elapsed() > Duration::from_secs(600) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
