//! What becomes of those who wait, and of the daemon, when the store fails.

use std::sync::atomic::Ordering;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::AuditSeq;

use super::super::ledger::LedgerFile;
use super::super::notary::Notary;
use super::{Done, Thread, chain};
use crate::store::StoreError;

/// How the daemon ends when the disk fails: `EX_TEMPFAIL`, so that a supervisor starts it again.
const EXIT_DISK: i32 = 75;

/// What is known of commands when the store fails.
#[derive(Clone, Copy)]
pub(super) enum Doubt {
    /// Their transaction was dropped.
    NothingDone,
    /// Their transaction failed on its way to the disk.
    MayBeDone,
}

/// Ends the process with a code.
pub type Ending = Box<dyn Fn(i32) + Send>;

/// Ends the daemon's process.
pub fn end_process(code: i32) {
    // Replies need a moment to leave.
    std::thread::sleep(std::time::Duration::from_millis(200));
    std::process::exit(code);
}

/// What else happens to what the writer commits.
pub struct Keepers {
    /// Signs the head of the log from time to time.
    pub notary: Notary,
    /// Has erasures outside the data folder.
    pub ledger: LedgerFile,
    /// Ends the process after the disk failed.
    pub ending: Ending,
}

impl Thread {
    /// Signs the head the log is left with.
    pub(super) fn sign_last(&mut self) {
        let published = self.published.load_full();
        let Some(note) = self.notary.last(&published.head, &published.directory) else {
            return;
        };
        let size = published.head.size();
        let begun = self.store.begin(published.directory.clone());
        let stored = begun.and_then(|mut txn| {
            txn.put_checkpoint(size, &note)?;
            txn.commit()
        });
        match stored {
            Ok(_) => self.notary.stored(size, note),
            Err(error) => tracing::error!(error = %chain(&error), "The head was not signed."),
        }
    }

    /// Answers everyone, and stops: after a failed sync, what is on disk is not known until it is
    /// opened again.
    pub(super) fn give_up(&self, answers: Vec<(Done, AuditSeq)>, error: &StoreError, doubt: Doubt) {
        tracing::error!(error = %chain(error), "The store failed; the daemon stops.");
        self.failed.store(true, Ordering::Relaxed);
        for (done, _) in answers {
            let code = if matches!(error, StoreError::Full(_)) {
                ErrorCode::ResourceExhausted
            } else {
                ErrorCode::AuditUnavailable
            };
            let message = match doubt {
                Doubt::NothingDone => "nothing was done: the store cannot be written",
                Doubt::MayBeDone => "it may or may not be done: the store failed while writing",
            };
            done(Err(WireError::new(code, message)
                .reason(error.to_string())
                .hint(
                    "look at disk space and at the daemon's log, then: manushyactl up",
                )));
        }
        (self.end)(EXIT_DISK);
    }
}
