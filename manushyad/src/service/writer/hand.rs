//! A writer that is worked by hand, for tests: no threads, and the process lives on.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, OnceLock};

use ed25519_dalek::SigningKey;
use manushya_core::directory::Directory;
use tokio::sync::mpsc;

use super::{
    Batch, Decide, Indexes, Keepers, LedgerFile, Notary, Published, Store, Thread, Writer,
};
use crate::config::Anchor;

/// A writer without threads: it works when it is told to, and says how the process would have ended.
pub(in crate::service) struct Hand {
    state: Thread,
    commands: mpsc::UnboundedReceiver<Decide>,
    applies: Receiver<Batch>,
    stopped: Arc<OnceLock<i32>>,
}

impl Writer {
    /// A writer that is worked by hand.
    pub(in crate::service) fn by_hand(
        store: Store,
        published: Published,
        indexes: Arc<Indexes>,
        ledger: LedgerFile,
    ) -> (Self, Hand) {
        let stopped = Arc::new(OnceLock::new());
        let end = stopped.clone();
        let ending = Box::new(move |code| {
            // The first one counts.
            let _ = end.set(code);
        });
        let signer = Box::new(|_: &Directory| Some(SigningKey::from_bytes(&[3; 32])));
        let notary = Notary::start(signer, Anchor::default(), 0).unwrap();
        let keepers = Keepers {
            notary,
            ledger,
            ending,
        };
        let (writer, state, commands, applies) = Self::assemble(store, published, indexes, keepers);
        let hand = Hand {
            state,
            commands,
            applies,
            stopped,
        };
        (writer, hand)
    }
}

impl Hand {
    /// Does all that waits, in one transaction, and answers.
    pub(in crate::service) fn turn(&mut self) {
        let waiting: Vec<Decide> = std::iter::from_fn(|| self.commands.try_recv().ok()).collect();
        self.state.batch(waiting.into_iter());
        while let Ok(batch) = self.applies.try_recv() {
            self.state.indexes.apply(&batch.writes);
            batch.answer();
        }
    }

    /// The code that the process would have ended with.
    pub(in crate::service) fn stopped(&self) -> Option<i32> {
        self.stopped.get().copied()
    }

    /// The indexes.
    pub(in crate::service) fn indexes(&self) -> &Indexes {
        &self.state.indexes
    }
}
