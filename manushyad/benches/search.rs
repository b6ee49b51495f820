//! Measures the index at size: `cargo bench -p manushyad --bench search -- [MEMORIES]`.
//!
//! Texts are 30 words drawn by Zipf's law from 30,000, so that common words are as common as in
//! English; questions are 6 such words, half of them from one memory. Times are of one thread.

use std::time::{Duration, Instant};

use manushya_core::model::{Memory, MemoryContent, Provenance};
use manushya_core::recall::fuse::Mode;
use manushya_protocol::id::{IdentityId, MemoryId, RequestId, TenantId};
use manushya_protocol::unit::UnixMillis;
use manushyad::embed::HashEmbedder;
use manushyad::index::{
    AttributeFilter, Facts, IndexOptions, Permit, Ranking, Rule, SearchRequest, SlotFacts,
    TenantIndex,
};
use manushyad::port::Embedder;

const WORDS: usize = 30_000;
const OWNERS: u64 = 100;
const ROUNDS: u64 = 400;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The rank of a word, from 0: the frequency of a word falls with its rank.
    fn rank(&mut self) -> usize {
        (((WORDS as f64).powf(self.unit()) - 1.0) as usize).min(WORDS - 1)
    }
}

/// A word made of syllables, short for common ones.
fn word(rank: usize) -> String {
    const SYLLABLES: [&str; 16] = [
        "ba", "ko", "ri", "ten", "mu", "sal", "vo", "pi", "den", "lu", "gra", "fe", "no", "shi",
        "wa", "tor",
    ];
    let mut rest = rank + 16;
    let mut word = String::new();
    while rest > 0 {
        word.push_str(SYLLABLES[rest % 16]);
        rest /= 16;
    }
    word
}

fn owner(number: u64) -> IdentityId {
    IdentityId::from_bytes([number as u8; 16])
}

fn memory(number: u64, random: &mut Random) -> Memory {
    let words: Vec<String> = (0..30).map(|_| word(random.rank())).collect();
    let text = words.join(" ");
    let created_at = UnixMillis(number as i64);
    let mut entropy = [0; 10];
    entropy[..8].copy_from_slice(&number.to_be_bytes());
    Memory {
        id: MemoryId::from_parts(created_at, entropy),
        tenant: TenantId::from_bytes([1; 16]),
        owner: owner(number % OWNERS),
        key: None,
        vector: HashEmbedder.embed(&text),
        embedder: Default::default(),
        content: MemoryContent {
            text,
            kind: Default::default(),
            tags: Vec::new(),
            metadata: Default::default(),
            namespace: Default::default(),
            session: None,
            trust: Default::default(),
            expires_at: None,
        },
        version: 1,
        created_at,
        updated_at: created_at,
        deleted_at: None,
        provenance: Provenance::plain(
            owner(number % OWNERS),
            RequestId::from_bytes([0; 16]),
            UnixMillis(0),
        ),
        quarantined: false,
        canary: false,
        superseded: None,
        supersedes: Vec::new(),
    }
}

fn resident_mb() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<f64>().ok());
    pages.unwrap_or(0.0) * 4096.0 / 1e6
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_nanos() as f64 / 1e3;
    println!(
        "{name:<44} p50 {:>8.1} us   p99 {:>8.1} us",
        at(0.5),
        at(0.99)
    );
}

/// Who asks, and about what.
#[derive(Clone, Copy)]
enum Caller {
    All,
    FilterOwner,
    PermitOne,
    PermitHalf,
}

fn questions(
    index: &TenantIndex,
    memories: &[String],
    mode: Mode,
    caller: Caller,
) -> Vec<Duration> {
    let mut random = Random(42);
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let from = &memories[random.next() as usize % memories.len()];
        let mut words: Vec<String> = (0..3).map(|_| word(random.rank())).collect();
        let own: Vec<&str> = from.split(' ').collect();
        words.extend((0..3).map(|_| own[random.next() as usize % own.len()].to_owned()));
        let query = words.join(" ");
        let terms = index.terms(&query);
        let vector = HashEmbedder.embed(&query);
        let one = owner(round % OWNERS);
        let filter = AttributeFilter {
            owner: matches!(caller, Caller::FilterOwner).then_some(one),
            ..AttributeFilter::default()
        };
        let half = matches!(caller, Caller::PermitHalf);
        let mut decide = |facts: &SlotFacts<'_>| match facts.owner {
            Some(owner) if half => owner.to_bytes()[0] % 2 == 0,
            other => other == Some(one),
        };
        let permit = match caller {
            Caller::All | Caller::FilterOwner => Permit::All,
            _ => Permit::PerFacts(Rule {
                reads: Facts::OWNER,
                decide: &mut decide,
            }),
        };
        let request = SearchRequest {
            terms: &terms,
            vector: vector.as_deref(),
            mode,
            limit: 10,
            filter: &filter,
            permit,
            rule: None,
            now: UnixMillis(1 << 40),
            min_score: None,
            explain: false,
            ranking: Ranking::default(),
        };
        let start = Instant::now();
        let found = index
            .search(request)
            .expect("the vectors are the embedder's own");
        times.push(start.elapsed());
        assert!(!found.hits.is_empty());
    }
    times
}

fn main() {
    let count = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .next()
        .unwrap_or(100_000_u64);
    let mut random = Random(1);
    let mut texts = Vec::new();
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let index = TenantIndex::new(256, IndexOptions::default());
    let before = resident_mb();
    for number in 0..count {
        let mut memory = memory(number, &mut random);
        let start = Instant::now();
        memory.vector = HashEmbedder.embed(&memory.content.text);
        times[0].push(start.elapsed());
        let start = Instant::now();
        let prepared = index
            .prepare(&memory)
            .expect("the vector is the embedder's");
        times[1].push(start.elapsed());
        let start = Instant::now();
        index.upsert(&prepared);
        times[2].push(start.elapsed());
        if number % (count / 1000).max(1) == 0 {
            texts.push(memory.content.text);
        }
    }
    let [embed, prepare, upsert] = times;
    let names = ["embed (200 characters)", "prepare", "upsert"];
    names
        .iter()
        .zip([embed, prepare, upsert])
        .for_each(|(name, times)| report(name, times));
    println!("index without graph: {:.0} MB", resident_mb() - before);
    report(
        "hybrid, no graph yet",
        questions(&index, &texts[..5], Mode::Hybrid, Caller::All),
    );
    let start = Instant::now();
    while index.maintain(4096).expect("there is memory").more {}
    println!(
        "graph: {:.1} s, index {:.0} MB",
        start.elapsed().as_secs_f64(),
        resident_mb() - before
    );
    for (name, mode, caller) in [
        ("hybrid, all", Mode::Hybrid, Caller::All),
        ("lexical, all", Mode::Lexical, Caller::All),
        ("semantic, all", Mode::Semantic, Caller::All),
        (
            "hybrid, filter owner 1 %",
            Mode::Hybrid,
            Caller::FilterOwner,
        ),
        ("hybrid, permitted 1 %", Mode::Hybrid, Caller::PermitOne),
        ("hybrid, permitted 50 %", Mode::Hybrid, Caller::PermitHalf),
    ] {
        report(name, questions(&index, &texts, mode, caller));
    }
    println!("{:?}", index.status());
}
