//! Access tokens.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::limits;

use super::access::Access;
use super::chain::is_below;
use super::delegate::derive;
use super::identity::{Credentials, check_ttl, require};
use super::refusal::Refusal;
use crate::command::{Context, IssueToken, RevokeToken};
use crate::directory::Directory;
use crate::model::{
    Action, Decision, Identity, Invalid, Resource, Scope, Token, TokenKind, TokenState, Uses, Via,
    check_description,
};
use crate::plan::{Plan, Write};
use crate::view::View;

/// Issues a token. It never covers more than the credential it was asked for with. With `delegate`
/// it is made with that credential, too: see [`super::delegate`].
///
/// # Errors
///
/// A refusal.
pub fn issue(
    view: &impl View,
    context: &Context,
    command: IssueToken,
) -> Result<Plan<Credentials>, Refusal> {
    if command.delegate {
        return derive(view, context, command);
    }
    let (access, identity) = require(
        view,
        context,
        Action::Create,
        Resource::Token,
        &command.identity,
    )?;
    let ttl_max = match command.kind {
        TokenKind::ApiKey(_) => limits::API_KEY_TTL_SECONDS_MAX,
        TokenKind::Access | TokenKind::Session(_) => limits::TOKEN_TTL_SECONDS_MAX,
    };
    check_request(&access, &command, ttl_max)?;
    require_active(&access, &identity)?;
    let scopes = if command.scopes.is_empty() {
        vec![Scope::ALL]
    } else {
        command.scopes
    };
    if let Some(scope) = scopes.iter().find(|scope| !context.actor.can_give(**scope)) {
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
        limits: command.limits,
        uses: command.uses.map(|max| Uses { max, left: max }),
        purpose: None,
        parent: None,
        kind: command.kind,
    });
    let writes = vec![Write::PutToken(token.clone())];
    Ok(access.plan(writes, 1, (identity, token)))
}

/// Refuses a credential whose fields are out of bounds.
pub(super) fn check_request(
    access: &Access<'_>,
    command: &IssueToken,
    ttl_seconds_max: u64,
) -> Result<(), Refusal> {
    let uses = match command.uses {
        Some(uses) if uses == 0 || uses > limits::TOKEN_USES_MAX => {
            let reason = format!("must be 1 to {}", limits::TOKEN_USES_MAX);
            Err(Invalid::new("uses", reason))
        }
        _ => Ok(()),
    };
    check_ttl(command.ttl_seconds, ttl_seconds_max)
        .and_then(|()| check_description("label", command.label.as_deref().unwrap_or_default()))
        .and_then(|()| check_scopes(&command.scopes))
        .and_then(|()| command.limits.check())
        .and(uses)
        .map_err(|invalid| Refusal::invalid(&access.audit, &invalid))
}

/// Refuses a credential for an identity that may not act.
pub(super) fn require_active(access: &Access<'_>, identity: &Identity) -> Result<(), Refusal> {
    if identity.is_active {
        return Ok(());
    }
    let message = format!("{} is disabled", identity.external_id);
    let hint = format!("manushyactl identity enable {}", identity.external_id);
    Err(access.conflict(message, "its tokens would not work", &hint))
}

fn check_scopes(scopes: &[Scope]) -> Result<(), Invalid> {
    if scopes.len() > limits::SCOPES_MAX {
        let reason = format!("are {}; the limit is {}", scopes.len(), limits::SCOPES_MAX);
        return Err(Invalid::new("scopes", reason));
    }
    Ok(())
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
            let known = directory.token(tenant, *id);
            if let Some(token) = known.filter(|token| is_own(directory, context, token)) {
                let (action, resource) = (Action::Delete, Resource::Token);
                let mut access = Access::begin_with_own(directory, context, action, resource)?;
                access.audit.decision = Decision::Allow;
                return Ok(revoke_one(access, context, token));
            }
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
            Ok(revoke_one(access, context, token))
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

/// Whether a token is the one the caller shows, or was made with a credential of the caller: such a
/// one it may end without anybody's leave.
fn is_own(directory: &Directory, context: &Context, token: &Token) -> bool {
    context.actor.via == Via::Token(token.id) || is_below(directory, &context.actor, token)
}

fn revoke_one(mut access: Access<'_>, context: &Context, token: &Token) -> Plan<u64> {
    access.audit.resource_id = Some(token.id.to_bytes());
    if token.revoked_at.is_some() {
        return access.plan(Vec::new(), 0, 0);
    }
    let mut revoked = Token::clone(token);
    revoked.revoked_at = Some(context.now);
    access.plan(vec![Write::PutToken(Arc::new(revoked))], 1, 1)
}
