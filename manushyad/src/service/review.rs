//! Memories that are held back until they are reviewed, and canaries.

use manushya_core::command::{Context, ReviewMemory, SetCanary};
use manushya_core::decide;
use manushya_core::decide::Refusal;
use manushya_core::decide::access::{Access, draft};
use manushya_core::model::{Action, AlertKind, Decision, Memory, Resource};
use manushya_core::view::View;
use manushya_protocol::error::WireError;
use manushya_protocol::id::MemoryId;
use manushya_protocol::v1::common::{Listed, Page};
use manushya_protocol::v1::memory::MemoryView;
use manushya_protocol::v1::provenance::{
    MemoryCanary, MemoryCanaryList, MemoryReview, MemoryReviewList,
};

use super::permit::{Permission, shown_as};
use super::view::ReadView;
use super::{Service, page, unreadable};

/// Memories, if they could be read, and which of them are meant.
type Found<F> = (Result<Vec<MemoryId>, WireError>, F);

impl Service {
    /// Lists the memories that are held back: all that the caller may manage, and its own.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn memory_review_list(
        &self,
        context: Context,
        request: MemoryReviewList,
    ) -> Result<Listed<MemoryView>, WireError> {
        let own = context.actor.identity.id;
        self.managed(&context, &request.page, |view, context| {
            let held = view.snapshot.held(context.actor.identity.tenant);
            let is_meant = move |memory: &Memory| (memory.quarantined, memory.owner == own);
            Ok((held.map_err(|error| unreadable(&error)), is_meant))
        })
        .await
    }

    /// Lists the canaries that the caller may manage.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn memory_canary_list(
        &self,
        context: Context,
        request: MemoryCanaryList,
    ) -> Result<Listed<MemoryView>, WireError> {
        self.managed(&context, &request.page, |view, context| {
            decide::review::require_manager(view.directory(), context)?;
            let mut canaries = self.indexes.of(context.actor.identity.tenant).canaries();
            canaries.sort_unstable();
            Ok((Ok(canaries), |memory: &Memory| (memory.canary, false)))
        })
        .await
    }

    /// Lists those live memories of `find` that the caller may manage. What `find` gives beside the
    /// ids says of a memory whether it is meant at all, and whether it is shown without being asked
    /// about.
    async fn managed<F>(
        &self,
        context: &Context,
        page: &Page,
        find: impl FnOnce(&ReadView, &Context) -> Result<Found<F>, Refusal>,
    ) -> Result<Listed<MemoryView>, WireError>
    where
        F: Fn(&Memory) -> (bool, bool),
    {
        page::limit(page)?;
        self.read(context, |view, context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Manage, Resource::Memory)?;
            access.audit.decision = Decision::Allow;
            let permission = Permission::new(directory, context, Action::Manage);
            let (found, is_meant) = find(view, context)?;
            let listed = found.and_then(|ids| {
                let tenant = context.actor.identity.tenant;
                let mut shown = Vec::new();
                for id in ids {
                    let found = view.memory(tenant, id);
                    let memory = found.map_err(|error| unreadable(&error))?;
                    shown.extend(memory.filter(|memory| {
                        let (meant, free) = is_meant(memory);
                        let may = free || permission.admits(memory, context.now);
                        meant && may && memory.is_live(context.now)
                    }));
                }
                page::cut(
                    shown.into_iter(),
                    page,
                    |memory| memory.id.to_string(),
                    |memory| permission.show(directory, memory.clone(), context.now),
                )
            });
            let count = listed
                .as_ref()
                .map_or(0, |listed| listed.items.len() as u64);
            Ok(access.plan(Vec::new(), count, listed))
        })
        .await?
    }

    /// Approves a memory that is held back, or deletes it.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn memory_review(
        &self,
        context: Context,
        request: MemoryReview,
    ) -> Result<MemoryView, WireError> {
        let command = ReviewMemory {
            id: request.id,
            if_version: request.if_version,
            approve: request.approve,
        };
        let fallback = draft(&context, Action::Manage, Resource::Memory);
        let shown = self.change(fallback, move |txn| {
            let plan = decide::review::review(txn, &context, command)?;
            Ok(shown_as(txn.directory(), &context, Action::Manage, plan))
        });
        Ok(shown.await?.0)
    }

    /// Makes a memory a canary, or none.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn memory_canary(
        &self,
        context: Context,
        request: MemoryCanary,
    ) -> Result<MemoryView, WireError> {
        let command = SetCanary {
            id: request.id,
            canary: request.canary,
        };
        let fallback = draft(&context, Action::Manage, Resource::Memory);
        let shown = self.change(fallback, move |txn| {
            let plan = decide::review::set_canary(txn, &context, command)?;
            Ok(shown_as(txn.directory(), &context, Action::Manage, plan))
        });
        Ok(shown.await?.0)
    }

    /// Raises an alert for each canary that an answer holds: an entry of its own, on disk before the
    /// answer leaves, however reads are audited otherwise.
    ///
    /// # Errors
    ///
    /// What the writer said; then the answer must not leave.
    pub(crate) async fn alarm(
        &self,
        context: &Context,
        action: Action,
        canaries: impl IntoIterator<Item = MemoryId>,
    ) -> Result<(), WireError> {
        for id in canaries {
            let mut alert = draft(context, action, Resource::Memory);
            alert.resource_id = Some(id.to_bytes());
            alert.decision = Decision::Allow;
            alert.extensions.set_alert(AlertKind::CanaryRead);
            tracing::warn!(memory_id = %id, "A canary was read.");
            self.audit_durably(alert).await?;
        }
        Ok(())
    }
}
