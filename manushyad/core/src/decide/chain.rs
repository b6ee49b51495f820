//! Chains of credentials: each was made with the one before, can do no more, and ends with it.
//!
//! A chain is never copied into a record. Each record names its parent, and the chain is walked anew
//! on every call, so that what became of any link is what becomes of all below it.

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{IdentityId, TenantId, TokenId};
use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;

use crate::directory::Directory;
use crate::model::{Actor, Link, Token, TokenState, Via};

/// The links of a credential, from what its bearer shows to the one that was made by right.
/// `None` if any of them is gone.
pub fn links(directory: &Directory, tenant: TenantId, token: TokenId) -> Option<Vec<Link>> {
    let mut links = Vec::with_capacity(1);
    let mut next = Some(token);
    while let Some(id) = next {
        // One more than the parents there may be. The bound also ends a circle, which nothing makes.
        if links.len() > limits::DELEGATION_DEPTH_MAX {
            return None;
        }
        let token = directory.token(tenant, id)?.clone();
        let identity = directory.identity(tenant, token.identity)?.clone();
        next = token.parent;
        links.push(Link { token, identity });
    }
    Some(links)
}

/// The state of a token, which is no better than that of any credential it was made with. Whether
/// it is used up is for [`Token::is_spent`]: the last call may still be under way.
pub fn state(directory: &Directory, token: &Token, now: UnixMillis) -> TokenState {
    let Some(links) = links(directory, token.tenant, token.id) else {
        return TokenState::Revoked;
    };
    links
        .iter()
        .map(|link| link.token.state(&link.identity, now))
        .find(|state| *state != TokenState::Active)
        .unwrap_or(TokenState::Active)
}

/// Checks that every credential of a chain is good.
///
/// # Errors
///
/// `UNAUTHENTICATED`, with the first link that is not.
pub fn check(
    directory: &Directory,
    tenant: TenantId,
    token: TokenId,
    now: UnixMillis,
) -> Result<Vec<Link>, WireError> {
    let hint = "ask for a new one: manushyactl token issue";
    let Some(links) = links(directory, tenant, token) else {
        return Err(
            WireError::new(ErrorCode::Unauthenticated, "the access token is revoked")
                .reason("it, or a credential it was made with, is gone")
                .hint(hint),
        );
    };
    for (place, link) in links.iter().enumerate() {
        let state = link.token.state(&link.identity, now);
        let name = &link.identity.external_id;
        if state == TokenState::Active {
            continue;
        }
        if state == TokenState::Disabled {
            return Err(
                WireError::new(ErrorCode::Unauthenticated, "the identity is disabled")
                    .reason(format!("{name} may not act"))
                    .hint(format!("manushyactl identity enable {name}")),
            );
        }
        let message = format!("the access token is {}", state.as_str());
        let error = WireError::new(ErrorCode::Unauthenticated, message).hint(hint);
        return Err(match place {
            0 => error,
            _ => error.reason(format!(
                "{} of {name}, which it was made with, is {}",
                link.token.id,
                state.as_str()
            )),
        });
    }
    Ok(links)
}

/// Whether a token was made, at any number of removes, with a credential of the caller: its own one,
/// or, unless that was narrowed, any of its identity. Such a token the caller may see and revoke.
pub fn is_below(directory: &Directory, actor: &Actor, token: &Token) -> bool {
    let own = match actor.via {
        Via::Token(id) => Some(id),
        Via::PeerUid | Via::Daemon => None,
    };
    let narrowed = actor.is_narrowed();
    let Some(links) = links(directory, token.tenant, token.id) else {
        return false;
    };
    links.iter().skip(1).any(|link| {
        Some(link.token.id) == own || (!narrowed && link.token.identity == actor.identity.id)
    })
}

/// Whose authority it is, and who acts on it, from the one who holds it to the one who bears it.
/// Neighbours that are one identity count once.
pub fn identities(links: &[Link]) -> Vec<IdentityId> {
    let mut all: Vec<IdentityId> = links.iter().rev().map(|link| link.identity.id).collect();
    all.dedup();
    all
}
