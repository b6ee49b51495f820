//! What lets somebody in, vouches for it, or bounds it, beside tokens: invitations, the keys that sign
//! tokens, limits, and bindings of processes.

use manushya_protocol::id::{BindingId, IdentityId, InvitationId, LimitId, TenantId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};

use super::extension::NextAuditKey;
use super::limit::LimitOverride;
use super::text::{ExternalId, Role};

/// An invitation: whoever shows its code becomes a new identity, once.
#[derive(Clone, Debug, PartialEq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The keyed hash (HMAC-SHA256) of its code.
    pub tag: [u8; 16],
    /// The role of the new identity.
    pub role: Role,
    /// Its external id, unless whoever comes is to choose one.
    pub external_id: Option<ExternalId>,
    /// A note.
    pub label: Option<String>,
    /// Life of the new identity's first token, in seconds.
    pub token_ttl_seconds: u64,
    /// Who invited.
    pub invited_by: IdentityId,
    /// When it was made, or its code was last made anew.
    pub created_at: UnixMillis,
    /// When its code ends.
    pub expires_at: UnixMillis,
    /// When it was taken back.
    pub revoked_at: Option<UnixMillis>,
    /// When it was accepted, and who came of it.
    pub accepted: Option<(UnixMillis, IdentityId)>,
}

/// What an invitation is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationState {
    /// Its code can be used.
    Open,
    /// It was used.
    Accepted,
    /// It has ended.
    Expired,
    /// It was taken back.
    Revoked,
}

impl InvitationState {
    /// The state as shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Invitation {
    /// The state at `now`.
    pub fn state(&self, now: UnixMillis) -> InvitationState {
        if self.accepted.is_some() {
            InvitationState::Accepted
        } else if self.revoked_at.is_some() {
            InvitationState::Revoked
        } else if self.expires_at <= now {
            InvitationState::Expired
        } else {
            InvitationState::Open
        }
    }
}

/// Processes that are an identity without a secret: of a user of the host, and of one program if that
/// is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its id.
    pub id: BindingId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Who such a process is.
    pub identity: IdentityId,
    /// User id of the process.
    pub uid: u32,
    /// SHA-256 of its program.
    pub program: Option<[u8; 32]>,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// What is known of a key that signs tokens; the key itself is the vault's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenKey {
    /// The tenant it is kept with. It signs for all.
    pub tenant: TenantId,
    /// Its number in the vault.
    pub key: u64,
    /// When it began to sign.
    pub created_at: UnixMillis,
    /// When another took its place; it verifies until the tokens it signed have ended.
    pub retired_at: Option<UnixMillis>,
}

/// That another key signs the log: what its hand-over says, and since which entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditKey {
    /// The tenant it is kept with. The log is one for all.
    pub tenant: TenantId,
    /// Counts the keys of the log; the first, which no record is of, is 1.
    pub epoch: u64,
    /// The entry that hands over.
    pub seq: AuditSeq,
    /// When that was.
    pub created_at: UnixMillis,
    /// The Ed25519 public key before.
    pub from: [u8; 32],
    /// The new key, and the signature of the one before.
    pub next: NextAuditKey,
}

/// One record of these.
#[derive(Clone, Debug, PartialEq)]
pub enum GateRecord {
    /// An invitation.
    Invitation(Invitation),
    /// A key that signs tokens.
    TokenKey(TokenKey),
    /// A limit that was set.
    Limit(LimitOverride),
    /// A binding.
    Binding(Binding),
    /// A key that signs the log.
    AuditKey(AuditKey),
}

/// Names one of these records in its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GateKey {
    /// An invitation.
    Invitation(InvitationId),
    /// A key that signs tokens.
    TokenKey(u64),
    /// A limit that was set.
    Limit(LimitId),
    /// A binding.
    Binding(BindingId),
    /// A key that signs the log, by its epoch.
    AuditKey(u64),
}

impl GateKey {
    /// The 16 bytes it has among records of its kind.
    pub fn to_bytes(self) -> [u8; 16] {
        match self {
            Self::Invitation(id) => id.to_bytes(),
            Self::TokenKey(key) => u128::from(key).to_be_bytes(),
            Self::Limit(id) => id.to_bytes(),
            Self::Binding(id) => id.to_bytes(),
            Self::AuditKey(epoch) => u128::from(epoch).to_be_bytes(),
        }
    }
}

impl GateRecord {
    /// Its name.
    pub fn key(&self) -> GateKey {
        match self {
            Self::Invitation(it) => GateKey::Invitation(it.id),
            Self::TokenKey(it) => GateKey::TokenKey(it.key),
            Self::Limit(it) => GateKey::Limit(it.id),
            Self::Binding(it) => GateKey::Binding(it.id),
            Self::AuditKey(it) => GateKey::AuditKey(it.epoch),
        }
    }

    /// Its tenant.
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Invitation(it) => it.tenant,
            Self::TokenKey(it) => it.tenant,
            Self::Limit(it) => it.tenant,
            Self::Binding(it) => it.tenant,
            Self::AuditKey(it) => it.tenant,
        }
    }
}
