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
mod tests;
