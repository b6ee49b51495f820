//! The model: a map of memories, every score from its definition, in f64.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use manushya_core::model::Memory;
use manushya_core::recall::fuse::{Mode, Weights};
use manushya_core::recall::language::Language;
use manushya_core::recall::rank::Boost;
use manushya_core::recall::telling::telling;
use manushya_core::recall::tokens;
use manushya_protocol::id::MemoryId;
use manushya_protocol::unit::UnixMillis;

use super::super::{AttributeFilter, Facts, SlotFacts, Unit, Visibility};

/// Memories by id.
#[derive(Default)]
pub struct Model {
    pub memories: BTreeMap<MemoryId, Memory>,
}

/// A policy made from a number: over the facts it reads, it lets two of three pass.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub reads: Facts,
    pub salt: u64,
}

impl Policy {
    pub fn decide(self, facts: &SlotFacts<'_>) -> bool {
        let mut hasher = DefaultHasher::new();
        self.salt.hash(&mut hasher);
        facts.id.map(MemoryId::to_bytes).hash(&mut hasher);
        facts.owner.map(|owner| owner.to_bytes()).hash(&mut hasher);
        (facts.kind, facts.namespace, facts.session).hash(&mut hasher);
        (facts.tags, facts.trust, facts.age_seconds).hash(&mut hasher);
        facts
            .writer
            .map(|writer| writer.to_bytes())
            .hash(&mut hasher);
        facts
            .metadata
            .map(|map| serde_json::to_string(map).unwrap())
            .hash(&mut hasher);
        !hasher.finish().is_multiple_of(3)
    }

    fn passes(self, memory: &Memory, now: UnixMillis) -> bool {
        let read = |fact| self.reads.contains(fact);
        let content = &memory.content;
        let tags: Vec<Arc<str>> = content.tags.iter().map(|tag| tag.as_str().into()).collect();
        let age = (now.0 - memory.created_at.0) / 1000;
        self.decide(&SlotFacts {
            id: read(Facts::ID).then_some(memory.id),
            owner: read(Facts::OWNER).then_some(memory.owner),
            kind: read(Facts::KIND).then_some(content.kind.as_str()),
            namespace: read(Facts::NAMESPACE).then_some(content.namespace.as_str()),
            tags: if read(Facts::TAGS) { &tags } else { &[] },
            session: read(Facts::SESSION)
                .then(|| content.session.as_ref().map(|session| session.as_str()))
                .flatten(),
            trust: read(Facts::TRUST).then_some(content.trust.percent()),
            age_seconds: read(Facts::AGE).then_some(u64::try_from(age).unwrap_or(0)),
            writer: read(Facts::WRITER).then_some(memory.provenance.writer),
            metadata: (read(Facts::METADATA) && !content.metadata.is_empty())
                .then_some(&content.metadata),
        })
    }
}

/// What is asked of the model.
pub struct Ask<'a> {
    pub query: &'a str,
    pub vector: Option<&'a [f32]>,
    pub mode: Mode,
    pub filter: &'a AttributeFilter,
    pub permit: Option<Policy>,
    pub rule: Option<Policy>,
    pub now: UnixMillis,
    pub visibility: Visibility,
    pub boost: Boost,
}

/// Whether `memory` is part of what is searched.
fn holds(memory: &Memory, visibility: Visibility) -> bool {
    match visibility {
        Visibility::Current => memory.superseded.is_none(),
        Visibility::All => true,
        Visibility::AsOf(at) => {
            memory.created_at <= at && memory.superseded.is_none_or(|past| past.at > at)
        }
    }
}

/// What the score of `memory` is multiplied by.
fn factor(boost: &Boost, memory: &Memory, now: UnixMillis) -> f64 {
    let mut factor = 1.0;
    if let Some(seconds) = boost.half_life_seconds {
        let age = (now.0 - memory.created_at.0).max(0) as f64 / 1000.0;
        factor *= 0.5_f64.powf(age / seconds as f64).max(0.01);
    }
    if boost.trust {
        factor *= (f64::from(memory.content.trust.percent()) / 100.0).max(0.01);
    }
    if boost.importance {
        let importance = memory.content.metadata.get("importance");
        let said = importance.and_then(serde_json::Value::as_f64);
        factor *= said.unwrap_or(0.5).clamp(0.01, 1.0);
    }
    factor
}

fn meant(filter: &AttributeFilter, memory: &Memory) -> bool {
    let content = &memory.content;
    (filter.kinds.is_empty() || filter.kinds.contains(&content.kind))
        && filter.tags.iter().all(|tag| content.tags.contains(tag))
        && filter.owner.is_none_or(|owner| owner == memory.owner)
        && filter
            .namespace
            .as_ref()
            .is_none_or(|path| content.namespace.path().contains(&path.as_str()))
        && (filter.session.is_none() || filter.session == content.session)
        && filter.writer.is_none_or(|by| {
            let (from, own) = (&memory.provenance, memory.owner == by.identity);
            let then = |at: UnixMillis| by.since.0 <= at.0 && at.0 < by.until.0;
            own && then(memory.id.created_at())
                || from.writer == by.identity && then(from.written_at)
        })
        && filter.since.is_none_or(|since| memory.created_at >= since)
        && filter.until.is_none_or(|until| memory.created_at < until)
        && filter
            .min_trust
            .is_none_or(|least| content.trust.percent() >= least)
}

fn counts(memory: &Memory) -> (BTreeMap<String, f64>, f64) {
    let mut counts = BTreeMap::new();
    let mut words = 0.0;
    let tags = memory.content.tags.iter().map(|tag| tag.as_str());
    for text in std::iter::once(memory.content.text.as_str()).chain(tags) {
        for term in tokens::terms(text, Language::English).counts {
            *counts.entry(term.term).or_insert(0.0) += f64::from(term.count);
            words += f64::from(term.count);
        }
    }
    (counts, words)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let (a, b) = (Unit::new(a).unwrap(), Unit::new(b).unwrap());
    let wide = |unit: &Unit| -> Vec<f64> {
        unit.values()
            .iter()
            .map(|value| f64::from(value.to_f32()))
            .collect()
    };
    wide(&a).iter().zip(wide(&b)).map(|(x, y)| x * y).sum()
}

impl Model {
    /// The memories that may be seen and are meant.
    pub fn candidates(&self, ask: &Ask<'_>) -> Vec<&Memory> {
        let permitted = self.permitted(ask);
        let rule = |memory: &&Memory| ask.rule.is_none_or(|rule| rule.passes(memory, ask.now));
        let both = permitted
            .into_iter()
            .filter(|memory| meant(ask.filter, memory));
        both.filter(rule).collect()
    }

    fn permitted(&self, ask: &Ask<'_>) -> Vec<&Memory> {
        let live = self
            .memories
            .values()
            .filter(|memory| memory.is_live(ask.now) && holds(memory, ask.visibility));
        let may = |memory: &&Memory| ask.permit.is_none_or(|rule| rule.passes(memory, ask.now));
        live.filter(may).collect()
    }

    /// Every result with its score, best first.
    pub fn search(&self, ask: &Ask<'_>) -> Vec<(MemoryId, f64)> {
        let permitted = self.permitted(ask);
        let candidates = self.candidates(ask);
        let is_candidate = |one: &Memory| candidates.iter().any(|other| other.id == one.id);
        let words = Words::new(&permitted, ask.query);
        let near = |memory: &Memory| match (&memory.vector, ask.vector) {
            (Some(vector), Some(query)) if is_candidate(memory) => cosine(vector, query).max(0.0),
            _ => 0.0,
        };
        let raw = |memory: &&Memory| {
            let (episode, at) = episode(&permitted, memory);
            let window = |reach: usize| {
                let (from, to) = (
                    at.saturating_sub(reach),
                    (at + reach + 1).min(episode.len()),
                );
                words.bm25(&episode[from..to])
            };
            let beside = |distance: usize| {
                let before = at.checked_sub(distance).map(|at| episode[at]);
                let sides = before
                    .into_iter()
                    .chain(episode.get(at + distance).copied());
                sides.map(near).fold(0.0, f64::max)
            };
            let bm25 = 0.4 * window(0) + 0.3 * window(1) + 0.3 * window(2);
            (
                memory.id,
                bm25,
                near(memory) + 0.8 * beside(1) + 0.5 * beside(2),
            )
        };
        let raws: Vec<_> = candidates.iter().map(raw).collect();
        let weights = Weights::default().within(ask.mode);
        let (lexical, semantic) = (f64::from(weights.lexical), f64::from(weights.semantic));
        let best = |part: fn(&(MemoryId, f64, f64)) -> f64| {
            raws.iter().map(part).fold(0.0, f64::max).max(1e-30)
        };
        let (mut best_bm25, best_cosine) = (best(|raw| raw.1), best(|raw| raw.2));
        if ask.mode == Mode::Hybrid {
            best_bm25 = best_bm25.max(0.15 * words.reach());
        }
        let fused = |&(id, bm25, cosine): &(MemoryId, f64, f64)| {
            (
                id,
                (lexical * bm25 / best_bm25 + semantic * cosine / best_cosine)
                    * factor(&ask.boost, &self.memories[&id], ask.now),
            )
        };
        let mut results: Vec<_> = raws.iter().map(fused).filter(|&(_, s)| s > 1e-9).collect();
        results.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        results
    }
}

/// The permitted memories of the session of `memory` in order, and its place there.
fn episode<'a>(permitted: &[&'a Memory], memory: &'a Memory) -> (Vec<&'a Memory>, usize) {
    if memory.content.session.is_none() {
        return (vec![memory], 0);
    }
    let same = |other: &&&Memory| {
        other.owner == memory.owner && other.content.session == memory.content.session
    };
    let mut episode: Vec<&Memory> = permitted.iter().filter(same).copied().collect();
    episode.sort_by_key(|memory| (memory.created_at, memory.id));
    let at = episode.iter().position(|other| other.id == memory.id);
    (episode, at.unwrap())
}

/// The words of a question over what is permitted.
struct Words {
    query: Vec<(tokens::TermCount, f64)>,
    average: f64,
}

impl Words {
    fn new(permitted: &[&Memory], query: &str) -> Self {
        let permitted: Vec<_> = permitted.iter().copied().map(counts).collect();
        let documents = permitted.len() as f64;
        let average = permitted.iter().map(|(_, words)| words).sum::<f64>() / documents.max(1.0);
        let idf = |term: tokens::TermCount| {
            let holding = permitted
                .iter()
                .filter(|(all, _)| all.contains_key(&term.term));
            let holding = holding.count() as f64;
            let idf = (1.0 + (documents - holding + 0.5) / (holding + 0.5)).ln();
            (term, idf.powf(1.3))
        };
        Self {
            query: tokens::terms(query, Language::English)
                .counts
                .into_iter()
                .map(idf)
                .collect(),
            average: average.max(1.0),
        }
    }

    /// What a word of the question weighs that tells as it does.
    fn asked((term, idf): &(tokens::TermCount, f64)) -> f64 {
        f64::from(term.count) * f64::from(telling(&term.term, Language::English)) * idf
    }

    fn reach(&self) -> f64 {
        self.query.iter().map(Self::asked).sum()
    }

    /// BM25 of these memories as one of their mean length.
    fn bm25(&self, memories: &[&Memory]) -> f64 {
        let all: Vec<_> = memories.iter().copied().map(counts).collect();
        let words = all.iter().map(|(_, words)| words).sum::<f64>() / all.len() as f64;
        let part = |word: &(tokens::TermCount, f64)| {
            let counts = all
                .iter()
                .filter_map(|(counts, _)| counts.get(&word.0.term));
            let count: f64 = counts.sum();
            let norm = 0.9 * (0.6 + 0.4 * words / self.average);
            Self::asked(word) * count * 1.9 / (count + norm)
        };
        self.query.iter().map(part).sum()
    }
}
