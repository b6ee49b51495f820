//! Planned erasure.

use manushya_protocol::id::{IdentityId, PlanId, TenantId};
use manushya_protocol::unit::UnixMillis;

/// What a plan erases.
#[derive(Clone, Debug, PartialEq)]
pub enum PurgeScope {
    /// Everything of an identity, and the identity itself.
    Subject(IdentityId),
    /// The memories a filter selected.
    Filter,
    /// What is expired, or deleted and past its retention.
    Expired,
    /// Memories that were named one by one.
    Records,
}

impl PurgeScope {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Subject(_) => "subject",
            Self::Filter => "filter",
            Self::Expired => "expired",
            Self::Records => "records",
        }
    }

    /// What it erases, in words.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Subject(_) => "an identity and everything it owns",
            Self::Filter => "the memories a filter selects",
            Self::Expired => "what is expired or past its retention",
            Self::Records => "memories named one by one",
        }
    }
}

/// Where a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanState {
    /// It can be applied until it lapses.
    Planned,
    /// It was applied at this moment.
    Applied(UnixMillis),
}

/// A planned erasure. It holds counts and a fingerprint, never what it erases.
#[derive(Clone, Debug, PartialEq)]
pub struct PurgePlan {
    /// Its id.
    pub id: PlanId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Who made it.
    pub planner: IdentityId,
    /// What it erases.
    pub scope: PurgeScope,
    /// The filter as JSON, sealed with the rest of the record; empty unless the scope is a
    /// filter, or the ids of single memories.
    pub filter_json: String,
    /// What the confirmation must say.
    pub confirm: String,
    /// How many memories it covers.
    pub memories: u64,
    /// How many earlier versions of them.
    pub versions: u64,
    /// How many tokens it covers.
    pub tokens: u64,
    /// How many identities it covers.
    pub identities: u64,
    /// SHA-256 over the ids and versions it covers, in order. When applied, it must be the same.
    pub fingerprint: [u8; 32],
    /// When it was made.
    pub created_at: UnixMillis,
    /// Until when it can be applied.
    pub expires_at: UnixMillis,
    /// Where it stands.
    pub state: PlanState,
}
