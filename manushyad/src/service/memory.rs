//! Memories, all but search.

use manushya_core::command::{AddMemory, Context, DeleteMemory};
use manushya_core::decide;
use manushya_core::decide::Refusal;
use manushya_core::decide::access::{Access, draft};
use manushya_core::decide::memory::Added;
use manushya_core::decide::receipt::{Unplanned, unplanned};
use manushya_core::model::{Action, Memory, Resource};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::MemoryId;
use manushya_protocol::limits;
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::memory::{
    ItemResult, MemoryAdd, MemoryAddMany, MemoryAdded, MemoryAddedMany, MemoryDelete, MemoryFilter,
    MemoryHistory, MemoryList, MemoryRef, MemoryStats, MemoryStatsOf, MemoryUpdate, MemoryView,
    OnDuplicate,
};

use super::permit::{Permission, shown_as};
use super::view::ReadView;
use super::{Service, convert, duplicate, gone, page, unreadable};

impl Service {
    fn adding(&self, context: &Context, request: MemoryAdd) -> Result<AddMemory, WireError> {
        let mut command = convert::add_memory(request, self.new_memory_id(), context.now)
            .map_err(|error| convert::invalid(&error))?;
        command.embedding = self.embed(&command.content.text);
        Ok(command)
    }

    /// Adds a memory.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn memory_add(
        &self,
        context: Context,
        request: MemoryAdd,
    ) -> Result<MemoryAdded, WireError> {
        let least = duplicate::least(&request)?;
        let mut command = self.adding(&context, request)?;
        // One after the other, so that the next one sees what this one adds.
        let _alone = match least {
            Some(_) => Some(self.duplicates.lock().await),
            None => None,
        };
        if let Some(least) = least {
            command.alike = self.alike(&context, &command, least).await?;
        }
        let fallback = draft(&context, Action::Create, Resource::Memory);
        let added = self
            .change(fallback, move |txn| {
                decide::memory::add(txn, &context, command)
            })
            .await?;
        Ok(show_added(added))
    }

    /// Adds a batch of which some must not repeat what is there, one after the other.
    async fn add_each(
        &self,
        context: &Context,
        items: Vec<MemoryAdd>,
    ) -> Result<MemoryAddedMany, WireError> {
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            results.push(match self.memory_add(context.clone(), item).await {
                Ok(added) => ItemResult::Ok(added),
                Err(error) if error.code == ErrorCode::AuditUnavailable => return Err(error),
                Err(error) => ItemResult::Err(error),
            });
        }
        Ok(MemoryAddedMany { results })
    }

    /// Adds a batch of memories, each on its own.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` if there are too many; otherwise each item has its own result.
    pub async fn memory_add_many(
        &self,
        context: Context,
        request: MemoryAddMany,
    ) -> Result<MemoryAddedMany, WireError> {
        if request.items.len() > limits::BATCH_ITEMS_MAX {
            let message = format!("a batch holds at most {} memories", limits::BATCH_ITEMS_MAX);
            return Err(WireError::new(ErrorCode::InvalidArgument, message));
        }
        if request
            .items
            .iter()
            .any(|item| item.on_duplicate != OnDuplicate::Keep)
        {
            return self.add_each(&context, request.items).await;
        }
        let mut results: Vec<Option<ItemResult>> = Vec::with_capacity(request.items.len());
        let mut commands = Vec::with_capacity(request.items.len());
        for item in request.items {
            match self.adding(&context, item) {
                Ok(command) => {
                    let context = context.clone();
                    let fallback = draft(&context, Action::Create, Resource::Memory);
                    let decide =
                        move |txn: &crate::store::Txn| decide::memory::add(txn, &context, command);
                    commands.push((fallback, decide));
                    results.push(None);
                }
                Err(error) => results.push(Some(ItemResult::Err(error))),
            }
        }
        let mut fates = self.writer.run_many(commands).await?.into_iter();
        let results = results.into_iter().map(|result| match result {
            Some(result) => result,
            None => match fates.next() {
                Some(Ok((added, _))) => ItemResult::Ok(show_added(added)),
                Some(Err(error)) => ItemResult::Err(error),
                None => ItemResult::Err(WireError::new(ErrorCode::Internal, "an item was lost")),
            },
        });
        Ok(MemoryAddedMany {
            results: results.collect(),
        })
    }

    /// Shows a memory.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn memory_get(
        &self,
        context: Context,
        request: MemoryRef,
    ) -> Result<MemoryView, WireError> {
        let read = |view: &ReadView, context: &Context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Read, Resource::Memory)?;
            let memory = access.require_memory(view, request.id)?;
            if !memory.is_live(context.now) {
                return Err(access.not_found(request.id));
            }
            let canary = memory.canary;
            let mask = access.mask(&memory);
            let shown = convert::memory(directory, memory, &mask);
            Ok(access.plan(Vec::new(), 1, (shown, canary)))
        };
        let (shown, canary) = self.read(&context, read).await?;
        self.alarm(&context, Action::Read, canary.then_some(request.id))
            .await?;
        Ok(shown)
    }

    /// Lists memories, oldest first.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn memory_list(
        &self,
        context: Context,
        request: MemoryList,
    ) -> Result<Listed<MemoryView>, WireError> {
        self.memory_page(context, request, Action::Read).await
    }

    /// Reads memories to take them elsewhere.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn memory_export(
        &self,
        context: Context,
        request: MemoryList,
    ) -> Result<Listed<MemoryView>, WireError> {
        self.memory_page(context, request, Action::Export).await
    }

    async fn memory_page(
        &self,
        context: Context,
        request: MemoryList,
        action: Action,
    ) -> Result<Listed<MemoryView>, WireError> {
        let limit = page::limit(&request.page)?;
        if request.deleted && request.expired {
            return Err(WireError::new(
                ErrorCode::InvalidArgument,
                "deleted and expired memories are two lists",
            )
            .hint("ask for one of them"));
        }
        let after = match &request.page.cursor {
            None => None,
            Some(cursor) => Some(cursor.parse().map_err(|_| page::bad_cursor())?),
        };
        let read = |view: &ReadView, context: &Context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, action, Resource::Memory)?;
            access.audit.decision = manushya_core::model::Decision::Allow;
            let asked = gone::Asked {
                action,
                filter: &request.filter,
                after,
                limit,
            };
            let listed = match (request.deleted, request.expired) {
                (_, true) => gone::expired_page(view, context, &asked),
                (true, false) => gone::deleted_page(view, context, &asked),
                (false, false) => {
                    self.live_page(view, context, action, &request.filter, after, limit)
                }
            };
            let count = listed
                .as_ref()
                .map_or(0, |(listed, _)| listed.items.len() as u64);
            Ok(access.plan(Vec::new(), count, listed))
        };
        let (listed, canaries) = self.read(&context, read).await??;
        self.alarm(&context, action, canaries).await?;
        Ok(listed)
    }

    fn live_page(
        &self,
        view: &ReadView,
        context: &Context,
        action: Action,
        filter: &MemoryFilter,
        after: Option<MemoryId>,
        limit: usize,
    ) -> Result<(Listed<MemoryView>, Vec<MemoryId>), WireError> {
        let directory = view.directory();
        let permission = Permission::new(directory, context, action);
        let asked = limit.saturating_add(1);
        let mut chosen =
            permission.select(directory, context, filter, &self.indexes, after, asked)?;
        let more = chosen.ids.len() > limit;
        chosen.ids.truncate(limit);
        let mut page = Filling::default();
        for id in &chosen.ids {
            let found = view.memory(context.actor.identity.tenant, *id);
            let memory = found.map_err(|error| unreadable(&error))?;
            // The index may be a commit ahead of or behind the snapshot: the record has the last word.
            let seen = memory.filter(|memory| {
                memory.is_live(context.now) && permission.admits(memory, context.now)
            });
            let show = |memory| permission.show(directory, memory, context.now);
            if !page.take(*id, seen, show) {
                break;
            }
        }
        let complete = !page.is_full && !more;
        Ok(page.listed(chosen.total, complete))
    }

    /// Changes a memory.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn memory_update(
        &self,
        context: Context,
        request: MemoryUpdate,
    ) -> Result<MemoryView, WireError> {
        let mut command = convert::update_memory(request, context.now)
            .map_err(|error| convert::invalid(&error))?;
        if let Some((text, embedding)) = &mut command.text {
            *embedding = self.embed(text);
        }
        let fallback = draft(&context, Action::Update, Resource::Memory);
        let asked = context.clone();
        let (memory, canary) = self
            .change(fallback, move |txn| {
                let plan = decide::memory::update(txn, &context, command)?;
                Ok(shown_as(txn.directory(), &context, Action::Update, plan))
            })
            .await?;
        self.alarm(&asked, Action::Update, canary.then_some(memory.id))
            .await?;
        Ok(memory)
    }

    /// Shows the versions of a memory, newest first.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn memory_history(
        &self,
        context: Context,
        request: MemoryHistory,
    ) -> Result<Listed<MemoryView>, WireError> {
        page::limit(&request.page)?;
        let read = |view: &ReadView, context: &Context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Read, Resource::Memory)?;
            let memory = access.require_memory(view, request.id)?;
            if !memory.is_live(context.now) {
                return Err(access.not_found(request.id));
            }
            let current = access.mask(&memory);
            let canary = memory.canary;
            let versions = match history(view, memory) {
                Ok(versions) => versions,
                Err(error) => return Err(Refusal::allowed(&access.audit, error)),
            };
            // An earlier version may lie where the credential does not reach.
            let versions = versions
                .into_iter()
                .filter(|version| context.actor.reaches(version));
            let falling = |memory: &Memory| format!("{:010}", u32::MAX - memory.version);
            let listed = page::cut(versions, &request.page, falling, |memory| {
                // What is masked now is masked in what it was, and the other way round.
                let mut mask = access.mask(memory);
                mask.join(current.clone());
                convert::memory(directory, memory.clone(), &mask)
            });
            let count = listed
                .as_ref()
                .map_or(0, |listed| listed.items.len() as u64);
            Ok(access.plan(Vec::new(), count, listed.map(|listed| (listed, canary))))
        };
        let (listed, canary) = self.read(&context, read).await??;
        self.alarm(&context, Action::Read, canary.then_some(request.id))
            .await?;
        Ok(listed)
    }

    /// Restores a deleted memory.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn memory_restore(
        &self,
        context: Context,
        request: MemoryRef,
    ) -> Result<MemoryView, WireError> {
        let fallback = draft(&context, Action::Restore, Resource::Memory);
        let asked = context.clone();
        let (memory, canary) = self
            .change(fallback, move |txn| {
                let plan = decide::memory::restore(txn, &context, request.id)?;
                Ok(shown_as(txn.directory(), &context, Action::Restore, plan))
            })
            .await?;
        self.alarm(&asked, Action::Restore, canary.then_some(memory.id))
            .await?;
        Ok(memory)
    }

    /// Deletes a memory, or erases it for good.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn memory_delete(
        &self,
        context: Context,
        request: MemoryDelete,
    ) -> Result<Done, WireError> {
        let command = DeleteMemory {
            id: request.id,
            hard: request.hard,
        };
        let action = if request.hard {
            Action::Purge
        } else {
            Action::Delete
        };
        let fallback = draft(&context, action, Resource::Memory);
        let receipt = self.new_plan_id();
        let id = self
            .change(fallback, move |txn| {
                let what = Unplanned::Memory(command.id);
                let plan = decide::memory::delete(txn, &context, command)?;
                unplanned(txn, &context, receipt, what, plan)
            })
            .await?;
        let outcome = if request.hard { "purged" } else { "deleted" };
        Ok(Done {
            id: id.to_string(),
            outcome: outcome.to_owned(),
        })
    }

    /// Counts the memories the caller may see.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn memory_stats(
        &self,
        context: Context,
        request: MemoryStatsOf,
    ) -> Result<MemoryStats, WireError> {
        self.read(&context, |view, context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Read, Resource::Memory)?;
            access.audit.decision = manushya_core::model::Decision::Allow;
            let permission = Permission::new(directory, context, Action::Read);
            let stats = permission.stats(directory, context, &request.filter, &self.indexes);
            let count = stats.as_ref().map_or(0, |stats| stats.memories);
            Ok(access.plan(Vec::new(), count, stats))
        })
        .await?
    }
}

fn show_added(added: Added) -> MemoryAdded {
    MemoryAdded {
        id: added.id,
        version: added.version,
        created_at: added.created_at,
        outcome: added.outcome.as_str().to_owned(),
        supersedes: added.supersedes,
    }
}

/// All versions of a memory, newest first.
fn history(view: &ReadView, memory: Memory) -> Result<Vec<Memory>, WireError> {
    let (tenant, id) = (memory.tenant, memory.id);
    let older = view
        .snapshot
        .versions(tenant, id)
        .map_err(|error| unreadable(&error))?;
    let current = memory.version;
    let mut versions = vec![memory];
    for version in older.into_iter().filter(|&version| version != current) {
        let found = view
            .snapshot
            .memory_version(tenant, id, version)
            .map_err(|error| unreadable(&error))?;
        versions.extend(found);
    }
    Ok(versions)
}

/// A page that fills up, by number and by bytes.
#[derive(Default)]
pub(super) struct Filling {
    /// What is on it.
    pub items: Vec<MemoryView>,
    bytes: usize,
    last: Option<MemoryId>,
    is_full: bool,
    /// Those of the items that are there only to be noticed.
    canaries: Vec<MemoryId>,
}

impl Filling {
    /// Takes one memory, or notes that one was passed over. Returns whether there is room for more.
    pub fn take(
        &mut self,
        id: MemoryId,
        memory: Option<Memory>,
        show: impl FnOnce(Memory) -> MemoryView,
    ) -> bool {
        if self.is_full {
            return false;
        }
        if let Some(memory) = memory {
            let canary = memory.canary;
            let shown = show(memory);
            let bytes = page::json_bytes(&shown);
            if !self.items.is_empty() && self.bytes + bytes > limits::PAGE_BYTES_MAX {
                self.is_full = true;
                return false;
            }
            self.bytes += bytes;
            self.items.push(shown);
            self.canaries.extend(canary.then_some(id));
        }
        self.last = Some(id);
        true
    }

    /// The page, and the canaries on it.
    pub fn listed(self, total: u64, complete: bool) -> (Listed<MemoryView>, Vec<MemoryId>) {
        let next = self.last.filter(|_| !complete).map(|id| id.to_string());
        let listed = Listed {
            items: self.items,
            next,
            total,
        };
        (listed, self.canaries)
    }
}
