//! What counts beside the question, and context for a prompt.

use serde::{Deserialize, Serialize};

use crate::id::MemoryId;
use crate::unit::UnixMillis;
use crate::v1::memory::{MemoryFilter, MemoryView, SearchMode};

/// What counts beside the question. By default nothing does, results that say the same word for
/// word are shown once, and superseded memories are passed over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// After so many seconds a memory counts half, after twice as many a quarter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_life_seconds: Option<u64>,
    /// Multiply each score by the trust, as a share of 100.
    #[serde(default)]
    pub trust: bool,
    /// Multiply each score by `metadata.importance`, a number from 0 to 1; without one, by one half.
    #[serde(default)]
    pub importance: bool,
    /// How much it counts against a result that it resembles a better one, 0 to 1: the results are
    /// chosen one after the other (maximal marginal relevance).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversify: Option<f32>,
    /// Results whose vectors have at least this cosine, above 0 to 1, are shown once, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collapse: Option<f32>,
    /// Show results that say the same each.
    #[serde(default)]
    pub duplicates: bool,
    /// Answer as of this moment: of what had been noted by then, what was not superseded by then, in
    /// the words it had then. What is deleted or expired by now is not found all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<UnixMillis>,
    /// Find superseded memories as well.
    #[serde(default)]
    pub superseded: bool,
}

/// Why memories are not in an answer. All numbers are of memories that the caller may see; what the
/// policies forbid has a part in none of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchLeft {
    /// How many memories the caller may search.
    pub searchable: u64,
    /// Not meant by the filter.
    pub filter: u64,
    /// Neither by words nor by vector near enough to the question to be looked at.
    pub unlike: u64,
    /// Scored below `min_score`.
    pub floor: u64,
    /// Saying the same as a better result.
    pub duplicate: u64,
    /// Worse than the results, or more like the others than these are.
    pub limit: u64,
    /// What is told of those that policies forbid: always the same.
    pub policy: String,
    /// The best of those that left for the last three reasons.
    pub nearest: Vec<LeftOut>,
}

/// A memory that was nearly a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The memory.
    pub id: MemoryId,
    /// Its score.
    pub score: f32,
    /// `floor`, `duplicate` or `limit`.
    pub reason: String,
    /// The result that it is a duplicate of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<MemoryId>,
}

/// Asks for memories as a block of text for a prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryRecall {
    /// The question.
    pub query: String,
    /// How many tokens the block may have, 128 to [`crate::limits::RECALL_TOKENS_MAX`]; the default is
    /// [`crate::limits::RECALL_TOKENS_DEFAULT`].
    #[serde(default)]
    pub budget: Option<u32>,
    /// How many memories to recall at the most, without their neighbours; the default is 10.
    #[serde(default)]
    pub limit: Option<u32>,
    /// How many memories on each side in the same session come along, at most 2; the default is 2.
    #[serde(default)]
    pub around: Option<u32>,
    /// How to search.
    #[serde(default)]
    pub mode: SearchMode,
    /// Which memories, the neighbours as well.
    #[serde(default)]
    pub filter: MemoryFilter,
    /// Drop memories scored below this.
    #[serde(default)]
    pub min_score: Option<f32>,
    /// What counts beside the question.
    #[serde(default)]
    pub ranking: Ranking,
}

/// One memory of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecalledMemory {
    /// The memory.
    pub memory: MemoryView,
    /// How well it answers; none if it came along as a neighbour.
    pub score: Option<f32>,
    /// How many more say the same.
    pub duplicates: u64,
    /// Whether its text was cut to fit the budget.
    pub cut: bool,
}

/// Answers [`MemoryRecall`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    /// The block, ready for a prompt.
    pub text: String,
    /// How many tokens it has, as estimated.
    pub tokens: u64,
    /// How many it was allowed.
    pub budget: u64,
    /// The memories in it, in its order.
    pub items: Vec<RecalledMemory>,
    /// How many found memories and neighbours had no room.
    pub omitted: u64,
    /// The mark of its first and last line, which stands in no memory.
    pub fence: String,
    /// `complete`, or what is missing from the answer and why.
    pub semantic: String,
}
