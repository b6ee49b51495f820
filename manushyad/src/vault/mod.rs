//! The vault: keys, from the operator's age identity down to the data key of one subject, and
//! everything that is done with them.
//!
//! ```text
//! identity.age-key   age X25519 identity, in the clear (0600) or locked by a passphrase
//! root.age           root keys by epoch, encrypted to it and to the recovery key, if there is one
//! keystore           every other key, wrapped under the root's epoch, rewritten whole
//! ```
//!
//! Destroying a key means a new root epoch and a keystore without the key; an old copy of the
//! keystore then has no root that opens it. Format and promises: `docs/formats/keystore.md`.

mod audit;
mod create;
mod envelope;
mod error;
mod file;
mod jwt;
mod key;
mod keystore;
mod old;
mod recovery;
mod root;
mod rotate;
mod stream;
#[cfg(test)]
mod tests;
mod transfer;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use age::x25519;
use ed25519_dalek::SigningKey;
use hmac::Mac;
use manushya_core::model::{DataKeyId, Place};
use parking_lot::{Mutex, RwLock};
use secrecy::SecretString;
use zeroize::Zeroizing;

pub use error::VaultError;
pub use file::replace as replace_file;
pub use old::OldKeys;
pub use recovery::RecoveryKey;
pub use stream::{AgeWriter, StreamIdentity, check_recipients, is_for_others};
pub use transfer::SystemKeys;

use crate::os::{Reserve, is_full};
use crate::port::{Cipher, CipherError};
use key::Key;
use keystore::{Keystore, Kind};
use root::RootEpoch;

const IDENTITY: &str = "identity.age-key";
const RECOVERY_KEY: &str = "recovery.age-key";
const RECOVERY_RECIPIENT: &str = "recovery.recipient";
const ROOT: &str = "root.age";
const KEYSTORE: &str = "keystore";

/// The longest file of an identity, a recipient or the root.
const SMALL_FILE_BYTES_MAX: u64 = 64 << 10;
/// The longest sealed file that is opened.
const SEALED_FILE_BYTES_MAX: usize = 1 << 32;
/// What is authenticated with a sealed file.
const SEALED_FILE_AAD: &[u8] = b"manushya/v1/snapshot";
/// Spare data keys made at once: at the least, at the most.
const SPARES: (usize, usize) = (256, 65_536);

/// How the age identity of the host is opened.
#[derive(Clone)]
pub enum Unlock {
    /// It lies in the clear, readable by the daemon's user alone.
    Host,
    /// It is locked by the operator's passphrase.
    Passphrase(SecretString),
}

impl Unlock {
    fn passphrase(&self) -> Option<&SecretString> {
        match self {
            Self::Host => None,
            Self::Passphrase(passphrase) => Some(passphrase),
        }
    }
}

/// An open vault. It implements [`Cipher`]; nothing else in the process holds a data key.
///
/// One process opens a keys folder at a time: the caller holds the lock of the home.
pub struct Vault {
    dir: PathBuf,
    identity: x25519::Identity,
    recovery: RwLock<Option<x25519::Recipient>>,
    /// Data keys. Readers never wait for a file.
    data: RwLock<HashMap<DataKeyId, Arc<Key>>>,
    blind: Arc<Key>,
    snapshot: RwLock<Arc<Key>>,
    disk: Mutex<Disk>,
    /// Room for when the disk is full.
    reserve: OnceLock<Reserve>,
}

/// What the files say; whoever rewrites one holds the lock.
struct Disk {
    /// One, or two while keys are being destroyed; the last is the newest.
    roots: Vec<RootEpoch>,
    keystore: Keystore,
    /// Data keys that are in the file and were given to nobody.
    spares: VecDeque<u64>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

impl Vault {
    /// Opens the vault in the folder `dir`, and finishes an erasure that a crash cut off.
    ///
    /// # Errors
    ///
    /// [`VaultError::Permissive`] if other users can reach a secret,
    /// [`VaultError::PassphraseWrong`] and its like for the identity, [`VaultError::Decrypt`] and
    /// [`VaultError::Format`] for anything altered, cut, exchanged or put back from before an
    /// erasure.
    pub fn open(dir: &Path, unlock: Unlock) -> Result<Self, VaultError> {
        file::check_dir(dir)?;
        let path = dir.join(IDENTITY);
        file::remove_tmp(dir, IDENTITY)?;
        let bytes = file::read_secret(&path, SMALL_FILE_BYTES_MAX)?;
        let identity = envelope::read_identity(&path, &bytes, unlock.passphrase())?;
        Self::open_as(dir, identity)
    }

    /// As [`Vault::open`], with an identity that does not lie in the folder.
    fn open_as(dir: &Path, identity: x25519::Identity) -> Result<Self, VaultError> {
        file::check_dir(dir)?;
        for name in [IDENTITY, ROOT, KEYSTORE, RECOVERY_RECIPIENT] {
            file::remove_tmp(dir, name)?;
        }
        let path = dir.join(ROOT);
        let sealed = file::read_secret(&path, SMALL_FILE_BYTES_MAX)?;
        let bytes =
            envelope::decrypt(&identity, &sealed).map_err(|source| VaultError::Decrypt {
                path: path.clone(),
                source: Box::new(source),
            })?;
        let roots = root::decode(&bytes).map_err(|reason| VaultError::format(&path, reason))?;

        let path = dir.join(KEYSTORE);
        let bytes = file::read_secret(&path, keystore::FILE_BYTES_MAX)?;
        let keystore =
            Keystore::decode(&bytes, &roots).map_err(|reason| VaultError::format(&path, reason))?;
        let recovery = create::check_recovery(dir, &keystore)?;

        let vault = Self::assemble(dir, identity, recovery, roots, keystore)?;
        vault.finish_interrupted()?;
        Ok(vault)
    }

    /// Lets the keys be written with the room that is kept for a full disk, if there is no other.
    pub fn set_reserve(&self, reserve: Reserve) {
        let _ = self.reserve.set(reserve);
    }

    /// Replaces a file of the keys.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        match file::replace(&self.dir, name, bytes) {
            Err(VaultError::Io { source, .. })
                if is_full(&source) && self.reserve.get().is_some_and(Reserve::give) =>
            {
                file::replace(&self.dir, name, bytes)
            }
            done => done,
        }
    }

    fn assemble(
        dir: &Path,
        identity: x25519::Identity,
        recovery: Option<x25519::Recipient>,
        roots: Vec<RootEpoch>,
        keystore: Keystore,
    ) -> Result<Self, VaultError> {
        let data = keystore
            .of_kind(Kind::Data)
            .map(|(id, key)| (DataKeyId(id), Arc::clone(key)))
            .collect();
        let only = |kind| {
            keystore
                .of_kind(kind)
                .next()
                .map(|(_, key)| Arc::clone(key))
                .ok_or_else(|| VaultError::format(dir, "a system key is missing"))
        };
        Ok(Self {
            dir: dir.to_owned(),
            identity,
            recovery: RwLock::new(recovery),
            data: RwLock::new(data),
            blind: only(Kind::Blind)?,
            snapshot: RwLock::new(only(Kind::Snapshot)?),
            disk: Mutex::new(Disk {
                roots,
                keystore,
                spares: VecDeque::new(),
            }),
            reserve: OnceLock::new(),
        })
    }

    /// The epoch of the root key; it rises by one with every erasure.
    pub fn epoch(&self) -> u64 {
        self.disk.lock().keystore.epoch()
    }

    /// The number below which every data key was given out, and from which on none was.
    pub fn next_data_key(&self) -> DataKeyId {
        let disk = self.disk.lock();
        let spare = disk.spares.front().copied();
        DataKeyId(spare.unwrap_or_else(|| disk.keystore.next_id()))
    }

    /// Locks the file of the host's identity by a passphrase, or writes it in the clear: each start
    /// from here on needs the one, or must do without. The identity stays the same. Deriving a key
    /// takes about 0.3 s.
    ///
    /// # Errors
    ///
    /// What encrypting or the disk says; then the file is as it was.
    pub fn set_passphrase(&self, passphrase: Option<&SecretString>) -> Result<(), VaultError> {
        let path = self.dir.join(IDENTITY);
        let text = envelope::write_identity(&path, &self.identity, passphrase)?;
        let _disk = self.disk.lock();
        file::replace(&self.dir, IDENTITY, &text)
    }

    /// The keys that sign access tokens with their `kid`, oldest first: the last one signs.
    pub fn jwt_keys(&self) -> Vec<(String, SigningKey)> {
        self.disk
            .lock()
            .keystore
            .of_kind(Kind::JwtSigning)
            .map(|(id, key)| (format!("{id:016x}"), SigningKey::from_bytes(key.expose())))
            .collect()
    }

    /// Seals a file derived from the records, such as an index snapshot: under the snapshot key,
    /// and age to this host around it. The next erasure makes it unreadable for good.
    ///
    /// # Errors
    ///
    /// [`VaultError::Randomness`] or [`VaultError::Encrypt`].
    pub fn seal_file(&self, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        let key = Arc::clone(&self.snapshot.read());
        let inner = key
            .seal(SEALED_FILE_AAD, plaintext)
            .map_err(VaultError::Randomness)?;
        let named = Path::new("sealed file");
        envelope::encrypt(named, &[&self.identity.to_public()], &inner)
    }

    /// Opens what [`Vault::seal_file`] made since the last erasure.
    ///
    /// # Errors
    ///
    /// [`CipherError::NotAuthentic`] for all else.
    pub fn open_file(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        if sealed.len() > SEALED_FILE_BYTES_MAX {
            return Err(CipherError::NotAuthentic);
        }
        let inner =
            envelope::decrypt(&self.identity, sealed).map_err(|_| CipherError::NotAuthentic)?;
        let key = Arc::clone(&self.snapshot.read());
        key.open(SEALED_FILE_AAD, &inner)
            .ok_or(CipherError::NotAuthentic)
    }

    /// Destroys all data keys but `used`; returns how many.
    ///
    /// For the start, before the first [`Cipher::fresh_key`]: a key that nothing uses was a spare,
    /// or belongs to a transaction that never was, or to an erasure that a crash cut off before its
    /// keys were destroyed. Which of them cannot be told, so all are destroyed and none is reused.
    ///
    /// **What `used` leaves out is lost**: the set must come from the whole of a store that was
    /// checked, not from one put in its place.
    ///
    /// # Errors
    ///
    /// As [`Cipher::destroy`].
    pub fn retain(&self, used: &HashSet<DataKeyId>) -> Result<usize, CipherError> {
        let unused: Vec<DataKeyId> = self
            .keys()
            .into_iter()
            .filter(|id| !used.contains(id))
            .collect();
        self.destroy(&unused)?;
        Ok(unused.len())
    }

    /// Takes the spare keys out of the keystore, so that the next start finds no unused key and
    /// [`Vault::retain`] has nothing to destroy. For an orderly end; nothing was sealed under them.
    ///
    /// # Errors
    ///
    /// [`CipherError::Keystore`]; then they stay.
    pub fn drop_spares(&self) -> Result<(), CipherError> {
        let mut disk = self.disk.lock();
        if disk.spares.is_empty() {
            return Ok(());
        }
        let spares: Vec<u64> = disk.spares.iter().copied().collect();
        let removed = disk.keystore.remove(spares.iter().copied());
        if let Err(error) = self.replace(KEYSTORE, &disk.keystore.encode()) {
            disk.keystore.put_back(removed);
            return Err(error.into());
        }
        disk.spares.clear();
        let mut data = self.data.write();
        for id in spares {
            data.remove(&DataKeyId(id));
        }
        Ok(())
    }

    /// Makes spare data keys, a quarter of those there are, in one rewrite of the file. So the
    /// cost of a key does not grow with their number.
    fn provision(&self, disk: &mut Disk) -> Result<(), VaultError> {
        let count = (disk.keystore.entries().len() / 4).clamp(SPARES.0, SPARES.1);
        let mut made = Vec::with_capacity(count);
        let mut failure = None;
        for _ in 0..count {
            match disk.keystore.add(Kind::Data) {
                Ok(id) => made.push(id),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        // A keystore that has room for some is filled; one that has none says so.
        if let Some(error) = failure.filter(|_| made.is_empty()) {
            return Err(error);
        }
        if let Err(error) = self.replace(KEYSTORE, &disk.keystore.encode()) {
            disk.keystore.remove(made);
            return Err(error);
        }
        let mut data = self.data.write();
        for id in &made {
            if let Some(entry) = disk.keystore.entries().get(id) {
                data.insert(DataKeyId(*id), Arc::clone(&entry.key));
            }
        }
        disk.spares.extend(made);
        Ok(())
    }

    fn data_key(&self, id: DataKeyId) -> Result<Arc<Key>, CipherError> {
        self.data
            .read()
            .get(&id)
            .map(Arc::clone)
            .ok_or(CipherError::KeyGone(id))
    }
}

impl Cipher for Vault {
    fn fresh_key(&self) -> Result<DataKeyId, CipherError> {
        let mut disk = self.disk.lock();
        if disk.spares.is_empty() {
            self.provision(&mut disk)?;
        }
        let id = disk.spares.pop_front();
        id.map(DataKeyId).ok_or_else(|| {
            CipherError::Keystore(std::io::Error::other("no spare key could be made"))
        })
    }

    fn seal(
        &self,
        key: DataKeyId,
        place: &Place,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CipherError> {
        self.data_key(key)?
            .seal(&place.aad(key), plaintext)
            .map_err(CipherError::Keystore)
    }

    fn open(
        &self,
        key: DataKeyId,
        place: &Place,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        self.data_key(key)?
            .open(&place.aad(key), sealed)
            .ok_or(CipherError::NotAuthentic)
    }

    /// `domain` must not hold a zero byte, which ends it.
    fn blind(&self, domain: &str, bytes: &[u8]) -> [u8; 16] {
        let mac = self
            .blind
            .mac()
            .chain_update(domain.as_bytes())
            .chain_update([0])
            .chain_update(bytes)
            .finalize()
            .into_bytes();
        let mut tag = [0; 16];
        tag.copy_from_slice(&mac[..16]);
        tag
    }

    fn destroy(&self, keys: &[DataKeyId]) -> Result<(), CipherError> {
        self.destroy_keys(keys).map_err(CipherError::from)
    }

    /// Spare keys are not among them.
    fn keys(&self) -> Vec<DataKeyId> {
        let disk = self.disk.lock();
        let spares: HashSet<u64> = disk.spares.iter().copied().collect();
        disk.keystore
            .of_kind(Kind::Data)
            .map(|(id, _)| id)
            .filter(|id| !spares.contains(id))
            .map(DataKeyId)
            .collect()
    }
}
