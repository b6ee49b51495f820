//! The head of the log: what it takes to append the next entry.

use manushya_protocol::unit::AuditSeq;

use super::canonical;
use super::chain::{self, FIRST_PREV_HASH};
use super::checkpoint::{Checkpoint, Origin};
use super::merkle::{Frontier, FrontierError};
use crate::model::{AuditDraft, AuditEntry, Hash};

/// The version of a serialised head, which is its first byte.
const VERSION: u8 = 1;

/// Says why bytes are not a serialised [`Head`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The bytes end before the frontier begins.
    #[error("the head of the audit log has {actual} bytes; it takes at least 41")]
    Truncated {
        /// How many there are.
        actual: usize,
    },
    /// A version this build cannot read.
    #[error("the head of the audit log has format version {0}; this build reads version {VERSION}")]
    Version(u8),
    /// The tree's part is malformed.
    #[error("the head of the audit log has a malformed tree")]
    Frontier(#[source] FrontierError),
    /// The hash of the last entry contradicts the tree.
    #[error("the head of the audit log has a last hash that is not the tree's last leaf")]
    LastHash,
}

/// Where the log ends: its size, the hash of its last entry, and its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    last_hash: Hash,
    frontier: Frontier,
}

impl Default for Head {
    fn default() -> Self {
        Self::new()
    }
}

impl Head {
    /// Makes the head of the log without entries.
    pub fn new() -> Self {
        Self {
            last_hash: FIRST_PREV_HASH,
            frontier: Frontier::new(),
        }
    }

    /// Returns how many entries the log has, which is also the sequence of the last one.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Returns the hash of the last entry; zero if there is none.
    pub fn last_hash(&self) -> Hash {
        self.last_hash
    }

    /// Returns the RFC 6962 root over all entries.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Returns the tree.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Gives a draft its place at the end of the log and returns the entry and its canonical bytes.
    ///
    /// The head has moved when this returns: store the bytes and [`Self::to_bytes`] in one
    /// transaction, and on failure drop this head for the one that is stored.
    pub fn append(&mut self, draft: AuditDraft) -> (AuditEntry, Vec<u8>) {
        let entry = AuditEntry {
            seq: AuditSeq(self.size() + 1),
            prev_hash: self.last_hash,
            draft,
        };
        let bytes = canonical::encode(&entry);
        self.advance(chain::entry_hash(&bytes));
        (entry, bytes)
    }

    /// Moves past an entry with this hash, which the caller made or has checked.
    pub(super) fn advance(&mut self, hash: Hash) {
        self.frontier.append(hash);
        self.last_hash = hash;
    }

    /// Returns what a checkpoint of this head states, for the log named `origin`.
    pub fn checkpoint(&self, origin: Origin) -> Checkpoint {
        Checkpoint {
            origin,
            size: self.size(),
            root: self.root(),
        }
    }

    /// Serialises it: version, hash of the last entry, frontier. At most 2,057 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let frontier = self.frontier.to_bytes();
        let mut bytes = Vec::with_capacity(33 + frontier.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.last_hash.0);
        bytes.extend_from_slice(&frontier);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote, and nothing else.
    ///
    /// # Errors
    ///
    /// A [`HeadError`] if the bytes are malformed or contradict themselves. Where the size is odd,
    /// the last entry is a subtree of its own, so a false hash of it is found here; where it is
    /// even, only verification finds it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HeadError> {
        let actual = bytes.len();
        let (&version, rest) = bytes.split_first().ok_or(HeadError::Truncated { actual })?;
        if version != VERSION {
            return Err(HeadError::Version(version));
        }
        let (last_hash, rest) = rest
            .split_first_chunk()
            .ok_or(HeadError::Truncated { actual })?;
        let last_hash = Hash(*last_hash);
        let frontier = Frontier::from_bytes(rest).map_err(HeadError::Frontier)?;
        let consistent = match frontier.size() {
            0 => last_hash == FIRST_PREV_HASH,
            odd if odd % 2 == 1 => frontier.peaks().last() == Some(&last_hash),
            _ => true,
        };
        if !consistent {
            return Err(HeadError::LastHash);
        }
        Ok(Self {
            last_hash,
            frontier,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategy::drafts;
    use super::super::{decode, entry_hash, merkle};
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn append_links_counts_and_hashes(drafts in drafts(0..40)) {
            let mut head = Head::new();
            let mut leaves = Vec::new();
            for draft in &drafts {
                let before = head.clone();
                let (entry, bytes) = head.append(draft.clone());
                prop_assert_eq!(entry.seq.0, before.size() + 1);
                prop_assert_eq!(entry.prev_hash, before.last_hash());
                prop_assert_eq!(&entry.draft, draft);
                prop_assert_eq!(&decode(&bytes).unwrap(), &entry);
                leaves.push(entry_hash(&bytes));
                prop_assert_eq!(head.last_hash(), *leaves.last().unwrap());
                prop_assert_eq!(head.root(), merkle::root_of(&leaves));
                // Going through the store changes nothing.
                head = Head::from_bytes(&head.to_bytes()).unwrap();
            }
            prop_assert_eq!(head.size(), drafts.len() as u64);
        }

        #[test]
        fn head_bytes_have_one_form(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            size in 0_u64..40,
        ) {
            if let Ok(head) = Head::from_bytes(&bytes) {
                prop_assert_eq!(head.to_bytes(), bytes.clone());
            }
            // The same with a plausible start, so that the later checks are reached.
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            if let Some(stated) = bytes.get_mut(33..41) {
                stated.copy_from_slice(&size.to_be_bytes());
                bytes.resize(41 + 32 * size.count_ones() as usize, 7);
                if let Ok(head) = Head::from_bytes(&bytes) {
                    prop_assert_eq!(head.to_bytes(), bytes);
                    prop_assert!(size % 2 == 0 && size > 0);
                }
            }
        }
    }

    #[test]
    fn head_with_a_false_last_hash_is_refused() {
        let empty = Head::new().to_bytes();
        let mut bytes = empty.clone();
        bytes[1] = 1;
        assert_eq!(Head::from_bytes(&bytes), Err(HeadError::LastHash));

        let mut odd = Head::new();
        odd.advance(Hash([3; 32]));
        let mut bytes = odd.to_bytes();
        bytes[1] ^= 1;
        assert_eq!(Head::from_bytes(&bytes), Err(HeadError::LastHash));
        bytes[1] ^= 1;
        bytes.push(0);
        assert!(matches!(
            Head::from_bytes(&bytes),
            Err(HeadError::Frontier(FrontierError::Length { .. }))
        ));
        assert_eq!(Head::from_bytes(&[2; 90]), Err(HeadError::Version(2)));
    }
}
