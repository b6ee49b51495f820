//! A state to read: the directory and a snapshot of the store, beside the writer.

use std::sync::Arc;

use manushya_core::audit::canonical;
use manushya_core::directory::Directory;
use manushya_core::model::{AuditEntry, Memory, MemoryKey};
use manushya_core::view::{View, ViewError};
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};

use super::writer::Published;
use crate::store::{Snapshot, StoreError};

/// How many bytes of audit entries one read of the store takes.
const CHUNK_BYTES: usize = 256 << 10;
/// How many audit entries one read of the store takes.
const CHUNK_ENTRIES: usize = 4096;

/// A state to read.
pub struct ReadView {
    /// The state as of a commit at or before the snapshot.
    pub published: Arc<Published>,
    /// The store.
    pub snapshot: Snapshot,
}

impl ReadView {
    /// Puts the two together.
    pub fn new(published: Arc<Published>, snapshot: Snapshot) -> Self {
        Self {
            published,
            snapshot,
        }
    }

    /// Looks at the audit entries from the first of `range` up to and with the last, with their bytes,
    /// until `look` says that it is enough. One that does not read is passed over: `audit verify` is who
    /// tells of it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read, or of `look`.
    pub fn each_entry(
        &self,
        (from, to): (AuditSeq, AuditSeq),
        mut look: impl FnMut(&AuditEntry, &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut from = from;
        while from <= to {
            let chunk = self.snapshot.audit(from, CHUNK_BYTES, CHUNK_ENTRIES)?;
            let Some((last, _)) = chunk.last() else { break };
            from = AuditSeq(last.0 + 1);
            for (_, bytes) in chunk.iter().take_while(|(seq, _)| *seq <= to) {
                let Ok(entry) = canonical::decode(bytes) else {
                    continue;
                };
                if !look(&entry, bytes)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn broken(error: StoreError) -> ViewError {
    ViewError(Box::new(error))
}

impl View for ReadView {
    fn directory(&self) -> &Directory {
        &self.published.directory
    }

    fn memory(&self, tenant: TenantId, id: MemoryId) -> Result<Option<Memory>, ViewError> {
        self.snapshot.memory(tenant, id).map_err(broken)
    }

    fn memory_by_key(
        &self,
        tenant: TenantId,
        owner: IdentityId,
        key: &MemoryKey,
    ) -> Result<Option<MemoryId>, ViewError> {
        self.snapshot
            .memory_by_key(tenant, owner, key)
            .map_err(broken)
    }

    fn versions(&self, tenant: TenantId, id: MemoryId) -> Result<u64, ViewError> {
        self.snapshot
            .versions(tenant, id)
            // The store counts the current one, too.
            .map(|versions| (versions.len() as u64).saturating_sub(1))
            .map_err(broken)
    }

    fn bytes_of(&self, memory: &Memory) -> Result<u64, ViewError> {
        crate::store::bytes_of(memory).map_err(broken)
    }

    fn memories_of(
        &self,
        tenant: TenantId,
        owner: IdentityId,
    ) -> Result<Vec<(MemoryId, u32)>, ViewError> {
        self.snapshot.memories_of(tenant, owner).map_err(broken)
    }

    fn due(
        &self,
        tenant: TenantId,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<(MemoryId, u32)>, ViewError> {
        self.snapshot.due(tenant, now, limit).map_err(broken)
    }
}
