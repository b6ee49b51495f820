//! A memory made ready for the index, outside of any lock.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock};

use manushya_core::model::Memory;
use manushya_core::recall::language::Language;
use manushya_core::recall::tokens;
use manushya_protocol::id::{IdentityId, MemoryId};
use serde_json::{Map, Value};

use super::vectors::{Unit, VectorError};

/// The key of all hashes of this process (SipHash-1-3): who reads the index's RAM or knows a hash
/// cannot tell the word from a table made beforehand, and nobody can make words collide.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The hash that stands for a stemmed word.
pub(super) fn term_key(stem: &str) -> u64 {
    KEY.hash_one(stem)
}

/// What the index takes of a memory.
pub struct Prepared {
    pub(super) id: MemoryId,
    pub(super) version: u32,
    pub(super) deleted: bool,
    pub(super) owner: IdentityId,
    pub(super) writer: IdentityId,
    pub(super) written_at: i64,
    pub(super) kind: Arc<str>,
    pub(super) namespace: Arc<str>,
    pub(super) session: Option<Arc<str>>,
    pub(super) tags: Arc<[Arc<str>]>,
    pub(super) trust: u8,
    pub(super) canary: bool,
    pub(super) created_at: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) superseded_at: Option<i64>,
    pub(super) metadata: Option<Arc<Map<String, Value>>>,
    /// Keyed hash of the metadata, to remember what was decided about it.
    pub(super) metadata_key: u64,
    /// Distinct terms, by hash, with how often each stands.
    pub(super) terms: Vec<(u64, u16)>,
    /// How many words there are, tags included.
    pub(super) words: u16,
    /// Keyed hash of the words in their order, or of the text if it has none.
    pub(super) print: u64,
    pub(super) vector: Option<Unit>,
    /// Whether what is stored of it is yet to be embedded.
    pub(super) pending: bool,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({} version {})", self.id, self.version)
    }
}

impl Prepared {
    /// Takes the terms of the text and the tags, stemmed in `language`, the attributes and the vector
    /// of `memory`.
    ///
    /// # Errors
    ///
    /// [`VectorError`] if the vector is not of `dims` finite numbers, or all zero.
    pub(super) fn from_memory(
        memory: &Memory,
        dims: usize,
        language: Language,
    ) -> Result<Self, VectorError> {
        let content = &memory.content;
        let vector = memory.vector.as_deref().map(Unit::new).transpose()?;
        if let Some(vector) = &vector {
            vector.check_dims(dims)?;
        }
        let mut keys = Vec::new();
        tokens::for_each(&content.text, language, |token| {
            keys.push(term_key(token.stem))
        });
        let said = keys.len();
        for tag in &content.tags {
            tokens::for_each(tag.as_str(), language, |token| {
                keys.push(term_key(token.stem))
            });
        }
        let print = match &keys[..said] {
            [] => KEY.hash_one(content.text.trim()),
            said => KEY.hash_one(said),
        };
        let words = saturate(keys.len());
        keys.sort_unstable();
        let same = keys.chunk_by(|a, b| a == b);
        let terms = same.map(|keys| (keys[0], saturate(keys.len()))).collect();
        let metadata = (!content.metadata.is_empty()).then(|| Arc::new(content.metadata.clone()));
        let metadata_key = metadata
            .as_ref()
            .map_or(0, |map| KEY.hash_one(map.as_ref()));
        Ok(Self {
            id: memory.id,
            version: memory.version,
            // What is held back is as good as not there.
            deleted: memory.deleted_at.is_some() || memory.quarantined,
            owner: memory.owner,
            writer: memory.provenance.writer,
            written_at: memory.provenance.written_at.0,
            kind: content.kind.as_str().into(),
            namespace: content.namespace.as_str().into(),
            session: content
                .session
                .as_ref()
                .map(|session| session.as_str().into()),
            tags: content.tags.iter().map(|tag| tag.as_str().into()).collect(),
            trust: content.trust.percent(),
            canary: memory.canary,
            created_at: memory.created_at.0,
            expires_at: content.expires_at.map(|at| at.0),
            superseded_at: memory.superseded.map(|superseded| superseded.at.0),
            metadata,
            metadata_key,
            terms,
            words,
            print,
            vector,
            pending: false,
        })
    }

    /// The same, noted as one whose vector is yet to be made and stored. Until then it has the
    /// vector it came with, or none.
    #[must_use]
    pub fn pending(mut self) -> Self {
        self.pending = true;
        self
    }
}

/// Texts are at most 64 KiB, so that counts of words fit; a longer one counts as the longest.
fn saturate(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
