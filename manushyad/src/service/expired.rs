//! Memories that are expired and not erased yet.

use manushya_core::command::Context;
use manushya_core::model::Action;
use manushya_core::view::View as _;
use manushya_protocol::error::WireError;
use manushya_protocol::id::MemoryId;
use manushya_protocol::v1::common::Listed;
use manushya_protocol::v1::memory::{MemoryFilter, MemoryView};

use super::memory::Filling;
use super::permit::{Choice, Permission};
use super::view::ReadView;
use super::{Service, unreadable};

/// How many memories that are due one page looks at. The sweeper keeps them few.
const DUE_MAX: usize = 100_000;

impl Service {
    /// The expired memories that the caller may both do `action` to and purge, by their ids.
    pub(super) fn expired_page(
        &self,
        view: &ReadView,
        context: &Context,
        action: Action,
        filter: &MemoryFilter,
        after: Option<MemoryId>,
        limit: usize,
    ) -> Result<(Listed<MemoryView>, Vec<MemoryId>), WireError> {
        let directory = view.directory();
        let tenant = context.actor.identity.tenant;
        let permissions =
            [action, Action::Purge].map(|action| Permission::new(directory, context, action));
        let choice = Choice::of(directory, context, filter)?;
        let mut due = view
            .snapshot
            .due(tenant, context.now, DUE_MAX)
            .map_err(|error| unreadable(&error))?;
        due.sort_unstable_by_key(|(id, _)| *id);
        let mut page = Filling::default();
        let (mut total, mut complete) = (0, true);
        for (id, _) in due {
            let found = view
                .memory(tenant, id)
                .map_err(|error| unreadable(&error))?;
            let Some(memory) = found.filter(|memory| {
                memory.is_expired(context.now)
                    && permissions.iter().all(|it| it.admits(memory, context.now))
                    && permissions[0].means(&choice, memory, context.now)
            }) else {
                continue;
            };
            total += 1;
            if after.is_some_and(|after| id <= after) {
                continue;
            }
            let show = |memory| permissions[0].show(directory, memory, context.now);
            if page.items.len() == limit || !page.take(id, Some(memory), show) {
                complete = false;
            }
        }
        Ok(page.listed(total, complete))
    }
}
