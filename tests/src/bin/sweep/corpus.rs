//! Memories of which known shares can be asked for.

use manushya_core::model::{Kind, Memory};
use manushya_tests::corpus;
use manushya_tests::random::Random;
use manushya_tests::text::Texts;
use manushyad::embed::StaticEmbedder;
use manushyad::index::{IndexOptions, TenantIndex};
use manushyad::port::Embedder as _;

/// The shares of the memories that can be asked for, the smallest first.
pub const SHARES: [f64; 6] = [0.0001, 0.001, 0.01, 0.1, 0.5, 1.0];

/// Memories and questions.
pub struct Corpus {
    pub memories: Vec<Memory>,
    /// Questions with their vectors.
    pub questions: Vec<(String, Vec<f32>)>,
}

/// The types of the memories of one share and of none smaller.
fn kind(share: usize) -> Kind {
    Kind::new(format!("share-{share}")).expect("a type")
}

impl Corpus {
    /// So many memories and questions, always the same.
    pub fn new(size: usize, questions: usize) -> Self {
        let (texts, mut random) = (Texts::new(), Random::new(7));
        let embedder = StaticEmbedder::built_in();
        let memories: Vec<Memory> = (0..size)
            .map(|number| {
                let text = texts.text(&mut random, corpus::CHARACTERS);
                let at = random.unit();
                let share = SHARES.partition_point(|&share| share <= at);
                corpus::memory(number, (corpus::owner(0), kind(share)), text, &embedder)
            })
            .collect();
        let questions = (0..questions)
            .filter_map(|_| {
                let about = random.pick(&memories)?;
                let query = texts.question(&mut random, &about.content.text);
                let vector = embedder.embed(&query)?;
                Some((query, vector))
            })
            .collect();
        Self {
            memories,
            questions,
        }
    }

    /// The types that are the share of this number; none means all.
    pub fn kinds(&self, share: usize) -> Vec<Kind> {
        if share + 1 == SHARES.len() {
            return Vec::new();
        }
        (0..=share).map(kind).collect()
    }

    /// An index of them, its graph built.
    pub fn index(&self, options: IndexOptions) -> TenantIndex {
        let dims = StaticEmbedder::built_in().dims();
        corpus::index(&self.memories, dims, options)
    }
}

/// Bytes of RAM that this process holds; 0 where the system does not tell.
pub fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<f64> = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0.0) * rustix::param::page_size() as f64
}
