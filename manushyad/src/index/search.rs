//! The planner: few candidates are compared one by one, many go through postings and graph.

use std::borrow::Cow;

use manushya_core::recall::episode::Turn;
use manushya_core::recall::fuse::{Fused, Fusion, Mode, Raw, Weights};
use manushya_core::recall::rank::Factors;
use manushya_core::recall::tokens::Terms;
use manushya_protocol::id::MemoryId;
use manushya_protocol::limits::SEARCH_LIMIT_MAX;
use manushya_protocol::unit::UnixMillis;
use parking_lot::Mutex;
use roaring::RoaringBitmap;

use super::decide::{self, Permitted};
use super::lexical::{Question, above};
use super::permit::{AttributeFilter, Permit, Rule};
use super::ranking::{Collapse, Left, Ranking};
use super::state::{GraphPart, State};
use super::tenant::IndexOptions;
use super::top::{Mask, Scored, Top};
use super::vectors::{NEAREST_MAX, Unit, VectorError, VectorIndex};

/// One question of one caller.
pub struct SearchRequest<'a, 'p, 'r> {
    /// The terms of the question.
    pub terms: &'a Terms,
    /// The vector of the question; none if it carries no meaning.
    pub vector: Option<&'a [f32]>,
    /// What counts.
    pub mode: Mode,
    /// How many results, 1 to 1000; other numbers are taken as the nearest of these.
    pub limit: usize,
    /// Which memories are meant.
    pub filter: &'a AttributeFilter,
    /// Which memories the caller may see.
    pub permit: Permit<'p>,
    /// The caller's own rule, asked only about memories the caller may see.
    pub rule: Option<Rule<'r>>,
    /// When it is asked: what has expired by then is not found.
    pub now: UnixMillis,
    /// Results scored below are dropped.
    pub min_score: Option<f32>,
    /// Whether to show the parts of each score, and what left.
    pub explain: bool,
    /// What counts beside the question.
    pub ranking: Ranking,
}

/// One result.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The memory.
    pub id: MemoryId,
    /// The version that was found.
    pub version: u32,
    /// How well it answers, above 0 to 1.
    pub score: f32,
    /// How many more that say the same were found.
    pub duplicates: u32,
    /// The candidates beside it in its session, in their order, if asked for.
    pub around: Vec<Neighbour>,
    /// The parts of the score, if asked for.
    pub parts: Option<Parts>,
}

/// A memory that stands beside a result in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The memory.
    pub id: MemoryId,
    /// Its version.
    pub version: u32,
    /// How far it is after the result, or, if negative, before.
    pub offset: i8,
}

/// The parts of a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// The raw scores, with what the neighbours in its session add.
    pub turn: Turn,
    /// The scores that count as shares of the best of the answer, and their sum.
    pub fused: Fused,
    /// The cosine to the question itself, without feedback.
    pub cosine: f32,
    /// How much each part counts.
    pub weights: Weights,
    /// What their sum was multiplied by.
    pub factors: Factors,
    /// How near it is to the nearest result before it, if the results were diversified.
    pub sameness: Option<f32>,
    /// What each term of the question added to BM25, the most telling first.
    pub terms: Vec<TermPart>,
}

/// What one term added to BM25.
#[derive(Clone, Debug, PartialEq)]
pub struct TermPart {
    /// The stemmed word of the question.
    pub term: String,
    /// What it added.
    pub score: f32,
}

/// The answer to a [`SearchRequest`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchOutcome {
    /// The results, best first.
    pub hits: Vec<Hit>,
    /// What left and why, if the search was to be explained.
    pub left: Option<Left>,
    /// How many of the memories that are meant, and that the caller may see, have no vector yet.
    pub behind: u64,
}

/// Buffers of scores, so that a search of a large index need not ask for memory.
#[derive(Default)]
pub(super) struct Scratch(Mutex<Vec<Vec<f32>>>);

impl Scratch {
    /// Lends `len` zeros to `work`.
    fn lend<T>(&self, len: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
        let mut buffer = self.0.lock().pop().unwrap_or_default();
        buffer.clear();
        buffer.resize(len, 0.0);
        let result = work(&mut buffer);
        let mut buffers = self.0.lock();
        if buffers.len() < 4 {
            buffers.push(buffer);
        }
        result
    }
}

/// The live slots that are meant and permitted; `None` if they are all the live ones.
pub(super) fn candidates(
    state: &State,
    filter: &AttributeFilter,
    rule: Option<&mut Rule<'_>>,
    permitted: &Permitted,
    now: UnixMillis,
) -> Option<RoaringBitmap> {
    let meant = state.attributes.select(filter, &state.live);
    let both = match (meant, &permitted.slots) {
        (Some(meant), Some(permitted)) => Some(meant & permitted),
        (Some(meant), None) => Some(meant),
        (None, permitted) => permitted.clone(),
    };
    match rule {
        Some(rule) => {
            let among = both.as_ref().unwrap_or(&state.live);
            Some(decide::narrow(state, rule, now.0, among))
        }
        None => both,
    }
}

/// One search under way.
pub(super) struct Search<'a> {
    pub(super) state: &'a State,
    pub(super) options: &'a IndexOptions,
    pub(super) scratch: &'a Scratch,
    pub(super) question: Question<'a>,
    pub(super) vector: Option<Unit>,
    /// The vector of the question itself, whatever has a part in it by now.
    pub(super) asked: Option<Unit>,
    pub(super) mode: Mode,
    pub(super) limit: usize,
    pub(super) min_score: f32,
    pub(super) permitted: &'a Permitted,
    pub(super) candidates: Option<&'a RoaringBitmap>,
    pub(super) ranking: Ranking,
    pub(super) now: UnixMillis,
}

/// Up to how many candidates are all scored with their neighbours.
const ALL_WITH_NEIGHBOURS: usize = 256;

/// What was scored: slots in order and their scores.
pub(super) struct Pool {
    pub slots: Vec<u32>,
    pub turns: Vec<Turn>,
}

impl Pool {
    fn push(&mut self, slot: u32, turn: Turn) {
        self.slots.push(slot);
        self.turns.push(turn);
    }
}

/// Answers `request`.
pub(super) fn search(
    state: &State,
    options: &IndexOptions,
    scratch: &Scratch,
    mut request: SearchRequest<'_, '_, '_>,
) -> Result<SearchOutcome, VectorError> {
    let vector = request.vector.map(Unit::new).transpose()?;
    if let Some(vector) = &vector {
        vector.check_dims(state.dims)?;
    }
    let visibility = request.ranking.visibility;
    let permitted = decide::permitted(state, &mut request.permit, request.now.0, visibility);
    let rule = request.rule.as_mut();
    let candidates = candidates(state, request.filter, rule, &permitted, request.now);
    let words = Terms::default();
    let terms = if request.mode.uses_words() {
        request.terms
    } else {
        &words
    };
    let search = Search {
        state,
        options,
        scratch,
        question: Question::new(state, terms, &permitted),
        asked: None,
        vector: vector.filter(|_| request.mode.uses_vectors()),
        mode: request.mode,
        limit: request.limit.clamp(1, SEARCH_LIMIT_MAX as usize),
        min_score: request.min_score.unwrap_or(0.0),
        permitted: &permitted,
        candidates: candidates.as_ref(),
        ranking: request.ranking,
        now: request.now,
    };
    let pool = search.run();
    Ok(search.answer(&pool, request.explain.then_some(terms)))
}

/// Of how many memories the neighbours are looked at, at the least.
const PROMISING_MIN: usize = 24;

impl Search<'_> {
    /// How many candidates wait for their vector.
    pub(super) fn behind(&self) -> u64 {
        let lacking = &self.state.pending - self.state.rows.present();
        match self.candidates {
            Some(slots) => slots.intersection_len(&lacking),
            None => lacking.len(),
        }
    }

    /// How many candidates there are.
    pub(super) fn count(&self) -> u64 {
        match self.candidates {
            Some(slots) => slots.len(),
            None => self.state.live.len(),
        }
    }

    fn run(&self) -> Pool {
        let count = self.count();
        if count == 0 || (self.question.is_empty() && self.vector.is_none()) {
            let (slots, turns) = (Vec::new(), Vec::new());
            return Pool { slots, turns };
        }
        match (&self.vector, &self.state.graph) {
            (None, _) if self.reads_postings(count) => self.by_postings(),
            (Some(vector), Some(graph)) if count > self.options.scan_max => self
                .by_graph(vector, graph)
                .unwrap_or_else(|| self.one_by_one()),
            _ => self.one_by_one(),
        }
    }

    /// Whether to look for `count` candidates in the postings. Where more counts than a memory by
    /// itself, the two ways look at different numbers of them, so that what others have must not
    /// decide between them.
    fn reads_postings(&self, count: u64) -> bool {
        let shown_once = self.ranking.collapse != Collapse::None;
        if self.has_episodes() || shown_once || self.reach() > self.limit {
            count > ALL_WITH_NEIGHBOURS as u64
        } else {
            !self.question.prefers_documents(count)
        }
    }

    pub(super) fn fusion(&self) -> Fusion {
        Fusion::new(self.mode, self.options.weights, self.question.reach())
    }

    pub(super) fn mask(&self) -> Cow<'_, Mask> {
        match &self.candidates {
            Some(slots) if slots.len() < self.permitted.documents => Cow::Owned(Mask::of(slots)),
            // As many as are permitted are all that are.
            _ => Cow::Borrowed(self.permitted.mask(self.state)),
        }
    }

    /// Words only: the best of all postings.
    fn by_postings(&self) -> Pool {
        let slots = self.pool_of_words(self.wanted(), &self.mask());
        self.score_pool(&slots)
    }

    /// How many of the best by one kind of score are looked at more closely.
    pub(super) fn wanted(&self) -> usize {
        (self.reach() * 4).clamp(48, NEAREST_MAX.max(self.limit))
    }

    /// The best `count` candidates by words, and those that others are neighbours of that are the
    /// best of all that the caller may see.
    fn pool_of_words(&self, count: usize, mask: &Mask) -> Vec<u32> {
        let mut best = self.best_by_words(count, mask);
        let narrowed = self.candidates;
        if self.has_episodes() && narrowed.is_some_and(|few| few.len() < self.permitted.documents) {
            best.extend(self.best_by_words(count, self.permitted.mask(self.state)));
        }
        best.iter().map(|scored| scored.slot).collect()
    }

    /// The best of `slots` and their neighbours. A memory is lifted by its neighbours only next to one
    /// that answers well by itself, so that those decide whose neighbours are looked at.
    fn score_pool(&self, slots: &[u32]) -> Pool {
        let mut pool = slots.to_vec();
        pool.sort_unstable();
        pool.dedup();
        let own = |&slot: &u32| Turn::alone(self.own(slot));
        if !self.has_episodes() {
            pool.retain(|&slot| self.is_candidate(slot));
            let turns = pool.iter().map(own).collect();
            return Pool { slots: pool, turns };
        }
        let turns: Vec<Turn> = pool.iter().map(own).collect();
        let promising = if self.count() <= ALL_WITH_NEIGHBOURS as u64 {
            self.with_neighbours(&pool)
        } else {
            let count = (self.limit * 2).max(PROMISING_MIN);
            let (_, best) = self.best(count, 0.0, &pool, &turns);
            let best: Vec<u32> = best.iter().map(|scored| scored.slot).collect();
            self.with_neighbours(&best)
        };
        let lifted = self.turns(&promising);
        let mut all = Pool {
            slots: Vec::new(),
            turns: Vec::new(),
        };
        // What is not meant may lift its neighbours, but is no result.
        let meant = |(slot, _): &(&u32, Turn)| self.is_candidate(**slot);
        let mut rest = pool.iter().zip(turns).filter(meant).peekable();
        for (&slot, turn) in promising.iter().zip(lifted) {
            while let Some((&before, own)) = rest.next_if(|(other, _)| **other < slot) {
                all.push(before, own);
            }
            rest.next_if(|(other, _)| **other == slot);
            all.push(slot, turn);
        }
        rest.for_each(|(&slot, own)| all.push(slot, own));
        all
    }

    /// The scores of the memory in `slot` by itself.
    pub(super) fn own(&self, slot: u32) -> Raw {
        let bm25 = if self.question.is_empty() {
            0.0
        } else {
            self.question.score(slot)
        };
        let vector = self.vector.as_ref();
        Raw {
            bm25,
            cosine: vector.map_or(0.0, |vector| self.state.rows.cosine(vector, slot)),
        }
    }

    /// The best `count` candidates by BM25, best first.
    fn best_by_words(&self, count: usize, mask: &Mask) -> Vec<Scored> {
        if self.question.is_empty() {
            return Vec::new();
        }
        self.scratch.lend(self.state.slots(), |scores| {
            let floor = self.question.score_best(scores, count, mask);
            let mut top = Top::new(count, floor);
            above(scores, top.floor(), |slot, score| {
                if mask.contains(slot) {
                    let id = self.state.ids[slot as usize];
                    top.show(Scored { score, id, slot });
                }
                Some(top.floor())
            });
            top.finish()
        })
    }

    /// Every candidate, exactly.
    fn one_by_one(&self) -> Pool {
        let slots: Vec<u32> = match self.candidates {
            Some(slots) => slots.iter().collect(),
            None => self.state.live.iter().collect(),
        };
        let mut raws = vec![Raw::default(); slots.len()];
        if !self.question.is_empty() {
            if self.question.prefers_documents(slots.len() as u64) {
                for (raw, &slot) in raws.iter_mut().zip(&slots) {
                    raw.bm25 = self.question.score(slot);
                }
            } else {
                self.scratch.lend(self.state.slots(), |scores| {
                    self.question.score_all(scores);
                    for (raw, &slot) in raws.iter_mut().zip(&slots) {
                        raw.bm25 = scores[slot as usize];
                    }
                });
            }
        }
        if let Some(vector) = &self.vector {
            for (raw, &slot) in raws.iter_mut().zip(&slots) {
                raw.cosine = self.state.rows.cosine(vector, slot);
            }
        }
        self.with_turns(slots, &raws)
    }

    /// The best of `slots`, of which the promising ones are scored with their neighbours.
    fn with_turns(&self, slots: Vec<u32>, raws: &[Raw]) -> Pool {
        let mut turns: Vec<Turn> = raws.iter().copied().map(Turn::alone).collect();
        if !self.has_episodes() {
            return Pool { slots, turns };
        }
        if slots.len() <= ALL_WITH_NEIGHBOURS {
            let turns = self.turns(&slots);
            return Pool { slots, turns };
        }
        let (_, best) = self.best(self.wanted(), 0.0, &slots, &turns);
        let best: Vec<u32> = best.iter().map(|scored| scored.slot).collect();
        let promising = self.with_neighbours(&best);
        for (slot, turn) in promising.iter().zip(self.turns(&promising)) {
            if let Ok(at) = slots.binary_search(slot) {
                turns[at] = turn;
            }
        }
        Pool { slots, turns }
    }

    /// The best `count` of `slots` by the question alone that score at least `floor`.
    pub(super) fn best(
        &self,
        count: usize,
        floor: f32,
        slots: &[u32],
        turns: &[Turn],
    ) -> (Fusion, Vec<Scored>) {
        let mut fusion = self.fusion();
        let raws: Vec<Raw> = turns.iter().map(Turn::whole).collect();
        raws.iter().for_each(|&raw| fusion.see(raw));
        let mut top = Top::new(count, floor);
        for (&slot, &raw) in slots.iter().zip(&raws) {
            let score = fusion.fuse(raw).score;
            if score >= top.floor() {
                let id = self.state.ids[slot as usize];
                top.show(Scored { score, id, slot });
            }
        }
        (fusion, top.finish())
    }

    /// The best by words and the nearest by vector, each more than are wanted, and of these the
    /// best by both. `None` if the graph cannot serve: too few of its neighbours are candidates.
    fn by_graph(&self, vector: &Unit, graph: &GraphPart) -> Option<Pool> {
        let wanted = self.wanted();
        let mask = self.mask();
        let mut slots = self.nearest(vector, graph, wanted, &mask)?;
        slots.extend(self.pool_of_words(wanted, &mask));
        Some(self.score_pool(&slots))
    }

    /// The nearest candidates: from the graph, and of the tail that it does not have yet.
    pub(super) fn nearest(
        &self,
        vector: &Unit,
        graph: &GraphPart,
        wanted: usize,
        mask: &Mask,
    ) -> Option<Vec<u32>> {
        let inside = match &self.candidates {
            Some(slots) => slots.intersection_len(&graph.members),
            None => graph.members.len(),
        };
        // So many of the nearest must be asked for that enough of them are candidates.
        let share = inside as f64 / graph.entries.len().max(1) as f64;
        let ask = (wanted as f64 / share * 1.25).ceil();
        if share < 1.0 && ask > NEAREST_MAX as f64 {
            return None;
        }
        let near = match graph.graph.nearest(vector, (ask as usize).min(NEAREST_MAX)) {
            Ok(near) => near,
            Err(error) => {
                tracing::warn!(%error, "Vector graph failed; comparing vectors one by one.");
                return None;
            }
        };
        let candidate = |slot: &u32| graph.members.contains(*slot) && mask.contains(*slot);
        let slots = near
            .iter()
            .filter_map(|near| graph.slot_of(near.key))
            .filter(candidate);
        let mut slots: Vec<u32> = slots.collect();
        if (slots.len() as u64) < inside.min(wanted.min(self.limit * 2) as u64) {
            return None;
        }
        let mut top = Top::new(wanted, 0.0);
        for slot in self.state.tail.iter().filter(|&slot| mask.contains(slot)) {
            let score = self.state.rows.cosine(vector, slot);
            if score >= top.floor() {
                let id = self.state.ids[slot as usize];
                top.show(Scored { score, id, slot });
            }
        }
        slots.extend(top.finish().iter().map(|scored| scored.slot));
        Some(slots)
    }
}
