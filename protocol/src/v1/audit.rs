//! The audit log.

use serde::{Deserialize, Serialize};

use crate::id::{IdentityId, RequestId, TenantId, TokenId};
use crate::unit::{AuditSeq, UnixMillis};
use crate::v1::common::Page;
use crate::v1::review::RevisionView;

/// An audit entry, as shown. It holds no content, only who did what to which id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditView {
    /// Its place.
    pub seq: AuditSeq,
    /// When it was decided.
    pub time: UnixMillis,
    /// Id of the tenant; none for what concerns the host.
    pub tenant: Option<TenantId>,
    /// External id of who acted, its id where that is gone, or `anonymous`, `operator`, `daemon`.
    pub actor: String,
    /// Id of who acted.
    pub actor_id: Option<IdentityId>,
    /// User id of the peer process, as the kernel says; none for the daemon itself.
    pub peer_uid: Option<u32>,
    /// The token that was used.
    pub token: Option<TokenId>,
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// Id of what was acted on.
    pub resource_id: Option<String>,
    /// `allow` or `deny`.
    pub decision: String,
    /// The policy that decided, by name; its id where that is gone.
    pub policy: Option<String>,
    /// The revision of that policy.
    pub policy_revision: Option<u32>,
    /// The request.
    pub request_id: RequestId,
    /// `OK` or an error code.
    pub outcome: String,
    /// How many things it concerned.
    pub count: u64,
    /// SHA-256 of the entry's bytes, in hex.
    pub hash: String,
    /// The hash of the entry before.
    pub prev_hash: String,
    /// What else the entry tells; nothing for most.
    #[serde(flatten)]
    pub more: AuditMore,
}

/// What an entry tells beside its fixed fields. Each field is left out where there is nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditMore {
    /// The credentials the token was made with, from the one issued first to the one it was made
    /// with itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegation: Vec<DelegationView>,
    /// What drafts of policies would have decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadow: Vec<ShadowView>,
    /// Why it deserves attention, as `canary_read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// Id of the API key that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// Id of the session that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Id of the request that waits for an approval, or was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// The key that was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_epoch: Option<KeyEpochView>,
    /// The key that signs the log from here on, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_audit_key: Option<String>,
    /// What this daemon does not know how to read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<ExtensionView>,
    /// The policy that decided, as it was then: only where one entry is shown, to who may read
    /// policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<RevisionView>,
}

/// One step of a chain of delegation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegationView {
    /// The token.
    pub token: TokenId,
    /// External id of who held it; its id where that is gone.
    pub identity: String,
    /// Id of who held it.
    pub identity_id: IdentityId,
}

/// What the draft of a policy would have decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowView {
    /// The policy, by name; its id where that is gone.
    pub policy: String,
    /// The revision of the draft.
    pub revision: u32,
    /// `allow` or `deny`.
    pub decision: String,
}

/// A key that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEpochView {
    /// Which: `root`, `data`, `audit` or `token`.
    pub key: String,
    /// The epoch that begins.
    pub epoch: u64,
}

/// An extension as it stands in the entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtensionView {
    /// What it is.
    pub tag: u8,
    /// Its bytes, in hex.
    pub bytes: String,
}

/// Lists audit entries, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditList {
    /// By this actor: id or external id, or `anonymous`, `operator`, `daemon`.
    #[serde(default)]
    pub actor: Option<String>,
    /// Of this action.
    #[serde(default)]
    pub action: Option<String>,
    /// On this resource.
    #[serde(default)]
    pub resource: Option<String>,
    /// On the thing with this id.
    #[serde(default)]
    pub resource_id: Option<String>,
    /// `allow` or `deny`.
    #[serde(default)]
    pub decision: Option<String>,
    /// At or after this moment.
    #[serde(default)]
    pub since: Option<UnixMillis>,
    /// Before this moment.
    #[serde(default)]
    pub until: Option<UnixMillis>,
    /// Which part.
    #[serde(default)]
    pub page: Page,
    /// The newest entries instead of the oldest; still in order of their sequence.
    #[serde(default)]
    pub newest: bool,
}

/// Waits for entries after a sequence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditTail {
    /// The last sequence already seen.
    pub after: AuditSeq,
    /// How many entries at the most.
    #[serde(default)]
    pub limit: Option<u32>,
    /// How long to wait for the first, in milliseconds.
    #[serde(default)]
    pub wait_ms: u64,
}

/// Answers [`AuditTail`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditTailed {
    /// The entries the caller may see.
    pub items: Vec<AuditView>,
    /// Ask again after this sequence.
    pub after: AuditSeq,
}

/// Names an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRef {
    /// Its place.
    pub seq: AuditSeq,
}

/// Asks for the bytes of entries, to verify them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRead {
    /// The first wanted sequence.
    pub from: AuditSeq,
}

/// Answers [`AuditRead`]: canonical bytes, each entry behind its length as a big-endian u32.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditBytes {
    /// Base64 (RFC 4648 section 4) of the entries.
    pub entries: String,
    /// The sequence after the last of them.
    pub next: AuditSeq,
    /// Whether that is the end of the log.
    pub end: bool,
}

/// The signed head of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHeadView {
    /// How many entries there are.
    pub size: u64,
    /// RFC 6962 root over all entries, in hex.
    pub root: String,
    /// Hash of the last entry, in hex.
    pub last_hash: String,
    /// The same as a signed note in the C2SP tlog-checkpoint format.
    pub checkpoint: String,
    /// The Ed25519 public key that signs it, as a C2SP verifier key.
    pub public_key: String,
    /// How that key came to sign, if it was not the first: all hand-overs, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hand_overs: Vec<HandOverView>,
}

/// That another key signs the log from an entry on, vouched for by the key before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOverView {
    /// The entry that says so: the first that the new key answers for.
    pub seq: AuditSeq,
    /// The key before, as a C2SP verifier key.
    pub from: String,
    /// The new key.
    pub to: String,
    /// The Ed25519 signature of the key before for the new one, in base64 (RFC 4648 section 4).
    pub signature: String,
}

/// Proves that an entry is in the log. As JSON it is a file that `audit verify --offline` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditProof {
    /// `manushya-audit-inclusion/1`.
    pub format: String,
    /// Place of the entry.
    pub seq: AuditSeq,
    /// Its canonical bytes, in base64 (RFC 4648 section 4).
    pub entry: String,
    /// The hashes from its leaf to the root (RFC 9162 section 2.1.3), each in base64.
    pub proof: Vec<String>,
    /// The signed head that the hashes lead to.
    pub checkpoint: String,
    /// How the key that signed it came to sign, if it was not the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hand_overs: Vec<HandOverView>,
}

/// Asks for proof that the log only grew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditGrowth {
    /// How many entries the older log has.
    pub old: u64,
    /// How many entries the newer log has; none stands for all there are.
    #[serde(default)]
    pub new: Option<u64>,
}

/// Proves that a log only grew. As JSON it is a file that `audit verify --offline` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConsistency {
    /// `manushya-audit-consistency/1`.
    pub format: String,
    /// The signed head of the older log.
    pub old: String,
    /// The signed head of the newer log.
    pub new: String,
    /// The hashes between the two roots (RFC 9162 section 2.1.4), each in base64.
    pub proof: Vec<String>,
    /// How the key that signs now came to sign, if it was not the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hand_overs: Vec<HandOverView>,
}

/// Lists the checkpoints that were stored, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditCheckpoints {
    /// The one of exactly this many entries.
    #[serde(default)]
    pub size: Option<u64>,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// A stored checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointView {
    /// How many entries there were.
    pub size: u64,
    /// RFC 6962 root over them, in hex; nothing if the text is not what was signed.
    pub root: Option<String>,
    /// The signed note.
    pub checkpoint: String,
}

/// Reads entries for an export, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditExport {
    /// Which entries. Its page, and whether the newest are wanted, do not count.
    #[serde(default)]
    pub filter: AuditList,
    /// Those after this sequence.
    pub after: AuditSeq,
    /// Up to this sequence; up to the end as it is, if none is given.
    #[serde(default)]
    pub to: Option<AuditSeq>,
}

/// Answers [`AuditExport`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditExported {
    /// The entries that are wanted and the caller may see.
    pub items: Vec<AuditView>,
    /// Ask again after this sequence.
    pub after: AuditSeq,
    /// Where the export ends: for the requests after the first, so that it does.
    pub to: AuditSeq,
    /// Whether these were the last.
    pub end: bool,
}

/// How many entries there are, by what they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCounts {
    /// How many in all.
    pub entries: u64,
    /// Sequence of the first.
    pub first: Option<AuditSeq>,
    /// Sequence of the last.
    pub last: Option<AuditSeq>,
    /// By action and resource, the most first; at most 1,000 names, the rest as one.
    pub by_action: Vec<Counted>,
    /// By decision.
    pub by_decision: Vec<Counted>,
    /// By outcome.
    pub by_outcome: Vec<Counted>,
    /// By who acted: external id, its id where that is gone, or `anonymous`, `daemon`.
    pub by_actor: Vec<Counted>,
    /// By day (UTC), the earliest first; at most the newest 1,000.
    pub by_day: Vec<Counted>,
    /// How many are of days before those.
    pub earlier: u64,
}

/// How many entries say the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What they say.
    pub name: String,
    /// How many.
    pub count: u64,
}
