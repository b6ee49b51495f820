//! A draft that runs beside the live policies.

use std::collections::VecDeque;
use std::sync::Arc;

use manushya_core::command::Context;
use manushya_core::decide;
use manushya_core::decide::Refusal;
use manushya_core::decide::access::{Access, draft};
use manushya_core::directory::Directory;
use manushya_core::model::{Action, PolicyDraft, Resource};
use manushya_core::view::View;
use manushya_protocol::error::WireError;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::review::{PolicyShadowSet, ShadowStatus};

use super::policy_review::begin;
use super::policy_simulate::{ENTRIES_MAX, first_since};
use super::view::ReadView;
use super::{Service, convert, unreadable};
use crate::store::StoreError;

/// How many entries are named that the draft would have decided otherwise.
const EXAMPLES_MAX: usize = 10;

impl Service {
    /// Lets a draft run beside the live policies, in place of the one before, or stops it.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn policy_shadow_set(
        &self,
        context: Context,
        request: PolicyShadowSet,
    ) -> Result<ShadowStatus, WireError> {
        let fallback = draft(&context, Action::Manage, Resource::Policy);
        let set = self
            .change(fallback, move |txn| {
                decide::policy::shadow(txn, &context, &request.policies)
            })
            .await?;
        Ok(shown(&self.writer.published().directory, set.as_ref()))
    }

    /// Says what runs beside the live policies, and what it would have said. Who asks must read
    /// policies and the audit log.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn policy_shadow_status(&self, context: Context) -> Result<ShadowStatus, WireError> {
        self.read_apart(context, |view, context| {
            let access = begin(view, context)?;
            let directory = view.directory();
            let (read, audit) = (Action::Read, Resource::Audit);
            Access::begin(directory, context, read, audit)?.require()?;
            let set = directory.draft(context.actor.identity.tenant);
            let mut shown = shown(directory, set);
            if let Some(draft) = set {
                count(view, draft, &mut shown)
                    .map_err(|error| Refusal::allowed(&access.audit, unreadable(&error)))?;
            }
            Ok(access.plan(Vec::new(), shown.policies.len() as u64, shown))
        })
        .await
    }
}

fn shown(directory: &Directory, set: Option<&Arc<PolicyDraft>>) -> ShadowStatus {
    ShadowStatus {
        running: set.is_some(),
        policies: set
            .iter()
            .flat_map(|set| &set.policies)
            .map(convert::policy)
            .collect(),
        by: set.map(|set| {
            let by = directory.identity(set.tenant, set.by);
            by.map_or_else(|| set.by.to_string(), |by| by.external_id.to_string())
        }),
        since: set.map(|set| set.at),
        same: 0,
        different: 0,
        examples: Vec::new(),
        not_read: 0,
    }
}

/// Counts what the draft would have said, as the entries tell.
fn count(
    view: &ReadView,
    draft: &PolicyDraft,
    status: &mut ShadowStatus,
) -> Result<(), StoreError> {
    let len = view.snapshot.audit_len()?;
    let start = first_since(view, draft.at, len)?;
    let from = start.max(len.saturating_sub(ENTRIES_MAX) + 1);
    status.not_read = from - start;
    let mut examples = VecDeque::new();
    view.each_entry((AuditSeq(from), AuditSeq(len)), |entry, _| {
        if entry.draft.tenant != Some(draft.tenant) || entry.draft.time < draft.at {
            return Ok(true);
        }
        let said = entry.draft.extensions.shadows();
        match said.first() {
            None => {}
            Some(said) if said.decision == entry.draft.decision => status.same += 1,
            Some(_) => {
                status.different += 1;
                if examples.len() == EXAMPLES_MAX {
                    examples.pop_front();
                }
                examples.push_back(entry.seq);
            }
        }
        Ok(true)
    })?;
    status.examples = examples.into();
    Ok(())
}
