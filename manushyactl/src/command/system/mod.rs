//! Commands that stand alone: the daemon's life, and what is known of it.

pub mod doctor;
pub mod down;
pub mod local;
pub mod seal;
pub mod status;
pub mod up;

use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::error::{Outcome, Stop};

/// This binary was built without the daemon.
pub fn no_daemon() -> Stop {
    Stop::usage("this manushyactl was built without the daemon")
        .reason("the feature `embedded` is off")
        .hint("run manushyad")
}

/// Makes a folder, and those above it, that only its owner can enter.
///
/// # Errors
///
/// A failure that names the folder.
pub fn private_folder(path: &Path) -> Outcome {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Stop::unwritable(path, &error))
}

/// Whether somebody listens at a socket. A socket that may not be opened counts as listening.
pub fn somebody_listens(socket: &Path) -> bool {
    match UnixStream::connect(socket) {
        Ok(_) => true,
        Err(error) => !matches!(
            error.kind(),
            std::io::ErrorKind::NotFound
                | std::io::ErrorKind::NotADirectory
                | std::io::ErrorKind::ConnectionRefused
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_stale_socket_is_told_from_a_live_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        assert!(!somebody_listens(&path));
        let listener = UnixListener::bind(&path).unwrap();
        assert!(somebody_listens(&path));
        drop(listener);
        assert!(path.exists() && !somebody_listens(&path));
    }
}
