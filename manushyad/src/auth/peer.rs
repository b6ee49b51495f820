//! Peer credentials: who is at the other end of a unix socket.

use std::io;

use tokio::net::UnixStream;

/// What the kernel says of the process that connected (`SO_PEERCRED`, or `getpeereid`).
///
/// Decide by `uid` and `gid` alone. A process id can be another process's by the time it is read; see
/// [`super::Process`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCred {
    /// Effective user id at the time of connecting.
    pub uid: u32,
    /// Effective group id at the time of connecting.
    pub gid: u32,
    /// Process id, where the system tells; for the audit log only.
    pub pid: Option<i32>,
}

impl PeerCred {
    /// Asks the kernel who is at the other end of `stream`. Reads no byte of it.
    ///
    /// # Errors
    ///
    /// What the system call answers.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        Ok(Self {
            uid: credentials.uid(),
            gid: credentials.gid(),
            pid: credentials.pid(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[tokio::test]
    async fn peer_of_a_pair_is_this_process() {
        let (here, there) = UnixStream::pair().unwrap();
        // A file this process makes belongs to its effective user and group.
        let file = tempfile::tempfile().unwrap().metadata().unwrap();
        for end in [&here, &there] {
            let peer = PeerCred::of(end).unwrap();
            assert_eq!((peer.uid, peer.gid), (file.uid(), file.gid()));
            #[cfg(target_os = "linux")]
            assert_eq!(peer.pid, i32::try_from(std::process::id()).ok());
        }
    }
}
