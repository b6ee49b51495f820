//! Feedback: what the best answers have in common with each other, and the question lacks.
//!
//! A question says little. The words of what answers it best, and their vectors, say more of what
//! it is about; a share of them is taken into the question, and the best are scored once more.
//! Words after the relevance model of Lavrenko and Croft (2001) mixed with the question's own
//! (RM3), vectors after Rocchio (1971).

use std::hash::Hash;

/// How many of the best lend words.
pub const LENDERS: usize = 5;
/// How many of the best lend their vectors.
pub const VECTORS: usize = 3;

/// How many words are taken at the most.
const WORDS: usize = 10;
/// What the taken words weigh together, as a share of the question's own.
const SHARE: f32 = 0.15;
/// What the vectors of the best weigh beside the question's.
const PULL: f32 = 1.5;

/// A word that some of the best have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lent<T> {
    /// The word.
    pub term: T,
    /// How much the best are about it: its share of their words, times how rare it is.
    pub about: f32,
}

/// The words that a question takes of `lent`, in which each stands once, with what they weigh beside
/// own words that weigh `own` together. Which words are taken depends on what they are about alone: of
/// words that tie for the last place none is taken.
pub fn taken<T: Copy + Ord + Hash>(mut lent: Vec<Lent<T>>, own: f32) -> Vec<(T, f32)> {
    lent.retain(|word| word.about > 0.0 && word.about.is_finite());
    lent.sort_by(|a, b| b.about.total_cmp(&a.about).then(a.term.cmp(&b.term)));
    if lent.len() > WORDS {
        let next = lent[WORDS].about;
        let better = lent.partition_point(|word| word.about > next);
        lent.truncate(better);
    }
    let sum: f32 = lent.iter().map(|word| word.about).sum();
    let weight = |word: &Lent<T>| (word.term, SHARE * own * word.about / sum);
    lent.iter().map(weight).collect()
}

/// The question's vector drawn towards `best`, each with its score. Its length is not 1.
pub fn drawn(question: &[f32], best: &[(f32, Vec<f32>)]) -> Vec<f32> {
    let sum: f32 = best.iter().map(|(score, _)| score).sum();
    let mut drawn = question.to_vec();
    if sum > 0.0 {
        for (score, vector) in best {
            let part = PULL * score / sum;
            drawn
                .iter_mut()
                .zip(vector)
                .for_each(|(all, one)| *all += part * one);
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lent(about: &[f32]) -> Vec<Lent<usize>> {
        let word = |(term, &about): (usize, &f32)| Lent { term, about };
        about.iter().enumerate().map(word).collect()
    }

    proptest! {
        #[test]
        fn what_is_taken_weighs_a_share_and_no_order_matters(
            about in proptest::collection::vec(0_u8..6, 0..60), own in 0.1_f32..10.0,
        ) {
            let about: Vec<f32> = about.into_iter().map(f32::from).collect();
            let words = taken(lent(&about), own);
            prop_assert!(words.len() <= WORDS);
            let sum: f32 = words.iter().map(|(_, weight)| weight).sum();
            prop_assert!(words.is_empty() || (sum - SHARE * own).abs() < 1e-3 * own);
            let mut backwards = lent(&about);
            backwards.reverse();
            prop_assert_eq!(&taken(backwards, own), &words);
            // None is left out that is as good as one that is taken.
            if let Some(&(worst, _)) = words.last() {
                let better = about.iter().filter(|&&other| other >= about[worst]).count();
                prop_assert_eq!(better, words.len());
            }
        }

        #[test]
        fn a_question_is_drawn_towards_the_best(x in -1.0_f32..1.0, y in -1.0_f32..1.0) {
            let drawn = drawn(&[1.0, 0.0], &[(0.5, vec![x, y])]);
            prop_assert!((drawn[0] - (1.0 + PULL * x)).abs() < 1e-5);
            prop_assert!((drawn[1] - PULL * y).abs() < 1e-5);
        }
    }

    #[test]
    fn nothing_to_take_changes_nothing() {
        assert!(taken(lent(&[]), 1.0).is_empty());
        assert!(taken(lent(&[0.0, f32::NAN]), 1.0).is_empty());
        assert_eq!(drawn(&[1.0, 2.0], &[]), [1.0, 2.0]);
        assert_eq!(drawn(&[1.0], &[(0.0, vec![9.0])]), [1.0]);
    }
}
