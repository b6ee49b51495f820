//! Taking the system's own keys into a backup, and making a vault of them.

use std::fs;
use std::path::Path;

use age::x25519;
use ed25519_dalek::{SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::error::VaultError;
use super::key::{KEY_BYTES, Key};
use super::keystore::{Keystore, Kind};
use super::root::{self, RootEpoch};
use super::stream::StreamIdentity;
use super::{
    IDENTITY, KEYSTORE, RECOVERY_RECIPIENT, ROOT, SMALL_FILE_BYTES_MAX, Unlock, Vault, create,
    envelope, file, keystore, recovery,
};

const ENTRY_BYTES: usize = 9 + KEY_BYTES;
/// How many keys of the system there can be in a backup.
const KEYS_MAX: usize = 1024;

/// The keys that a backup takes along: those that signatures and tags depend on. No data key is
/// among them, so that a backup holds nothing that opens an old row.
pub struct SystemKeys {
    next_id: u64,
    recovery: String,
    entries: Vec<(Kind, u64, Zeroizing<[u8; KEY_BYTES]>)>,
}

impl SystemKeys {
    /// Their bytes: next id (8), length and text of the recovery recipient (1 and n), count (2), and
    /// for each kind (1), id (8) and key (32).
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let capacity = 16 + self.recovery.len() + self.entries.len() * ENTRY_BYTES;
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        bytes.extend_from_slice(&self.next_id.to_be_bytes());
        bytes.push(u8::try_from(self.recovery.len()).expect("a recipient is 62 bytes"));
        bytes.extend_from_slice(self.recovery.as_bytes());
        let count = u16::try_from(self.entries.len()).expect("there are few keys of the system");
        bytes.extend_from_slice(&count.to_be_bytes());
        for (kind, id, key) in &self.entries {
            bytes.push(kind.to_byte());
            bytes.extend_from_slice(&id.to_be_bytes());
            bytes.extend_from_slice(&key[..]);
        }
        bytes
    }

    /// The inverse of [`Self::to_bytes`]; none for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (next_id, rest) = bytes.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first()?;
        let (recovery, rest) = rest.split_at_checked(usize::from(*length))?;
        let (count, rest) = rest.split_first_chunk::<2>()?;
        let count = usize::from(u16::from_be_bytes(*count));
        if count > KEYS_MAX || rest.len() != count * ENTRY_BYTES {
            return None;
        }
        let next_id = u64::from_be_bytes(*next_id);
        let entries = rest
            .chunks_exact(ENTRY_BYTES)
            .map(|entry| {
                let kind = Kind::from_byte(entry[0])?;
                let id = u64::from_be_bytes(entry[1..9].try_into().ok()?);
                let key = Zeroizing::new(<[u8; KEY_BYTES]>::try_from(&entry[9..]).ok()?);
                (kind != Kind::Data && id < next_id).then_some((kind, id, key))
            })
            .collect::<Option<_>>()?;
        Some(Self {
            next_id,
            recovery: std::str::from_utf8(recovery).ok()?.to_owned(),
            entries,
        })
    }

    /// The public keys of those that may sign the audit log: one, or two where a hand-over was cut.
    pub fn audit_keys(&self) -> Vec<VerifyingKey> {
        let of_kind = self.entries.iter().filter(|it| it.0 == Kind::AuditSigning);
        of_kind
            .map(|(_, _, key)| SigningKey::from_bytes(key).verifying_key())
            .collect()
    }
}

impl Vault {
    /// What a backup takes along.
    pub fn system_keys(&self) -> SystemKeys {
        let disk = self.disk.lock();
        let keystore = &disk.keystore;
        let system = keystore
            .entries()
            .iter()
            .filter(|(_, entry)| !matches!(entry.kind, Kind::Data | Kind::Snapshot));
        SystemKeys {
            next_id: keystore.next_id(),
            recovery: keystore.recovery().to_owned(),
            entries: system
                .map(|(id, entry)| (entry.kind, *id, Zeroizing::new(*entry.key.expose())))
                .collect(),
        }
    }

    /// Makes a vault in the folder `dir` that goes on with the keys of another one: a new root and a
    /// new snapshot key, and no data keys. The identity is the one already in the folder, if there
    /// is one, and a new one else. The recovery recipient stays, and its key is not in the folder.
    ///
    /// # Errors
    ///
    /// As [`Vault::create`] and [`Vault::open`].
    pub fn restore(dir: &Path, unlock: Unlock, keys: &SystemKeys) -> Result<Self, VaultError> {
        if dir.join(KEYSTORE).exists() || dir.join(ROOT).exists() {
            return Err(VaultError::Exists(dir.to_owned()));
        }
        if !dir.exists() {
            file::make_dir(dir)?;
        }
        file::check_dir(dir)?;
        let path = dir.join(IDENTITY);
        let identity = match path.exists() {
            true => StreamIdentity::read(&path, &unlock)?.into_identity(),
            false => {
                let identity = x25519::Identity::generate();
                let text = envelope::write_identity(&path, &identity, unlock.passphrase())?;
                file::write_new(dir, IDENTITY, &text)?;
                identity
            }
        };
        let recovery = match keys.recovery.is_empty() {
            true => None,
            false => Some(recovery::parse(&keys.recovery)?),
        };
        match &recovery {
            None => file::remove_if_there(&dir.join(RECOVERY_RECIPIENT))?,
            Some(recovery) => {
                let shown = create::recipient_file(recovery);
                file::replace(dir, RECOVERY_RECIPIENT, shown.as_bytes())?;
            }
        }
        let root = RootEpoch::after(0).map_err(VaultError::Randomness)?;
        let mut keystore = Keystore::empty(&root, keys.recovery.clone());
        for (kind, id, key) in &keys.entries {
            let key = Key::from_slice(&key[..])
                .ok_or_else(|| VaultError::format(dir, "a key of the backup is cut"))?;
            keystore.put(*id, *kind, key)?;
        }
        keystore.raise_next_id(keys.next_id);
        keystore.add(Kind::Snapshot)?;
        let sealed = envelope::encrypt(
            &dir.join(ROOT),
            &create::recipients(&identity.to_public(), recovery.as_ref()),
            &root::encode(&[root]),
        )?;
        file::write_new(dir, ROOT, &sealed)?;
        file::write_new(dir, KEYSTORE, &keystore.encode())?;
        file::sync_dir(dir)?;
        Self::open(dir, unlock)
    }

    /// Reads the public audit keys of the vault in `dir`, those before and the one that signs, and
    /// changes nothing: a daemon may have it open.
    ///
    /// # Errors
    ///
    /// As [`Vault::open`].
    pub fn peek_audit_keys(dir: &Path, unlock: &Unlock) -> Result<Vec<VerifyingKey>, VaultError> {
        let identity = StreamIdentity::read(&dir.join(IDENTITY), unlock)?.into_identity();
        let mut tries = 0;
        loop {
            match Self::peek(dir, &identity) {
                Ok(keys) => return Ok(keys),
                // The daemon may have replaced one of the two files in between.
                Err(error) if tries == 5 => return Err(error),
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(100)),
            }
            tries += 1;
        }
    }

    fn peek(dir: &Path, identity: &x25519::Identity) -> Result<Vec<VerifyingKey>, VaultError> {
        let path = dir.join(ROOT);
        let sealed = file::read_secret(&path, SMALL_FILE_BYTES_MAX)?;
        let bytes = envelope::decrypt(identity, &sealed).map_err(|source| VaultError::Decrypt {
            path: path.clone(),
            source: Box::new(source),
        })?;
        let roots = root::decode(&bytes).map_err(|reason| VaultError::format(&path, reason))?;
        let path = dir.join(KEYSTORE);
        let bytes = file::read_secret(&path, keystore::FILE_BYTES_MAX)?;
        let keystore =
            Keystore::decode(&bytes, &roots).map_err(|reason| VaultError::format(&path, reason))?;
        Ok(super::audit::public_keys(&keystore))
    }

    /// Removes what [`Vault::restore`] made, after a restore that failed: the folder is as before.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn unmake(dir: &Path, keep_identity: bool) -> std::io::Result<()> {
        if !keep_identity {
            return fs::remove_dir_all(dir);
        }
        for name in [ROOT, KEYSTORE, RECOVERY_RECIPIENT] {
            match fs::remove_file(dir.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
