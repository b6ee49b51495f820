//! What the deciding may look at.

use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::UnixMillis;

use crate::directory::Directory;
use crate::model::{Memory, MemoryKey};

/// The state could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the store cannot be read")]
pub struct ViewError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A consistent state of the store, including what was decided before in the same transaction.
pub trait View {
    /// Tenants, identities, tokens, policies and purge plans.
    fn directory(&self) -> &Directory;

    /// A memory, deleted and expired ones included.
    ///
    /// # Errors
    ///
    /// [`ViewError`] if the store cannot be read or the record does not open.
    fn memory(&self, tenant: TenantId, id: MemoryId) -> Result<Option<Memory>, ViewError>;

    /// The memory of `owner` that has `key`, deleted and expired ones included.
    ///
    /// # Errors
    ///
    /// [`ViewError`] if the store cannot be read.
    fn memory_by_key(
        &self,
        tenant: TenantId,
        owner: IdentityId,
        key: &MemoryKey,
    ) -> Result<Option<MemoryId>, ViewError>;

    /// How many earlier versions a memory has.
    ///
    /// # Errors
    ///
    /// [`ViewError`] if the store cannot be read.
    fn versions(&self, tenant: TenantId, id: MemoryId) -> Result<u64, ViewError>;

    /// How many bytes a version of a memory takes where it is kept.
    ///
    /// # Errors
    ///
    /// [`ViewError`] if it cannot be kept at all.
    fn bytes_of(&self, memory: &Memory) -> Result<u64, ViewError>;

    /// Every memory of `owner` with its version, oldest first, deleted and expired ones included.
    ///
    /// # Errors
    ///
    /// [`ViewError`] if the store cannot be read.
    fn memories_of(
        &self,
        tenant: TenantId,
        owner: IdentityId,
    ) -> Result<Vec<(MemoryId, u32)>, ViewError>;

    /// The memories of `tenant` with their versions that the sweeper has to look at by `now`, at most
    /// `limit`, those due first before the others.
    ///
    /// # Errors
    ///
    /// [`ViewError`] if the store cannot be read.
    fn due(
        &self,
        tenant: TenantId,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<(MemoryId, u32)>, ViewError>;
}
