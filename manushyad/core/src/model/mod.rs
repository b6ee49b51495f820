//! Validated types: what Manushya is about, without where it lies or how it travels.

mod approval;
mod audit;
mod credential;
mod erasure;
mod extension;
mod gate;
mod identity;
mod limit;
mod memory;
mod policy;
mod provenance;
mod purge;
mod text;

pub use approval::{
    APPROVAL_TTL_SECONDS, APPROVAL_TTL_SECONDS_MAX, APPROVAL_WAIT_SECONDS, APPROVALS_WAITING_MAX,
    Approval, ApprovalState,
};
pub use audit::{AuditActor, AuditDraft, AuditEntry, Decision, Hash, Outcome};
pub use credential::{ApiKey, Limits, Link, LoginSession, TokenKind, Uses};
pub use erasure::{
    Backup, ErasureKey, ErasureRecord, Hold, HoldScope, Keep, PurgeReceipt, Retention,
    SignedReceipt,
};
pub use extension::{
    AlertKind, DELEGATION_STEPS_MAX, DelegationStep, EXTENSION_BYTES_MAX, EXTENSIONS_BYTES_MAX,
    EXTENSIONS_MAX, Extension, ExtensionError, Extensions, KeyEpoch, KeyKind, NextAuditKey,
    SHADOWS_MAX, ShadowVerdict,
};
pub use gate::{AuditKey, Binding, GateKey, GateRecord, Invitation, InvitationState, TokenKey};
pub use identity::{Actor, Identity, Scope, Tenant, Token, TokenState, Via};
pub use limit::{LimitName, LimitOverride, LimitTable};
pub use memory::{EmbedderTag, Embedding, Memory, MemoryContent, Superseded, Trust};
pub use policy::{
    Action, Effect, Policy, PolicyDraft, PolicyEvent, PolicyRevision, PolicyStamp, Redacted,
    Resource,
};
pub use provenance::Provenance;
pub use purge::{PlanState, PurgePlan, PurgeScope};
pub use text::{
    ExternalId, Invalid, Kind, MemoryKey, Namespace, PolicyName, Role, Session, Source, Tag,
    TenantName, check_claims, check_description, check_metadata, check_text,
};

use std::fmt;

/// Names one data key of the keystore. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataKeyId(pub u64);

impl fmt::Display for DataKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Where a sealed record stands. It is authenticated with the record, so that a record moved to
/// another place, tenant, subject or version does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the table.
    pub table: &'static str,
    /// The tenant.
    pub tenant: [u8; 16],
    /// The data subject: an identity, or the tenant itself.
    pub subject: [u8; 16],
    /// The record's own id.
    pub record: [u8; 16],
    /// The record's version.
    pub version: u32,
    /// The version of the record's encoding.
    pub schema: u16,
}

impl Place {
    /// The bytes that are authenticated, together with the key id, as `docs/formats/store.md` has
    /// them. No two places have the same bytes.
    pub fn aad(&self, key: DataKeyId) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(80 + self.table.len());
        bytes.extend_from_slice(b"mnsh1|");
        bytes.push(u8::try_from(self.table.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(self.table.as_bytes());
        bytes.extend_from_slice(&self.tenant);
        bytes.extend_from_slice(&self.subject);
        bytes.extend_from_slice(&self.record);
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.schema.to_be_bytes());
        bytes.extend_from_slice(&key.0.to_be_bytes());
        bytes
    }
}
