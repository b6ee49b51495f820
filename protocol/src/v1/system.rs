//! The daemon itself: who am I, status, doctor.

use serde::{Deserialize, Serialize};

use crate::id::{IdentityId, TokenId};
use crate::unit::UnixMillis;
use crate::v1::embedding::EmbedderView;

/// Who the caller is, how that is known, and what for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhoAmI {
    /// Id of the identity.
    pub id: IdentityId,
    /// Its external id.
    pub external_id: String,
    /// Its role.
    pub role: String,
    /// Name of its tenant.
    pub tenant: String,
    /// `peer uid`, `token`, `api-key` or `session`.
    pub via: String,
    /// User id of the peer process.
    pub peer_uid: u32,
    /// Whether the caller is the operator of the host, who works in any tenant.
    pub operator: bool,
    /// The token, if one was used.
    pub token: Option<TokenId>,
    /// What the credential may be used for; `*` is everything the identity may do.
    pub scopes: Vec<String>,
    /// When the credential ends.
    pub expires_at: Option<UnixMillis>,
    /// On whose authority the caller acts, and those in between; empty if it is its own.
    #[serde(default)]
    pub acts_for: Vec<String>,
}

/// How the daemon is. Callers who are nobody here learn only the first three fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// `serving`, `sealing`, `sealed` (its keys are not in memory, and nothing is served), or `failed`.
    pub state: String,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Its process id.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Its data directory.
    #[serde(default)]
    pub home: Option<String>,
    /// Counts of the whole host; only for its operator.
    #[serde(default)]
    pub host: Option<HostStatus>,
}

/// Counts of the whole host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostStatus {
    /// Tenants.
    pub tenants: u64,
    /// Identities.
    pub identities: u64,
    /// Tokens that are active.
    pub tokens: u64,
    /// Policies.
    pub policies: u64,
    /// Memories that can be searched.
    pub memories: u64,
    /// Entries of the audit log.
    pub audit_size: u64,
    /// RFC 6962 root of the audit log, in hex.
    pub audit_root: String,
    /// Size of the store's file, in bytes.
    pub store_bytes: u64,
    /// Commands waiting for the writer.
    pub queue: u64,
    /// Connections open.
    pub connections: u64,
    /// Name, dimensions and revision of the embedder.
    pub embedder: String,
    /// The index of each tenant.
    pub indexes: Vec<IndexStatus>,
    /// How reads are audited: `durable` or `deferred`.
    pub audit_reads: String,
    /// The signed head of the audit log.
    #[serde(default)]
    pub audit_checkpoint: String,
    /// The public key that signs it.
    #[serde(default)]
    pub audit_key: String,
    /// Up to which entry a signed head is stored.
    #[serde(default)]
    pub audit_signed: u64,
    /// Up to which entry signed heads have reached every anchor, since the daemon started.
    #[serde(default)]
    pub audit_anchored: u64,
    /// Why an anchor was not reached, if one was not.
    #[serde(default)]
    pub audit_anchor_fault: Option<String>,
    /// Why nothing can be embedded for now.
    #[serde(default)]
    pub embedder_down: Option<String>,
    /// Audit entries since the start that deserve somebody's attention.
    #[serde(default)]
    pub alerts: u64,
    /// When the last of them was written.
    #[serde(default)]
    pub last_alert_at: Option<UnixMillis>,
    /// How the room stands that is kept for a full disk: `held`, `given` (nothing is added), `missing`
    /// or `off`.
    #[serde(default)]
    pub disk_reserve: String,
    /// What was done since the start.
    #[serde(default)]
    pub activity: crate::v1::live::Activity,
    /// What the daemon does beside answering.
    #[serde(default)]
    pub jobs: Vec<JobStatus>,
}

/// Something the daemon does by itself, or for somebody over more than one call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// `sweep`, `graph`, `snapshot`, `embedding` or `backup`.
    pub name: String,
    /// Name of the tenant it is for; absent if it is for all.
    #[serde(default)]
    pub tenant: Option<String>,
    /// `idle`, `running` or `failing`.
    pub state: String,
    /// How much is done: memories erased since the start, vectors in the graph, bytes saved, memories
    /// embedded, bytes sent.
    pub done: u64,
    /// How much there is in all, where that is known.
    #[serde(default)]
    pub total: Option<u64>,
    /// When it last ended; of a backup, when it began.
    #[serde(default)]
    pub last_at: Option<UnixMillis>,
    /// What else there is to say.
    #[serde(default)]
    pub note: Option<String>,
}

/// The state of one tenant's index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IndexStatus {
    /// Name of the tenant.
    pub tenant: String,
    /// Memories in it.
    pub memories: u64,
    /// Distinct words in it.
    pub terms: u64,
    /// Vectors in the graph.
    pub graph: u64,
    /// Vectors that are searched exactly until the graph has them.
    pub tail: u64,
    /// What made the vectors that questions are compared with; absent if there are none.
    #[serde(default)]
    pub embedder: Option<EmbedderView>,
    /// Whether questions are answered by vectors of all memories: `complete`, `behind by N` or
    /// `lexical only`.
    #[serde(default)]
    pub semantic: String,
    /// What the memories are being embedded by, to take the place of `embedder`.
    #[serde(default)]
    pub next: Option<EmbedderView>,
    /// Memories that are yet to be embedded by what the configuration says, failed ones included.
    #[serde(default)]
    pub pending: u64,
    /// Those of them that failed again and again.
    #[serde(default)]
    pub failed: u64,
    /// When the graph was last saved, so that the next start need not build it.
    #[serde(default)]
    pub saved_at: Option<UnixMillis>,
    /// Size of what was saved, in bytes.
    #[serde(default)]
    pub saved_bytes: u64,
}

/// What `doctor` found on the daemon's side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Every check, in order.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name, such as `store.integrity`.
    pub id: String,
    /// What it came to.
    pub verdict: Verdict,
    /// What was seen.
    pub evidence: String,
    /// How to fix it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Works, but should be looked at.
    Warning,
    /// Broken.
    Failure,
}
