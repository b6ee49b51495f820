//! The parts of a search: `cargo bench -p manushya-tests`. Each runs on one thread, over
//! `MANUSHYA_BENCH_MEMORIES` memories of 200 characters (20,000 unless it is set).

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use manushya_core::recall::fuse::{Fusion, Mode, Raw, Weights};
use manushya_core::recall::language::Language;
use manushya_core::recall::tokens;
use manushya_protocol::unit::UnixMillis;
use manushya_tests::corpus::{CHARACTERS, index, memory, owner};
use manushya_tests::random::Random;
use manushya_tests::text::Texts;
use manushyad::embed::{HashEmbedder, StaticEmbedder};
use manushyad::index::{
    AttributeFilter, Collapse, Facts, IndexOptions, Permit, Ranking, Rule, SearchRequest,
    SlotFacts, TenantIndex,
};
use manushyad::port::Embedder;

const OWNERS: usize = 100;
/// So many that what one reads is not at hand for the next.
const QUESTIONS: usize = 5000;

fn size() -> usize {
    let size = std::env::var("MANUSHYA_BENCH_MEMORIES").ok();
    size.and_then(|size| size.parse().ok()).unwrap_or(20_000)
}

/// An index, and questions with their vectors.
struct Filled {
    index: TenantIndex,
    questions: Vec<(String, Vec<f32>)>,
}

impl Filled {
    fn new(options: IndexOptions) -> Self {
        let (texts, mut random) = (Texts::new(), Random::new(7));
        let embedder = StaticEmbedder::built_in();
        let mut questions = Vec::new();
        let mut memories = Vec::with_capacity(size());
        for number in 0..size() {
            let text = texts.text(&mut random, CHARACTERS);
            if questions.len() < QUESTIONS {
                let query = texts.question(&mut random, &text);
                questions.extend(embedder.embed(&query).map(|vector| (query, vector)));
            }
            let of = (owner(number % OWNERS), Default::default());
            memories.push(memory(number, of, text, &embedder));
        }
        let index = index(&memories, embedder.dims(), options);
        Self { index, questions }
    }

    fn search(&self, number: usize, mode: Mode, permit: Permit<'_>) -> usize {
        let (query, vector) = &self.questions[number % self.questions.len()];
        let terms = self.index.terms(query);
        let outcome = self.index.search(SearchRequest {
            terms: &terms,
            vector: Some(vector),
            mode,
            limit: 12,
            filter: &AttributeFilter::default(),
            permit,
            rule: None,
            now: UnixMillis(1 << 40),
            min_score: None,
            explain: false,
            ranking: Ranking {
                collapse: Collapse::Words,
                ..Ranking::default()
            },
        });
        outcome.expect("vectors of one embedder").hits.len()
    }
}

fn embed(criterion: &mut Criterion) {
    let text = Texts::new().text(&mut Random::new(3), CHARACTERS);
    let (table, hash) = (StaticEmbedder::built_in(), HashEmbedder);
    let mut group = criterion.benchmark_group("embed, 200 characters");
    group.bench_function("static", |b| b.iter(|| table.embed(black_box(&text))));
    group.bench_function("hash", |b| b.iter(|| hash.embed(black_box(&text))));
    group.bench_function("terms", |b| {
        b.iter(|| tokens::terms(black_box(&text), Language::English));
    });
    group.finish();
}

fn fuse(criterion: &mut Criterion) {
    let mut random = Random::new(5);
    let raw = |random: &mut Random| Raw {
        bm25: (random.unit() * 20.0) as f32,
        cosine: random.unit() as f32,
    };
    let raws: Vec<Raw> = (0..1000).map(|_| raw(&mut random)).collect();
    criterion.bench_function("fuse, 1000 candidates", |b| {
        b.iter_batched(
            || Fusion::new(Mode::Hybrid, Weights::default(), 30.0),
            |mut fusion| {
                raws.iter().for_each(|&raw| fusion.see(raw));
                raws.iter().map(|&raw| fusion.fuse(raw).score).sum::<f32>()
            },
            BatchSize::SmallInput,
        );
    });
}

fn search(criterion: &mut Criterion) {
    let graph = Filled::new(IndexOptions::default());
    let scan = Filled::new(IndexOptions {
        graph_threshold: u64::MAX,
        ..IndexOptions::default()
    });
    let mut group = criterion.benchmark_group(format!("search, {} memories", size()));
    for (name, filled, mode) in [
        ("postings", &graph, Mode::Lexical),
        ("scan", &scan, Mode::Semantic),
        ("graph", &graph, Mode::Semantic),
        ("hybrid", &graph, Mode::Hybrid),
    ] {
        let mut number = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                number += 1;
                filled.search(number, mode, Permit::All)
            });
        });
    }
    let mut number = 0;
    group.bench_function("hybrid, 1 % permitted", |b| {
        b.iter(|| {
            number += 1;
            let one = Some(owner(number % OWNERS));
            let mut decide = |facts: &SlotFacts<'_>| facts.owner == one;
            let permit = Permit::PerFacts(Rule {
                reads: Facts::OWNER,
                decide: &mut decide,
            });
            graph.search(number, Mode::Hybrid, permit)
        });
    });
    group.finish();
}

criterion_group!(benches, embed, fuse, search);
criterion_main!(benches);
