//! A state to read: the directory and a snapshot of the store, beside the writer.

use std::sync::Arc;

use manushya_core::directory::Directory;
use manushya_core::model::{Memory, MemoryKey};
use manushya_core::view::{View, ViewError};
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::UnixMillis;

use super::writer::Published;
use crate::store::Snapshot;

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
}

fn broken(error: crate::store::StoreError) -> ViewError {
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
