//! What an audit entry holds. Never content: only who did what to which id.

use std::fmt;

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{IdentityId, RequestId, TenantId, TokenId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};

use super::extension::Extensions;
use super::policy::{Action, PolicyStamp, Resource};

/// A SHA-256 hash (FIPS 180-4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditActor {
    /// Nobody that is known: no credential, or one that is not good.
    Anonymous,
    /// An identity.
    Identity(IdentityId),
    /// The daemon itself, for what it does by the clock.
    Daemon,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It was allowed.
    Allow,
    /// It was denied.
    Deny,
}

impl Decision {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// Its stable number in entries.
    pub fn code(self) -> u8 {
        match self {
            Self::Allow => 1,
            Self::Deny => 2,
        }
    }

    /// The inverse of [`Self::code`].
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Allow),
            2 => Some(Self::Deny),
            _ => None,
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Ok,
    /// It was not, for this reason.
    Error(ErrorCode),
}

/// An entry before it has a place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditDraft {
    /// When it was decided.
    pub time: UnixMillis,
    /// The tenant; none for what concerns the host.
    pub tenant: Option<TenantId>,
    /// Who acted.
    pub actor: AuditActor,
    /// User id of the peer process.
    pub peer_uid: Option<u32>,
    /// The token that was used.
    pub token: Option<TokenId>,
    /// What was done.
    pub action: Action,
    /// What it was done to.
    pub resource: Resource,
    /// The 16 bytes of the id of the one thing it was done to.
    pub resource_id: Option<[u8; 16]>,
    /// What was decided.
    pub decision: Decision,
    /// The policy that decided; none if no policy matched or none was asked.
    pub policy: Option<PolicyStamp>,
    /// The request.
    pub request_id: RequestId,
    /// What came of it.
    pub outcome: Outcome,
    /// How many things it concerned.
    pub count: u64,
    /// What else is told of it; none for most.
    pub extensions: Extensions,
}

/// An entry at its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place, from 1, without gaps.
    pub seq: AuditSeq,
    /// Hash of the bytes of the entry before; zero for the first.
    pub prev_hash: Hash,
    /// What it holds.
    pub draft: AuditDraft,
}
