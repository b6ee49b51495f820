//! Why a vault cannot be made or opened.

use std::io;
use std::path::{Path, PathBuf};

use manushya_protocol::error::ErrorCode;

use crate::port::CipherError;

/// Says why a vault cannot be made, opened or written.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A file operation failed.
    #[error("cannot {attempt} `{}`", path.display())]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Other users of the host can read a secret.
    #[error(
        "`{}` has mode {mode:03o}, so other users can reach it; run: chmod {wanted:03o} '{}'",
        path.display(), path.display()
    )]
    Permissive {
        /// The file or folder.
        path: PathBuf,
        /// The mode it has.
        mode: u32,
        /// The mode it should have.
        wanted: u32,
    },
    /// A file is longer than any the vault writes.
    #[error("`{}` is {actual_bytes} bytes; the limit is {limit_bytes}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        actual_bytes: u64,
        /// The longest it may be.
        limit_bytes: u64,
    },
    /// There is something where a new vault was to be made.
    #[error("`{}` is not empty: a vault is never made over another one", .0.display())]
    Exists(PathBuf),
    /// The file of the age identity holds none.
    #[error("`{}` does not hold one age X25519 identity", .0.display())]
    Identity(PathBuf),
    /// The age identity is encrypted, and no passphrase was given.
    #[error("`{}` is protected by a passphrase, and none was given", .0.display())]
    PassphraseNeeded(PathBuf),
    /// A passphrase was given, but the age identity is in the clear.
    #[error("a passphrase was given, but `{}` is not protected by one", .0.display())]
    PassphraseUnused(PathBuf),
    /// The passphrase does not open the age identity.
    #[error("the passphrase does not open `{}`", .0.display())]
    PassphraseWrong(PathBuf),
    /// age refuses to open a file.
    #[error("`{}` does not decrypt: it was altered, or is for another identity", path.display())]
    Decrypt {
        /// The file.
        path: PathBuf,
        /// What age says.
        #[source]
        source: Box<age::DecryptError>,
    },
    /// age fails to make a file.
    #[error("cannot encrypt `{}`", path.display())]
    Encrypt {
        /// The file.
        path: PathBuf,
        /// What age says.
        #[source]
        source: Box<age::EncryptError>,
    },
    /// A file opens but is not what it should be.
    #[error("`{}` cannot be used: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A recipient is none.
    #[error("`{0}` is no age recipient")]
    Recipient(String),
    /// The kernel gives no randomness.
    #[error("the kernel gives no randomness")]
    Randomness(#[source] io::Error),
    /// The keystore is full.
    #[error("the keystore would hold {wanted} keys; the limit is {limit}")]
    Full {
        /// How many keys it would hold.
        wanted: usize,
        /// How many it may.
        limit: usize,
    },
}

impl VaultError {
    /// Wraps the failure of `attempt` on `path`.
    pub(super) fn io(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            attempt,
            path,
            source,
        }
    }

    /// Says that `path` is not what it should be.
    pub(super) fn format(path: &Path, reason: &'static str) -> Self {
        Self::Format {
            path: path.to_owned(),
            reason,
        }
    }
}

impl From<VaultError> for CipherError {
    fn from(error: VaultError) -> Self {
        match error {
            // The kind is kept, since the caller stops for good on some (a full disk is one thing,
            // a failed sync another); the path is named by the message.
            VaultError::Io { source, .. } | VaultError::Randomness(source) => {
                Self::Keystore(source)
            }
            other => Self::Keystore(io::Error::other(other)),
        }
    }
}

impl VaultError {
    /// The stable code that programs branch on.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::PassphraseNeeded(_) | Self::PassphraseWrong(_) | Self::PassphraseUnused(_) => {
                ErrorCode::VaultLocked
            }
            Self::Permissive { .. } | Self::Exists(_) | Self::Recipient(_) => {
                ErrorCode::InvalidArgument
            }
            Self::Io { .. } => ErrorCode::Internal,
            _ => ErrorCode::Integrity,
        }
    }
}
