//! From a command line to a serving daemon, and back down again.

pub mod boot;
pub mod flags;
pub mod restore;

pub mod telemetry;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use manushya_protocol::error::WireError;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::{Config, RunOptions};
use crate::jobs;
use crate::os;
use crate::rpc::Server;
use crate::service::writer::chain;
use boot::Booted;

/// Runs the daemon until it is told to stop. Errors go to standard error, as the CLI prints them.
pub fn run(options: &RunOptions) -> ExitCode {
    let outcome = Config::resolve(options).and_then(|config| {
        os::harden()
            .map_err(|error| boot::failed("the process cannot be closed to others", &error))?;
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

async fn serve(config: Config) -> Result<(), WireError> {
    let (booted, listener) = boot::boot(config).await?;
    let (stopping, stop) = watch::channel(false);
    let server = tokio::spawn(Server::new(booted.service.clone()).serve(listener, stop.clone()));
    let jobs = jobs::start(&booted.service, &booted.clock, &stop)
        .map_err(|error| boot::failed("the daemon's jobs cannot be started", &error))?;
    tracing::info!(
        socket = %booted.service.config.socket.display(),
        version = env!("CARGO_PKG_VERSION"),
        "Serving."
    );
    wait_for_stop(&booted).await?;
    tracing::info!("Draining.");
    let _ = stopping.send(true);
    let _ = server.await;
    jobs.join().await;
    close(booted)
}

/// Waits for SIGTERM, SIGINT or the call `shutdown`.
async fn wait_for_stop(booted: &Booted) -> Result<(), WireError> {
    let listen =
        |kind| signal(kind).map_err(|error| boot::failed("signals cannot be heard", &error));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    // A closed terminal is no reason to stop a daemon.
    let mut hangup = listen(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => tracing::info!("Hangup ignored."),
            () = booted.service.stop.notified() => return Ok(()),
        }
    }
}

/// Saves the index, ends the writer and closes the store in order.
fn close(booted: Booted) -> Result<(), WireError> {
    let Booted {
        service,
        threads,
        lock,
        clock,
    } = booted;
    jobs::snapshot::save_all(&service);
    let socket = service.config.socket.clone();
    let (store, vault) = (service.store.clone(), service.vault.clone());
    // The writer ends when the last one who could queue a command is gone.
    let alone = Arc::try_unwrap(service).is_ok();
    if !alone {
        tracing::warn!("Something still uses the service; the store is left unclean.");
        return Ok(());
    }
    let ended_well = threads.join();
    if !ended_well {
        tracing::warn!("The writer did not end well; the store is left unclean.");
        return Ok(());
    }
    let closed = store
        .note_time(clock.left().latest, clock.left().trusted)
        .and_then(|()| store.close());
    // Spare keys that outlive the process would have to be destroyed at the next start.
    if let Err(error) = vault.drop_spares() {
        tracing::warn!(error = %chain(&error), "Spare keys could not be given back.");
    }
    let _ = std::fs::remove_file(socket);
    drop(lock);
    closed.map_err(|error| boot::failed("the store cannot be closed", &error))?;
    tracing::info!("Stopped.");
    Ok(())
}
