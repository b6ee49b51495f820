//! The graph as bytes, so that a start need not build it anew.
//!
//! ```text
//! magic 8 | dims u32 | keys u64 | entries u64 | entries x (key u64, id 16, version u32) | graph
//! ```
//!
//! Numbers are little-endian. Only live vectors have an entry; a key without one is dead. The bytes
//! hold vectors in the clear: the caller seals them before they touch a disk, and authenticates
//! them before they come back.

use std::fmt;

use manushya_protocol::id::MemoryId;

use super::state::{DEAD, Entry, GraphPart};
use super::vectors::VectorError;

const MAGIC: &[u8; 8] = b"mnshgrf1";
const HEAD_BYTES: usize = 8 + 4 + 8 + 8;
const ENTRY_BYTES: usize = 8 + 16 + 4;

/// The graph at one moment.
pub struct GraphSnapshot {
    /// The bytes, vectors in the clear.
    pub bytes: Vec<u8>,
    /// [`super::TenantIndex::erasures`] at that moment: if it has changed by the time the bytes are
    /// in place, they hold an erased vector and must go.
    pub erasures: u64,
}

impl fmt::Debug for GraphSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GraphSnapshot({} bytes)", self.bytes.len())
    }
}

/// Why a snapshot was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not a snapshot of a graph, or not whole.
    #[error("the graph snapshot is not well formed: {0}")]
    Malformed(&'static str),
    /// It is of vectors of another size.
    #[error("the graph snapshot has {actual} dimensions; the index has {expected}")]
    Dims {
        /// Dimensions of the index.
        expected: usize,
        /// Dimensions of the snapshot.
        actual: u32,
    },
    /// The graph in it was refused.
    #[error("the graph of the snapshot is not usable")]
    Graph(#[from] VectorError),
}

/// What stands before the graph's own bytes.
pub(super) struct Head {
    /// How many keys were given out.
    pub keys: u64,
    /// The live vectors, by key.
    pub entries: Vec<(u64, MemoryId, u32)>,
}

impl Head {
    /// What `part` has for certain.
    pub fn of(part: &GraphPart) -> Self {
        let keyed = (0_u64..).zip(&part.entries);
        let live =
            keyed.filter(|(_, entry)| entry.slot != DEAD && part.members.contains(entry.slot));
        Self {
            keys: part.entries.len() as u64,
            entries: live
                .map(|(key, &Entry { id, version, .. })| (key, id, version))
                .collect(),
        }
    }

    /// The head and `graph` as one.
    pub fn encode(&self, dims: usize, graph: &[u8]) -> Vec<u8> {
        let entries = self.entries.len();
        let mut bytes = Vec::with_capacity(HEAD_BYTES + entries * ENTRY_BYTES + graph.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(dims as u32).to_le_bytes());
        bytes.extend_from_slice(&self.keys.to_le_bytes());
        bytes.extend_from_slice(&(entries as u64).to_le_bytes());
        for (key, id, version) in &self.entries {
            bytes.extend_from_slice(&key.to_le_bytes());
            bytes.extend_from_slice(&id.to_bytes());
            bytes.extend_from_slice(&version.to_le_bytes());
        }
        bytes.extend_from_slice(graph);
        bytes
    }

    /// The inverse of [`Self::encode`]: the head, and the bytes of the graph.
    pub fn decode(bytes: &[u8], dims: usize) -> Result<(Self, &[u8]), SnapshotError> {
        let short = || SnapshotError::Malformed("it ends too soon");
        let (magic, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
        if magic != MAGIC {
            return Err(SnapshotError::Malformed("it does not start as one"));
        }
        let (actual, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let (keys, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        let (count, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        let actual = u32::from_le_bytes(*actual);
        if actual as usize != dims {
            let expected = dims;
            return Err(SnapshotError::Dims { expected, actual });
        }
        let (keys, count) = (u64::from_le_bytes(*keys), u64::from_le_bytes(*count));
        // Every key had a vector of two bytes a number, so that more cannot be.
        if keys > bytes.len() as u64 || keys > u64::from(u32::MAX) || count > keys {
            return Err(SnapshotError::Malformed(
                "it names more vectors than it can hold",
            ));
        }
        let table = usize::try_from(count)
            .ok()
            .and_then(|n| n.checked_mul(ENTRY_BYTES));
        let table = table
            .filter(|&table| table <= rest.len())
            .ok_or_else(short)?;
        let (table, graph) = rest.split_at(table);
        let (rows, _) = table.as_chunks::<ENTRY_BYTES>();
        let mut entries: Vec<(u64, MemoryId, u32)> = Vec::with_capacity(rows.len());
        for row in rows {
            let entry = entry(row).ok_or_else(short)?;
            if entry.0 >= keys || entries.last().is_some_and(|&(key, ..)| key >= entry.0) {
                return Err(SnapshotError::Malformed("its keys are not in order"));
            }
            entries.push(entry);
        }
        Ok((Self { keys, entries }, graph))
    }
}

/// How many vectors a saved graph says it has, if its head is one of vectors of `dims` numbers; the
/// graph behind it is not looked at.
pub fn vectors_of_snapshot(bytes: &[u8], dims: usize) -> Option<u64> {
    let (head, _) = Head::decode(bytes, dims).ok()?;
    Some(head.entries.len() as u64)
}

fn entry(row: &[u8]) -> Option<(u64, MemoryId, u32)> {
    let (key, rest) = row.split_first_chunk::<8>()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (version, _) = rest.split_first_chunk::<4>()?;
    let id = MemoryId::from_bytes(*id);
    Some((u64::from_le_bytes(*key), id, u32::from_le_bytes(*version)))
}
