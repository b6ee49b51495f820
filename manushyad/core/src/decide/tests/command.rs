//! Every command as one type, so that a test can take any of them.

use std::sync::Arc;

use manushya_protocol::id::{MemoryId, TenantId};
use manushya_protocol::v1::purge::Purged;

use super::world::Model;
use crate::command::{
    AddMemory, ApplyPolicies, ApplyPurge, ChangePolicy, Context, CreateIdentity, CreateTenant,
    DeleteMemory, IssueToken, PlanPurge, ReviewMemory, RevokeToken, SetCanary, UpdateIdentity,
    UpdateMemory,
};
use crate::decide::identity::Credentials;
use crate::decide::memory::Added;
use crate::decide::policy::Applied;
use crate::decide::{Access, Refusal, identity, memory, policy, purge, review, tenant, token};
use crate::model::TenantName;
use crate::model::{Action, AuditDraft, Identity, Memory, Policy, PurgePlan, Resource, Tenant};
use crate::plan::{Plan, Write};

/// A command, or a question that is asked in the same way.
#[derive(Clone, Debug)]
pub enum Command {
    CreateTenant(CreateTenant),
    DeleteTenant(TenantName),
    Host(Action),
    CreateIdentity(CreateIdentity),
    UpdateIdentity(UpdateIdentity),
    DeleteIdentity(String),
    ReadIdentity(Resource, String),
    IssueToken(IssueToken),
    RevokeToken(RevokeToken),
    AddMemory(AddMemory),
    ReadMemory(MemoryId),
    UpdateMemory(UpdateMemory),
    DeleteMemory(DeleteMemory),
    RestoreMemory(MemoryId),
    ReviewMemory(ReviewMemory),
    SetCanary(SetCanary),
    ApplyPolicies(ApplyPolicies),
    ChangePolicy(ChangePolicy),
    AtLarge(Action, Resource),
    PlanPurge(PlanPurge),
    ApplyPurge(ApplyPurge),
    Sweep(usize),
}

/// What a command answers.
#[derive(Clone, Debug)]
pub enum Reply {
    Asked,
    Tenant(Arc<Tenant>),
    TenantGone(TenantId, Purged),
    Credentials(Credentials),
    Identity(Arc<Identity>),
    Revoked(u64),
    Added(Added),
    Memory(Box<Memory>),
    MemoryGone(MemoryId),
    Policies(Vec<Applied>),
    Policy(Arc<Policy>),
    Plan(Arc<PurgePlan>),
    Purged(Purged),
}

/// A plan of any command.
#[derive(Clone, Debug)]
pub struct Done {
    pub writes: Vec<Write>,
    pub audit: AuditDraft,
    pub reply: Reply,
}

fn done<R>(plan: Plan<R>, reply: impl FnOnce(R) -> Reply) -> Done {
    Done {
        writes: plan.writes,
        audit: plan.audit,
        reply: reply(plan.reply),
    }
}

fn asked(access: Access<'_>) -> Done {
    done(access.plan(Vec::new(), 1, ()), |()| Reply::Asked)
}

impl Command {
    pub fn decide(&self, view: &Model, context: &Context) -> Result<Done, Refusal> {
        match self.clone() {
            Self::CreateTenant(it) => {
                tenant::create(view, context, it).map(|plan| done(plan, Reply::Tenant))
            }
            Self::DeleteTenant(name) => tenant::delete(view, context, &name)
                .map(|plan| done(plan, |(id, purged)| Reply::TenantGone(id, purged))),
            Self::Host(action) => tenant::require_operator(view, context, action).map(asked),
            Self::AtLarge(action, resource) => {
                let mut access = Access::begin(&view.directory, context, action, resource)?;
                access.require()?;
                Ok(asked(access))
            }
            Self::IssueToken(it) => {
                token::issue(view, context, it).map(|plan| done(plan, Reply::Credentials))
            }
            Self::RevokeToken(it) => {
                token::revoke(view, context, &it).map(|plan| done(plan, Reply::Revoked))
            }
            Self::ApplyPolicies(it) => {
                policy::apply(view, context, it).map(|plan| done(plan, Reply::Policies))
            }
            Self::ChangePolicy(it) => {
                policy::change(view, context, &it).map(|plan| done(plan, Reply::Policy))
            }
            Self::PlanPurge(it) => {
                purge::plan(view, context, it).map(|plan| done(plan, Reply::Plan))
            }
            Self::ApplyPurge(it) => {
                purge::apply(view, context, it).map(|plan| done(plan, Reply::Purged))
            }
            Self::Sweep(limit) => {
                let found = Vec::new();
                let sweep = crate::command::Sweep { found, limit };
                purge::sweep(view, context, sweep).map(|plan| done(plan, Reply::Purged))
            }
            _ => self
                .decide_identity(view, context)
                .unwrap_or_else(|| self.decide_memory(view, context)),
        }
    }

    fn decide_identity(&self, view: &Model, context: &Context) -> Option<Result<Done, Refusal>> {
        Some(match self.clone() {
            Self::CreateIdentity(it) => {
                identity::create(view, context, it).map(|plan| done(plan, Reply::Credentials))
            }
            Self::UpdateIdentity(it) => {
                identity::update(view, context, it).map(|plan| done(plan, Reply::Identity))
            }
            Self::DeleteIdentity(it) => {
                identity::delete(view, context, &it).map(|plan| done(plan, Reply::Identity))
            }
            Self::ReadIdentity(resource, reference) => {
                identity::require(view, context, Action::Read, resource, &reference)
                    .map(|(access, _)| asked(access))
            }
            _ => return None,
        })
    }

    fn decide_memory(&self, view: &Model, context: &Context) -> Result<Done, Refusal> {
        match self.clone() {
            Self::AddMemory(it) => {
                memory::add(view, context, it).map(|plan| done(plan, Reply::Added))
            }
            Self::UpdateMemory(it) => memory::update(view, context, it)
                .map(|plan| done(plan, |it| Reply::Memory(Box::new(it)))),
            Self::DeleteMemory(it) => {
                memory::delete(view, context, it).map(|plan| done(plan, Reply::MemoryGone))
            }
            Self::RestoreMemory(it) => memory::restore(view, context, it)
                .map(|plan| done(plan, |it| Reply::Memory(Box::new(it)))),
            Self::ReviewMemory(it) => review::review(view, context, it)
                .map(|plan| done(plan, |it| Reply::Memory(Box::new(it)))),
            Self::SetCanary(it) => review::set_canary(view, context, it)
                .map(|plan| done(plan, |it| Reply::Memory(Box::new(it)))),
            Self::ReadMemory(id) => {
                // As the daemon reads: asked about the memory first, then whether it can be seen.
                let resource = Resource::Memory;
                let mut access = Access::begin(&view.directory, context, Action::Read, resource)?;
                let memory = access.require_memory(view, id)?;
                if memory.is_live(context.now) {
                    Ok(asked(access))
                } else {
                    Err(access.not_found(id))
                }
            }
            other => unreachable!("{other:?} is decided above"),
        }
    }
}
