//! Planned, confirmed, irreversible erasure.

use serde::{Deserialize, Serialize};

use crate::id::{MemoryId, PlanId};
use crate::unit::UnixMillis;
use crate::v1::common::Page;
use crate::v1::memory::MemoryFilter;

/// Plans an erasure: exactly one of `subject`, `filter`, `expired` and `memories`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PurgePlanCreate {
    /// Everything of this identity, and the identity itself: id or external id.
    #[serde(default)]
    pub subject: Option<String>,
    /// The memories this selects, deleted ones included.
    #[serde(default)]
    pub filter: Option<MemoryFilter>,
    /// What is expired, and what was deleted and is past its retention.
    #[serde(default)]
    pub expired: bool,
    /// These memories, deleted ones included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memories: Vec<MemoryId>,
}

/// A plan, as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// Its id.
    pub id: PlanId,
    /// What `--confirm` must say: the external id of the subject, or the plan's id.
    pub confirm: String,
    /// What it erases, in words.
    pub scope: String,
    /// How many memories would go.
    pub memories: u64,
    /// How many earlier versions of them would go.
    pub versions: u64,
    /// How many tokens would go.
    pub tokens: u64,
    /// How many identities would go.
    pub identities: u64,
    /// When it was made.
    pub created_at: UnixMillis,
    /// Until when it can be applied.
    pub expires_at: UnixMillis,
    /// `planned`, `applied` or `lapsed`.
    pub state: String,
    /// When it was applied.
    pub applied_at: Option<UnixMillis>,
}

/// Carries a plan out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PurgeApply {
    /// The plan.
    pub plan: PlanId,
    /// Must equal the plan's `confirm`.
    pub confirm: String,
}

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Purged {
    /// The plan, if there was one.
    pub plan: Option<PlanId>,
    /// How many memories.
    pub memories: u64,
    /// How many earlier versions.
    pub versions: u64,
    /// How many tokens.
    pub tokens: u64,
    /// How many identities.
    pub identities: u64,
    /// How many data keys were destroyed.
    pub keys_destroyed: u64,
    /// Place of its entry in the audit log.
    pub audit_seq: u64,
    /// What it was, by why and by type; only in a dry run of a sweep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub due: Vec<DueView>,
    /// The plan whose receipt was signed.
    #[serde(default)]
    pub receipt: Option<PlanId>,
    /// Why no receipt could be signed, although all of this was erased.
    #[serde(default)]
    pub warning: Option<String>,
}

/// How many memories a sweep would erase, of one type and for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueView {
    /// `expired`, `deleted` (and kept long enough) or `retention`.
    pub why: String,
    /// Their type.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many.
    pub memories: u64,
    /// How many bytes their texts have.
    pub text_bytes: u64,
}

/// Lists plans, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PurgeList {
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// Sweeps what is due: expired memories, and deleted ones past their retention.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeRun {}
