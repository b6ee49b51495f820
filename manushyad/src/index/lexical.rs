//! BM25 over the postings, with the statistics of what the caller may see.

use manushya_core::recall::bm25::{Collection, Params, Scorer, weight};
use manushya_core::recall::telling::telling;
use manushya_core::recall::tokens::Terms;

use roaring::RoaringBitmap;

use super::decide::Permitted;
use super::postings::{Posting, TermOf};
use super::prepared::term_key;
use super::state::State;
use super::top::Mask;

/// What reading one memory's terms costs, in postings read: it is somewhere else in RAM.
const DOCUMENT_COST: u64 = 60;

/// Up to how many memories that are passed over are counted out one by one.
const HIDDEN_FEW: u64 = 256;

/// A term of the question that some memory the caller may see has.
#[derive(Clone, Copy)]
struct QueryTerm {
    term: u32,
    /// Its place in the question's terms.
    place: usize,
    /// Its inverse document frequency, as often as the question has it and as much as it tells.
    weight: f32,
}

/// The words of a question, weighed for one caller.
pub(super) struct Question<'a> {
    state: &'a State,
    scorer: Scorer,
    /// The most telling first: the order in which each memory's score is added up, whichever way
    /// it is computed, so that it comes out the same to the last bit.
    terms: Vec<QueryTerm>,
    /// The same by term.
    places: Places,
    /// What they tell together, however rare they are.
    asked: f32,
    /// The score of a text of common length that has all its own words once, those included that no
    /// memory the caller may see has.
    reach: f32,
    /// Whether some are not its own. Those come in the order of their hashes, which no two processes
    /// share, so that their sum must not depend on the order: it is taken in double precision.
    has_lent: bool,
}

/// From which place on terms are not the question's own.
pub(super) const LENT: usize = usize::MAX / 2;

/// Finds the place of a term among few.
struct Places {
    /// Terms with their places, by term.
    by_term: Vec<(u32, u32)>,
    /// A bit for each term, by its low bits: most terms of a memory are told apart by it alone.
    bits: u64,
}

impl Places {
    fn new(terms: impl Iterator<Item = u32>) -> Self {
        let mut by_term: Vec<(u32, u32)> = terms.zip(0..).collect();
        by_term.sort_unstable();
        let bits = by_term
            .iter()
            .fold(0, |bits, &(term, _)| bits | 1 << (term % 64));
        Self { by_term, bits }
    }

    #[inline]
    fn find(&self, term: u32) -> Option<usize> {
        if self.bits >> (term % 64) & 1 == 0 {
            return None;
        }
        let found = self.by_term.binary_search_by_key(&term, |&(term, _)| term);
        found.ok().map(|at| self.by_term[at].1 as usize)
    }
}

/// The formula's values for the counts and lengths that nearly all memories have.
struct Weights {
    scorer: Scorer,
    table: Vec<f32>,
}

impl Weights {
    const COUNTS: u16 = 4;
    const WORDS: u16 = 256;

    fn new(scorer: Scorer) -> Self {
        let counts = (1..=Self::COUNTS).map(f32::from);
        let row = |count| (0..Self::WORDS).map(move |words| (count, f32::from(words)));
        let table = counts
            .flat_map(row)
            .map(|(count, words)| scorer.weight(count, words));
        Self {
            scorer,
            table: table.collect(),
        }
    }

    #[inline]
    fn weight(&self, posting: &Posting) -> f32 {
        let row = posting.count.wrapping_sub(1);
        if row < Self::COUNTS && posting.words < Self::WORDS {
            self.table[usize::from(row) * usize::from(Self::WORDS) + usize::from(posting.words)]
        } else {
            let (count, words) = (f32::from(posting.count), f32::from(posting.words));
            self.scorer.weight(count, words)
        }
    }
}

impl<'a> Question<'a> {
    /// Weighs `terms` over what is permitted. Nothing else has a part in any number.
    pub fn new(state: &'a State, terms: &Terms, permitted: &Permitted) -> Self {
        let (mut found, mut asked) = (Vec::new(), 0.0);
        for (place, term) in terms.counts.iter().enumerate() {
            if let Some(number) = state.postings.find(term_key(&term.term)) {
                found.push((
                    number,
                    place,
                    term.count as f32 * telling(&term.term, terms.language),
                ));
            }
        }
        let numbers: Vec<u32> = found.iter().map(|&(term, ..)| term).collect();
        let holding = holding(state, &numbers, permitted);
        let mut weighed = Vec::with_capacity(found.len());
        for (&(term, place, times), &holding) in found.iter().zip(&holding) {
            if holding > 0 {
                asked += times;
                weighed.push(QueryTerm {
                    term,
                    place,
                    weight: times * weight(permitted.documents, holding),
                });
            }
        }
        let collection = Collection {
            documents: permitted.documents,
            words: permitted.words,
        };
        let scorer = Scorer::new(Params::default(), collection);
        let own = Self {
            state,
            scorer,
            terms: Vec::new(),
            places: Places::new(std::iter::empty()),
            asked,
            reach: reach(terms, &weighed, permitted.documents),
            has_lent: false,
        };
        own.of(weighed)
    }

    /// The same question of `terms`.
    fn of(&self, mut terms: Vec<QueryTerm>) -> Self {
        terms.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.place.cmp(&b.place)));
        let places = Places::new(terms.iter().map(|term| term.term));
        let has_lent = terms.iter().any(|term| term.place >= LENT);
        Self {
            terms,
            places,
            has_lent,
            ..*self
        }
    }

    /// The same question with more terms, each with what it tells beside its own.
    pub fn with(&self, lent: &[(u32, f32)], permitted: &Permitted) -> Self {
        let numbers: Vec<u32> = lent.iter().map(|&(term, _)| term).collect();
        let holding = holding(self.state, &numbers, permitted);
        let more = (0..).zip(lent).zip(&holding);
        let more = more.map(|((place, &(term, tells)), &holding)| QueryTerm {
            term,
            place: LENT + place,
            weight: tells * weight(permitted.documents, holding),
        });
        let terms = self.terms.iter().copied().chain(more).collect();
        self.of(terms)
    }

    /// Whether it has `term` itself.
    pub fn has(&self, term: u32) -> bool {
        self.places.find(term).is_some()
    }

    /// What its terms tell together, however rare they are.
    pub fn asked(&self) -> f32 {
        self.asked
    }

    /// The score of a text of common length that has all its own words once.
    pub fn reach(&self) -> f32 {
        self.reach
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
        let weights = Weights::new(self.scorer);
        self.terms
            .iter()
            .for_each(|term| self.add(term, &weights, scores));
    }

    fn add(&self, term: &QueryTerm, weights: &Weights, scores: &mut [f32]) {
        for posting in &self.state.postings.list(term.term).list {
            if let Some(score) = scores.get_mut(posting.slot as usize) {
                *score += term.weight * weights.weight(posting);
            }
        }
    }

    /// The score of the memory in `slot`.
    pub fn score(&self, slot: u32) -> f32 {
        if self.has_lent {
            let parts = self.parts(slot);
            return parts.iter().map(|&(_, part)| f64::from(part)).sum::<f64>() as f32;
        }
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

    /// How many terms of it some memory the caller may see has.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// How many words the memory in `slot` has.
    pub fn words(&self, slot: u32) -> f32 {
        f32::from(self.state.words[slot as usize])
    }

    /// Counts its terms in the memory in `slot`, the most telling first.
    pub fn count(&self, slot: u32, counts: &mut [f32]) {
        self.matches(slot, |at, _, count| counts[at] = count);
    }

    /// The score of a text that has the terms so often, of so many words.
    pub fn weigh(&self, counts: &[f32], words: f32) -> f32 {
        let terms = self.terms.iter().zip(counts);
        let standing = terms.filter(|&(_, &count)| count > 0.0);
        let parts = standing.map(|(term, &count)| term.weight * self.scorer.weight(count, words));
        if self.has_lent {
            return parts.map(f64::from).sum::<f64>() as f32;
        }
        parts.sum()
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
            if let Some(at) = self.places.find(term) {
                each(at, self.terms[at].weight, f32::from(count));
            }
        }
    }

    /// Scores every memory as [`Self::score_all`] does, but only those right that reach the
    /// `count`-th best score of `among`; answers how good that is at least. Others' scores may
    /// lack what common words add.
    pub fn score_best(&self, scores: &mut [f32], count: usize, among: &Mask) -> f32 {
        // What the terms from each on can add to a score at most.
        let mut rest: Vec<f32> = self.terms.iter().map(|term| self.bound(term)).collect();
        for at in (1..rest.len()).rev() {
            rest[at - 1] += rest[at];
        }
        rest.push(0.0);
        let weights = Weights::new(self.scorer);
        let mut left = self.postings();
        // No `count`-th best score can be above this, which saves most looks for it.
        let mut ceiling = 0.0;
        for (at, term) in self.terms.iter().enumerate() {
            // A look reads all scores: it must be able to save more.
            if rest[at] < ceiling && left > scores.len() as u64 / 2 {
                let floor = floor_of(scores, count, among);
                if rest[at] < floor && self.complete(scores, floor - rest[at], left) {
                    return floor;
                }
                ceiling = floor;
            }
            self.add(term, &weights, scores);
            left -= self.state.postings.list(term.term).list.len() as u64;
            ceiling += rest[at] - rest[at + 1];
        }
        0.0
    }

    /// Works out the scores that could reach the floor, once those known so far that reach `least`
    /// are all that could. Whether it did: not if reading the `left` postings costs less.
    fn complete(&self, scores: &mut [f32], least: f32, left: u64) -> bool {
        // A little less, since the bound is a sum of rounded numbers.
        let least = (least * 0.9999).max(f32::MIN_POSITIVE);
        let mut reaching = 0;
        above(scores, least, |_, _| {
            reaching += 1;
            None
        });
        if reaching * DOCUMENT_COST > left {
            return false;
        }
        for (slot, score) in scores.iter_mut().enumerate() {
            if *score >= least {
                *score = self.score(slot as u32);
            }
        }
        true
    }

    /// The most that `term` can add to any score.
    fn bound(&self, term: &QueryTerm) -> f32 {
        let list = self.state.postings.list(term.term);
        let (count, words) = (f32::from(list.count_max), f32::from(list.words_min));
        term.weight * self.scorer.weight(count, words) * 1.0001
    }
}

/// The score of a text of common length that has each of `terms` once, of which those not `weighed`
/// stand in none of the `documents`. Summed in the order of the question, whoever has its words.
fn reach(terms: &Terms, weighed: &[QueryTerm], documents: u64) -> f32 {
    let mut weighed = weighed.iter().peekable();
    let unheld = weight(documents, 0);
    let terms = terms.counts.iter().enumerate().map(|(place, term)| {
        let held = weighed.next_if(|held| held.place == place);
        held.map_or_else(
            || term.count as f32 * telling(&term.term, terms.language) * unheld,
            |held| held.weight,
        )
    });
    terms.sum()
}

/// The `count`-th best score of `among`; 0 if fewer have one.
fn floor_of(scores: &[f32], count: usize, among: &Mask) -> f32 {
    let mut best: Vec<f32> = Vec::with_capacity(count * 2);
    above(scores, f32::MIN_POSITIVE, |slot, score| {
        if !among.contains(slot) {
            return None;
        }
        best.push(score);
        if best.len() < count * 2 {
            return None;
        }
        best.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
        best.truncate(count);
        Some(best[count - 1])
    });
    if best.len() < count {
        return 0.0;
    }
    *best
        .select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a))
        .1
}

/// Calls `each` with the slot and score of every score that reaches `floor`, which `each` may
/// raise. Whole blocks below the floor are passed over at the speed of memory.
pub(super) fn above(scores: &[f32], mut floor: f32, mut each: impl FnMut(u32, f32) -> Option<f32>) {
    const BLOCK: usize = 32;
    for (at, block) in scores.chunks(BLOCK).enumerate() {
        let reaches = block
            .iter()
            .fold(0_u32, |any, &score| any | u32::from(score >= floor));
        if reaches == 0 {
            continue;
        }
        for (slot, &score) in ((at * BLOCK) as u32..).zip(block) {
            if score >= floor
                && let Some(raised) = each(slot, score)
            {
                floor = raised;
            }
        }
    }
}

/// How many of the permitted memories have each of `terms`.
pub(super) fn holding(state: &State, terms: &[u32], permitted: &Permitted) -> Vec<u64> {
    let Some(slots) = &permitted.slots else {
        let live = |&term: &u32| u64::from(state.postings.list(term).live);
        return terms.iter().map(live).collect();
    };
    let few = |hidden: &&RoaringBitmap| hidden.len() < HIDDEN_FEW;
    if let Some(hidden) = permitted.hidden.as_ref().filter(few) {
        let places = Places::new(terms.iter().copied());
        let live = |&term: &u32| u64::from(state.postings.list(term).live);
        let mut holding: Vec<u64> = terms.iter().map(live).collect();
        for slot in hidden {
            let terms = state.postings.terms_of(slot).iter();
            terms
                .filter_map(|of| places.find(of.term))
                .for_each(|at| holding[at] -= 1);
        }
        return holding;
    }
    let lists = terms.iter().map(|&term| &state.postings.list(term).list);
    let postings: u64 = lists.clone().map(|list| list.len() as u64).sum();
    if slots.len().saturating_mul(DOCUMENT_COST) < postings {
        let places = Places::new(terms.iter().copied());
        let mut holding = vec![0; terms.len()];
        for slot in slots {
            let terms = state.postings.terms_of(slot).iter();
            terms
                .filter_map(|of| places.find(of.term))
                .for_each(|at| holding[at] += 1);
        }
        return holding;
    }
    let mask = permitted.mask(state);
    lists
        .map(|list| {
            list.iter()
                .map(|posting| u64::from(mask.contains(posting.slot)))
                .sum()
        })
        .collect()
}
