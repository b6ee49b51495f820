//! Backups: taken by the daemon as a stream that the client reads in chunks.

use serde::{Deserialize, Serialize};

use crate::id::BackupId;
use crate::unit::UnixMillis;

/// Starts a backup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackupCreate {
    /// To whom it is encrypted, as age writes recipients; empty means to the home's own.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// How long its owner means to keep it, in seconds.
    #[serde(default)]
    pub keep_seconds: Option<u64>,
}

/// A backup that is being taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupStarted {
    /// Its id.
    pub id: BackupId,
    /// To whom it is encrypted.
    pub recipients: Vec<String>,
    /// About how many records it will have.
    pub records: u64,
}

/// Names a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupRef {
    /// Its id.
    pub id: BackupId,
}

/// The next bytes of a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupChunk {
    /// The bytes, in base64.
    pub data: String,
    /// How many records were read for it so far.
    pub records: u64,
    /// Whether these were the last bytes.
    pub done: bool,
}

/// A backup, as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupView {
    /// Its id.
    pub id: BackupId,
    /// When it was taken.
    pub created_at: UnixMillis,
    /// Until when its owner means to keep it; none if that was not said.
    pub keep_until: Option<UnixMillis>,
    /// To whom it is encrypted.
    pub recipients: Vec<String>,
    /// How many audit entries there were.
    pub audit_size: u64,
    /// How many records it holds; zero if it was not read to its end.
    pub records: u64,
    /// Its length, in bytes; zero if it was not read to its end.
    pub bytes: u64,
}
