//! Making a vault: all its first files, or none.

use std::fs;
use std::path::Path;

use age::x25519;

use super::error::VaultError;
use super::keystore::{Keystore, Kind};
use super::root::{self, RootEpoch};
use super::{
    IDENTITY, KEYSTORE, RECOVERY_RECIPIENT, ROOT, SMALL_FILE_BYTES_MAX, Unlock, Vault, envelope,
    file, recovery,
};

impl Vault {
    /// Whether there is a vault, or anything else, in the folder `dir`.
    pub fn exists(dir: &Path) -> bool {
        fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Makes a new vault in the folder `dir` (absent or empty) and opens it. `recovery` is the public
    /// half of the key that is to open it should the identity be lost; whoever calls keeps the secret
    /// half elsewhere.
    ///
    /// After a crash in the middle there is none: the folder appears in one step, complete. With a
    /// passphrase this derives a key from it twice, about 0.3 s each.
    ///
    /// # Errors
    ///
    /// [`VaultError::Exists`] if the folder is not empty, and what writing can meet.
    pub fn create(dir: &Path, unlock: Unlock, recovery: Option<&str>) -> Result<Self, VaultError> {
        let recovery = recovery.map(recovery::parse).transpose()?;
        if Self::exists(dir) {
            return Err(VaultError::Exists(dir.to_owned()));
        }
        let name = dir
            .file_name()
            .ok_or_else(|| VaultError::format(dir, "a folder of its own is needed"))?;
        let mut draft_name = name.to_owned();
        draft_name.push(".creating");
        let draft = dir.with_file_name(draft_name);
        if draft.exists() {
            fs::remove_dir_all(&draft).map_err(VaultError::io("remove", &draft))?;
        }
        file::make_dir(&draft)?;
        write_first_files(&draft, &unlock, recovery.as_ref())?;
        file::sync_dir(&draft)?;
        fs::rename(&draft, dir).map_err(VaultError::io("create", dir))?;
        if let Some(parent) = dir.parent() {
            file::sync_dir(parent)?;
        }
        Self::open(dir, unlock)
    }
}

/// Writes all files of a new vault into the folder `dir`.
fn write_first_files(
    dir: &Path,
    unlock: &Unlock,
    recovery: Option<&x25519::Recipient>,
) -> Result<(), VaultError> {
    let identity = x25519::Identity::generate();
    if let Some(recovery) = recovery {
        file::write_new(dir, RECOVERY_RECIPIENT, recipient_file(recovery).as_bytes())?;
    }
    let text = envelope::write_identity(&dir.join(IDENTITY), &identity, unlock.passphrase())?;
    file::write_new(dir, IDENTITY, &text)?;

    let root = RootEpoch::after(0).map_err(VaultError::Randomness)?;
    let named = recovery.map(ToString::to_string).unwrap_or_default();
    let mut keystore = Keystore::empty(&root, named);
    for kind in [
        Kind::AuditSigning,
        Kind::JwtSigning,
        Kind::Blind,
        Kind::Snapshot,
    ] {
        keystore.add(kind)?;
    }
    let sealed = envelope::encrypt(
        &dir.join(ROOT),
        &recipients(&identity.to_public(), recovery),
        &root::encode(&[root]),
    )?;
    file::write_new(dir, ROOT, &sealed)?;
    file::write_new(dir, KEYSTORE, &keystore.encode())
}

/// Whom the root is encrypted to.
pub(super) fn recipients<'a>(
    host: &'a x25519::Recipient,
    recovery: Option<&'a x25519::Recipient>,
) -> Vec<&'a x25519::Recipient> {
    std::iter::once(host).chain(recovery).collect()
}

/// What `recovery.recipient` says.
pub(super) fn recipient_file(recipient: &x25519::Recipient) -> String {
    format!("{recipient}\n")
}

/// The recovery recipient, from the keystore, where it is authenticated. The file beside it is for
/// people: it is written again if it is missing, and refused if it says otherwise, since whoever
/// changed it hoped for the next root to be encrypted to them, also where there is none.
pub(super) fn check_recovery(
    dir: &Path,
    keystore: &Keystore,
) -> Result<Option<x25519::Recipient>, VaultError> {
    let path = dir.join(RECOVERY_RECIPIENT);
    let another = "it is not the recovery recipient of this keystore";
    if keystore.recovery().is_empty() {
        return match path.exists() {
            false => Ok(None),
            true => Err(VaultError::format(&path, another)),
        };
    }
    let recipient: x25519::Recipient = keystore
        .recovery()
        .parse()
        .map_err(|_| VaultError::format(&dir.join(KEYSTORE), "its recovery recipient is none"))?;
    if !path.exists() {
        file::write_new(
            dir,
            RECOVERY_RECIPIENT,
            recipient_file(&recipient).as_bytes(),
        )?;
        return Ok(Some(recipient));
    }
    let bytes = file::read_secret(&path, SMALL_FILE_BYTES_MAX)?;
    if *bytes != *recipient_file(&recipient).as_bytes() {
        return Err(VaultError::format(&path, another));
    }
    Ok(Some(recipient))
}
