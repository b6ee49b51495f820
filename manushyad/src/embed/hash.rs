//! The `hash` embedder: counts features of a text in buckets (Weinberger et al., "Feature Hashing
//! for Large Scale Multitask Learning", 2009). It needs no model and knows no synonyms, but stems,
//! pairs of words and pieces of words let it see through inflection and misspelling.

use manushya_core::recall::language::Language;
use manushya_core::recall::tokens::{self, TERM_CHARS_MAX};

use super::unit;
use crate::port::{Embedder, EmbedderParts};

/// How many numbers a vector has.
const DIMS: usize = 256;
/// How much a feature of each kind counts. A word has one stem but a dozen pieces, so a piece is
/// worth little.
const STEM: f32 = 1.0;
const PAIR: f32 = 0.5;
const PIECE: f32 = 0.25;
/// Features of one text beyond these add nothing to its meaning, and bound its cost.
const FEATURES_MAX: usize = 1 << 16;

/// Hashes stems, pairs of stems and pieces of 3 to 5 characters into 256 signed buckets.
#[derive(Clone, Copy, Debug, Default)]
pub struct HashEmbedder;

impl Embedder for HashEmbedder {
    fn name(&self) -> &str {
        "hash/256@1"
    }

    fn parts(&self) -> EmbedderParts {
        EmbedderParts {
            provider: "hash".to_owned(),
            model: "hash".to_owned(),
            revision: "1".to_owned(),
        }
    }

    fn dims(&self) -> usize {
        DIMS
    }

    fn embed(&self, text: &str) -> Option<Vec<f32>> {
        let mut features = features(text);
        if features.is_empty() {
            return None;
        }
        features.sort_unstable_by_key(|feature| feature.hash);
        let mut vector = vec![0.0_f32; DIMS];
        for same in features.chunk_by(|a, b| a.hash == b.hash) {
            let count = same.len() as f32;
            // Sublinear: the tenth mention adds less than the second.
            let value = same[0].weight * (1.0 + count.ln());
            let hash = same[0].hash;
            let bucket = (hash % DIMS as u64) as usize;
            // The sign comes from a bit that the bucket does not use; collisions cancel on average.
            vector[bucket] += if hash >> 63 == 0 { value } else { -value };
        }
        unit(vector)
    }
}

struct Feature {
    hash: u64,
    weight: f32,
}

fn features(text: &str) -> Vec<Feature> {
    let mut features = Vec::with_capacity(text.len().min(FEATURES_MAX / 4) * 4);
    let mut before: Option<u64> = None;
    let mut bounded = Vec::with_capacity(TERM_CHARS_MAX * 4 + 2);
    // One language for good: two daemons' vectors of a text are the same.
    tokens::for_each(text, Language::English, |token| {
        if features.len() >= FEATURES_MAX {
            return;
        }
        let stem = fnv(b'w', token.stem.as_bytes());
        let mut push = |hash, weight| {
            features.push(Feature {
                hash: mix(hash),
                weight,
            })
        };
        push(stem, STEM);
        if let Some(before) = before.replace(stem) {
            push(before.rotate_left(17) ^ stem, PAIR);
        }
        // The marks at both ends tell the start and the end of a word from its middle.
        bounded.clear();
        bounded.push(b'<');
        bounded.extend_from_slice(token.word.as_bytes());
        bounded.push(b'>');
        pieces(&bounded, |piece| push(fnv(b'p', piece), PIECE));
    });
    features
}

/// Calls `each` with every piece of 3 to 5 characters of the UTF-8 text `word`.
fn pieces(word: &[u8], mut each: impl FnMut(&[u8])) {
    let is_start = |&at: &usize| word.get(at).is_none_or(|byte| byte & 0xC0 != 0x80);
    for from in (0..word.len()).filter(is_start) {
        let ends = (from + 1..=word.len()).filter(is_start);
        for to in ends.skip(2).take(3) {
            each(&word[from..to]);
        }
    }
}

/// FNV-1a, 64 bits, of a kind of feature and its bytes: the same on every machine and for good.
fn fnv(kind: u8, bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(step(0xcbf2_9ce4_8422_2325, &kind), step)
}

/// The finaliser of MurmurHash3, without which FNV's low bits of short inputs are not even.
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        let (a, b) = (
            HashEmbedder.embed(a).unwrap(),
            HashEmbedder.embed(b).unwrap(),
        );
        a.iter().zip(&b).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn vectors_are_the_same_for_good() {
        // A change of this hash makes every stored vector wrong: then the name must change as well.
        let vector = HashEmbedder.embed("The user prefers dark mode").unwrap();
        let bytes: Vec<u8> = vector
            .iter()
            .flat_map(|x| ((x * 1000.0).round() as i16).to_le_bytes())
            .collect();
        assert_eq!(fnv(b't', &bytes), 678_047_748_951_894_850);
    }

    #[test]
    fn alike_texts_are_near_and_others_far() {
        let near = cosine(
            "The user prefers dark mode",
            "user preferred the dark modes",
        );
        let misspelt = cosine("deployment failed", "deploymnt failed");
        let far = cosine("The user prefers dark mode", "quarterly invoices were paid");
        assert!(near > 0.5, "{near}");
        assert!(misspelt > 0.5, "{misspelt}");
        assert!(far < 0.2, "{far}");
    }

    #[test]
    fn text_without_features_has_no_vector() {
        for text in ["", "  ", "🎉🎊", "...", "\u{202e}"] {
            assert!(HashEmbedder.embed(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_a_unit_vector_or_none(text in "\\PC{0,300}") {
            if let Some(vector) = HashEmbedder.embed(&text) {
                prop_assert_eq!(vector.len(), DIMS);
                let norm: f32 = vector.iter().map(|x| x * x).sum();
                prop_assert!((norm - 1.0).abs() < 1e-4, "{}", norm);
                prop_assert_eq!(HashEmbedder.embed(&text), Some(vector));
            }
        }
    }

    #[test]
    fn long_text_is_embedded() {
        let text = "memory of an agent ".repeat(3449);
        assert!(HashEmbedder.embed(&text).is_some());
        assert!(HashEmbedder.embed(&"日本語".repeat(7000)).is_some());
    }
}
