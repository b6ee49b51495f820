//! The index of one tenant, in RAM: which memories answer a question, and which of those may be
//! told.
//!
//! It is derived from the store and holds no text: terms are keyed hashes, vectors are rows of
//! bf16. Policies are applied to candidates inside the search, and every number of an answer (the
//! statistics of BM25 among them) is taken over the memories that the caller may see, so that
//! nothing tells of others.

mod attributes;
mod decide;
mod episodes;
mod lexical;
mod permit;
mod postings;
mod prepared;
mod report;
mod rescore;
mod search;
mod snapshot;
mod state;
mod tenant;
mod top;
mod upkeep;
mod vectors;

#[cfg(test)]
mod tests;

pub use permit::{AttributeFilter, Facts, Permit, Rule, SlotFacts};
pub use prepared::Prepared;
pub use report::{Count, Selection, Stats};
pub use search::{Hit, Parts, SearchOutcome, SearchRequest, TermPart};
pub use snapshot::{GraphSnapshot, SnapshotError};
pub use tenant::{IndexOptions, IndexStatus, TenantIndex};
pub use upkeep::Upkeep;
pub use vectors::{Exact, Graph, Near, Unit, VectorError, VectorIndex};
