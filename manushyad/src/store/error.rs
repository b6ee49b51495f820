//! What can go wrong in the store, without a word of the database library below it.

use std::io;
use std::path::PathBuf;

use manushya_protocol::error::ErrorCode;

use crate::port::CipherError;

/// The error a cause is kept as, so that no type of the database library shows.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the store did not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the file open.
    #[error("database `{}` is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// There should be a database, and there is none or an empty file.
    #[error("database `{}` is missing, but data keys for one exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database, but without the row every database of Manushya starts with.
    #[error("database `{}` was not made by Manushya, or it lost its content", path.display())]
    NoGenesis {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later release.
    #[error("the database has schema {found}; this release knows schemas up to {known}")]
    NewerSchema {
        /// The schema of the file.
        found: u32,
        /// The newest schema this release knows.
        known: u32,
    },
    /// The file is not what was written.
    #[error("the database is damaged: {what}")]
    Corrupted {
        /// What was found.
        what: String,
    },
    /// The disk or the quota is full.
    #[error("the database cannot be written: no space left")]
    Full(#[source] io::Error),
    /// Reading or writing the file failed.
    #[error("the database cannot be read or written")]
    Io(#[source] Cause),
    /// The cipher refused.
    #[error("a record cannot be sealed or opened, or its key not destroyed")]
    Cipher(#[from] CipherError),
    /// A record is above its bound. The transaction stays usable.
    #[error("{what} is {actual} bytes; the limit is {limit}")]
    TooLarge {
        /// Which record.
        what: &'static str,
        /// How large it is, in bytes.
        actual: usize,
        /// How large it may be, in bytes.
        limit: usize,
    },
    /// A write contradicts what is stored. The transaction stays usable.
    #[error("the write is not possible: {what}")]
    Refused {
        /// Why.
        what: &'static str,
    },
    /// An earlier error of the same transaction was not one of a single write.
    #[error("the transaction failed before and can only be dropped")]
    Broken,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether only the write at hand was refused, so that the transaction can go on.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::Refused { .. })
    }

    /// The stable code that programs branch on.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::InUse { .. } => ErrorCode::Conflict,
            Self::Missing { .. } | Self::NoGenesis { .. } | Self::Corrupted { .. } => {
                ErrorCode::Integrity
            }
            Self::NewerSchema { .. } => ErrorCode::VersionMismatch,
            Self::Full(_) => ErrorCode::ResourceExhausted,
            Self::TooLarge { .. } | Self::Refused { .. } => ErrorCode::InvalidArgument,
            Self::Cipher(error) => match error {
                CipherError::KeyGone(_) | CipherError::NotAuthentic => ErrorCode::Integrity,
                CipherError::Keystore(_) => ErrorCode::Internal,
            },
            Self::Io(_) | Self::Broken | Self::Closed => ErrorCode::Internal,
        }
    }

    pub(super) fn corrupted(what: impl Into<String>) -> Self {
        Self::Corrupted { what: what.into() }
    }

    /// What a disk said that keeps something beside the store's file.
    pub fn disk(error: io::Error) -> Self {
        Self::from_io(error)
    }

    pub(super) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(error),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Self::corrupted(error.to_string())
            }
            _ => Self::Io(Box::new(error)),
        }
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => Self::from_io(error),
            redb::Error::Corrupted(what) => Self::Corrupted { what },
            redb::Error::DatabaseClosed => Self::Closed,
            error @ (redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableDoesNotExist(_)
            | redb::Error::TypeDefinitionChanged { .. }) => Self::corrupted(error.to_string()),
            other => Self::Io(Box::new(other)),
        }
    }
}

macro_rules! through_the_general_error {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}

through_the_general_error!(
    StorageError,
    TableError,
    TransactionError,
    CommitError,
    DatabaseError,
    SetDurabilityError
);
