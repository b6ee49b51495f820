//! Random changes, then random questions: the index answers what the model answers.

use std::collections::BTreeMap;

use manushya_core::model::{Kind, Memory, Namespace, Session, Superseded, Tag, Trust};
use manushya_core::recall::fuse::Mode;
use manushya_core::recall::rank::Boost;
use manushya_core::recall::tokens;
use manushya_protocol::unit::UnixMillis;
use proptest::prelude::*;

use super::super::{Collapse, Visibility};
use super::model::{Ask, Model, Policy};
use super::*;

const DIMS: usize = 16;

const WORDS: [&str; 12] = [
    "agent",
    "agents",
    "dark",
    "mode",
    "user",
    "prefers",
    "deploy",
    "failed",
    "the",
    "a",
    "東京都",
    "schema",
];

#[derive(Clone, Debug)]
enum Change {
    Put(u64, Box<Draft>),
    Remove(u64),
    Forget(u64),
    Maintain,
}

#[derive(Clone, Debug)]
struct Draft {
    words: Vec<usize>,
    owner: u8,
    kind: u8,
    tags: u8,
    namespace: u8,
    session: u8,
    trust: u8,
    metadata: u8,
    created_at: i64,
    expires_at: Option<i64>,
    vector: Option<u64>,
    superseded_at: Option<i64>,
}

#[derive(Clone, Debug)]
struct Question {
    words: Vec<usize>,
    vector: Option<u64>,
    mode: Mode,
    limit: usize,
    filter: AttributeFilter,
    permit: Option<Policy>,
    rule: Option<Policy>,
    now: i64,
    visibility: Visibility,
    boost: Boost,
    diversify: Option<f32>,
    collapse: Collapse,
}

fn text(words: &[usize]) -> String {
    let words: Vec<&str> = words.iter().map(|&word| WORDS[word]).collect();
    words.join(" ")
}

fn kind(number: u8) -> Kind {
    Kind::new(format!("kind{number}")).unwrap()
}

fn tag(number: u8) -> Tag {
    Tag::new(["dark", "ui", "ops agent"][usize::from(number)]).unwrap()
}

fn namespace(number: u8) -> Namespace {
    Namespace::new(["/", "/a", "/a/b", "/ab", "/a/b/c"][usize::from(number)]).unwrap()
}

fn session(number: u8) -> Option<Session> {
    (number > 0).then(|| Session::new(format!("s{number}")).unwrap())
}

impl Draft {
    fn memory(&self, number: u64, version: u32) -> Memory {
        let mut memory = memory(number, &text(&self.words));
        memory.owner = owner_id(self.owner);
        memory.version = version;
        memory.created_at = UnixMillis(self.created_at);
        memory.vector = self.vector.map(|seed| Random(seed).vector(DIMS));
        let content = &mut memory.content;
        content.kind = kind(self.kind);
        let has = |number: &u8| self.tags >> number & 1 == 1;
        content.tags = (0..3).filter(has).map(tag).collect();
        content.tags.sort();
        content.namespace = namespace(self.namespace);
        content.session = session(self.session);
        content.trust = Trust::new(self.trust * 10).unwrap();
        content.expires_at = self.expires_at.map(UnixMillis);
        memory.superseded = self.superseded_at.map(|at| Superseded {
            by: memory_id(1000),
            at: UnixMillis(at),
        });
        if self.metadata > 0 {
            content.metadata.insert(
                "importance".to_owned(),
                (f64::from(self.metadata) / 3.0).into(),
            );
        }
        memory
    }
}

fn draft() -> impl Strategy<Value = Box<Draft>> {
    let words = proptest::collection::vec(0..WORDS.len(), 1..8);
    let labels = (
        0_u8..3,
        0_u8..3,
        0_u8..8,
        0_u8..5,
        0_u8..3,
        0_u8..3,
        0_u8..3,
    );
    let times = (
        0_i64..5_000,
        proptest::option::weighted(0.2, 0_i64..10_000),
        proptest::option::weighted(0.2, 0_i64..10_000),
    );
    let vector = proptest::option::weighted(0.8, any::<u64>());
    (words, labels, times, vector).prop_map(|(words, labels, times, vector)| {
        let (owner, kind, tags, namespace, session, trust, metadata) = labels;
        let (created_at, expires_at, superseded_at) = times;
        Box::new(Draft {
            words,
            owner,
            kind,
            tags,
            namespace,
            session,
            trust,
            metadata,
            created_at,
            expires_at,
            vector,
            superseded_at,
        })
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        8 => (0_u64..40, draft()).prop_map(|(number, draft)| Change::Put(number, draft)),
        2 => (0_u64..40).prop_map(Change::Remove),
        1 => (0_u64..40).prop_map(Change::Forget),
        1 => Just(Change::Maintain),
    ]
}

fn policy() -> impl Strategy<Value = Option<Policy>> {
    const ALL: [Facts; 9] = [
        Facts::OWNER,
        Facts::KIND,
        Facts::NAMESPACE,
        Facts::TAGS,
        Facts::SESSION,
        Facts::TRUST,
        Facts::METADATA,
        Facts::AGE,
        Facts::ID,
    ];
    let reads = proptest::collection::vec(0..ALL.len(), 0..3);
    proptest::option::of((reads, any::<u64>()).prop_map(|(reads, salt)| Policy {
        reads: reads.iter().fold(Facts::NONE, |all, &fact| all | ALL[fact]),
        salt,
    }))
}

fn filter() -> impl Strategy<Value = AttributeFilter> {
    let rare = |bound: u8| proptest::option::weighted(0.25, 0..bound);
    let time = || proptest::option::weighted(0.2, (0_i64..5_000).prop_map(UnixMillis));
    let kinds = proptest::collection::vec(0_u8..4, 0..3);
    let trust = rare(25);
    (
        kinds,
        rare(3),
        rare(4),
        rare(5),
        rare(3),
        time(),
        time(),
        trust,
    )
        .prop_map(
            |(kinds, tags, owner, path, episode, since, until, min_trust)| AttributeFilter {
                kinds: if kinds.len() > 1 {
                    kinds.into_iter().map(kind).collect()
                } else {
                    vec![]
                },
                tags: tags.into_iter().map(tag).collect(),
                owner: owner.map(owner_id),
                namespace: path.map(namespace),
                session: episode.and_then(session),
                since,
                until,
                min_trust,
            },
        )
}

fn visibility() -> impl Strategy<Value = Visibility> {
    prop_oneof![
        3 => Just(Visibility::Current),
        1 => Just(Visibility::All),
        2 => (0_i64..10_000).prop_map(|at| Visibility::AsOf(UnixMillis(at))),
    ]
}

fn boost() -> impl Strategy<Value = Boost> {
    let half_life = proptest::option::weighted(0.3, 1_u64..20);
    let rarely = || proptest::bool::weighted(0.2);
    (half_life, rarely(), rarely()).prop_map(|(half_life_seconds, trust, importance)| Boost {
        half_life_seconds,
        trust,
        importance,
    })
}

fn collapse() -> impl Strategy<Value = Collapse> {
    prop_oneof![
        Just(Collapse::None),
        Just(Collapse::Words),
        (0.1_f32..=1.0).prop_map(Collapse::Cosine),
    ]
}

fn question() -> impl Strategy<Value = Question> {
    let words = proptest::collection::vec(0..WORDS.len(), 0..5);
    let mode = prop_oneof![
        Just(Mode::Hybrid),
        Just(Mode::Lexical),
        Just(Mode::Semantic)
    ];
    let vector = proptest::option::weighted(0.8, any::<u64>());
    let ranking = (
        visibility(),
        boost(),
        proptest::option::of(0.0_f32..=1.0),
        collapse(),
    );
    (
        words,
        vector,
        mode,
        1_usize..50,
        filter(),
        policy(),
        policy(),
        0_i64..10_000,
        ranking,
    )
        .prop_map(
            |(words, vector, mode, limit, filter, permit, rule, now, ranking)| Question {
                words,
                vector,
                mode,
                limit,
                filter,
                permit,
                rule,
                now,
                visibility: ranking.0,
                boost: ranking.1,
                diversify: ranking.2,
                collapse: ranking.3,
            },
        )
}

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

fn check(index: &TenantIndex, model: &Model, question: &Question) {
    let query = text(&question.words);
    let vector = question.vector.map(|seed| Random(seed).vector(DIMS));
    let ask = Ask {
        query: &query,
        vector: vector.as_deref(),
        mode: question.mode,
        filter: &question.filter,
        permit: question.permit,
        rule: question.rule,
        now: UnixMillis(question.now),
        visibility: question.visibility,
        boost: question.boost,
    };
    let expected = model.search(&ask);
    let by_id: BTreeMap<_, _> = expected.iter().copied().collect();
    let terms = tokens::terms(&query);
    let mut may = |facts: &super::super::SlotFacts<'_>| question.permit.unwrap().decide(facts);
    let mut rule = |facts: &super::super::SlotFacts<'_>| question.rule.unwrap().decide(facts);
    let asked = SearchRequest {
        mode: question.mode,
        limit: question.limit,
        permit: match question.permit {
            None => Permit::All,
            Some(Policy { reads, .. }) => Permit::PerFacts(Rule {
                reads,
                decide: &mut may,
            }),
        },
        rule: question.rule.map(|Policy { reads, .. }| Rule {
            reads,
            decide: &mut rule,
        }),
        now: ask.now,
        explain: true,
        ranking: Ranking {
            visibility: question.visibility,
            boost: question.boost,
            ..Ranking::default()
        },
        ..request(&terms, ask.vector, &question.filter)
    };
    let outcome = index.search(asked).unwrap();
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
    let ask = Ask {
        query: &query,
        vector: vector.as_deref(),
        mode: question.mode,
        filter: &question.filter,
        permit: question.permit,
        rule: question.rule,
        now: UnixMillis(question.now),
        visibility: question.visibility,
        boost: question.boost,
    };
    let candidates = model.candidates(&ask);
    let is_candidate = |id: &MemoryId| candidates.iter().any(|memory| memory.id == *id);
    let terms = tokens::terms(&query);
    let mut may = |facts: &super::super::SlotFacts<'_>| question.permit.unwrap().decide(facts);
    let mut rule = |facts: &super::super::SlotFacts<'_>| question.rule.unwrap().decide(facts);
    let asked = SearchRequest {
        mode: question.mode,
        limit: question.limit,
        permit: match question.permit {
            None => Permit::All,
            Some(Policy { reads, .. }) => Permit::PerFacts(Rule {
                reads,
                decide: &mut may,
            }),
        },
        rule: question.rule.map(|Policy { reads, .. }| Rule {
            reads,
            decide: &mut rule,
        }),
        now: ask.now,
        explain: true,
        ranking: Ranking {
            boost: question.boost,
            diversify: question.diversify,
            collapse: question.collapse,
            visibility: question.visibility,
            around: 2,
        },
        ..request(&terms, ask.vector, &question.filter)
    };
    let outcome = index.search(asked).unwrap();
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
