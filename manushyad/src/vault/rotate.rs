//! Destroying keys: a new root epoch in three steps, each of which a crash may follow.
//!
//! 1. `root.age` with the root that is and the root to come.
//! 2. `keystore` without the destroyed keys, wrapped under the root to come.
//! 3. `root.age` with the new root alone. From here on no copy of an older keystore opens.
//!
//! Each step is durable before the next begins, and each can be repeated: a failed call leaves the
//! root to come in RAM, and the next one takes up where it stopped.

use std::collections::HashSet;
use std::sync::Arc;

use manushya_core::model::DataKeyId;

use super::error::VaultError;
use super::keystore::Kind;
use super::root::{self, RootEpoch};
use super::{Disk, KEYSTORE, ROOT, Vault, create, envelope};

impl Vault {
    /// Destroys those of `keys` that exist.
    pub(super) fn destroy_keys(&self, keys: &[DataKeyId]) -> Result<(), VaultError> {
        let mut disk = self.disk.lock();
        // An earlier call may have stopped before its last step. The root it brought already
        // wraps the keys that are to go now, so it does not serve for them.
        if is_at_newest(&disk) && disk.roots.len() > 1 {
            self.forget_old_roots(&mut disk)?;
        }
        let gone: HashSet<u64> = keys
            .iter()
            .map(|key| key.0)
            .filter(|id| {
                let entry = disk.keystore.entries().get(id);
                entry.is_some_and(|entry| entry.kind == Kind::Data)
            })
            .collect();
        if gone.is_empty() && disk.roots.len() == 1 {
            return Ok(());
        }
        self.announce_root(&mut disk)?;
        self.rewrap(&mut disk, &gone)?;
        self.forget_old_roots(&mut disk)
    }

    /// Makes a new root, wraps every key under it and forgets the one before; returns its epoch.
    /// Copies of the keystore before do not open with the new `root.age`. No record is touched;
    /// what [`Vault::seal_file`] made can be read no more, as after an erasure.
    ///
    /// # Errors
    ///
    /// What a step meets; then it can be repeated, and a start finishes it.
    pub fn rotate_root(&self) -> Result<u64, VaultError> {
        let mut disk = self.disk.lock();
        if is_at_newest(&disk) && disk.roots.len() > 1 {
            self.forget_old_roots(&mut disk)?;
        }
        self.announce_root(&mut disk)?;
        self.rewrap(&mut disk, &HashSet::new())?;
        self.forget_old_roots(&mut disk)?;
        Ok(disk.keystore.epoch())
    }

    /// Finishes what a crash cut off: after the first step the keys that were to go are unknown and
    /// stay until the caller names them again; the root changes all the same.
    pub(super) fn finish_interrupted(&self) -> Result<(), VaultError> {
        self.destroy_keys(&[])
    }

    /// Step 1: makes the root to come durable beside the one that is.
    pub(super) fn announce_root(&self, disk: &mut Disk) -> Result<(), VaultError> {
        if disk.roots.len() == 1 {
            let root = RootEpoch::after(disk.keystore.epoch()).map_err(VaultError::Randomness)?;
            // Kept even if writing fails: a write that failed may have reached the disk, and then
            // another root of the same epoch must never take its place.
            disk.roots.push(root);
        }
        self.write_roots(&disk.roots)
    }

    /// Step 2: replaces the keystore by one without the keys `gone`, under the newest root.
    pub(super) fn rewrap(&self, disk: &mut Disk, gone: &HashSet<u64>) -> Result<(), VaultError> {
        let newest = disk.roots.last().expect("there is always a root");
        let next = disk.keystore.rewrapped(newest, |id| gone.contains(&id))?;
        self.replace(KEYSTORE, &next.encode())?;
        disk.keystore = next;
        disk.spares.retain(|id| !gone.contains(id));
        if let Some((_, key)) = disk.keystore.of_kind(Kind::Snapshot).next() {
            *self.snapshot.write() = Arc::clone(key);
        }
        let mut data = self.data.write();
        for id in gone {
            data.remove(&DataKeyId(*id));
        }
        Ok(())
    }

    /// Step 3: leaves the newest root alone in its file.
    pub(super) fn forget_old_roots(&self, disk: &mut Disk) -> Result<(), VaultError> {
        let newest = disk.roots.len() - 1;
        self.write_roots(&disk.roots[newest..])?;
        disk.roots.drain(..newest);
        Ok(())
    }

    fn write_roots(&self, roots: &[RootEpoch]) -> Result<(), VaultError> {
        let recovery = self.recovery.read();
        let sealed = envelope::encrypt(
            &self.dir.join(ROOT),
            &create::recipients(&self.identity.to_public(), recovery.as_ref()),
            &root::encode(roots),
        )?;
        self.replace(ROOT, &sealed)
    }
}

/// Whether the keystore is wrapped under the newest root.
pub(super) fn is_at_newest(disk: &Disk) -> bool {
    disk.roots
        .last()
        .is_some_and(|newest| newest.epoch == disk.keystore.epoch())
}
