//! The index against a model that does everything the slow and obvious way.

mod cases;
mod graph;
mod leak;
mod model;
mod pending;
mod property;
mod threads;

use manushya_core::model::{Memory, MemoryContent, Provenance};
use manushya_core::recall::fuse::Mode;
use manushya_core::recall::language::Language;
use manushya_core::recall::tokens::{self, Terms};
use manushya_protocol::id::{IdentityId, MemoryId, RequestId, TenantId};
use manushya_protocol::unit::UnixMillis;
use serde_json::Map;

use super::{
    AttributeFilter, Facts, IndexOptions, Permit, Prepared, Ranking, Rule, SearchRequest,
    TenantIndex, VectorError, Writer,
};

const NOW: UnixMillis = UnixMillis(1_000_000);

fn memory_id(number: u64) -> MemoryId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    MemoryId::from_bytes(bytes)
}

fn owner_id(number: u8) -> IdentityId {
    IdentityId::from_bytes([number; 16])
}

fn memory(number: u64, text: &str) -> Memory {
    Memory {
        id: memory_id(number),
        tenant: TenantId::from_bytes([1; 16]),
        owner: owner_id(0),
        key: None,
        content: MemoryContent {
            text: text.to_owned(),
            kind: Default::default(),
            tags: Vec::new(),
            metadata: Map::new(),
            namespace: Default::default(),
            session: None,
            trust: Default::default(),
            expires_at: None,
        },
        vector: None,
        embedder: Default::default(),
        version: 1,
        created_at: UnixMillis(0),
        updated_at: UnixMillis(0),
        deleted_at: None,
        provenance: Provenance::plain(owner_id(0), RequestId::from_bytes([0; 16]), UnixMillis(0)),
        quarantined: false,
        canary: false,
        superseded: None,
        supersedes: Vec::new(),
    }
}

fn put(index: &TenantIndex, memory: &Memory) {
    index.upsert(&index.prepare(memory).unwrap());
}

/// A small generator (SplitMix64), so that a test needs no seed file.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn vector(&mut self, dims: usize) -> Vec<f32> {
        let mut number = || (self.next() >> 40) as f32 / 8_388_608.0 - 1.0;
        // A sum of uniform numbers is near enough to a normal one.
        (0..dims).map(|_| number() + number() + number()).collect()
    }
}

fn request<'a>(
    terms: &'a Terms,
    vector: Option<&'a [f32]>,
    filter: &'a AttributeFilter,
) -> SearchRequest<'a, 'a, 'a> {
    SearchRequest {
        terms,
        vector,
        mode: Mode::Hybrid,
        limit: 10,
        filter,
        permit: Permit::All,
        rule: None,
        now: NOW,
        min_score: None,
        explain: false,
        ranking: Ranking::default(),
    }
}

#[test]
fn vectors_that_are_none_are_refused() {
    let index = TenantIndex::new(4, IndexOptions::default());
    let mut bad = memory(1, "text");
    let cases = [
        (vec![f32::NAN, 0.0, 0.0, 1.0], VectorError::NotFinite),
        (vec![f32::INFINITY, 0.0, 0.0, 1.0], VectorError::NotFinite),
        (vec![0.0; 4], VectorError::Zero),
        (
            vec![1.0; 3],
            VectorError::Dims {
                expected: 4,
                actual: 3,
            },
        ),
    ];
    put(&index, &memory(2, "text"));
    for (vector, expected) in cases {
        bad.vector = Some(vector.clone());
        let refused = Prepared::from_memory(&bad, 4, Language::English).unwrap_err();
        assert_eq!(refused, expected);
        let (terms, filter) = (
            tokens::terms("text", Language::English),
            AttributeFilter::default(),
        );
        let asked = index.search(request(&terms, Some(&vector), &filter));
        assert_eq!(asked.unwrap_err(), expected);
    }
    assert_eq!(index.status().vectors, 0);
}

#[test]
fn odd_questions_never_panic() {
    let index = TenantIndex::new(4, IndexOptions::default());
    for (number, text) in [(1, "a"), (2, "ש ל ו ם"), (3, "日本語 text"), (4, "🎉")] {
        put(&index, &memory(number, text));
    }
    let long = "wörter und mehr ".repeat(4096);
    let filter = AttributeFilter::default();
    for query in [
        "",
        " ",
        "a",
        "🎉🎊",
        "שלום עולם",
        "مرحبا",
        "\u{202e}abc\u{0}",
        &long,
    ] {
        let terms = tokens::terms(query, Language::English);
        for vector in [None, Some(&[1.0, 0.0, 0.0, 0.0][..])] {
            for limit in [0, 1, 1000, usize::MAX] {
                let mut request = request(&terms, vector, &filter);
                (request.limit, request.explain) = (limit, true);
                let found = index.search(request).unwrap();
                assert!(
                    found
                        .hits
                        .iter()
                        .all(|hit| hit.score > 0.0 && hit.score <= 1.0)
                );
            }
        }
    }
}

#[test]
fn deleted_memory_is_taken_out_when_put() {
    let index = TenantIndex::new(4, IndexOptions::default());
    let mut memory = memory(1, "text");
    put(&index, &memory);
    memory.deleted_at = Some(NOW);
    put(&index, &memory);
    assert!(index.is_empty());
}

#[test]
fn undeclared_facts_are_absent() {
    let index = TenantIndex::new(4, IndexOptions::default());
    put(&index, &memory(1, "text"));
    let mut seen = 0;
    let mut decide = |facts: &super::SlotFacts<'_>| {
        seen += 1;
        assert!(facts.kind.is_some());
        assert!(facts.id.is_none() && facts.owner.is_none() && facts.namespace.is_none());
        assert!(facts.trust.is_none() && facts.age_seconds.is_none());
        true
    };
    let permit = Permit::PerFacts(Rule {
        reads: Facts::KIND,
        decide: &mut decide,
    });
    assert_eq!(
        index
            .stats(permit, &AttributeFilter::default(), None, NOW)
            .memories,
        1
    );
    assert_eq!(seen, 1);
}

/// Enough memories that common words are passed over once rare ones have decided.
#[test]
fn passing_over_common_words_changes_no_result() {
    let options = IndexOptions {
        feedback: false,
        ..IndexOptions::default()
    };
    let index = TenantIndex::new(4, options);
    let mut model = model::Model::default();
    let mut random = Random(4);
    for number in 0..3_000 {
        // The lower the number of a word, the more memories have it.
        let mut text = String::from("common");
        for _ in 0..12 {
            let rank = random.below(random.0 % 400 + 1);
            text.push_str(&format!(" w{rank}"));
        }
        let mut memory = memory(number, &text);
        memory.owner = owner_id(number as u8 % 5);
        put(&index, &memory);
        model.memories.insert(memory.id, memory);
    }
    for number in (0..3_000).step_by(9) {
        index.remove(memory_id(number));
        model.memories.remove(&memory_id(number));
    }
    for round in 0..20 {
        let rare = 40 + random.below(360);
        let query = format!("common w0 w1 w2 w{} w{rare} w{}", random.below(9), rare / 2);
        let owner = (round % 3 == 0).then_some(owner_id(1));
        let filter = AttributeFilter {
            owner,
            ..AttributeFilter::default()
        };
        let ask = model::Ask {
            query: &query,
            vector: None,
            mode: Mode::Lexical,
            filter: &filter,
            permit: None,
            rule: None,
            now: NOW,
            visibility: Default::default(),
            boost: Default::default(),
        };
        let expected = model.search(&ask);
        let terms = tokens::terms(&query, Language::English);
        let mode = Mode::Lexical;
        let hits = index.search(SearchRequest {
            mode,
            ..request(&terms, None, &filter)
        });
        let hits = hits.unwrap().hits;
        assert_eq!(hits.len(), expected.len().min(10));
        for (hit, expected) in hits.iter().zip(&expected) {
            assert!((f64::from(hit.score) - expected.1).abs() < 1e-4, "{query}");
        }
    }
}
