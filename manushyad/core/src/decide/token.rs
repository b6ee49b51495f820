//! Access tokens.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::limits;

use super::access::Access;
use super::identity::{Credentials, check_ttl, require};
use super::refusal::Refusal;
use crate::command::{Context, IssueToken, RevokeToken};
use crate::model::{
    Action, Identity, Invalid, Resource, Scope, Token, TokenState, check_description,
};
use crate::plan::{Plan, Write};
use crate::view::View;

/// Issues a token. It never covers more than the credential it was asked for with, when that is for
/// the caller's own identity.
///
/// # Errors
///
/// A refusal.
pub fn issue(
    view: &impl View,
    context: &Context,
    command: IssueToken,
) -> Result<Plan<Credentials>, Refusal> {
    let (access, identity) = require(
        view,
        context,
        Action::Create,
        Resource::Token,
        &command.identity,
    )?;
    let scopes = if command.scopes.is_empty() {
        vec![Scope::ALL]
    } else {
        command.scopes
    };
    let checked = check_ttl(command.ttl_seconds)
        .and_then(|()| check_description("label", command.label.as_deref().unwrap_or_default()))
        .and_then(|()| check_scopes(&scopes));
    if let Err(invalid) = checked {
        return Err(Refusal::invalid(&access.audit, &invalid));
    }
    if !identity.is_active {
        let message = format!("{} is disabled", identity.external_id);
        let hint = format!("manushyactl identity enable {}", identity.external_id);
        return Err(access.conflict(message, "its tokens would not work", &hint));
    }
    if let Some(scope) = scopes
        .iter()
        .find(|scope| !is_covered(**scope, &context.actor.scopes))
    {
        let error = WireError::new(
            ErrorCode::Denied,
            format!("this credential cannot give {scope}"),
        )
        .reason("a token never covers more than the one it was issued with")
        .hint("ask for a narrower --scope");
        return Err(Refusal::denied(&access.audit, error));
    }
    let token = Arc::new(Token {
        id: command.id,
        tenant: identity.tenant,
        identity: identity.id,
        scopes,
        label: command.label.filter(|text| !text.is_empty()),
        epoch: identity.token_epoch,
        issued_at: context.now,
        expires_at: context.now.plus_seconds(command.ttl_seconds),
        revoked_at: None,
    });
    let writes = vec![Write::PutToken(token.clone())];
    Ok(access.plan(writes, 1, (identity, token)))
}

fn check_scopes(scopes: &[Scope]) -> Result<(), Invalid> {
    if scopes.len() > limits::SCOPES_MAX {
        let reason = format!("are {}; the limit is {}", scopes.len(), limits::SCOPES_MAX);
        return Err(Invalid::new("scopes", reason));
    }
    Ok(())
}

/// Whether everything that `scope` covers is covered by one of `held`.
fn is_covered(scope: Scope, held: &[Scope]) -> bool {
    held.iter().any(|have| {
        (have.resource.is_none() || have.resource == scope.resource)
            && (have.action.is_none() || have.action == scope.action)
    })
}

/// Revokes tokens; a revoked token fails on its next request.
///
/// # Errors
///
/// A refusal.
pub fn revoke(
    view: &impl View,
    context: &Context,
    command: &RevokeToken,
) -> Result<Plan<u64>, Refusal> {
    match command {
        RevokeToken::One(id) => {
            let tenant = context.actor.identity.tenant;
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Delete, Resource::Token)?;
            let found = directory
                .token(tenant, *id)
                .and_then(|token| Some((token, directory.identity(tenant, token.identity)?)));
            let Some((token, identity)) = found else {
                return Err(access.missing("token", &id.to_string(), "manushyactl token list"));
            };
            if let Err(refusal) = access.require_on(identity) {
                // Whether a token exists is for those to know who may revoke it.
                if identity.id == context.actor.identity.id {
                    return Err(refusal);
                }
                return Err(access.missing("token", &id.to_string(), "manushyactl token list"));
            }
            access.audit.resource_id = Some(id.to_bytes());
            if token.revoked_at.is_some() {
                return Ok(access.plan(Vec::new(), 0, 0));
            }
            let mut revoked = Token::clone(token);
            revoked.revoked_at = Some(context.now);
            Ok(access.plan(vec![Write::PutToken(Arc::new(revoked))], 1, 1))
        }
        RevokeToken::AllOf(reference) => {
            let (access, identity) =
                require(view, context, Action::Delete, Resource::Token, reference)?;
            let active = view
                .directory()
                .tokens(identity.tenant)
                .filter(|token| token.identity == identity.id)
                .filter(|token| token.state(&identity, context.now) == TokenState::Active)
                .count() as u64;
            let mut changed = Identity::clone(&identity);
            changed.token_epoch += 1;
            changed.updated_at = context.now;
            Ok(access.plan(vec![Write::PutIdentity(Arc::new(changed))], active, active))
        }
    }
}
