//! Access tokens.

use serde::{Deserialize, Serialize};

use crate::id::{IdentityId, TokenId};
use crate::secret::BearerToken;
use crate::unit::UnixMillis;
use crate::v1::common::Page;

/// Issues an access token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenIssue {
    /// For whom: id or external id.
    pub identity: String,
    /// Its life in seconds.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// What it may be used for, as `resource:action`, with `*` for any; empty means everything its
    /// identity may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// A note that tells it from others.
    #[serde(default)]
    pub label: Option<String>,
    /// Hand on what the caller's own credential may do, instead of what the identity may. It takes
    /// no right to manage tokens; what is handed on ends with the caller's credential.
    #[serde(default)]
    pub delegate: bool,
    /// Only memories in this namespace and below.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Only memories of these types.
    #[serde(default)]
    pub types: Vec<String>,
    /// How many calls it is good for.
    #[serde(default)]
    pub uses: Option<u32>,
}

/// Answers [`TokenIssue`]; the secret is shown only here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenIssued {
    /// The access token. Absent in a dry run.
    pub access_token: Option<BearerToken>,
    /// Always `bearer`.
    pub token_type: String,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// Its id, the claim `jti`.
    pub id: TokenId,
    /// What is known of it.
    pub token: TokenView,
}

/// A token as shown: never its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenView {
    /// Its id, the claim `jti`.
    pub id: TokenId,
    /// Whose it is.
    pub identity: String,
    /// Whose it is, by id.
    pub identity_id: IdentityId,
    /// What it may be used for; `*` is everything its identity may do.
    pub scopes: Vec<String>,
    /// A note that tells it from others.
    pub label: Option<String>,
    /// When it was issued.
    pub issued_at: UnixMillis,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// When it was revoked.
    pub revoked_at: Option<UnixMillis>,
    /// `active`, `expired`, `revoked`, `disabled` (its identity is) or `used up`. It is no better
    /// than that of any credential it was made with.
    pub state: String,
    /// `token`, `api-key` or `session`.
    #[serde(default)]
    pub kind: String,
    /// The credential it was made with, if it ends with that one.
    #[serde(default)]
    pub parent: Option<TokenId>,
    /// On whose authority it is, and after it those who act on it, its bearer last; empty if it is
    /// the bearer's own.
    #[serde(default)]
    pub chain: Vec<String>,
    /// Only memories in this namespace and below.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Only memories of these types.
    #[serde(default)]
    pub types: Vec<String>,
    /// How many calls it was made for.
    #[serde(default)]
    pub uses: Option<u32>,
    /// How many of them are left.
    #[serde(default)]
    pub uses_left: Option<u32>,
    /// The fact `request.purpose` of every call it is used for.
    #[serde(default)]
    pub purpose: Option<String>,
}

/// Lists tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenList {
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

/// Asks what a token is, by its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenInspect {
    /// The token.
    pub token: BearerToken,
}

/// Revokes a token, or all of an identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenRevoke {
    /// This one.
    #[serde(default)]
    pub id: Option<TokenId>,
    /// All of this identity, issued until now.
    #[serde(default)]
    pub identity: Option<String>,
}
