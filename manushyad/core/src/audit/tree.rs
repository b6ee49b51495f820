//! Proofs about a long log without hashing all of it each time.
//!
//! A [`Tree`] keeps the root of every block of 256 leaves, 32 bytes each: 125 KB for a million
//! entries. A proof then hashes those and at most three blocks of leaves, which the caller reads.

use std::ops::Range;

use super::merkle::{node_hash, root_of};
use crate::model::Hash;

/// How many leaves a block has.
const BLOCK: u64 = 256;

/// The roots of the whole blocks of a log that only grows.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    blocks: Vec<Hash>,
}

/// Gives the hashes of the leaves of a range, counted from 0.
pub trait Leaves {
    /// Why they cannot be given.
    type Error;

    /// Returns exactly as many hashes as the range is long. No range is longer than 256.
    ///
    /// # Errors
    ///
    /// Whatever keeps the caller from reading them.
    fn read(&mut self, range: Range<u64>) -> Result<Vec<Hash>, Self::Error>;
}

impl<E, F: FnMut(Range<u64>) -> Result<Vec<Hash>, E>> Leaves for F {
    type Error = E;

    fn read(&mut self, range: Range<u64>) -> Result<Vec<Hash>, E> {
        self(range)
    }
}

impl Tree {
    /// Takes in the blocks that a log of `size` leaves has whole. Reads each of them once.
    ///
    /// # Errors
    ///
    /// What `leaves` fails with; the blocks before that are taken in.
    pub fn extend<L: Leaves>(&mut self, size: u64, leaves: &mut L) -> Result<(), L::Error> {
        for block in self.blocks.len() as u64..size / BLOCK {
            let start = block * BLOCK;
            let hashes = leaves.read(start..start + BLOCK)?;
            self.blocks.push(root_of(&hashes));
        }
        Ok(())
    }

    /// Returns the root over the first `size` leaves.
    ///
    /// # Errors
    ///
    /// As [`Self::extend`].
    pub fn root<L: Leaves>(&mut self, size: u64, leaves: &mut L) -> Result<Hash, L::Error> {
        self.extend(size, leaves)?;
        self.subtree(0..size, leaves)
    }

    /// Proves that the leaf at `index` is among the first `size`: its path from the leaf up
    /// (RFC 9162 section 2.1.3.1). Empty if there is no such leaf, which no tree of two or more
    /// leaves verifies.
    ///
    /// # Errors
    ///
    /// As [`Self::extend`].
    pub fn inclusion<L: Leaves>(
        &mut self,
        index: u64,
        size: u64,
        leaves: &mut L,
    ) -> Result<Vec<Hash>, L::Error> {
        if index >= size {
            return Ok(Vec::new());
        }
        self.extend(size, leaves)?;
        let mut path = Vec::new();
        let mut range = 0..size;
        while range.end - range.start > 1 {
            let middle = middle(&range);
            let (left, right) = (range.start..middle, middle..range.end);
            if index < middle {
                path.push(self.subtree(right, leaves)?);
                range = left;
            } else {
                path.push(self.subtree(left, leaves)?);
                range = right;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// Proves that the tree over the first `first` leaves is a prefix of the tree over the first
    /// `second` (RFC 9162 section 2.1.4.1). Empty where there is nothing to prove: if both are the
    /// same, or `first` is 0 or the larger.
    ///
    /// # Errors
    ///
    /// As [`Self::extend`].
    pub fn consistency<L: Leaves>(
        &mut self,
        first: u64,
        second: u64,
        leaves: &mut L,
    ) -> Result<Vec<Hash>, L::Error> {
        if first == 0 || first >= second {
            return Ok(Vec::new());
        }
        self.extend(second, leaves)?;
        let mut path = Vec::new();
        let mut range = 0..second;
        // Whether the subtree in hand is one the verifier knows the root of: the whole first tree.
        let mut known = true;
        while first < range.end {
            let middle = middle(&range);
            let (left, right) = (range.start..middle, middle..range.end);
            if first <= middle {
                path.push(self.subtree(right, leaves)?);
                range = left;
            } else {
                path.push(self.subtree(left, leaves)?);
                range = right;
                known = false;
            }
        }
        if !known {
            path.push(self.subtree(range, leaves)?);
        }
        path.reverse();
        Ok(path)
    }

    /// The root over a range that starts where a subtree does.
    fn subtree<L: Leaves>(&self, range: Range<u64>, leaves: &mut L) -> Result<Hash, L::Error> {
        let length = range.end - range.start;
        if length == BLOCK
            && range.start.is_multiple_of(BLOCK)
            && let Ok(block) = usize::try_from(range.start / BLOCK)
            && let Some(root) = self.blocks.get(block)
        {
            return Ok(*root);
        }
        if length <= BLOCK {
            return Ok(root_of(&leaves.read(range)?));
        }
        let middle = middle(&range);
        let left = self.subtree(range.start..middle, leaves)?;
        let right = self.subtree(middle..range.end, leaves)?;
        Ok(node_hash(left, right))
    }
}

/// Where a subtree of two or more leaves splits: the left part is the largest power of two below
/// its length.
fn middle(range: &Range<u64>) -> u64 {
    range.start + (1 << (range.end - range.start - 1).ilog2())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::super::merkle;
    use super::*;

    fn leaves(size: usize) -> Vec<Hash> {
        (0..size)
            .map(|n| merkle::leaf_hash(&n.to_be_bytes()))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn proofs_are_those_of_the_whole_tree(
            sizes in prop::collection::vec(1_usize..3000, 1..4),
            at in any::<prop::sample::Index>(),
        ) {
            let all = leaves(3000);
            let mut read = |range: Range<u64>| {
                assert!(range.end - range.start <= BLOCK, "{range:?} is too much at once");
                Ok::<_, Infallible>(all[range.start as usize..range.end as usize].to_vec())
            };
            // One tree answers for any size, also for smaller ones than before.
            let mut tree = Tree::default();
            for size in sizes {
                let (whole, place) = (&all[..size], at.index(size));
                let root = tree.root(size as u64, &mut read).unwrap();
                prop_assert_eq!(root, root_of(whole));
                let proof = tree.inclusion(place as u64, size as u64, &mut read).unwrap();
                prop_assert_eq!(Some(proof), merkle::inclusion_proof(whole, place));
                let first = place + 1;
                let proof = tree.consistency(first as u64, size as u64, &mut read).unwrap();
                prop_assert_eq!(Some(proof), merkle::consistency_proof(whole, first));
            }
        }
    }

    #[test]
    fn a_second_proof_reads_little() {
        let all = leaves(3000);
        let mut blocks = 0;
        let mut tree = Tree::default();
        let mut prove = |index| {
            blocks = 0;
            let mut read = |range: Range<u64>| {
                blocks += 1;
                Ok::<_, Infallible>(all[range.start as usize..range.end as usize].to_vec())
            };
            tree.inclusion(index, 3000, &mut read).unwrap();
            blocks
        };
        assert!(prove(700) > 11);
        assert!(prove(701) <= 12);
        let mut read = |_: Range<u64>| Err::<Vec<Hash>, _>(());
        assert_eq!(Tree::default().root(300, &mut read), Err(()));
        assert_eq!(tree.inclusion(3000, 3000, &mut read), Ok(Vec::new()));
    }
}
