//! Reading the log out of the daemon: page by page for an export, counted for an overview, and one
//! entry with the policy that decided.

use std::collections::BTreeMap;

use manushya_core::command::Context;
use manushya_core::decide::Refusal;
use manushya_core::directory::Directory;
use manushya_core::model::{AuditActor, AuditEntry, Outcome};
use manushya_core::view::View as _;
use manushya_protocol::error::WireError;
use manushya_protocol::id::TenantId;
use manushya_protocol::limits;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{AuditCounts, AuditExport, AuditExported, AuditList, Counted};
use manushya_protocol::v1::review::RevisionView;

use super::super::policy_review;
use super::super::view::ReadView;
use super::super::{Service, unreadable};
use super::{Filter, begin, identity_name, show};

/// How many canonical bytes the entries of one page have at the most: shown as JSON, an entry is up
/// to six times as long.
const PAGE_CANONICAL_BYTES_MAX: usize = limits::PAGE_BYTES_MAX / 8;
/// How many entries one page looks at, so that a filter that admits few holds nothing up.
const PAGE_LOOKED_AT_MAX: u64 = 100_000;
/// How many names are counted apart; the rest are counted together.
const NAMES_MAX: usize = 1000;

impl Service {
    /// Gives a page of an export.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn audit_export(
        &self,
        context: Context,
        request: AuditExport,
    ) -> Result<AuditExported, WireError> {
        // Each page is an entry: who could leave the first out would read the log unseen.
        self.read(&context, |view, context| export(view, context, &request))
            .await
    }

    /// Counts audit entries.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn audit_stats(
        &self,
        context: Context,
        request: AuditList,
    ) -> Result<AuditCounts, WireError> {
        self.read(&context, |view, context| {
            let access = begin(view, context)?;
            let filter = Filter::new(view.directory(), context, &request);
            let mut tally = Tally::default();
            let end = AuditSeq(view.published.head.size());
            let counted = view.each_entry((AuditSeq(1), end), |entry, _| {
                if filter.admits(entry) {
                    tally.count(entry);
                }
                Ok(true)
            });
            counted.map_err(|error| Refusal::allowed(&access.audit, unreadable(&error)))?;
            let counts = tally.finish(view.directory());
            Ok(access.plan(Vec::new(), counts.entries, counts))
        })
        .await
    }
}

fn export(
    view: &ReadView,
    context: &Context,
    request: &AuditExport,
) -> Result<manushya_core::plan::Plan<AuditExported>, Refusal> {
    let access = begin(view, context)?;
    let filter = Filter::new(view.directory(), context, &request.filter);
    let size = view.published.head.size();
    let to = request.to.map_or(size, |to| to.0.min(size));
    let (mut items, mut bytes_taken, mut looked_at) = (Vec::new(), 0, 0);
    let mut after = request.after.0;
    let from = AuditSeq(after.saturating_add(1));
    let read = view.each_entry((from, AuditSeq(to)), |entry, bytes| {
        if filter.admits(entry) {
            bytes_taken += bytes.len();
            let full = bytes_taken > PAGE_CANONICAL_BYTES_MAX && !items.is_empty();
            if full || items.len() >= limits::PAGE_LIMIT_MAX as usize {
                return Ok(false);
            }
            items.push(show(view.directory(), entry, bytes));
        }
        after = entry.seq.0;
        looked_at += 1;
        Ok(looked_at < PAGE_LOOKED_AT_MAX)
    });
    read.map_err(|error| Refusal::allowed(&access.audit, unreadable(&error)))?;
    let page = AuditExported {
        end: after >= to,
        after: AuditSeq(after),
        to: AuditSeq(to),
        items,
    };
    Ok(access.plan(Vec::new(), page.items.len() as u64, page))
}

/// The revision of the policy that decided an entry, if it is known and the caller may read policies.
pub(super) fn decided_by(
    view: &ReadView,
    context: &Context,
    entry: &AuditEntry,
) -> Option<RevisionView> {
    let (tenant, stamp) = (entry.draft.tenant?, entry.draft.policy?);
    policy_review::begin(view, context).ok()?;
    let mut revisions = view.directory().revisions_of(tenant, stamp.id);
    let revision = revisions.find(|it| it.policy.revision == stamp.revision)?;
    Some(policy_review::shown(view.directory(), revision))
}

/// Who acted, as a key that has an order.
type Actor = (u8, Option<TenantId>, [u8; 16]);

/// What was counted so far.
#[derive(Default)]
struct Tally {
    entries: u64,
    span: Option<(AuditSeq, AuditSeq)>,
    actions: BTreeMap<String, u64>,
    decisions: BTreeMap<String, u64>,
    outcomes: BTreeMap<String, u64>,
    days: BTreeMap<String, u64>,
    actors: BTreeMap<Actor, (AuditActor, u64)>,
}

impl Tally {
    fn count(&mut self, entry: &AuditEntry) {
        let draft = &entry.draft;
        self.entries += 1;
        let first = self.span.map_or(entry.seq, |(first, _)| first);
        self.span = Some((first, entry.seq));
        let action = format!("{} {}", draft.action.as_str(), draft.resource.as_str());
        *self.actions.entry(action).or_default() += 1;
        let decision = draft.decision.as_str().to_owned();
        *self.decisions.entry(decision).or_default() += 1;
        let outcome = match draft.outcome {
            Outcome::Ok => "OK".to_owned(),
            Outcome::Error(code) => code.to_string(),
        };
        *self.outcomes.entry(outcome).or_default() += 1;
        let mut day = draft.time.to_string();
        day.truncate(10);
        *self.days.entry(day).or_default() += 1;
        let key = match draft.actor {
            AuditActor::Anonymous => (0, draft.tenant, [0; 16]),
            AuditActor::Daemon => (1, None, [0; 16]),
            AuditActor::Identity(id) => (2, draft.tenant, id.to_bytes()),
        };
        self.actors.entry(key).or_insert((draft.actor, 0)).1 += 1;
    }

    fn finish(self, directory: &Directory) -> AuditCounts {
        let actors = self.actors.into_iter().map(|((_, tenant, _), (actor, n))| {
            let name = match actor {
                AuditActor::Anonymous => "anonymous".to_owned(),
                AuditActor::Daemon => "daemon".to_owned(),
                AuditActor::Identity(id) => identity_name(directory, tenant, id),
            };
            (name, n)
        });
        let mut by_day = named(self.days);
        // The newest days, in their order; what is older is counted together.
        let old = by_day.len().saturating_sub(NAMES_MAX);
        let earlier: u64 = by_day.drain(..old).map(|day| day.count).sum();
        AuditCounts {
            entries: self.entries,
            first: self.span.map(|(first, _)| first),
            last: self.span.map(|(_, last)| last),
            by_action: most(named(self.actions)),
            by_decision: most(named(self.decisions)),
            by_outcome: most(named(self.outcomes)),
            by_actor: most(named(actors)),
            by_day,
            earlier,
        }
    }
}

fn named(counts: impl IntoIterator<Item = (String, u64)>) -> Vec<Counted> {
    let counted = counts.into_iter();
    counted
        .map(|(name, count)| Counted { name, count })
        .collect()
}

/// Those with the most first; the rest as one.
fn most(mut counts: Vec<Counted>) -> Vec<Counted> {
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    if counts.len() > NAMES_MAX {
        let rest = counts.split_off(NAMES_MAX);
        counts.push(Counted {
            name: format!("({} more)", rest.len()),
            count: rest.iter().map(|it| it.count).sum(),
        });
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_come_first_and_the_rest_are_one() {
        let many = (0..NAMES_MAX as u64 + 5).map(|n| (format!("{n:05}"), n + 1));
        let counted = most(named(many));
        assert_eq!(counted.len(), NAMES_MAX + 1);
        assert_eq!(counted[0].count, NAMES_MAX as u64 + 5);
        let rest = counted.last().unwrap();
        assert_eq!((rest.name.as_str(), rest.count), ("(5 more)", 15));
    }
}
