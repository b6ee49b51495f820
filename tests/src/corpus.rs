//! Memories for what measures the index by itself, without a store.

use manushya_core::model::{Kind, Memory, MemoryContent, Provenance, Session};
use manushya_protocol::id::{IdentityId, MemoryId, RequestId, TenantId};
use manushya_protocol::unit::UnixMillis;
use manushyad::index::{IndexOptions, TenantIndex};
use manushyad::port::Embedder;

/// Characters of a text.
pub const CHARACTERS: usize = 200;

/// Memories of a session.
const SESSION: usize = 100;

/// The owner of one number.
pub fn owner(number: usize) -> IdentityId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    IdentityId::from_bytes(bytes)
}

/// The memory of one number, with the vector of `embedder`.
pub fn memory(
    number: usize,
    (owner, kind): (IdentityId, Kind),
    text: String,
    embedder: &dyn Embedder,
) -> Memory {
    let created_at = UnixMillis(number as i64);
    let mut entropy = [0; 10];
    entropy[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Memory {
        id: MemoryId::from_parts(created_at, entropy),
        tenant: TenantId::from_bytes([1; 16]),
        owner,
        key: None,
        vector: embedder.embed(&text),
        embedder: Default::default(),
        content: MemoryContent {
            text,
            kind,
            tags: Vec::new(),
            metadata: Default::default(),
            namespace: Default::default(),
            session: Session::new(format!("session-{}", number / SESSION)).ok(),
            trust: Default::default(),
            expires_at: None,
        },
        version: 1,
        created_at,
        updated_at: created_at,
        deleted_at: None,
        provenance: Provenance::plain(owner, RequestId::from_bytes([0; 16]), UnixMillis(0)),
        quarantined: false,
        canary: false,
        superseded: None,
        supersedes: Vec::new(),
    }
}

/// An index of `memories`, its graph built.
pub fn index<'a>(
    memories: impl IntoIterator<Item = &'a Memory>,
    dims: usize,
    options: IndexOptions,
) -> TenantIndex {
    let index = TenantIndex::new(dims, options);
    for memory in memories {
        let prepared = index.prepare(memory).expect("vectors of one embedder");
        index.upsert(&prepared);
    }
    while index.maintain(4096).expect("there is memory").more {}
    index
}
