//! The process at the other end of a unix socket, held so that its number cannot become another's.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;

use parking_lot::Mutex;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sha2::{Digest, Sha256};

use super::peer::PeerCred;

/// The longest program that is hashed, in bytes.
const PROGRAM_BYTES_MAX: u64 = 512 << 20;
/// Programs whose hash is remembered.
const PROGRAMS_MAX: usize = 256;

/// The process that connected. It is named by a pidfd, which never comes to mean another process.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    handle: OwnedFd,
    /// When it was started, in ticks since the machine was.
    started: u64,
    /// The file it ran when it was accepted.
    born: Option<(u64, u64)>,
}

/// The state of a process and when it was started; none if there is no such process.
fn stat(pid: i32) -> Option<(char, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name stands in brackets and may hold anything, brackets too (proc_pid_stat(5)).
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

impl Process {
    /// Takes hold of the process that `peer` was when it connected; `None` if it is gone or the system
    /// does not tell.
    pub fn of(peer: PeerCred) -> Option<Self> {
        let pid = peer.pid?;
        let handle = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        let (_, started) = stat(pid)?;
        // A number that was free again in between belongs to somebody of another user, or to nobody.
        let owner = std::fs::metadata(format!("/proc/{pid}")).ok()?.uid();
        let born = std::fs::metadata(format!("/proc/{pid}/exe")).ok();
        let process = Self {
            pid,
            handle,
            started,
            born: born.map(|file| (file.dev(), file.ino())),
        };
        (owner == peer.uid && process.is_alive()).then_some(process)
    }

    /// Whether the process still runs. One that has ended may have handed its socket to another.
    pub fn is_alive(&self) -> bool {
        let info = format!("/proc/self/fdinfo/{}", self.handle.as_raw_fd());
        let Ok(info) = std::fs::read_to_string(info) else {
            return false;
        };
        let named = info.lines().find_map(|line| line.strip_prefix("Pid:"));
        if named.and_then(|pid| pid.trim().parse().ok()) != Some(self.pid) {
            return false;
        }
        // The handle still names it, so that what stands under its number is its own. A process that
        // has ended and was not waited for is a zombie.
        stat(self.pid).is_some_and(|(state, started)| {
            started == self.started && !matches!(state, 'Z' | 'X' | 'x')
        })
    }

    /// The SHA-256 of the program it runs, and ran when it was accepted.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is too long, is another one meanwhile, or the process has ended.
    pub fn program(&self, known: &Programs) -> io::Result<[u8; 32]> {
        let file = File::open(format!("/proc/{}/exe", self.pid))?;
        let now = file.metadata()?;
        let hash = known.hash(file)?;
        if self.born != Some((now.dev(), now.ino())) {
            return Err(io::Error::other("the process runs another program by now"));
        }
        // Alive now, so it was alive then: what was opened is its own program.
        match self.is_alive() {
            true => Ok(hash),
            false => Err(io::Error::other("the process has ended")),
        }
    }
}

/// A file in a state: another content means another one.
type Version = (u64, u64, i64, i64, i64, i64, u64);

/// Hashes of programs, so that each is read once.
#[derive(Debug, Default)]
pub struct Programs(Mutex<HashMap<Version, [u8; 32]>>);

impl Programs {
    fn hash(&self, mut file: File) -> io::Result<[u8; 32]> {
        let it = file.metadata()?;
        if it.len() > PROGRAM_BYTES_MAX {
            return Err(io::Error::other("the program is too long to be hashed"));
        }
        let version = (
            it.dev(),
            it.ino(),
            it.mtime(),
            it.mtime_nsec(),
            it.ctime(),
            it.ctime_nsec(),
            it.len(),
        );
        if let Some(hash) = self.0.lock().get(&version) {
            return Ok(*hash);
        }
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        let mut left = PROGRAM_BYTES_MAX;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            left = left
                .checked_sub(read as u64)
                .ok_or_else(|| io::Error::other("the program grows"))?;
            hash.update(&buffer[..read]);
        }
        let hash = hash.finalize().into();
        let mut known = self.0.lock();
        if known.len() >= PROGRAMS_MAX {
            known.clear();
        }
        known.insert(version, hash);
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::process::{getgid, getuid};

    use super::*;

    fn peer(pid: u32) -> PeerCred {
        PeerCred {
            uid: getuid().as_raw(),
            gid: getgid().as_raw(),
            pid: i32::try_from(pid).ok(),
        }
    }

    #[test]
    fn process_that_has_ended_is_not_alive_waited_for_or_not() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Process::of(peer(child.id())).unwrap();
        assert!(process.is_alive());
        drop(child.stdin.take());
        let start = std::time::Instant::now();
        while process.is_alive() && start.elapsed().as_secs() < 20 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(!process.is_alive(), "a zombie is not alive");
        assert!(process.program(&Programs::default()).is_err());
        child.wait().unwrap();
        assert!(!process.is_alive());
        assert!(Process::of(peer(child.id())).is_none());
    }

    #[test]
    fn program_is_the_one_that_runs() {
        let process = Process::of(peer(std::process::id())).unwrap();
        let known = Programs::default();
        let hash = process.program(&known).unwrap();
        let file = std::fs::read("/proc/self/exe").unwrap();
        let expected: [u8; 32] = Sha256::digest(&file).into();
        assert_eq!(hash, expected);
        assert_eq!(process.program(&known).unwrap(), hash, "from what is known");
        let other = Process {
            born: Some((0, 0)),
            ..process
        };
        assert!(other.program(&known).is_err(), "it ran another one before");
    }

    #[test]
    fn process_of_another_user_is_not_taken() {
        let mut other = peer(std::process::id());
        other.uid += 1;
        assert!(Process::of(other).is_none());
    }
}
