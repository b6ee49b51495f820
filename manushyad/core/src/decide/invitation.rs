//! Invitations. Who may make an identity may invite one; whoever shows the code becomes it, once.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{IdentityId, InvitationId, RequestId, TenantId, TokenId};
use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;
use serde_json::Map;

use super::access::Access;
use super::identity::{Credentials, check_ttl};
use super::refusal::Refusal;
use crate::command::Context;
use crate::model::{
    Action, AuditActor, AuditDraft, Decision, Extensions, ExternalId, GateRecord, Identity,
    Invitation, InvitationState, Limits, Outcome, Resource, Role, Scope, Token, TokenKind,
    check_description,
};
use crate::plan::{Plan, Write};
use crate::view::View;

/// Makes an invitation.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Its id.
    pub id: InvitationId,
    /// The keyed hash of its code.
    pub tag: [u8; 16],
    /// The role of the new identity.
    pub role: Role,
    /// Its external id, unless whoever comes is to choose one.
    pub external_id: Option<ExternalId>,
    /// A note.
    pub label: Option<String>,
    /// How long the code is good, in seconds.
    pub ttl_seconds: u64,
    /// Life of the first token, in seconds.
    pub token_ttl_seconds: u64,
}

/// The identity an invitation would make, for policies to be asked about.
fn invited(invitation: &Invitation, id: IdentityId, name: ExternalId, now: UnixMillis) -> Identity {
    Identity {
        id,
        tenant: invitation.tenant,
        external_id: name,
        role: invitation.role.clone(),
        name: None,
        description: invitation.label.clone(),
        claims: Map::new(),
        is_active: true,
        quarantine: false,
        token_epoch: 0,
        created_at: now,
        updated_at: now,
    }
}

/// Asks whether the caller may make the identity that an invitation is for.
fn require_right(
    access: &mut Access<'_>,
    context: &Context,
    invitation: &Invitation,
) -> Result<(), Refusal> {
    // What is asked about does not exist yet; it has the id of the invitation until it does.
    let id = IdentityId::from_bytes(invitation.id.to_bytes());
    let name = ExternalId::new(invitation.id.to_string());
    let name = name.map_err(|invalid| Refusal::invalid(&access.audit, &invalid))?;
    access.require_on(&invited(invitation, id, name, context.now))
}

fn check(access: &Access<'_>, context: &Context, command: &Invite) -> Result<(), Refusal> {
    let checked = check_ttl(command.ttl_seconds, limits::INVITATION_TTL_SECONDS_MAX)
        .and_then(|()| check_ttl(command.token_ttl_seconds, limits::TOKEN_TTL_SECONDS_MAX))
        .and_then(|()| check_description("label", command.label.as_deref().unwrap_or_default()));
    if let Err(invalid) = checked {
        return Err(Refusal::invalid(&access.audit, &invalid));
    }
    // The first token of who comes has every scope, as that of an identity made by hand.
    if !context.actor.can_give(Scope::ALL) {
        let error = WireError::new(ErrorCode::Denied, "this credential cannot invite")
            .reason("the first token of who comes would have wider scopes than this one")
            .hint("use a token with every scope");
        return Err(Refusal::denied(&access.audit, error));
    }
    Ok(())
}

/// Invites.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if the external id exists.
pub fn invite(
    view: &impl View,
    context: &Context,
    command: Invite,
) -> Result<Plan<Invitation>, Refusal> {
    let directory = view.directory();
    let mut access = Access::begin(directory, context, Action::Create, Resource::Identity)?;
    let tenant = context.actor.identity.tenant;
    let invitation = Invitation {
        id: command.id,
        tenant,
        tag: command.tag,
        role: command.role.clone(),
        external_id: command.external_id.clone(),
        label: command.label.clone().filter(|text| !text.is_empty()),
        token_ttl_seconds: command.token_ttl_seconds,
        invited_by: context.actor.bearer().id,
        created_at: context.now,
        expires_at: context.now.plus_seconds(command.ttl_seconds),
        revoked_at: None,
        accepted: None,
    };
    require_right(&mut access, context, &invitation)?;
    check(&access, context, &command)?;
    if let Some(name) = &invitation.external_id
        && directory.identity_by_ref(tenant, name.as_str()).is_some()
    {
        let message = format!("identity {name} exists already");
        let hint = format!("manushyactl identity show {name}");
        return Err(access.conflict(message, "external ids are unique in a tenant", &hint));
    }
    let write = Write::PutGate(Arc::new(GateRecord::Invitation(invitation.clone())));
    Ok(access.plan(vec![write], 1, invitation))
}

/// Finds an invitation for `action`.
///
/// # Errors
///
/// A refusal with `NOT_FOUND` or `DENIED`.
pub fn require<'a>(
    view: &'a impl View,
    context: &'a Context,
    action: Action,
    id: InvitationId,
) -> Result<(Access<'a>, Invitation), Refusal> {
    let directory = view.directory();
    let mut access = Access::begin(directory, context, action, Resource::Identity)?;
    let tenant = context.actor.identity.tenant;
    let hint = "manushyactl invitation list";
    let Some(invitation) = directory.gates().invitation(tenant, id).cloned() else {
        return Err(access.missing("invitation", &id.to_string(), hint));
    };
    if require_right(&mut access, context, &invitation).is_err() {
        return Err(access.missing("invitation", &id.to_string(), hint));
    }
    Ok((access, invitation))
}

fn require_open(
    access: &Access<'_>,
    context: &Context,
    invitation: &Invitation,
) -> Result<(), Refusal> {
    let state = invitation.state(context.now);
    if matches!(state, InvitationState::Accepted | InvitationState::Revoked) {
        let message = format!("the invitation is {}", state.as_str());
        let hint = "manushyactl identity invite";
        return Err(access.conflict(message, "its code has no use any more", hint));
    }
    Ok(())
}

/// Takes an invitation back.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if it was accepted.
pub fn revoke(
    view: &impl View,
    context: &Context,
    id: InvitationId,
) -> Result<Plan<Invitation>, Refusal> {
    let (access, mut invitation) = require(view, context, Action::Delete, id)?;
    require_open(&access, context, &invitation)?;
    invitation.revoked_at = Some(context.now);
    let write = Write::PutGate(Arc::new(GateRecord::Invitation(invitation.clone())));
    Ok(access.plan(vec![write], 1, invitation))
}

/// Gives an invitation a new code and a new life; the code before is good for nothing.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if it was accepted or revoked.
pub fn resend(
    view: &impl View,
    context: &Context,
    id: InvitationId,
    tag: [u8; 16],
) -> Result<Plan<Invitation>, Refusal> {
    let (access, mut invitation) = require(view, context, Action::Update, id)?;
    require_open(&access, context, &invitation)?;
    let life = invitation.expires_at.0 - invitation.created_at.0;
    invitation.tag = tag;
    invitation.created_at = context.now;
    invitation.expires_at = context.now.plus_millis(life);
    let write = Write::PutGate(Arc::new(GateRecord::Invitation(invitation.clone())));
    Ok(access.plan(vec![write], 1, invitation))
}

/// Somebody shows a code.
#[derive(Clone, Debug)]
pub struct Enroll {
    /// The invitation and its tenant, as the code was looked up.
    pub invitation: (TenantId, InvitationId),
    /// The keyed hash of the code.
    pub tag: [u8; 16],
    /// Id of the new identity.
    pub identity: IdentityId,
    /// Id of its first token.
    pub token: TokenId,
    /// Its external id, where the invitation leaves it open.
    pub external_id: Option<ExternalId>,
    /// Its display name.
    pub name: Option<String>,
    /// User id of the peer process.
    pub peer_uid: u32,
    /// When.
    pub now: UnixMillis,
    /// The request.
    pub request_id: RequestId,
}

/// The entry of an enrolment, before anything is decided.
pub fn enroll_draft(enroll: &Enroll) -> AuditDraft {
    AuditDraft {
        time: enroll.now,
        tenant: Some(enroll.invitation.0),
        actor: AuditActor::Anonymous,
        peer_uid: Some(enroll.peer_uid),
        token: None,
        action: Action::Create,
        resource: Resource::Identity,
        resource_id: Some(enroll.invitation.1.to_bytes()),
        decision: Decision::Deny,
        policy: None,
        request_id: enroll.request_id,
        outcome: Outcome::Ok,
        count: 0,
        extensions: Extensions::default(),
    }
}

fn first_token(enroll: &Enroll, invitation: &Invitation, identity: IdentityId) -> Arc<Token> {
    Arc::new(Token {
        id: enroll.token,
        tenant: invitation.tenant,
        identity,
        scopes: vec![Scope::ALL],
        label: Some("first token".to_owned()),
        epoch: 0,
        issued_at: enroll.now,
        expires_at: enroll.now.plus_seconds(invitation.token_ttl_seconds),
        revoked_at: None,
        limits: Limits::default(),
        uses: None,
        purpose: None,
        parent: None,
        kind: TokenKind::Access,
    })
}

/// Turns a code into an identity and its first token. Who invited had the right; that it does not
/// end with who invited is as with an identity made by hand.
///
/// # Errors
///
/// A refusal: `UNAUTHENTICATED` for a code that is not good, `CONFLICT` for an external id that
/// exists, `INVALID_ARGUMENT` if none is given or one is given that is not to be chosen.
pub fn enroll(view: &impl View, enroll: &Enroll) -> Result<Plan<Credentials>, Refusal> {
    let directory = view.directory();
    let mut audit = enroll_draft(enroll);
    let (tenant, id) = enroll.invitation;
    let found = directory.gates().invitation(tenant, id);
    let found = found.filter(|it| it.tag == enroll.tag);
    let Some(invitation) = found.filter(|it| it.state(enroll.now) == InvitationState::Open) else {
        let error = WireError::new(ErrorCode::Unauthenticated, "the enrolment code is not good")
            .reason("it was used, taken back, replaced or has ended")
            .hint("ask for another: manushyactl invitation resend");
        return Err(Refusal::denied(&audit, error));
    };
    let invalid = |message: &str, hint: &str| {
        let error = WireError::new(ErrorCode::InvalidArgument, message).hint(hint);
        Err(Refusal::allowed(&audit, error))
    };
    let name = match (&invitation.external_id, &enroll.external_id) {
        (Some(fixed), Some(chosen)) if fixed != chosen => {
            return invalid("the invitation is for another external id", "leave it out");
        }
        (Some(fixed), _) => fixed.clone(),
        (None, Some(chosen)) => chosen.clone(),
        (None, None) => {
            let hint = "manushyactl enroll --external-id NAME";
            return invalid("the invitation leaves the external id to you", hint);
        }
    };
    if directory.identity_by_ref(tenant, name.as_str()).is_some() {
        let error = WireError::new(
            ErrorCode::Conflict,
            format!("identity {name} exists already"),
        )
        .reason("external ids are unique in a tenant; the code is still good")
        .hint("manushyactl enroll --external-id NAME");
        return Err(Refusal::allowed(&audit, error));
    }
    let mut identity = invited(invitation, enroll.identity, name, enroll.now);
    identity.name = enroll.name.clone().filter(|text| !text.is_empty());
    // Nobody leaves quarantine by inviting another.
    identity.quarantine = directory
        .identity(tenant, invitation.invited_by)
        .is_some_and(|inviter| inviter.quarantine);
    if let Err(invalid) = check_description("name", enroll.name.as_deref().unwrap_or_default()) {
        return Err(Refusal::invalid(&audit, &invalid));
    }
    let token = first_token(enroll, invitation, identity.id);
    let mut accepted = invitation.clone();
    accepted.accepted = Some((enroll.now, identity.id));
    audit.actor = AuditActor::Identity(identity.id);
    audit.resource_id = Some(identity.id.to_bytes());
    (audit.decision, audit.count) = (Decision::Allow, 1);
    let identity = Arc::new(identity);
    Ok(Plan {
        writes: vec![
            Write::PutIdentity(identity.clone()),
            Write::PutToken(token.clone()),
            Write::PutGate(Arc::new(GateRecord::Invitation(accepted))),
        ],
        audit,
        reply: (identity, token),
    })
}
