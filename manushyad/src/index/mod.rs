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
mod feedback;
mod lexical;
mod permit;
mod postings;
mod prepared;
mod ranking;
mod report;
mod rescore;
mod search;
mod similar;
mod snapshot;
mod state;
mod tenant;
mod top;
mod upkeep;
mod vectors;

#[cfg(test)]
mod tests;

pub use attributes::IMPORTANCE;
pub use permit::{AttributeFilter, Facts, Permit, Rule, SlotFacts, Visibility, Writer};
pub use prepared::Prepared;
pub use ranking::{Collapse, Left, Out, Ranking, Reason};
pub use report::{AGES, Count, Selection, Stats};
pub use search::{Hit, Neighbour, Parts, SearchOutcome, SearchRequest, TermPart};
pub use similar::Alike;
pub use snapshot::{GraphSnapshot, SnapshotError, vectors_of_snapshot};
pub use tenant::{IndexOptions, IndexStatus, TenantIndex};
pub use upkeep::Upkeep;
pub use vectors::{Exact, Graph, Near, Unit, VectorError, VectorIndex};
