//! BM25 over the postings, with the statistics of what the caller may see.

use manushya_core::recall::bm25::{Collection, Params, Scorer, idf};
use manushya_core::recall::tokens::Terms;
use roaring::RoaringBitmap;

use super::decide::Permitted;
use super::postings::TermOf;
use super::prepared::term_key;
use super::state::State;
use super::top::Mask;

/// What reading one memory's terms costs, in postings read: it is somewhere else in RAM.
const DOCUMENT_COST: u64 = 60;

/// A term of the question that some memory the caller may see has.
struct QueryTerm {
    term: u32,
    /// Its place in the question's terms.
    place: usize,
    /// Its inverse document frequency, as often as the question has it.
    weight: f32,
}

/// The words of a question, weighed for one caller.
pub(super) struct Question<'a> {
    state: &'a State,
    scorer: Scorer,
    /// The most telling first: the order in which each memory's score is added up, whichever way
    /// it is computed, so that it comes out the same to the last bit.
    terms: Vec<QueryTerm>,
    /// The same by term: the term and its place in `terms`.
    by_term: Vec<(u32, u32)>,
}

impl<'a> Question<'a> {
    /// Weighs `terms` over what is permitted. Nothing else has a part in any number.
    pub fn new(state: &'a State, terms: &Terms, permitted: &Permitted) -> Self {
        let mut found = Vec::new();
        for (place, term) in terms.counts.iter().enumerate() {
            if let Some(number) = state.postings.find(term_key(&term.term)) {
                found.push((number, place, term.count as f32));
            }
        }
        let numbers: Vec<u32> = found.iter().map(|&(term, ..)| term).collect();
        let holding = holding(state, &numbers, permitted.slots.as_ref());
        let mut weighed = Vec::with_capacity(found.len());
        for (&(term, place, times), &holding) in found.iter().zip(&holding) {
            if holding > 0 {
                let weight = times * idf(permitted.documents, holding);
                weighed.push(QueryTerm {
                    term,
                    place,
                    weight,
                });
            }
        }
        weighed.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.place.cmp(&b.place)));
        let mut by_term: Vec<(u32, u32)> = weighed
            .iter()
            .zip(0..)
            .map(|(term, at)| (term.term, at))
            .collect();
        by_term.sort_unstable();
        let collection = Collection {
            documents: permitted.documents,
            words: permitted.words,
        };
        Self {
            state,
            scorer: Scorer::new(Params::default(), collection),
            terms: weighed,
            by_term,
        }
    }

    /// Whether no memory the caller may see has a word of it.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// How many postings it would read.
    pub fn postings(&self) -> u64 {
        let len = |term: &QueryTerm| self.state.postings.list(term.term).list.len() as u64;
        self.terms.iter().map(len).sum()
    }

    /// Whether scoring `documents` one by one costs less than reading the postings.
    pub fn prefers_documents(&self, documents: u64) -> bool {
        documents.saturating_mul(DOCUMENT_COST) < self.postings() + self.state.slots() as u64 / 8
    }

    /// Adds the score of every memory to its place in `scores`, removed ones' too.
    pub fn score_all(&self, scores: &mut [f32]) {
        self.terms.iter().for_each(|term| self.add(term, scores));
    }

    fn add(&self, term: &QueryTerm, scores: &mut [f32]) {
        for posting in &self.state.postings.list(term.term).list {
            let (count, words) = (f32::from(posting.count), f32::from(posting.words));
            if let Some(score) = scores.get_mut(posting.slot as usize) {
                *score += term.weight * self.scorer.weight(count, words);
            }
        }
    }

    /// The score of the memory in `slot`.
    pub fn score(&self, slot: u32) -> f32 {
        let words = f32::from(self.state.words[slot as usize]);
        let mut parts = [0.0_f32; 16];
        if self.terms.len() <= parts.len() {
            self.matches(slot, |at, weight, count| {
                parts[at] = weight * self.scorer.weight(count, words);
            });
            return parts.iter().sum();
        }
        self.parts(slot).iter().map(|&(_, part)| part).sum()
    }

    /// What each term of the question adds, with its place there, the most telling first.
    pub fn parts(&self, slot: u32) -> Vec<(usize, f32)> {
        let words = f32::from(self.state.words[slot as usize]);
        let mut found = Vec::new();
        self.matches(slot, |at, weight, count| {
            found.push((at, weight * self.scorer.weight(count, words)));
        });
        found.sort_unstable_by_key(|&(at, _)| at);
        let placed = |&(at, part): &(usize, f32)| (self.terms[at].place, part);
        found.iter().map(placed).collect()
    }

    fn matches(&self, slot: u32, mut each: impl FnMut(usize, f32, f32)) {
        for &TermOf { term, count } in self.state.postings.terms_of(slot) {
            if let Ok(found) = self.by_term.binary_search_by_key(&term, |&(term, _)| term) {
                let at = self.by_term[found].1 as usize;
                each(at, self.terms[at].weight, f32::from(count));
            }
        }
    }

    /// Scores every memory as [`Self::score_all`] does, but only those right that reach the
    /// `count`-th best score of `among`; answers how good that is at least. Others' scores may lack what
    /// common words add.
    pub fn score_best(&self, scores: &mut [f32], count: usize, among: &Mask) -> f32 {
        // What the terms from each on can add to a score at most.
        let mut rest: Vec<f32> = self.terms.iter().map(|term| self.bound(term)).collect();
        for at in (1..rest.len()).rev() {
            rest[at - 1] += rest[at];
        }
        rest.push(0.0);
        let mut floor = 0.0;
        for (at, term) in self.terms.iter().enumerate() {
            let len = self.state.postings.list(term.term).list.len();
            // Looking for the floor reads all scores once; it must be able to save more.
            if at > 0 && len > scores.len() / 8 {
                floor = floor_of(scores, count, among);
                if rest[at] < floor {
                    self.complete(at, scores, floor - rest[at]);
                    return floor;
                }
            }
            self.add(term, scores);
        }
        floor
    }

    /// Works out the scores that could reach the floor, once those of the first `from` terms are
    /// known to reach `least`.
    fn complete(&self, from: usize, scores: &mut [f32], least: f32) {
        debug_assert!(from > 0);
        // A little less, since the bound is a sum of rounded numbers.
        let least = least * 0.9999;
        for (slot, score) in scores.iter_mut().enumerate() {
            if *score >= least && *score > 0.0 {
                *score = self.score(slot as u32);
            }
        }
    }

    /// The most that `term` can add to any score.
    fn bound(&self, term: &QueryTerm) -> f32 {
        let list = self.state.postings.list(term.term);
        let (count, words) = (f32::from(list.count_max), f32::from(list.words_min));
        term.weight * self.scorer.weight(count, words) * 1.0001
    }
}

/// The `count`-th best score of `among`; 0 if fewer have one.
fn floor_of(scores: &[f32], count: usize, among: &Mask) -> f32 {
    let mut best: Vec<f32> = Vec::with_capacity(count * 2);
    let mut floor = 0.0;
    for (slot, &score) in scores.iter().enumerate() {
        if score > floor && among.contains(slot as u32) {
            best.push(score);
            if best.len() == count * 2 {
                best.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
                best.truncate(count);
                floor = best[count - 1];
            }
        }
    }
    if best.len() < count {
        return 0.0;
    }
    *best
        .select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a))
        .1
}

/// How many of the permitted memories have each of `terms`.
fn holding(state: &State, terms: &[u32], slots: Option<&RoaringBitmap>) -> Vec<u64> {
    let Some(slots) = slots else {
        let live = |&term: &u32| u64::from(state.postings.list(term).live);
        return terms.iter().map(live).collect();
    };
    let lists = terms.iter().map(|&term| &state.postings.list(term).list);
    let postings: u64 = lists.clone().map(|list| list.len() as u64).sum();
    if slots.len().saturating_mul(DOCUMENT_COST) < postings {
        let mut places: Vec<(u32, usize)> = terms.iter().copied().zip(0..).collect();
        places.sort_unstable();
        let mut holding = vec![0; terms.len()];
        for slot in slots {
            for of_slot in state.postings.terms_of(slot) {
                let found = places.binary_search_by_key(&of_slot.term, |&(term, _)| term);
                if let Ok(found) = found {
                    holding[places[found].1] += 1;
                }
            }
        }
        return holding;
    }
    let mask = Mask::of(slots);
    lists
        .map(|list| {
            list.iter()
                .map(|posting| u64::from(mask.contains(posting.slot)))
                .sum()
        })
        .collect()
}
