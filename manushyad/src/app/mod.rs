//! From a command line to a serving daemon, and back down again.

pub mod boot;
mod era;
pub mod flags;
pub mod recover;
pub mod restore;

pub mod telemetry;

use std::process::ExitCode;
use std::time::Duration;

use manushya_protocol::error::WireError;

use crate::config::{Config, RunOptions};
use crate::os;
use crate::service::is_sealed;
use era::{End, Signals, Socket};

/// Runs the daemon until it is told to stop. Errors go to standard error, as the CLI prints them.
pub fn run(options: &RunOptions) -> ExitCode {
    let outcome = Config::resolve(options).and_then(|config| {
        os::harden()
            .map_err(|error| boot::failed("the process cannot be closed to others", &error))?;
        if config.lock_memory {
            os::lock_memory();
        }
        telemetry::start(&config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("manushyad")
            .build()
            .map_err(|error| boot::failed("the runtime cannot be started", &error))?;
        let served = runtime.block_on(serve(config));
        // What still runs in the background was told to stop and holds nothing that is not on disk.
        runtime.shutdown_timeout(Duration::from_secs(2));
        served
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::from(error.code.exit())
        }
    }
}

/// The three parts of an error, for people.
fn print_error(error: &WireError) {
    eprintln!("error: {}", error.message);
    if let Some(reason) = &error.reason {
        eprintln!("  why: {reason}");
    }
    if let Some(hint) = &error.hint {
        eprintln!("  fix: {hint}");
    }
}

/// Serves the home, open or sealed, until the daemon is told to stop.
async fn serve(config: Config) -> Result<(), WireError> {
    for folder in [&config.home.data, &config.home.state] {
        boot::private_folder(folder)?;
    }
    let lock = boot::lock_home(&config.home)?;
    let mut signals = Signals::listen()?;
    let mut booted = match is_sealed(&config.home.data) {
        true => None,
        false => Some(boot::boot(config.clone(), &lock, None)?),
    };
    // Nothing is bound before everything behind it stands.
    let mut socket = Socket::bind(&config).await?;
    loop {
        booted = match booted {
            Some(open) => match era::open(open, &mut socket, &mut signals).await? {
                End::Stopped => break,
                End::Sealed => None,
            },
            None => match era::sealed(&config, &lock, &mut socket, &mut signals).await? {
                Some(open) => Some(open),
                None => break,
            },
        };
    }
    let _ = std::fs::remove_file(&config.socket);
    drop(lock);
    tracing::info!("Stopped.");
    Ok(())
}
