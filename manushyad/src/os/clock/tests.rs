//! Clocks that are set, and runs that follow each other.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

const TEN_YEARS: i64 = 10 * 365 * 86_400_000;
const NOW: i64 = 1_790_000_000_000;

/// Hands that are moved by hand.
#[derive(Clone, Default)]
struct Moved(Arc<Mutex<(i64, Duration)>>);

impl Moved {
    fn at(wall: i64) -> Self {
        Self(Arc::new(Mutex::new((wall, Duration::ZERO))))
    }

    fn pass(&self, millis: u64) {
        let mut at = self.0.lock();
        at.0 += millis as i64;
        at.1 += Duration::from_millis(millis);
    }

    fn set(&self, by: i64) {
        self.0.lock().0 += by;
    }
}

impl Hands for Moved {
    fn wall(&self) -> i64 {
        self.0.lock().0
    }

    fn steady(&self) -> Duration {
        self.0.lock().1
    }
}

fn clock(latest: Option<i64>) -> (Moved, SystemClock, Option<Jump>) {
    let hands = Moved::at(NOW);
    let left = Left {
        latest: latest.map(UnixMillis),
        trusted: None,
    };
    let (clock, jump) = SystemClock::with_hands(Box::new(hands.clone()), left);
    (hands, clock, jump)
}

#[test]
fn clock_set_back_goes_on_from_where_it_was() {
    let (hands, clock, jump) = clock(Some(NOW - 1_000));
    assert_eq!((clock.now().0, jump), (NOW, None));
    hands.set(-TEN_YEARS);
    assert_eq!(clock.now().0, NOW);
    assert_eq!(clock.look(), Some(Jump { by_ms: -TEN_YEARS }));
    hands.pass(60_000);
    assert_eq!((clock.now().0, clock.look()), (NOW + 60_000, None));
    // What is erased by the clock goes by the earlier of the two.
    assert_eq!(clock.erasing(), Some(UnixMillis(NOW + 60_000 - TEN_YEARS)));
}

#[test]
fn clock_set_ahead_erases_nothing_for_a_day() {
    let (hands, clock, _) = clock(None);
    hands.set(TEN_YEARS);
    assert_eq!(clock.look(), Some(Jump { by_ms: TEN_YEARS }));
    assert_eq!((clock.now().0, clock.erasing()), (NOW + TEN_YEARS, None));
    // Set right again: what was shown stays, what is erased goes by the right time.
    hands.set(-TEN_YEARS);
    assert_eq!(clock.look(), Some(Jump { by_ms: -TEN_YEARS }));
    hands.pass(86_400_000);
    assert_eq!(clock.now().0, NOW + TEN_YEARS + 86_400_000);
    assert_eq!(clock.erasing(), Some(UnixMillis(NOW + 86_400_000)));
}

#[test]
fn restart_knows_the_latest_time_of_the_run_before() {
    let (_, later, jump) = clock(Some(NOW + TEN_YEARS));
    assert_eq!(later.now().0, NOW + TEN_YEARS);
    assert_eq!(jump, Some(Jump { by_ms: -TEN_YEARS }));
    assert_eq!(later.erasing(), Some(UnixMillis(NOW)));
    let (_, ahead, jump) = clock(Some(NOW - TEN_YEARS));
    assert_eq!(jump, Some(Jump { by_ms: TEN_YEARS }));
    assert_eq!((ahead.now().0, ahead.erasing()), (NOW, None));
    let (_, rested, jump) = clock(Some(NOW - 20 * 86_400_000));
    assert_eq!((jump, rested.erasing()), (None, Some(UnixMillis(NOW))));
}

#[test]
fn restart_does_not_end_a_pause() {
    let (hands, clock, _) = clock(None);
    assert_eq!(clock.left().trusted, Some(UnixMillis(NOW)));
    let before = clock.left();
    hands.set(TEN_YEARS);
    clock.look();
    let left = Left {
        trusted: clock.left().trusted.or(before.trusted),
        ..clock.left()
    };
    let (again, jump) = SystemClock::with_hands(Box::new(hands.clone()), left);
    assert_eq!(
        (again.erasing(), jump),
        (None, Some(Jump { by_ms: TEN_YEARS }))
    );
    hands.set(-TEN_YEARS);
    let (again, _) = SystemClock::with_hands(Box::new(hands), left);
    assert_eq!(again.erasing(), Some(UnixMillis(NOW)));
}

#[test]
fn clock_shows_the_time_of_day() {
    let (clock, jump) = SystemClock::starting(Left::default());
    // 2020-01-01 to 2200-01-01.
    assert!((1_577_836_800_000..7_258_118_400_000).contains(&clock.now().0));
    assert_eq!((jump, clock.look()), (None, None));
    assert!(clock.erasing().is_some());
}

proptest! {
    /// Whatever is done to the wall clock: what is shown never goes back, nor is it slower than
    /// both the wall clock and the machine, and nothing is erased that is not due by both.
    #[test]
    fn no_jump_brings_time_back_or_erases_early(
        steps in proptest::collection::vec((0_u64..10_000_000, prop_oneof![
            4 => Just(0_i64), 1 => -TEN_YEARS..TEN_YEARS, 1 => -10_000_i64..10_000,
        ]), 1..40),
    ) {
        let (hands, clock, _) = clock(None);
        let (mut last, mut real) = (clock.now().0, NOW);
        let mut ahead = 0;
        for (passed, set) in steps {
            hands.pass(passed);
            hands.set(set);
            real += passed as i64;
            ahead += set;
            let jump = clock.look();
            prop_assert_eq!(jump.is_some(), !(-5_000..=3_600_000).contains(&set), "{}", set);
            let now = clock.now().0;
            prop_assert!(now >= last && now >= (last + passed as i64).min(real + ahead));
            last = now;
            if let Some(erasing) = clock.erasing() {
                prop_assert!(erasing.0 <= now);
                prop_assert!(erasing.0 <= real + ahead);
            }
            if set > 3_600_000 {
                prop_assert_eq!(clock.erasing(), None);
            }
        }
    }
}
