//! The claims of an access token, and the rules for their times.

use manushya_core::model::{Role, Scope, TenantName};
use manushya_protocol::id::{IdentityId, TokenId};
use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;
use serde::{Deserialize, Serialize};

use super::error::TokenError;

/// The claim `iss` of every token.
pub const ISSUER: &str = "manushyad";
/// The claim `aud` of every token.
pub const AUDIENCE: &str = "manushya";

/// How far `iat` and `nbf` may be ahead of the clock, in milliseconds: a clock may be set back a
/// little. There is no such leeway for `exp`.
const AHEAD_MS_MAX: i64 = 5_000;
/// 9999-12-31T23:59:59Z; no honest time is behind it.
const SECONDS_MAX: i64 = 253_402_300_799;

/// The claims as they are signed (RFC 7519, RFC 9068): these, and no others.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: String,
    pub(super) sub: String,
    pub(super) tenant: String,
    pub(super) role: String,
    pub(super) scope: String,
    pub(super) iat: i64,
    pub(super) nbf: i64,
    pub(super) exp: i64,
    pub(super) jti: String,
}

/// What a verified token says of its bearer, as of when it was issued.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedClaims {
    /// The token's own id (`jti`), to look up whether it was revoked.
    pub token: TokenId,
    /// Whose it is (`sub`).
    pub identity: IdentityId,
    /// The name of the tenant.
    pub tenant: TenantName,
    /// The role at the time of issue; the identity's present one decides.
    pub role: Role,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was issued (`iat`).
    pub issued_at: UnixMillis,
    /// When it begins (`nbf`).
    pub not_before: UnixMillis,
    /// When it ends (`exp`); at this moment it has ended.
    pub expires_at: UnixMillis,
}

impl Claims {
    /// Turns signed text into typed claims, and checks what does not depend on the clock.
    pub(super) fn read(self) -> Result<VerifiedClaims, TokenError> {
        if self.iss != ISSUER || self.aud != AUDIENCE {
            return Err(TokenError::Foreign);
        }
        let sane = |seconds: i64| (0..=SECONDS_MAX).contains(&seconds);
        if ![self.iat, self.nbf, self.exp].into_iter().all(sane) {
            return Err(TokenError::Claim("a time is out of range"));
        }
        if self.exp <= self.iat || self.exp <= self.nbf {
            return Err(TokenError::Claim("it ends before it begins"));
        }
        if (self.exp - self.iat).unsigned_abs() > limits::TOKEN_TTL_SECONDS_MAX {
            return Err(TokenError::Claim("it lives longer than any token may"));
        }
        Ok(VerifiedClaims {
            token: self.jti.parse().map_err(|_| TokenError::Claim("jti"))?,
            identity: self.sub.parse().map_err(|_| TokenError::Claim("sub"))?,
            tenant: TenantName::new(self.tenant).map_err(|_| TokenError::Claim("tenant"))?,
            role: Role::new(self.role).map_err(|_| TokenError::Claim("role"))?,
            scopes: read_scopes(&self.scope)?,
            issued_at: UnixMillis(self.iat * 1000),
            not_before: UnixMillis(self.nbf * 1000),
            expires_at: UnixMillis(self.exp * 1000),
        })
    }
}

fn read_scopes(text: &str) -> Result<Vec<Scope>, TokenError> {
    let refuse = || TokenError::Claim("scope");
    if text.split(' ').count() > limits::SCOPES_MAX {
        return Err(refuse());
    }
    // A token without scopes may do nothing; no honest one is issued.
    text.split(' ')
        .map(|one| one.parse().map_err(|_| refuse()))
        .collect()
}

impl VerifiedClaims {
    /// Checks the times against the clock.
    pub(super) fn check_times(&self, now: UnixMillis) -> Result<(), TokenError> {
        if self.expires_at <= now {
            return Err(TokenError::Expired(self.expires_at));
        }
        let latest = now.plus_millis(AHEAD_MS_MAX);
        if self.issued_at > latest || self.not_before > latest {
            return Err(TokenError::NotYet(self.not_before.max(self.issued_at)));
        }
        Ok(())
    }
}
