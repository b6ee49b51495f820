//! Who acts: tenants, identities, tokens, and the actor of a request.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use manushya_protocol::id::{IdentityId, TenantId, TokenId};
use manushya_protocol::unit::UnixMillis;
use serde_json::{Map, Value};

use super::policy::{Action, Resource};
use super::text::{ExternalId, Invalid, Role, TenantName};

/// A hard wall around identities, memories and policies.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its unique name.
    pub name: TenantName,
    /// The identity the operator of the host acts as here.
    pub operator: IdentityId,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// Who acts.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Its id.
    pub id: IdentityId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Unique in the tenant.
    pub external_id: ExternalId,
    /// Its role.
    pub role: Role,
    /// Its display name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Facts that policies may read.
    pub claims: Map<String, Value>,
    /// Whether it may act at all.
    pub is_active: bool,
    /// Tokens of an earlier epoch are revoked.
    pub token_epoch: u32,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
}

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// On this resource, or any.
    pub resource: Option<Resource>,
    /// To do this, or anything.
    pub action: Option<Action>,
}

impl Scope {
    /// Everything.
    pub const ALL: Self = Self {
        resource: None,
        action: None,
    };

    /// Whether it covers doing `action` to `resource`.
    pub fn covers(self, action: Action, resource: Resource) -> bool {
        self.resource.is_none_or(|r| r == resource) && self.action.is_none_or(|a| a == action)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.resource, self.action) {
            (None, None) => f.write_str("*"),
            (resource, action) => write!(
                f,
                "{}:{}",
                resource.map_or("*", Resource::as_str),
                action.map_or("*", Action::as_str)
            ),
        }
    }
}

impl FromStr for Scope {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = || {
            Invalid::new(
                "scope",
                "must be * or RESOURCE:ACTION, for example memory:read or memory:*",
            )
        };
        if text == "*" {
            return Ok(Self::ALL);
        }
        let (resource, action) = text.split_once(':').ok_or_else(refuse)?;
        let resource = match resource {
            "*" => None,
            name => Some(name.parse().map_err(|_| refuse())?),
        };
        let action = match action {
            "*" => None,
            name => Some(name.parse().map_err(|_| refuse())?),
        };
        Ok(Self { resource, action })
    }
}

/// An access token as the daemon keeps it: everything but the secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Its id, the claim `jti`.
    pub id: TokenId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Whose it is.
    pub identity: IdentityId,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// A note that tells it from others.
    pub label: Option<String>,
    /// The identity's token epoch when it was issued.
    pub epoch: u32,
    /// When it was issued.
    pub issued_at: UnixMillis,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// When it was revoked.
    pub revoked_at: Option<UnixMillis>,
}

/// Whether a token can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It can.
    Active,
    /// It has ended.
    Expired,
    /// It was revoked, alone or with all of its identity.
    Revoked,
    /// Its identity is disabled.
    Disabled,
}

impl TokenState {
    /// The state as shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
        }
    }
}

impl Token {
    /// The state at `now`, given the identity it belongs to.
    pub fn state(&self, identity: &Identity, now: UnixMillis) -> TokenState {
        if self.revoked_at.is_some() || self.epoch != identity.token_epoch {
            TokenState::Revoked
        } else if self.expires_at <= now {
            TokenState::Expired
        } else if identity.is_active {
            TokenState::Active
        } else {
            TokenState::Disabled
        }
    }
}

/// How it is known who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// By the user id that the kernel reports for the peer process.
    PeerUid,
    /// By an access token.
    Token(TokenId),
    /// The daemon itself.
    Daemon,
}

/// Who acts in a request. It never comes from the body of a request.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The identity; its tenant is the tenant of the request.
    pub identity: Arc<Identity>,
    /// How it is known.
    pub via: Via,
    /// User id of the peer process.
    pub peer_uid: Option<u32>,
    /// What the credential may be used for.
    pub scopes: Arc<[Scope]>,
    /// Whether this is the operator of the host, who works in any tenant.
    pub operator: bool,
    /// The fact `request.transport`.
    pub transport: &'static str,
}

impl Actor {
    /// Whether the credential covers doing `action` to `resource`.
    pub fn in_scope(&self, action: Action, resource: Resource) -> bool {
        self.scopes
            .iter()
            .any(|scope| scope.covers(action, resource))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_text_round_trips() {
        for text in ["*", "memory:read", "memory:*", "*:search"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for text in ["", "memory", "memory:fly", "moon:read", "a:b:c"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
