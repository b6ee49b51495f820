//! Memories that are deleted or expired, and not erased yet.

use manushya_core::command::Context;
use manushya_core::model::{Action, Memory};
use manushya_core::view::View as _;
use manushya_protocol::error::WireError;
use manushya_protocol::id::MemoryId;
use manushya_protocol::v1::common::Listed;
use manushya_protocol::v1::memory::{MemoryFilter, MemoryView};

use super::memory::Filling;
use super::permit::{Choice, Permission};
use super::unreadable;
use super::view::ReadView;

/// How many memories that are due one page looks at. The sweeper keeps them few.
const DUE_MAX: usize = 100_000;

/// Which page of them is asked for.
pub(super) struct Asked<'a> {
    /// What is to be done to them.
    pub action: Action,
    /// Which are meant.
    pub filter: &'a MemoryFilter,
    /// Those after this one, by id.
    pub after: Option<MemoryId>,
    /// How many.
    pub limit: usize,
}

/// The deleted memories that the caller may do the action to, by their ids.
pub(super) fn deleted_page(
    view: &ReadView,
    context: &Context,
    asked: &Asked<'_>,
) -> Result<(Listed<MemoryView>, Vec<MemoryId>), WireError> {
    let deleted = view
        .snapshot
        .deleted(context.actor.identity.tenant)
        .map_err(|error| unreadable(&error))?;
    let is_it = |memory: &Memory| memory.deleted_at.is_some() && !memory.is_expired(context.now);
    page_of((view, context), asked, deleted, &[asked.action], is_it)
}

/// The expired memories that the caller may both do the action to and purge, by their ids.
pub(super) fn expired_page(
    view: &ReadView,
    context: &Context,
    asked: &Asked<'_>,
) -> Result<(Listed<MemoryView>, Vec<MemoryId>), WireError> {
    let due = view
        .snapshot
        .due(context.actor.identity.tenant, context.now, DUE_MAX)
        .map_err(|error| unreadable(&error))?;
    let mut due: Vec<MemoryId> = due.into_iter().map(|(id, _)| id).collect();
    due.sort_unstable();
    let actions = [asked.action, Action::Purge];
    let is_it = |memory: &Memory| memory.is_expired(context.now);
    page_of((view, context), asked, due, &actions, is_it)
}

/// A page of those among `ids`, which ascend, that `is_it` and the caller may do all of `actions` to,
/// shown as for the first.
fn page_of(
    (view, context): (&ReadView, &Context),
    asked: &Asked<'_>,
    ids: Vec<MemoryId>,
    actions: &[Action],
    is_it: impl Fn(&Memory) -> bool,
) -> Result<(Listed<MemoryView>, Vec<MemoryId>), WireError> {
    let directory = view.directory();
    let tenant = context.actor.identity.tenant;
    let permission = |action: &Action| Permission::new(directory, context, *action);
    let permissions: Vec<Permission> = actions.iter().map(permission).collect();
    let shown = Permission::new(directory, context, asked.action);
    let choice = Choice::of(directory, context, asked.filter)?;
    let mut page = Filling::default();
    let (mut total, mut complete) = (0, true);
    for id in ids {
        let found = view
            .memory(tenant, id)
            .map_err(|error| unreadable(&error))?;
        let Some(memory) = found.filter(|memory| {
            is_it(memory)
                && permissions.iter().all(|it| it.admits(memory, context.now))
                && shown.means(&choice, memory, context.now)
        }) else {
            continue;
        };
        total += 1;
        if asked.after.is_some_and(|after| id <= after) {
            continue;
        }
        let show = |memory| shown.show(directory, memory, context.now);
        if page.items.len() == asked.limit || !page.take(id, Some(memory), show) {
            complete = false;
        }
    }
    Ok(page.listed(total, complete))
}
