//! Trying old copies of the keys: whether they bring back a key that was destroyed.

use std::collections::HashMap;
use std::sync::Arc;

use manushya_core::model::{DataKeyId, Place};
use zeroize::Zeroizing;

use super::key::Key;
use super::keystore::{Keystore, Kind};
use super::root::{self, RootEpoch};
use super::{Vault, envelope};
use crate::port::{Cipher, CipherError};

/// What old copies of root and keystore come to when they are tried with this host's identity. It
/// opens what was sealed under keys that the present keystore lacks, and does nothing else.
pub struct OldKeys {
    data: HashMap<DataKeyId, Arc<Key>>,
    /// How many old roots opened.
    pub roots: usize,
    /// How many old keystores opened.
    pub keystores: usize,
    /// How many keystores did not open with any root.
    pub dead: usize,
}

impl OldKeys {
    /// How many data keys they bring back.
    pub fn count(&self) -> usize {
        self.data.len()
    }
}

impl Vault {
    /// Tries files that may be old copies of the root and of the keystore: each root with this
    /// host's identity, then each keystore with all roots there are, present ones included.
    pub fn try_old(&self, files: &[Vec<u8>]) -> OldKeys {
        let mut old: Vec<RootEpoch> = Vec::new();
        for bytes in files
            .iter()
            .filter(|bytes| bytes.starts_with(b"age-encryption.org/"))
        {
            let opened = envelope::decrypt(&self.identity, bytes).ok();
            if let Some(roots) = opened.and_then(|bytes| root::decode(&bytes).ok()) {
                old.extend(roots);
            }
        }
        let mut found = OldKeys {
            data: HashMap::new(),
            roots: old.len(),
            keystores: 0,
            dead: 0,
        };
        let disk = self.disk.lock();
        for bytes in files.iter().filter(|bytes| bytes.starts_with(b"MNSHKEYS")) {
            let opened = Keystore::decode(bytes, &disk.roots)
                .or_else(|_| Keystore::decode(bytes, &old))
                .ok();
            let Some(keystore) = opened else {
                found.dead += 1;
                continue;
            };
            found.keystores += 1;
            for (id, key) in keystore.of_kind(Kind::Data) {
                if !disk.keystore.entries().contains_key(&id) {
                    found.data.insert(DataKeyId(id), Arc::clone(key));
                }
            }
        }
        found
    }
}

fn refused() -> CipherError {
    CipherError::Keystore(std::io::Error::other("old keys only open"))
}

impl Cipher for OldKeys {
    fn fresh_key(&self) -> Result<DataKeyId, CipherError> {
        Err(refused())
    }

    fn seal(&self, _: DataKeyId, _: &Place, _: &[u8]) -> Result<Vec<u8>, CipherError> {
        Err(refused())
    }

    fn open(
        &self,
        key: DataKeyId,
        place: &Place,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        let data = self.data.get(&key).ok_or(CipherError::KeyGone(key))?;
        data.open(&place.aad(key), sealed)
            .ok_or(CipherError::NotAuthentic)
    }

    fn blind(&self, _: &str, _: &[u8]) -> [u8; 16] {
        [0; 16]
    }

    fn destroy(&self, _: &[DataKeyId]) -> Result<(), CipherError> {
        Err(refused())
    }

    fn keys(&self) -> Vec<DataKeyId> {
        self.data.keys().copied().collect()
    }
}
