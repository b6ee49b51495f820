//! How long memories are kept, and finding those whose time is over.

use std::collections::BTreeMap;

use manushya_core::command::Context;
use manushya_core::decide;
use manushya_core::decide::access::draft;
use manushya_core::decide::retention::{Over, SetRetention, any, over};
use manushya_core::directory::Directory;
use manushya_core::model::{Action, ErasureRecord, Keep, Kind, Resource, Retention};
use manushya_core::plan::Write;
use manushya_core::view::View as _;
use manushya_protocol::error::WireError;
use manushya_protocol::id::MemoryId;
use manushya_protocol::unit::{UnixMillis, duration};
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::erasure::{RetentionSet, RetentionUnset, RetentionView};
use manushya_protocol::v1::purge::DueView;

use super::view::ReadView;
use super::{Service, convert, unreadable};
use crate::index::{AttributeFilter, Facts, Permit, Rule, SlotFacts};

/// What stands for the types that have no rule of their own.
const OTHERS: &str = "*";

fn kind(text: Option<&String>) -> Result<Option<Kind>, WireError> {
    let kind = text.filter(|text| *text != OTHERS).map(Kind::new);
    kind.transpose().map_err(|error| convert::invalid(&error))
}

/// What holds for a type: of its rule and the one for all types, and of the configuration.
fn show(
    directory: &Directory,
    context: &Context,
    kind: Option<&Kind>,
    rule: Option<&Retention>,
) -> RetentionView {
    let tenant = context.actor.identity.tenant;
    let erasures = directory.erasures();
    let keep = match kind {
        Some(kind) => erasures.keep(tenant, kind),
        None => erasures
            .retention(tenant, None)
            .map_or_else(Keep::default, |it| it.keep),
    };
    RetentionView {
        kind: kind.map_or_else(|| OTHERS.to_owned(), |kind| kind.as_str().to_owned()),
        keep: keep.live.map(duration),
        keep_deleted: duration(keep.deleted.unwrap_or(context.retention_seconds)),
        origin: rule.map_or("configuration", |_| "set").to_owned(),
        set_by: rule.map(|rule| convert::name_of(directory, tenant, rule.set_by)),
        set_at: rule.map(|rule| rule.updated_at),
        due: None,
    }
}

impl Service {
    /// Sets how long memories of a type are kept.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn retention_set(
        &self,
        context: Context,
        request: RetentionSet,
    ) -> Result<RetentionView, WireError> {
        let command = SetRetention {
            kind: kind(request.kind.as_ref())?,
            keep: Keep {
                live: request.keep_seconds,
                deleted: request.keep_deleted_seconds,
            },
        };
        let fallback = draft(&context, Action::Manage, Resource::System);
        let asked = context.clone();
        let rule = self
            .change(fallback, move |txn| {
                decide::retention::set(txn, &context, command)
            })
            .await?;
        let view = self.view()?;
        // As it is with the rule, also where it was only tried.
        let mut directory = view.directory().clone();
        directory.apply(&Write::PutErasure(
            ErasureRecord::Retention(rule.clone()).into(),
        ));
        let now = Context {
            now: asked.now.min(self.ports.clock.wall()),
            ..asked
        };
        let over = self.over(&view, &directory, &now, usize::MAX)?;
        Ok(RetentionView {
            due: Some(over.len() as u64),
            ..show(&directory, &now, rule.kind.as_ref(), Some(&rule))
        })
    }

    /// Takes such a rule away.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn retention_unset(
        &self,
        context: Context,
        request: RetentionUnset,
    ) -> Result<Done, WireError> {
        let kind = kind(request.kind.as_ref())?;
        let fallback = draft(&context, Action::Manage, Resource::System);
        self.change(fallback, move |txn| {
            decide::retention::unset(txn, &context, kind.as_ref())
        })
        .await?;
        Ok(Done {
            id: request.kind.unwrap_or_else(|| OTHERS.to_owned()),
            outcome: "unset".to_owned(),
        })
    }

    /// Lists what holds: for each type with a rule, and for all others.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn retention_list(
        &self,
        context: Context,
    ) -> Result<Listed<RetentionView>, WireError> {
        let rules = self.read(&context, decide::retention::list).await?;
        let state = self.view()?;
        let directory = state.directory();
        let of_types = rules.iter().filter(|rule| rule.kind.is_some());
        let mut items: Vec<RetentionView> = of_types
            .map(|rule| show(directory, &context, rule.kind.as_ref(), Some(rule)))
            .collect();
        let others = rules.iter().find(|rule| rule.kind.is_none());
        items.push(show(directory, &context, None, others));
        let total = items.len() as u64;
        Ok(Listed {
            items,
            next: None,
            total,
        })
    }

    /// What rules of retention may end, for [`manushya_core::command::Sweep`]: nothing in a tenant that
    /// has none. At most `limit` memories.
    pub(super) fn past_time(
        &self,
        context: &Context,
        limit: usize,
    ) -> Result<Vec<MemoryId>, WireError> {
        let view = self.view()?;
        if !any(view.directory(), context.actor.identity.tenant) {
            return Ok(Vec::new());
        }
        let over = self.over(&view, view.directory(), context, limit)?;
        Ok(over.into_iter().map(|(id, _)| id).collect())
    }

    /// The memories whose time is over under the rules of `directory` and that no hold keeps.
    fn over(
        &self,
        view: &ReadView,
        directory: &Directory,
        context: &Context,
        limit: usize,
    ) -> Result<Vec<(MemoryId, u32)>, WireError> {
        let candidates = self.candidates(view, directory, context)?;
        decide::retention::free_and_over(view, directory, context, &candidates, limit)
            .map_err(|error| unreadable(&error))
    }

    /// The memories whose time may be over, by id: those that are due as written, all that are deleted or
    /// held back, and of the others those the index knows to be old enough.
    fn candidates(
        &self,
        view: &ReadView,
        directory: &Directory,
        context: &Context,
    ) -> Result<Vec<MemoryId>, WireError> {
        let tenant = context.actor.identity.tenant;
        let snapshot = &view.snapshot;
        let failed = |error| unreadable(&error);
        let due = snapshot.due(tenant, context.now, usize::MAX);
        let mut found: Vec<MemoryId> = due.map_err(failed)?.into_iter().map(|(id, _)| id).collect();
        found.extend(snapshot.deleted(tenant).map_err(failed)?);
        found.extend(snapshot.held(tenant).map_err(failed)?);
        let rules = || directory.erasures().retentions(tenant);
        let living = |rule: &&Retention| rule.keep.live.is_some();
        let own: Vec<&str> = rules()
            .filter(living)
            .filter_map(|rule| rule.kind.as_ref().map(Kind::as_str))
            .collect();
        let index = self.indexes.of(tenant);
        for rule in rules() {
            let Some(seconds) = rule.keep.live else {
                continue;
            };
            let millis = i64::try_from(seconds)
                .unwrap_or(i64::MAX)
                .saturating_mul(1000);
            let filter = AttributeFilter {
                kinds: rule.kind.iter().cloned().collect(),
                // The bound itself is not in it.
                until: Some(UnixMillis(
                    context.now.0.saturating_sub(millis).saturating_add(1),
                )),
                ..AttributeFilter::default()
            };
            let mut others = |slot: &SlotFacts<'_>| slot.kind.is_none_or(|it| !own.contains(&it));
            let mut others = rule.kind.is_none().then_some(Rule {
                reads: Facts::KIND,
                decide: &mut others,
            });
            let (all, rule) = (Permit::All, others.as_mut());
            let old = index.select(all, &filter, rule, context.now, None, usize::MAX);
            found.extend(old.ids);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// What a sweep would erase, by why and by type.
    pub(super) fn due_by_why(&self, context: &Context) -> Result<Vec<DueView>, WireError> {
        let view = self.view()?;
        let (directory, tenant) = (view.directory(), context.actor.identity.tenant);
        let due = match any(directory, tenant) {
            true => self.over(&view, directory, context, usize::MAX),
            false => view
                .due(tenant, context.now, usize::MAX)
                .map_err(|error| unreadable(&error)),
        }?;
        let mut counts: BTreeMap<(Over, String), (u64, u64)> = BTreeMap::new();
        for (id, _) in due {
            let found = view.memory(tenant, id);
            let Some(memory) = found.map_err(|error| unreadable(&error))? else {
                continue;
            };
            let held = directory.erasures().hold_on(tenant, memory.owner, id);
            if held.is_some() {
                continue;
            }
            // One that was deleted when less was configured is due as it was written then.
            let why = over(directory, context, &memory).unwrap_or(Over::Deleted);
            let kind = memory.content.kind.as_str().to_owned();
            let (count, bytes) = counts.entry((why, kind)).or_default();
            *count += 1;
            *bytes += memory.content.text.len() as u64;
        }
        let views = counts
            .into_iter()
            .map(|((why, kind), (memories, text_bytes))| DueView {
                why: why.as_str().to_owned(),
                kind,
                memories,
                text_bytes,
            });
        Ok(views.collect())
    }
}
