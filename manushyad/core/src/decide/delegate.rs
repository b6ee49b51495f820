//! Handing on: a caller makes a credential that can do no more than its own, for another identity or
//! for itself. That takes nobody's leave, since it gives nothing that was not there.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;

use super::access::Access;
use super::identity::Credentials;
use super::refusal::Refusal;
use super::token::{check_request, require_active};
use crate::command::{Context, IssueToken};
use crate::model::{Action, Limits, Resource, Scope, Token, Uses, Via};
use crate::plan::{Plan, Write};
use crate::view::View;

fn too_wide(access: &Access<'_>, what: String) -> Refusal {
    let error = WireError::new(
        ErrorCode::Denied,
        format!("this credential cannot give {what}"),
    )
    .reason("what is handed on is never more than what one has")
    .hint("manushyactl whoami shows what this credential is for");
    Refusal::denied(&access.audit, error)
}

/// The scopes of the new credential: what was asked for, or what the caller's own has.
fn scopes(
    access: &Access<'_>,
    context: &Context,
    asked: Vec<Scope>,
) -> Result<Vec<Scope>, Refusal> {
    if asked.is_empty() {
        return Ok(context.actor.scopes.to_vec());
    }
    match asked.iter().find(|scope| !context.actor.can_give(**scope)) {
        Some(scope) => Err(too_wide(access, scope.to_string())),
        None => Ok(asked),
    }
}

/// Its limits: what was asked for, and for the rest those of the caller's own.
fn limited(access: &Access<'_>, own: &Token, asked: Limits) -> Result<Limits, Refusal> {
    let limits = asked.or_inherit(&own.limits);
    if limits.are_within(&own.limits) {
        return Ok(limits);
    }
    Err(too_wide(access, limits.describe()))
}

/// Makes a credential for `identity` that can do no more than the caller's own, and ends with it.
///
/// # Errors
///
/// A refusal, among others `DENIED` for more than the caller has, or where a policy forbids it.
pub fn derive(
    view: &impl View,
    context: &Context,
    command: IssueToken,
) -> Result<Plan<Credentials>, Refusal> {
    let directory = view.directory();
    let (action, resource) = (Action::Create, Resource::Token);
    let mut access = Access::begin_with_own(directory, context, action, resource)?;
    let tenant = context.actor.identity.tenant;
    let Some(identity) = directory
        .identity_by_ref(tenant, &command.identity)
        .cloned()
    else {
        return Err(access.missing("identity", &command.identity, "manushyactl whoami"));
    };
    access.require_not_forbidden_on(&identity)?;
    check_request(&access, &command, limits::TOKEN_TTL_SECONDS_MAX)?;
    require_active(&access, &identity)?;
    let (Via::Token(parent), Some(own)) = (context.actor.via, context.actor.links.first()) else {
        let error = WireError::new(ErrorCode::Denied, "there is no credential to hand on")
            .reason("the caller is known by its process and shows none")
            .hint(format!("manushyactl token issue {}", identity.external_id));
        return Err(Refusal::denied(&access.audit, error));
    };
    if context.actor.links.len() > limits::DELEGATION_DEPTH_MAX {
        let message = format!(
            "a chain has at most {} credentials behind the first",
            limits::DELEGATION_DEPTH_MAX
        );
        let error = WireError::new(ErrorCode::Denied, message)
            .reason("this credential is the last of such a chain")
            .hint("use one from further up");
        return Err(Refusal::denied(&access.audit, error));
    }
    let asked = context.now.plus_seconds(command.ttl_seconds);
    let ends = context.actor.links.iter().map(|link| link.token.expires_at);
    let token = Arc::new(Token {
        id: command.id,
        tenant,
        identity: identity.id,
        scopes: scopes(&access, context, command.scopes)?,
        label: command.label.filter(|text| !text.is_empty()),
        epoch: identity.token_epoch,
        issued_at: context.now,
        expires_at: ends.min().map_or(asked, |end: UnixMillis| end.min(asked)),
        revoked_at: None,
        limits: limited(&access, &own.token, command.limits)?,
        uses: command.uses.map(|max| Uses { max, left: max }),
        // What the credential itself is for was put there when it was shown.
        purpose: context.purpose.clone(),
        parent: Some(parent),
        kind: command.kind,
    });
    let writes = vec![Write::PutToken(token.clone())];
    Ok(access.plan(writes, 1, (identity, token)))
}
