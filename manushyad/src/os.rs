//! The operating system: its clock and randomness as the ports have them, and what it keeps private.

mod clock;

use std::io;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

pub use clock::{Hands, Jump, Left, Machine, SystemClock};

use crate::port::Entropy;

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
