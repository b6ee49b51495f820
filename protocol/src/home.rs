//! Where things lie: one folder under `MANUSHYA_HOME`, or the XDG base directories.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};

use crate::error::{ErrorCode, WireError};

/// The longest path a unix socket can have on every platform, in bytes.
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// The folders and files of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The configuration file.
    pub config_file: PathBuf,
    /// Store, keys and index snapshots.
    pub data: PathBuf,
    /// Logs, and what clients remember.
    pub state: PathBuf,
    /// The socket.
    pub socket: PathBuf,
}

impl Home {
    /// Reads `MANUSHYA_HOME` and the `XDG_*` variables.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` if there is neither `MANUSHYA_HOME` nor a home directory.
    pub fn from_env() -> Result<Self, WireError> {
        match env::var_os("MANUSHYA_HOME").filter(|home| !home.is_empty()) {
            Some(home) => Self::under(home),
            None => Self::xdg(),
        }
    }

    /// Everything under one folder.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` if the folder cannot be made absolute.
    pub fn under(home: OsString) -> Result<Self, WireError> {
        let home = std::path::absolute(PathBuf::from(home)).map_err(|error| {
            WireError::new(
                ErrorCode::InvalidArgument,
                "MANUSHYA_HOME is not a usable path",
            )
            .reason(error.to_string())
        })?;
        Ok(Self {
            config_file: home.join("config.toml"),
            data: home.join("data"),
            state: home.join("state"),
            socket: home.join("run").join("manushyad.sock"),
        })
    }

    fn xdg() -> Result<Self, WireError> {
        let xdg = Xdg::new().map_err(|error| {
            WireError::new(ErrorCode::InvalidArgument, "there is no home directory")
                .reason(error.to_string())
                .hint("set MANUSHYA_HOME to a folder")
        })?;
        let state = xdg
            .state_dir()
            .unwrap_or_else(|| xdg.data_dir())
            .join("manushya");
        let run = xdg
            .runtime_dir()
            .map_or_else(|| state.join("run"), |dir| dir.join("manushya"));
        let own = xdg.config_dir().join("manushya").join("config.toml");
        let shared = Path::new("/etc/manushya/config.toml");
        let config_file = if !own.exists() && shared.exists() {
            shared.to_path_buf()
        } else {
            own
        };
        Ok(Self {
            config_file,
            data: xdg.data_dir().join("manushya"),
            state,
            socket: run.join("manushyad.sock"),
        })
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
