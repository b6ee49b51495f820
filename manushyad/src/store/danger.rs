//! A disk in RAM that fails on purpose, and a store on it. Only tests are built with this.

use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};
use redb::StorageBackend;

use super::backend::{Stall, Watched};
use super::error::StoreError;
use super::open;
use super::{Opened, Store, StoreReport, verify};
use crate::port::Cipher;

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Any operation: the device does not answer.
    Eio,
    /// What takes room.
    Enospc,
    /// A read or write stops half way.
    Short,
    /// A sync. What was to be synced is on the disk or not, page by page, and the system forgets
    /// that it was ever to be written.
    Sync,
    /// What changes anything does not come back until the disk is mended, and fails then.
    Hang,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] = [Self::Eio, Self::Enospc, Self::Short, Self::Sync];

    fn hits(self, operation: Operation) -> bool {
        match self {
            Self::Eio => true,
            Self::Enospc => matches!(operation, Operation::Write | Operation::SetLen),
            Self::Short => matches!(operation, Operation::Write | Operation::Read),
            Self::Sync => operation == Operation::Sync,
            Self::Hang => operation != Operation::Read,
        }
    }

    fn error(self) -> io::Error {
        match self {
            Self::Eio | Self::Sync | Self::Hang => io::Error::from_raw_os_error(5),
            Self::Enospc => io::Error::from_raw_os_error(28),
            Self::Short => io::ErrorKind::WriteZero.into(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Read,
    Write,
    SetLen,
    Sync,
}

/// A change that is not synced yet.
#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Length(length) => to.resize(*length, 0),
            Self::Write(at, bytes) => {
                let end = at + bytes.len();
                // A write behind the end that lost the growth before it grows the file, as a real
                // one does.
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// What reads see.
    live: Vec<u8>,
    /// What survives a loss of power for certain.
    durable: Vec<u8>,
    pending: Vec<Change>,
    operations: u64,
    syncs: u64,
    fault: Option<(u64, Fault, bool)>,
    /// At how many more syncs power is lost; 0 for never.
    power: u64,
    hits: u64,
    random: u64,
}

impl State {
    /// The next of a fixed sequence of numbers (SplitMix64).
    fn number(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Counts an operation; the fault that hits it, if one does.
    fn begin(&mut self, operation: Operation) -> Option<Fault> {
        self.operations += 1;
        if operation == Operation::Sync && self.power > 0 {
            self.power -= 1;
            if self.power == 0 {
                self.fault = Some((0, Fault::Eio, true));
            }
        }
        let (from, fault, lasting) = self.fault?;
        if self.operations < from || !fault.hits(operation) {
            return None;
        }
        if !lasting {
            self.fault = None;
        }
        self.hits += 1;
        Some(fault)
    }

    /// Puts a random part of what is pending on the disk, and the beginning of a last write.
    fn settle(&mut self, disk: &mut Vec<u8>, forget: bool) {
        let pending = std::mem::take(&mut self.pending);
        for change in &pending {
            match (self.number() % 4, change) {
                (0, _) => {}
                // Sectors of 512 bytes are written whole, a page of several is not.
                (1, Change::Write(at, bytes)) if bytes.len() > 512 => {
                    let part = 512 * (self.number() as usize % (bytes.len() / 512));
                    Change::Write(*at, bytes[..part].to_vec()).apply(disk);
                }
                (_, change) => change.apply(disk),
            }
        }
        if !forget {
            self.pending = pending;
        }
    }
}

/// A disk in RAM. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<(Mutex<State>, Condvar)>);

impl Disk {
    /// A disk that holds `bytes`, and settles what power loss leaves open by `seed`.
    pub(crate) fn holding(bytes: Vec<u8>, seed: u64) -> Self {
        let state = Mutex::new(State {
            live: bytes.clone(),
            durable: bytes,
            random: seed,
            ..State::default()
        });
        Self(Arc::new((state, Condvar::new())))
    }

    /// Fails from the `operation`th operation on, counted from now: the first that the fault can
    /// hit, or every one.
    pub(crate) fn fail(&self, operation: u64, fault: Fault, lasting: bool) {
        let mut state = self.state();
        let from = state.operations + operation;
        state.fault = Some((from, fault, lasting));
    }

    /// Loses power at the `nth` sync from now: nothing works from there on.
    pub(crate) fn lose_power_at_sync(&self, nth: u64) {
        self.state().power = nth;
    }

    /// Works again.
    pub(crate) fn mend(&self) {
        self.state().fault = None;
        self.0.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock()
    }

    /// Begins an operation; the fault that hits it, once it no longer hangs.
    fn begin(&self, operation: Operation) -> (MutexGuard<'_, State>, Option<Fault>) {
        let mut state = self.state();
        let fault = state.begin(operation);
        if fault == Some(Fault::Hang) {
            while matches!(state.fault, Some((_, Fault::Hang, _))) {
                self.0.1.wait(&mut state);
            }
        }
        (state, fault)
    }

    /// How many operations failed.
    pub(crate) fn hits(&self) -> u64 {
        self.state().hits
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// What a loss of power at this moment leaves: all that was synced, and any part of the rest.
    pub(crate) fn after_power_loss(&self) -> Vec<u8> {
        let mut state = self.state();
        let mut disk = state.durable.clone();
        state.settle(&mut disk, false);
        disk
    }

    /// What a kill of the process leaves: the system still writes everything.
    pub(crate) fn after_kill(&self) -> Vec<u8> {
        self.state().live.clone()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (state, fault) = self.begin(Operation::Read);
        if let Some(fault) = fault {
            return Err(fault.error());
        }
        let at = offset as usize;
        match state.live.get(at..at + out.len()) {
            Some(bytes) => {
                out.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let (mut state, fault) = self.begin(Operation::SetLen);
        if let Some(fault) = fault {
            return Err(fault.error());
        }
        let change = Change::Length(len as usize);
        change.apply(&mut state.live);
        state.pending.push(change);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut state, fault) = self.begin(Operation::Sync);
        if let Some(fault) = fault {
            if fault == Fault::Sync {
                let mut disk = std::mem::take(&mut state.durable);
                state.settle(&mut disk, true);
                state.durable = disk;
            }
            return Err(fault.error());
        }
        let mut disk = std::mem::take(&mut state.durable);
        for change in std::mem::take(&mut state.pending) {
            change.apply(&mut disk);
        }
        state.durable = disk;
        state.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut state, fault) = self.begin(Operation::Write);
        let (bytes, outcome) = match fault {
            None => (data, Ok(())),
            Some(fault @ Fault::Short) => (&data[..data.len() / 2], Err(fault.error())),
            Some(fault) => return Err(fault.error()),
        };
        let change = Change::Write(offset as usize, bytes.to_vec());
        change.apply(&mut state.live);
        state.pending.push(change);
        outcome
    }
}

impl Store {
    /// Like [`Store::verify`], where there is no file to measure.
    pub(crate) fn verify_content(&self) -> Result<StoreReport, StoreError> {
        let snapshot = self.snapshot()?;
        open::shielded(|| verify::verify(&snapshot, 0))
    }

    /// A store on a disk that fails on purpose, made if the disk is empty. It is opened as one on a
    /// file is, with the whole file checked.
    pub(crate) fn danger_fault_injection(
        disk: &Disk,
        cipher: Arc<dyn Cipher>,
    ) -> Result<(Self, Opened), StoreError> {
        Self::danger_watched(disk, cipher, Stall::default())
    }

    /// The same with a watch over the disk that is as patient as is said.
    pub(crate) fn danger_watched(
        disk: &Disk,
        cipher: Arc<dyn Cipher>,
        stall: Stall,
    ) -> Result<(Self, Opened), StoreError> {
        open::shielded(|| {
            let created = disk.state().live.is_empty();
            let mut builder = open::builder();
            builder.set_check_integrity_on_open(!created);
            let db = builder.create_with_backend(Watched::new(disk.clone(), stall.clone()))?;
            if created {
                open::write_genesis(&db, None)?;
            }
            open::take_over(
                db,
                Path::new("danger"),
                cipher,
                (created, true),
                (stall, Default::default()),
            )
        })
    }
}
