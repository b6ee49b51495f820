//! A walk over all pages of a list, for a filter that has to see every row: it asks for large pages one
//! after the other, keeps what the filter admits, and ends when it has seen enough.

use manushya_protocol::v1::common::Page;

use super::list::Filter;

/// How many rows one page of a walk has.
const WALK_ROWS: u32 = 1_000;
/// After so many rows a walk ends, whatever there is more.
pub const LOOKED_MAX: u64 = 50_000;
/// After so many rows that are admitted a walk ends.
pub const FOUND_MAX: usize = 2_000;

/// How far a walk is.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// What it looks for.
    pub filter: Filter,
    /// How many rows it has seen.
    pub looked: u64,
    /// Whether it is at its end.
    pub is_done: bool,
    /// Whether it ended before the list did.
    pub cut_short: bool,
    cursor: Option<String>,
}

impl Walk {
    /// A walk from the start.
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            ..Self::default()
        }
    }

    /// What to ask for next.
    pub fn page(&self) -> Page {
        Page {
            limit: Some(WALK_ROWS),
            cursor: self.cursor.clone(),
        }
    }

    /// Notes that a page of so many rows was seen, and how to go on.
    pub fn take(&mut self, rows: u64, next: Option<String>) {
        self.looked += rows;
        self.cut_short = next.is_some();
        self.is_done = next.is_none() || self.looked >= LOOKED_MAX;
        self.cursor = next;
    }
}
