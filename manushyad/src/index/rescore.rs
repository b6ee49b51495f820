//! What the neighbours of a memory in its session add to its score.
//!
//! Windows are of all that the caller may see; only what is meant as well lends to its neighbours
//! and is a result.

use manushya_core::recall::episode::{Around, REACH, Turn, lent};
use manushya_core::recall::fuse::Raw;

use super::lexical::Question;
use super::search::Search;

/// What is known of the memories whose scores have a part in others'.
struct Rows<'a> {
    question: &'a Question<'a>,
    /// In order.
    slots: Vec<u32>,
    /// How often each term of the question stands in each, one row after the other.
    counts: Vec<f32>,
    cosines: Vec<f32>,
}

impl Rows<'_> {
    fn at(&self, slot: u32) -> Option<usize> {
        self.slots.binary_search(&slot).ok()
    }

    /// BM25 of the texts of `slots` as one of their mean length.
    fn window(&self, slots: &[u32], sum: &mut [f32]) -> f32 {
        sum.fill(0.0);
        let mut words = 0.0;
        for &slot in slots {
            let Some(at) = self.at(slot) else { continue };
            let row = self.counts[at * sum.len()..].iter();
            sum.iter_mut()
                .zip(row)
                .for_each(|(sum, &count)| *sum += count);
            words += self.question.words(slot);
        }
        self.question.weigh(sum, words / slots.len() as f32)
    }
}

impl Search<'_> {
    /// Whether there may be neighbours at all.
    pub(super) fn has_episodes(&self) -> bool {
        !self.state.episodes.is_empty()
    }

    pub(super) fn around(&self, slot: u32) -> Around<u32> {
        let visible = |slot| self.permitted.contains(self.state, slot);
        self.state.around(slot, visible)
    }

    pub(super) fn is_candidate(&self, slot: u32) -> bool {
        match self.candidates {
            Some(slots) => slots.contains(slot),
            None => self.permitted.contains(self.state, slot),
        }
    }

    /// The candidates among `slots` and their neighbours, in order.
    pub(super) fn with_neighbours(&self, slots: &[u32]) -> Vec<u32> {
        let around = slots.iter().map(|&slot| self.around(slot));
        let neighbours = around.flatten().flatten().flatten();
        let all = slots.iter().copied().chain(neighbours);
        let mut all: Vec<u32> = all.collect();
        all.sort_unstable();
        all.dedup();
        all.retain(|&slot| self.is_candidate(slot));
        all
    }

    /// The scores of `slots` with what their neighbours add.
    pub(super) fn turns(&self, slots: &[u32]) -> Vec<Turn> {
        let around: Vec<Around<u32>> = slots.iter().map(|&slot| self.around(slot)).collect();
        let rows = self.rows(slots, &around);
        let mut sum = vec![0.0; self.question.len()];
        let mut window = Vec::with_capacity(2 * REACH + 1);
        let mut turn = |slot: u32, around: &Around<u32>| {
            window.clear();
            window.push(slot);
            let cosine = |slot| rows.at(slot).map_or(0.0, |at| rows.cosines[at]);
            let own = Raw {
                bm25: rows.window(&window, &mut sum),
                cosine: cosine(slot),
            };
            if around.iter().flatten().all(Option::is_none) {
                return Turn::alone(own);
            }
            let windows = around.map(|sides| {
                window.extend(sides.iter().flatten());
                rows.window(&window, &mut sum)
            });
            let lent = lent(&around.map(|sides| sides.map(|slot| slot.map(cosine))));
            Turn { own, windows, lent }
        };
        let each = slots.iter().zip(&around);
        each.map(|(&slot, around)| turn(slot, around)).collect()
    }

    fn rows(&self, slots: &[u32], around: &[Around<u32>]) -> Rows<'_> {
        let neighbours = around.iter().flatten().flatten().flatten();
        let mut all: Vec<u32> = slots.iter().chain(neighbours).copied().collect();
        all.sort_unstable();
        all.dedup();
        let width = self.question.len();
        let mut counts = vec![0.0; all.len() * width];
        if width > 0 {
            for (row, &slot) in counts.chunks_mut(width).zip(&all) {
                self.question.count(slot, row);
            }
        }
        let cosine = |&slot: &u32| match &self.vector {
            Some(vector) if self.is_candidate(slot) => self.state.rows.cosine(vector, slot),
            _ => 0.0,
        };
        Rows {
            question: &self.question,
            cosines: all.iter().map(cosine).collect(),
            slots: all,
            counts,
        }
    }
}
