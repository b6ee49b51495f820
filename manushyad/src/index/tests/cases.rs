//! Random memories, changes and questions.

use manushya_core::model::{Kind, Memory, Namespace, Session, Superseded, Tag, Trust};
use manushya_core::recall::fuse::Mode;
use manushya_core::recall::rank::Boost;
use manushya_protocol::unit::UnixMillis;
use proptest::prelude::*;

use super::super::{Collapse, Visibility};
use super::model::Policy;
use super::*;

pub(super) const DIMS: usize = 16;

pub(super) const WORDS: [&str; 12] = [
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
pub(super) enum Change {
    Put(u64, Box<Draft>),
    Remove(u64),
    Forget(u64),
    Maintain,
}

#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) words: Vec<usize>,
    pub(super) owner: u8,
    pub(super) writer: u8,
    pub(super) kind: u8,
    pub(super) tags: u8,
    pub(super) namespace: u8,
    pub(super) session: u8,
    pub(super) trust: u8,
    pub(super) metadata: u8,
    pub(super) created_at: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) vector: Option<u64>,
    pub(super) superseded_at: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) words: Vec<usize>,
    pub(super) vector: Option<u64>,
    pub(super) mode: Mode,
    pub(super) limit: usize,
    pub(super) filter: AttributeFilter,
    pub(super) permit: Option<Policy>,
    pub(super) rule: Option<Policy>,
    pub(super) now: i64,
    pub(super) visibility: Visibility,
    pub(super) boost: Boost,
    pub(super) diversify: Option<f32>,
    pub(super) collapse: Collapse,
}

pub(super) fn text(words: &[usize]) -> String {
    let words: Vec<&str> = words.iter().map(|&word| WORDS[word]).collect();
    words.join(" ")
}

pub(super) fn kind(number: u8) -> Kind {
    Kind::new(format!("kind{number}")).unwrap()
}

pub(super) fn tag(number: u8) -> Tag {
    Tag::new(["dark", "ui", "ops agent"][usize::from(number)]).unwrap()
}

pub(super) fn namespace(number: u8) -> Namespace {
    Namespace::new(["/", "/a", "/a/b", "/ab", "/a/b/c"][usize::from(number)]).unwrap()
}

pub(super) fn session(number: u8) -> Option<Session> {
    (number > 0).then(|| Session::new(format!("s{number}")).unwrap())
}

impl Draft {
    pub(super) fn memory(&self, number: u64, version: u32) -> Memory {
        let mut memory = memory(number, &text(&self.words));
        memory.owner = owner_id(self.owner);
        memory.provenance.writer = owner_id(self.writer);
        memory.provenance.written_at = UnixMillis(self.created_at / 2);
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

pub(super) fn draft() -> impl Strategy<Value = Box<Draft>> {
    let words = proptest::collection::vec(0..WORDS.len(), 1..8);
    let labels = (
        0_u8..3,
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
        let (owner, writer, kind, tags, namespace, session, trust, metadata) = labels;
        let (created_at, expires_at, superseded_at) = times;
        Box::new(Draft {
            words,
            owner,
            writer,
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

pub(super) fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        8 => (0_u64..40, draft()).prop_map(|(number, draft)| Change::Put(number, draft)),
        2 => (0_u64..40).prop_map(Change::Remove),
        1 => (0_u64..40).prop_map(Change::Forget),
        1 => Just(Change::Maintain),
    ]
}

pub(super) fn policy() -> impl Strategy<Value = Option<Policy>> {
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

pub(super) fn filter() -> impl Strategy<Value = AttributeFilter> {
    let rare = |bound: u8| proptest::option::weighted(0.25, 0..bound);
    let time = || proptest::option::weighted(0.2, (0_i64..5_000).prop_map(UnixMillis));
    let kinds = proptest::collection::vec(0_u8..4, 0..3);
    let writer = proptest::option::weighted(0.25, (0_u8..4, 0_i64..2_500, 0_i64..2_500));
    let trust = rare(25);
    (
        kinds,
        rare(3),
        rare(4),
        rare(5),
        rare(3),
        time(),
        time(),
        writer,
        trust,
    )
        .prop_map(
            |(kinds, tags, owner, path, episode, since, until, writer, min_trust)| {
                AttributeFilter {
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
                    writer: writer.map(|(writer, since, until)| Writer {
                        identity: owner_id(writer),
                        since: UnixMillis(since),
                        until: UnixMillis(until),
                    }),
                    min_trust,
                }
            },
        )
}

pub(super) fn visibility() -> impl Strategy<Value = Visibility> {
    prop_oneof![
        3 => Just(Visibility::Current),
        1 => Just(Visibility::All),
        2 => (0_i64..10_000).prop_map(|at| Visibility::AsOf(UnixMillis(at))),
    ]
}

pub(super) fn boost() -> impl Strategy<Value = Boost> {
    let half_life = proptest::option::weighted(0.3, 1_u64..20);
    let rarely = || proptest::bool::weighted(0.2);
    (half_life, rarely(), rarely()).prop_map(|(half_life_seconds, trust, importance)| Boost {
        half_life_seconds,
        trust,
        importance,
    })
}

pub(super) fn collapse() -> impl Strategy<Value = Collapse> {
    prop_oneof![
        Just(Collapse::None),
        Just(Collapse::Words),
        (0.1_f32..=1.0).prop_map(Collapse::Cosine),
    ]
}

pub(super) fn question() -> impl Strategy<Value = Question> {
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
