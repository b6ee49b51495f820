//! Ports: what the parts below the service are to each other, without knowing each other.

use std::sync::Arc;

use manushya_core::model::{DataKeyId, Place};
use manushya_protocol::unit::UnixMillis;
use zeroize::Zeroizing;

/// Why bytes were not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum CipherError {
    /// The data key was destroyed, or never was.
    #[error("data key {0} does not exist")]
    KeyGone(DataKeyId),
    /// The bytes are not what was sealed at this place under this key.
    #[error("a sealed record does not open: it was altered or moved")]
    NotAuthentic,
    /// The keystore could not be read or written.
    #[error("the keystore cannot be written")]
    Keystore(#[source] std::io::Error),
}

/// Seals records under data keys and destroys the keys. The vault implements it; the store uses it
/// and never sees a key.
pub trait Cipher: Send + Sync {
    /// A new data key, already durable when this returns.
    ///
    /// # Errors
    ///
    /// [`CipherError::Keystore`] if it cannot be made durable.
    fn fresh_key(&self) -> Result<DataKeyId, CipherError>;

    /// Seals `plaintext` under `key`, bound to `place`: the output opens nowhere else. 40 bytes longer.
    ///
    /// # Errors
    ///
    /// [`CipherError::KeyGone`] if there is no such key.
    fn seal(&self, key: DataKeyId, place: &Place, plaintext: &[u8])
    -> Result<Vec<u8>, CipherError>;

    /// Opens what [`Cipher::seal`] made for the same key and place.
    ///
    /// # Errors
    ///
    /// [`CipherError::KeyGone`] or [`CipherError::NotAuthentic`].
    fn open(
        &self,
        key: DataKeyId,
        place: &Place,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CipherError>;

    /// A keyed, one-way tag of `bytes` (HMAC-SHA256, truncated), to look up what may not be stored
    /// in the clear. `domain` keeps uses apart.
    fn blind(&self, domain: &str, bytes: &[u8]) -> [u8; 16];

    /// Destroys data keys for good: when this returns, nothing sealed under them can be opened from
    /// any file of the home.
    ///
    /// # Errors
    ///
    /// [`CipherError::Keystore`]; then the keys may or may not be gone, and the caller repeats it.
    fn destroy(&self, keys: &[DataKeyId]) -> Result<(), CipherError>;

    /// All data keys there are, to find those that nothing uses.
    fn keys(&self) -> Vec<DataKeyId>;
}

/// The time of day.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UnixMillis;
}

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// Turns text into vectors. All vectors of one embedder are comparable, and with no other's.
pub trait Embedder: Send + Sync {
    /// Provider, model, dimensions and revision in one name; it changes when the vectors do.
    fn name(&self) -> &str;

    /// How many numbers a vector has.
    fn dims(&self) -> usize;

    /// The vector of `text`, of length one; `None` if nothing in the text carries meaning.
    fn embed(&self, text: &str) -> Option<Vec<f32>>;
}

/// The shared parts that jobs and services draw on.
#[derive(Clone)]
pub struct Ports {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Seals records.
    pub cipher: Arc<dyn Cipher>,
    /// Makes vectors.
    pub embedder: Arc<dyn Embedder>,
}
