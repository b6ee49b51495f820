//! The best few of many, and sets of slots as plain bits.

use std::cmp::Ordering;

use manushya_core::recall::fuse::rank;
use manushya_protocol::id::MemoryId;
use roaring::RoaringBitmap;

/// A candidate with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    pub score: f32,
    pub id: MemoryId,
    pub slot: u32,
}

impl Scored {
    pub fn order(&self, other: &Self) -> Ordering {
        rank((self.score, self.id), (other.score, other.id))
    }
}

/// Keeps the best `count` of what it is shown. Twice as many are held and cut in one go, which
/// costs less than a heap and orders equal scores by id just the same.
pub(super) struct Top {
    count: usize,
    held: Vec<Scored>,
    floor: f32,
}

impl Top {
    /// Keeps `count`, of those that score at least `floor` and above zero.
    pub fn new(count: usize, floor: f32) -> Self {
        Self {
            count: count.max(1),
            held: Vec::with_capacity((count * 2).max(16)),
            floor: floor.max(f32::MIN_POSITIVE),
        }
    }

    /// What a score must reach to matter.
    #[inline]
    pub fn floor(&self) -> f32 {
        self.floor
    }

    /// Shows one whose score reached the floor.
    #[inline]
    pub fn show(&mut self, scored: Scored) {
        if scored.score < self.floor {
            return;
        }
        self.held.push(scored);
        if self.held.len() >= (self.count * 2).max(16) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.held.len() > self.count {
            self.held
                .select_nth_unstable_by(self.count - 1, Scored::order);
            self.held.truncate(self.count);
            self.floor = self.held[self.count - 1].score;
        }
    }

    /// The best, best first.
    pub fn finish(mut self) -> Vec<Scored> {
        self.cut();
        self.held.sort_unstable_by(Scored::order);
        self.held
    }
}

/// A set of slots, one bit each, for tests in tight loops.
#[derive(Clone, Default)]
pub(super) struct Mask(Vec<u64>);

impl Mask {
    /// The bits of `slots`.
    pub fn of(slots: &RoaringBitmap) -> Self {
        let mut mask = Self::default();
        if let Some(last) = slots.max() {
            mask.0.resize(last as usize / 64 + 1, 0);
        }
        slots.iter().for_each(|slot| mask.insert(slot));
        mask
    }

    #[inline]
    pub fn contains(&self, slot: u32) -> bool {
        let word = self.0.get(slot as usize / 64).copied().unwrap_or(0);
        word >> (slot % 64) & 1 == 1
    }

    pub fn insert(&mut self, slot: u32) {
        let word = slot as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (slot % 64);
    }

    pub fn remove(&mut self, slot: u32) {
        if let Some(word) = self.0.get_mut(slot as usize / 64) {
            *word &= !(1 << (slot % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn top_is_the_head_of_the_sorted(
            scores in proptest::collection::vec(0_u8..20, 0..200), count in 1_usize..30,
        ) {
            let scored = |(slot, &score): (usize, &u8)| {
                let mut id = [0; 16];
                id[0] = (slot * 7 % 251) as u8;
                id[1] = slot as u8;
                let id = MemoryId::from_bytes(id);
                Scored { score: f32::from(score), id, slot: slot as u32 }
            };
            let mut all: Vec<Scored> = scores.iter().enumerate().map(scored).collect();
            let mut top = Top::new(count, 0.0);
            all.iter().for_each(|&scored| top.show(scored));
            all.retain(|scored| scored.score > 0.0);
            all.sort_by(Scored::order);
            all.truncate(count);
            prop_assert_eq!(top.finish(), all);
        }
    }
}
