//! Fusion: one score of the words' and the vectors'.
//!
//! Each part is divided by the best of its kind in the answer, so that both run from 0 to 1, and
//! the weighted sum is the score. Scores, not ranks, are fused: by how much one text is better than
//! the next is worth knowing. Words of which the best text has hardly any tell little about it: it
//! then counts as the best only in part.

use std::cmp::Ordering;

/// What counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Words and vectors together.
    #[default]
    Hybrid,
    /// Words only.
    Lexical,
    /// Vectors only.
    Semantic,
}

impl Mode {
    /// Whether words count.
    pub fn uses_words(self) -> bool {
        self != Self::Semantic
    }

    /// Whether vectors count.
    pub fn uses_vectors(self) -> bool {
        self != Self::Lexical
    }
}

/// How much each part counts in [`Mode::Hybrid`]. Not negative; they add up to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Of the words.
    pub lexical: f32,
    /// Of the vectors.
    pub semantic: f32,
}

impl Default for Weights {
    /// For the embedder `static`, which knows synonyms but not names and numbers: measured on
    /// abstracts and on dialogues, of which neither decided alone.
    fn default() -> Self {
        Self {
            lexical: 0.6,
            semantic: 0.4,
        }
    }
}

impl Weights {
    /// The weights that hold in `mode`: all on the one part in a mode of one part.
    pub fn within(self, mode: Mode) -> Self {
        let (lexical, semantic) = match mode {
            Mode::Hybrid => (self.lexical, self.semantic),
            Mode::Lexical => (1.0, 0.0),
            Mode::Semantic => (0.0, 1.0),
        };
        Self { lexical, semantic }
    }
}

/// The raw scores of one text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Raw {
    /// BM25, from 0.
    pub bm25: f32,
    /// Cosine of the vectors, -1 to 1; 0 without a vector.
    pub cosine: f32,
}

/// The parts of one text's score and their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fused {
    /// BM25 divided by the best, or by more where the best tells little, 0 to 1.
    pub lexical: f32,
    /// Cosine divided by the best, 0 to 1; 0 where the cosine is negative.
    pub semantic: f32,
    /// The weighted sum, 0 to 1.
    pub score: f32,
}

/// The share of what a question's words could reach that the best text has to reach to count in full.
const TELLING_SHARE: f32 = 0.15;

/// Fuses the raw scores of one answer.
#[derive(Clone, Copy, Debug)]
pub struct Fusion {
    weights: Weights,
    best: Raw,
}

impl Fusion {
    /// Starts an answer; nothing was seen yet. `reach` is the BM25 of a text of common length that
    /// has every word of the question once, those included that no text has; it counts in
    /// [`Mode::Hybrid`] only, since elsewhere nothing is weighed against words.
    pub fn new(mode: Mode, weights: Weights, reach: f32) -> Self {
        let mut best = Raw::default();
        if mode == Mode::Hybrid {
            best.bm25 = best.bm25.max(TELLING_SHARE * reach);
        }
        Self {
            weights: weights.within(mode),
            best,
        }
    }

    /// Takes note of raw scores, to know the best of each kind.
    #[inline]
    pub fn see(&mut self, raw: Raw) {
        // `max` of a number and NaN is the number, so NaN never becomes the best.
        self.best.bm25 = self.best.bm25.max(raw.bm25);
        self.best.cosine = self.best.cosine.max(raw.cosine);
    }

    /// The weights that hold.
    pub fn weights(&self) -> Weights {
        self.weights
    }

    /// The score of a text whose raw scores were seen.
    #[inline]
    pub fn fuse(&self, raw: Raw) -> Fused {
        let lexical = share(raw.bm25, self.best.bm25);
        let semantic = share(raw.cosine, self.best.cosine);
        let sum = self.weights.lexical * lexical + self.weights.semantic * semantic;
        Fused {
            lexical,
            semantic,
            score: sum.min(1.0),
        }
    }
}

#[inline]
fn share(value: f32, best: f32) -> f32 {
    if value > 0.0 && best > 0.0 {
        (value / best).min(1.0)
    } else {
        0.0
    }
}

/// Orders results: the better score first, and of equal ones the smaller id, so that the same
/// question has the same answer.
#[inline]
pub fn rank<I: Ord>(a: (f32, I), b: (f32, I)) -> Ordering {
    b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw() -> impl Strategy<Value = Raw> {
        (0.0_f32..50.0, -1.0_f32..=1.0).prop_map(|(bm25, cosine)| Raw { bm25, cosine })
    }

    proptest! {
        #[test]
        fn scores_lie_between_0_and_1_and_keep_the_order(
            all in proptest::collection::vec(raw(), 1..20), reach in 0.0_f32..500.0,
        ) {
            for mode in [Mode::Hybrid, Mode::Lexical, Mode::Semantic] {
                let mut fusion = Fusion::new(mode, Weights::default(), reach);
                all.iter().for_each(|&raw| fusion.see(raw));
                for &a in &all {
                    let fused = fusion.fuse(a);
                    for part in [fused.lexical, fused.semantic, fused.score] {
                        prop_assert!((0.0..=1.0).contains(&part));
                    }
                    for &b in &all {
                        if a.bm25 >= b.bm25 && a.cosine >= b.cosine {
                            prop_assert!(fused.score >= fusion.fuse(b).score);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_found_scores_nothing() {
        let mut fusion = Fusion::new(Mode::Hybrid, Weights::default(), 0.0);
        let nothing = Raw {
            bm25: 0.0,
            cosine: -0.3,
        };
        fusion.see(nothing);
        assert_eq!(fusion.fuse(nothing), Fused::default());
    }

    #[test]
    fn a_text_that_shares_one_common_word_gives_way_to_one_that_means_the_same() {
        let (shares, means) = (
            Raw {
                bm25: 0.2,
                cosine: 0.1,
            },
            Raw {
                bm25: 0.0,
                cosine: 0.5,
            },
        );
        let score = |reach| {
            let mut fusion = Fusion::new(Mode::Hybrid, Weights::default(), reach);
            fusion.see(shares);
            fusion.see(means);
            [shares, means].map(|raw| fusion.fuse(raw).score)
        };
        let [shared, meant] = score(8.0);
        assert!(meant > shared, "{meant} {shared}");
        // Where that word is all there is to the question, it decides.
        let [shared, meant] = score(0.2);
        assert!(meant < shared, "{meant} {shared}");
    }

    #[test]
    fn equal_scores_are_ordered_by_id() {
        let mut results = vec![(0.5, 3), (0.9, 7), (0.5, 1)];
        results.sort_by(|&a, &b| rank(a, b));
        assert_eq!(results, [(0.9, 7), (0.5, 1), (0.5, 3)]);
    }
}
