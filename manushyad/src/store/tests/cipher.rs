//! A real cipher with its keys in RAM.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use manushya_core::model::{DataKeyId, Place};
use parking_lot::Mutex;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::port::{Cipher, CipherError};

/// XChaCha20-Poly1305 under keys that live as long as this does.
#[derive(Default)]
pub struct TestCipher {
    keys: Mutex<BTreeMap<u64, XChaCha20Poly1305>>,
    next: std::sync::atomic::AtomicU64,
    fails: AtomicBool,
}

#[allow(dead_code, reason = "the cost example uses a part of it")]
impl TestCipher {
    /// The same keys, as a copy of the keystore's file would hold them.
    pub fn copy(&self) -> Self {
        Self {
            keys: Mutex::new(self.keys.lock().clone()),
            next: self.next.load(Ordering::Relaxed).into(),
            fails: AtomicBool::new(false),
        }
    }

    /// Makes the keystore fail to be written, or work again.
    pub fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    pub fn lose_all_keys(&self) {
        self.keys.lock().clear();
    }

    fn written(&self) -> Result<(), CipherError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(CipherError::Keystore(
                std::io::ErrorKind::StorageFull.into(),
            ));
        }
        Ok(())
    }

    fn key(&self, key: DataKeyId) -> Result<XChaCha20Poly1305, CipherError> {
        let keys = self.keys.lock();
        keys.get(&key.0).cloned().ok_or(CipherError::KeyGone(key))
    }
}

impl Cipher for TestCipher {
    fn fresh_key(&self) -> Result<DataKeyId, CipherError> {
        self.written()?;
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut key = [0; 32];
        getrandom::fill(&mut key).unwrap();
        self.keys
            .lock()
            .insert(id, XChaCha20Poly1305::new(&key.into()));
        Ok(DataKeyId(id))
    }

    fn seal(
        &self,
        key: DataKeyId,
        place: &Place,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, CipherError> {
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).unwrap();
        let aad = place.aad(key);
        let payload = Payload {
            msg: plaintext,
            aad: &aad,
        };
        let sealed = self
            .key(key)?
            .encrypt(XNonce::from_slice(&nonce), payload)
            .unwrap();
        let mut out = nonce.to_vec();
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    fn open(
        &self,
        key: DataKeyId,
        place: &Place,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        let cipher = self.key(key)?;
        let (nonce, msg) = sealed
            .split_at_checked(24)
            .ok_or(CipherError::NotAuthentic)?;
        let aad = place.aad(key);
        let payload = Payload { msg, aad: &aad };
        match cipher.decrypt(XNonce::from_slice(nonce), payload) {
            Ok(plaintext) => Ok(Zeroizing::new(plaintext)),
            Err(_) => Err(CipherError::NotAuthentic),
        }
    }

    fn blind(&self, domain: &str, bytes: &[u8]) -> [u8; 16] {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(domain.as_bytes()).unwrap();
        mac.update(bytes);
        let mut out = [0; 16];
        out.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        out
    }

    fn destroy(&self, keys: &[DataKeyId]) -> Result<(), CipherError> {
        self.written()?;
        let mut held = self.keys.lock();
        for key in keys {
            held.remove(&key.0);
        }
        Ok(())
    }

    fn keys(&self) -> Vec<DataKeyId> {
        self.keys.lock().keys().copied().map(DataKeyId).collect()
    }
}
