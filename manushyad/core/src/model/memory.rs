//! What is remembered.

use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::UnixMillis;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::provenance::Provenance;
use super::text::{Invalid, Kind, MemoryKey, Namespace, Session, Tag, check_metadata, check_text};

/// How far a memory is trusted, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trust(u8);

impl Trust {
    /// Checks and takes `percent`.
    ///
    /// # Errors
    ///
    /// [`Invalid`] above 100.
    pub fn new(percent: u8) -> Result<Self, Invalid> {
        if percent > 100 {
            return Err(Invalid::new("trust", "must be 0 to 100"));
        }
        Ok(Self(percent))
    }

    /// The number.
    pub fn percent(self) -> u8 {
        self.0
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self(50)
    }
}

/// What the caller said: everything of a memory that a version can change.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryContent {
    /// The text.
    pub text: String,
    /// Its type.
    pub kind: Kind,
    /// Its tags, sorted, none twice.
    pub tags: Vec<Tag>,
    /// The caller's own attributes.
    pub metadata: Map<String, Value>,
    /// Where it belongs.
    pub namespace: Namespace,
    /// The episode it belongs to.
    pub session: Option<Session>,
    /// How far it is trusted.
    pub trust: Trust,
    /// When it expires.
    pub expires_at: Option<UnixMillis>,
}

impl MemoryContent {
    /// Checks what the types do not: the text, the metadata and the number of tags. Sorts the tags.
    ///
    /// # Errors
    ///
    /// [`Invalid`] for the first field that is out of bounds.
    pub fn check(mut self) -> Result<Self, Invalid> {
        check_text(&self.text)?;
        check_metadata(&self.metadata)?;
        self.tags.sort_unstable();
        self.tags.dedup();
        let limit = manushya_protocol::limits::TAGS_MAX;
        if self.tags.len() > limit {
            let reason = format!("are {}; the limit is {limit}", self.tags.len());
            return Err(Invalid::new("tags", reason));
        }
        Ok(self)
    }
}

/// Which embedder made a vector: the start of the SHA-256 of its name. Vectors are compared with
/// those of the same tag only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EmbedderTag(pub u64);

impl EmbedderTag {
    /// The tag of the embedder called `name`.
    pub fn of(name: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// A vector, if there is one, and what made it or found nothing to make one of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embedding {
    /// What made it.
    pub by: EmbedderTag,
    /// The vector; none if the text carries no meaning to that embedder.
    pub vector: Option<Vec<f32>>,
}

/// A memory. A new version has the same id and the next number.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Its id.
    pub id: MemoryId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Whose it is.
    pub owner: IdentityId,
    /// The caller's own key, unique among the owner's memories.
    pub key: Option<MemoryKey>,
    /// What the caller said.
    pub content: MemoryContent,
    /// The vector of the text, made by the embedder named beside it; none if it saw no meaning in
    /// the text. It never outlives the text.
    pub vector: Option<Vec<f32>>,
    /// What made the vector.
    pub embedder: EmbedderTag,
    /// Counts the versions, from 1.
    pub version: u32,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// When it was deleted.
    pub deleted_at: Option<UnixMillis>,
    /// Where this version comes from.
    pub provenance: Provenance,
    /// Held back until it is reviewed: in no search, list or count, and for nobody but its owner
    /// and who reviews it.
    pub quarantined: bool,
    /// It exists only to be noticed when it is read.
    pub canary: bool,
    /// What became of it if another memory says it better.
    pub superseded: Option<Superseded>,
    /// The memories that it superseded, the nearest first.
    pub supersedes: Vec<MemoryId>,
}

/// That a memory is no longer what holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// The memory that holds instead.
    pub by: MemoryId,
    /// Since when.
    pub at: UnixMillis,
}

impl Memory {
    /// Whether it can be seen at `now`: neither deleted nor expired.
    pub fn is_live(&self, now: UnixMillis) -> bool {
        self.deleted_at.is_none() && !self.is_expired(now)
    }

    /// Whether it has expired at `now`.
    pub fn is_expired(&self, now: UnixMillis) -> bool {
        self.content.expires_at.is_some_and(|at| at <= now)
    }
}
