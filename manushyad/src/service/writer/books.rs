//! Bookkeeping: changes that belong to a call which has an audit entry of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};

use manushya_core::plan::Write;
use manushya_protocol::error::{ErrorCode, WireError};
use tokio::sync::oneshot;

use super::{Decide, Share, Step, Txn, Writer, stopping};

impl Writer {
    /// Carries out bookkeeping and waits until it is on disk. It makes no audit entry: it is part of a
    /// call that has one.
    ///
    /// # Errors
    ///
    /// What `decide` says, or as [`Self::submit`].
    pub async fn keep_books<F>(&self, decide: F) -> Result<(), WireError>
    where
        F: FnOnce(&Txn) -> Result<Vec<Write>, WireError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let command = books(decide, move |fate| drop(sender.send(fate)));
        // Each belongs to a call in flight, and of those there are only so many.
        self.check_disk()?;
        self.queue.send(command).map_err(|_| stopping())?;
        self.fate(receiver).await
    }

    /// The same without waiting, and given up if there is too much to do.
    pub fn keep_books_later<F>(&self, decide: F)
    where
        F: FnOnce(&Txn) -> Result<Vec<Write>, WireError> + Send + 'static,
    {
        if let Ok(place) = self.room.take(Share::Reads) {
            let command = books(decide, move |_| drop(place));
            let _ = self.queue.send(command);
        }
    }
}

/// Packs bookkeeping and the way to answer it.
fn books(
    decide: impl FnOnce(&Txn) -> Result<Vec<Write>, WireError> + Send + 'static,
    answer: impl FnOnce(Result<(), WireError>) + Send + 'static,
) -> Decide {
    Box::new(move |txn| {
        let decided = catch_unwind(AssertUnwindSafe(|| decide(txn))).unwrap_or_else(|_| {
            Err(WireError::new(
                ErrorCode::Internal,
                "the daemon failed to count this call",
            ))
        });
        let (writes, refused) = match decided {
            Ok(writes) => (writes, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        Step {
            writes,
            audit: None,
            broken: false,
            done: Box::new(move |fate| answer(fate.and(refused))),
        }
    })
}
