//! Receipts of erasure, their verification, and holds.

use serde::{Deserialize, Serialize};

use crate::id::{BackupId, HoldId, IdentityId, MemoryId, PlanId, TenantId};
use crate::unit::UnixMillis;
use crate::v1::audit::HandOverView;
use crate::v1::system::Check;

/// Names the receipt of an applied plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiptRef {
    /// The plan.
    pub plan: PlanId,
}

/// A backup that still held what was erased.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldByView {
    /// The backup.
    pub backup: BackupId,
    /// When it was taken.
    pub taken_at: UnixMillis,
    /// Until when its owner means to keep it; none if that was not said.
    pub keep_until: Option<UnixMillis>,
}

/// A receipt, as shown and as kept in a file. What counts is `note`, which is signed; the fields
/// before it repeat it for programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiptView {
    /// The plan.
    pub plan: PlanId,
    /// The tenant.
    pub tenant: TenantId,
    /// What the plan covered: `subject`, `filter`, `expired` or `records`; without a plan `sweep`,
    /// `memory`, `identity` or `tenant`.
    pub scope: String,
    /// The identity that was erased, if one was.
    pub subject: Option<IdentityId>,
    /// The id of the memory or the tenant, where one was erased without a plan.
    #[serde(default)]
    pub erased: Option<String>,
    /// When it was planned.
    pub planned_at: UnixMillis,
    /// When it was applied.
    pub applied_at: UnixMillis,
    /// How many memories were planned for and erased.
    pub memories: u64,
    /// How many earlier versions of them.
    pub versions: u64,
    /// How many tokens.
    pub tokens: u64,
    /// How many identities.
    pub identities: u64,
    /// How many keyed tags of erased things the erasure ledger has for it.
    pub tags: u64,
    /// How many data keys were destroyed; none if a crash came in between, when all were.
    pub keys_destroyed: Option<u64>,
    /// The root epoch after it; the root keys of all epochs below are destroyed.
    pub root_epoch: u64,
    /// How many files were looked at for remains.
    pub files_checked: u64,
    /// Place of its entry in the audit log.
    pub audit_seq: u64,
    /// Backups that still held it.
    pub held_by: Vec<HeldByView>,
    /// The signed text.
    pub note: String,
    /// The bytes of the audit entry, in base64.
    pub entry: String,
    /// The signed head that the entry is proved to be under.
    pub checkpoint: String,
    /// The audit path of the entry, from the leaf up, in hexadecimal.
    pub proof: Vec<String>,
    /// The key that signed, as verifiers take it. Take it from elsewhere to verify.
    pub public_key: String,
    /// How the key that signs now came to sign, if it was not the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hand_overs: Vec<HandOverView>,
}

/// Looks for survivors of an applied plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PurgeVerify {
    /// The plan.
    pub plan: PlanId,
    /// A folder of old copies of the home's files, to be tried with the keys there are.
    #[serde(default)]
    pub old: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PurgeVerified {
    /// The plan.
    pub plan: PlanId,
    /// One check each; a failure means that something survives.
    pub checks: Vec<Check>,
}

/// Sets a hold: exactly one of `subject`, `memory` and `whole_tenant`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HoldAdd {
    /// An identity and every memory it owns: id or external id.
    #[serde(default)]
    pub subject: Option<String>,
    /// One memory.
    #[serde(default)]
    pub memory: Option<MemoryId>,
    /// Everything of the caller's tenant.
    #[serde(default)]
    pub whole_tenant: bool,
    /// Why.
    pub reason: String,
}

/// Names a hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldRef {
    /// Its id.
    pub id: HoldId,
}

/// A hold, as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldView {
    /// Its id.
    pub id: HoldId,
    /// `subject`, `memory` or `tenant`.
    pub scope: String,
    /// What it keeps: the external id or id of the identity, the id of the memory, or the tenant.
    pub keeps: String,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub set_by: String,
    /// When it was set.
    pub created_at: UnixMillis,
}

/// Sets how long memories are kept, in the place of what was set for the same type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionSet {
    /// Of which type; none for what no rule of a type speaks of.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// How long after it was made a memory is erased, in seconds; none for no end.
    #[serde(default)]
    pub keep_seconds: Option<u64>,
    /// How long after it was deleted a memory is erased, in seconds; none for what is configured.
    #[serde(default)]
    pub keep_deleted_seconds: Option<u64>,
}

/// Takes such a rule away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionUnset {
    /// Of which type; none for the rule of all others.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}

/// How long memories are kept, as it comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionView {
    /// Of which type; `*` for all others.
    #[serde(rename = "type")]
    pub kind: String,
    /// How long after it was made a memory is erased, as `90d`; none for no end.
    pub keep: Option<String>,
    /// How long after it was deleted a memory is erased.
    pub keep_deleted: String,
    /// `set`, or `configuration`.
    pub origin: String,
    /// Who set it.
    pub set_by: Option<String>,
    /// When it was set.
    pub set_at: Option<UnixMillis>,
    /// How many memories of the tenant the next sweep will erase; only where a rule was just set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<u64>,
}
