//! Reads that a transaction and a snapshot share.

use std::ops::Bound;

use manushya_core::model::Memory;
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::UnixMillis;
use redb::ReadableTable;

use super::error::StoreError;
use super::record::MemoryAt;
use super::schema::{
    Bytes, Fixed, due_key, history_key, memory_key, owner_key, part, prefixed, tag_key,
};
use super::seal::{memory_header, open_memory};
use crate::port::Cipher;

pub(super) fn memory(
    memories: &impl ReadableTable<Fixed<32>, Bytes>,
    cipher: &dyn Cipher,
    at: MemoryAt,
) -> Result<Option<Memory>, StoreError> {
    let row = memories.get(&memory_key(at.tenant, at.id))?;
    row.map(|row| open_memory(cipher, at, row.value()))
        .transpose()
}

pub(super) fn memory_by_tag(
    keys: &impl ReadableTable<Fixed<32>, Fixed<16>>,
    tenant: TenantId,
    tag: [u8; 16],
) -> Result<Option<MemoryId>, StoreError> {
    let row = keys.get(&tag_key(tenant, tag))?;
    Ok(row.map(|id| MemoryId::from_bytes(*id.value())))
}

/// The earlier versions, newest first.
pub(super) fn earlier_versions(
    history: &impl ReadableTable<Fixed<36>, Bytes>,
    at: MemoryAt,
) -> Result<Vec<u32>, StoreError> {
    let range = prefixed::<36>(&memory_key(at.tenant, at.id));
    history
        .range::<&[u8; 36]>(range.start()..=range.end())?
        .rev()
        .map(|row| Ok(u32::from_be_bytes(part(row?.0.value(), 32))))
        .collect()
}

pub(super) fn earlier_version(
    history: &impl ReadableTable<Fixed<36>, Bytes>,
    cipher: &dyn Cipher,
    at: MemoryAt,
    version: u32,
) -> Result<Option<Memory>, StoreError> {
    let row = history.get(&history_key(at.tenant, at.id, version))?;
    row.map(|row| open_memory(cipher, at, row.value()))
        .transpose()
}

pub(super) fn memories_of(
    owners: &impl ReadableTable<Fixed<48>, Fixed<4>>,
    tenant: TenantId,
    owner: IdentityId,
) -> Result<Vec<(MemoryId, u32)>, StoreError> {
    let low = owner_key(tenant, owner, MemoryId::from_bytes([0; 16]));
    let high = owner_key(tenant, owner, MemoryId::from_bytes([0xff; 16]));
    owners
        .range::<&[u8; 48]>(&low..=&high)?
        .map(|row| {
            let (key, version) = row?;
            let id = MemoryId::from_bytes(part(key.value(), 32));
            Ok((id, u32::from_be_bytes(*version.value())))
        })
        .collect()
}

pub(super) fn due(
    table: &impl ReadableTable<Fixed<40>, ()>,
    memories: &impl ReadableTable<Fixed<32>, Bytes>,
    tenant: TenantId,
    now: UnixMillis,
    limit: usize,
) -> Result<Vec<(MemoryId, u32)>, StoreError> {
    let low = due_key(tenant, UnixMillis(i64::MIN), MemoryId::from_bytes([0; 16]));
    let high = due_key(tenant, now, MemoryId::from_bytes([0xff; 16]));
    let mut found = Vec::new();
    for row in table.range::<&[u8; 40]>(&low..=&high)?.take(limit) {
        let id = MemoryId::from_bytes(part(row?.0.value(), 24));
        let at = MemoryAt { tenant, id };
        let memory = memories
            .get(&memory_key(tenant, id))?
            .ok_or_else(|| StoreError::corrupted(format!("memory {id} is due but missing")))?;
        found.push((id, memory_header(at, memory.value())?.version));
    }
    Ok(found)
}

/// The memories of a tenant in a table of memories.
pub(super) fn of_tenant(
    table: &impl ReadableTable<Fixed<32>, ()>,
    tenant: TenantId,
) -> Result<Vec<MemoryId>, StoreError> {
    let range = prefixed::<32>(&tenant.to_bytes());
    table
        .range::<&[u8; 32]>(range.start()..=range.end())?
        .map(|row| Ok(MemoryId::from_bytes(part(row?.0.value(), 16))))
        .collect()
}

/// The last sequence of the audit log; 0 if it is empty.
pub(super) fn audit_len(audit: &impl ReadableTable<Fixed<8>, Bytes>) -> Result<u64, StoreError> {
    let last = audit.last()?;
    Ok(last.map_or(0, |(seq, _)| u64::from_be_bytes(*seq.value())))
}

/// The entries from `from` on: at least one if there is one, and no more than either bound allows.
pub(super) fn audit(
    audit: &impl ReadableTable<Fixed<8>, Bytes>,
    from: u64,
    bytes_max: usize,
    entries_max: usize,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let (mut entries, mut total) = (Vec::new(), 0usize);
    let low = from.to_be_bytes();
    let range = (Bound::Included(&low), Bound::Unbounded);
    for row in audit.range::<&[u8; 8]>(range)?.take(entries_max) {
        let (seq, entry) = row?;
        total = total.saturating_add(entry.value().len());
        if total > bytes_max && !entries.is_empty() {
            break;
        }
        entries.push((u64::from_be_bytes(*seq.value()), entry.value().to_vec()));
    }
    Ok(entries)
}
