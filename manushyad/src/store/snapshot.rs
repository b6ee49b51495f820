//! Reading beside the writer.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use manushya_core::model::{DataKeyId, Memory, MemoryKey};
use manushya_core::plan::KeyUse;
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};
use parking_lot::Mutex;
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata,
};

use super::apply::blind_key;
use super::error::StoreError;
use super::ledger::{self, ErasedRow};
use super::read;
use super::record::MemoryAt;
use super::schema::{
    AUDIT, Bytes, CHECKPOINTS, Class, DELETED, DUE, ERASED, Fixed, HELD, HISTORY, KEYS, MEMORIES,
    OWNERS, SEGMENTS, memory_key, prefixed,
};
use super::seal::{memory_header, open_memory};
use super::segment::segment_id;
use crate::port::Cipher;

/// How many rows go from the reading thread to the opening ones at once.
const BATCH_ROWS: usize = 64;

/// A consistent view of one committed state. It can be shared between threads.
pub struct Snapshot {
    pub(super) txn: ReadTransaction,
    pub(super) memories: ReadOnlyTable<Fixed<32>, Bytes>,
    pub(super) cipher: Arc<dyn Cipher>,
    /// While it is held, no key goes that this state needs and that was only replaced.
    _reader: Arc<()>,
}

/// A memory as stored: still sealed, and cheap to hand to another thread.
pub struct RawRow {
    at: MemoryAt,
    bytes: Vec<u8>,
}

impl RawRow {
    /// Opens the row.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupted`] if it is not what was stored, [`StoreError::Cipher`] without its
    /// key.
    pub fn open(&self, cipher: &dyn Cipher) -> Result<Memory, StoreError> {
        open_memory(cipher, self.at, &self.bytes)
    }

    /// The memory's id.
    pub fn id(&self) -> MemoryId {
        self.at.id
    }

    /// The memory's tenant.
    pub fn tenant(&self) -> TenantId {
        self.at.tenant
    }
}

type Batches = Mutex<Option<Receiver<Vec<RawRow>>>>;

/// Drops the receiving end when a thread ends, also by a panic of what it called: otherwise the
/// reading thread would wait for ever for somebody to take its batches.
struct HangUp<'a>(&'a Batches);

impl Drop for HangUp<'_> {
    fn drop(&mut self) {
        self.0.lock().take();
    }
}

impl Snapshot {
    pub(super) fn new(
        db: &Database,
        cipher: Arc<dyn Cipher>,
        reader: Arc<()>,
    ) -> Result<Self, StoreError> {
        let txn = db.begin_read()?;
        let memories = txn.open_table(MEMORIES)?;
        Ok(Self {
            txn,
            memories,
            cipher,
            _reader: reader,
        })
    }

    /// The data keys below `below` that are in use, at most `limit` of them by whose they are, and how
    /// many there are.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if a row cannot be read.
    pub fn keys_below(
        &self,
        below: DataKeyId,
        limit: usize,
    ) -> Result<(Vec<KeyUse>, u64), StoreError> {
        let (mut found, mut count) = (Vec::new(), 0);
        let table = self.txn.open_table(SEGMENTS)?;
        for row in table.iter()? {
            let id = segment_id(row?.0.value())?;
            if id.key >= below {
                continue;
            }
            count += 1;
            if found.len() < limit {
                found.push(KeyUse {
                    tenant: id.owner.tenant,
                    subject: id.owner.subject,
                    memories: id.owner.class == Class::Memory,
                    key: id.key,
                });
            }
        }
        Ok((found, count))
    }

    /// The current version of a memory, deleted and expired ones included.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the row cannot be read or does not open.
    pub fn memory(&self, tenant: TenantId, id: MemoryId) -> Result<Option<Memory>, StoreError> {
        read::memory(&self.memories, &*self.cipher, MemoryAt { tenant, id })
    }

    /// One version of a memory, the current one or an earlier.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the row cannot be read or does not open.
    pub fn memory_version(
        &self,
        tenant: TenantId,
        id: MemoryId,
        version: u32,
    ) -> Result<Option<Memory>, StoreError> {
        let at = MemoryAt { tenant, id };
        let Some(row) = self.memories.get(&memory_key(tenant, id))? else {
            return Ok(None);
        };
        if memory_header(at, row.value())?.version == version {
            return open_memory(&*self.cipher, at, row.value()).map(Some);
        }
        let history = self.txn.open_table(HISTORY)?;
        read::earlier_version(&history, &*self.cipher, at, version)
    }

    /// All versions of a memory, the current one first, then back to the first; empty if it does
    /// not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the rows cannot be read.
    pub fn versions(&self, tenant: TenantId, id: MemoryId) -> Result<Vec<u32>, StoreError> {
        let at = MemoryAt { tenant, id };
        let Some(row) = self.memories.get(&memory_key(tenant, id))? else {
            return Ok(Vec::new());
        };
        let mut versions = vec![memory_header(at, row.value())?.version];
        let history = self.txn.open_table(HISTORY)?;
        versions.extend(read::earlier_versions(&history, at)?);
        Ok(versions)
    }

    /// The memory of `owner` that has `key`, deleted and expired ones included.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the row cannot be read.
    pub fn memory_by_key(
        &self,
        tenant: TenantId,
        owner: IdentityId,
        key: &MemoryKey,
    ) -> Result<Option<MemoryId>, StoreError> {
        let tag = blind_key(&*self.cipher, tenant, owner, key.as_str());
        read::memory_by_tag(&self.txn.open_table(KEYS)?, tenant, tag)
    }

    /// Every memory of `owner` with its version, in the order of their ids, deleted and expired
    /// ones included.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the rows cannot be read.
    pub fn memories_of(
        &self,
        tenant: TenantId,
        owner: IdentityId,
    ) -> Result<Vec<(MemoryId, u32)>, StoreError> {
        read::memories_of(&self.txn.open_table(OWNERS)?, tenant, owner)
    }

    /// At most `limit` memories of `tenant` that are due by `now`, with their versions, the longest
    /// due first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the rows cannot be read.
    pub fn due(
        &self,
        tenant: TenantId,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<(MemoryId, u32)>, StoreError> {
        let due = self.txn.open_table(DUE)?;
        read::due(&due, &self.memories, tenant, now, limit)
    }

    /// The memories of `tenant` that are deleted and can be restored, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the rows cannot be read.
    pub fn deleted(&self, tenant: TenantId) -> Result<Vec<MemoryId>, StoreError> {
        read::of_tenant(&self.txn.open_table(DELETED)?, tenant)
    }

    /// The memories of `tenant` that are held back until they are reviewed, deleted ones included, in
    /// the order of their ids.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the rows cannot be read.
    pub fn held(&self, tenant: TenantId) -> Result<Vec<MemoryId>, StoreError> {
        read::of_tenant(&self.txn.open_table(HELD)?, tenant)
    }

    /// The audit entries from `from` on, at most `entries_max`, and no more than `bytes_max` bytes
    /// of them unless the first alone is longer.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the rows cannot be read.
    pub fn audit(
        &self,
        from: AuditSeq,
        bytes_max: usize,
        entries_max: usize,
    ) -> Result<Vec<(AuditSeq, Vec<u8>)>, StoreError> {
        let table = self.txn.open_table(AUDIT)?;
        let entries = read::audit(&table, from.0, bytes_max, entries_max)?;
        Ok(entries
            .into_iter()
            .map(|(seq, bytes)| (AuditSeq(seq), bytes))
            .collect())
    }

    /// One audit entry.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the row cannot be read.
    pub fn audit_one(&self, seq: AuditSeq) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self.txn.open_table(AUDIT)?;
        let row = table.get(&seq.0.to_be_bytes())?;
        Ok(row.map(|entry| entry.value().to_vec()))
    }

    /// How many entries the audit log has.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the row cannot be read.
    pub fn audit_len(&self) -> Result<u64, StoreError> {
        read::audit_len(&self.txn.open_table(AUDIT)?)
    }

    /// Signed checkpoints of more than `after` entries, with how many, the smallest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if a row cannot be read.
    pub fn checkpoints(&self, after: u64, most: usize) -> Result<Vec<(u64, String)>, StoreError> {
        let table = self.txn.open_table(CHECKPOINTS)?;
        let from = after.saturating_add(1).to_be_bytes();
        let rows = table.range::<&[u8; 8]>(&from..)?.take(most);
        rows.map(|row| {
            let (size, note) = row?;
            // What is not UTF-8 is no checkpoint either: who verifies it says so.
            let note = String::from_utf8_lossy(note.value()).into_owned();
            Ok((u64::from_be_bytes(*size.value()), note))
        })
        .collect()
    }

    /// How many checkpoints there are, and of how many entries the newest is.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if a row cannot be read.
    pub fn last_checkpoint(&self) -> Result<(u64, u64), StoreError> {
        let table = self.txn.open_table(CHECKPOINTS)?;
        let last = table.last()?;
        let size = last.map_or(0, |(size, _)| u64::from_be_bytes(*size.value()));
        Ok((table.len()?, size))
    }

    /// At most `limit` rows of the erasure ledger from place `from` on.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the rows cannot be read.
    pub fn erased(&self, from: u64, limit: usize) -> Result<Vec<ErasedRow>, StoreError> {
        ledger::rows(&self.txn.open_table(ERASED)?, from, limit)
    }

    /// Where the erasure ledger ends.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the last row cannot be read.
    pub fn erased_end(&self) -> Result<ledger::End, StoreError> {
        ledger::end(&self.txn.open_table(ERASED)?)
    }

    /// How many memories there are on the whole host, deleted and expired ones included.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the table cannot be read.
    pub fn memory_count(&self) -> Result<u64, StoreError> {
        Ok(self.memories.len()?)
    }

    /// The current versions of the memories of one tenant, or of all, in the order of tenant and
    /// id.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the rows cannot be read.
    pub fn memory_rows(
        &self,
        tenant: Option<TenantId>,
    ) -> Result<impl Iterator<Item = Result<RawRow, StoreError>> + use<>, StoreError> {
        let range = match tenant {
            Some(tenant) => prefixed::<32>(&tenant.to_bytes()),
            None => prefixed::<32>(&[]),
        };
        let rows = self
            .memories
            .range::<&[u8; 32]>(range.start()..=range.end())?;
        Ok(rows.map(|row| {
            let (key, bytes) = row?;
            Ok(RawRow {
                at: MemoryAt::of_key(key.value()),
                bytes: bytes.value().to_vec(),
            })
        }))
    }

    /// Opens the memories of one tenant, or of all, on `threads` threads, and gives each to
    /// `visit`, in no order.
    ///
    /// # Errors
    ///
    /// The first error ends it; some memories were visited then.
    pub fn for_each_memory(
        &self,
        tenant: Option<TenantId>,
        threads: usize,
        visit: impl Fn(Memory) + Sync,
    ) -> Result<(), StoreError> {
        let threads = threads.clamp(1, 64);
        let (sender, receiver) = sync_channel::<Vec<RawRow>>(2 * threads);
        let receiver = Mutex::new(Some(receiver));
        let failure = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let _hang_up = HangUp(&receiver);
                    if let Err(error) = self.open_batches(&receiver, &visit) {
                        failure.lock().get_or_insert(error);
                    }
                });
            }
            self.send_batches(tenant, sender)
        })?;
        failure.into_inner().map_or(Ok(()), Err)
    }

    fn send_batches(
        &self,
        tenant: Option<TenantId>,
        sender: SyncSender<Vec<RawRow>>,
    ) -> Result<(), StoreError> {
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        for row in self.memory_rows(tenant)? {
            batch.push(row?);
            if batch.len() == BATCH_ROWS {
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_ROWS));
                if sender.send(full).is_err() {
                    return Ok(());
                }
            }
        }
        // The receiver is gone only after an error, which is reported by who had it.
        let _ = sender.send(batch);
        Ok(())
    }

    fn open_batches(
        &self,
        receiver: &Batches,
        visit: &(impl Fn(Memory) + Sync),
    ) -> Result<(), StoreError> {
        loop {
            let batch = match &*receiver.lock() {
                Some(receiver) => receiver.recv(),
                None => return Ok(()),
            };
            let Ok(batch) = batch else {
                return Ok(());
            };
            for row in batch {
                visit(row.open(&*self.cipher)?);
            }
        }
    }
}
