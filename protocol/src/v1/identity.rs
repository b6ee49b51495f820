//! Tenants and identities.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{IdentityId, TenantId};
use crate::secret::BearerToken;
use crate::unit::UnixMillis;
use crate::v1::common::Page;

/// A tenant: a hard wall around identities, memories and policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TenantView {
    /// Its id.
    pub id: TenantId,
    /// Its unique name.
    pub name: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// How many identities it has.
    pub identities: u64,
    /// How many policies it has.
    pub policies: u64,
}

/// Names a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TenantRef {
    /// Its name.
    pub name: String,
}

/// An identity, as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentityView {
    /// Its id.
    pub id: IdentityId,
    /// Name of its tenant.
    pub tenant: String,
    /// The caller's own name for it, unique in the tenant.
    pub external_id: String,
    /// Its role, which policies rule by.
    pub role: String,
    /// Its display name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Facts about it that policies may read as `identity.claims.*`.
    pub claims: Map<String, Value>,
    /// Whether it may act at all.
    pub is_active: bool,
    /// Whether what it writes is held back until it is reviewed.
    #[serde(default)]
    pub quarantine: bool,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// When it last did something, as far as the daemon knows: since its start, or by an API key or a
    /// session.
    #[serde(default)]
    pub last_seen_at: Option<UnixMillis>,
    /// The processes that are it, and need no secret.
    #[serde(default)]
    pub bindings: Vec<BindingView>,
}

/// Makes an identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentityCreate {
    /// Unique in the tenant; an existing one is a conflict.
    pub external_id: String,
    /// Its role.
    pub role: String,
    /// Its display name.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Facts for policies.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// Life of the access token that comes with it, in seconds.
    #[serde(default)]
    pub token_ttl_seconds: Option<u64>,
    /// Hold back what it writes until it is reviewed.
    #[serde(default)]
    pub quarantine: bool,
}

/// Answers [`IdentityCreate`]: the identity and its first access token, which is shown only here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentityCreated {
    /// The access token. Absent in a dry run.
    pub access_token: Option<BearerToken>,
    /// Always `bearer`.
    pub token_type: String,
    /// When the token ends.
    pub expires_at: Option<UnixMillis>,
    /// The identity.
    pub identity: IdentityView,
}

/// Lists identities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IdentityList {
    /// Only those of this role.
    #[serde(default)]
    pub role: Option<String>,
    /// Only the active or only the disabled.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// Names an identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentityRef {
    /// Its id or its external id.
    pub identity: String,
}

/// Changes an identity; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IdentityUpdate {
    /// Its id or its external id.
    pub identity: String,
    /// A new role. Nobody changes their own.
    #[serde(default)]
    pub role: Option<String>,
    /// A new display name; empty clears it.
    #[serde(default)]
    pub name: Option<String>,
    /// A new description; empty clears it.
    #[serde(default)]
    pub description: Option<String>,
    /// New claims, replacing all of the old.
    #[serde(default)]
    pub claims: Option<Map<String, Value>>,
    /// Enables or disables it.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// Holds back what it writes from here on until it is reviewed, or no more. Nobody changes their
    /// own.
    #[serde(default)]
    pub quarantine: Option<bool>,
}

/// Everything held about an identity, answered to `identity export` one page at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentityExport {
    /// The identity.
    pub identity: IdentityView,
    /// Its tokens, without their secrets.
    pub tokens: Vec<crate::v1::token::TokenView>,
    /// How many memories it owns; `memory export --owner` streams them.
    pub memories: u64,
}

/// A binding: processes that are known by what the kernel says of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingView {
    /// Its id.
    pub id: crate::id::BindingId,
    /// User id of the processes.
    pub uid: u32,
    /// SHA-256 of their program, in hex; none for any.
    pub exe_sha256: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// Binds an identity to processes, or takes such a binding away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityBind {
    /// Its id or its external id.
    pub identity: String,
    /// User id of the processes.
    pub uid: u32,
    /// SHA-256 of their program, in hex; without it, any program.
    #[serde(default)]
    pub exe_sha256: Option<String>,
}
