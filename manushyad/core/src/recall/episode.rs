//! Episodes: the memories of one session stand in an order, and what answers a question may be
//! said in one turn and asked for in the next.
//!
//! A turn is therefore also scored by the words of the window around it, and a turn whose vector is
//! near lends a part of that to its neighbours. A memory without neighbours scores as it does by
//! itself, to the last bit.

use super::fuse::Raw;

/// How many turns on each side count.
pub const REACH: usize = 2;

/// How much a turn's own words count beside the windows'. With [`WINDOWS`] it adds up to 1.
const OWN: f32 = 0.4;
/// How much the words of the window of one turn on each side count, and of two.
const WINDOWS: [f32; REACH] = [0.3, 0.3];
/// Which part of its cosine a turn lends to the next, and to the one after.
const LENT: [f32; REACH] = [0.8, 0.5];

/// One value for each side, before and after, at distance 1, then at distance 2.
pub type Around<T> = [[Option<T>; 2]; REACH];

/// The scores of one memory and what its neighbours add.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Turn {
    /// Its own.
    pub own: Raw,
    /// BM25 of the windows of 1 and 2 turns on each side.
    pub windows: [f32; REACH],
    /// What its neighbours lend to its cosine, from 0.
    pub lent: f32,
}

impl Turn {
    /// A memory that has no neighbours: all windows are itself.
    pub fn alone(own: Raw) -> Self {
        Self {
            own,
            windows: [own.bm25; REACH],
            lent: 0.0,
        }
    }

    /// The scores that count.
    #[inline]
    pub fn whole(&self) -> Raw {
        if *self == Self::alone(self.own) {
            return self.own;
        }
        let parts = self.windows.iter().zip(WINDOWS);
        let around: f32 = parts.map(|(window, weight)| weight * window).sum();
        let cosine = if self.lent > 0.0 {
            self.own.cosine.max(0.0) + self.lent
        } else {
            self.own.cosine
        };
        Raw {
            bm25: OWN * self.own.bm25 + around,
            cosine,
        }
    }
}

/// What neighbours with these cosines lend: at each distance the better of the two sides, so that
/// the first and the last turn of a session do not have less for having one side only.
pub fn lent(cosines: &Around<f32>) -> f32 {
    let best = |sides: &[Option<f32>; 2]| sides.iter().flatten().fold(0.0_f32, |a, &b| a.max(b));
    let parts = cosines.iter().zip(LENT);
    parts.map(|(sides, part)| part * best(sides)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn memory_without_neighbours_scores_as_by_itself(
            bm25 in 0.0_f32..50.0, cosine in -1.0_f32..=1.0,
        ) {
            let own = Raw { bm25, cosine };
            let whole = Turn::alone(own).whole();
            prop_assert_eq!(whole.bm25.to_bits(), bm25.to_bits());
            prop_assert_eq!(whole.cosine.to_bits(), cosine.to_bits());
        }

        #[test]
        fn neighbours_never_take_from_a_cosine(
            cosine in -1.0_f32..=1.0, sides in proptest::array::uniform4(
                proptest::option::of(-1.0_f32..=1.0)),
        ) {
            let lent = lent(&[[sides[0], sides[1]], [sides[2], sides[3]]]);
            prop_assert!((0.0..=1.3001).contains(&lent));
            let turn = Turn { own: Raw { bm25: 0.0, cosine }, windows: [0.0; REACH], lent };
            prop_assert!(turn.whole().cosine >= cosine);
        }
    }

    #[test]
    fn the_near_lend_more_than_the_far() {
        let near = lent(&[[Some(0.5), None], [None, None]]);
        let far = lent(&[[None, None], [Some(0.5), None]]);
        assert!(near > far && far > 0.0);
        assert_eq!(lent(&[[Some(f32::NAN), None], [None, None]]), 0.0);
    }
}
