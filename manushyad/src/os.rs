//! The operating system: its clock and randomness as the ports have them, and what it keeps private.

mod clock;
mod reserve;

use std::io;
use std::sync::OnceLock;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

pub use clock::{Hands, Jump, Left, Machine, SystemClock};
pub use reserve::{Reserve, Room, is_full};

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

/// Why the memory of this process is not locked; none if it is.
static UNLOCKED: OnceLock<Option<String>> = OnceLock::new();

/// Keeps all memory of this process out of swap, now and later, if the kernel allows that without
/// bound. With a bound it would be worse than nothing: the daemon would end where it is reached.
pub fn lock_memory() {
    let _ = UNLOCKED.set(try_lock_memory().err());
}

/// Says why the memory of this process may get into swap; none if it cannot.
pub fn memory_unlocked() -> Option<&'static str> {
    match UNLOCKED.get() {
        None => Some("the program that runs the daemon did not ask for it"),
        Some(reason) => reason.as_deref(),
    }
}

#[cfg(target_os = "linux")]
fn try_lock_memory() -> Result<(), String> {
    use rustix::mm::{MlockAllFlags, mlockall};
    let none = Rlimit {
        current: None,
        maximum: None,
    };
    // Whoever may raise the bound raises it.
    let _ = setrlimit(Resource::Memlock, none);
    if let Some(bytes) = getrlimit(Resource::Memlock).current {
        return Err(format!("only {} KiB may be locked", bytes >> 10));
    }
    // Pages are locked when they are first touched, so that nothing is taken up that is not used.
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(flags).map_err(|error| format!("the kernel refuses: {error}"))
}

#[cfg(not(target_os = "linux"))]
fn try_lock_memory() -> Result<(), String> {
    Err("this system is not Linux".to_owned())
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
