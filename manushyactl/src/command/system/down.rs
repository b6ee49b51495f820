//! `down`: stops the daemon and waits until it is gone.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use manushya_protocol::error::ErrorCode;
use manushya_protocol::v1::common::Done;

use super::somebody_listens;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};

/// How long a daemon may take to put everything on disk, at the least.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stops the daemon. That none runs is no error.
pub async fn run(context: &Context) -> Outcome {
    let socket = &context.settings.socket.value;
    if !somebody_listens(socket) {
        return told("not running", context);
    }
    let client = context
        .connect()
        .await?
        .with_timeout(context.patient(PATIENCE));
    match call!(client, shutdown).await {
        Ok(_) => {}
        // It may be gone before its answer is.
        Err(error) if error.code == ErrorCode::Unreachable => {}
        Err(error) => return Err(error.into()),
    }
    if context.dry_run {
        context.note_dry_run();
        return Ok(());
    }
    let started = Instant::now();
    while socket.exists() && somebody_listens(socket) {
        if started.elapsed() > context.patient(PATIENCE) {
            return Err(Stop::new(
                ErrorCode::DeadlineExceeded,
                "the daemon has not stopped yet",
            )
            .reason(format!("{} still answers", socket.display()))
            .hint("manushyactl status"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    while is_locked(&context.settings.paths.lock()) {
        if started.elapsed() > context.patient(PATIENCE) {
            return Err(Stop::new(
                ErrorCode::DeadlineExceeded,
                "the daemon has stopped serving, but not ended yet",
            )
            .reason("it still holds the home's lock")
            .hint("look at its log"));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    told("stopped", context)
}

/// Whether a daemon holds the home: only when it does not, another can start.
fn is_locked(path: &Path) -> bool {
    // A file that cannot be opened belongs to a home elsewhere, of which only the socket is known.
    let Ok(file) = File::open(path) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn told(outcome: &str, context: &Context) -> Outcome {
    let done = Done {
        id: "daemon".to_owned(),
        outcome: outcome.to_owned(),
    };
    context.ui.told(&done, || format!("{outcome}\n"))
}
