//! Where things lie: one folder if `MANUSHYA_HOME` says so, the XDG base directories otherwise.

use std::path::{Path, PathBuf};

use crate::error::{ErrorCode, WireError};

/// The longest path a unix socket can have on every system (`sun_path` of macOS, less its zero).
pub const SOCKET_PATH_BYTES_MAX: usize = 103;

/// The folders of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The one folder, if `MANUSHYA_HOME` names it.
    pub home: Option<PathBuf>,
    /// Configuration.
    pub config: PathBuf,
    /// Store, keys and index snapshots.
    pub data: PathBuf,
    /// Logs, and what clients remember.
    pub state: PathBuf,
    /// The socket.
    pub run: PathBuf,
}

impl Home {
    /// Works the folders out from environment variables, as `variable` gives them; an empty one
    /// counts as unset. Relative values of XDG variables are ignored, as the XDG base directory
    /// specification 0.8 demands.
    pub fn resolve(variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let path = |name: &str| variable(name).filter(|path| !path.as_os_str().is_empty());
        if let Some(home) = path("MANUSHYA_HOME") {
            return Self::under(&home);
        }
        let user = path("HOME")
            .or_else(std::env::home_dir)
            .unwrap_or_else(|| PathBuf::from("/"));
        let base = |variable: &str, default: &str| {
            path(variable)
                .filter(|path| path.is_absolute())
                .unwrap_or_else(|| user.join(default))
                .join("manushya")
        };
        let state = base("XDG_STATE_HOME", ".local/state");
        let run = path("XDG_RUNTIME_DIR")
            .filter(|path| path.is_absolute())
            .map_or_else(|| state.join("run"), |path| path.join("manushya"));
        Self {
            home: None,
            config: base("XDG_CONFIG_HOME", ".config"),
            data: base("XDG_DATA_HOME", ".local/share"),
            state,
            run,
        }
    }

    /// Everything under one folder.
    pub fn under(home: &Path) -> Self {
        let home = std::path::absolute(home).unwrap_or_else(|_| home.to_path_buf());
        Self {
            config: home.clone(),
            data: home.join("data"),
            state: home.join("state"),
            run: home.join("run"),
            home: Some(home),
        }
    }

    /// The process's own environment.
    pub fn from_env() -> Self {
        Self::resolve(|name| std::env::var_os(name).map(PathBuf::from))
    }

    /// The socket, unless a setting names another.
    pub fn socket(&self) -> PathBuf {
        self.run.join("manushyad.sock")
    }

    /// The daemon's log, when `manushyactl up` started it.
    pub fn log(&self) -> PathBuf {
        self.state.join("manushyad.log")
    }

    /// Where a client remembers the audit log's public key.
    pub fn audit_key(&self) -> PathBuf {
        self.state.join("audit.pub")
    }

    /// Where the daemon appends the audit log's checkpoints, unless a setting names another file.
    pub fn audit_anchor(&self) -> PathBuf {
        self.state.join("audit.anchor")
    }

    /// The file a running daemon holds locked.
    pub fn lock(&self) -> PathBuf {
        self.data.join("lock")
    }

    /// Files that may hold the configuration; the first that exists is read.
    pub fn config_files(&self) -> Vec<PathBuf> {
        let own = self.config.join("config.toml");
        match self.home {
            Some(_) => vec![own],
            None => vec![own, PathBuf::from("/etc/manushya/config.toml")],
        }
    }
}

/// Checks that a socket can have this path.
///
/// # Errors
///
/// `INVALID_ARGUMENT` if it is too long for the kernel.
pub fn check_socket_path(path: &Path) -> Result<(), WireError> {
    let bytes = path.as_os_str().len();
    if bytes <= SOCKET_PATH_BYTES_MAX {
        return Ok(());
    }
    let message = format!("the socket's path is {bytes} bytes long");
    Err(WireError::new(ErrorCode::InvalidArgument, message)
        .reason(format!("the kernel takes {SOCKET_PATH_BYTES_MAX}"))
        .hint("set MANUSHYA_SOCKET or MANUSHYA_HOME to a shorter path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(variables: &[(&str, &str)]) -> Home {
        Home::resolve(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| PathBuf::from(value))
        })
    }

    #[test]
    fn home_puts_everything_under_one_folder() {
        let home = home(&[("MANUSHYA_HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/1")]);
        assert_eq!(home.socket(), Path::new("/h/run/manushyad.sock"));
        assert_eq!(home.config_files(), [Path::new("/h/config.toml")]);
        assert!(home.data.starts_with("/h") && home.log().starts_with("/h"));
    }

    #[test]
    fn xdg_folders_are_used_without_a_home() {
        let home = home(&[
            ("HOME", "/u"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
            ("MANUSHYA_HOME", ""),
        ]);
        assert_eq!(
            home.socket(),
            Path::new("/run/user/1/manushya/manushyad.sock")
        );
        assert_eq!(home.data, Path::new("/u/.local/share/manushya"));
        assert_eq!(home.config_files().len(), 2);
    }

    #[test]
    fn socket_falls_back_to_the_state_folder() {
        let home = home(&[
            ("HOME", "/u"),
            ("XDG_STATE_HOME", "/s"),
            ("XDG_RUNTIME_DIR", "rel"),
        ]);
        assert_eq!(home.socket(), Path::new("/s/manushya/run/manushyad.sock"));
    }

    #[test]
    fn socket_paths_longer_than_the_kernel_takes_are_refused() {
        let long = PathBuf::from(format!("/{}", "a".repeat(SOCKET_PATH_BYTES_MAX)));
        assert!(check_socket_path(&long).is_err());
        assert!(check_socket_path(Path::new("/h/run/manushyad.sock")).is_ok());
    }
}
