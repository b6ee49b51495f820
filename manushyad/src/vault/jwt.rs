//! The keys that sign access tokens, of which there may be several.

use super::error::VaultError;
use super::keystore::Kind;
use super::{KEYSTORE, Vault, file};

impl Vault {
    /// The numbers of the keys that sign access tokens, oldest first: the last one signs.
    pub fn jwt_key_ids(&self) -> Vec<u64> {
        let disk = self.disk.lock();
        disk.keystore
            .of_kind(Kind::JwtSigning)
            .map(|(id, _)| id)
            .collect()
    }

    /// Makes a new key that signs access tokens; it is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`VaultError::Randomness`], or that the file cannot be written; then there is no new key.
    pub fn add_jwt_key(&self) -> Result<u64, VaultError> {
        let mut disk = self.disk.lock();
        let id = disk.keystore.add(Kind::JwtSigning)?;
        if let Err(error) = file::replace(&self.dir, KEYSTORE, &disk.keystore.encode()) {
            disk.keystore.remove([id]);
            return Err(error);
        }
        Ok(id)
    }

    /// Removes keys that sign access tokens, but never the last: what they signed is refused from
    /// then on.
    ///
    /// # Errors
    ///
    /// That the file cannot be written; then all stay.
    pub fn remove_jwt_keys(&self, keys: &[u64]) -> Result<(), VaultError> {
        let mut disk = self.disk.lock();
        let all: Vec<u64> = disk
            .keystore
            .of_kind(Kind::JwtSigning)
            .map(|(id, _)| id)
            .collect();
        let newest = all.last().copied();
        let gone: Vec<u64> = all
            .into_iter()
            .filter(|id| keys.contains(id) && Some(*id) != newest)
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        let removed = disk.keystore.remove(gone);
        if let Err(error) = file::replace(&self.dir, KEYSTORE, &disk.keystore.encode()) {
            disk.keystore.put_back(removed);
            return Err(error);
        }
        Ok(())
    }
}
