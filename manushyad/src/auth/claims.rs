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

/// The claims as they are signed (RFC 7519, RFC 9068, RFC 8693): these, and no others.
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
    /// Who acts, where that is not `sub` (RFC 8693 section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) act: Option<Box<Act>>,
    /// The session it belongs to (OpenID Connect Front-Channel Logout 1.0 section 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sid: Option<String>,
}

/// An actor, and behind it the one that acted before.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Act {
    pub(super) sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) act: Option<Box<Act>>,
}

impl Act {
    /// The actors of a chain, whose first is the subject and no actor.
    pub(super) fn of(chain: &[IdentityId]) -> Option<Box<Self>> {
        chain.iter().skip(1).fold(None, |before, identity| {
            Some(Box::new(Self {
                sub: identity.to_string(),
                act: before,
            }))
        })
    }
}

/// What a verified token says of its bearer, as of when it was issued.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedClaims {
    /// The id of its record (`sid`, or else `jti`), to look up whether it was revoked.
    pub token: TokenId,
    /// On whose authority it is (`sub`), and after it those who act on it, its bearer last.
    pub chain: Vec<IdentityId>,
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
        let jti: TokenId = self.jti.parse().map_err(|_| TokenError::Claim("jti"))?;
        let sid = self.sid.map(|sid| sid.parse()).transpose();
        Ok(VerifiedClaims {
            token: sid.map_err(|_| TokenError::Claim("sid"))?.unwrap_or(jti),
            chain: read_chain(&self.sub, self.act)?,
            tenant: TenantName::new(self.tenant).map_err(|_| TokenError::Claim("tenant"))?,
            role: Role::new(self.role).map_err(|_| TokenError::Claim("role"))?,
            scopes: read_scopes(&self.scope)?,
            issued_at: UnixMillis(self.iat * 1000),
            not_before: UnixMillis(self.nbf * 1000),
            expires_at: UnixMillis(self.exp * 1000),
        })
    }
}

fn read_chain(sub: &str, act: Option<Box<Act>>) -> Result<Vec<IdentityId>, TokenError> {
    let mut actors = Vec::new();
    let mut next = act;
    while let Some(act) = next {
        if actors.len() == limits::DELEGATION_DEPTH_MAX {
            return Err(TokenError::Claim("act"));
        }
        actors.push(act.sub.parse().map_err(|_| TokenError::Claim("act"))?);
        next = act.act;
    }
    actors.push(sub.parse().map_err(|_| TokenError::Claim("sub"))?);
    actors.reverse();
    Ok(actors)
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
