//! Requests that wait until somebody grants them.

use manushya_protocol::id::{ApprovalId, IdentityId, TenantId};
use manushya_protocol::unit::UnixMillis;

use super::policy::{Action, PolicyStamp, Resource};

/// How long a request waits, in seconds.
pub const APPROVAL_WAIT_SECONDS: u64 = 24 * 3600;
/// How long what was granted can be used if nothing else is said, in seconds.
pub const APPROVAL_TTL_SECONDS: u64 = 3600;
/// The longest that what was granted can be used, in seconds.
pub const APPROVAL_TTL_SECONDS_MAX: u64 = 7 * 24 * 3600;
/// How many requests of one identity wait at once.
pub const APPROVALS_WAITING_MAX: usize = 100;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    /// Nobody has decided yet.
    Waiting,
    /// It may be done once.
    Granted(IdentityId),
    /// It may not be done.
    Refused(IdentityId),
    /// It was granted and done.
    Used(IdentityId),
}

impl ApprovalState {
    /// Who decided.
    pub fn by(self) -> Option<IdentityId> {
        match self {
            Self::Waiting => None,
            Self::Granted(by) | Self::Refused(by) | Self::Used(by) => Some(by),
        }
    }
}

/// A request that a policy lets nobody do without an approval. It holds no argument; its id follows
/// from a keyed hash of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its id, which follows from who wants to do what.
    pub id: ApprovalId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Who asks.
    pub identity: IdentityId,
    /// On whose authority: the same, unless it asks with a token that was delegated to it.
    pub authority: IdentityId,
    /// The method that was called.
    pub method: String,
    /// What is to be done.
    pub action: Action,
    /// What it is to be done to.
    pub resource: Resource,
    /// The 16 bytes of the id of the thing, if it is there already.
    pub resource_id: Option<[u8; 16]>,
    /// The policy that asks for it.
    pub policy: PolicyStamp,
    /// What the caller said it is for.
    pub purpose: Option<String>,
    /// What became of it.
    pub state: ApprovalState,
    /// When it was asked for.
    pub created_at: UnixMillis,
    /// Until when it waits, or can be used.
    pub expires_at: UnixMillis,
}

impl Approval {
    /// The word for what became of it by `now`.
    pub fn word(&self, now: UnixMillis) -> &'static str {
        match self.state {
            ApprovalState::Used(_) => "used",
            _ if now >= self.expires_at => "expired",
            ApprovalState::Waiting => "waiting",
            ApprovalState::Granted(_) => "granted",
            ApprovalState::Refused(_) => "refused",
        }
    }
}
