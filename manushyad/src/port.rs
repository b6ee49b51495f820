//! Ports: what the parts below the service are to each other, without knowing each other.

use std::sync::Arc;
use std::time::Duration;

use manushya_core::model::{DataKeyId, EmbedderTag, Place};
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

/// How much longer than what is sealed the sealed bytes are: a nonce and a tag.
pub const SEAL_BYTES: usize = 40;

/// Seals records under data keys and destroys the keys. The vault implements it; the store uses it
/// and never sees a key.
pub trait Cipher: Send + Sync {
    /// A new data key, already durable when this returns.
    ///
    /// # Errors
    ///
    /// [`CipherError::Keystore`] if it cannot be made durable.
    fn fresh_key(&self) -> Result<DataKeyId, CipherError>;

    /// Seals `plaintext` under `key`, bound to `place`: the output opens nowhere else. [`SEAL_BYTES`]
    /// longer.
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
    /// Now. Never earlier than what was shown before, whatever the machine's clock was set to.
    fn now(&self) -> UnixMillis;

    /// The time by which what is due may be erased for good; none while that has to wait, since the
    /// machine's clock was set ahead.
    fn erasing(&self) -> Option<UnixMillis> {
        Some(self.now())
    }

    /// The time of the machine's clock, if that is earlier than [`Clock::now`].
    fn wall(&self) -> UnixMillis {
        self.now()
    }
}

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// What makes vectors, in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedderParts {
    /// What kind of embedder it is: the word of the setting `embedder`.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// What tells apart two states of that model whose vectors differ.
    pub revision: String,
}

/// Turns text into vectors at once: it needs microseconds and cannot fail. All vectors of one
/// embedder are comparable, and with no other's.
pub trait Embedder: Send + Sync {
    /// Provider, model, dimensions and revision in one name; it changes when the vectors do.
    fn name(&self) -> &str;

    /// The parts of the name.
    fn parts(&self) -> EmbedderParts;

    /// How many numbers a vector has.
    fn dims(&self) -> usize;

    /// The vector of `text`, of length one; `None` if nothing in the text carries meaning.
    fn embed(&self, text: &str) -> Option<Vec<f32>>;
}

/// Why texts were not embedded. It quotes neither a text nor an answer, so that it may be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    /// Nothing can be embedded for now, whatever the text.
    #[error("{reason}")]
    Unavailable {
        /// Why.
        reason: String,
        /// When the provider wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// These texts were not embedded; others may be.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: String,
    },
}

/// An embedder that takes its time and may fail: a service, or a large model. Nothing waits for it
/// but a thread of its own, and for a while a question.
pub trait SlowEmbedder: Send + Sync {
    /// Provider, model, dimensions and revision in one name; it changes when the vectors do.
    fn name(&self) -> &str;

    /// The parts of the name.
    fn parts(&self) -> EmbedderParts;

    /// How many numbers a vector has.
    fn dims(&self) -> usize;

    /// How many texts it takes at once.
    fn batch(&self) -> usize;

    /// The vectors of `texts`, in their order: each finite and of length one.
    ///
    /// # Errors
    ///
    /// [`EmbedError`]; then none of them is embedded.
    fn embed_texts(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError>;

    /// The vector of a question, within `patience`.
    ///
    /// # Errors
    ///
    /// [`EmbedError`].
    fn embed_question(&self, text: &str, patience: Duration) -> Result<Vec<f32>, EmbedError>;
}

/// An embedder, by how it is called.
#[derive(Clone)]
pub enum AnyEmbedder {
    /// Wherever a vector is needed.
    Instant(Arc<dyn Embedder>),
    /// Beside everything else.
    Slow(Arc<dyn SlowEmbedder>),
}

impl AnyEmbedder {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Instant(embedder) => embedder.name(),
            Self::Slow(embedder) => embedder.name(),
        }
    }

    /// The parts of its name.
    pub fn parts(&self) -> EmbedderParts {
        match self {
            Self::Instant(embedder) => embedder.parts(),
            Self::Slow(embedder) => embedder.parts(),
        }
    }

    /// How many numbers its vectors have.
    pub fn dims(&self) -> usize {
        match self {
            Self::Instant(embedder) => embedder.dims(),
            Self::Slow(embedder) => embedder.dims(),
        }
    }

    /// What its vectors are marked with.
    pub fn tag(&self) -> EmbedderTag {
        EmbedderTag::of(self.name())
    }

    /// Whether it takes its time.
    pub fn is_slow(&self) -> bool {
        matches!(self, Self::Slow(_))
    }
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
    pub embedder: AnyEmbedder,
}
