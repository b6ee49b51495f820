//! The keys of the audit log: one signs, and of those before it the public halves are kept.
//!
//! A new key is in the file before the log names it, and the secret half of the old one leaves the file
//! once the log does. Whatever a crash comes between, [`Vault::settle_audit_keys`] tells from the log
//! which of the two it is.

use ed25519_dalek::{SigningKey, VerifyingKey};

use super::error::VaultError;
use super::key::Key;
use super::keystore::{Keystore, Kind};
use super::{KEYSTORE, Vault, file};

/// The public keys of a keystore, oldest first; the last may be one that does not sign yet.
pub(super) fn public_keys(keystore: &Keystore) -> Vec<VerifyingKey> {
    let past = keystore
        .of_kind(Kind::AuditPast)
        .filter_map(|(_, key)| VerifyingKey::from_bytes(key.expose()).ok());
    let signing = keystore
        .of_kind(Kind::AuditSigning)
        .map(|(_, key)| SigningKey::from_bytes(key.expose()).verifying_key());
    past.chain(signing).collect()
}

impl Vault {
    /// The key that signs audit checkpoints; of two the older one, since nothing says that the newer
    /// one signs.
    pub fn audit_signing_key(&self) -> SigningKey {
        let disk = self.disk.lock();
        let (_, key) = disk
            .keystore
            .of_kind(Kind::AuditSigning)
            .next()
            .expect("a keystore without its system keys does not open");
        SigningKey::from_bytes(key.expose())
    }

    /// The key with this public half, if it is one that can sign the log.
    pub fn audit_signing_key_of(&self, public: &[u8; 32]) -> Option<SigningKey> {
        let disk = self.disk.lock();
        disk.keystore
            .of_kind(Kind::AuditSigning)
            .map(|(_, key)| SigningKey::from_bytes(key.expose()))
            .find(|key| key.verifying_key().as_bytes() == public)
    }

    /// A key that is to sign the log after the one named by its public half, durable when this
    /// returns: a new one, or the one that an earlier call made and the log does not name yet.
    ///
    /// # Errors
    ///
    /// [`VaultError::Randomness`], or that the file cannot be written; then there is no new key.
    pub fn next_audit_key(&self, signs: &[u8; 32]) -> Result<VerifyingKey, VaultError> {
        let mut disk = self.disk.lock();
        let waiting = disk
            .keystore
            .of_kind(Kind::AuditSigning)
            .map(|(_, key)| SigningKey::from_bytes(key.expose()).verifying_key())
            .skip_while(|key| key.as_bytes() != signs)
            .nth(1);
        if let Some(waiting) = waiting {
            return Ok(waiting);
        }
        let id = disk.keystore.add(Kind::AuditSigning)?;
        if let Err(error) = file::replace(&self.dir, KEYSTORE, &disk.keystore.encode()) {
            disk.keystore.remove([id]);
            return Err(error);
        }
        let key = &disk.keystore.entries()[&id].key;
        Ok(SigningKey::from_bytes(key.expose()).verifying_key())
    }

    /// Keeps the key that the log says signs it, and of those before it the public half. `None` stands
    /// for a log that was never handed over. A newer key, which the log does not name, is dropped if
    /// `drop_newer`: only where nothing can be on its way into the log.
    ///
    /// # Errors
    ///
    /// [`VaultError::Format`] if the key that signs is not here, or that the file cannot be written;
    /// then all is as before.
    pub fn settle_audit_keys(
        &self,
        signs: Option<&[u8; 32]>,
        drop_newer: bool,
    ) -> Result<(), VaultError> {
        let mut disk = self.disk.lock();
        let keys: Vec<(u64, VerifyingKey)> = disk
            .keystore
            .of_kind(Kind::AuditSigning)
            .map(|(id, key)| (id, SigningKey::from_bytes(key.expose()).verifying_key()))
            .collect();
        let at = match signs {
            None => Some(0),
            Some(signs) => keys.iter().position(|(_, key)| key.as_bytes() == signs),
        };
        let at = at.ok_or_else(|| {
            let path = self.dir.join(KEYSTORE);
            VaultError::format(&path, "it has not the key that signs the audit log")
        })?;
        let (old, rest) = keys.split_at(at);
        let newer = match drop_newer {
            true => &rest[1..],
            false => &[],
        };
        if old.is_empty() && newer.is_empty() {
            return Ok(());
        }
        let ids = old.iter().chain(newer).map(|(id, _)| *id);
        let removed = disk.keystore.remove(ids);
        let mut kept = Ok(());
        for (id, key) in old {
            let public = Key::from_slice(key.as_bytes()).expect("a public key has 32 bytes");
            kept = kept.and_then(|()| disk.keystore.put(*id, Kind::AuditPast, public));
        }
        let written =
            kept.and_then(|()| file::replace(&self.dir, KEYSTORE, &disk.keystore.encode()));
        if written.is_err() {
            disk.keystore.put_back(removed);
        }
        written
    }
}
