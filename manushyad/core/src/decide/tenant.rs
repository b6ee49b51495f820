//! Tenants: only the operator of the host makes, lists or erases them.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{IdentityId, PolicyId, TenantId};
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::purge::Purged;

use super::access::Access;
use super::refusal::Refusal;
use crate::command::{Context, CreateTenant};
use crate::model::{
    Action, ExternalId, Identity, Policy, PolicyEvent, PolicyName, PolicyRevision, Resource, Role,
    Tenant, TenantName,
};
use crate::plan::{Plan, Write};
use crate::policy::starter_policies;
use crate::view::View;

/// External id of the identity that the operator of the host acts as in every tenant.
pub const OPERATOR: &str = "operator";
/// The tenant that is always there.
pub const DEFAULT_TENANT: &str = "default";

/// Checks that the caller is the operator of the host.
///
/// # Errors
///
/// A refusal with `UNAUTHENTICATED` or `DENIED`.
pub fn require_operator<'a>(
    view: &'a impl View,
    context: &'a Context,
    action: Action,
) -> Result<Access<'a>, Refusal> {
    let mut access = Access::begin(view.directory(), context, action, Resource::System)?;
    if !context.actor.operator {
        let error = WireError::new(
            ErrorCode::Denied,
            "only the operator of the host may do this",
        )
        .reason("tenants and the daemon itself belong to the host")
        .hint("run it as the user that owns the daemon's home, without MANUSHYA_TOKEN");
        return Err(Refusal::denied(&access.audit, error));
    }
    access.require()?;
    Ok(access)
}

/// The writes that make a tenant, also the first one of a new home.
///
/// # Errors
///
/// Never in practice: the names are constants that are valid.
pub fn founding_writes(
    command: &CreateTenant,
    now: UnixMillis,
) -> Result<(Arc<Tenant>, Vec<Write>), crate::model::Invalid> {
    let tenant = Arc::new(Tenant {
        id: command.id,
        name: command.name.clone(),
        operator: command.operator,
        created_at: now,
    });
    let operator = operator_identity(command.id, command.operator, now)?;
    let mut writes = vec![
        Write::PutTenant(tenant.clone()),
        Write::PutIdentity(Arc::new(operator)),
    ];
    for (starter, id) in starter_policies().into_iter().zip(command.policies) {
        let policy = Policy {
            id,
            tenant: command.id,
            name: PolicyName::new(starter.name)?,
            role: starter.role.map(Role::new).transpose()?,
            rule: starter.rule,
            effect: starter.effect,
            priority: starter.priority,
            is_active: true,
            fields: Vec::new(),
            description: Some(starter.description.to_owned()),
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        let first = PolicyRevision {
            policy: policy.clone(),
            event: PolicyEvent::Created,
            by: command.operator,
        };
        writes.push(Write::PutPolicy(Arc::new(policy)));
        writes.push(Write::PutRevision(Arc::new(first)));
    }
    Ok((tenant, writes))
}

fn operator_identity(
    tenant: TenantId,
    id: IdentityId,
    now: UnixMillis,
) -> Result<Identity, crate::model::Invalid> {
    Ok(Identity {
        id,
        tenant,
        external_id: ExternalId::new(OPERATOR)?,
        role: Role::new("admin")?,
        name: Some("Operator of the host".to_owned()),
        description: None,
        claims: serde_json::Map::new(),
        is_active: true,
        quarantine: false,
        token_epoch: 0,
        created_at: now,
        updated_at: now,
    })
}

/// Makes a tenant.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if the name exists.
pub fn create(
    view: &impl View,
    context: &Context,
    command: CreateTenant,
) -> Result<Plan<Arc<Tenant>>, Refusal> {
    let mut access = require_operator(view, context, Action::Create)?;
    access.audit.resource_id = Some(command.id.to_bytes());
    if view
        .directory()
        .tenant_by_name(command.name.as_str())
        .is_some()
    {
        let message = format!("tenant {} exists already", command.name);
        return Err(access.conflict(
            message,
            "names of tenants are unique",
            "manushyactl tenant list",
        ));
    }
    let (tenant, writes) = match founding_writes(&command, context.now) {
        Ok(made) => made,
        Err(invalid) => return Err(Refusal::invalid(&access.audit, &invalid)),
    };
    Ok(access.plan(writes, 1, tenant))
}

/// Erases a tenant and everything in it.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` for the tenant that is always there.
pub fn delete(
    view: &impl View,
    context: &Context,
    name: &TenantName,
) -> Result<Plan<(TenantId, Purged)>, Refusal> {
    let mut access = require_operator(view, context, Action::Purge)?;
    let directory = view.directory();
    let Some(tenant) = directory.tenant_by_name(name.as_str()) else {
        return Err(access.missing("tenant", name.as_str(), "manushyactl tenant list"));
    };
    access.audit.resource_id = Some(tenant.id.to_bytes());
    if tenant.name.as_str() == DEFAULT_TENANT {
        let message = format!("tenant {DEFAULT_TENANT} cannot be deleted");
        return Err(access.conflict(
            message,
            "it is always there",
            "purge its identities instead",
        ));
    }
    if let Some(hold) = directory.erasures().holds(tenant.id).next() {
        return Err(super::hold::in_the_way(&access, hold));
    }
    let mut purged = Purged::default();
    for identity in directory.identities(tenant.id) {
        purged.identities += 1;
        match view.memories_of(tenant.id, identity.id) {
            Ok(memories) => purged.memories += memories.len() as u64,
            Err(error) => return Err(access.broken(error)),
        }
    }
    purged.tokens = directory.tokens(tenant.id).count() as u64;
    let writes = erasing_writes(view, tenant.id);
    let (id, count) = (tenant.id, purged.memories);
    Ok(access.plan(writes, count, (id, purged)))
}

/// The writes that erase a tenant and everything in it.
pub fn erasing_writes(view: &impl View, tenant: TenantId) -> Vec<Write> {
    let directory = view.directory();
    let tokens = directory.tokens(tenant);
    let mut writes: Vec<Write> = tokens
        .map(|token| Write::DropToken(tenant, token.id))
        .collect();
    let plans = directory.plans(tenant);
    writes.extend(plans.map(|plan| Write::DropPlan(tenant, plan.id)));
    let policies = directory.policies(tenant);
    writes.extend(policies.map(|policy| Write::DropPolicy(tenant, policy.id)));
    let revisions = directory.revisions(tenant);
    writes.extend(revisions.map(|revision| {
        let policy = &revision.policy;
        Write::DropRevision(tenant, policy.id, policy.revision)
    }));
    let approvals = directory.approvals(tenant);
    writes.extend(approvals.map(|approval| Write::DropApproval(tenant, approval.id)));
    let draft = directory.draft(tenant);
    writes.extend(draft.map(|_| Write::DropDraft(tenant)));
    let identities = directory.identities(tenant);
    writes.extend(identities.map(|identity| Write::EraseIdentity(tenant, identity.id)));
    writes.push(Write::EraseTenant(tenant));
    writes
}

/// How many ids a new tenant needs for its first policies.
pub fn policy_ids(mut make: impl FnMut() -> PolicyId) -> [PolicyId; 8] {
    std::array::from_fn(|_| make())
}
