//! Legal holds: what one covers is not erased, by nobody and by no rule, until it is released.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{HoldId, IdentityId, MemoryId, TenantId};

use super::access::Access;
use super::refusal::Refusal;
use super::retention;
use crate::command::Context;
use crate::model::{
    Action, ErasureKey, ErasureRecord, Hold, HoldScope, Resource, check_description,
};
use crate::plan::{Plan, Write};
use crate::view::{View, ViewError};

/// Sets a hold.
#[derive(Clone, Debug)]
pub struct SetHold {
    /// Its id.
    pub id: HoldId,
    /// What it keeps.
    pub scope: HoldScope,
    /// Why.
    pub reason: String,
}

/// Who may set, see or release holds: whoever may manage the system.
fn begin<'a>(
    view: &'a impl View,
    context: &'a Context,
    action: Action,
) -> Result<Access<'a>, Refusal> {
    let mut access = Access::begin(view.directory(), context, action, Resource::System)?;
    access.require()?;
    Ok(access)
}

/// Sets a hold. It may be set on what does not exist yet, or not any more.
///
/// # Errors
///
/// A refusal.
pub fn add(view: &impl View, context: &Context, command: SetHold) -> Result<Plan<Hold>, Refusal> {
    let mut access = begin(view, context, Action::Manage)?;
    access.audit.resource_id = Some(command.id.to_bytes());
    let checked = check_description("reason", &command.reason);
    if let Err(invalid) = checked {
        return Err(Refusal::invalid(&access.audit, &invalid));
    }
    if command.reason.trim().is_empty() {
        let error = WireError::new(ErrorCode::InvalidArgument, "a hold needs a reason")
            .reason("whoever meets it later has to know why it is there")
            .hint("--reason 'case 2026-114'");
        return Err(Refusal::allowed(&access.audit, error));
    }
    let hold = Hold {
        id: command.id,
        tenant: context.actor.identity.tenant,
        scope: command.scope,
        reason: command.reason,
        set_by: context.actor.identity.id,
        created_at: context.now,
    };
    let write = Write::PutErasure(Arc::new(ErasureRecord::Hold(hold.clone())));
    Ok(access.plan(vec![write], 1, hold))
}

/// Lists the holds of the caller's tenant, oldest first.
///
/// # Errors
///
/// A refusal.
pub fn list(view: &impl View, context: &Context) -> Result<Plan<Vec<Hold>>, Refusal> {
    let access = begin(view, context, Action::Read)?;
    let tenant = context.actor.identity.tenant;
    let holds: Vec<Hold> = view.directory().erasures().holds(tenant).cloned().collect();
    let count = holds.len() as u64;
    Ok(access.plan(Vec::new(), count, holds))
}

/// Releases a hold. What it kept can be erased from here on.
///
/// # Errors
///
/// A refusal, among others `NOT_FOUND`.
pub fn release(view: &impl View, context: &Context, id: HoldId) -> Result<Plan<Hold>, Refusal> {
    let mut access = begin(view, context, Action::Manage)?;
    let tenant = context.actor.identity.tenant;
    let Some(hold) = view.directory().erasures().hold(tenant, id).cloned() else {
        return Err(access.missing("hold", &id.to_string(), "manushyactl purge hold list"));
    };
    access.audit.resource_id = Some(id.to_bytes());
    let write = Write::DropErasure(tenant, ErasureKey::Hold(id));
    Ok(access.plan(vec![write], 1, hold))
}

/// The refusal because a hold is in the way.
pub(super) fn in_the_way(access: &Access<'_>, hold: &Hold) -> Refusal {
    let message = format!("hold {} keeps this from being erased", hold.id);
    let hint = format!("when it may go: manushyactl purge hold release {}", hold.id);
    access.conflict(message, &hold.reason, &hint)
}

/// Whether a tenant has any hold that could concern single memories or identities.
fn any(view: &impl View, tenant: TenantId) -> bool {
    view.directory().erasures().holds(tenant).next().is_some()
}

/// The hold that keeps one of `memories`, if one does. `owner` is the owner of all of them, where
/// they have one in common.
pub(super) fn on_any(
    view: &impl View,
    tenant: TenantId,
    memories: &[(MemoryId, u32)],
    owner: Option<IdentityId>,
) -> Result<Option<Hold>, ViewError> {
    if !any(view, tenant) {
        return Ok(None);
    }
    for (id, _) in memories {
        if let Some(hold) = on(view, tenant, *id, owner)? {
            return Ok(Some(hold));
        }
    }
    Ok(owner.and_then(|owner| on_subject(view, tenant, owner)))
}

/// The hold that keeps a memory, if one does.
fn on(
    view: &impl View,
    tenant: TenantId,
    id: MemoryId,
    owner: Option<IdentityId>,
) -> Result<Option<Hold>, ViewError> {
    let owner = match owner {
        Some(owner) => owner,
        None => match view.memory(tenant, id)? {
            Some(memory) => memory.owner,
            None => return Ok(None),
        },
    };
    let holds = view.directory().erasures();
    Ok(holds.hold_on(tenant, owner, id).cloned())
}

/// The hold that keeps an identity, if one does.
pub(super) fn on_subject(view: &impl View, tenant: TenantId, identity: IdentityId) -> Option<Hold> {
    let mut holds = view.directory().erasures().holds(tenant);
    holds
        .find(|hold| match &hold.scope {
            HoldScope::Tenant => true,
            HoldScope::Subject(subject) => *subject == identity,
            HoldScope::Memory(_) => false,
        })
        .cloned()
}

/// Those of `memories` that no hold keeps.
pub(super) fn without_held(
    view: &impl View,
    tenant: TenantId,
    memories: Vec<(MemoryId, u32)>,
) -> Result<Vec<(MemoryId, u32)>, ViewError> {
    if !any(view, tenant) {
        return Ok(memories);
    }
    let mut free = Vec::with_capacity(memories.len());
    for memory in memories {
        if on(view, tenant, memory.0, None)?.is_none() {
            free.push(memory);
        }
    }
    Ok(free)
}

/// What is due and no hold keeps, at most `limit`, the longest due first. In a tenant with rules of
/// retention, what is due is among `found`.
pub(super) fn free_and_due(
    view: &impl View,
    context: &Context,
    found: &[MemoryId],
    limit: usize,
) -> Result<Vec<(MemoryId, u32)>, ViewError> {
    let tenant = context.actor.identity.tenant;
    if retention::any(view.directory(), tenant) {
        return retention::free_and_over(view, view.directory(), context, found, limit);
    }
    // Held ones stay due, so as many as there are may stand before the first that is free.
    let most = if any(view, tenant) { usize::MAX } else { limit };
    let due = view.due(tenant, context.now, most)?;
    let mut free = without_held(view, tenant, due)?;
    free.truncate(limit);
    Ok(free)
}
