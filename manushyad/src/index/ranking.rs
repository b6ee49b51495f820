//! From what was scored to the results: feedback, what counts beside the question, and results that
//! say the same.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use manushya_core::recall::episode::{REACH, Turn};
use manushya_core::recall::fuse::{Fusion, Raw, rank};
use manushya_core::recall::rank::{About, Boost, Factors, diverse};
use manushya_core::recall::tokens::Terms;
use manushya_protocol::id::MemoryId;

use super::lexical::LENT;
use super::permit::Visibility;
use super::search::{Hit, Neighbour, Parts, Pool, Search, SearchOutcome, TermPart};
use super::top::{Scored, Top};
use super::vectors::Unit;

/// What counts beside the question. By default nothing does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ranking {
    /// What scores are multiplied by.
    pub boost: Boost,
    /// How much it counts against a result that it resembles a better one, 0 to 1.
    pub diversify: Option<f32>,
    /// Which results are shown once.
    pub collapse: Collapse,
    /// Which versions of the truth are searched.
    pub visibility: Visibility,
    /// How many candidates on each side of a result in its session are named, at most 2.
    pub around: usize,
}

/// Which results are shown once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Collapse {
    /// None: each is shown.
    #[default]
    None,
    /// Those that have the same words in the same order.
    Words,
    /// Those, and others whose vectors have at least this cosine.
    Cosine(f32),
}

/// What is not in an answer and why: numbers of memories that the caller may see.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Left {
    /// Memories that the caller may search.
    pub searchable: u64,
    /// Of these, those that the filter left out.
    pub filter: u64,
    /// Of the others, those that were not near enough to be looked at, or scored nothing.
    pub unlike: u64,
    /// Scored below the floor.
    pub floor: u64,
    /// Saying the same as a better result.
    pub duplicate: u64,
    /// Worse than the results, or more like others.
    pub limit: u64,
    /// The best of those that left for the last three reasons.
    pub nearest: Vec<Out>,
}

/// Why a memory that was scored is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its score.
    Floor,
    /// It says the same as this result.
    Duplicate(MemoryId),
    /// There are better ones.
    Limit,
}

/// A memory that was nearly a result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Out {
    /// The memory.
    pub id: MemoryId,
    /// Its score.
    pub score: f32,
    /// Why.
    pub reason: Reason,
}

/// How many of those that left are named.
const NAMED_MAX: usize = 10;
/// How many are scored once more with feedback, at the least.
const AGAIN_MIN: usize = 32;

/// What stands in the parts of a score for the words that the best answers lend.
const FEEDBACK: &str = "(feedback)";

/// One of the best, and the others that say the same.
struct Kept {
    scored: Scored,
    duplicates: u32,
    sameness: Option<f32>,
}

/// The best of what was scored.
struct Round<'a> {
    pool: &'a Pool,
    fusion: Fusion,
    kept: Vec<Kept>,
    /// Those that say the same as one that was kept.
    same: Vec<(Scored, MemoryId)>,
    /// Those that were kept and not chosen.
    rest: Vec<Scored>,
    /// Whether there are no more.
    is_all: bool,
}

impl Search<'_> {
    /// How many of the best are looked at, so that enough stay.
    pub(super) fn reach(&self) -> usize {
        let (wide, most) = (self.limit * 4, self.limit + 200);
        match (self.ranking.diversify, self.ranking.collapse) {
            (Some(_), _) => wide.min(most),
            _ if !self.ranking.boost.is_none() => wide.min(most),
            (None, Collapse::None) => self.limit,
            // Few say the same word for word; many may mean the same.
            (None, Collapse::Words) => self.limit + 4,
            (None, Collapse::Cosine(_)) => self.limit * 2,
        }
    }

    /// The results of `pool`, with the parts of their scores if the question's `terms` are given.
    pub(super) fn answer(&self, pool: &Pool, terms: Option<&Terms>) -> SearchOutcome {
        let mut reach = self.reach();
        loop {
            let fed = self.fed(pool, reach);
            let (search, again) = match &fed {
                Some((fed, again)) => (fed, again),
                None => (self, pool),
            };
            let mut round = search.round(again, reach);
            if round.kept.len() < self.limit && !round.is_all {
                reach = reach.saturating_mul(4);
                continue;
            }
            search.choose(&mut round);
            let hits = round
                .kept
                .iter()
                .map(|kept| search.hit(&round, kept, terms));
            let hits: Vec<Hit> = hits.collect();
            let left = terms.map(|_| search.left(pool, &round));
            return SearchOutcome {
                hits,
                left,
                behind: self.behind(),
            };
        }
    }

    /// The best of `pool` once more, for a question that its best answers have a part in, and that
    /// question.
    fn fed(&self, pool: &Pool, reach: usize) -> Option<(Search<'_>, Pool)> {
        if !self.options.feedback || pool.slots.is_empty() {
            return None;
        }
        let count = reach.max(AGAIN_MIN);
        let (_, best) = self.best(count, 0.0, &pool.slots, &pool.turns);
        let fed = self.with_feedback(&best)?;
        let mut slots: Vec<u32> = best.iter().map(|scored| scored.slot).collect();
        slots.sort_unstable();
        let turns = if fed.has_episodes() {
            fed.turns(&slots)
        } else {
            let own = |&slot: &u32| Turn::alone(fed.own(slot));
            slots.iter().map(own).collect()
        };
        Some((fed, Pool { slots, turns }))
    }

    /// The best of `pool` that say different things.
    fn round<'p>(&self, pool: &'p Pool, reach: usize) -> Round<'p> {
        let (fusion, ranked) = self.ranked(pool, reach, self.min_score);
        let is_all = ranked.len() < reach;
        let mut kept: Vec<Kept> = Vec::with_capacity(ranked.len());
        let mut same = Vec::new();
        let mut places: HashMap<u64, usize> = HashMap::new();
        for scored in ranked {
            if let Some(place) = self.same_as(&scored, &kept, &mut places) {
                kept[place].duplicates += 1;
                same.push((scored, kept[place].scored.id));
                continue;
            }
            kept.push(Kept {
                scored,
                duplicates: 0,
                sameness: None,
            });
        }
        Round {
            pool,
            fusion,
            kept,
            same,
            rest: Vec::new(),
            is_all,
        }
    }

    /// The place of the one in `kept` that says the same.
    fn same_as(
        &self,
        scored: &Scored,
        kept: &[Kept],
        places: &mut HashMap<u64, usize>,
    ) -> Option<usize> {
        if self.ranking.collapse == Collapse::None {
            return None;
        }
        match places.entry(self.state.prints[scored.slot as usize]) {
            Entry::Occupied(place) => return Some(*place.get()),
            Entry::Vacant(place) => {
                place.insert(kept.len());
            }
        }
        let Collapse::Cosine(least) = self.ranking.collapse else {
            return None;
        };
        let vector = self.state.vector(scored.slot)?;
        let near = |kept: &Kept| self.state.rows.cosine(&vector, kept.scored.slot) >= least;
        let place = kept.iter().position(near)?;
        places.insert(self.state.prints[scored.slot as usize], place);
        Some(place)
    }

    /// The best `count` of `pool` with everything that counts, of those that score at least `floor`.
    fn ranked(&self, pool: &Pool, count: usize, floor: f32) -> (Fusion, Vec<Scored>) {
        let boost = &self.ranking.boost;
        if boost.is_none() {
            return self.best(count, floor, &pool.slots, &pool.turns);
        }
        let mut fusion = self.fusion();
        let raws: Vec<Raw> = pool.turns.iter().map(Turn::whole).collect();
        raws.iter().for_each(|&raw| fusion.see(raw));
        let mut top = Top::new(count, floor);
        for (&slot, &raw) in pool.slots.iter().zip(&raws) {
            let score = fusion.fuse(raw).score * self.factors(slot).product();
            let id = self.state.ids[slot as usize];
            top.show(Scored { score, id, slot });
        }
        (fusion, top.finish())
    }

    fn factors(&self, slot: u32) -> Factors {
        let attributes = &self.state.attributes;
        let made = attributes.created_at[slot as usize];
        self.ranking.boost.factors(&About {
            age_ms: self.now.0.saturating_sub(made),
            trust: attributes.trust_of(slot),
            importance: attributes.importance_of(slot),
        })
    }

    /// Keeps as many as are asked for: the best, or those that differ most from each other.
    fn choose(&self, round: &mut Round<'_>) {
        let Some(share) = self.ranking.diversify else {
            let rest = round.kept.drain(self.limit.min(round.kept.len())..);
            round.rest = rest.map(|kept| kept.scored).collect();
            return;
        };
        let scores: Vec<f32> = round.kept.iter().map(|kept| kept.scored.score).collect();
        let vector = |kept: &Kept| self.state.vector(kept.scored.slot);
        let vectors: Vec<Option<Unit>> = round.kept.iter().map(vector).collect();
        let alike = |a: usize, b: usize| match (&vectors[a], &vectors[b]) {
            (Some(a), Some(b)) => a.cosine(b.values()),
            _ => 0.0,
        };
        let chosen = diverse(&scores, share.clamp(0.0, 1.0), self.limit, alike);
        let mut all: Vec<Option<Kept>> = round.kept.drain(..).map(Some).collect();
        for (number, chosen) in chosen.iter().enumerate() {
            round.kept.extend(all[chosen.at].take().map(|kept| Kept {
                sameness: (number > 0).then_some(chosen.sameness),
                ..kept
            }));
        }
        let rest = all.into_iter().flatten();
        round.rest = rest.map(|kept| kept.scored).collect();
    }

    fn hit(&self, round: &Round<'_>, kept: &Kept, terms: Option<&Terms>) -> Hit {
        let slot = kept.scored.slot;
        Hit {
            id: kept.scored.id,
            version: self.state.versions[slot as usize],
            score: kept.scored.score,
            duplicates: kept.duplicates,
            around: self.beside(slot),
            parts: terms.map(|terms| self.explain(round, kept, terms)),
        }
    }

    /// The candidates beside `slot` in its session, in their order.
    fn beside(&self, slot: u32) -> Vec<Neighbour> {
        let reach = self.ranking.around.min(REACH);
        if reach == 0 || !self.has_episodes() {
            return Vec::new();
        }
        let around = self.around(slot);
        let named = |offset: i8, slot: Option<u32>| {
            let slot = slot.filter(|&slot| self.is_candidate(slot))?;
            Some(Neighbour {
                id: self.state.ids[slot as usize],
                version: self.state.versions[slot as usize],
                offset,
            })
        };
        let at = |distance: i8, side: usize| around[distance as usize - 1][side];
        let before = (1..=reach as i8).rev().map(|d| named(-d, at(d, 0)));
        let after = (1..=reach as i8).map(|d| named(d, at(d, 1)));
        before.chain(after).flatten().collect()
    }

    fn explain(&self, round: &Round<'_>, kept: &Kept, terms: &Terms) -> Parts {
        let slot = kept.scored.slot;
        let at = round.pool.slots.binary_search(&slot).ok();
        let turn = at.map_or_else(Turn::default, |at| round.pool.turns[at]);
        let mut parts: Vec<TermPart> = Vec::new();
        let mut lent = 0.0_f64;
        for (place, score) in self.question.parts(slot) {
            match terms.counts.get(place) {
                Some(term) if place < LENT => parts.push(TermPart {
                    term: term.term.clone(),
                    score,
                }),
                _ => lent += f64::from(score),
            }
        }
        if lent > 0.0 {
            // The index has no words: what the best answers share is known by its hashes only.
            let term = FEEDBACK.to_owned();
            let score = lent as f32;
            parts.push(TermPart { term, score });
        }
        let asked = self.asked.as_ref().or(self.vector.as_ref());
        Parts {
            cosine: asked.map_or(0.0, |asked| self.state.rows.cosine(asked, slot)),
            turn,
            fused: round.fusion.fuse(turn.whole()),
            weights: round.fusion.weights(),
            factors: self.factors(slot),
            sameness: kept.sameness,
            terms: parts,
        }
    }

    /// Why the others of `pool`, which is what was scored at first, are not among the results.
    fn left(&self, pool: &Pool, round: &Round<'_>) -> Left {
        let count = self.count();
        let reached = |pool: &Pool, floor| self.ranked(pool, pool.slots.len(), floor).1;
        let scored = reached(pool, 0.0).len() as u64;
        let again = reached(round.pool, 0.0);
        let below = again.iter().filter(|scored| scored.score < self.min_score);
        let floor = below.clone().count() as u64;
        let duplicate = round.same.len() as u64;
        let others = floor + duplicate + round.kept.len() as u64;
        let out = |scored: &Scored, reason| Out {
            id: scored.id,
            score: scored.score,
            reason,
        };
        let same = round.same.iter();
        let same = same.map(|(scored, of)| out(scored, Reason::Duplicate(*of)));
        let rest = round.rest.iter().map(|scored| out(scored, Reason::Limit));
        let mut nearest: Vec<Out> = same.chain(rest).collect();
        nearest.extend(below.map(|scored| out(scored, Reason::Floor)));
        nearest.sort_by(|a, b| rank((a.score, a.id), (b.score, b.id)));
        nearest.truncate(NAMED_MAX);
        Left {
            searchable: self.permitted.documents,
            filter: self.permitted.documents.saturating_sub(count),
            unlike: count.saturating_sub(scored),
            floor,
            duplicate,
            limit: scored.saturating_sub(others),
            nearest,
        }
    }
}
