//! BM25: how well the words of a text answer the words of a query.
//!
//! Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009),
//! with the inverse document frequency that is never negative, `ln(1 + (N - n + 0.5) / (n + 0.5))`.

/// The two constants of the formula.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// How soon a word that is repeated stops to add, from 0.
    pub k1: f32,
    /// How much a long text pays for its length, 0 to 1.
    pub b: f32,
}

impl Default for Params {
    /// Those that Anserini takes for all collections (Lin et al. 2016): texts of one kind differ in
    /// length for many reasons, of which being about more things is only one.
    fn default() -> Self {
        Self { k1: 0.9, b: 0.4 }
    }
}

/// The texts that the scores are about: only what the caller may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// How many texts there are.
    pub documents: u64,
    /// How many words they have in all.
    pub words: u64,
}

/// How telling a word is that `holding` of the texts have. Positive, and falls as `holding` grows.
pub fn idf(documents: u64, holding: u64) -> f32 {
    let holding = holding.min(documents);
    let lacking = (documents - holding) as f64;
    (1.0 + (lacking + 0.5) / (holding as f64 + 0.5)).ln() as f32
}

/// How much sharper than the published formula rare words are told from common ones: in few and short
/// texts frequencies differ less than words do.
const SHARPNESS: f32 = 1.3;

/// What a word of a question weighs that `holding` of the texts have.
pub fn weight(documents: u64, holding: u64) -> f32 {
    idf(documents, holding).powf(SHARPNESS)
}

/// The formula with everything that is the same for all texts worked out.
#[derive(Clone, Copy, Debug)]
pub struct Scorer {
    gain: f32,
    floor: f32,
    slope: f32,
}

impl Scorer {
    /// Prepares to score texts of `collection`.
    pub fn new(params: Params, collection: Collection) -> Self {
        let average = (collection.words as f64 / collection.documents.max(1) as f64).max(1.0);
        Self {
            gain: params.k1 + 1.0,
            floor: params.k1 * (1.0 - params.b),
            slope: params.k1 * params.b / average as f32,
        }
    }

    /// What a word adds that stands `count` times in a text of `length` words, for an `idf` of 1.
    #[inline]
    pub fn weight(&self, count: f32, length: f32) -> f32 {
        count * self.gain / (count + self.floor + self.slope * length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn idf_is_positive_and_falls(documents in 1_u64..1_000_000, share in 0.0_f64..1.0) {
            let holding = (documents as f64 * share) as u64;
            prop_assert!(idf(documents, holding) > 0.0);
            prop_assert!(idf(documents, holding) >= idf(documents, holding + 1));
        }

        #[test]
        fn weight_grows_with_count_and_shrinks_with_length(
            count in 1_u16..1000, length in 1_u16..30_000, words in 1_u64..1_000_000,
        ) {
            let scorer = Scorer::new(Params::default(), Collection { documents: 100, words });
            let (count, length) = (f32::from(count), f32::from(length));
            let weight = scorer.weight(count, length);
            prop_assert!(weight > 0.0 && weight < 2.2);
            prop_assert!(scorer.weight(count + 1.0, length) >= weight);
            prop_assert!(scorer.weight(count, length + 1.0) <= weight);
        }
    }

    #[test]
    fn empty_collection_gives_finite_numbers() {
        let scorer = Scorer::new(Params::default(), Collection::default());
        assert!(scorer.weight(1.0, 1.0).is_finite());
        assert!(idf(0, 0).is_finite() && idf(0, 9).is_finite());
    }

    #[test]
    fn formula_is_the_published_one() {
        // 10 texts of 20 words on average; the word stands twice in a text of 30, and in 3 texts.
        let collection = Collection {
            documents: 10,
            words: 200,
        };
        let published = Params { k1: 1.2, b: 0.75 };
        let scorer = Scorer::new(published, collection);
        let expected = (1.0_f64 + 7.5 / 3.5).ln() * (2.0 * 2.2)
            / (2.0 + 1.2 * (1.0 - 0.75 + 0.75 * 30.0 / 20.0));
        let actual = f64::from(idf(10, 3) * scorer.weight(2.0, 30.0));
        assert!((actual - expected).abs() < 1e-6, "{actual} {expected}");
    }
}
