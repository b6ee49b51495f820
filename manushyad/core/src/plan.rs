//! What a command does, as data: the writes, exactly one audit entry, and the reply.

use std::sync::Arc;

use manushya_protocol::id::{IdentityId, MemoryId, PlanId, PolicyId, TenantId, TokenId};
use manushya_protocol::unit::UnixMillis;

use crate::model::{
    AuditDraft, DataKeyId, ErasureKey, ErasureRecord, GateKey, GateRecord, Identity, Memory,
    Policy, PolicyRevision, PurgePlan, Tenant, Token,
};

/// Whose records a data key seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The tenant.
    pub tenant: TenantId,
    /// The identity, or the tenant again for what is no identity's.
    pub subject: [u8; 16],
    /// Memories, and not records of the directory.
    pub memories: bool,
    /// The key.
    pub key: DataKeyId,
}

/// One change of the store. A plan's writes take effect together with its audit entry, or not at
/// all; the index follows from them.
#[derive(Clone, Debug)]
pub enum Write {
    /// Makes or changes a tenant.
    PutTenant(Arc<Tenant>),
    /// Removes a tenant; its identities, memories and the rest are removed by their own writes.
    EraseTenant(TenantId),
    /// Makes or changes an identity.
    PutIdentity(Arc<Identity>),
    /// Erases an identity and its data keys.
    EraseIdentity(TenantId, IdentityId),
    /// Makes or changes a token.
    PutToken(Arc<Token>),
    /// Removes a token.
    DropToken(TenantId, TokenId),
    /// Makes or changes a policy.
    PutPolicy(Arc<Policy>),
    /// Removes a policy.
    DropPolicy(TenantId, PolicyId),
    /// Makes or changes a purge plan.
    PutPlan(Arc<PurgePlan>),
    /// Removes a purge plan.
    DropPlan(TenantId, PlanId),
    /// Makes a memory, or changes it in place. If its version is above that of the stored one, the
    /// stored one becomes history.
    PutMemory {
        /// The memory.
        memory: Box<Memory>,
        /// When the sweeper has to look at it: at its expiry, or at the end of its retention.
        due: Option<UnixMillis>,
    },
    /// Keeps a policy as it is after a change. Revisions are made once and never changed.
    PutRevision(Arc<PolicyRevision>),
    /// Removes a revision of a policy.
    DropRevision(TenantId, PolicyId, u32),
    /// Erases a memory and its history: no byte of it can be read from any file afterwards.
    EraseMemory(TenantId, MemoryId),
    /// Makes or changes an invitation, or what is known of a key that signs tokens.
    PutGate(Arc<GateRecord>),
    /// Removes one of those.
    DropGate(TenantId, GateKey),
    /// Makes or changes a receipt, a hold, a retention or a backup.
    PutErasure(Arc<ErasureRecord>),
    /// Removes one of those.
    DropErasure(TenantId, ErasureKey),
    /// Seals under new keys what is sealed under this one, and has it destroyed. Nothing else
    /// changes. A key that is no longer in use is passed over.
    RenewKey(KeyUse),
}

/// What a command does.
#[derive(Clone, Debug)]
pub struct Plan<R> {
    /// The changes, in order. None for what only reads.
    pub writes: Vec<Write>,
    /// The entry that is written in the same transaction.
    pub audit: AuditDraft,
    /// What the caller is told once both are on disk.
    pub reply: R,
}
