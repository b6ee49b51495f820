//! The login session of this user: kept in a file that only the user can read, and renewed by
//! whichever command finds that its access token is about to end.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::TokenId;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::session::{SessionRefresh, SessionTokens};
use serde::{Deserialize, Serialize};

use super::{Context, call, read_text};
use crate::error::{Outcome, Stop};
use crate::ui::time;

/// An access token that ends sooner is renewed, in milliseconds.
const SPARE_MS: i64 = 30_000;
/// The longest session file.
const FILE_BYTES_MAX: usize = 16 << 10;

/// What is kept of a session.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The daemon it is of.
    pub socket: PathBuf,
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub identity: String,
    access_token: BearerToken,
    expires_at: UnixMillis,
    refresh_token: BearerToken,
    /// Shown with a refresh, and again if its answer was lost. It is on disk before the refresh
    /// token is sent.
    retry_key: Option<BearerToken>,
    /// When it ends.
    pub session_ends_at: UnixMillis,
}

/// The session file, held so that two commands do not both use up its refresh token.
#[derive(Debug)]
pub struct Held {
    path: PathBuf,
    /// What it says; none if there is no session.
    pub kept: Option<Kept>,
    _lock: File,
}

impl Kept {
    fn of(tokens: SessionTokens, socket: &Path) -> Option<Self> {
        Some(Self {
            socket: socket.to_owned(),
            id: tokens.id,
            identity: tokens.identity,
            access_token: tokens.access_token?,
            expires_at: tokens.expires_at,
            refresh_token: tokens.refresh_token?,
            retry_key: None,
            session_ends_at: tokens.session_ends_at,
        })
    }
}

fn path(context: &Context) -> PathBuf {
    context.settings.paths.state.join("session.json")
}

/// A key that nobody can guess.
fn random_key() -> Outcome<BearerToken> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 32];
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Stop::unreadable(source, &error))?;
    Ok(BearerToken::new(
        &data_encoding::BASE64URL_NOPAD.encode(&bytes),
    ))
}

impl Held {
    /// Takes hold of the session file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or another command does not let go of it in time.
    pub async fn take(context: &Context) -> Outcome<Self> {
        let path = path(context);
        let folder = &context.settings.paths.state;
        make_private_folder(folder).map_err(|error| Stop::unwritable(folder, &error))?;
        let lock = path.with_extension("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock)
            .map_err(|error| Stop::unwritable(&lock, &error))?;
        let started = Instant::now();
        while let Err(error) = file.try_lock() {
            if started.elapsed() > context.settings.timeout.value {
                return Err(Stop::new(
                    ErrorCode::DeadlineExceeded,
                    "another command holds the login session",
                )
                .reason(error.to_string())
                .hint("try again in a moment"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let kept = match path.exists() {
            false => None,
            true => {
                let text = read_text(&path, FILE_BYTES_MAX, "a session file")?;
                Some(serde_json::from_str(&text).map_err(|error| {
                    Stop::usage(format!("the session file {} does not read", path.display()))
                        .reason(error.to_string())
                        .hint("manushyactl logout --forget")
                })?)
            }
        };
        Ok(Self {
            path,
            kept,
            _lock: file,
        })
    }

    fn write(&self) -> Outcome {
        let Some(kept) = &self.kept else {
            return Ok(());
        };
        let text = serde_json::to_vec(kept).map_err(|error| {
            Stop::new(ErrorCode::Internal, "the session cannot be written")
                .reason(error.to_string())
        })?;
        write_private(&self.path, &text)
    }

    /// Keeps a session in place of the one before.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn keep(&mut self, tokens: SessionTokens, socket: &Path) -> Outcome {
        self.kept = Kept::of(tokens, socket);
        self.write()
    }

    /// Forgets the session.
    ///
    /// # Errors
    ///
    /// If the file cannot be removed.
    pub fn forget(&mut self) -> Outcome {
        self.kept = None;
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Stop::unwritable(&self.path, &error))
            }
            _ => Ok(()),
        }
    }

    /// The access token, renewed if it is about to end.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED` if the session has ended; what it takes to go on stands in the hint.
    pub async fn access_token(&mut self, context: &Context) -> Outcome<Option<BearerToken>> {
        let Some(kept) = &mut self.kept else {
            return Ok(None);
        };
        if kept.expires_at > time::now().plus_millis(SPARE_MS) {
            return Ok(Some(kept.access_token.clone()));
        }
        let retry_key = match &kept.retry_key {
            // The answer to an earlier refresh was lost; it is asked for again.
            Some(key) => key.clone(),
            None => kept.retry_key.insert(random_key()?).clone(),
        };
        let request = SessionRefresh {
            refresh_token: kept.refresh_token.clone(),
            retry_key: Some(retry_key),
        };
        self.write()?;
        let client = context.connect_with(None).await?;
        let tokens = call!(client, session_refresh, request).await;
        let tokens = tokens.map_err(|error| match error.code {
            ErrorCode::Unauthenticated => Stop::from(error).hint(
                "log in again: manushyactl logout, then manushyactl login; or go on without: \
                 manushyactl logout",
            ),
            _ => Stop::from(error),
        })?;
        let access_token = tokens.access_token.clone();
        self.keep(tokens, &context.settings.socket.value)?;
        Ok(access_token)
    }
}

impl Context {
    /// The access token of the login session, if there is one with this daemon.
    pub(super) async fn session_token(&self) -> Outcome<Option<BearerToken>> {
        if !path(self).exists() {
            return Ok(None);
        }
        let mut held = Held::take(self).await?;
        let socket = &self.settings.socket.value;
        match &held.kept {
            Some(kept) if kept.socket == *socket => held.access_token(self).await,
            _ => Ok(None),
        }
    }
}

fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// Writes a file that only its owner can read, whole or not at all.
///
/// # Errors
///
/// A failure that names the file.
pub fn write_private(path: &Path, bytes: &[u8]) -> Outcome {
    use std::io::Write as _;
    let partial = path.with_extension("partial");
    let write = || {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    };
    write().map_err(|error: std::io::Error| Stop::unwritable(path, &error))
}
