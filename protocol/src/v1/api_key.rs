//! API keys: credentials for scripts that live long, each shown once.

use serde::{Deserialize, Serialize};

use crate::id::{IdentityId, TokenId};
use crate::secret::BearerToken;
use crate::unit::UnixMillis;
use crate::v1::common::Page;

/// Makes an API key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ApiKeyCreate {
    /// For whom: id or external id; by default the caller.
    #[serde(default)]
    pub identity: Option<String>,
    /// A name that tells it from others.
    #[serde(default)]
    pub name: Option<String>,
    /// What it may be used for, as `resource:action`; empty means everything its identity may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Its life in seconds; by default 90 days.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// Only memories in this namespace and below.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Only memories of these types.
    #[serde(default)]
    pub types: Vec<String>,
}

/// Answers [`ApiKeyCreate`]; the key is shown only here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiKeyCreated {
    /// The key, `mk_` and 43 characters. Absent in a dry run.
    pub key: Option<BearerToken>,
    /// Its id, by which audit entries name it.
    pub id: TokenId,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// What is known of it.
    pub api_key: ApiKeyView,
}

/// An API key as shown: never the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiKeyView {
    /// Its id.
    pub id: TokenId,
    /// Its name.
    pub name: Option<String>,
    /// Whose it is.
    pub identity: String,
    /// Whose it is, by id.
    pub identity_id: IdentityId,
    /// What it may be used for; `*` is everything its identity may do.
    pub scopes: Vec<String>,
    /// Only memories in this namespace and below.
    pub namespace: Option<String>,
    /// Only memories of these types.
    pub types: Vec<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// When it was last used, to the minute.
    pub last_used_at: Option<UnixMillis>,
    /// When it was revoked.
    pub revoked_at: Option<UnixMillis>,
    /// `active`, `expired`, `revoked` or `disabled` (its identity is).
    pub state: String,
}

/// Lists API keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ApiKeyList {
    /// Only those of this identity.
    #[serde(default)]
    pub identity: Option<String>,
    /// Also those that are expired or revoked.
    #[serde(default)]
    pub all_states: bool,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// Revokes an API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyRef {
    /// Its id.
    pub id: TokenId,
}
