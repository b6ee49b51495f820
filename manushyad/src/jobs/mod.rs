//! What the daemon does by the clock: sweeping what is due, tending the index, saving it, embedding
//! what waits for it.

pub mod clock;
mod reserve;
pub mod snapshot;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle as Task;

use crate::os::SystemClock;
use crate::service::notary::INTERVAL;
use crate::service::{Service, Step, stopped};

/// How often the index is tended when there is nothing to do.
const TEND_INTERVAL: Duration = Duration::from_millis(200);

/// How often the audit log is looked at for entries that wait to be signed.
const SIGN_LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// The running jobs.
pub struct Jobs {
    sweeper: Task<()>,
    signer: Task<()>,
    watch: Task<()>,
    reserve: Task<()>,
    gardener: JoinHandle<()>,
    embedder: JoinHandle<()>,
}

impl Jobs {
    /// Waits until the jobs have noticed that they shall stop.
    pub async fn join(self) {
        let _ = self.sweeper.await;
        let _ = self.signer.await;
        let _ = self.watch.await;
        let _ = self.reserve.await;
        for thread in [self.gardener, self.embedder] {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// Starts the jobs; they end when `stop` turns true.
///
/// # Errors
///
/// If the system gives no thread.
pub fn start(
    service: &Arc<Service>,
    clock: &Arc<SystemClock>,
    stop: &watch::Receiver<bool>,
) -> io::Result<Jobs> {
    let watch = tokio::spawn(clock::watch(service.clone(), clock.clone(), stop.clone()));
    let sweeper = tokio::spawn(sweep(service.clone(), stop.clone()));
    let thread = |name: &str, work: fn(&Service, &watch::Receiver<bool>)| {
        let (service, stop) = (service.clone(), stop.clone());
        let builder = std::thread::Builder::new().name(name.to_owned());
        builder.spawn(move || work(&service, &stop))
    };
    Ok(Jobs {
        sweeper,
        signer: tokio::spawn(sign(service.clone(), stop.clone())),
        watch,
        reserve: tokio::spawn(reserve::watch(service.clone(), stop.clone())),
        gardener: thread("gardener", tend)?,
        embedder: thread("embedder", embed)?,
    })
}

/// Has the head of the audit log signed when it has had new entries for long enough, also if nobody
/// writes any more.
async fn sign(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut since: Option<Instant> = None;
    let mut interval = tokio::time::interval(SIGN_LOOK_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = stopped(&mut stop) => return,
        }
        let size = service.writer.published().head.size();
        if size <= service.writer.witnessed().signed() {
            since = None;
        } else if since.get_or_insert_with(Instant::now).elapsed() >= INTERVAL {
            since = None;
            service.writer.tick();
        }
    }
}

/// Erases what is due, by the clock.
async fn sweep(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(service.config.sweep_interval);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {
                let turns = &service.work.sweep;
                turns.begin();
                let swept = service.sweep().await;
                turns.end(service.ports.clock.now(), swept.as_ref().ok().copied());
                match swept {
                    Ok(0) => prune(&service).await,
                    Ok(memories) => tracing::info!(memories, "Swept what was due."),
                    Err(error) => tracing::error!(code = %error.code, "Sweeping failed."),
                }
            }
            () = stopped(&mut stop) => return,
        }
    }
}

/// Removes keys that have nothing left to verify or to open.
async fn prune(service: &Service) {
    service.exports.forget_idle();
    if let Err(error) = service.retire_keys() {
        tracing::error!(code = %error.code, "Replaced keys could not be destroyed.");
    }
    match service.prune_jwt_keys(service.ports.clock.now()).await {
        Ok(gone) if gone.is_empty() => {}
        Ok(gone) => tracing::info!(keys = gone.len(), "Removed keys whose tokens have ended."),
        Err(error) => tracing::error!(code = %error.code, "Old keys could not be removed."),
    }
}

/// Moves vectors into the graphs and saves them, beside everything else.
fn tend(service: &Service, stop: &watch::Receiver<bool>) {
    // On Linux this is the priority of the calling thread alone: building a graph takes what others
    // leave. Without it, it is only less polite.
    let _ = rustix::process::nice(15);
    let mut saved = Instant::now();
    while !*stop.borrow() {
        let busy = service.indexes.tend();
        if saved.elapsed() >= service.config.snapshot_interval {
            snapshot::save_all(service);
            saved = Instant::now();
        }
        if !busy {
            std::thread::sleep(TEND_INTERVAL);
        }
    }
}

/// Embeds what waits for it, beside everything else.
fn embed(service: &Service, stop: &watch::Receiver<bool>) {
    // The thread that asks; what a model computes, it computes as politely.
    let _ = rustix::process::nice(5);
    while !*stop.borrow() {
        if let Step::Rest(pause) = service.embed_some(stop) {
            std::thread::sleep(pause);
        }
    }
}
