//! The clock: what is shown never goes back, also not over a restart; and a jump is noticed.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use manushya_protocol::unit::UnixMillis;
use parking_lot::Mutex;

use crate::port::Clock;

/// From how far back on a clock that is set back is told of, in milliseconds.
const BACKWARD_MS_MIN: i64 = 5_000;
/// From how far ahead on a clock that is set ahead is told of, in milliseconds.
const FORWARD_MS_MIN: i64 = 3_600_000;
/// The same over a restart: a daemon may have been down for a while.
const FORWARD_OVER_RESTART_MS_MIN: i64 = 30 * 86_400_000;
/// How long nothing is erased by the clock after it was set ahead.
const PAUSE: Duration = Duration::from_secs(86_400);

/// What a machine knows of time.
pub trait Hands: Send + Sync {
    /// The time of day, in milliseconds since 1970, as it is set.
    fn wall(&self) -> i64;

    /// How long it is since some moment, whatever the time of day is set to.
    fn steady(&self) -> Duration;

    /// The same, counting the time that the machine slept.
    fn awake(&self) -> Duration {
        self.steady()
    }
}

/// The hands of this machine.
#[derive(Debug)]
pub struct Machine {
    since: Instant,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            since: Instant::now(),
        }
    }
}

impl Hands for Machine {
    fn wall(&self) -> i64 {
        // A wall clock before 1970 counts as 1970: such a host has no time of day at all.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .unwrap_or(0)
    }

    fn steady(&self) -> Duration {
        self.since.elapsed()
    }

    fn awake(&self) -> Duration {
        // The time since the machine started runs on while it sleeps, which that of a process does
        // not; a machine that slept did not jump.
        let uptime = std::fs::read_to_string("/proc/uptime").ok();
        let seconds = uptime
            .as_deref()
            .and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok())
            .filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        seconds.map_or_else(|| self.steady(), Duration::from_secs_f64)
    }
}

/// What a run leaves to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// The latest time that was shown.
    pub latest: Option<UnixMillis>,
    /// The latest time by which was erased.
    pub trusted: Option<UnixMillis>,
}

/// A clock that was set by more than clocks drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// By how much, in milliseconds; below zero if it was set back.
    pub by_ms: i64,
}

/// The time of day, which never goes back: while the wall clock is behind what was shown, time goes
/// on from there at the pace of the machine. So no token that ended comes back, and none lasts for
/// ever.
pub struct SystemClock {
    hands: Box<dyn Hands>,
    state: Mutex<State>,
}

struct State {
    /// The latest that was shown, and when.
    shown: i64,
    shown_at: Duration,
    /// What [`SystemClock::look`] saw last.
    wall: i64,
    awake: Duration,
    /// Until when nothing is erased by the clock.
    paused_until: Option<Duration>,
}

impl std::fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SystemClock(..)")
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl SystemClock {
    /// The clock of this machine, which goes on from what an earlier run left. Also tells if the
    /// machine's clock was set back since, or so far ahead that the daemon can hardly have been down
    /// for so long.
    pub fn starting(left: Left) -> (Self, Option<Jump>) {
        Self::with_hands(Box::new(Machine::default()), left)
    }

    /// The same with other hands.
    pub fn with_hands(hands: Box<dyn Hands>, left: Left) -> (Self, Option<Jump>) {
        let Left { latest, trusted } = left;
        let (wall, steady, awake) = (hands.wall(), hands.steady(), hands.awake());
        let since = |then: Option<UnixMillis>| then.map_or(0, |then| wall.saturating_sub(then.0));
        // A pause that a restart cut short begins anew: what is shown is ahead then already.
        let (back_ms, ahead_ms) = (since(latest), since(trusted.or(latest)));
        let ahead = ahead_ms > FORWARD_OVER_RESTART_MS_MIN;
        let jumped = ahead || back_ms < -BACKWARD_MS_MIN;
        let by_ms = if ahead { ahead_ms } else { back_ms };
        let state = State {
            shown: latest.map_or(wall, |latest| latest.0.max(wall)),
            shown_at: steady,
            wall,
            awake,
            paused_until: ahead.then_some(steady + PAUSE),
        };
        let clock = Self {
            hands,
            state: Mutex::new(state),
        };
        (clock, jumped.then_some(Jump { by_ms }))
    }

    /// What a later run goes on from.
    pub fn left(&self) -> Left {
        Left {
            latest: Some(self.now()),
            trusted: self.erasing(),
        }
    }

    /// Looks whether the machine's clock was set since the last look. After it was set ahead nothing
    /// is erased by the clock for a day.
    pub fn look(&self) -> Option<Jump> {
        let (wall, awake, steady) = (self.hands.wall(), self.hands.awake(), self.hands.steady());
        let mut state = self.state.lock();
        let passed = millis(awake.saturating_sub(state.awake));
        let by_ms = wall.saturating_sub(state.wall).saturating_sub(passed);
        (state.wall, state.awake) = (wall, awake);
        let ahead = by_ms > FORWARD_MS_MIN;
        if ahead {
            state.paused_until = Some(steady + PAUSE);
        }
        (ahead || by_ms < -BACKWARD_MS_MIN).then_some(Jump { by_ms })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        let (wall, steady) = (self.hands.wall(), self.hands.steady());
        let mut state = self.state.lock();
        let flowed = millis(steady.saturating_sub(state.shown_at));
        let on = state.shown.saturating_add(flowed);
        // Two may look at the hands in one order and come here in the other.
        let shown = if wall > state.shown { wall } else { on }.max(state.shown);
        state.shown_at = steady.max(state.shown_at);
        state.shown = shown;
        UnixMillis(shown)
    }

    fn erasing(&self) -> Option<UnixMillis> {
        let steady = self.hands.steady();
        let mut state = self.state.lock();
        if state.paused_until.is_some_and(|until| steady < until) {
            return None;
        }
        state.paused_until = None;
        drop(state);
        Some(self.wall())
    }

    fn wall(&self) -> UnixMillis {
        UnixMillis(self.hands.wall()).min(self.now())
    }
}

#[cfg(test)]
mod tests {
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
}
