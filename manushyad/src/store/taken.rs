//! How much is kept of whom, in rows and their bytes.

use std::collections::BTreeMap;

use manushya_core::directory::Taken;
use manushya_core::model::{DataKeyId, Memory};
use manushya_protocol::id::{IdentityId, TenantId};
use redb::ReadableTable;

use super::error::StoreError;
use super::record::{MemoryAt, MemoryHeader, encode_memory};
use super::schema::{Bytes, Fixed, part};
use super::seal::memory_header;
use crate::port::SEAL_BYTES;

/// How long a row is, to be counted up and down.
pub(super) fn length(row: &[u8]) -> i64 {
    i64::try_from(row.len()).unwrap_or(i64::MAX)
}

/// How many bytes the row of a version of a memory takes.
pub(super) fn row_bytes(memory: &Memory) -> Result<u64, StoreError> {
    let header = MemoryHeader {
        key: DataKeyId(0),
        owner: memory.owner,
        version: memory.version,
        due: None,
        tag: None,
        deleted: memory.deleted_at.is_some(),
        held: memory.quarantined,
    };
    let plaintext = encode_memory(memory, &header)?;
    Ok((MemoryHeader::BYTES + plaintext.len() + SEAL_BYTES) as u64)
}

/// How much is kept of each owner, by what readable headers say.
pub(super) fn taken(
    memories: &impl ReadableTable<Fixed<32>, Bytes>,
    history: &impl ReadableTable<Fixed<36>, Bytes>,
) -> Result<Vec<Taken>, StoreError> {
    let mut sums: BTreeMap<(TenantId, IdentityId), (i64, i64)> = BTreeMap::new();
    let mut add = |key: &[u8; 32], row: &[u8], memories: i64| -> Result<(), StoreError> {
        let at = MemoryAt::of_key(key);
        let owner = memory_header(at, row)?.owner;
        let sum = sums.entry((at.tenant, owner)).or_default();
        sum.0 += memories;
        sum.1 += i64::try_from(row.len()).unwrap_or(i64::MAX);
        Ok(())
    };
    for row in memories.iter()? {
        let (key, row) = row?;
        add(key.value(), row.value(), 1)?;
    }
    for row in history.iter()? {
        let (key, row) = row?;
        add(&part(key.value(), 0), row.value(), 0)?;
    }
    let taken = sums
        .into_iter()
        .map(|((tenant, owner), (memories, bytes))| Taken::By {
            tenant,
            owner,
            memories,
            bytes,
        });
    Ok(taken.collect())
}
