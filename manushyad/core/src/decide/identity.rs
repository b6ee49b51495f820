//! Identities.

use std::sync::Arc;

use manushya_protocol::limits;

use super::access::Access;
use super::refusal::Refusal;
use super::review::is_held_back;
use crate::command::{Context, CreateIdentity, UpdateIdentity};
use crate::model::{
    Action, GateRecord, Identity, Invalid, Limits, PurgeScope, Resource, Token, TokenKind,
    check_claims, check_description,
};
use crate::plan::{Plan, Write};
use crate::view::View;

/// An identity and a token that was made for it.
pub type Credentials = (Arc<Identity>, Arc<Token>);

/// Checks the life of a token against the longest it may have, both in seconds.
///
/// # Errors
///
/// [`Invalid`] if it is zero or too long.
pub fn check_ttl(ttl_seconds: u64, most: u64) -> Result<(), Invalid> {
    if ttl_seconds == 0 || ttl_seconds > most {
        let days = most / 86_400;
        return Err(Invalid::new(
            "ttl",
            format!("must be between 1 second and {days} days"),
        ));
    }
    Ok(())
}

fn check_texts(name: Option<&str>, description: Option<&str>) -> Result<(), Invalid> {
    check_description("name", name.unwrap_or_default())?;
    check_description("description", description.unwrap_or_default())
}

/// Makes an identity and its first token, which covers what the caller's credential does. An external
/// id that exists is a conflict, never an update.
///
/// # Errors
///
/// A refusal.
pub fn create(
    view: &impl View,
    context: &Context,
    command: CreateIdentity,
) -> Result<Plan<Credentials>, Refusal> {
    let directory = view.directory();
    let mut access = Access::begin(directory, context, Action::Create, Resource::Identity)?;
    let tenant = context.actor.identity.tenant;
    let identity = Arc::new(Identity {
        id: command.id,
        tenant,
        external_id: command.external_id,
        role: command.role,
        name: command.name.filter(|text| !text.is_empty()),
        description: command.description.filter(|text| !text.is_empty()),
        claims: command.claims,
        is_active: true,
        // Nobody leaves quarantine by making another.
        quarantine: command.quarantine || is_held_back(directory, context),
        token_epoch: 0,
        created_at: context.now,
        updated_at: context.now,
    });
    access.require_on(&identity)?;
    let checked = check_claims(&identity.claims)
        .and_then(|()| check_texts(identity.name.as_deref(), identity.description.as_deref()))
        .and_then(|()| check_ttl(command.ttl_seconds, limits::TOKEN_TTL_SECONDS_MAX));
    if let Err(invalid) = checked {
        return Err(Refusal::invalid(&access.audit, &invalid));
    }
    if directory
        .identity_by_ref(tenant, identity.external_id.as_str())
        .is_some()
    {
        let message = format!("identity {} exists already", identity.external_id);
        let hint = format!("manushyactl identity show {}", identity.external_id);
        return Err(access.conflict(message, "external ids are unique in a tenant", &hint));
    }
    let token = Arc::new(Token {
        id: command.token,
        tenant,
        identity: identity.id,
        // A token never covers more than the one it was asked for with.
        scopes: context.actor.scopes.to_vec(),
        label: Some("first token".to_owned()),
        epoch: identity.token_epoch,
        issued_at: context.now,
        expires_at: context.now.plus_seconds(command.ttl_seconds),
        revoked_at: None,
        limits: Limits::default(),
        uses: None,
        purpose: None,
        parent: None,
        kind: TokenKind::Access,
    });
    let writes = vec![
        Write::PutIdentity(identity.clone()),
        Write::PutToken(token.clone()),
    ];
    Ok(access.plan(writes, 1, (identity, token)))
}

/// Finds an identity by reference for `action`, and asks the policies about it.
///
/// # Errors
///
/// A refusal; one who may not act on an identity is told the same whether it exists or not.
pub fn require<'a>(
    view: &'a impl View,
    context: &'a Context,
    action: Action,
    resource: Resource,
    reference: &str,
) -> Result<(Access<'a>, Arc<Identity>), Refusal> {
    let directory = view.directory();
    let mut access = Access::begin(directory, context, action, resource)?;
    let tenant = context.actor.identity.tenant;
    let Some(identity) = directory.identity_by_ref(tenant, reference) else {
        return Err(access.missing("identity", reference, "manushyactl identity list"));
    };
    if let Err(refusal) = access.require_on(identity) {
        let own = identity.id == context.actor.identity.id;
        // Whether an identity exists is for those to know who may act on identities at all.
        if own || refusal.with_approval.is_some() {
            return Err(refusal);
        }
        return Err(access.missing("identity", reference, "manushyactl identity list"));
    }
    Ok((access, identity.clone()))
}

/// Changes an identity. Nobody changes their own role, nor switches themselves off.
///
/// # Errors
///
/// A refusal.
pub fn update(
    view: &impl View,
    context: &Context,
    command: UpdateIdentity,
) -> Result<Plan<Arc<Identity>>, Refusal> {
    let (mut access, identity) = require(
        view,
        context,
        Action::Update,
        Resource::Identity,
        &command.identity,
    )?;
    if identity.id == context.actor.identity.id
        && let Some(what) = own_rights(&command, &identity)
    {
        return Err(forbidden_to_self(&access, what));
    }
    if command.is_active == Some(false)
        && let Some(refusal) = host_operator(view, &access, &identity, "disabled")
    {
        return Err(refusal);
    }
    let mut changed = Identity::clone(&identity);
    if let Some(role) = command.role {
        // Tokens carry the role, so those of the old one end with it.
        changed.token_epoch += u32::from(role != changed.role);
        changed.role = role;
    }
    if let Some(name) = command.name {
        changed.name = Some(name).filter(|text| !text.is_empty());
    }
    if let Some(description) = command.description {
        changed.description = Some(description).filter(|text| !text.is_empty());
    }
    if let Some(claims) = command.claims {
        changed.claims = claims;
    }
    if let Some(is_active) = command.is_active {
        changed.is_active = is_active;
    }
    if let Some(quarantine) = command.quarantine {
        changed.quarantine = quarantine;
    }
    let checked = check_claims(&changed.claims)
        .and_then(|()| check_texts(changed.name.as_deref(), changed.description.as_deref()));
    if let Err(invalid) = checked {
        return Err(Refusal::invalid(&access.audit, &invalid));
    }
    if changed == *identity {
        return Ok(access.plan(Vec::new(), 0, identity));
    }
    // What it becomes must be allowed too, or who may change some could raise them above that.
    access.require_on(&changed)?;
    changed.updated_at = context.now;
    let changed = Arc::new(changed);
    Ok(access.plan(vec![Write::PutIdentity(changed.clone())], 1, changed))
}

/// What of its own rights an identity would change with a command.
fn own_rights(command: &UpdateIdentity, identity: &Identity) -> Option<&'static str> {
    let differs = |given: Option<bool>| given == Some(true);
    if differs(command.role.as_ref().map(|role| *role != identity.role)) {
        return Some("change your own role");
    }
    if command.is_active == Some(false) {
        return Some("disable yourself");
    }
    let claims = command.claims.as_ref();
    if differs(claims.map(|claims| *claims != identity.claims)) {
        return Some("change your own claims");
    }
    let quarantine = command.quarantine;
    differs(quarantine.map(|it| it != identity.quarantine))
        .then_some("put yourself into quarantine or out of it")
}

fn forbidden_to_self(access: &Access<'_>, what: &str) -> Refusal {
    use manushya_protocol::error::{ErrorCode, WireError};
    let error = WireError::new(ErrorCode::Denied, format!("you may not {what}"))
        .reason("no identity can widen or end its own rights")
        .hint("ask another administrator");
    Refusal::denied(&access.audit, error)
}

/// Deletes an identity that owns nothing, with its tokens. One that owns memories is purged instead.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if it owns memories or is a tenant's operator.
pub fn delete(
    view: &impl View,
    context: &Context,
    reference: &str,
) -> Result<Plan<Arc<Identity>>, Refusal> {
    let (access, identity) = require(view, context, Action::Delete, Resource::Identity, reference)?;
    if let Some(refusal) = not_erasable(view, &access, context, &identity) {
        return Err(refusal);
    }
    if let Some(hold) = super::hold::on_subject(view, identity.tenant, identity.id) {
        return Err(super::hold::in_the_way(&access, &hold));
    }
    let owned = match view.memories_of(identity.tenant, identity.id) {
        Ok(owned) => owned.len(),
        Err(error) => return Err(access.broken(error)),
    };
    if owned > 0 {
        let message = format!("{} owns {owned} memories", identity.external_id);
        let hint = format!("manushyactl purge plan --subject {}", identity.external_id);
        return Err(access.conflict(message, "deleting it would orphan them", &hint));
    }
    let writes = erasing_writes(view, &identity);
    Ok(access.plan(writes, 1, identity))
}

/// The refusal if an identity must stay: the caller itself, or the operator of a tenant.
pub fn not_erasable(
    view: &impl View,
    access: &Access<'_>,
    context: &Context,
    identity: &Identity,
) -> Option<Refusal> {
    if identity.id == context.actor.identity.id {
        return Some(forbidden_to_self(access, "delete yourself"));
    }
    host_operator(view, access, identity, "deleted")
}

/// The refusal if the operator of the host acts as the identity.
fn host_operator(
    view: &impl View,
    access: &Access<'_>,
    identity: &Identity,
    what: &str,
) -> Option<Refusal> {
    let tenant = view.directory().tenant(identity.tenant)?;
    (tenant.operator == identity.id).then(|| {
        let message = format!("{} cannot be {what}", identity.external_id);
        access.conflict(
            message,
            "the operator of the host acts as it",
            "disable other identities instead",
        )
    })
}

/// The writes that erase an identity, its tokens, and what holds its name: the plans to erase it,
/// the invitation it came by, and its bindings.
pub fn erasing_writes(view: &impl View, identity: &Identity) -> Vec<Write> {
    let tokens = view.directory().tokens(identity.tenant);
    let mut writes: Vec<Write> = tokens
        .filter(|token| token.identity == identity.id)
        .map(|token| Write::DropToken(token.tenant, token.id))
        .collect();
    let plans = view.directory().plans(identity.tenant);
    writes.extend(
        plans
            .filter(|plan| plan.scope == PurgeScope::Subject(identity.id))
            .map(|plan| Write::DropPlan(plan.tenant, plan.id)),
    );
    let gates = view.directory().gates();
    let is_of_it = |record: &&Arc<GateRecord>| match &***record {
        GateRecord::Invitation(it) => it.accepted.is_some_and(|(_, id)| id == identity.id),
        GateRecord::Binding(it) => it.identity == identity.id,
        GateRecord::TokenKey(_) | GateRecord::Limit(_) | GateRecord::AuditKey(_) => false,
    };
    writes.extend(
        gates
            .of(identity.tenant)
            .filter(is_of_it)
            .map(|record| Write::DropGate(record.tenant(), record.key())),
    );
    let approvals = view.directory().approvals(identity.tenant);
    writes.extend(
        approvals
            .filter(|it| [it.identity, it.authority].contains(&identity.id))
            .map(|approval| Write::DropApproval(approval.tenant, approval.id)),
    );
    writes.push(Write::EraseIdentity(identity.tenant, identity.id));
    writes
}
