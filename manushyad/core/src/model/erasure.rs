//! What is kept about erasures: receipts, holds, retention and backups. Never what was erased.

use manushya_protocol::id::{BackupId, HoldId, IdentityId, PlanId, RequestId, TenantId};
use manushya_protocol::unit::UnixMillis;

use super::text::Kind;

/// What is remembered of a purge that was applied, from the transaction that erased on. The signed
/// receipt joins it as soon as the keys are destroyed.
#[derive(Clone, Debug, PartialEq)]
pub struct PurgeReceipt {
    /// The plan, or an id of its own; the receipt has no other.
    pub plan: PlanId,
    /// Its tenant.
    pub tenant: TenantId,
    /// What the plan covered, in one word: `subject`, `filter`, `expired` or `records`; without a plan
    /// `sweep`, `memory`, `identity` or `tenant`.
    pub scope: String,
    /// The identity that was erased, if one was.
    pub subject: Option<IdentityId>,
    /// The id of the one memory or the tenant, as the scope says, that was erased without a plan.
    pub erased: Option<[u8; 16]>,
    /// Who planned it.
    pub planned_by: IdentityId,
    /// When it was planned.
    pub planned_at: UnixMillis,
    /// Who applied it.
    pub applied_by: IdentityId,
    /// When it was applied.
    pub applied_at: UnixMillis,
    /// The request that applied it; its audit entry carries the same.
    pub request_id: RequestId,
    /// How many memories.
    pub memories: u64,
    /// How many earlier versions of them.
    pub versions: u64,
    /// How many tokens.
    pub tokens: u64,
    /// How many identities.
    pub identities: u64,
    /// The receipt, once it is signed.
    pub signed: Option<SignedReceipt>,
}

/// A receipt as it is given away: all that a stranger needs to check it, but the public key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedReceipt {
    /// The signed text.
    pub note: String,
    /// The bytes of the audit entry of the erasure.
    pub entry: Vec<u8>,
    /// The signed head that the entry is proved to be under.
    pub checkpoint: String,
    /// The audit path of the entry (RFC 9162 section 2.1.3.1), from the leaf up.
    pub proof: Vec<[u8; 32]>,
}

/// What a hold keeps from being erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldScope {
    /// An identity and every memory it owns.
    Subject(IdentityId),
    /// One memory.
    Memory(manushya_protocol::id::MemoryId),
    /// Everything of the tenant.
    Tenant,
}

impl HoldScope {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Subject(_) => "subject",
            Self::Memory(_) => "memory",
            Self::Tenant => "tenant",
        }
    }
}

/// A legal hold: what it covers is not erased, by nobody, until it is released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Its tenant.
    pub tenant: TenantId,
    /// What it keeps.
    pub scope: HoldScope,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub set_by: IdentityId,
    /// When it was set.
    pub created_at: UnixMillis,
}

/// How long memories are kept, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// From its creation until a memory is erased; none stands for no end.
    pub live: Option<u64>,
    /// From its deletion until a memory is erased; none stands for what the configuration says.
    pub deleted: Option<u64>,
}

impl Keep {
    /// What holds where this says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            live: self.live.or(other.live),
            deleted: self.deleted.or(other.deleted),
        }
    }
}

/// How long memories of one type are kept at the most, in one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The tenant.
    pub tenant: TenantId,
    /// The type of memory; none stands for what the rules of single types say nothing about.
    pub kind: Option<Kind>,
    /// How long.
    pub keep: Keep,
    /// Who set it.
    pub set_by: IdentityId,
    /// When it was set.
    pub updated_at: UnixMillis,
}

/// A backup that was taken and may still exist somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its id, which the file carries too.
    pub id: BackupId,
    /// The tenant it is filed under: the one that is always there, since a backup is of the host.
    pub tenant: TenantId,
    /// When it was taken.
    pub created_at: UnixMillis,
    /// Until when its owner means to keep it; none if that was not said.
    pub keep_until: Option<UnixMillis>,
    /// To whom it is encrypted, as age writes recipients.
    pub recipients: Vec<String>,
    /// How many audit entries there were.
    pub audit_size: u64,
    /// How many records it holds; zero until it is complete.
    pub records: u64,
    /// Its length, in bytes; zero until it is complete.
    pub bytes: u64,
}

/// One record of this kind.
#[derive(Clone, Debug, PartialEq)]
pub enum ErasureRecord {
    /// A hold.
    Hold(Hold),
    /// A receipt.
    Receipt(PurgeReceipt),
    /// A retention.
    Retention(Retention),
    /// A backup.
    Backup(Backup),
}

/// Names one record of this kind in its tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErasureKey {
    /// A hold.
    Hold(HoldId),
    /// The receipt of a plan.
    Receipt(PlanId),
    /// The retention of a type, or of all.
    Retention(Option<Kind>),
    /// A backup.
    Backup(BackupId),
}

impl ErasureRecord {
    /// The tenant it belongs to.
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Hold(it) => it.tenant,
            Self::Receipt(it) => it.tenant,
            Self::Retention(it) => it.tenant,
            Self::Backup(it) => it.tenant,
        }
    }

    /// Its name in its tenant.
    pub fn key(&self) -> ErasureKey {
        match self {
            Self::Hold(it) => ErasureKey::Hold(it.id),
            Self::Receipt(it) => ErasureKey::Receipt(it.plan),
            Self::Retention(it) => ErasureKey::Retention(it.kind.clone()),
            Self::Backup(it) => ErasureKey::Backup(it.id),
        }
    }
}
