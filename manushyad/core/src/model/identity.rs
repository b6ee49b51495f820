//! Who acts: tenants, identities, tokens, and the actor of a request.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use manushya_protocol::id::{IdentityId, TenantId, TokenId};
use manushya_protocol::unit::UnixMillis;
use serde_json::{Map, Value};

use super::credential::{Limits, Link, TokenKind, Uses};
use super::memory::Memory;
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
    /// Whether what it writes is held back until it is reviewed.
    pub quarantine: bool,
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

    /// Whether everything that `other` covers is covered, too.
    pub fn contains(self, other: Self) -> bool {
        (self.resource.is_none() || self.resource == other.resource)
            && (self.action.is_none() || self.action == other.action)
    }

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
    /// Which memories it reaches.
    pub limits: Limits,
    /// How often it can be used.
    pub uses: Option<Uses>,
    /// The fact `request.purpose` of every call it is used for.
    pub purpose: Option<String>,
    /// The credential it was made with, if it can do no more and lives no longer than that one.
    pub parent: Option<TokenId>,
    /// What its bearer shows.
    pub kind: TokenKind,
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
    /// It was used as often as it could be.
    Spent,
}

impl TokenState {
    /// The state as shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
            Self::Spent => "used up",
        }
    }
}

impl Token {
    /// Whether it was used as often as it can be.
    pub fn is_spent(&self) -> bool {
        self.uses.is_some_and(|uses| uses.left == 0)
    }

    /// Whether it covers doing `action` to `resource`.
    pub fn covers(&self, action: Action, resource: Resource) -> bool {
        self.scopes
            .iter()
            .any(|scope| scope.covers(action, resource))
    }

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
    /// On whose authority; its tenant is the tenant of the request. What is made belongs to it.
    pub identity: Arc<Identity>,
    /// How it is known.
    pub via: Via,
    /// User id of the peer process.
    pub peer_uid: Option<u32>,
    /// What the credential may be used for.
    pub scopes: Arc<[Scope]>,
    /// The credential and those it was made with: what the bearer showed first, and last the one
    /// of [`Self::identity`]. Empty where no credential was shown.
    pub links: Arc<[Link]>,
    /// Whether this is the operator of the host, who works in any tenant.
    pub operator: bool,
    /// The fact `request.transport`.
    pub transport: &'static str,
}

impl Actor {
    /// Who is at the other end: [`Self::identity`] itself, or who acts for it.
    pub fn bearer(&self) -> &Arc<Identity> {
        self.links
            .first()
            .map_or(&self.identity, |link| &link.identity)
    }

    /// Those between the one on whose authority it is and, included, the one who acts.
    pub fn delegates(&self) -> impl Iterator<Item = &Arc<Identity>> {
        let principal = self.identity.id;
        let all = self.links.iter().map(|link| &link.identity);
        all.filter(move |identity| identity.id != principal)
    }

    /// Whether the credential, and each it was made with, covers doing `action` to `resource`.
    pub fn in_scope(&self, action: Action, resource: Resource) -> bool {
        self.scopes
            .iter()
            .any(|scope| scope.covers(action, resource))
            && self
                .links
                .iter()
                .all(|link| link.token.covers(action, resource))
    }

    /// Whether a credential made with this one may have a scope.
    pub fn can_give(&self, scope: Scope) -> bool {
        let covered = |scopes: &[Scope]| scopes.iter().any(|have| have.contains(scope));
        covered(&self.scopes) && self.links.iter().all(|link| covered(&link.token.scopes))
    }

    /// Whether the credential reaches a memory at all.
    pub fn reaches(&self, memory: &Memory) -> bool {
        self.links.iter().all(|link| link.reaches(memory))
    }

    /// Whether the credential is one that was narrowed: by its limits, by a number of uses, or by
    /// being another's. Such a one changes memories and nothing else.
    pub fn is_narrowed(&self) -> bool {
        self.delegates().next().is_some()
            || self
                .links
                .iter()
                .any(|link| !link.token.limits.is_none() || link.token.uses.is_some())
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
