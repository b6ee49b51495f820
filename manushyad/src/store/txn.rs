//! The write transaction: the one place the store changes.

use std::sync::Arc;

use manushya_core::directory::Directory;
use manushya_core::model::{DataKeyId, Memory, MemoryKey};
use manushya_core::plan::Write;
use manushya_core::view::{View, ViewError};
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};
use redb::WriteTransaction;

use super::apply::{Applier, Tables, blind_key};
use super::error::StoreError;
use super::ledger::{ErasedRow, Ledger};
use super::record::MemoryAt;
use super::schema::{
    AUDIT, CHECKPOINTS, DUE, HISTORY, KEYS, MEMORIES, META, META_AUDIT_HEAD, META_CLOCK, OWNERS,
};
use super::segment::Segments;
use super::{Inner, begin_durable, erase, open, read};
use crate::port::Cipher;

/// The longest audit entry, in bytes.
const AUDIT_ENTRY_BYTES_MAX: usize = 16 << 10;

/// A write transaction. Its reads see its own writes; dropping it undoes all of them.
pub struct Txn {
    inner: Arc<Inner>,
    txn: WriteTransaction,
    directory: Directory,
    segments: Segments,
    audit_len: u64,
    audit: Vec<(u64, Vec<u8>)>,
    audit_head: Option<Vec<u8>>,
    clock: Option<UnixMillis>,
    ledger: Ledger,
    broken: bool,
}

/// What a commit leaves.
#[derive(Clone)]
pub struct Committed {
    /// The directory as it stands on disk.
    pub directory: Directory,
    /// The data keys that nothing uses any more. Until [`super::Store::shred`] has destroyed them,
    /// what was erased could still be read from old pages.
    pub doomed: Vec<DataKeyId>,
}

impl Txn {
    pub(super) fn new(inner: Arc<Inner>, directory: Directory) -> Result<Self, StoreError> {
        let txn = begin_durable(inner.db()?)?;
        // Only after the writer before has ended: until then what it leaves is not known.
        let (open, audit_len, ledger) = {
            let state = inner.state.lock();
            (state.open.clone(), state.audit_len, state.ledger)
        };
        Ok(Self {
            inner,
            txn,
            directory,
            segments: Segments::new(open),
            audit_len,
            audit: Vec::new(),
            audit_head: None,
            clock: None,
            ledger: Ledger::new(ledger),
            broken: false,
        })
    }

    /// Applies one plan's writes: all of them, or none if this returns an error.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`] and [`StoreError::Refused`] refuse these writes only; the
    /// transaction stays usable (see [`StoreError::is_refusal`]). After any other error it is
    /// [`Self::broken`].
    pub fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        if self.broken {
            return Err(StoreError::Broken);
        }
        if writes.is_empty() {
            return Ok(());
        }
        let applied = Applier {
            cipher: &*self.inner.cipher,
            tables: Tables::new(&self.txn),
            segments: &mut self.segments,
        }
        .apply(writes);
        if let Err(error) = applied {
            self.broken = !error.is_refusal();
            return Err(error);
        }
        self.follow(writes);
        Ok(())
    }

    /// Makes the directory follow `writes`. A tenant takes all its records with it.
    fn follow(&mut self, writes: &[Write]) {
        let is_tenant = |write: &Write| matches!(write, Write::EraseTenant(_));
        if !writes.iter().any(is_tenant) {
            self.directory.apply_all(writes);
            return;
        }
        for write in writes {
            if let Write::EraseTenant(id) = write {
                let id = *id;
                let of = &self.directory;
                let gone: Vec<Write> = (of.tokens(id).map(|it| Write::DropToken(id, it.id)))
                    .chain(of.policies(id).map(|it| Write::DropPolicy(id, it.id)))
                    .chain(of.plans(id).map(|it| Write::DropPlan(id, it.id)))
                    .chain(
                        of.revisions(id)
                            .map(|it| Write::DropRevision(id, it.policy.id, it.policy.revision)),
                    )
                    .chain(of.identities(id).map(|it| Write::EraseIdentity(id, it.id)))
                    .collect();
                self.directory.apply_all(&gone);
            }
            self.directory.apply(write);
        }
    }

    /// What records are sealed and written with.
    pub(super) fn parts(&mut self) -> (&dyn Cipher, &WriteTransaction, &mut Segments) {
        (&*self.inner.cipher, &self.txn, &mut self.segments)
    }

    /// Notes in the erasure ledger what `writes` erase, under the audit entry that tells of it.
    pub fn note_erased(&mut self, seq: AuditSeq, at: UnixMillis, writes: &[Write]) {
        self.ledger.note(&*self.inner.cipher, seq, at, writes);
    }

    /// Takes over the rows of another copy of the erasure ledger that follow this one's last.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] if they do not follow it.
    pub fn adopt_erased(&mut self, rows: &[ErasedRow]) -> Result<(), StoreError> {
        if self.ledger.adopt(&*self.inner.cipher, rows) {
            return Ok(());
        }
        Err(StoreError::Refused {
            what: "the rows do not follow the erasure ledger's last",
        })
    }

    /// Appends an audit entry. `seq` must be the next one: the log has no gaps.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] for any other sequence, [`StoreError::TooLarge`] above 16 KiB.
    pub fn append_audit(&mut self, seq: AuditSeq, bytes: &[u8]) -> Result<(), StoreError> {
        if seq.0 != self.audit_len + 1 {
            return Err(StoreError::Refused {
                what: "the audit entry is not the next of the log",
            });
        }
        if bytes.len() > AUDIT_ENTRY_BYTES_MAX {
            return Err(StoreError::TooLarge {
                what: "the audit entry",
                actual: bytes.len(),
                limit: AUDIT_ENTRY_BYTES_MAX,
            });
        }
        self.audit_len = seq.0;
        self.audit.push((seq.0, bytes.to_vec()));
        Ok(())
    }

    /// Remembers `bytes` beside the last audit entry; [`super::Opened::audit_head`] gives them
    /// back.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`] above 16 KiB.
    pub fn set_audit_head(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if bytes.len() > AUDIT_ENTRY_BYTES_MAX {
            return Err(StoreError::TooLarge {
                what: "the head of the audit log",
                actual: bytes.len(),
                limit: AUDIT_ENTRY_BYTES_MAX,
            });
        }
        self.audit_head = Some(bytes.to_vec());
        Ok(())
    }

    /// Stores the signed checkpoint of the first `size` entries.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`] above 16 KiB, [`StoreError::Refused`] for entries that are not there.
    pub fn put_checkpoint(&mut self, size: u64, note: &str) -> Result<(), StoreError> {
        if note.len() > AUDIT_ENTRY_BYTES_MAX {
            return Err(StoreError::TooLarge {
                what: "the checkpoint of the audit log",
                actual: note.len(),
                limit: AUDIT_ENTRY_BYTES_MAX,
            });
        }
        if size > self.audit_len {
            return Err(StoreError::Refused {
                what: "the checkpoint is of entries that are not there",
            });
        }
        let mut table = self.txn.open_table(CHECKPOINTS)?;
        table.insert(&size.to_be_bytes(), note.as_bytes())?;
        Ok(())
    }

    /// Remembers that it is `now`, if that is the latest so far; [`super::Opened::latest`] gives it
    /// back.
    pub fn set_clock(&mut self, now: UnixMillis) {
        self.clock = Some(now);
    }

    /// How many entries the audit log has, those of this transaction included.
    pub fn audit_len(&self) -> u64 {
        self.audit_len
    }

    /// Whether an error left it in a state that cannot be committed.
    pub fn broken(&self) -> bool {
        self.broken
    }

    /// Makes everything durable at once: when this returns, it survives a power loss.
    ///
    /// # Errors
    ///
    /// After any error nothing of the transaction took effect, and nothing may be acknowledged.
    /// [`StoreError::Full`] and [`StoreError::Io`] also mean that the store has to be opened anew.
    pub fn commit(mut self) -> Result<Committed, StoreError> {
        if self.broken {
            return Err(StoreError::Broken);
        }
        erase::reseal_survivors(&self.txn, &mut self.segments, &*self.inner.cipher)?;
        self.segments.flush(&self.txn)?;
        if !self.audit.is_empty() {
            let mut table = self.txn.open_table(AUDIT)?;
            for (seq, entry) in &self.audit {
                table.insert(&seq.to_be_bytes(), entry.as_slice())?;
            }
        }
        if let Some(head) = &self.audit_head {
            let mut meta = self.txn.open_table(META)?;
            meta.insert(META_AUDIT_HEAD, head.as_slice())?;
        }
        if self.clock.is_some() {
            open::put_time(&mut self.txn.open_table(META)?, META_CLOCK, self.clock)?;
        }
        let ledger = self.ledger.flush(&self.txn)?;
        let (open, doomed, renewed) = self.segments.finish();
        // Held over the commit, so that the next transaction cannot begin from the state before.
        let mut state = self.inner.state.lock();
        self.txn.commit()?;
        state.open = open;
        state.audit_len = self.audit_len;
        state.ledger = ledger;
        drop(state);
        self.inner.retire(renewed);
        Ok(Committed {
            directory: self.directory,
            doomed,
        })
    }

    fn read_memory(&self, at: MemoryAt) -> Result<Option<Memory>, StoreError> {
        let memories = self.txn.open_table(MEMORIES)?;
        read::memory(&memories, &*self.inner.cipher, at)
    }

    fn read_by_key(
        &self,
        tenant: TenantId,
        owner: IdentityId,
        key: &MemoryKey,
    ) -> Result<Option<MemoryId>, StoreError> {
        let tag = blind_key(&*self.inner.cipher, tenant, owner, key.as_str());
        read::memory_by_tag(&self.txn.open_table(KEYS)?, tenant, tag)
    }

    fn read_due(
        &self,
        tenant: TenantId,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<(MemoryId, u32)>, StoreError> {
        let (due, memories) = (self.txn.open_table(DUE)?, self.txn.open_table(MEMORIES)?);
        read::due(&due, &memories, tenant, now, limit)
    }

    fn count_versions(&self, at: MemoryAt) -> Result<u64, StoreError> {
        let history = self.txn.open_table(HISTORY)?;
        Ok(read::earlier_versions(&history, at)?.len() as u64)
    }

    fn read_owned(
        &self,
        tenant: TenantId,
        owner: IdentityId,
    ) -> Result<Vec<(MemoryId, u32)>, StoreError> {
        read::memories_of(&self.txn.open_table(OWNERS)?, tenant, owner)
    }
}

fn unreadable(error: StoreError) -> ViewError {
    ViewError(Box::new(error))
}

impl View for Txn {
    fn directory(&self) -> &Directory {
        &self.directory
    }

    fn memory(&self, tenant: TenantId, id: MemoryId) -> Result<Option<Memory>, ViewError> {
        self.read_memory(MemoryAt { tenant, id })
            .map_err(unreadable)
    }

    fn memory_by_key(
        &self,
        tenant: TenantId,
        owner: IdentityId,
        key: &MemoryKey,
    ) -> Result<Option<MemoryId>, ViewError> {
        self.read_by_key(tenant, owner, key).map_err(unreadable)
    }

    fn versions(&self, tenant: TenantId, id: MemoryId) -> Result<u64, ViewError> {
        self.count_versions(MemoryAt { tenant, id })
            .map_err(unreadable)
    }

    fn memories_of(
        &self,
        tenant: TenantId,
        owner: IdentityId,
    ) -> Result<Vec<(MemoryId, u32)>, ViewError> {
        self.read_owned(tenant, owner).map_err(unreadable)
    }

    fn due(
        &self,
        tenant: TenantId,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<(MemoryId, u32)>, ViewError> {
        self.read_due(tenant, now, limit).map_err(unreadable)
    }
}
