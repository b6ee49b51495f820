//! Requests as data. Every id, moment, vector and random byte in them was made by the caller, so that
//! deciding is pure.

use manushya_protocol::id::{
    ApprovalId, IdentityId, MemoryId, PlanId, PolicyId, RequestId, TenantId, TokenId,
};
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::memory::{OnConflict, OnDuplicate};
use manushya_protocol::v1::policy::PolicySpec;
use serde_json::{Map, Value};

use crate::model::{
    Actor, Embedding, ExternalId, Kind, LimitTable, Limits, MemoryContent, MemoryKey, Namespace,
    PurgeScope, Role, Scope, Session, Source, Tag, TenantName, TokenKind, Trust,
};

/// What surrounds a command: who, when, under which request.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who acts; its tenant is where the command works.
    pub actor: Actor,
    /// When it is decided.
    pub now: UnixMillis,
    /// The request.
    pub request_id: RequestId,
    /// The fact `request.purpose`.
    pub purpose: Option<String>,
    /// Decide and report, but change nothing.
    pub dry_run: bool,
    /// The operator of the host named no tenant: the audit log, which is one for the host, is read
    /// whole.
    pub whole_host: bool,
    /// How long a deleted memory can be restored, in seconds.
    pub retention_seconds: u64,
    /// What holds where no limit was set.
    pub limit_table: LimitTable,
    /// What the request is known by again, if it is one of those that can wait for an approval.
    pub content: Option<Arguments>,
}

/// What a request says, so far that it is known again.
#[derive(Clone, Copy, Debug)]
pub struct Arguments {
    /// The method.
    pub method: &'static str,
    /// A keyed hash of the method and all of the arguments.
    pub tag: [u8; 16],
}

/// Grants or refuses a request that waits.
#[derive(Clone, Copy, Debug)]
pub struct DecideApproval {
    /// The request.
    pub id: ApprovalId,
    /// Grants it for so many seconds; refuses it if there are none.
    pub grant_seconds: Option<u64>,
}

/// Makes a tenant, the identity its operator acts as, and its first policies.
#[derive(Clone, Debug)]
pub struct CreateTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: TenantName,
    /// Id of its operator's identity.
    pub operator: IdentityId,
    /// Ids for its first policies; there are never more of those.
    pub policies: [PolicyId; 8],
}

/// Makes an identity and its first token.
#[derive(Clone, Debug)]
pub struct CreateIdentity {
    /// Its id.
    pub id: IdentityId,
    /// Unique in the tenant.
    pub external_id: ExternalId,
    /// Its role.
    pub role: Role,
    /// Its display name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Facts for policies.
    pub claims: Map<String, Value>,
    /// Whether what it writes is held back until it is reviewed.
    pub quarantine: bool,
    /// Id of its first token.
    pub token: TokenId,
    /// Life of that token, in seconds.
    pub ttl_seconds: u64,
}

/// Changes an identity; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct UpdateIdentity {
    /// Its id or external id.
    pub identity: String,
    /// A new role.
    pub role: Option<Role>,
    /// A new display name; empty clears it.
    pub name: Option<String>,
    /// A new description; empty clears it.
    pub description: Option<String>,
    /// New claims.
    pub claims: Option<Map<String, Value>>,
    /// Enables or disables it.
    pub is_active: Option<bool>,
    /// Holds back what it writes from here on, or no more.
    pub quarantine: Option<bool>,
}

/// Issues a token.
#[derive(Clone, Debug)]
pub struct IssueToken {
    /// Its id.
    pub id: TokenId,
    /// For whom: id or external id.
    pub identity: String,
    /// Its life, in seconds.
    pub ttl_seconds: u64,
    /// What it may be used for; empty means everything.
    pub scopes: Vec<Scope>,
    /// A note.
    pub label: Option<String>,
    /// Which memories it reaches.
    pub limits: Limits,
    /// How often it can be used.
    pub uses: Option<u32>,
    /// Hand on what the caller's own credential may do, instead of what its identity may.
    pub delegate: bool,
    /// What its bearer will show.
    pub kind: TokenKind,
}

/// Which tokens to revoke.
#[derive(Clone, Debug)]
pub enum RevokeToken {
    /// This one.
    One(TokenId),
    /// All of this identity, given by id or external id.
    AllOf(String),
}

/// Adds a memory.
#[derive(Clone, Debug)]
pub struct AddMemory {
    /// Its id.
    pub id: MemoryId,
    /// The caller's own key.
    pub key: Option<MemoryKey>,
    /// What the caller said.
    pub content: MemoryContent,
    /// The vector of the text.
    pub embedding: Embedding,
    /// When it was first noted, if not now.
    pub created_at: Option<UnixMillis>,
    /// What to do when the key exists with another content.
    pub on_conflict: OnConflict,
    /// Where the caller says it has it from.
    pub source: Option<Source>,
    /// Whether it exists only to be noticed when it is read.
    pub canary: bool,
    /// What to do about `alike`.
    pub on_duplicate: OnDuplicate,
    /// Memories that say nearly the same, the nearest first, as the index knew them: each with its
    /// version.
    pub alike: Vec<(MemoryId, u32)>,
}

/// Changes a memory; what is absent stays.
#[derive(Clone, Debug)]
pub struct UpdateMemory {
    /// Its id.
    pub id: MemoryId,
    /// Fail unless this is its version.
    pub if_version: Option<u32>,
    /// A new text with its vector: they change together or not at all.
    pub text: Option<(String, Embedding)>,
    /// A new type.
    pub kind: Option<Kind>,
    /// New tags.
    pub tags: Option<Vec<Tag>>,
    /// New metadata.
    pub metadata: Option<Map<String, Value>>,
    /// A new namespace.
    pub namespace: Option<Namespace>,
    /// A new session, or none.
    pub session: Option<Option<Session>>,
    /// A new trust.
    pub trust: Option<Trust>,
    /// A new expiry, or none.
    pub expires_at: Option<Option<UnixMillis>>,
    /// Where the caller says it has the new version from.
    pub source: Option<Source>,
}

/// Says what becomes of a memory that is held back.
#[derive(Clone, Copy, Debug)]
pub struct ReviewMemory {
    /// Its id.
    pub id: MemoryId,
    /// Fail unless this is the version that was looked at.
    pub if_version: Option<u32>,
    /// Let everybody find it whom the policies allow; otherwise delete it.
    pub approve: bool,
}

/// Makes a memory a canary, or none.
#[derive(Clone, Copy, Debug)]
pub struct SetCanary {
    /// Its id.
    pub id: MemoryId,
    /// Whether its reads raise an alert.
    pub canary: bool,
}

/// Deletes a memory.
#[derive(Clone, Copy, Debug)]
pub struct DeleteMemory {
    /// Its id.
    pub id: MemoryId,
    /// Erase it for good.
    pub hard: bool,
}

/// Makes or changes policies, all or none.
#[derive(Clone, Debug)]
pub struct ApplyPolicies {
    /// The policies, each with an id to use if it is new.
    pub items: Vec<(PolicyId, PolicySpec)>,
    /// Apply even if the caller locks itself out.
    pub force: bool,
}

/// Changes one policy.
#[derive(Clone, Debug)]
pub struct ChangePolicy {
    /// Its id or name.
    pub policy: String,
    /// What becomes of it.
    pub change: PolicyChange,
    /// Go on even if the caller locks itself out.
    pub force: bool,
}

/// What becomes of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyChange {
    /// It goes.
    Delete,
    /// It is read, or not, from here on.
    SetActive(bool),
}

/// Plans an erasure.
#[derive(Clone, Debug)]
pub struct PlanPurge {
    /// Its id.
    pub id: PlanId,
    /// What it erases.
    pub scope: PurgeScope,
    /// The filter as JSON, for [`PurgeScope::Filter`].
    pub filter_json: String,
    /// What the filter selects, with versions, for [`PurgeScope::Filter`]; what rules of retention may
    /// end, for [`PurgeScope::Expired`].
    pub matched: Vec<(MemoryId, u32)>,
}

/// Erases what is due.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// What rules of retention may end, in a tenant that has any.
    pub found: Vec<MemoryId>,
    /// How many memories at the most.
    pub limit: usize,
}

/// Carries a plan out.
#[derive(Clone, Debug)]
pub struct ApplyPurge {
    /// The plan.
    pub plan: PlanId,
    /// What the caller confirmed.
    pub confirm: String,
    /// What the filter selects by now, for [`PurgeScope::Filter`]; as [`PlanPurge::matched`].
    pub matched: Vec<(MemoryId, u32)>,
}

/// Gives a policy the content of an earlier revision again, as a new revision.
#[derive(Clone, Debug)]
pub struct RollBackPolicy {
    /// Its id or name, also of one that was removed.
    pub policy: String,
    /// The earlier revision.
    pub revision: u32,
    /// Go on even if the caller locks itself out.
    pub force: bool,
}

/// Stores vectors that were made beside the memories they are of.
#[derive(Clone, Debug)]
pub struct StoreEmbeddings {
    /// Each with the version whose text was embedded.
    pub items: Vec<(MemoryId, u32, Embedding)>,
}
