//! Requests that wait until somebody grants them.

use serde::{Deserialize, Serialize};

use crate::id::ApprovalId;
use crate::unit::UnixMillis;
use crate::v1::common::Page;

/// Lists requests, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ApprovalList {
    /// Only in this state: `waiting`, `granted`, `refused`, `used` or `expired`.
    #[serde(default)]
    pub state: Option<String>,
    /// Only those of the caller. Who may not read policies sees no others.
    #[serde(default)]
    pub mine: bool,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// Grants or refuses a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalDecide {
    /// The request.
    pub id: ApprovalId,
    /// Grants it for so many seconds; refuses it if there are none.
    #[serde(default)]
    pub grant_seconds: Option<u64>,
}

/// A request that waits for an approval, or was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalView {
    /// Its id.
    pub id: ApprovalId,
    /// External id of who asks.
    pub identity: String,
    /// External id of the one on whose authority: the same, unless a token was delegated.
    pub authority: String,
    /// The method that was called, as `memory_delete`.
    pub method: String,
    /// What is to be done.
    pub action: String,
    /// What it is to be done to.
    pub resource: String,
    /// The id of the thing, if it is there already.
    pub resource_id: Option<String>,
    /// The policy that asks for it.
    pub policy: String,
    /// What the caller said it is for.
    pub purpose: Option<String>,
    /// `waiting`, `granted`, `refused`, `used` or `expired`.
    pub state: String,
    /// External id of who decided.
    pub decided_by: Option<String>,
    /// When it was asked for.
    pub created_at: UnixMillis,
    /// Until when it waits, or can be used.
    pub expires_at: UnixMillis,
}
