//! The recovery key: a second age identity that the root is encrypted to, kept where the home is not.
//!
//! Its secret half is never in the home. Whoever makes it shows it once, and the vault is told the
//! public half alone.

use std::path::Path;

use age::x25519;
use age::x25519::Identity;
use manushya_protocol::secret::RecoverySecret;

use super::error::VaultError;
use super::rotate::is_at_newest;
use super::{IDENTITY, RECOVERY_KEY, RECOVERY_RECIPIENT, Unlock, Vault, create, envelope, file};

/// A recovery key that was just made. Its secret half is zeroed on drop and cannot be printed.
pub struct RecoveryKey(pub(super) Identity);

impl RecoveryKey {
    /// Makes one.
    pub fn generate() -> Self {
        Self(Identity::generate())
    }

    /// Reads its secret half, as it was shown or as a file of `age-keygen` has it.
    ///
    /// # Errors
    ///
    /// [`VaultError::Identity`] if it is none; `path` is named in the error.
    pub fn read(path: &Path, text: &[u8]) -> Result<Self, VaultError> {
        envelope::read_identity(path, text, None).map(Self)
    }

    /// The public half, as age writes it (`age1...`).
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    /// The secret half, for the one place that shows it.
    pub fn secret(&self) -> RecoverySecret {
        RecoverySecret::new(self.0.to_string())
    }
}

/// Reads the public half of a recovery key.
pub(super) fn parse(text: &str) -> Result<x25519::Recipient, VaultError> {
    text.trim()
        .parse()
        .map_err(|_| VaultError::Recipient(text.chars().take(80).collect()))
}

impl Vault {
    /// Whether a recovery key lies beside what it recovers, as earlier releases left it. It should be
    /// kept elsewhere: here it protects from nothing, and opens the vault for whoever copies the folder.
    pub fn recovery_key_present(&self) -> bool {
        self.dir.join(RECOVERY_KEY).exists()
    }

    /// The public half of the recovery key, as age writes it (`age1...`); none if there is no such key.
    pub fn recovery_recipient(&self) -> Option<String> {
        self.recovery.read().as_ref().map(ToString::to_string)
    }

    /// Lets another recovery key open this vault, and none before it: there is a new root, which the
    /// key before does not open. Returns the epoch of that root. What was encrypted to the key before,
    /// such as backups, still opens with that.
    ///
    /// # Errors
    ///
    /// [`VaultError::Recipient`] if it is none, and what a step meets; then it can be repeated.
    pub fn replace_recovery(&self, recipient: &str) -> Result<u64, VaultError> {
        let recipient = parse(recipient)?;
        let mut disk = self.disk.lock();
        if is_at_newest(&disk) && disk.roots.len() > 1 {
            self.forget_old_roots(&mut disk)?;
        }
        // The file for people is written again from the keystore, whatever comes in between.
        file::remove_if_there(&self.dir.join(RECOVERY_RECIPIENT))?;
        self.announce_root(&mut disk)?;
        let before = disk.keystore.recovery().to_owned();
        disk.keystore.set_recovery(recipient.to_string());
        if let Err(error) = self.rewrap(&mut disk, &Default::default()) {
            disk.keystore.set_recovery(before);
            return Err(error);
        }
        *self.recovery.write() = Some(recipient.clone());
        self.forget_old_roots(&mut disk)?;
        let shown = create::recipient_file(&recipient);
        file::replace(&self.dir, RECOVERY_RECIPIENT, shown.as_bytes())?;
        Ok(disk.keystore.epoch())
    }

    /// Makes a new identity for the host in place of a lost one, with the recovery key: there is a new
    /// root, which the lost identity does not open. Returns its epoch. After a crash the recovery key
    /// opens the vault as before.
    ///
    /// # Errors
    ///
    /// [`VaultError::Decrypt`] or [`VaultError::Format`] if it is not the recovery key of this vault,
    /// and as [`Vault::open`].
    pub fn recover(dir: &Path, key: RecoveryKey, unlock: &Unlock) -> Result<u64, VaultError> {
        let recipient = key.recipient();
        let mut vault = Self::open_as(dir, key.0)?;
        if vault.recovery_recipient() != Some(recipient) {
            let path = dir.join(RECOVERY_RECIPIENT);
            return Err(VaultError::format(
                &path,
                "the key that was given is not the recovery key of this home",
            ));
        }
        vault.identity = Identity::generate();
        let path = dir.join(IDENTITY);
        let text = envelope::write_identity(&path, &vault.identity, unlock.passphrase())?;
        let epoch = vault.rotate_root()?;
        file::replace(dir, IDENTITY, &text)?;
        Ok(epoch)
    }
}
