//! Making a new identity for a home whose own is lost, with the recovery key and without a daemon.

use std::path::Path;

use manushya_protocol::error::{ErrorCode, WireError};
use serde::Serialize;

use super::boot::{failed, lock_home, unlock};
use crate::config::{Config, RunOptions};
use crate::os::{Left, SystemClock};
use crate::port::Clock as _;
use crate::service::recovered;
use crate::service::writer::chain;
use crate::vault::{RecoveryKey, Vault};

/// What was recovered.
#[derive(Clone, Debug, Serialize)]
pub struct Recovered {
    /// The data folder of the home.
    pub home: String,
    /// The file of the new identity.
    pub identity: String,
    /// Whether a passphrase locks it.
    pub locked: bool,
    /// The epoch of the new root.
    pub root_epoch: u64,
}

/// Makes a new identity, which alone opens the home from here on, beside the recovery key. The use of
/// the recovery key is written to the audit log at the next start.
///
/// # Errors
///
/// `CONFLICT` if a daemon runs on the home, `INTEGRITY` if the key is not the recovery key of this
/// home, `INVALID_ARGUMENT` if it is no key, `NOT_FOUND` if there is no home.
pub fn recover(options: &RunOptions, name: &Path, key: &[u8]) -> Result<Recovered, WireError> {
    let config = Config::resolve(options)?;
    let key = RecoveryKey::read(name, key).map_err(|error| {
        WireError::new(ErrorCode::InvalidArgument, "that is no recovery key")
            .reason(chain(&error))
            .hint("give the line AGE-SECRET-KEY-1... that the first start showed, in a file or on standard input")
    })?;
    let data = &config.home.data;
    let folder = data.join("keys");
    if !Vault::exists(&folder) {
        let message = format!("there is no home in {}", data.display());
        return Err(WireError::new(ErrorCode::NotFound, message)
            .reason(format!("{} holds no keys", folder.display()))
            .hint("if the folder is lost, restore a backup with the recovery key: manushyactl backup restore FILE --identity KEYFILE"));
    }
    let _lock = lock_home(&config.home)?;
    let unlock = unlock(&config)?;
    let now = SystemClock::starting(Left::default()).0.now();
    // Before the key is used: that it was is not to be forgotten by a crash.
    let before = recovered::leave_mark(data, now).map_err(|error| {
        failed(
            "nothing was done: the use of the key cannot be noted",
            &error,
        )
    })?;
    let epoch = Vault::recover(&folder, key, &unlock).map_err(|error| {
        let error = WireError::new(error.code(), "the keys were not recovered")
            .reason(chain(&error))
            .hint("give the recovery key of this home; data/keys/recovery.recipient has its public half");
        // Only where a disk failed in the middle is it not known what the key has done.
        if error.code != ErrorCode::Internal {
            recovered::take_back(data, &before);
        }
        error
    })?;
    Ok(Recovered {
        home: data.display().to_string(),
        identity: folder.join("identity.age-key").display().to_string(),
        locked: config.passphrase_file.is_some(),
        root_epoch: epoch,
    })
}
