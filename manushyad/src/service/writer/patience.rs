//! Waiting for the disk, but not for one that hangs.

use std::pin::pin;
use std::time::Duration;

use manushya_protocol::error::{ErrorCode, WireError};
use tokio::sync::oneshot;

use super::{Witnessed, Writer, stopping};

/// How often who waits for the disk looks whether it still answers.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// What is answered when the disk does not. What was queued may still be carried out.
fn stalled(message: &str) -> WireError {
    WireError::new(ErrorCode::AuditUnavailable, message)
        .reason("the disk does not answer, so that no audit entry can be written")
        .hint("look at the disk and at the daemon's log; then look whether it was done")
}

impl Writer {
    /// Up to where the log is signed and anchored.
    pub fn witnessed(&self) -> &Witnessed {
        &self.witnessed
    }

    /// Has the head signed, if it is time for that.
    pub fn tick(&self) {
        self.keep_books_later(|_| Ok(Vec::new()));
    }

    /// Refuses what would have to wait for a disk that hangs.
    pub(super) fn check_disk(&self) -> Result<(), WireError> {
        if self.stall.is_stalled() {
            return Err(stalled("nothing was done: the store does not answer"));
        }
        Ok(())
    }

    /// Waits for something, for as long as the disk answers.
    pub(super) async fn patient<T>(
        &self,
        message: &str,
        future: impl Future<Output = T>,
    ) -> Result<T, WireError> {
        let mut future = pin!(future);
        loop {
            match tokio::time::timeout(LOOK_INTERVAL, &mut future).await {
                Ok(done) => return Ok(done),
                Err(_) if self.stall.is_stalled() => return Err(stalled(message)),
                Err(_) => {}
            }
        }
    }

    /// Waits for the fate of a command, for as long as the disk answers.
    ///
    /// # Errors
    ///
    /// The command's own, or `AUDIT_UNAVAILABLE` if the disk hangs: then it is not known whether the
    /// command is carried out.
    pub async fn fate<T>(
        &self,
        receiver: oneshot::Receiver<Result<T, WireError>>,
    ) -> Result<T, WireError> {
        let message = "it may or may not be done: the store does not answer";
        self.patient(message, receiver)
            .await?
            .map_err(|_| stopping())?
    }
}
