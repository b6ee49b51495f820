//! The process at the other end of a unix socket, held so that its number cannot become another's, and
//! watched so that its socket cannot become another's.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IoSliceMut, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, UnixCredentials, getsockopt, recvmsg, setsockopt, sockopt,
};
use parking_lot::Mutex;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{UnixListener, UnixStream};

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
    /// The file it ran when it was accepted.
    born: Option<(u64, u64)>,
    /// Another process wrote into its socket.
    shared: AtomicBool,
}

impl Process {
    /// Takes hold of the process that connected `stream`; `None` if it is gone or the system does not
    /// tell.
    pub fn of(stream: &UnixStream, peer: PeerCred) -> Option<Self> {
        let pid = peer.pid?;
        // The kernel keeps a handle of who connected since Linux 6.5; before, its number must do.
        let handle = match getsockopt(stream, sockopt::PeerPidfd) {
            Ok(handle) => handle,
            Err(_) => pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?,
        };
        // A number that was free again in between belongs to somebody of another user, or to nobody.
        let owner = std::fs::metadata(format!("/proc/{pid}")).ok()?.uid();
        let born = std::fs::metadata(format!("/proc/{pid}/exe")).ok();
        let process = Self {
            pid,
            handle,
            born: born.map(|file| (file.dev(), file.ino())),
            shared: AtomicBool::new(false),
        };
        (owner == peer.uid && process.is_alive()).then_some(process)
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        // The handle of a process can be read from when that has ended.
        let mut handle = [PollFd::new(self.handle.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut handle, PollTimeout::ZERO), Ok(0))
    }

    /// Whether nobody else has used its socket, as far as is known.
    pub fn is_alone(&self) -> bool {
        !self.shared.load(Ordering::Acquire)
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

/// Has the kernel say of all that comes in by `listener` from here on which process wrote it. Before
/// the first connection, so that no byte is without.
///
/// # Errors
///
/// What the system call answers.
pub fn watch_senders(listener: &UnixListener) -> io::Result<()> {
    setsockopt(listener, sockopt::PassCred, &true).map_err(io::Error::from)
}

/// A connection of which is noted when another process than the one that connected writes into it.
#[derive(Debug)]
pub struct Watched {
    stream: UnixStream,
    process: Option<Arc<Process>>,
}

impl Watched {
    /// Watches `stream` for `process`; without one it is a stream like others.
    pub fn new(stream: UnixStream, process: Option<Arc<Process>>) -> Self {
        Self { stream, process }
    }
}

/// Reads what is there, and which process wrote it. The kernel never joins what two wrote.
fn receive(stream: &UnixStream, into: &mut [u8]) -> io::Result<(usize, Option<i32>)> {
    let mut parts = [IoSliceMut::new(into)];
    // No room for descriptors: what is sent of those is closed by the kernel.
    let mut room = nix::cmsg_space!(UnixCredentials);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let got = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut room), flags)?;
    let sender = got.cmsgs().ok().and_then(|mut all| {
        all.find_map(|one| match one {
            ControlMessageOwned::ScmCredentials(it) => Some(it.pid()),
            _ => None,
        })
    });
    Ok((got.bytes, sender))
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(process) = &this.process else {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        };
        loop {
            ready!(this.stream.poll_read_ready(cx))?;
            let into = buf.initialize_unfilled();
            let read = this
                .stream
                .try_io(Interest::READABLE, || receive(&this.stream, into));
            match read {
                Ok((bytes, sender)) => {
                    if bytes > 0 && sender != Some(process.pid) {
                        process.shared.store(true, Ordering::Release);
                    }
                    buf.advance(bytes);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn own(stream: &UnixStream) -> Process {
        Process::of(stream, PeerCred::of(stream).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn process_is_held_by_its_own_handle_and_its_program_is_hashed() {
        let (here, _there) = UnixStream::pair().unwrap();
        let process = own(&here);
        assert!(process.is_alive() && process.is_alone());
        let known = Programs::default();
        let hash = process.program(&known).unwrap();
        assert_eq!(process.program(&known).unwrap(), hash);
        let file = std::fs::read("/proc/self/exe").unwrap();
        let expected: [u8; 32] = Sha256::digest(&file).into();
        assert_eq!(hash, expected);
        let mut other = PeerCred::of(&here).unwrap();
        other.uid += 1;
        assert!(Process::of(&here, other).is_none(), "of another user");
    }

    #[test]
    fn process_that_has_ended_is_not_alive_waited_for_or_not() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let process = Process {
            pid,
            handle: pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap(),
            born: None,
            shared: AtomicBool::new(false),
        };
        assert!(process.is_alive());
        drop(child.stdin.take());
        let start = std::time::Instant::now();
        while process.is_alive() && start.elapsed().as_secs() < 20 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(!process.is_alive(), "one that nobody waited for");
        assert!(process.program(&Programs::default()).is_err());
        child.wait().unwrap();
        assert!(!process.is_alive());
    }

    #[tokio::test]
    async fn bytes_of_another_process_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        watch_senders(&listener).unwrap();
        let mut mine = UnixStream::connect(&path).await.unwrap();
        mine.write_all(b"own").await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let process = Arc::new(own(&accepted));
        let mut watched = Watched::new(accepted, Some(process.clone()));
        let mut read = [0; 3];
        watched.read_exact(&mut read).await.unwrap();
        assert!((&read == b"own") && process.is_alone());
        // A child that was handed the socket as its standard output.
        let handed = OwnedFd::from(mine.into_std().unwrap());
        let status = Command::new("printf").arg("two").stdout(handed).status();
        assert!(status.unwrap().success());
        watched.read_exact(&mut read).await.unwrap();
        assert!((&read == b"two") && !process.is_alone());
    }
}
