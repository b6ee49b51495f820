//! Login sessions: short access tokens, renewed by a refresh token that is good once (RFC 9700
//! section 4.14).

use serde::{Deserialize, Serialize};

use crate::id::{IdentityId, TokenId};
use crate::secret::BearerToken;
use crate::unit::UnixMillis;
use crate::v1::common::Page;

/// Opens a session with the credential of the connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionOpen {
    /// As whom: id or external id; by default the caller. Another one takes the right to manage
    /// tokens.
    #[serde(default)]
    pub identity: Option<String>,
    /// A name of the device or program.
    #[serde(default)]
    pub label: Option<String>,
    /// The life of the session in seconds; by default 30 days, and never beyond the credential it is
    /// opened with.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
}

/// Renews the access token of a session. No other credential is needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionRefresh {
    /// The refresh token; it is used up with this.
    pub refresh_token: BearerToken,
    /// What the client chose, kept, and shows again if the answer was lost. Without it, or with
    /// another, the same refresh token ends the session.
    #[serde(default)]
    pub retry_key: Option<BearerToken>,
}

/// Answers [`SessionOpen`] and [`SessionRefresh`]; the secrets are shown only here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionTokens {
    /// The session.
    pub id: TokenId,
    /// Whose it is.
    pub identity: String,
    /// The access token. Absent in a dry run.
    pub access_token: Option<BearerToken>,
    /// Always `bearer`.
    pub token_type: String,
    /// When the access token ends.
    pub expires_at: UnixMillis,
    /// The next refresh token. Absent in a dry run.
    pub refresh_token: Option<BearerToken>,
    /// When the session ends.
    pub session_ends_at: UnixMillis,
}

/// A session as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub identity: String,
    /// Whose it is, by id.
    pub identity_id: IdentityId,
    /// A name of the device or program.
    pub label: Option<String>,
    /// User id of the process that opened it.
    pub peer_uid: Option<u32>,
    /// When it was opened.
    pub created_at: UnixMillis,
    /// When it was last used, to the minute.
    pub last_used_at: Option<UnixMillis>,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// When it was revoked.
    pub revoked_at: Option<UnixMillis>,
    /// `active`, `expired`, `revoked` or `disabled` (its identity is).
    pub state: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// Lists sessions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionList {
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

/// Ends a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRef {
    /// Its id; by default the one that asks.
    #[serde(default)]
    pub id: Option<TokenId>,
}
