//! The eras of a daemon's life: it serves, or it is sealed. Lock and socket stay through all of them.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use manushya_protocol::error::WireError;
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::boot::{self, Booted};
use crate::config::Config;
use crate::jobs;
use crate::os::{Left, SystemClock};
use crate::rpc::{self, Door, Server};
use crate::service::writer::chain;
use crate::service::{Sealed, Service, Unsealing};

/// How long what still runs may hold the keys once the daemon is to be sealed.
const SEALING: Duration = Duration::from_secs(5);
/// How long an answer may take to leave.
const ANSWERING: Duration = Duration::from_millis(200);
/// How the daemon ends if it holds them longer; it comes back sealed.
const EXIT_SEALED: i32 = 75;

/// How an era ended.
pub enum End {
    /// The daemon is to stop.
    Stopped,
    /// It is sealed.
    Sealed,
}

/// The signals that stop a daemon.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens for them from now on.
    pub fn listen() -> Result<Self, WireError> {
        let listen =
            |kind| signal(kind).map_err(|error| boot::failed("signals cannot be heard", &error));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for one that stops the daemon.
    async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                // A closed terminal is no reason to stop a daemon.
                _ = self.hangup.recv() => tracing::info!("Hangup ignored."),
            }
        }
    }
}

/// The socket, which outlives an era: who connects between two of them waits in its queue.
pub struct Socket(Option<std::os::unix::net::UnixListener>);

impl Socket {
    /// Binds it.
    pub async fn bind(config: &Config) -> Result<Self, WireError> {
        let listener = rpc::bind(&config.socket, config.socket_gid).await?;
        let listener = listener.into_std().map_err(broken)?;
        Ok(Self(Some(listener)))
    }

    fn listener(&self) -> Result<UnixListener, WireError> {
        let gone = || broken(io::ErrorKind::NotConnected.into());
        let listener = self.0.as_ref().ok_or_else(gone)?;
        let copy = listener.try_clone().map_err(broken)?;
        UnixListener::from_std(copy).map_err(broken)
    }

    /// Lets nobody connect from now on.
    fn close(&mut self) {
        self.0 = None;
    }
}

fn broken(error: io::Error) -> WireError {
    boot::failed("the socket cannot be listened at", &error)
}

/// Serves everything until the daemon is told to stop or to be sealed.
pub async fn open(
    booted: Booted,
    socket: &mut Socket,
    signals: &mut Signals,
) -> Result<End, WireError> {
    booted.service.note_recovered().await?;
    let listener = socket.listener()?;
    let (stopping, stop) = watch::channel(false);
    let door = Door::Open(booted.service.clone());
    let server = tokio::spawn(Server::new(door).serve(listener, stop.clone()));
    let jobs = jobs::start(&booted.service, &booted.clock, &stop)
        .map_err(|error| boot::failed("the daemon's jobs cannot be started", &error))?;
    tracing::info!(
        socket = %booted.service.config.socket.display(),
        version = env!("CARGO_PKG_VERSION"),
        "Serving."
    );
    let end = tokio::select! {
        () = signals.stop() => End::Stopped,
        () = booted.service.stop.notified() => End::Stopped,
        () = booted.service.sealing.thrown() => End::Sealed,
    };
    match end {
        End::Stopped => {
            socket.close();
            tracing::info!("Draining.");
            let _ = stopping.send(true);
            let _ = server.await;
            jobs.join().await;
            jobs::snapshot::save_all(&booted.service);
            let stopped = take_down(booted, Duration::ZERO);
            stopped.map(|_| End::Stopped)
        }
        End::Sealed => {
            let started = Instant::now();
            let _ = stopping.send(true);
            let ended = async {
                let _ = server.await;
                jobs.join().await;
            };
            let ended = tokio::time::timeout(SEALING, ended).await.is_ok();
            if !ended || !take_down(booted, SEALING)? {
                // The process takes the keys with it: that cannot be put off.
                tracing::error!("Something still used the keys; the daemon ends, sealed.");
                std::process::exit(EXIT_SEALED);
            }
            let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(elapsed_ms, "Sealed: no key is in memory.");
            Ok(End::Sealed)
        }
    }
}

/// Ends the writer and closes the store in order; all that held a key is gone afterwards. Returns
/// whether it was: something that still runs may hold on to it.
fn take_down(booted: Booted, patience: Duration) -> Result<bool, WireError> {
    let Booted {
        mut service,
        threads,
        clock,
    } = booted;
    let (store, vault) = (service.store.clone(), service.vault.clone());
    let started = Instant::now();
    // The writer ends when the last one who could queue a command is gone.
    loop {
        service = match Arc::try_unwrap(service) {
            Ok(alone) => {
                drop::<Service>(alone);
                break;
            }
            Err(shared) if started.elapsed() < patience => shared,
            Err(_) => {
                tracing::warn!("Something still uses the service; the store is left unclean.");
                return Ok(false);
            }
        };
        std::thread::sleep(Duration::from_millis(2));
    }
    if !threads.join() {
        tracing::warn!("The writer did not end well; the store is left unclean.");
        return Ok(false);
    }
    if let Err(error) = store.retire_keys() {
        tracing::warn!(error = %chain(&error), "Replaced keys stay until the next start.");
    }
    let closed = store
        .note_time(clock.left().latest, clock.left().trusted)
        .and_then(|()| store.close());
    // Spare keys that outlive the process would have to be destroyed at the next start.
    if let Err(error) = vault.drop_spares() {
        tracing::warn!(error = %chain(&error), "Spare keys could not be given back.");
    }
    closed.map_err(|error| boot::failed("the store cannot be closed", &error))?;
    Ok(Arc::strong_count(&vault) == 1)
}

/// Serves nothing but the way to open the home, until it is opened or the daemon is told to stop.
pub async fn sealed(
    config: &Config,
    lock: &File,
    socket: &mut Socket,
    signals: &mut Signals,
) -> Result<Option<Booted>, WireError> {
    let listener = socket.listener()?;
    let (asks, mut asked) = mpsc::channel(1);
    let clock = Arc::new(SystemClock::starting(Left::default()).0);
    let operators = boot::operators(config, lock)?;
    let sealed = Arc::new(Sealed::new(&config.home.data, operators, clock, asks));
    let (stopping, stop) = watch::channel(false);
    let door = Door::Sealed(sealed.clone());
    let server = tokio::spawn(Server::new(door).serve(listener, stop));
    tracing::warn!(socket = %config.socket.display(), "Sealed; waiting for unseal.");
    let opened = loop {
        tokio::select! {
            () = signals.stop() => break None,
            () = sealed.stop.notified() => break None,
            Some(ask) = asked.recv() => {
                if let Some(booted) = unseal(config, lock, &sealed, ask).await {
                    break Some(booted);
                }
            }
        }
    };
    match opened {
        None => socket.close(),
        // The answer has to leave before its connection is closed.
        Some(_) => tokio::time::sleep(ANSWERING).await,
    }
    let _ = stopping.send(true);
    let _ = server.await;
    Ok(opened)
}

/// Tries to open the home, and answers whoever asked.
async fn unseal(config: &Config, lock: &File, sealed: &Sealed, ask: Unsealing) -> Option<Booted> {
    let Unsealing {
        unlock,
        peer,
        reply,
    } = ask;
    let opened = match boot::boot(config.clone(), lock, unlock) {
        Ok(booted) => match booted.service.note_unsealed(sealed, peer).await {
            Ok(()) => Ok(booted),
            Err(error) => {
                if let Err(closing) = take_down(booted, SEALING) {
                    tracing::error!(code = %closing.code, "Closing failed.");
                }
                Err(error)
            }
        },
        Err(error) => Err(error),
    };
    // Whoever asked may be gone; the home is open all the same.
    match opened {
        Ok(booted) => {
            tracing::warn!(peer_uid = peer.uid, "Unsealed.");
            let _ = reply.send(Ok(()));
            Some(booted)
        }
        Err(error) => {
            let _ = reply.send(Err(error));
            None
        }
    }
}
