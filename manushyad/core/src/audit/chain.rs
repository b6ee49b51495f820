//! The chain: each entry names the hash of the bytes of the one before.
//!
//! An entry's hash is the RFC 6962 leaf hash of its canonical bytes, `SHA-256(0x00 || bytes)`. It
//! serves twice, as the next entry's `prev_hash` and as a leaf of the tree, so that every entry is
//! hashed once and the two structures cannot tell different stories.

use manushya_protocol::unit::AuditSeq;

use super::merkle;
use crate::model::{AuditEntry, Hash};

/// The `prev_hash` of the first entry.
pub const FIRST_PREV_HASH: Hash = Hash([0; 32]);

/// Says why an entry does not follow the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Entries are missing, repeated or out of order.
    #[error("the entry says it is number {actual}; number {expected} comes next")]
    Seq {
        /// The sequence that comes next.
        expected: AuditSeq,
        /// The sequence the entry has.
        actual: AuditSeq,
    },
    /// The entry before is not the one this entry was written after.
    #[error("the entry names {actual} as the hash before it; the entry before has {expected}")]
    PrevHash {
        /// Hash of the entry before.
        expected: Hash,
        /// The hash the entry names.
        actual: Hash,
    },
}

/// Hashes an entry's canonical bytes: `SHA-256(0x00 || bytes)` (RFC 6962 section 2.1).
pub fn entry_hash(bytes: &[u8]) -> Hash {
    merkle::leaf_hash(bytes)
}

/// Checks that `entry` comes next in a log of `size` entries whose last one hashes to `last_hash`.
///
/// # Errors
///
/// A [`LinkError`] that says what the entry has and what it should have.
pub fn check_link(entry: &AuditEntry, size: u64, last_hash: Hash) -> Result<(), LinkError> {
    let expected = AuditSeq(size.saturating_add(1));
    if entry.seq != expected {
        return Err(LinkError::Seq {
            expected,
            actual: entry.seq,
        });
    }
    if entry.prev_hash != last_hash {
        return Err(LinkError::PrevHash {
            expected: last_hash,
            actual: entry.prev_hash,
        });
    }
    Ok(())
}
