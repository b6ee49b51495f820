//! Where things are: one folder if `MANUSHYA_HOME` says so, the XDG base directories otherwise.

use std::path::{Path, PathBuf};

use super::Env;

/// The longest path a unix socket can have on every system (`sun_path` of macOS, less its zero).
pub const SOCKET_PATH_BYTES_MAX: usize = 103;

/// The folders of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The one folder, if `MANUSHYA_HOME` names it.
    pub home: Option<PathBuf>,
    /// Configuration.
    pub config: PathBuf,
    /// The store and the keys.
    pub data: PathBuf,
    /// Log and what clients remember.
    pub state: PathBuf,
    /// The socket.
    pub run: PathBuf,
}

impl Paths {
    /// Works the folders out from the environment; relative values of XDG variables are ignored,
    /// as the XDG base directory specification 0.8 demands.
    pub fn resolve(env: &Env) -> Self {
        if let Some(home) = env.path("MANUSHYA_HOME") {
            let home = std::path::absolute(&home).unwrap_or(home);
            return Self {
                config: home.clone(),
                data: home.join("data"),
                state: home.join("state"),
                run: home.join("run"),
                home: Some(home),
            };
        }
        let user = env
            .path("HOME")
            .or_else(std::env::home_dir)
            .unwrap_or_else(|| PathBuf::from("/"));
        let base = |variable: &str, default: &str| {
            env.path(variable)
                .filter(|path| path.is_absolute())
                .unwrap_or_else(|| user.join(default))
                .join("manushya")
        };
        let state = base("XDG_STATE_HOME", ".local/state");
        let run = env
            .path("XDG_RUNTIME_DIR")
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

    /// The socket, unless a setting names another.
    pub fn socket(&self) -> PathBuf {
        self.run.join("manushyad.sock")
    }

    /// The daemon's log, when `up` started it.
    pub fn log(&self) -> PathBuf {
        self.state.join("manushyad.log")
    }

    /// Where the audit log's public key is remembered.
    pub fn audit_key(&self) -> PathBuf {
        self.state.join("audit.pub")
    }

    /// Files that may hold the configuration, the first that exists is read.
    pub fn config_files(&self) -> Vec<PathBuf> {
        let own = self.config.join("config.toml");
        match self.home {
            Some(_) => vec![own],
            None => vec![own, Path::new("/etc/manushya/config.toml").to_path_buf()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_puts_everything_under_one_folder() {
        let env = Env::of(&[("MANUSHYA_HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/1")]);
        let paths = Paths::resolve(&env);
        assert_eq!(paths.socket(), Path::new("/h/run/manushyad.sock"));
        assert_eq!(paths.config_files(), [Path::new("/h/config.toml")]);
        assert!(paths.data.starts_with("/h") && paths.log().starts_with("/h"));
    }

    #[test]
    fn xdg_folders_are_used_without_a_home() {
        let env = Env::of(&[("HOME", "/u"), ("XDG_RUNTIME_DIR", "/run/user/1")]);
        let paths = Paths::resolve(&env);
        assert_eq!(
            paths.socket(),
            Path::new("/run/user/1/manushya/manushyad.sock")
        );
        assert_eq!(paths.data, Path::new("/u/.local/share/manushya"));
        assert_eq!(paths.config_files().len(), 2);
    }

    #[test]
    fn socket_falls_back_to_the_state_folder() {
        let env = Env::of(&[
            ("HOME", "/u"),
            ("XDG_STATE_HOME", "/s"),
            ("XDG_RUNTIME_DIR", "rel"),
        ]);
        let paths = Paths::resolve(&env);
        assert_eq!(paths.socket(), Path::new("/s/manushya/run/manushyad.sock"));
    }
}
