//! All policies of a tenant, and the deciding.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use manushya_protocol::v1::policy::DecisionView;

use super::error::RuleError;
use super::facts::Facts;
use super::node::{PAIRS, place};
use super::rule::Rule;
use super::truth::Truth;
use crate::model::{Action, Effect, Policy, PolicyStamp, Resource, Role};

/// Why it was decided as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The rule of the policy is true.
    Matched,
    /// The rule of a deny is not known, which counts as true. The text says why, without values.
    NotKnown(String),
    /// No policy matched, so it is denied.
    NothingMatched,
}

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The policy that decided; none if nothing matched.
    pub policy: Option<Arc<Policy>>,
    /// Why.
    pub reason: Reason,
}

impl Verdict {
    /// What is decided when no policy matches.
    pub fn nothing_matched() -> Self {
        Self {
            allowed: false,
            policy: None,
            reason: Reason::NothingMatched,
        }
    }

    /// The policy and revision that decided, as audit entries name them.
    pub fn stamp(&self) -> Option<PolicyStamp> {
        self.policy.as_ref().map(|policy| policy.stamp())
    }

    /// The policy that asks for an approval, if that is what was decided.
    pub fn requires(&self) -> Option<&Arc<Policy>> {
        let policy = self.policy.as_ref();
        policy.filter(|policy| policy.effect == Effect::Require)
    }

    /// The effect of the policy that decided.
    pub fn effect(&self) -> Option<Effect> {
        self.policy.as_ref().map(|policy| policy.effect)
    }

    /// Why, in one sentence for people.
    pub fn sentence(&self) -> String {
        let Some(policy) = &self.policy else {
            return "no policy matches, and what no policy allows is denied".to_owned();
        };
        let name = &policy.name;
        match (&self.reason, policy.effect) {
            (Reason::NotKnown(why), Effect::Require) => format!(
                "policy `{name}` asks for an approval, since its rule cannot be decided: {why}"
            ),
            (Reason::NotKnown(why), _) => {
                format!("policy `{name}` denies it, since its rule cannot be decided: {why}")
            }
            (_, Effect::Allow) => format!("policy `{name}` allows it"),
            (_, Effect::Deny) => format!("policy `{name}` denies it"),
            (_, Effect::Redact) => format!("policy `{name}` redacts it"),
            (_, Effect::Require) => format!("policy `{name}` asks for an approval"),
        }
    }

    /// The decision as shown.
    pub fn view(&self) -> DecisionView {
        DecisionView {
            allowed: self.allowed,
            policy: self.policy.as_ref().map(|policy| policy.name.to_string()),
            revision: self.policy.as_ref().map(|policy| policy.revision),
            reason: self.sentence(),
        }
    }
}

/// A policy, ready to be evaluated.
#[derive(Debug)]
pub(super) struct Entry {
    pub policy: Arc<Policy>,
    /// The rule; none if it does not pass the fence.
    pub rule: Result<Rule, Vec<RuleError>>,
}

impl Entry {
    fn new(policy: Arc<Policy>) -> Self {
        let rule = Rule::parse(&policy.rule);
        Self { policy, rule }
    }

    /// Where it stands: falling priority, denies before approvals before allows, then by name.
    fn rank(&self) -> (Reverse<i32>, u8, &str) {
        let policy = &self.policy;
        let strictness = match policy.effect {
            Effect::Deny => 0,
            Effect::Require => 1,
            Effect::Allow | Effect::Redact => 2,
        };
        (Reverse(policy.priority), strictness, policy.name.as_str())
    }

    /// Whether its rule may be other than false; cheap.
    pub fn admits(&self, action: Action, resource: Resource) -> bool {
        self.rule
            .as_ref()
            .map_or(true, |rule| rule.admits(action, resource))
    }

    pub fn evaluate(&self, facts: &Facts<'_>) -> Truth {
        match &self.rule {
            Ok(rule) => rule.evaluate(facts),
            Err(errors) => refused(errors),
        }
    }

    /// Whether it is an allow.
    pub fn can_allow(&self) -> bool {
        self.policy.effect == Effect::Allow
    }

    /// What the policy decides when its rule comes to `truth`, if anything.
    pub fn decide(&self, truth: Truth) -> Option<Verdict> {
        let reason = match (truth, self.policy.effect) {
            (Truth::True, _) => Reason::Matched,
            // A deny that cannot be decided denies; an allow that cannot be decided allows nothing.
            (Truth::Unknown(missing), Effect::Deny | Effect::Require) => {
                Reason::NotKnown(missing.to_string())
            }
            (Truth::Error(reason), Effect::Deny | Effect::Require) => {
                Reason::NotKnown(reason.into_owned())
            }
            (Truth::Unknown(_) | Truth::Error(_), Effect::Allow) | (Truth::False, _) => {
                return None;
            }
            // Redactions stand beside the deciding and never reach it.
            (Truth::Unknown(_) | Truth::Error(_), Effect::Redact) => return None,
        };
        Some(Verdict {
            allowed: self.policy.effect == Effect::Allow,
            policy: Some(Arc::clone(&self.policy)),
            reason,
        })
    }
}

/// What a stored rule that does not pass the fence comes to.
pub(super) fn refused(errors: &[RuleError]) -> Truth {
    let first = errors.first().map(RuleError::to_string).unwrap_or_default();
    Truth::Error(format!("the rule is refused: {first}").into())
}

/// Policies in the order they are read, and which of them speak of a pair of action and resource.
#[derive(Debug, Default)]
struct Ranked {
    entries: Vec<Entry>,
    /// For each place of a pair, those whose rule may be other than false, in the same order.
    by_pair: Vec<Box<[u32]>>,
}

impl Ranked {
    fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|a, b| a.rank().cmp(&b.rank()));
        let mut by_pair = vec![Vec::new(); PAIRS];
        for action in Action::ALL {
            for resource in Resource::ALL {
                let Some(place) = place(*action, *resource) else {
                    continue;
                };
                let admitting = (0_u32..)
                    .zip(&entries)
                    .filter(|(_, entry)| entry.admits(*action, *resource));
                by_pair[place] = admitting.map(|(index, _)| index).collect();
            }
        }
        Self {
            entries,
            by_pair: by_pair.into_iter().map(Vec::into_boxed_slice).collect(),
        }
    }

    /// Those that may match for a pair, in order.
    fn admitting(&self, action: Action, resource: Resource) -> impl Iterator<Item = &Entry> {
        let indexed = place(action, resource).and_then(|place| self.by_pair.get(place));
        let indices = indexed.map_or(&[][..], |indices| indices);
        // A pair without a place of its own is looked for among all.
        let all = indexed.is_none().then_some(&self.entries);
        let found = indices
            .iter()
            .filter_map(|index| self.entries.get(*index as usize));
        found.chain(all.into_iter().flatten())
    }
}

/// Two rows of policies as one, in the order they are read.
fn merged<'a>(
    own: impl Iterator<Item = &'a Entry>,
    any: impl Iterator<Item = &'a Entry>,
) -> impl Iterator<Item = &'a Entry> {
    let (mut own, mut any) = (own.peekable(), any.peekable());
    std::iter::from_fn(move || match (own.peek(), any.peek()) {
        (Some(a), Some(b)) if a.rank() > b.rank() => any.next(),
        (Some(_), _) => own.next(),
        (None, _) => any.next(),
    })
}

/// The active policies of one tenant, parsed once.
#[derive(Debug, Default)]
pub struct PolicySet {
    by_role: HashMap<Role, Ranked>,
    /// Those for every role.
    any: Ranked,
    /// Those that mask, of all roles, by name.
    redactions: Vec<Entry>,
}

impl PolicySet {
    /// Takes the active ones of `policies`, which are all of one tenant.
    ///
    /// A stored rule that does not pass the fence never allows, and as a deny it always matches.
    pub fn build(policies: impl IntoIterator<Item = Arc<Policy>>) -> Self {
        let mut by_role: HashMap<Role, Vec<Entry>> = HashMap::new();
        let (mut any, mut redactions) = (Vec::new(), Vec::new());
        for policy in policies.into_iter().filter(|policy| policy.is_active) {
            let entries = match &policy.role {
                _ if policy.effect == Effect::Redact => &mut redactions,
                Some(role) => by_role.entry(role.clone()).or_default(),
                None => &mut any,
            };
            entries.push(Entry::new(policy));
        }
        redactions.sort_by(|a, b| a.policy.name.cmp(&b.policy.name));
        Self {
            by_role: by_role
                .into_iter()
                .map(|(role, entries)| (role, Ranked::of(entries)))
                .collect(),
            any: Ranked::of(any),
            redactions,
        }
    }

    /// Whether any policy asks for approvals.
    pub fn requires_anything(&self) -> bool {
        let own = self.by_role.values().flat_map(|ranked| &ranked.entries);
        own.chain(&self.any.entries)
            .any(|entry| entry.policy.effect == Effect::Require)
    }

    /// How many active policies there are.
    pub fn len(&self) -> usize {
        let own = self.by_role.values().map(|ranked| ranked.entries.len());
        self.any.entries.len() + self.redactions.len() + own.sum::<usize>()
    }

    /// Whether there is none, so that everything is denied.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether any policy masks.
    pub fn redacts(&self) -> bool {
        !self.redactions.is_empty()
    }

    /// The policies that mask, of all roles.
    pub(super) fn all_redactions(&self) -> impl Iterator<Item = &Entry> {
        self.redactions.iter()
    }

    /// The policies that mask for `role`.
    pub(super) fn redactions(&self, role: &Role) -> impl Iterator<Item = &Entry> {
        let of = move |entry: &&Entry| entry.policy.role.as_ref().is_none_or(|of| of == role);
        self.redactions.iter().filter(of)
    }

    /// All policies that allow or deny, in the order they are read.
    pub(super) fn all_entries(&self) -> Vec<&Entry> {
        let own = self.by_role.values().flat_map(|ranked| &ranked.entries);
        let mut all: Vec<&Entry> = own.chain(&self.any.entries).collect();
        all.sort_by(|a, b| a.rank().cmp(&b.rank()));
        all
    }

    /// The policies that rule `role`, in the order they are read.
    pub(super) fn entries(&self, role: &Role) -> impl Iterator<Item = &Entry> {
        let own = self.by_role.get(role);
        let own = own.into_iter().flat_map(|ranked| &ranked.entries);
        merged(own, self.any.entries.iter())
    }

    /// Those of them that may match for a pair; found without looking at the others.
    pub(super) fn admitting(
        &self,
        role: &Role,
        action: Action,
        resource: Resource,
    ) -> impl Iterator<Item = &Entry> {
        let own = self.by_role.get(role);
        let own = own
            .into_iter()
            .flat_map(move |ranked| ranked.admitting(action, resource));
        merged(own, self.any.admitting(action, resource))
    }

    /// Decides as if no policy asked for an approval.
    pub fn decide_beyond(&self, role: &Role, facts: &Facts<'_>) -> Verdict {
        self.admitting(role, facts.action(), facts.resource())
            .filter(|entry| entry.policy.effect != Effect::Require)
            .find_map(|entry| entry.decide(entry.evaluate(facts)))
            .unwrap_or_else(Verdict::nothing_matched)
    }

    /// Decides for `role` over `facts`. What needs an approval is not allowed.
    ///
    /// The first priority at which any rule matches decides, and there a deny beats an allow. If
    /// nothing matches, it is denied. Rules about other roles, actions and resources cost nothing,
    /// others a microsecond or two for each comparison.
    pub fn decide(&self, role: &Role, facts: &Facts<'_>) -> Verdict {
        // Denies are read before the allows of their priority, so that the first match decides.
        self.admitting(role, facts.action(), facts.resource())
            .find_map(|entry| entry.decide(entry.evaluate(facts)))
            .unwrap_or_else(Verdict::nothing_matched)
    }
}
