//! A temporary home.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder that is `MANUSHYA_HOME` of one daemon and goes when it is dropped.
///
/// It lies directly under `/tmp` under a short name, since a socket's path must be short.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// Makes an empty home.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("m")
            .rand_bytes(6)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in("/tmp");
        Self {
            folder: folder.expect("a folder under /tmp can be made"),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file or folder under it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The socket of its daemon.
    pub fn socket(&self) -> PathBuf {
        self.join("run/manushyad.sock")
    }

    /// Where the daemon's log goes.
    pub fn log(&self) -> PathBuf {
        self.join("state/daemon.log")
    }

    /// What the daemon has logged.
    pub fn read_log(&self) -> String {
        fs::read(self.log()).map_or_else(
            |_| String::new(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// Makes a folder under it that is for its owner only, as the daemon wants its folders.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.expect("a folder of the home can be made");
        path
    }

    /// Writes a file under it and returns its path.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.join(name);
        if let Some(parent) = path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
            made.expect("a folder of the home can be made");
        }
        let private = fs::Permissions::from_mode(0o600);
        let written = fs::write(&path, text).and_then(|()| fs::set_permissions(&path, private));
        written.expect("a file of the home can be written");
        path.display().to_string()
    }

    /// Writes the configuration file, here with the table `[daemon]`.
    pub fn configure(&self, daemon: &str) {
        self.write("config.toml", &format!("[daemon]\n{daemon}\n"));
    }

    /// How many bytes its files have.
    pub fn bytes(&self) -> u64 {
        crate::scan::files(self.path())
            .iter()
            .filter_map(|path| path.metadata().ok())
            .map(|metadata| metadata.len())
            .sum()
    }
}
