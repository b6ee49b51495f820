//! Limits: setting them, and holding what is kept to them. How often calls come is counted before
//! anything is decided; see the daemon's `service/rate.rs`.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::LimitId;
use manushya_protocol::limits;

use super::access::Access;
use super::refusal::Refusal;
use super::tenant::require_operator;
use crate::command::Context;
use crate::model::{
    Action, GateKey, GateRecord, Identity, LimitName, LimitOverride, Memory, Resource, Role, Via,
};
use crate::plan::{Plan, Write};
use crate::view::View;

/// Whether nothing limits who acts: the daemon itself, and the operator of the host, who must never
/// be locked out of it.
pub fn is_free(context: &Context) -> bool {
    context.actor.operator || context.actor.via == Via::Daemon
}

/// Sets a limit. Only the operator of the host may: who could raise its own has none.
#[derive(Clone, Debug)]
pub struct SetLimit {
    /// Its id, if it was not set before.
    pub id: LimitId,
    /// Which one.
    pub name: LimitName,
    /// For this role; none for all.
    pub role: Option<Role>,
    /// How many; none for as many as they like.
    pub value: Option<u64>,
}

/// Sets a limit.
///
/// # Errors
///
/// A refusal.
pub fn set(
    view: &impl View,
    context: &Context,
    command: SetLimit,
) -> Result<Plan<LimitOverride>, Refusal> {
    let mut access = require_operator(view, context, Action::Manage)?;
    if command.name.is_of_tenant() && command.role.is_some() {
        let message = format!("{} is no limit of a role", command.name);
        let error = WireError::new(ErrorCode::InvalidArgument, message)
            .reason("it bounds all that the tenant keeps, whoever owns it")
            .hint("leave --role out");
        return Err(Refusal::allowed(&access.audit, error));
    }
    let tenant = context.actor.identity.tenant;
    let all = view.directory().gates().limits_set(tenant);
    let same = |it: &&LimitOverride| it.name == command.name && it.role == command.role;
    let before = all.iter().find(same);
    if before.is_none() && all.len() >= limits::LIMITS_SET_MAX {
        let message = format!("{} limits are set in this tenant", all.len());
        let hint = "manushyactl limit reset --all";
        return Err(access.conflict(message, "more slow every call down", hint));
    }
    let made = LimitOverride {
        id: before.map_or(command.id, |it| it.id),
        tenant,
        name: command.name,
        role: command.role,
        value: command.value,
        set_by: context.actor.identity.id,
        set_at: context.now,
    };
    access.audit.resource_id = Some(made.id.to_bytes());
    let write = Write::PutGate(Arc::new(GateRecord::Limit(made.clone())));
    Ok(access.plan(vec![write], 1, made))
}

/// Which limits to take away.
#[derive(Clone, Debug)]
pub enum ResetLimit {
    /// All of the tenant.
    All,
    /// This one, of this role or of all.
    One(LimitName, Option<Role>),
}

/// Takes limits away that were set, so that the table of the configuration holds again.
///
/// # Errors
///
/// A refusal, among others `NOT_FOUND` if this one was not set.
pub fn reset(
    view: &impl View,
    context: &Context,
    which: &ResetLimit,
) -> Result<Plan<u64>, Refusal> {
    let mut access = require_operator(view, context, Action::Manage)?;
    let tenant = context.actor.identity.tenant;
    let all = view.directory().gates().limits_set(tenant);
    let chosen: Vec<LimitId> = all
        .iter()
        .filter(|it| match which {
            ResetLimit::All => true,
            ResetLimit::One(name, role) => it.name == *name && it.role == *role,
        })
        .map(|it| it.id)
        .collect();
    if let ResetLimit::One(name, role) = which {
        let Some(id) = chosen.first() else {
            let of = role
                .as_ref()
                .map(|role| format!("{name} of the role {role}"));
            let name = of.unwrap_or_else(|| name.to_string());
            return Err(access.missing("limit set:", &name, "manushyactl limit list"));
        };
        access.audit.resource_id = Some(id.to_bytes());
    }
    let gone = chosen
        .iter()
        .map(|id| Write::DropGate(tenant, GateKey::Limit(*id)));
    let count = chosen.len() as u64;
    Ok(access.plan(gone.collect(), count, count))
}

/// Whose limits are to be listed.
#[derive(Clone, Debug)]
pub enum LimitsOf {
    /// Those of all, and those that were set for roles.
    Everybody,
    /// Those that hold for a role.
    Role(Role),
    /// Those that hold for an identity, given by id or external id.
    Identity(String),
}

/// Lists limits: whoever may read about the system may, and everybody their own.
///
/// # Errors
///
/// A refusal.
pub fn list(
    view: &impl View,
    context: &Context,
    of: &LimitsOf,
) -> Result<Plan<Option<Arc<Identity>>>, Refusal> {
    let directory = view.directory();
    let own = &context.actor.identity;
    let mut access = Access::begin(directory, context, Action::Read, Resource::System)?;
    let identity = match of {
        LimitsOf::Everybody | LimitsOf::Role(_) => None,
        LimitsOf::Identity(reference) => Some(reference),
    };
    let found = identity.map(|reference| directory.identity_by_ref(own.tenant, reference));
    if found
        .flatten()
        .is_some_and(|identity| identity.id == own.id)
    {
        // What binds somebody is no secret before it.
        access.audit.resource_id = Some(own.id.to_bytes());
        access.audit.decision = crate::model::Decision::Allow;
        return Ok(access.plan(Vec::new(), 1, found.flatten().cloned()));
    }
    access.require()?;
    let identity = match (identity, found.flatten()) {
        (Some(reference), None) => {
            return Err(access.missing("identity", reference, "manushyactl identity list"));
        }
        (_, found) => found.cloned(),
    };
    Ok(access.plan(Vec::new(), 1, identity))
}

/// Checks that there is room for a memory: a new one, or a new version of one.
pub(super) fn check_room(
    view: &impl View,
    context: &Context,
    access: &Access<'_>,
    memory: &Memory,
    is_new: bool,
) -> Result<(), Refusal> {
    if is_free(context) {
        return Ok(());
    }
    let directory = view.directory();
    let (tenant, owner) = (memory.tenant, memory.owner);
    // A quota is its owner's: who else may write there gets no second one.
    let Some(role) = directory.identity(tenant, owner).map(|it| it.role.clone()) else {
        return Ok(());
    };
    let limit = |name| {
        directory
            .gates()
            .limit(tenant, name, &role, context.limit_table)
    };
    let holdings = directory.holdings();
    let (own, all) = (holdings.of(tenant, owner), holdings.of_tenant(tenant));
    let counts = [
        (LimitName::Memories, own.memories),
        (LimitName::TenantMemories, all.memories),
    ];
    for (name, held) in counts.into_iter().filter(|_| is_new) {
        if let Some(most) = limit(name).filter(|most| held >= *most) {
            return Err(no_room(access, name, held, most));
        }
    }
    let sizes = [
        (LimitName::Bytes, own.bytes),
        (LimitName::TenantBytes, all.bytes),
    ];
    for (name, held) in sizes {
        let Some(most) = limit(name) else { continue };
        let more = match view.bytes_of(memory) {
            Ok(bytes) => bytes,
            Err(error) => return Err(access.broken(error)),
        };
        if held.saturating_add(more) > most {
            return Err(no_room(access, name, held, most));
        }
    }
    Ok(())
}

fn no_room(access: &Access<'_>, name: LimitName, held: u64, most: u64) -> Refusal {
    let whose = if name.is_of_tenant() {
        "the tenant"
    } else {
        "the owner"
    };
    let error = WireError::new(
        ErrorCode::ResourceExhausted,
        format!("{whose} has no room for this memory"),
    )
    .reason(format!(
        "the limit `{name}` is {most}, and {held} are taken"
    ))
    .hint(format!(
        "erase some: manushyactl memory delete ID --hard; the operator of the host can allow more: \
         manushyactl limit set {name} N"
    ));
    Refusal::allowed(&access.audit, error)
}
