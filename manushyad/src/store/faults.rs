//! A database in RAM whose disk fails when it is told to.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use redb::StorageBackend;

use super::tests::TestCipher;
use super::{Opened, Stall, Store, StoreError, open};

/// How an operation of the disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It says that it failed.
    Error,
    /// It says that there is no room.
    Full,
    /// It writes a part and says that it failed.
    Short,
    /// It does not come back until it is let go.
    Hang,
}

/// A disk: what it holds, and what it will do wrong.
#[derive(Clone)]
pub(crate) struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    fault: Fault,
    /// How many writing operations succeed before the fault; from then on all fail.
    left: Arc<AtomicU64>,
    held: Arc<(Mutex<bool>, Condvar)>,
    stall: Stall,
    cipher: Arc<TestCipher>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk(..)")
    }
}

impl Disk {
    /// An empty disk without a fault so far, whose hanging is noticed after `patience`.
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            bytes: Arc::default(),
            fault: Fault::Error,
            left: Arc::new(AtomicU64::new(u64::MAX)),
            held: Arc::new((Mutex::new(true), Condvar::new())),
            stall: Stall::after(patience),
            cipher: Arc::default(),
        }
    }

    /// Opens the store on it.
    pub(crate) fn open(&self) -> Result<(Store, Opened), StoreError> {
        open::open_on(self.clone(), self.cipher.clone(), self.stall.clone())
    }

    /// The same disk with a fault after `good` more operations that write.
    pub(crate) fn failing(&self, fault: Fault, good: u64) -> Self {
        let failing = Self {
            fault,
            left: Arc::new(AtomicU64::new(good)),
            held: Arc::new((Mutex::new(true), Condvar::new())),
            ..self.clone()
        };
        failing.copied()
    }

    /// What it holds at this moment, on a disk without faults.
    pub(crate) fn image(&self) -> Self {
        let image = Self::new(Duration::from_secs(60));
        Self {
            cipher: Arc::new(self.cipher.copy()),
            ..image
        }
        .with(self.bytes.lock().clone())
    }

    fn copied(self) -> Self {
        let bytes = self.bytes.lock().clone();
        let cipher = Arc::new(self.cipher.copy());
        Self { cipher, ..self }.with(bytes)
    }

    fn with(self, bytes: Vec<u8>) -> Self {
        Self {
            bytes: Arc::new(Mutex::new(bytes)),
            ..self
        }
    }

    /// Has the fault come after `good` more operations.
    pub(crate) fn arm(&self, good: u64) {
        self.left.store(good, Ordering::Relaxed);
    }

    /// Whether the fault was met.
    pub(crate) fn has_failed(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// Lets go what hangs; it fails then.
    pub(crate) fn let_go(&self) {
        *self.held.0.lock() = false;
        self.held.1.notify_all();
    }

    fn spend(&self) -> io::Result<()> {
        let spent = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        if spent.is_ok() {
            return Ok(());
        }
        match self.fault {
            Fault::Full => Err(io::ErrorKind::StorageFull.into()),
            Fault::Error | Fault::Short => Err(io::Error::other("the disk failed")),
            Fault::Hang => {
                let mut held = self.held.0.lock();
                while *held {
                    self.held.1.wait(&mut held);
                }
                Err(io::Error::other("the disk failed"))
            }
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = self.bytes.lock();
        let part = bytes
            .get(at..at + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.spend()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.bytes.lock().resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.spend()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let failed = self.spend();
        let most = match (&failed, self.fault) {
            (Ok(()), _) => data.len(),
            (Err(_), Fault::Short) => data.len() / 2,
            _ => 0,
        };
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let mut bytes = self.bytes.lock();
        bytes
            .get_mut(at..at + most)
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(&data[..most]);
        failed
    }
}
