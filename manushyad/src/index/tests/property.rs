//! Random changes, then random questions: the index answers what the model answers.

use std::collections::BTreeMap;

use manushya_protocol::unit::UnixMillis;
use proptest::prelude::*;

use super::super::{Collapse, SearchOutcome, Visibility};
use super::cases::*;
use super::model::{Ask, Model, Policy};
use super::*;

fn apply(index: &TenantIndex, model: &mut Model, changes: &[Change]) {
    for (version, change) in (1..).zip(changes) {
        match change {
            Change::Put(number, draft) => {
                let memory = draft.memory(*number, version);
                put(index, &memory);
                model.memories.insert(memory.id, memory);
            }
            Change::Remove(number) => {
                let had = model.memories.remove(&memory_id(*number)).is_some();
                assert_eq!(index.remove(memory_id(*number)), had);
            }
            Change::Forget(number) => {
                model.memories.remove(&memory_id(*number));
                index.forget(&[memory_id(*number)]);
            }
            Change::Maintain => {
                index.maintain(1000).unwrap();
            }
        }
    }
}

impl Question {
    /// What is asked of the model.
    fn ask<'a>(&'a self, query: &'a str, vector: Option<&'a [f32]>) -> Ask<'a> {
        Ask {
            query,
            vector,
            mode: self.mode,
            filter: &self.filter,
            permit: self.permit,
            rule: self.rule,
            now: UnixMillis(self.now),
            visibility: self.visibility,
            boost: self.boost,
        }
    }

    /// What the index answers to the same.
    fn answer(&self, index: &TenantIndex, ask: &Ask<'_>, ranking: Ranking) -> SearchOutcome {
        let terms = index.terms(ask.query);
        let mut may = |facts: &super::super::SlotFacts<'_>| self.permit.unwrap().decide(facts);
        let mut rule = |facts: &super::super::SlotFacts<'_>| self.rule.unwrap().decide(facts);
        let asked = SearchRequest {
            mode: self.mode,
            limit: self.limit,
            permit: match self.permit {
                None => Permit::All,
                Some(Policy { reads, .. }) => Permit::PerFacts(Rule {
                    reads,
                    decide: &mut may,
                }),
            },
            rule: self.rule.map(|Policy { reads, .. }| Rule {
                reads,
                decide: &mut rule,
            }),
            now: ask.now,
            explain: true,
            ranking: Ranking {
                visibility: self.visibility,
                boost: self.boost,
                ..ranking
            },
            ..request(&terms, ask.vector, &self.filter)
        };
        index.search(asked).unwrap()
    }
}

fn check(index: &TenantIndex, model: &Model, question: &Question) {
    let query = text(&question.words);
    let vector = question.vector.map(|seed| Random(seed).vector(DIMS));
    let ask = question.ask(&query, vector.as_deref());
    let expected = model.search(&ask);
    let by_id: BTreeMap<_, _> = expected.iter().copied().collect();
    let outcome = question.answer(index, &ask, Ranking::default());
    let (actual, left) = (outcome.hits, outcome.left.unwrap());
    let told = left.filter + left.unlike + left.floor + left.duplicate + left.limit;
    assert_eq!(told + actual.len() as u64, left.searchable);
    assert_eq!(actual.len(), expected.len().min(question.limit));
    for (place, hit) in actual.iter().enumerate() {
        let score = f64::from(hit.score);
        // Not just the right scores: this memory is one of the results, with this score.
        let own = by_id.get(&hit.id).copied();
        let own = own.unwrap_or_else(|| panic!("{} is no result", hit.id));
        assert!((score - own).abs() < 1e-3, "{score} is not {own}");
        assert!((score - expected[place].1).abs() < 1e-3);
        assert_eq!(hit.version, model.memories[&hit.id].version);
        let parts = hit.parts.as_ref().unwrap();
        let product = parts.fused.score * parts.factors.product();
        assert!((product - hit.score).abs() < 1e-5);
        let sum: f32 = parts.terms.iter().map(|term| term.score).sum();
        assert!((sum - parts.turn.own.bm25).abs() < 1e-4);
    }
    // Lists show superseded memories, whatever a search passes over.
    let visibility = Visibility::All;
    check_lists(index, model, question, &Ask { visibility, ..ask });
}

/// With everything that counts, an answer is still a choice of what may be seen and is meant.
fn check_choice(index: &TenantIndex, model: &Model, question: &Question) {
    let query = text(&question.words);
    let vector = question.vector.map(|seed| Random(seed).vector(DIMS));
    let ask = question.ask(&query, vector.as_deref());
    let candidates = model.candidates(&ask);
    let ranking = Ranking {
        diversify: question.diversify,
        collapse: question.collapse,
        around: 2,
        ..Ranking::default()
    };
    let outcome = question.answer(index, &ask, ranking);
    check_answer(model, question, &candidates, outcome);
}

fn check_answer(
    model: &Model,
    question: &Question,
    candidates: &[&Memory],
    outcome: SearchOutcome,
) {
    let is_candidate = |id: &MemoryId| candidates.iter().any(|memory| memory.id == *id);
    let hits = outcome.hits;
    assert!(hits.len() <= question.limit);
    let mut ids: Vec<_> = hits.iter().map(|hit| hit.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), hits.len());
    let shown: u64 = hits.iter().map(|hit| 1 + u64::from(hit.duplicates)).sum();
    assert!(shown <= candidates.len() as u64);
    let left = outcome.left.unwrap();
    let told = left.filter + left.unlike + left.floor + left.duplicate + left.limit;
    assert_eq!(told + hits.len() as u64, left.searchable);
    for hit in &hits {
        assert!(is_candidate(&hit.id), "{} is no candidate", hit.id);
        assert!(hit.score > 0.0 && hit.score <= 1.0);
        for beside in &hit.around {
            assert!(is_candidate(&beside.id), "{} is beside", beside.id);
            assert_eq!(beside.version, model.memories[&beside.id].version);
            let sessions = [hit.id, beside.id].map(|id| &model.memories[&id].content.session);
            assert!(sessions[0].is_some() && sessions[0] == sessions[1]);
        }
        if question.collapse != Collapse::None {
            let words = |id| &model.memories[&id].content.text;
            let same = |other: &&super::super::Hit| words(other.id) == words(hit.id);
            assert_eq!(hits.iter().filter(same).count(), 1);
        }
    }
    for out in &left.nearest {
        assert!(is_candidate(&out.id) && !ids.contains(&out.id));
    }
    if question.diversify.is_none() {
        assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
    }
}

fn check_lists(index: &TenantIndex, model: &Model, question: &Question, ask: &Ask<'_>) {
    let mut may = |facts: &super::super::SlotFacts<'_>| question.permit.unwrap().decide(facts);
    let mut rule = |facts: &super::super::SlotFacts<'_>| question.rule.unwrap().decide(facts);
    let candidates = model.candidates(ask);
    let mut listed = Vec::new();
    loop {
        let permit = match question.permit {
            None => Permit::All,
            Some(Policy { reads, .. }) => Permit::PerFacts(Rule {
                reads,
                decide: &mut may,
            }),
        };
        let mut rule = question.rule.map(|Policy { reads, .. }| Rule {
            reads,
            decide: &mut rule,
        });
        let after = listed.last().copied();
        let page = index.select(permit, ask.filter, rule.as_mut(), ask.now, after, 7);
        assert_eq!(page.total, candidates.len() as u64);
        listed.extend(&page.ids);
        if page.ids.len() < 7 {
            break;
        }
    }
    let expected: Vec<_> = candidates.iter().map(|memory| memory.id).collect();
    assert_eq!(listed, expected);
    let permit = match question.permit {
        None => Permit::All,
        Some(Policy { reads, .. }) => Permit::PerFacts(Rule {
            reads,
            decide: &mut may,
        }),
    };
    let mut rule = question.rule.map(|Policy { reads, .. }| Rule {
        reads,
        decide: &mut rule,
    });
    let stats = index.stats(permit, ask.filter, rule.as_mut(), ask.now);
    assert_eq!(stats.memories, candidates.len() as u64);
    let times = candidates.iter().map(|memory| memory.created_at);
    assert_eq!(
        (stats.oldest, stats.newest),
        (times.clone().min(), times.max())
    );
    let tags: usize = candidates
        .iter()
        .map(|memory| memory.content.tags.len())
        .sum();
    assert_eq!(
        stats.tags.iter().map(|tag| tag.count).sum::<u64>(),
        tags as u64
    );
    for owner in stats.owners {
        let having = candidates
            .iter()
            .filter(|memory| memory.owner == owner.value);
        assert_eq!(owner.count, having.count() as u64);
    }
}

/// Without feedback every score follows from its definition.
fn plain() -> IndexOptions {
    IndexOptions {
        feedback: false,
        ..IndexOptions::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn whatever_counts_nothing_forbidden_is_found(
        before in proptest::collection::vec(change(), 0..120),
        after in proptest::collection::vec(change(), 0..40),
        questions in proptest::collection::vec(question(), 1..6),
        small in any::<bool>(),
    ) {
        let options = if small {
            IndexOptions {
                graph_threshold: 8, scan_max: 2, build_threads: 2, ..IndexOptions::default()
            }
        } else {
            IndexOptions::default()
        };
        let index = TenantIndex::new(DIMS, options);
        let mut model = Model::default();
        apply(&index, &mut model, &before);
        questions.iter().for_each(|question| check_choice(&index, &model, question));
        apply(&index, &mut model, &after);
        questions.iter().for_each(|question| check_choice(&index, &model, question));
    }

    #[test]
    fn index_answers_what_the_model_answers(
        before in proptest::collection::vec(change(), 0..120),
        between in proptest::collection::vec(question(), 1..4),
        after in proptest::collection::vec(change(), 0..40),
        questions in proptest::collection::vec(question(), 1..6),
        small in any::<bool>(),
    ) {
        // With the small figures the graph, the tail and the pruning of postings take part.
        let options = if small {
            IndexOptions { graph_threshold: 8, scan_max: 2, build_threads: 2, ..plain() }
        } else {
            plain()
        };
        let index = TenantIndex::new(DIMS, options);
        let mut model = Model::default();
        apply(&index, &mut model, &before);
        // Asked here, groups are kept and must follow what changes after.
        between.iter().for_each(|question| check(&index, &model, question));
        apply(&index, &mut model, &after);
        between.iter().chain(&questions).for_each(|question| check(&index, &model, question));
        let versions = model.memories.values().map(|memory| (memory.id, memory.version));
        prop_assert_eq!(index.ids(), versions.collect::<Vec<_>>());
    }
}
