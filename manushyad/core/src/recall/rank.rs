//! What counts beside the question: age, trust, importance, and not to say the same twice.

/// What a score is never multiplied by less than, so that nothing vanishes for its age alone.
const LEAST: f32 = 0.01;

/// What counts for a memory that does not say how important it is.
const IMPORTANCE_DEFAULT: f64 = 0.5;

/// Which factors are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Boost {
    /// After so many seconds a memory counts half.
    pub half_life_seconds: Option<u64>,
    /// Whether trust counts.
    pub trust: bool,
    /// Whether importance counts.
    pub importance: bool,
}

/// What is known of a memory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct About {
    /// How old it is, in milliseconds.
    pub age_ms: i64,
    /// How far it is trusted, 0 to 100.
    pub trust: u8,
    /// How important it says it is.
    pub importance: Option<f64>,
}

/// What a score is multiplied by, each above 0 to 1; absent where not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Factors {
    /// For its age.
    pub recency: Option<f32>,
    /// For its trust.
    pub trust: Option<f32>,
    /// For its importance.
    pub importance: Option<f32>,
}

impl Boost {
    /// Whether nothing counts.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The factors of one memory.
    pub fn factors(&self, about: &About) -> Factors {
        let recency = self.half_life_seconds.map(|seconds| {
            let half_lives = about.age_ms.max(0) as f64 / (seconds.max(1) as f64 * 1000.0);
            bounded((-half_lives).exp2())
        });
        Factors {
            recency,
            trust: self.trust.then(|| bounded(f64::from(about.trust) / 100.0)),
            importance: self
                .importance
                .then(|| bounded(about.importance.unwrap_or(IMPORTANCE_DEFAULT))),
        }
    }
}

/// `share` between [`LEAST`] and 1; what is no number counts as the least.
fn bounded(share: f64) -> f32 {
    let share = if share.is_finite() { share } else { 0.0 };
    (share as f32).clamp(LEAST, 1.0)
}

impl Factors {
    /// All in one.
    pub fn product(&self) -> f32 {
        [self.recency, self.trust, self.importance]
            .iter()
            .flatten()
            .product()
    }
}

/// One that was chosen, and how much it resembles the one chosen before it that it resembles most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    /// Its place in the scores.
    pub at: usize,
    /// -1 to 1; 0 for the first.
    pub sameness: f32,
}

/// Chooses `count` of those with these `scores`, one after the other: each time the one with the best
/// of `(1 - share) * score - share * sameness` (maximal marginal relevance, Carbonell and Goldstein
/// 1998). Of equal ones the first is chosen.
pub fn diverse(
    scores: &[f32],
    share: f32,
    count: usize,
    alike: impl Fn(usize, usize) -> f32,
) -> Vec<Chosen> {
    let mut left: Vec<Chosen> = (0..scores.len())
        .map(|at| Chosen { at, sameness: 0.0 })
        .collect();
    let mut chosen: Vec<Chosen> = Vec::with_capacity(count.min(left.len()));
    while chosen.len() < count && !left.is_empty() {
        let worth = |one: &Chosen| (1.0 - share) * scores[one.at] - share * one.sameness;
        let mut best = 0;
        for at in 1..left.len() {
            if worth(&left[at]) > worth(&left[best]) {
                best = at;
            }
        }
        let next = left.remove(best);
        for one in &mut left {
            let sameness = alike(one.at, next.at);
            one.sameness = if chosen.is_empty() {
                sameness
            } else {
                one.sameness.max(sameness)
            };
        }
        chosen.push(next);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400_000;

    fn factors(boost: Boost, about: About) -> Factors {
        boost.factors(&about)
    }

    #[test]
    fn after_a_half_life_a_memory_counts_half() {
        let boost = Boost {
            half_life_seconds: Some(86_400),
            ..Boost::default()
        };
        for (days, expected) in [(0, 1.0), (1, 0.5), (2, 0.25), (1000, LEAST), (-5, 1.0)] {
            let about = About {
                age_ms: days * DAY,
                ..About::default()
            };
            let recency = factors(boost, about).recency.unwrap();
            assert!((recency - expected).abs() < 1e-6, "{days}: {recency}");
        }
    }

    #[test]
    fn what_is_not_asked_for_does_not_count() {
        assert_eq!(factors(Boost::default(), About::default()).product(), 1.0);
        assert!(Boost::default().is_none());
    }

    proptest! {
        #[test]
        fn factors_lie_above_0_to_1(
            age_ms in any::<i64>(), trust in 0_u8..=100, importance in any::<Option<f64>>(),
            seconds in any::<u64>(),
        ) {
            let boost = Boost { half_life_seconds: Some(seconds), trust: true, importance: true };
            let product = factors(boost, About { age_ms, trust, importance }).product();
            prop_assert!(product > 0.0 && product <= 1.0);
        }

        #[test]
        fn diverse_is_a_choice_without_repetition_that_starts_with_the_best(
            mut scores in proptest::collection::vec(0.01_f32..1.0, 1..20),
            share in 0.0_f32..=1.0, count in 1_usize..25, seed in any::<u64>(),
        ) {
            scores.sort_by(|a, b| b.total_cmp(a));
            let alike = |a: usize, b: usize| ((a * b) as u64 ^ seed) as u8 as f32 / 255.0;
            let chosen = diverse(&scores, share, count, alike);
            prop_assert_eq!(chosen.len(), count.min(scores.len()));
            prop_assert_eq!(chosen[0].at, 0);
            let mut places: Vec<usize> = chosen.iter().map(|one| one.at).collect();
            places.sort_unstable();
            places.dedup();
            prop_assert_eq!(places.len(), chosen.len());
            // Without a share for novelty it is the order of the scores.
            let plain = diverse(&scores, 0.0, count, alike);
            prop_assert!(plain.windows(2).all(|two| scores[two[0].at] >= scores[two[1].at]));
        }
    }

    #[test]
    fn of_two_that_are_the_same_one_yields() {
        let alike = |a: usize, b: usize| if a + b == 1 { 1.0 } else { 0.0 };
        let places: Vec<usize> = diverse(&[0.9, 0.89, 0.5], 0.5, 2, alike)
            .iter()
            .map(|one| one.at)
            .collect();
        assert_eq!(places, [0, 2]);
    }
}
