//! Planned erasure: first counted, then confirmed, then for good.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::limits;
use manushya_protocol::v1::purge::Purged;
use sha2::{Digest, Sha256};

use super::access::Access;
use super::hold;
use super::identity::{erasing_writes, not_erasable};
use super::refusal::Refusal;
use crate::command::{ApplyPurge, Context, PlanPurge, Sweep};
use crate::directory::Directory;
use crate::model::{
    Action, ErasureRecord, Identity, PlanState, PurgePlan, PurgeReceipt, PurgeScope, Resource,
};
use crate::plan::{Plan, Write};
use crate::view::{View, ViewError};

/// What an erasure covers.
struct Cover {
    memories: Vec<(MemoryId, u32)>,
    identity: Option<Arc<Identity>>,
    tokens: u64,
    versions: u64,
}

impl Cover {
    /// SHA-256 over the scope's identity and the ids and versions, in order of the ids.
    fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        if let Some(identity) = &self.identity {
            hash.update(identity.id.to_bytes());
            hash.update(self.tokens.to_be_bytes());
        }
        for (id, version) in &self.memories {
            hash.update(id.to_bytes());
            hash.update(version.to_be_bytes());
        }
        hash.finalize().into()
    }

    fn count(&self) -> u64 {
        self.memories.len() as u64 + u64::from(self.identity.is_some())
    }
}

fn cover(
    view: &impl View,
    context: &Context,
    scope: &PurgeScope,
    matched: Vec<(MemoryId, u32)>,
) -> Result<Cover, ViewError> {
    let tenant = context.actor.identity.tenant;
    let directory = view.directory();
    let (mut memories, identity) = match scope {
        PurgeScope::Subject(id) => (
            view.memories_of(tenant, *id)?,
            directory.identity(tenant, *id).cloned(),
        ),
        PurgeScope::Filter | PurgeScope::Records => (matched, None),
        PurgeScope::Expired => {
            let found: Vec<MemoryId> = matched.iter().map(|(id, _)| *id).collect();
            let most = limits::PLAN_MEMORIES_MAX;
            (hold::free_and_due(view, context, &found, most)?, None)
        }
    };
    memories.sort_unstable();
    memories.dedup();
    let mut versions = 0;
    for (id, version) in &memories {
        // A memory at its first version has no history to look up.
        if *version > 1 {
            versions += view.versions(tenant, *id)?;
        }
    }
    let tokens = identity
        .as_ref()
        .map_or(0, |identity| tokens_of(view, tenant, identity.id));
    Ok(Cover {
        memories,
        identity,
        tokens,
        versions,
    })
}

fn tokens_of(view: &impl View, tenant: TenantId, identity: IdentityId) -> u64 {
    view.directory()
        .tokens(tenant)
        .filter(|token| token.identity == identity)
        .count() as u64
}

/// Starts a purge: an identity is asked about as such, anything else as memories at large.
fn begin<'a>(
    view: &'a impl View,
    context: &'a Context,
    scope: &PurgeScope,
) -> Result<Access<'a>, Refusal> {
    let directory = view.directory();
    let PurgeScope::Subject(id) = scope else {
        let mut access = Access::begin(directory, context, Action::Purge, Resource::System)?;
        access.require()?;
        return Ok(access);
    };
    let mut access = Access::begin(directory, context, Action::Purge, Resource::Identity)?;
    let Some(identity) = directory.identity(context.actor.identity.tenant, *id) else {
        return Err(access.missing("identity", &id.to_string(), "manushyactl identity list"));
    };
    access.require_on(identity)?;
    if let Some(refusal) = not_erasable(view, &access, context, identity) {
        return Err(refusal);
    }
    Ok(access)
}

/// Plans an erasure: counts what would go, and remembers its fingerprint.
///
/// # Errors
///
/// A refusal.
pub fn plan(
    view: &impl View,
    context: &Context,
    command: PlanPurge,
) -> Result<Plan<Arc<PurgePlan>>, Refusal> {
    let mut access = begin(view, context, &command.scope)?;
    let cover = match cover(view, context, &command.scope, command.matched) {
        Ok(cover) => cover,
        Err(error) => return Err(access.broken(error)),
    };
    if cover.memories.len() > limits::PLAN_MEMORIES_MAX {
        let reason = format!("the limit is {} memories", limits::PLAN_MEMORIES_MAX);
        let error = WireError::new(ErrorCode::ResourceExhausted, "the plan is too large")
            .reason(reason)
            .hint("narrow the filter and purge in parts");
        return Err(Refusal::allowed(&access.audit, error));
    }
    refuse_held(view, &access, context, &cover)?;
    let confirm = cover.identity.as_ref().map_or_else(
        || command.id.to_string(),
        |identity| identity.external_id.to_string(),
    );
    let plan = Arc::new(PurgePlan {
        id: command.id,
        tenant: context.actor.identity.tenant,
        planner: context.actor.identity.id,
        scope: command.scope,
        filter_json: command.filter_json,
        confirm,
        memories: cover.memories.len() as u64,
        versions: cover.versions,
        tokens: cover.tokens,
        identities: u64::from(cover.identity.is_some()),
        fingerprint: cover.fingerprint(),
        created_at: context.now,
        expires_at: context.now.plus_seconds(limits::PLAN_TTL_SECONDS),
        state: PlanState::Planned,
    });
    if access.audit.resource_id.is_none() {
        access.audit.resource_id = Some(plan.id.to_bytes());
    }
    let (writes, count) = (vec![Write::PutPlan(plan.clone())], cover.count());
    Ok(access.plan(writes, count, plan))
}

/// Refuses an erasure that a hold is in the way of.
fn refuse_held(
    view: &impl View,
    access: &Access<'_>,
    context: &Context,
    cover: &Cover,
) -> Result<(), Refusal> {
    let tenant = context.actor.identity.tenant;
    let owner = cover.identity.as_ref().map(|identity| identity.id);
    match hold::on_any(view, tenant, &cover.memories, owner) {
        Ok(None) => Ok(()),
        Ok(Some(hold)) => Err(hold::in_the_way(access, &hold)),
        Err(error) => Err(access.broken(error)),
    }
}

/// Finds a plan that can be applied.
///
/// # Errors
///
/// A refusal: unknown, applied already, lapsed, or confirmed with another name.
fn require_plan(
    view: &impl View,
    context: &Context,
    command: &ApplyPurge,
) -> Result<Arc<PurgePlan>, Refusal> {
    let tenant = context.actor.identity.tenant;
    let found = view.directory().plan(tenant, command.plan);
    let Some(plan) = found else {
        let mut access = Access::begin(view.directory(), context, Action::Purge, Resource::System)?;
        access.require()?;
        let id = command.plan.to_string();
        return Err(access.missing("purge plan", &id, "manushyactl purge list"));
    };
    let mut access = begin_known(view, context, plan)?;
    access.audit.resource_id = Some(plan.id.to_bytes());
    if let PlanState::Applied(at) = plan.state {
        let message = format!("plan {} was applied at {at}", plan.id);
        return Err(access.conflict(message, "a plan is applied once", "make a new plan"));
    }
    if plan.expires_at <= context.now {
        let message = format!("plan {} lapsed at {}", plan.id, plan.expires_at);
        return Err(access.conflict(message, "a plan is good for an hour", "make a new plan"));
    }
    if plan.confirm != command.confirm {
        let error = WireError::new(
            ErrorCode::InvalidArgument,
            "the confirmation does not match",
        )
        .reason("it must repeat what the plan erases")
        .hint(format!("--confirm={}", plan.confirm));
        return Err(Refusal::allowed(&access.audit, error));
    }
    Ok(plan.clone())
}

/// Like [`begin`], where the identity of an applied plan may be gone already.
fn begin_known<'a>(
    view: &'a impl View,
    context: &'a Context,
    plan: &PurgePlan,
) -> Result<Access<'a>, Refusal> {
    let gone = matches!(plan.scope, PurgeScope::Subject(id)
        if view.directory().identity(plan.tenant, id).is_none());
    let scope = if gone {
        PurgeScope::Filter
    } else {
        plan.scope.clone()
    };
    begin(view, context, &scope)
}

/// Carries a plan out. If the set is not the one that was planned, nothing is done.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if the set has changed.
pub fn apply(
    view: &impl View,
    context: &Context,
    command: ApplyPurge,
) -> Result<Plan<Purged>, Refusal> {
    let plan = require_plan(view, context, &command)?;
    let mut access = begin(view, context, &plan.scope)?;
    let cover = match cover(view, context, &plan.scope, command.matched) {
        Ok(cover) => cover,
        Err(error) => return Err(access.broken(error)),
    };
    if cover.fingerprint() != plan.fingerprint {
        let message = format!("what plan {} covers has changed", plan.id);
        let reason = format!(
            "planned {} memories, found {}",
            plan.memories,
            cover.memories.len()
        );
        return Err(access.conflict(message, &reason, "make a new plan and look at its counts"));
    }
    refuse_held(view, &access, context, &cover)?;
    let mut writes = erasing(plan.tenant, &cover.memories);
    if let Some(identity) = &cover.identity {
        writes.extend(erasing_writes(view, identity));
        access.audit.resource_id = Some(identity.id.to_bytes());
    } else {
        access.audit.resource_id = Some(plan.id.to_bytes());
    }
    let mut applied = PurgePlan::clone(&plan);
    applied.state = PlanState::Applied(context.now);
    // An applied plan keeps its counts as a record, but neither names nor conditions.
    applied.confirm = plan.id.to_string();
    applied.filter_json.clear();
    writes.push(Write::PutPlan(Arc::new(applied)));
    let receipt = receipt(&plan, &cover, context);
    writes.push(Write::PutErasure(Arc::new(ErasureRecord::Receipt(receipt))));
    let purged = Purged {
        plan: Some(plan.id),
        memories: cover.memories.len() as u64,
        versions: cover.versions,
        tokens: cover.tokens,
        identities: u64::from(cover.identity.is_some()),
        ..Purged::default()
    };
    let count = cover.count();
    Ok(access.plan(writes, count, purged))
}

/// What the receipt can say before the keys are destroyed. It is written with the erasure itself, so
/// that no crash leaves an erasure without one; signing comes behind.
fn receipt(plan: &PurgePlan, cover: &Cover, context: &Context) -> PurgeReceipt {
    PurgeReceipt {
        plan: plan.id,
        tenant: plan.tenant,
        scope: plan.scope.as_str().to_owned(),
        subject: cover.identity.as_ref().map(|identity| identity.id),
        erased: None,
        planned_by: plan.planner,
        planned_at: plan.created_at,
        applied_by: context.actor.identity.id,
        applied_at: context.now,
        request_id: context.request_id,
        memories: cover.memories.len() as u64,
        versions: cover.versions,
        tokens: cover.tokens,
        identities: u64::from(cover.identity.is_some()),
        signed: None,
    }
}

fn erasing(tenant: TenantId, memories: &[(MemoryId, u32)]) -> Vec<Write> {
    memories
        .iter()
        .map(|(id, _)| Write::EraseMemory(tenant, *id))
        .collect()
}

/// Whether the caller may erase what is due, asked before that is looked for.
///
/// # Errors
///
/// A refusal.
pub fn may_sweep(view: &impl View, context: &Context) -> Result<(), Refusal> {
    begin(view, context, &PurgeScope::Expired).map(drop)
}

/// Erases what is due in the context's tenant: expired memories, deleted ones past their retention,
/// and those that a rule of retention ends; drops tokens and plans that ended long ago.
///
/// # Errors
///
/// A refusal.
pub fn sweep(view: &impl View, context: &Context, command: Sweep) -> Result<Plan<Purged>, Refusal> {
    let access = begin(view, context, &PurgeScope::Expired)?;
    let tenant = context.actor.identity.tenant;
    let memories = match hold::free_and_due(view, context, &command.found, command.limit) {
        Ok(memories) => memories,
        Err(error) => return Err(access.broken(error)),
    };
    let directory = view.directory();
    let mut writes = erasing(tenant, &memories);
    writes.extend(ended(directory, context));
    let purged = Purged {
        memories: memories.len() as u64,
        ..Purged::default()
    };
    let count = purged.memories;
    Ok(access.plan(writes, count, purged))
}

/// Drops the tokens and plans of the context's tenant that ended more than a week ago.
fn ended(directory: &Directory, context: &Context) -> impl Iterator<Item = Write> {
    let tenant = context.actor.identity.tenant;
    let long_ago = context.now.plus_millis(-7 * 86_400_000);
    let tokens = directory
        .tokens(tenant)
        .filter(move |token| token.expires_at < long_ago)
        .map(move |token| Write::DropToken(tenant, token.id));
    let lapsed = move |plan: &&Arc<PurgePlan>| {
        plan.state == PlanState::Planned && plan.expires_at < long_ago
    };
    let plans = directory.plans(tenant).filter(lapsed);
    let approvals = directory
        .approvals(tenant)
        .filter(move |approval| approval.expires_at < long_ago)
        .map(move |approval| Write::DropApproval(tenant, approval.id));
    tokens
        .chain(plans.map(move |plan| Write::DropPlan(tenant, plan.id)))
        .chain(approvals)
}

/// Whether the sweeper has anything to do, so that an idle daemon writes no entries.
///
/// # Errors
///
/// [`ViewError`] if the store cannot be read.
pub fn is_due(view: &impl View, context: &Context, found: &[MemoryId]) -> Result<bool, ViewError> {
    let memories = hold::free_and_due(view, context, found, 1)?;
    Ok(!memories.is_empty() || ended(view.directory(), context).next().is_some())
}
