//! Replaying the audit log against a draft of the policies.

use manushya_core::audit::canonical;
use manushya_core::command::Context;
use manushya_core::decide;
use manushya_core::decide::Refusal;
use manushya_core::decide::access::Access;
use manushya_core::decide::replay::{Outcomes, Replay};
use manushya_core::directory::Directory;
use manushya_core::model::{Action, Resource};
use manushya_core::plan::Plan;
use manushya_core::policy::PolicySet;
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::{AuditSeq, UnixMillis};
use manushya_protocol::v1::review::{ChangedDecision, PolicySimulate, ReasonCount, Simulated};
use tokio::sync::Semaphore;

use super::policy_review::begin;
use super::view::ReadView;
use super::{Service, unreadable};
use crate::store::StoreError;

/// How many entries are replayed at the most, the newest.
pub(super) const ENTRIES_MAX: u64 = 500_000;
/// How many kinds of change are shown.
const CHANGES_MAX: usize = 1000;
/// Entries stand in the order they were written, and their times may be this far from it.
const DISORDER_MS: i64 = 600_000;

/// Long questions are answered one at a time, so that they never take more than one core.
static ONE: Semaphore = Semaphore::const_new(1);

impl Service {
    /// Decides a read that may take seconds beside the threads that serve others, and sees to its
    /// audit entry.
    pub(super) async fn read_apart<R: Send + 'static>(
        &self,
        context: Context,
        decide: impl FnOnce(&ReadView, &Context) -> Result<Plan<R>, Refusal> + Send + 'static,
    ) -> Result<R, WireError> {
        let lost = || WireError::new(ErrorCode::Internal, "the question was not answered");
        let permit = ONE.acquire().await.map_err(|_| lost())?;
        let view = self.view()?;
        let decided = tokio::task::spawn_blocking(move || {
            let decided = decide(&view, &context);
            drop(permit);
            decided
        });
        match decided.await.map_err(|_| lost())? {
            Ok(plan) => {
                self.note_read(plan.audit).await?;
                Ok(plan.reply)
            }
            Err(refusal) => {
                self.audit_durably(*refusal.audit).await?;
                Err(refusal.error)
            }
        }
    }

    /// Decides the past anew under a draft. Who asks must read policies and the audit log.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for a draft that cannot be applied, or what the deciding said.
    pub async fn policy_simulate(
        &self,
        context: Context,
        request: PolicySimulate,
    ) -> Result<Simulated, WireError> {
        if request.policies.is_empty() {
            let message = "there is no policy to simulate";
            return Err(WireError::new(ErrorCode::InvalidArgument, message));
        }
        self.read_apart(context, move |view, context| {
            let access = begin(view, context)?;
            let directory = view.directory();
            let (read, audit) = (Action::Read, Resource::Audit);
            Access::begin(directory, context, read, audit)?.require()?;
            let drafted = decide::policy::drafted(directory, context, &request.policies)
                .map_err(|error| Refusal::allowed(&access.audit, error))?;
            let simulated = simulate(view, context, &request, &PolicySet::build(drafted))
                .map_err(|error| Refusal::allowed(&access.audit, unreadable(&error)))?;
            Ok(access.plan(Vec::new(), simulated.changed_total, simulated))
        })
        .await
    }
}

fn simulate(
    view: &ReadView,
    context: &Context,
    request: &PolicySimulate,
    draft: &PolicySet,
) -> Result<Simulated, StoreError> {
    let directory = view.directory();
    let tenant = context.actor.identity.tenant;
    let live = directory.policy_set(tenant);
    let until = request.until.unwrap_or(context.now);
    let mut replay = Replay::new(directory, tenant, &live, draft);
    let len = view.snapshot.audit_len()?;
    let start = first_since(view, request.since, len)?;
    let from = start.max(len.saturating_sub(ENTRIES_MAX) + 1);
    view.each_entry((AuditSeq(from), AuditSeq(len)), |entry, _| {
        let time = entry.draft.time;
        let meant = entry.draft.tenant == Some(tenant)
            && time >= request.since
            && (request.until.is_none() || time < until);
        if meant {
            replay.take(entry, |id| view.snapshot.memory(tenant, id))?;
        }
        Ok(true)
    })?;
    let told = tell(directory, context, replay.finish());
    Ok(Simulated {
        not_read: from - start,
        since: request.since,
        until,
        ..told
    })
}

/// The sequence of the first entry that may be at or after `since`.
pub(super) fn first_since(view: &ReadView, since: UnixMillis, len: u64) -> Result<u64, StoreError> {
    let bound = since.0.saturating_sub(DISORDER_MS);
    let (mut low, mut high) = (1, len + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let bytes = view.snapshot.audit_one(AuditSeq(middle))?;
        let entry = bytes.and_then(|bytes| canonical::decode(&bytes).ok());
        // What does not decode is not skipped over.
        if entry.is_some_and(|entry| entry.draft.time.0 < bound) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn tell(directory: &Directory, context: &Context, outcomes: Outcomes) -> Simulated {
    let tenant = context.actor.identity.tenant;
    let name = |id| {
        let identity = directory.identity(tenant, id);
        identity.map_or_else(|| id.to_string(), |found| found.external_id.to_string())
    };
    let changed_total = outcomes.changed.values().map(|changed| changed.count).sum();
    let mut changed: Vec<ChangedDecision> = outcomes
        .changed
        .into_iter()
        .map(|(change, changed)| ChangedDecision {
            actor: name(change.actor),
            action: change.action.as_str().to_owned(),
            resource: change.resource.as_str().to_owned(),
            from: change.from.to_owned(),
            to: change.to.to_owned(),
            policy: changed.policy,
            count: changed.count,
            examples: changed.examples,
        })
        .collect();
    changed.sort_by_key(|changed| std::cmp::Reverse(changed.count));
    changed.truncate(CHANGES_MAX);
    Simulated {
        changed,
        changed_total,
        unchanged: outcomes.unchanged,
        unreplayable: outcomes.unreplayable.values().sum(),
        unreplayable_because: outcomes
            .unreplayable
            .into_iter()
            .map(|(reason, count)| ReasonCount {
                reason: reason.to_owned(),
                count,
            })
            .collect(),
        not_read: 0,
        since: context.now,
        until: context.now,
    }
}
