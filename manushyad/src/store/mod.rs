//! The store: what is on disk, and the only truth. Everything else (the index, the directory in
//! RAM) follows from it.
//!
//! This is the only folder that names redb, and no type of redb leaves it: another store can stand
//! beside it. It persists plans exactly and atomically, and decides nothing. Contents are sealed by
//! the [`Cipher`] before they meet a page. The layout stands in `docs/formats/store.md`.

mod apply;
mod backend;
#[cfg(test)]
pub(crate) mod danger;
mod erase;
mod error;
mod ledger;
mod migrate;
mod open;
mod prepared;
mod read;
mod record;
mod schema;
mod seal;
mod segment;
mod snapshot;
mod survivors;
mod taken;
mod transfer;
mod txn;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use manushya_core::directory::Directory;
use manushya_core::model::DataKeyId;
use manushya_protocol::unit::UnixMillis;
use parking_lot::Mutex;
use redb::{Database, Durability, WriteTransaction};

pub use backend::{STALL_AFTER, Stall};
pub use error::StoreError;
pub use ledger::{End as LedgerEnd, ErasedKind, ErasedRow, erased_tag, tags_hash};
pub use schema::SCHEMA;
pub use snapshot::{RawRow, Snapshot};
pub use survivors::{IsErased, OldReport, try_old};
pub use transfer::Record;
pub use txn::{Committed, Txn};
pub use verify::StoreReport;

use crate::os::Reserve;
use crate::port::Cipher;

/// The open database. Clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What was found when the store was opened.
pub struct Opened {
    /// Tenants, identities, tokens, policies and purge plans.
    pub directory: Directory,
    /// What [`Txn::set_audit_head`] was last given.
    pub audit_head: Option<Vec<u8>>,
    /// How many entries the audit log has; the next is one further.
    pub audit_len: u64,
    /// The latest time that [`Txn::set_clock`] or [`Store::note_time`] was given.
    pub latest: Option<UnixMillis>,
    /// The latest time by which was erased that [`Store::note_time`] was given.
    pub trusted: Option<UnixMillis>,
    /// Whether the last run ended with [`Store::close`].
    pub was_clean: bool,
    /// Whether the database was made by this call.
    pub created: bool,
    /// Names this home for its whole life; random.
    pub home: [u8; 16],
}

/// What all handles share.
struct Inner {
    db: Database,
    path: PathBuf,
    cipher: Arc<dyn Cipher>,
    state: Mutex<State>,
    closed: AtomicBool,
    stall: Stall,
    reserve: Reserve,
    readers: Mutex<Readers>,
}

/// Who reads which state, so that a key goes when nobody needs it any more.
#[derive(Default)]
struct Readers {
    /// Held by every snapshot since the last keys were replaced.
    now: Arc<()>,
    /// Held by the snapshots before, with the keys that only they need.
    before: Vec<(Arc<()>, Vec<DataKeyId>)>,
}

/// What the next transaction has to know of the last.
struct State {
    open: segment::OpenSegments,
    audit_len: u64,
    ledger: ledger::End,
}

impl Inner {
    fn db(&self) -> Result<&Database, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        Ok(&self.db)
    }

    /// Has data keys destroyed once nobody reads a state that needs them.
    fn retire(&self, keys: Vec<DataKeyId>) {
        if !keys.is_empty() {
            let mut readers = self.readers.lock();
            let before = std::mem::take(&mut readers.now);
            readers.before.push((before, keys));
        }
    }
}

/// How many bytes a version of a memory takes in the database.
///
/// # Errors
///
/// [`StoreError`] for one that cannot be kept.
pub fn bytes_of(memory: &manushya_core::model::Memory) -> Result<u64, StoreError> {
    taken::row_bytes(memory)
}

/// Begins a transaction whose commit is on disk when it returns. Two phases, because with one a
/// client that chooses the content of pages could make a torn commit look whole.
fn begin_durable(db: &Database) -> Result<WriteTransaction, StoreError> {
    let mut txn = db.begin_write()?;
    txn.set_durability(Durability::Immediate)?;
    txn.set_two_phase_commit(true);
    Ok(txn)
}

impl Store {
    /// Opens the database at `path`, or makes it if there is none and none is expected.
    ///
    /// `expect_existing` says that there must be one, because other files of the home say so; that
    /// `cipher` has data keys says so too. After an unclean stop the whole file is checked, which
    /// takes about 0.7 s a GB; a small file is always checked. What an erasure left to do is done.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`], [`StoreError::Missing`], [`StoreError::NoGenesis`],
    /// [`StoreError::NewerSchema`], [`StoreError::Corrupted`], or what the disk and `cipher` say.
    pub fn open(
        path: &Path,
        cipher: Arc<dyn Cipher>,
        expect_existing: bool,
    ) -> Result<(Self, Opened), StoreError> {
        Self::open_with(path, cipher, expect_existing, Reserve::default())
    }

    /// The same, with room that is kept for when the disk is full.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_with(
        path: &Path,
        cipher: Arc<dyn Cipher>,
        expect_existing: bool,
        reserve: Reserve,
    ) -> Result<(Self, Opened), StoreError> {
        open::open(path, cipher, expect_existing, reserve)
    }

    /// The room that is kept for when the disk is full.
    pub fn reserve(&self) -> Reserve {
        self.inner.reserve.clone()
    }

    /// Tells whether the disk answers.
    pub fn stall(&self) -> Stall {
        self.inner.stall.clone()
    }

    /// Begins the write transaction; waits while there is another. `directory` is the one that
    /// [`Opened`] or the last [`Committed`] gave.
    ///
    /// # Errors
    ///
    /// [`StoreError::Closed`], or [`StoreError::Io`] if an earlier commit failed.
    pub fn begin(&self, directory: Directory) -> Result<Txn, StoreError> {
        Txn::new(self.inner.clone(), directory)
    }

    /// Destroys the data keys that a commit doomed. When this returns, nothing sealed under them
    /// can be read from any file. Repeating it does no harm; opening the store does what was left.
    ///
    /// # Errors
    ///
    /// [`StoreError::Cipher`] if the keystore cannot be written: then repeat it.
    pub fn shred(&self, doomed: &[DataKeyId]) -> Result<(), StoreError> {
        // What is erased may lie under a key that was replaced, in old pages.
        let waiting = std::mem::take(&mut self.inner.readers.lock().before);
        let replaced = waiting.iter().flat_map(|(_, keys)| keys.iter().copied());
        let keys: Vec<DataKeyId> = doomed.iter().copied().chain(replaced).collect();
        erase::shred(self.inner.db()?, &*self.inner.cipher, &keys)
    }

    /// Destroys the data keys that were replaced and that nobody reads with any more; returns how
    /// many others wait. Opening the store does what was left.
    ///
    /// # Errors
    ///
    /// As [`Self::shred`].
    pub fn retire_keys(&self) -> Result<u64, StoreError> {
        let (gone, left) = {
            let mut readers = self.inner.readers.lock();
            let all = std::mem::take(&mut readers.before);
            let unread = |(reader, _): &(Arc<()>, _)| Arc::strong_count(reader) == 1;
            let (gone, left): (Vec<_>, Vec<_>) = all.into_iter().partition(unread);
            let count = left.iter().map(|(_, keys)| keys.len() as u64).sum();
            readers.before = left;
            (gone, count)
        };
        let keys: Vec<DataKeyId> = gone.into_iter().flat_map(|(_, keys)| keys).collect();
        erase::shred(self.inner.db()?, &*self.inner.cipher, &keys)?;
        Ok(left)
    }

    /// A consistent view of what is committed, beside the writer. It keeps the pages it sees from
    /// being reused, so it should not be held for long.
    ///
    /// # Errors
    ///
    /// [`StoreError::Closed`], or what the disk says.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        // Taken first: a key that is replaced in between waits for this reader for nothing.
        let reader = self.inner.readers.lock().now.clone();
        Snapshot::new(self.inner.db()?, self.inner.cipher.clone(), reader)
    }

    /// Checks that every row opens and that all tables agree. It reads the whole store once and
    /// keeps a few bytes a memory.
    ///
    /// # Errors
    ///
    /// What the disk says. What is wrong with the content is a finding of the report.
    pub fn verify(&self) -> Result<StoreReport, StoreError> {
        let snapshot = self.snapshot()?;
        open::shielded(|| verify::verify(&snapshot, self.file_bytes()?))
    }

    /// The size of the file, in bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the file cannot be looked at.
    pub fn file_bytes(&self) -> Result<u64, StoreError> {
        let metadata = std::fs::metadata(&self.inner.path).map_err(StoreError::from_io)?;
        Ok(metadata.len())
    }

    /// Remembers that `latest` was shown and `trusted` was erased by, where they are the latest so far.
    /// Waits while there is a transaction.
    ///
    /// # Errors
    ///
    /// What the disk says; then the store has to be opened anew.
    pub fn note_time(
        &self,
        latest: Option<UnixMillis>,
        trusted: Option<UnixMillis>,
    ) -> Result<(), StoreError> {
        open::note_time(self.inner.db()?, latest, trusted)
    }

    /// Ends the run cleanly: the next start need not check a large file. Other clones of the store
    /// can begin nothing any more.
    ///
    /// # Errors
    ///
    /// What the disk says; then the next start takes this for an unclean stop, which does no harm.
    pub fn close(self) -> Result<(), StoreError> {
        open::mark_clean(self.inner.db()?)?;
        self.inner.closed.store(true, Ordering::Release);
        match Arc::into_inner(self.inner) {
            Some(inner) => Ok(inner.db.close()?),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
