//! Memories and search.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::WireError;
use crate::id::{IdentityId, MemoryId};
use crate::unit::UnixMillis;
use crate::v1::common::Page;
use crate::v1::provenance::ProvenanceView;
use crate::v1::recall::{Ranking, SearchLeft};

/// A memory, as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryView {
    /// What is masked in this answer: `text`, `metadata.KEY`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<String>,
    /// Its id.
    pub id: MemoryId,
    /// External id of its owner; its id where that is gone.
    pub owner: String,
    /// Id of its owner.
    pub owner_id: IdentityId,
    /// The caller's own unique key.
    pub key: Option<String>,
    /// The text.
    pub text: String,
    /// Its type, such as `note` or `preference`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// The caller's own attributes.
    pub metadata: Map<String, Value>,
    /// A path such as `/team/project`.
    pub namespace: String,
    /// The episode it belongs to.
    pub session: Option<String>,
    /// How far it is trusted, 0 to 100.
    pub trust: u8,
    /// Counts the changes, from 1.
    pub version: u32,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// When it expires.
    pub expires_at: Option<UnixMillis>,
    /// When it was deleted; it can be restored until the retention ends.
    pub deleted_at: Option<UnixMillis>,
    /// Where this version comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<ProvenanceView>,
    /// Held back until it is reviewed.
    #[serde(default)]
    pub quarantined: bool,
    /// The memory that says it better; a search passes over this one then.
    #[serde(default)]
    pub superseded_by: Option<MemoryId>,
    /// Since when.
    #[serde(default)]
    pub superseded_at: Option<UnixMillis>,
    /// The memories that this one superseded.
    #[serde(default)]
    pub supersedes: Vec<MemoryId>,
}

/// What to do when the `key` of a new memory exists already with another content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// Refuse it as a conflict.
    #[default]
    Fail,
    /// Make it a new version of the existing memory.
    Update,
    /// Leave the existing memory as it is.
    Skip,
}

/// What to do when one of the caller's own memories says nearly the same as a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDuplicate {
    /// Keep both.
    #[default]
    Keep,
    /// Leave the existing memory and add none.
    Skip,
    /// Add the new one; the existing ones are superseded by it and leave the searches.
    Supersede,
}

/// Adds a memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryAdd {
    /// The text, 1 to 65,536 bytes.
    pub text: String,
    /// Its type; the default is `note`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The caller's own attributes: scalars and lists of scalars.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// A path; the default is `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The episode it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The caller's own key, unique among the owner's memories, which makes a retry harmless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How far it is trusted, 0 to 100; the default is 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<u8>,
    /// When it was first noted, if not now; never in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<UnixMillis>,
    /// When it expires, as a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixMillis>,
    /// When it expires, as seconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// What to do when the key exists with another content.
    #[serde(default)]
    pub on_conflict: OnConflict,
    /// Where the writer has it from, such as a page or a file; it becomes part of the provenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// It exists only to be noticed when it is read; takes the right to manage it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub canary: bool,
    /// What to do when one of the caller's own memories says nearly the same.
    #[serde(default)]
    pub on_duplicate: OnDuplicate,
    /// From which cosine of the vectors on two texts say nearly the same, above 0 to 1; the default
    /// is [`crate::limits::DUPLICATE_COSINE_DEFAULT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_cosine: Option<f32>,
}

/// Answers [`MemoryAdd`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryAdded {
    /// The memory's id. A dry run names one that was not used.
    pub id: MemoryId,
    /// Its version.
    pub version: u32,
    /// When it was made.
    pub created_at: UnixMillis,
    /// `added`, `updated`, `unchanged`, or `duplicate` if the id is that of a memory that says
    /// nearly the same and nothing was added.
    pub outcome: String,
    /// The memories that it superseded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supersedes: Vec<MemoryId>,
}

/// Adds a batch. Each item stands on its own: some may be refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryAddMany {
    /// The items, at most [`crate::limits::BATCH_ITEMS_MAX`].
    pub items: Vec<MemoryAdd>,
}

/// Answers [`MemoryAddMany`], item by item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryAddedMany {
    /// One result an item, in their order.
    pub results: Vec<ItemResult>,
}

/// The result of one item of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemResult {
    /// It was taken.
    Ok(MemoryAdded),
    /// It was refused.
    Err(WireError),
}

/// Names one memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryRef {
    /// Its id.
    pub id: MemoryId,
}

/// Which memories are meant. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryFilter {
    /// Any of these types.
    #[serde(default, rename = "type", skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// All of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Owned by this identity: id or external id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// In this namespace or below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Of this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Made at or after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<UnixMillis>,
    /// Made before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixMillis>,
    /// JSON Logic over the facts `memory.*`; only `true` selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Value>,
    /// Made or last changed by this identity: id or external id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<String>,
    /// With `writer`: written at or after this moment, by the daemon's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_since: Option<UnixMillis>,
    /// With `writer`: written before this moment, by the daemon's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_until: Option<UnixMillis>,
    /// Trusted at least so far, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_trust: Option<u8>,
}

/// Lists memories, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryList {
    /// Which.
    #[serde(default)]
    pub filter: MemoryFilter,
    /// The deleted ones instead, that can still be restored.
    #[serde(default)]
    pub deleted: bool,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// How to search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    /// Words and vectors together.
    #[default]
    Hybrid,
    /// Words only.
    Lexical,
    /// Vectors only.
    Semantic,
}

/// Searches memories.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemorySearch {
    /// The question.
    pub query: String,
    /// How.
    #[serde(default)]
    pub mode: SearchMode,
    /// How many results, 1 to 1000; the default is 10.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Which memories to search.
    #[serde(default)]
    pub filter: MemoryFilter,
    /// Drop results scored below this.
    #[serde(default)]
    pub min_score: Option<f32>,
    /// Show each part of each score, and why others left.
    #[serde(default)]
    pub explain: bool,
    /// What counts beside the question.
    #[serde(default)]
    pub ranking: Ranking,
}

/// One result of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchHit {
    /// How well it answers, 0 to 1, best first. Comparable within one answer only.
    pub score: f32,
    /// The memory.
    pub memory: MemoryView,
    /// How many more results say the same; they are left out.
    #[serde(default)]
    pub duplicates: u64,
    /// The parts of the score, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<ScoreParts>,
}

/// The parts of a score.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreParts {
    /// Raw BM25 over the memories the caller may see.
    pub bm25: f32,
    /// BM25 with its windows, divided by the best of this answer, or by more where the best has hardly
    /// any of the query's words.
    pub lexical: f32,
    /// Raw cosine of the vectors.
    pub cosine: f32,
    /// The same to the question that its best answers have drawn towards them, which counts.
    #[serde(default)]
    pub drawn: f32,
    /// Cosine with what is lent to it, divided by the best of this answer; 0 where negative.
    pub semantic: f32,
    /// Weight of the lexical part.
    pub lexical_weight: f32,
    /// Weight of the semantic part.
    pub semantic_weight: f32,
    /// The query's words that the memory has, stemmed, with what each added to BM25.
    pub terms: Vec<TermScore>,
    /// Raw BM25 of the windows of 1 and of 2 turns on each side in its session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<f32>,
    /// What its neighbours in its session lend to the cosine.
    #[serde(default)]
    pub lent: f32,
    /// What the score was multiplied by for its age, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recency: Option<f32>,
    /// The same for its trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<f32>,
    /// The same for its importance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<f32>,
    /// How near it is to the nearest result above it, if the results were diversified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sameness: Option<f32>,
}

/// What one word added to BM25.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermScore {
    /// The stemmed word of the query.
    pub term: String,
    /// What it added.
    pub score: f32,
}

/// Answers [`MemorySearch`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchResults {
    /// The results, best first.
    pub items: Vec<SearchHit>,
    /// Always absent: a search has one page.
    pub next: Option<String>,
    /// How many results there are here.
    pub total: u64,
    /// `complete`, or what is missing from the answer and why.
    pub semantic: String,
    /// Why other memories are not in the answer, if the search was to be explained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<SearchLeft>,
}

/// Changes a memory; what is absent stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryUpdate {
    /// Its id.
    pub id: MemoryId,
    /// Fail with a conflict unless this is its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<u32>,
    /// A new text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A new type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// New tags, replacing all of the old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// New metadata, replacing all of the old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// A new namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A new session; empty clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// A new trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<u8>,
    /// A new life, in seconds from now; 0 means that it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Where the writer has the new version from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Deletes a memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryDelete {
    /// Its id.
    pub id: MemoryId,
    /// Erase it at once and for good, with its history.
    #[serde(default)]
    pub hard: bool,
}

/// Asks for the versions of a memory, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryHistory {
    /// Its id.
    pub id: MemoryId,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// Asks for counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryStatsOf {
    /// Of which memories.
    #[serde(default)]
    pub filter: MemoryFilter,
}

/// Counts of the memories the caller may see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryStats {
    /// How many there are.
    pub memories: u64,
    /// By type, most first.
    pub by_type: Vec<Count>,
    /// By owner, most first.
    pub by_owner: Vec<Count>,
    /// By namespace, most first.
    pub by_namespace: Vec<Count>,
    /// By tag, most first.
    pub by_tag: Vec<Count>,
    /// When the oldest was made.
    pub oldest: Option<UnixMillis>,
    /// When the newest was made.
    pub newest: Option<UnixMillis>,
}

/// A name and how often it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The name.
    pub name: String,
    /// How often.
    pub count: u64,
}
