//! Which memories a request may touch: the policies, as far as they go without a memory, then once
//! for each combination of the facts they read.

use std::collections::BTreeSet;
use std::sync::Arc;

use manushya_core::command::Context;
use manushya_core::decide::access::{About, Asking};
use manushya_core::directory::Directory;
use manushya_core::model::{
    Action, Kind, Limits, Link, Memory, Namespace, PolicyStamp, Resource, Session, Tag, Trust,
};
use manushya_core::plan::Plan;
use manushya_core::policy::{
    Candidates, Filter, Forbidden, Mask, Masking, MemoryFact, MemoryFacts, PolicySet, RuleError,
    SearchScope,
};
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::MemoryId;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::memory::{Count as WireCount, MemoryFilter, MemoryStats, MemoryView};

use super::convert;
use super::indexes::Indexes;
use crate::index::{AGES, AttributeFilter, Facts, Permit, Rule, Selection, SlotFacts, Writer};

/// What one request may do to memories at large.
pub struct Permission {
    set: Arc<PolicySet>,
    asking: Option<Asking>,
    links: Arc<[Link]>,
    action: Action,
    /// Whether what it says decides what is found, so that masked texts must not have a part in it.
    by_text: bool,
}

/// The caller's own choice among the memories it may see.
pub struct Choice {
    /// By what the index keeps.
    pub attributes: AttributeFilter,
    /// By a rule of the caller's own.
    pub rule: Option<Filter>,
    /// An owner was asked for that does not exist: nothing is meant.
    pub nothing: bool,
}

/// The error for a rule that is none.
pub fn bad_rule(what: &str, errors: &[RuleError]) -> WireError {
    let error = WireError::new(
        ErrorCode::InvalidArgument,
        format!("the {what} is not valid"),
    );
    match errors.first() {
        Some(first) if first.path.is_empty() => error.reason(first.reason.clone()),
        Some(first) => error.reason(format!("at {}: {}", first.path, first.reason)),
        None => error,
    }
}

impl Choice {
    /// Checks and takes what the caller asked for.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for a filter that is none.
    pub fn of(
        directory: &Directory,
        context: &Context,
        filter: &MemoryFilter,
    ) -> Result<Self, WireError> {
        let invalid = |error| convert::invalid(&error);
        let tenant = context.actor.identity.tenant;
        let owner = filter.owner.as_deref().map(|reference| {
            directory
                .identity_by_ref(tenant, reference)
                .map(|identity| identity.id)
        });
        let writer = filter.writer.as_deref().map(|reference| {
            directory
                .identity_by_ref(tenant, reference)
                .map(|identity| Writer {
                    identity: identity.id,
                    since: filter.written_since.unwrap_or(UnixMillis(i64::MIN)),
                    until: filter.written_until.unwrap_or(UnixMillis(i64::MAX)),
                })
        });
        if writer.is_none() && (filter.written_since.or(filter.written_until)).is_some() {
            let message = "a time of writing is asked for, but not whose";
            return Err(
                WireError::new(ErrorCode::InvalidArgument, message).hint("give --writer IDENTITY")
            );
        }
        let kinds: Result<_, _> = filter.kinds.iter().take(64).map(Kind::new).collect();
        let tags: Result<_, _> = filter.tags.iter().take(64).map(Tag::new).collect();
        let rule = filter.rule.as_ref().map(Filter::parse).transpose();
        let min_trust = filter.min_trust.map(Trust::new).transpose();
        let min_trust = min_trust.map(|trust| trust.map(Trust::percent));
        let mut choice = Self {
            attributes: AttributeFilter {
                kinds: kinds.map_err(invalid)?,
                tags: tags.map_err(invalid)?,
                owner: owner.flatten(),
                namespace: filter
                    .namespace
                    .as_ref()
                    .map(Namespace::new)
                    .transpose()
                    .map_err(invalid)?,
                session: filter
                    .session
                    .as_ref()
                    .map(Session::new)
                    .transpose()
                    .map_err(invalid)?,
                since: filter.since,
                until: filter.until,
                writer: writer.flatten(),
                min_trust: min_trust.map_err(invalid)?,
            },
            rule: rule.map_err(|errors| bad_rule("filter", &errors))?,
            nothing: owner == Some(None) || writer == Some(None),
        };
        for link in context.actor.links.iter() {
            choice.narrow(&link.token.limits);
        }
        Ok(choice)
    }

    /// Leaves out what a credential does not reach: by attributes, so that the index counts with it.
    fn narrow(&mut self, limits: &Limits) {
        let wanted = &mut self.attributes;
        if let Some(limit) = &limits.namespace {
            match &wanted.namespace {
                Some(namespace) if namespace.path().contains(&limit.as_str()) => {}
                Some(namespace) if !limit.path().contains(&namespace.as_str()) => {
                    self.nothing = true;
                }
                _ => wanted.namespace = Some(limit.clone()),
            }
        }
        if limits.kinds.is_empty() {
            return;
        }
        if wanted.kinds.is_empty() {
            wanted.kinds.clone_from(&limits.kinds);
            return;
        }
        wanted.kinds.retain(|kind| limits.kinds.contains(kind));
        self.nothing |= wanted.kinds.is_empty();
    }

    /// Whether it selects a memory that is at hand. What is masked is not there for its rule.
    fn matches(&self, memory: &Memory, now: UnixMillis, mask: &Mask) -> bool {
        let wanted = &self.attributes;
        let content = &memory.content;
        let below = |namespace: &Namespace| content.namespace.path().contains(&namespace.as_str());
        !self.nothing
            && (wanted.kinds.is_empty() || wanted.kinds.contains(&content.kind))
            && wanted.tags.iter().all(|tag| content.tags.contains(tag))
            && wanted.owner.is_none_or(|owner| owner == memory.owner)
            && wanted.namespace.as_ref().is_none_or(below)
            && wanted
                .session
                .as_ref()
                .is_none_or(|s| content.session.as_ref() == Some(s))
            && wanted.writer.is_none_or(|by| {
                let from = &memory.provenance;
                by.means(
                    memory.owner,
                    memory.id.created_at(),
                    from.writer,
                    from.written_at,
                )
            })
            && wanted.since.is_none_or(|since| memory.created_at >= since)
            && wanted.until.is_none_or(|until| memory.created_at < until)
            && wanted
                .min_trust
                .is_none_or(|least| content.trust.percent() >= least)
            && self
                .rule
                .as_ref()
                .is_none_or(|rule| matches_masked(rule, MemoryFacts::new(memory, now), mask))
    }
}

/// Whether a caller's rule is true of a memory without what is masked of it: otherwise one could ask
/// for a value until the answer is yes.
fn matches_masked(rule: &Filter, facts: MemoryFacts<'_>, mask: &Mask) -> bool {
    if !mask.hides_metadata() {
        return rule.matches(&facts);
    }
    let seen = facts.metadata.map(|metadata| mask.without(metadata));
    rule.matches(&MemoryFacts {
        metadata: seen.as_ref(),
        ..facts
    })
}

/// What all of `maskings` mask of a memory.
fn masked(maskings: &[Masking<'_>], facts: &MemoryFacts<'_>) -> Mask {
    let mut mask = Mask::default();
    for masking in maskings {
        mask.join(masking.of(facts));
    }
    mask
}

/// What the index has to know of the facts that rules read.
fn reads(facts: &BTreeSet<MemoryFact>) -> Facts {
    facts.iter().fold(Facts::NONE, |all, fact| {
        all | match fact {
            MemoryFact::Id => Facts::ID,
            MemoryFact::Owner => Facts::OWNER,
            MemoryFact::Kind => Facts::KIND,
            MemoryFact::Namespace | MemoryFact::NamespacePath => Facts::NAMESPACE,
            MemoryFact::Tags => Facts::TAGS,
            MemoryFact::Session => Facts::SESSION,
            MemoryFact::Trust => Facts::TRUST,
            MemoryFact::AgeSeconds => Facts::AGE,
            MemoryFact::Writer => Facts::WRITER,
            // What is held back is in no index, so that nobody's search has to ask.
            MemoryFact::Quarantined => Facts::NONE,
            MemoryFact::Metadata(_) => Facts::METADATA,
        }
    })
}

/// The facts the index lends, as policies read them.
fn lent<'a>(slot: &SlotFacts<'a>) -> MemoryFacts<'a> {
    MemoryFacts {
        id: slot.id,
        owner: slot.owner,
        kind: slot.kind,
        namespace: slot.namespace,
        tags: Some(slot.tags.iter().map(|tag| &**tag).collect()),
        session: slot.session,
        trust: slot.trust,
        age_seconds: slot
            .age_seconds
            .map(|age| i64::try_from(age).unwrap_or(i64::MAX)),
        writer: slot.writer,
        quarantined: Some(false),
        metadata: slot.metadata,
    }
}

impl Permission {
    /// What the caller may do with `action` to memories.
    pub fn new(directory: &Directory, context: &Context, action: Action) -> Self {
        Self {
            set: directory.policy_set(context.actor.identity.tenant),
            asking: Asking::of(directory, context),
            links: context.actor.links.clone(),
            action,
            by_text: action == Action::Search,
        }
    }

    /// The same where memories are found by what they say, without being searched for.
    pub fn by_text(self) -> Self {
        Self {
            by_text: true,
            ..self
        }
    }

    /// Whether the caller means a memory that is at hand, going by what it may see of it.
    pub fn means(&self, choice: &Choice, memory: &Memory, now: UnixMillis) -> bool {
        choice.matches(memory, now, &self.mask(memory, now))
    }

    /// Whether the caller may do it to a memory that is at hand. One that is held back is there for
    /// those only who review or erase.
    pub fn admits(&self, memory: &Memory, now: UnixMillis) -> bool {
        if memory.quarantined && !matches!(self.action, Action::Manage | Action::Purge) {
            return false;
        }
        let Some(asking) = &self.asking else {
            return false;
        };
        let about = About::Memory(MemoryFacts::new(memory, now));
        self.links.iter().all(|link| link.reaches(memory))
            && asking
                .decide(&self.set, self.action, Resource::Memory, &about)
                .allowed
            && !(self.by_text && self.mask(memory, now).text)
    }

    /// What is masked of a memory in answers to the caller.
    pub fn mask(&self, memory: &Memory, now: UnixMillis) -> Mask {
        if !self.set.redacts() {
            return Mask::default();
        }
        masked(&self.maskings(), &MemoryFacts::new(memory, now))
    }

    /// A memory, as shown to the caller.
    pub fn show(&self, directory: &Directory, memory: Memory, now: UnixMillis) -> MemoryView {
        let mask = self.mask(&memory, now);
        convert::memory(directory, memory, &mask)
    }

    /// Whether this key of the metadata may be masked from the caller, of some memory.
    pub fn may_hide(&self, key: &str) -> bool {
        self.maskings().iter().any(|masking| masking.may_hide(key))
    }

    fn maskings(&self) -> Vec<Masking<'_>> {
        let asking = self.asking.as_ref();
        asking.map_or_else(Vec::new, |asking| asking.maskings(&self.set, self.action))
    }

    /// The policy that decides for all memories alike, if one does.
    pub fn deciding_policy(&self) -> Option<PolicyStamp> {
        let asking = self.asking.as_ref()?;
        match self
            .set
            .scope(asking.role(), &asking.to(self.action, Resource::Memory))
        {
            SearchScope::All(verdict) | SearchScope::Nothing(verdict) => verdict.stamp(),
            SearchScope::PerMemory(_) => None,
        }
    }

    /// Runs `ask` with what the index has to know: the permit, and the caller's own rule. Returns
    /// `None`, without asking, where nothing can be found.
    pub fn with_permit<R>(
        &self,
        choice: &Choice,
        ask: impl FnOnce(Permit<'_>, Option<Rule<'_>>) -> R,
    ) -> Option<R> {
        let asking = self.asking.as_ref().filter(|_| !choice.nothing)?;
        let facts = asking.to(self.action, Resource::Memory);
        let maskings = self.maskings();
        let masking_reads = maskings
            .iter()
            .fold(Facts::NONE, |all, masking| all | reads(masking.reads()));
        let mut chosen = choice.rule.as_ref().map(|filter| {
            let reads = reads(filter.reads()) | masking_reads;
            (reads, |slot: &SlotFacts<'_>| {
                let facts = lent(slot);
                let mask = masked(&maskings, &facts);
                matches_masked(filter, facts, &mask)
            })
        });
        let rule = chosen.as_mut().map(|(reads, decide)| Rule {
            reads: *reads,
            decide,
        });
        let forbidden = self.forbidden(asking)?;
        let hides = self.by_text && !maskings.is_empty();
        let is_forbidden = |slot: &SlotFacts<'_>| {
            let memory = lent(slot);
            forbidden.iter().any(|those| those.forbids(&memory))
                // By words of it nobody finds what is masked from them, nor by its meaning.
                || (hides && masked(&maskings, &memory).text)
        };
        let unmasked = if hides { masking_reads } else { Facts::NONE };
        let also = forbidden
            .iter()
            .fold(unmasked, |all, those| all | reads(those.reads()));
        match self.set.scope(asking.role(), &facts) {
            SearchScope::Nothing(_) => None,
            SearchScope::All(_) if forbidden.is_empty() && !hides => Some(ask(Permit::All, rule)),
            SearchScope::All(_) => {
                let mut decide = |slot: &SlotFacts<'_>| !is_forbidden(slot);
                let permit = Permit::PerFacts(Rule {
                    reads: also,
                    decide: &mut decide,
                });
                Some(ask(permit, rule))
            }
            SearchScope::PerMemory(candidates) => {
                let mut decide = |slot: &SlotFacts<'_>| {
                    candidates.decide(&lent(slot)).allowed && !is_forbidden(slot)
                };
                let permit = Permit::PerFacts(Rule {
                    reads: reads(candidates.reads()) | also,
                    decide: &mut decide,
                });
                Some(ask(permit, rule))
            }
        }
    }

    /// What policies forbid those who act for another; `None` if that is everything.
    fn forbidden<'a>(&'a self, asking: &'a Asking) -> Option<Vec<Box<Candidates<'a>>>> {
        let mut forbidden = Vec::new();
        for (role, facts) in asking.delegates(self.action, Resource::Memory) {
            match self.set.forbidden(role, &facts) {
                Forbidden::Nothing => {}
                Forbidden::All => return None,
                Forbidden::PerMemory(candidates) => forbidden.push(candidates),
            }
        }
        Some(forbidden)
    }

    /// Lists the live memories the caller may act on and means, by id, from the first after `after`.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for a filter that is none.
    pub fn select(
        &self,
        directory: &Directory,
        context: &Context,
        filter: &MemoryFilter,
        indexes: &Indexes,
        after: Option<MemoryId>,
        limit: usize,
    ) -> Result<Selection, WireError> {
        let choice = Choice::of(directory, context, filter)?;
        let index = indexes.of(context.actor.identity.tenant);
        let selection = self.with_permit(&choice, |permit, mut rule| {
            index.select(
                permit,
                &choice.attributes,
                rule.as_mut(),
                context.now,
                after,
                limit,
            )
        });
        Ok(selection.unwrap_or_default())
    }

    /// Counts the live memories the caller may act on and means.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for a filter that is none.
    pub fn stats(
        &self,
        directory: &Directory,
        context: &Context,
        filter: &MemoryFilter,
        indexes: &Indexes,
    ) -> Result<MemoryStats, WireError> {
        let choice = Choice::of(directory, context, filter)?;
        let tenant = context.actor.identity.tenant;
        let index = indexes.of(tenant);
        let stats = self.with_permit(&choice, |permit, mut rule| {
            index.stats(permit, &choice.attributes, rule.as_mut(), context.now)
        });
        let stats = stats.unwrap_or_default();
        let named = |counts: Vec<crate::index::Count<String>>| -> Vec<WireCount> {
            counts
                .into_iter()
                .map(|c| WireCount {
                    name: c.value,
                    count: c.count,
                })
                .collect()
        };
        let owner = |count: crate::index::Count<_>| WireCount {
            name: directory.identity(tenant, count.value).map_or_else(
                || count.value.to_string(),
                |owner| owner.external_id.to_string(),
            ),
            count: count.count,
        };
        Ok(MemoryStats {
            memories: stats.memories,
            by_type: named(stats.kinds),
            by_owner: stats.owners.into_iter().map(owner).collect(),
            by_namespace: named(stats.namespaces),
            by_tag: named(stats.tags),
            oldest: stats.oldest,
            newest: stats.newest,
            by_age: ages(stats.ages),
        })
    }
}

/// Counts by age with their names; ages that nothing is of are left out.
fn ages(counts: [u64; AGES.len()]) -> Vec<WireCount> {
    let named = AGES.iter().zip(counts).filter(|(_, count)| *count > 0);
    named
        .map(|((name, _), count)| WireCount {
            name: (*name).to_owned(),
            count,
        })
        .collect()
}

/// The plan with its memory as shown to the caller who did `action` to it, and whether it is a canary.
pub fn shown_as(
    directory: &Directory,
    context: &Context,
    action: Action,
    plan: Plan<Memory>,
) -> Plan<(MemoryView, bool)> {
    let permission = Permission::new(directory, context, action);
    let canary = plan.reply.canary;
    Plan {
        reply: (permission.show(directory, plan.reply, context.now), canary),
        writes: plan.writes,
        audit: plan.audit,
    }
}
