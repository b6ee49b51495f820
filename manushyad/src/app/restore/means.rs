//! What a backup is opened with, and who must have signed it.

use std::fs;
use std::path::{Path, PathBuf};

use manushya_core::audit::VerifierKey;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::home::Home;

use super::super::boot::unlock;
use super::RestoreOptions;
use crate::config::{Config, RunOptions};
use crate::service::ledger;
use crate::service::writer::chain;
use crate::vault::{StreamIdentity, Unlock, Vault};

/// What is at hand.
pub(super) struct Means {
    /// Opens the backup.
    pub(super) identity: StreamIdentity,
    /// One of these must have signed it, or lead to who did; none if nothing here says who.
    pub(super) known: Vec<VerifierKey>,
    /// The erasure ledger of the home it was taken of.
    pub(super) ledger: Option<PathBuf>,
}

/// Gathers what there is, and says of each thing that is missing how to give it.
pub(super) fn means(options: &RestoreOptions, config: &Config) -> Result<Means, WireError> {
    let old = options.from_home.as_deref().map(old_home).transpose()?;
    let home = old.as_ref().map_or(&config.home, |old| &old.home);
    let own = home.data.join("keys/identity.age-key");
    let path = options.identity.clone().unwrap_or(own);
    let identity = open_identity(&path, options, config, old.as_ref())?;
    for path in &options.ledgers {
        if !path.exists() {
            let message = format!("there is no erasure ledger {}", path.display());
            return Err(WireError::new(ErrorCode::InvalidArgument, message)
                .reason("--ledger names a file that is not there")
                .hint("it lies in the state folder of the home: erasures.ledger"));
        }
    }
    let known = match &options.key {
        Some(given) => vec![given_key(given)?],
        None => {
            let passphrases = old.as_ref().unwrap_or(config);
            known_keys(home, passphrases, config)?
        }
    };
    Ok(Means {
        identity,
        known,
        ledger: old.map(|old| old.erasure_ledger),
    })
}

/// The settings of the home that the backup was taken of.
fn old_home(folder: &Path) -> Result<Config, WireError> {
    let home = Home::under(folder);
    if !home.data.join("keys").exists() {
        let message = format!("{} is no home", folder.display());
        return Err(WireError::new(ErrorCode::InvalidArgument, message)
            .reason(format!("there is no {}", home.data.join("keys").display()))
            .hint("--from-home takes a folder as MANUSHYA_HOME names it"));
    }
    let config = home.config_files().into_iter().find(|file| file.exists());
    Config::resolve(&RunOptions {
        home: Some(folder.to_owned()),
        config,
        ..RunOptions::default()
    })
}

fn open_identity(
    path: &Path,
    options: &RestoreOptions,
    config: &Config,
    old: Option<&Config>,
) -> Result<StreamIdentity, WireError> {
    if !path.exists() {
        let hint = format!(
            "give the recovery key: manushyactl backup restore {} --identity recovery.age-key; or \
             the home it was taken of, if that still exists: --from-home DIR",
            options.file.display()
        );
        return Err(WireError::new(
            ErrorCode::VaultLocked,
            "there is no key to open the backup with",
        )
        .reason(format!("there is no {}", path.display()))
        .hint(hint));
    }
    let unreadable = |error: crate::vault::VaultError| {
        WireError::new(error.code(), "the key cannot be read").reason(chain(&error))
    };
    // A key in the clear needs no passphrase, even where the home to be made will have one.
    let opening = match StreamIdentity::is_locked(path).map_err(unreadable)? {
        false => Unlock::Host,
        true => {
            let given = config.passphrase_file.is_some();
            let from = old.filter(|_| !given).unwrap_or(config);
            unlock(from)?
        }
    };
    StreamIdentity::read(path, &opening).map_err(|error| {
        let hint = format!(
            "give its passphrase: --passphrase-file FILE, whose first line opens {}",
            path.display()
        );
        let code = error.code();
        let error = unreadable(error);
        match code {
            ErrorCode::VaultLocked => error.hint(hint),
            _ => error,
        }
    })
}

/// The key of `--key`: itself, or a file that holds it.
fn given_key(given: &str) -> Result<VerifierKey, WireError> {
    if let Ok(key) = given.parse::<VerifierKey>() {
        return Ok(key);
    }
    let text = fs::read_to_string(given).unwrap_or_default();
    text.trim().parse().map_err(|_| {
        WireError::new(ErrorCode::InvalidArgument, "--key is no public key")
            .reason("it is neither a key nor a file that holds one")
            .hint("manushyactl audit head -o json | jq -r .public_key")
    })
}

/// The keys that a home signs and signed with, by its own keys or else by what a client of it
/// remembered.
fn known_keys(
    home: &Home,
    passphrases: &Config,
    config: &Config,
) -> Result<Vec<VerifierKey>, WireError> {
    let keys = home.data.join("keys");
    if keys.join("keystore").exists() {
        let given = config.passphrase_file.is_some();
        let from = if given { config } else { passphrases };
        let keys = Vault::peek_audit_keys(&keys, &unlock(from)?).map_err(|error| {
            WireError::new(error.code(), "the home's own keys cannot be read").reason(chain(&error))
        })?;
        let origin = crate::service::audit_origin()?;
        let known = keys.into_iter();
        return Ok(known
            .map(|key| VerifierKey::new(origin.clone(), key))
            .collect());
    }
    let known = fs::read_to_string(home.audit_key()).ok();
    Ok(known
        .and_then(|text| text.trim().parse().ok())
        .into_iter()
        .collect())
}

/// Refuses a ledger that was named and is of another home. One that cannot be read says so later.
pub(super) fn check_ledger(path: &Path, home: [u8; 16]) -> Result<(), WireError> {
    match ledger::read(path) {
        Ok(found) if found.as_ref().is_none_or(|found| found.home != home) => {
            let message = format!("the erasure ledger {} is not of this home", path.display());
            Err(WireError::new(ErrorCode::InvalidArgument, message)
                .reason("its rows say nothing of what the backup holds")
                .hint("give the ledger of the home that the backup was taken of"))
        }
        _ => Ok(()),
    }
}
