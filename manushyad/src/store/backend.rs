//! The file below the database, watched: how long an operation of the disk has been under way.
//!
//! A disk that fails says so; one that hangs says nothing, and whoever waits for it would wait as
//! long. What waits for the store asks [`Stall::is_stalled`] and gives up in time.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

use crate::os::{Reserve, is_full};

/// How long the disk may take for one operation before those who wait are answered.
pub const STALL_AFTER: Duration = Duration::from_millis(1900);

/// Tells whether the disk answers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stall {
    origin: Instant,
    after: Duration,
    /// Milliseconds from `origin` to the start of what is under way, plus one; 0 if nothing is.
    since: Arc<AtomicU64>,
}

impl Default for Stall {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            after: STALL_AFTER,
            since: Arc::default(),
        }
    }
}

impl Stall {
    /// One that is less patient.
    #[cfg(test)]
    pub(crate) fn after(after: Duration) -> Self {
        Self {
            after,
            ..Self::default()
        }
    }

    /// Whether a write or sync has been under way for longer than [`STALL_AFTER`].
    pub fn is_stalled(&self) -> bool {
        match self.since.load(Ordering::Relaxed) {
            0 => false,
            since => {
                let after = u64::try_from(self.after.as_millis()).unwrap_or(u64::MAX);
                self.now().saturating_sub(since) > after
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// Only the one writer writes, so that one place holds what is under way.
    fn during<T>(&self, operation: impl FnOnce() -> T) -> T {
        self.since.store(self.now(), Ordering::Relaxed);
        let done = operation();
        self.since.store(0, Ordering::Relaxed);
        done
    }
}

/// A backend whose writes are watched.
#[derive(Debug)]
pub(super) struct Watched<B> {
    inner: B,
    stall: Stall,
    /// Room for when there is none.
    reserve: Reserve,
}

impl Watched<FileBackend> {
    /// Watches a file.
    pub(super) fn file(file: File, stall: Stall, reserve: Reserve) -> Result<Self, DatabaseError> {
        let inner = FileBackend::new(file)?;
        Ok(Self {
            inner,
            stall,
            reserve,
        })
    }
}

impl<B: StorageBackend> Watched<B> {
    /// Watches any backend.
    #[cfg(test)]
    pub(super) fn new(inner: B, stall: Stall) -> Self {
        Self {
            inner,
            stall,
            reserve: Reserve::default(),
        }
    }

    /// Does what may need more room: once more with the room that is kept, if there is none. After a
    /// failure the database could not go on.
    fn with_room(&self, operation: impl Fn() -> io::Result<()>) -> io::Result<()> {
        self.stall.during(|| match operation() {
            Err(error) if is_full(&error) && self.reserve.give() => operation(),
            done => done,
        })
    }
}

impl<B: StorageBackend> StorageBackend for Watched<B> {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with_room(|| self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.stall.during(|| self.inner.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with_room(|| self.inner.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
