//! Planned erasure, and the sweeping of what is due.

use std::sync::Arc;

use manushya_core::command::{ApplyPurge, Context, PlanPurge, Sweep};
use manushya_core::decide;
use manushya_core::decide::access::{Access, draft};
use manushya_core::decide::receipt::{Unplanned, unplanned};
use manushya_core::model::{Action, Outcome, PurgeScope, Resource};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{MemoryId, PlanId};
use manushya_protocol::limits;
use manushya_protocol::v1::common::Listed;
use manushya_protocol::v1::memory::MemoryFilter;
use manushya_protocol::v1::purge::{
    PlanView, PurgeApply, PurgeList, PurgePlanCreate, PurgeRun, Purged,
};

use super::permit::{Choice, Permission};
use super::receipt::Known;
use super::view::ReadView;
use super::writer::Receipt;
use super::{Service, convert, page, unreadable};

/// How many memories one sweep erases in one transaction.
const SWEEP_MEMORIES: usize = 2048;

impl Service {
    /// Plans an erasure.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn purge_plan(
        &self,
        context: Context,
        request: PurgePlanCreate,
    ) -> Result<PlanView, WireError> {
        let given = usize::from(request.subject.is_some())
            + usize::from(request.filter.is_some())
            + usize::from(request.expired)
            + usize::from(!request.memories.is_empty());
        if given != 1 {
            let message = "give exactly one of a subject, a filter, memories and expired";
            return Err(WireError::new(ErrorCode::InvalidArgument, message)
                .hint("manushyactl purge plan --subject agent-a"));
        }
        let mut filter_json = String::new();
        let mut matched = Vec::new();
        let scope = match (&request.subject, &request.filter) {
            _ if !request.memories.is_empty() => {
                if request.memories.len() > limits::BATCH_ITEMS_MAX {
                    let message =
                        format!("a plan names at most {} memories", limits::BATCH_ITEMS_MAX);
                    return Err(WireError::new(ErrorCode::InvalidArgument, message)
                        .hint("select them with a filter, or make several plans"));
                }
                filter_json = serde_json::to_string(&request.memories).map_err(|error| {
                    WireError::new(ErrorCode::InvalidArgument, "the ids are not valid")
                        .reason(error.to_string())
                })?;
                matched = self.named(&context, &request.memories)?;
                PurgeScope::Records
            }
            (Some(reference), _) => {
                let subject = self.subject(&context, reference).await?;
                PurgeScope::Subject(subject)
            }
            (None, Some(filter)) => {
                filter_json = serde_json::to_string(filter).map_err(|error| {
                    WireError::new(ErrorCode::InvalidArgument, "the filter is not valid")
                        .reason(error.to_string())
                })?;
                matched = self.matched(&context, filter)?;
                PurgeScope::Filter
            }
            (None, None) => {
                self.may_sweep(&context).await?;
                matched = self.ended(&context)?;
                PurgeScope::Expired
            }
        };
        let now = context.now;
        let command = PlanPurge {
            id: self.new_plan_id(),
            scope,
            filter_json,
            matched,
        };
        let fallback = draft(&context, Action::Purge, Resource::System);
        let plan = self
            .change(fallback, move |txn| {
                decide::purge::plan(txn, &context, command)
            })
            .await?;
        Ok(convert::plan(&plan, now))
    }

    /// What rules of retention end, for a plan, which looks at the versions itself.
    fn ended(&self, context: &Context) -> Result<Vec<(MemoryId, u32)>, WireError> {
        let found = self.past_time(context, limits::PLAN_MEMORIES_MAX + 1)?;
        Ok(found.into_iter().map(|id| (id, 0)).collect())
    }

    /// Finds the subject of a purge, for those who may purge it.
    async fn subject(
        &self,
        context: &Context,
        reference: &str,
    ) -> Result<manushya_protocol::id::IdentityId, WireError> {
        let refusal = {
            let view = self.view()?;
            let found = decide::identity::require(
                &view,
                context,
                Action::Purge,
                Resource::Identity,
                reference,
            );
            match found {
                Ok((_, identity)) => return Ok(identity.id),
                Err(refusal) => refusal,
            }
        };
        self.audit_durably(*refusal.audit).await?;
        Err(refusal.error)
    }

    /// What a filter selects of what the caller may purge, deleted memories included, in order.
    fn matched(
        &self,
        context: &Context,
        filter: &MemoryFilter,
    ) -> Result<Vec<(MemoryId, u32)>, WireError> {
        let view = self.view()?;
        let directory = view.directory();
        let tenant = context.actor.identity.tenant;
        let permission = Permission::new(directory, context, Action::Purge);
        let choice = Choice::of(directory, context, filter)?;
        let chosen =
            permission.select(directory, context, filter, &self.indexes, None, usize::MAX)?;
        let deleted = view
            .snapshot
            .deleted(tenant)
            .map_err(|error| unreadable(&error))?;
        let held = view
            .snapshot
            .held(tenant)
            .map_err(|error| unreadable(&error))?;
        let mut matched = Vec::new();
        for id in chosen.ids.into_iter().chain(deleted).chain(held) {
            let found = view
                .memory(tenant, id)
                .map_err(|error| unreadable(&error))?;
            matched.extend(
                found
                    .filter(|memory| {
                        permission.admits(memory, context.now)
                            && permission.means(&choice, memory, context.now)
                    })
                    .map(|memory| (memory.id, memory.version)),
            );
        }
        matched.sort_unstable();
        matched.dedup();
        Ok(matched)
    }

    /// Which of these memories the caller may purge, with their versions, in order.
    fn named(
        &self,
        context: &Context,
        ids: &[MemoryId],
    ) -> Result<Vec<(MemoryId, u32)>, WireError> {
        let view = self.view()?;
        let permission = Permission::new(view.directory(), context, Action::Purge);
        let mut matched = Vec::with_capacity(ids.len());
        for id in ids {
            let found = view
                .memory(context.actor.identity.tenant, *id)
                .map_err(|error| unreadable(&error))?
                .filter(|memory| permission.admits(memory, context.now));
            matched.extend(found.map(|memory| (memory.id, memory.version)));
        }
        matched.sort_unstable();
        matched.dedup();
        Ok(matched)
    }

    /// Carries a plan out.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn purge_apply(
        self: Arc<Self>,
        context: Context,
        request: PurgeApply,
    ) -> Result<Purged, WireError> {
        let tenant = context.actor.identity.tenant;
        let plan = self
            .writer
            .published()
            .directory
            .plan(tenant, request.plan)
            .cloned();
        let matched = match plan {
            Some(plan) if plan.scope == PurgeScope::Filter && !plan.filter_json.is_empty() => {
                let filter = serde_json::from_str(&plan.filter_json).map_err(|error| {
                    WireError::new(ErrorCode::Internal, "the plan's filter does not read")
                        .reason(error.to_string())
                })?;
                self.matched(&context, &filter)?
            }
            Some(plan) if plan.scope == PurgeScope::Records && !plan.filter_json.is_empty() => {
                let ids: Vec<MemoryId> =
                    serde_json::from_str(&plan.filter_json).map_err(|error| {
                        WireError::new(ErrorCode::Internal, "the plan's ids do not read")
                            .reason(error.to_string())
                    })?;
                self.named(&context, &ids)?
            }
            Some(plan) if plan.scope == PurgeScope::Expired => {
                self.may_sweep(&context).await?;
                self.ended(&context)?
            }
            _ => Vec::new(),
        };
        let command = ApplyPurge {
            plan: request.plan,
            confirm: request.confirm,
            matched,
        };
        let fallback = draft(&context, Action::Purge, Resource::System);
        let by = context.clone();
        let (mut purged, receipt) = self
            .writer
            .run(fallback, move |txn| {
                decide::purge::apply(txn, &context, command)
            })
            .await?;
        purged.audit_seq = receipt.seq.0;
        purged.keys_destroyed = receipt.keys_destroyed;
        if by.dry_run {
            return Ok(purged);
        }
        self.sign_now(&by, request.plan, receipt, &mut purged).await;
        Ok(purged)
    }

    /// Signs the receipt of what was just erased. All of it is, whatever becomes of the receipt.
    pub(super) async fn sign_now(
        self: &Arc<Self>,
        by: &Context,
        id: PlanId,
        done: Receipt,
        purged: &mut Purged,
    ) {
        let known = Known {
            seq: Some(done.seq),
            keys: Some(done.keys_destroyed),
        };
        match self.signed_receipt(by, id, known, Action::Purge).await {
            Ok(signed) => purged.receipt = Some(signed.plan),
            Err(error) => {
                let reason = error.reason.unwrap_or_default();
                purged.warning = Some(format!("{}: {reason}", error.message));
            }
        }
    }

    /// Lists plans, newest first.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn purge_list(
        &self,
        context: Context,
        request: PurgeList,
    ) -> Result<Listed<PlanView>, WireError> {
        page::limit(&request.page)?;
        self.read(&context, |view: &ReadView, context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Read, Resource::System)?;
            access.require()?;
            let mut plans: Vec<PlanView> = directory
                .plans(context.actor.identity.tenant)
                .map(|plan| convert::plan(plan, context.now))
                .collect();
            let receipts = directory.erasures().receipts(context.actor.identity.tenant);
            plans.extend(receipts.filter_map(convert::unplanned));
            plans.sort_unstable_by_key(|plan| std::cmp::Reverse(plan.id));
            // Cursors ascend while ids fall.
            let place = |plan: &PlanView| {
                PlanId::from_bytes(plan.id.to_bytes().map(|byte| !byte)).to_string()
            };
            let listed = page::cut(plans.into_iter(), &request.page, place, Clone::clone);
            let count = listed
                .as_ref()
                .map_or(0, |listed| listed.items.len() as u64);
            Ok(access.plan(Vec::new(), count, listed))
        })
        .await?
    }

    /// Sweeps what is due in the caller's tenant.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said; `CONFLICT` while nothing is erased by the clock.
    pub async fn purge_run(
        self: Arc<Self>,
        mut context: Context,
        _: PurgeRun,
    ) -> Result<Purged, WireError> {
        // What was shown may be ahead of the machine's clock. Nothing is erased by that.
        context.now = context.now.min(self.ports.clock.wall());
        self.may_sweep(&context).await?;
        if context.dry_run {
            let due = self.due_by_why(&context)?;
            let (purged, _) = self.sweep_tenant(context).await?;
            return Ok(Purged { due, ..purged });
        }
        if self.ports.clock.erasing().is_none() {
            let error = WireError::new(ErrorCode::Conflict, "nothing is erased by the clock now")
                .reason("the machine's clock was set ahead less than a day ago")
                .hint("look at the time; what is to go all the same: manushyactl purge plan");
            let mut entry = draft(&context, Action::Purge, Resource::System);
            entry.outcome = Outcome::Error(error.code);
            self.audit_durably(entry).await?;
            return Err(error);
        }
        let (mut purged, receipts) = self.sweep_tenant(context.clone()).await?;
        for (id, done) in receipts {
            self.sign_now(&context, id, done, &mut purged).await;
        }
        Ok(purged)
    }

    /// Checks that the caller may erase what is due: for who may not, nothing is looked for, and the clock
    /// is nobody's business.
    async fn may_sweep(&self, context: &Context) -> Result<(), WireError> {
        let refusal = {
            let view = self.view()?;
            match decide::purge::may_sweep(&view, context) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            }
        };
        self.audit_durably(*refusal.audit).await?;
        Err(refusal.error)
    }

    /// Erases what is due at the context's time, in as many transactions as it takes. Each that erases
    /// memories has a receipt, which waits to be signed.
    async fn sweep_tenant(
        &self,
        mut context: Context,
    ) -> Result<(Purged, Vec<(PlanId, Receipt)>), WireError> {
        let mut receipts = Vec::new();
        let mut total = Purged::default();
        let limit = match context.dry_run {
            true => limits::PLAN_MEMORIES_MAX,
            false => SWEEP_MEMORIES,
        };
        loop {
            let found = self.past_time(&context, limit)?;
            let by = context.clone();
            let (dry_run, id) = (context.dry_run, self.new_plan_id());
            // By its request a receipt finds its entry.
            context.request_id = self.new_request_id();
            let fallback = draft(&by, Action::Purge, Resource::System);
            let command = Sweep { found, limit };
            let (purged, receipt) = self
                .writer
                .run(fallback, move |txn| {
                    let plan = decide::purge::sweep(txn, &by, command)?;
                    unplanned(txn, &by, id, Unplanned::Sweep, plan)
                })
                .await?;
            if purged.memories > 0 && !dry_run {
                receipts.push((id, receipt));
            }
            total.memories += purged.memories;
            total.keys_destroyed += receipt.keys_destroyed;
            total.audit_seq = receipt.seq.0;
            if dry_run || (purged.memories as usize) < limit {
                return Ok((total, receipts));
            }
        }
    }

    /// Sweeps every tenant in which something is due. The daemon does this by the clock.
    ///
    /// # Errors
    ///
    /// What the writer said.
    pub async fn sweep(&self) -> Result<u64, WireError> {
        let Some(now) = self.ports.clock.erasing() else {
            return Ok(0);
        };
        let directory = self.writer.published().directory.clone();
        let mut swept = 0;
        for tenant in directory.tenants() {
            let Some(operator) = directory.identity(tenant.id, tenant.operator) else {
                continue;
            };
            let context = Context {
                now,
                ..self.daemon_context(operator)
            };
            let due = {
                let found = self.past_time(&context, 1)?;
                let view = self.view()?;
                decide::purge::is_due(&view, &context, &found)
                    .map_err(|error| unreadable(&error))?
            };
            if due {
                let (purged, _) = self.sweep_tenant(context).await?;
                swept += purged.memories;
            }
        }
        Ok(swept)
    }
}
