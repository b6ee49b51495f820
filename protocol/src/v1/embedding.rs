//! How far the embedding of memories is.

use serde::{Deserialize, Serialize};

use crate::id::MemoryId;
use crate::unit::UnixMillis;

/// What makes vectors. Vectors are compared only if all of this is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedderView {
    /// What kind of embedder it is: `static`, `hash`, `model` or `http`.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// How many numbers a vector has.
    pub dimensions: u64,
    /// What tells apart two states of that model whose vectors differ.
    pub revision: String,
}

/// Asks how far the embedding of the tenant's memories is, and has it go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryReembed {
    /// Try what failed again, at once.
    #[serde(default)]
    pub retry: bool,
    /// Only to see how far it is since the last call: such a look is not audited unless it is
    /// denied.
    #[serde(default)]
    pub follow: bool,
}

/// Answers [`MemoryReembed`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReembedView {
    /// `complete`, `embedding`, `waiting` for an embedder that cannot be had, or `failing` where
    /// all that is left has failed.
    pub state: String,
    /// What the configuration says.
    pub embedder: EmbedderView,
    /// What questions are compared by; absent if only by their words.
    pub serving: Option<EmbedderView>,
    /// Memories of the tenant.
    pub memories: u64,
    /// Those whose vector is made and stored.
    pub embedded: u64,
    /// Those that are yet to be embedded, failed ones included.
    pub pending: u64,
    /// Those that failed again and again.
    pub failed: u64,
    /// Why nothing can be embedded for now.
    pub reason: Option<String>,
    /// When that is tried again.
    pub retry_at: Option<UnixMillis>,
    /// Some of those that failed.
    pub failures: Vec<EmbedFailure>,
}

/// A memory that could not be embedded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedFailure {
    /// The memory.
    pub id: MemoryId,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed the last time.
    pub reason: String,
    /// When it is tried again.
    pub retry_at: UnixMillis,
}
