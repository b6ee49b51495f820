//! The Merkle tree of RFC 6962 section 2.1, with proofs as RFC 9162 section 2.1 verifies them.
//!
//! A leaf hashes to `SHA-256(0x00 || bytes)`, an inner node to `SHA-256(0x01 || left || right)`,
//! and the tree without leaves to `SHA-256("")`.

use sha2::{Digest, Sha256};

use crate::model::Hash;

/// The largest tree a [`Frontier`] is read from, in leaves: 2^63 - 1. No log gets there, and from
/// there to the end of `u64` no program can count.
pub const SIZE_MAX: u64 = i64::MAX as u64;

/// Hashes the bytes of a leaf (RFC 6962 section 2.1).
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    let hasher = Sha256::new().chain_update([0]).chain_update(bytes);
    Hash(hasher.finalize().into())
}

/// Hashes two subtrees into one (RFC 6962 section 2.1).
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    Hash(Sha256::digest(bytes).into())
}

/// Returns the root of the tree without leaves.
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// Says why bytes are not a serialised [`Frontier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// There are not as many bytes as a frontier of that size has.
    #[error("a frontier has {actual} bytes; it takes {expected}")]
    Length {
        /// How many a frontier of the stated size has.
        expected: usize,
        /// How many there are.
        actual: usize,
    },
    /// The stated size is beyond what a log can reach.
    #[error("a frontier states {actual} leaves; the limit is {SIZE_MAX}")]
    Size {
        /// The stated size.
        actual: u64,
    },
}

/// Keeps as much of a tree as it takes to append leaves and know the root: the roots of its perfect
/// subtrees, at most 63 hashes.
///
/// Appending costs two hashes on average and 64 at the worst.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the perfect subtrees, largest first; one for every 1 bit of `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Makes the frontier of the tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the roots of the perfect subtrees, largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds a leaf by its hash.
    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing 1 bit is a subtree as large as `node`; the two become one.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(left, node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// Returns the root of the tree. Hashes at most 62 times.
    pub fn root(&self) -> Hash {
        self.peaks
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(left, right))
            .unwrap_or_else(empty_root)
    }

    /// Serialises it: the size as a big-endian u64, then the peaks, largest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 32 * self.peaks.len());
        bytes.extend_from_slice(&self.size.to_be_bytes());
        for peak in &self.peaks {
            bytes.extend_from_slice(&peak.0);
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote, and nothing else.
    ///
    /// # Errors
    ///
    /// - [`FrontierError::Length`] if there are bytes too few or too many for the stated size.
    /// - [`FrontierError::Size`] if the stated size is above [`SIZE_MAX`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let actual = bytes.len();
        let Some((size, rest)) = bytes.split_first_chunk() else {
            return Err(FrontierError::Length {
                expected: 8,
                actual,
            });
        };
        let size = u64::from_be_bytes(*size);
        if size > SIZE_MAX {
            return Err(FrontierError::Size { actual: size });
        }
        let expected = 8 + 32 * size.count_ones() as usize;
        if actual != expected {
            return Err(FrontierError::Length { expected, actual });
        }
        let (peaks, _) = rest.as_chunks::<32>();
        Ok(Self {
            size,
            peaks: peaks.iter().copied().map(Hash).collect(),
        })
    }
}

/// Returns the root of the tree over `leaves`, which are leaf hashes.
pub fn root_of(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    for &leaf in leaves {
        frontier.append(leaf);
    }
    frontier.root()
}

/// Returns the size of the left subtree: the largest power of two below `size`, which is 2 or more.
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

/// Proves that the leaf at `index` is in the tree over `leaves`: its audit path from the leaf up
/// (RFC 9162 section 2.1.3.1). `None` if there is no such leaf. Hashes the whole tree once.
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut tree, mut index) = (leaves, index);
    let mut path = Vec::new();
    while tree.len() > 1 {
        let (left, right) = tree.split_at(split(tree.len()));
        if index < left.len() {
            path.push(root_of(right));
            tree = left;
        } else {
            path.push(root_of(left));
            index -= left.len();
            tree = right;
        }
    }
    path.reverse();
    Some(path)
}

/// Verifies that the leaf at `index` of the tree of `size` leaves with this `root` hashes to `leaf`
/// (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) -> bool {
    if index >= size {
        return false;
    }
    // `node` and `last` are `fn` and `sn` of the RFC: the places of the path and of the last node.
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf;
    for &sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, hash);
            climb_while_left(&mut node, &mut last);
        } else {
            hash = node_hash(hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// Proves that the tree over the first `first` of `leaves` is a prefix of the tree over all of them
/// (RFC 9162 section 2.1.4.1). Empty if both are the same tree; `None` if `first` is 0, where there
/// is nothing to prove, or beyond the leaves. Hashes the whole tree once.
pub fn consistency_proof(leaves: &[Hash], first: usize) -> Option<Vec<Hash>> {
    if first == 0 || first > leaves.len() {
        return None;
    }
    let (mut tree, mut first) = (leaves, first);
    // Whether the subtree in hand is one the verifier knows the root of: the whole first tree.
    let mut known = true;
    let mut path = Vec::new();
    while first < tree.len() {
        let (left, right) = tree.split_at(split(tree.len()));
        if first <= left.len() {
            path.push(root_of(right));
            tree = left;
        } else {
            path.push(root_of(left));
            first -= left.len();
            tree = right;
            known = false;
        }
    }
    if !known {
        path.push(root_of(tree));
    }
    path.reverse();
    Some(path)
}

/// Verifies that the tree of `first` leaves with `first_root` is a prefix of the tree of `second`
/// leaves with `second_root` (RFC 9162 section 2.1.4.2).
///
/// Equal sizes need equal roots and an empty proof. About a first tree without leaves there is
/// nothing to prove, so that is refused.
pub fn verify_consistency(
    first: u64,
    second: u64,
    first_root: Hash,
    second_root: Hash,
    proof: &[Hash],
) -> bool {
    if first == 0 || first > second {
        return false;
    }
    if first == second {
        return proof.is_empty() && first_root == second_root;
    }
    // A first tree that is perfect is itself the first node of the path and is left out of it.
    let (start, path) = if first.is_power_of_two() {
        (first_root, proof)
    } else {
        match proof.split_first() {
            Some((&start, path)) => (start, path),
            None => return false,
        }
    };
    let shared = (first - 1).trailing_ones();
    // Trailing ones of a number below 2^64 - 1 are at most 63, so the shifts are in range.
    let (mut node, mut last) = ((first - 1) >> shared, (second - 1) >> shared);
    let (mut first_hash, mut second_hash) = (start, start);
    for &sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            first_hash = node_hash(sibling, first_hash);
            second_hash = node_hash(sibling, second_hash);
            climb_while_left(&mut node, &mut last);
        } else {
            second_hash = node_hash(second_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && first_hash == first_root && second_hash == second_root
}

/// Skips the levels at which the last node of a tree has no sibling.
fn climb_while_left(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}

#[cfg(test)]
mod tests;
