//! The operating system: its clock and randomness as the ports have them, and what it keeps private.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use manushya_protocol::unit::UnixMillis;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

use crate::port::{Clock, Entropy};

/// Keeps what is in RAM in RAM, and files private: no core dumps, no tracing by others of the same
/// user where the kernel can forbid it, nothing readable by others unless asked for.
///
/// # Errors
///
/// If the kernel refuses; then the daemon should not start.
pub fn harden() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    umask(Mode::from_raw_mode(0o077));
    Ok(())
}

/// The wall clock, held still while it is set back: within one process, time never goes backwards.
#[derive(Debug, Default)]
pub struct SystemClock {
    last: AtomicI64,
}

impl SystemClock {
    /// A clock that has shown no time yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows `wall`, or the latest time shown so far if that is later.
    fn advance(&self, wall: i64) -> UnixMillis {
        let last = self.last.fetch_max(wall, Ordering::AcqRel);
        UnixMillis(last.max(wall))
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        // A wall clock before 1970 counts as 1970: such a host has no time of day at all.
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .unwrap_or(0);
        self.advance(wall)
    }
}

/// Randomness from the kernel (`getrandom`).
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// # Panics
    ///
    /// If the kernel has no randomness to give. It has once the system is up; and going on
    /// without would make ids and keys that others can guess.
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the kernel gives randomness once it is up");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_set_back_stands_still() {
        let clock = SystemClock::new();
        let shown: Vec<i64> = [5, 9, 3, 9, 10, -7]
            .into_iter()
            .map(|wall| clock.advance(wall).0)
            .collect();
        assert_eq!(shown, [5, 9, 9, 9, 10, 10]);
    }

    #[test]
    fn clock_shows_the_time_of_day() {
        // 2020-01-01 to 2200-01-01.
        assert!((1_577_836_800_000..7_258_118_400_000).contains(&SystemClock::new().now().0));
    }

    #[test]
    fn entropy_fills_every_byte_and_never_twice_alike() {
        let mut seen = [0u8; 64];
        for _ in 0..64 {
            let mut bytes = [0u8; 64];
            OsEntropy.fill(&mut bytes);
            for (seen, byte) in seen.iter_mut().zip(bytes) {
                *seen |= byte;
            }
        }
        assert_eq!(seen, [0xff; 64]);
    }
}
