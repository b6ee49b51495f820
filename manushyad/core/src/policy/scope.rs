//! Decides for a search what can be decided without a memory, and leaves the rest to each of them.

use std::collections::BTreeSet;

use super::eval::{View, evaluate};
use super::fact::MemoryFact;
use super::facts::{Facts, MemoryFacts};
use super::node::Node;
use super::partial::without_memory;
use super::rule::Reads;
use super::set::{Entry, PolicySet, Verdict, refused};
use super::truth::Truth;
use crate::model::Role;

/// Which memories a request may touch.
#[derive(Debug)]
pub enum SearchScope<'a> {
    /// Every memory; the verdict is the one that holds for each.
    All(Verdict),
    /// No memory.
    Nothing(Verdict),
    /// It depends on the memory.
    PerMemory(Box<Candidates<'a>>),
}

/// The rules that remain to be asked about each memory.
#[derive(Debug)]
pub struct Candidates<'a> {
    facts: Facts<'a>,
    pending: Vec<(&'a Entry, Node)>,
    otherwise: Verdict,
    reads: Reads,
}

impl PolicySet {
    /// Decides for `role` over `facts` as far as that goes without a memory; a memory among them is
    /// not looked at.
    ///
    /// Rules that are false whatever the memory is are dropped, and below a rule that is true
    /// whatever the memory is none is read. For every memory the scope agrees with
    /// [`PolicySet::decide`] on whether it is allowed, and unless it is [`SearchScope::Nothing`] on
    /// the policy that decides, too.
    pub fn scope<'a>(&'a self, role: &Role, facts: &Facts<'a>) -> SearchScope<'a> {
        let view = View {
            facts: Some(facts),
            memory: None,
            item: None,
        };
        let (action, resource) = (facts.action(), facts.resource());
        let mut pending = Vec::new();
        let mut otherwise = Verdict::nothing_matched();
        for entry in self.admitting(role, action, resource) {
            let rest = match &entry.rule {
                Ok(rule) => without_memory(rule.root(), view),
                Err(errors) => Node::Fixed(refused(errors).into()),
            };
            if let Node::Fixed(outcome) = rest {
                if let Some(verdict) = entry.decide(outcome.into_verdict()) {
                    otherwise = verdict;
                    break;
                }
            } else {
                pending.push((entry, rest));
            }
        }
        let can_allow = |(entry, _): &(&Entry, Node)| entry.can_allow();
        if !otherwise.allowed && !pending.iter().any(can_allow) {
            return SearchScope::Nothing(otherwise);
        }
        if pending.is_empty() {
            return SearchScope::All(otherwise);
        }
        SearchScope::PerMemory(Box::new(Candidates {
            reads: Reads::of(pending.iter().map(|(_, rest)| rest)),
            facts: facts.clone(),
            pending,
            otherwise,
        }))
    }
}

/// Which memories the policies of a role forbid, whoever may allow them.
#[derive(Debug)]
pub enum Forbidden<'a> {
    /// None.
    Nothing,
    /// Every memory.
    All,
    /// It depends on the memory: those for which a policy decides, and denies.
    PerMemory(Box<Candidates<'a>>),
}

impl PolicySet {
    /// Decides for `role` over `facts`, as far as that goes without a memory, what a policy denies.
    /// What is denied only because no policy matches is not forbidden.
    pub fn forbidden<'a>(&'a self, role: &Role, facts: &Facts<'a>) -> Forbidden<'a> {
        let view = View {
            facts: Some(facts),
            memory: None,
            item: None,
        };
        let (action, resource) = (facts.action(), facts.resource());
        let mut pending = Vec::new();
        let mut otherwise = Verdict::nothing_matched();
        for entry in self
            .entries(role)
            .filter(|entry| entry.admits(action, resource))
        {
            let rest = match &entry.rule {
                Ok(rule) => without_memory(rule.root(), view),
                Err(errors) => Node::Fixed(refused(errors).into()),
            };
            if let Node::Fixed(outcome) = rest {
                if let Some(verdict) = entry.decide(outcome.into_verdict()) {
                    otherwise = verdict;
                    break;
                }
            } else {
                pending.push((entry, rest));
            }
        }
        let at_the_end = otherwise.policy.is_some() && !otherwise.allowed;
        let denies = |(entry, _): &(&Entry, Node)| !entry.can_allow();
        if !at_the_end && !pending.iter().any(denies) {
            return Forbidden::Nothing;
        }
        if at_the_end && pending.iter().all(denies) {
            return Forbidden::All;
        }
        Forbidden::PerMemory(Box::new(Candidates {
            reads: Reads::of(pending.iter().map(|(_, rest)| rest)),
            facts: facts.clone(),
            pending,
            otherwise,
        }))
    }
}

impl Candidates<'_> {
    /// Whether a policy decides about one memory, and denies it.
    pub fn forbids(&self, memory: &MemoryFacts<'_>) -> bool {
        let verdict = self.decide(memory);
        !verdict.allowed && verdict.policy.is_some()
    }

    /// Decides about one memory. Only the facts that [`Self::reads`] names need be set.
    pub fn decide(&self, memory: &MemoryFacts<'_>) -> Verdict {
        let view = View {
            facts: Some(&self.facts),
            memory: Some(memory),
            item: None,
        };
        let matched = self.pending.iter().find_map(|(entry, rest)| {
            let truth: Truth = evaluate(rest, view).into_verdict();
            entry.decide(truth)
        });
        matched.unwrap_or_else(|| self.otherwise.clone())
    }

    /// The facts of a memory that are read. Memories that do not differ in them are decided alike,
    /// so that it is enough to decide once for each combination.
    pub fn reads(&self) -> &BTreeSet<MemoryFact> {
        &self.reads.memory
    }

    /// Whether the decision changes by the clock, so that it may not be kept for a later request.
    pub fn depends_on_time(&self) -> bool {
        self.reads.time
    }
}
