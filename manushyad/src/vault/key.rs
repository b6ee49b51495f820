//! Keys in RAM, and the three things done with one: derive, seal, authenticate.

use std::io;

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;
/// Bytes of the random nonce in front of what is sealed.
const NONCE_BYTES: usize = 24;
/// Bytes of the authentication tag behind it.
const TAG_BYTES: usize = 16;
/// How much longer sealed bytes are than plain ones.
pub(super) const SEAL_OVERHEAD: usize = NONCE_BYTES + TAG_BYTES;

/// A 256-bit secret, zeroed on drop. It cannot be printed.
///
/// It lies on the heap, so that moving it leaves no copy behind.
pub(super) struct Key(Box<[u8; KEY_BYTES]>);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Key {
    /// A new key from the kernel's randomness.
    pub(super) fn random() -> io::Result<Self> {
        let mut key = Self(Box::new([0; KEY_BYTES]));
        fill(&mut key.0[..])?;
        Ok(key)
    }

    /// The key in `bytes`, if they are as long as a key.
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != KEY_BYTES {
            return None;
        }
        let mut key = Self(Box::new([0; KEY_BYTES]));
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    /// The bytes, for wrapping and for Ed25519 seeds.
    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The key that HKDF-SHA256 (RFC 5869, no salt) makes of this one for the use named `label`.
    pub(super) fn derive(&self, label: &str) -> Self {
        let mut key = Self(Box::new([0; KEY_BYTES]));
        Hkdf::<Sha256>::new(None, &self.0[..])
            .expand(label.as_bytes(), &mut key.0[..])
            .expect("32 bytes are below the 8,160 that HKDF-SHA256 can make");
        key
    }

    /// HMAC-SHA256 (RFC 2104) under this key, to be fed.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        <Hmac<Sha256> as Mac>::new_from_slice(&self.0[..]).expect("HMAC takes keys of any length")
    }

    /// Seals `plaintext` with XChaCha20-Poly1305: nonce, ciphertext, tag.
    ///
    /// The nonce is random: at 192 bits no two meet, and there is no counter that restoring a
    /// backup could turn back.
    pub(super) fn seal(&self, aad: &[u8], plaintext: &[u8]) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(plaintext.len() + SEAL_OVERHEAD);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let tag = XChaCha20Poly1305::new((&*self.0).into())
            .encrypt_in_place_detached(XNonce::from_slice(&nonce), aad, &mut sealed[NONCE_BYTES..])
            .map_err(|_| io::Error::other("the plaintext is too long to seal"))?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens what [`Key::seal`] made under this key with the same `aad`; `None` for all else.
    pub(super) fn open(&self, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let body_bytes = sealed.len().checked_sub(SEAL_OVERHEAD)?;
        let (nonce, rest) = sealed.split_at(NONCE_BYTES);
        let (body, tag) = rest.split_at(body_bytes);
        let mut plaintext = Zeroizing::new(body.to_vec());
        XChaCha20Poly1305::new((&*self.0).into())
            .decrypt_in_place_detached(
                XNonce::from_slice(nonce),
                aad,
                &mut plaintext,
                Tag::from_slice(tag),
            )
            .ok()?;
        Some(plaintext)
    }
}

fn fill(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|error| match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::other("no source of randomness"),
    })
}
