//! What several nouns share.

use serde::{Deserialize, Serialize};

/// What every call but `hello` carries beside its own parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Name of the tenant to work in. Only the operator of the host may name one that is not the
    /// caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Decide and report, but change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// What the call is for: the fact `request.purpose` of the policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// How many items at the most; the default is [`crate::limits::PAGE_LIMIT_DEFAULT`].
    #[serde(default)]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page starts, if there is one.
    pub next: Option<String>,
    /// How many items the whole list has, counting only what the caller may see.
    pub total: u64,
}

/// What is answered when a thing was done to a number of things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Name or id of what it was done to.
    pub id: String,
    /// What was done, in one word, such as `deleted`.
    pub outcome: String,
}
