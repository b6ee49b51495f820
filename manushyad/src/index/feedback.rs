//! What the best answers lend to the question. Only what the caller may see and means lends, and how
//! rare a word is is judged by what the caller may see.

use std::collections::HashMap;

use manushya_core::recall::bm25::idf;
use manushya_core::recall::feedback::{LENDERS, Lent, VECTORS, drawn, taken};
use roaring::RoaringBitmap;

use super::lexical::holding;
use super::search::Search;
use super::top::Scored;
use super::vectors::Unit;

/// Where what a caller may see is chosen memory by memory: how many of those are looked at to tell
/// rare words from common ones. Reading them costs less than counting every word of the lenders.
const SAMPLE: u64 = 256;

/// How rare words are among memories.
struct Rarity {
    documents: u64,
    holding: HashMap<u32, u64>,
}

impl<'a> Search<'a> {
    /// This search for a question that `best` has a part in; `None` if it would be the same.
    pub(super) fn with_feedback(&self, best: &[Scored]) -> Option<Search<'a>> {
        let words = self.words_of(&best[..best.len().min(LENDERS)]);
        let vector = self.vector_towards(&best[..best.len().min(VECTORS)]);
        if words.is_empty() && vector.is_none() {
            return None;
        }
        Some(Search {
            question: self.question.with(&words, self.permitted),
            vector: vector.or_else(|| self.vector.clone()),
            asked: self.vector.clone(),
            ..*self
        })
    }

    /// The terms that `best` lend, with what they tell beside the question's own.
    fn words_of(&self, best: &[Scored]) -> Vec<(u32, f32)> {
        if self.question.is_empty() {
            return Vec::new();
        }
        let sum: f32 = best.iter().map(|scored| scored.score).sum();
        let mut shares: HashMap<u32, f32> = HashMap::new();
        for scored in best {
            let length = self.question.words(scored.slot).max(1.0);
            for of in self.state.postings.terms_of(scored.slot) {
                if !self.question.has(of.term) {
                    let share = scored.score / sum * f32::from(of.count) / length;
                    *shares.entry(of.term).or_default() += share;
                }
            }
        }
        let rarity = self.rarity(&shares);
        let lent = shares.into_iter().map(|(term, share)| {
            let holding = rarity.holding.get(&term).copied().unwrap_or(0);
            Lent {
                // Not the number, which depends on what others have.
                term: (self.state.postings.list(term).key(), term),
                about: share * idf(rarity.documents, holding),
            }
        });
        let taken = taken(lent.collect(), self.question.asked());
        taken
            .iter()
            .map(|&((_, term), weight)| (term, weight))
            .collect()
    }

    /// How many of the memories that the caller may see, or of some evenly spread, have each term.
    fn rarity(&self, shares: &HashMap<u32, f32>) -> Rarity {
        if self.permitted.is_counted() {
            let terms: Vec<u32> = shares.keys().copied().collect();
            let holding = holding(self.state, &terms, self.permitted);
            return Rarity {
                documents: self.permitted.documents,
                holding: terms.into_iter().zip(holding).collect(),
            };
        }
        let slots: &RoaringBitmap = self.permitted.slots.as_ref().unwrap_or(&self.state.live);
        let all = slots.len();
        let documents = all.min(SAMPLE);
        let mut holding: HashMap<u32, u64> = HashMap::with_capacity(shares.len());
        for number in 0..documents {
            let place = number * all / documents;
            let Some(slot) = slots.select(u32::try_from(place).unwrap_or(u32::MAX)) else {
                continue;
            };
            for of in self.state.postings.terms_of(slot) {
                if shares.contains_key(&of.term) {
                    *holding.entry(of.term).or_default() += 1;
                }
            }
        }
        Rarity { documents, holding }
    }

    fn vector_towards(&self, best: &[Scored]) -> Option<Unit> {
        let vector = self.vector.as_ref()?;
        let row = |scored: &Scored| Some((scored.score, self.state.vector(scored.slot)?.widened()));
        let rows: Vec<(f32, Vec<f32>)> = best.iter().filter_map(row).collect();
        if rows.is_empty() {
            return None;
        }
        // Opposites may cancel out; then the question stays as it is.
        Unit::new(&drawn(&vector.widened(), &rows)).ok()
    }
}
