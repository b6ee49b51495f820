//! Properties over random rules, facts and policies. `PROPTEST_CASES` says how many; before a release
//! a million.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::oracle::{self, Answer};
use super::world::{World, policies, remembered, rule, scalar, world};
use crate::model::{Effect, Policy, Redacted, Role};
use crate::policy::{Filter, PolicySet, Rule, SearchScope, Truth, Verdict};

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(cases.unwrap_or(3000))
}

fn class(truth: &Truth) -> Answer {
    match truth {
        Truth::True => Answer::Is(true.into()),
        Truth::False => Answer::Is(false.into()),
        Truth::Unknown(_) => Answer::Unknown,
        Truth::Error(_) => Answer::Error,
    }
}

fn role() -> Role {
    Role::new("agent").unwrap()
}

/// Decides by the oracle: the deciding priority, and the strictest effect that matches there.
fn decide_plainly(policies: &[Arc<Policy>], facts: &Value) -> Option<(i32, Effect)> {
    let matching: Vec<&Arc<Policy>> = policies
        .iter()
        .filter(|policy| policy.is_active)
        .filter(|policy| match oracle::verdict(&policy.rule, facts) {
            Answer::Is(value) => value == Value::Bool(true),
            Answer::Unknown | Answer::Error => policy.effect != Effect::Allow,
        })
        .collect();
    let highest = matching.iter().map(|policy| policy.priority).max()?;
    let says = |effect| {
        let mut deciding = matching.iter().filter(|policy| policy.priority == highest);
        deciding.any(|policy| policy.effect == effect)
    };
    let strict = [Effect::Deny, Effect::Require];
    let found = strict.into_iter().find(|effect| says(*effect));
    Some((highest, found.unwrap_or(Effect::Allow)))
}

fn reversed(rule: &Value) -> Value {
    let Value::Object(map) = rule else {
        return rule.clone();
    };
    let (operator, operands) = map.iter().next().unwrap();
    let operands = match operands {
        Value::Array(items) => items.iter().map(reversed).collect::<Vec<_>>(),
        single => return json!({operator: reversed(single)}),
    };
    match operator.as_str() {
        "and" | "or" => json!({operator: operands.into_iter().rev().collect::<Vec<_>>()}),
        _ => json!({operator: operands}),
    }
}

/// The rule without `!!`, the one operator that may answer for a missing fact.
fn never_asking_whether_there(rule: &Value) -> Value {
    match rule {
        Value::Object(map) => {
            let (operator, operands) = map.iter().next().unwrap();
            let operands = never_asking_whether_there(operands);
            match (operator.as_str(), operands) {
                ("!!", operands @ Value::Array(_)) => json!({"and": operands}),
                (operator, operands) => json!({operator: operands}),
            }
        }
        Value::Array(items) => items.iter().map(never_asking_whether_there).collect(),
        scalar => scalar.clone(),
    }
}

/// The world without one of its facts.
fn poorer(world: &World, which: usize) -> World {
    let mut poorer = world.clone();
    let memory = poorer.memory.as_mut();
    match (which % 4, memory) {
        (0, _) => {
            poorer.identity.claims.remove("a");
        }
        (1, _) => {
            poorer.identity.claims.remove("b");
        }
        (2, Some(memory)) => {
            memory.session = None;
            memory.metadata.remove("a");
        }
        _ => poorer.memory = None,
    }
    poorer
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn engine_agrees_with_the_oracle(rule in rule(), world in world()) {
        let parsed = Rule::parse(&rule).unwrap();
        let truth = parsed.evaluate(&world.facts());
        prop_assert_eq!(class(&truth), oracle::verdict(&rule, &world.json()), "{:?}", truth);
    }

    #[test]
    fn order_of_parts_does_not_matter(rule in rule(), world in world()) {
        let turned = Rule::parse(&reversed(&rule)).unwrap().evaluate(&world.facts());
        let straight = Rule::parse(&rule).unwrap().evaluate(&world.facts());
        prop_assert_eq!(class(&straight), class(&turned));
    }

    #[test]
    fn missing_fact_never_decides(rule in rule(), world in world(), which in 0..4_usize) {
        let rule = Rule::parse(&never_asking_whether_there(&rule)).unwrap();
        let less = rule.evaluate(&poorer(&world, which).facts());
        if matches!(less, Truth::True | Truth::False) {
            prop_assert_eq!(less, rule.evaluate(&world.facts()));
        }
    }

    #[test]
    fn decision_agrees_with_the_oracle(policies in policies(), world in world()) {
        let set = PolicySet::build(policies.iter().cloned());
        let verdict = set.decide(&role(), &world.facts());
        let plain = decide_plainly(&policies, &world.json());
        let allowed = plain.is_some_and(|(_, effect)| effect == Effect::Allow);
        prop_assert_eq!(verdict.allowed, allowed, "{:?}", &verdict);
        let said = |verdict: &Verdict| {
            let policy = verdict.policy.as_ref();
            policy.map(|policy| (policy.priority, policy.effect))
        };
        prop_assert_eq!(said(&verdict), plain);
        // What is approved is decided as if nobody had asked for an approval.
        let beyond = set.decide_beyond(&role(), &world.facts());
        let without = policies.into_iter().filter(|policy| policy.effect != Effect::Require);
        let plain = decide_plainly(&without.collect::<Vec<_>>(), &world.json());
        prop_assert_eq!(said(&beyond), plain);
        prop_assert!(!allowed || beyond.allowed, "an approval takes nothing away");
    }

    #[test]
    fn masks_agree_with_the_oracle(policies in policies(), world in world()) {
        // Each policy masks a key of its own.
        let masking = policies.iter().enumerate().map(|(place, policy)| {
            let mut policy = Policy::clone(policy);
            policy.effect = Effect::Redact;
            policy.fields = vec![Redacted::Key(place.to_string())];
            Arc::new(policy)
        });
        let masking: Vec<Arc<Policy>> = masking.collect();
        let set = PolicySet::build(masking.iter().cloned());
        let facts = world.facts();
        let Some(memory) = world.memory.as_ref() else { return Ok(()) };
        let mask = set.masking(&role(), &facts).of(&memory.facts());
        for (place, policy) in masking.iter().enumerate() {
            let hides = policy.is_active
                && oracle::verdict(&policy.rule, &world.json()) != Answer::Is(false.into());
            prop_assert_eq!(mask.keys.contains(&place.to_string()), hides, "{:?}", policy.rule);
        }
        // They decide nothing.
        prop_assert_eq!(set.decide(&role(), &facts), Verdict::nothing_matched());
    }

    #[test]
    fn scope_agrees_with_the_decision(
        policies in policies(),
        world in world(),
        memories in prop::collection::vec(remembered(), 1..4),
    ) {
        let set = PolicySet::build(policies);
        let base = world.base();
        let scope = set.scope(&role(), &base);
        for memory in memories {
            let verdict = set.decide(&role(), &world.base().with_memory(memory.facts()));
            match &scope {
                SearchScope::All(all) => prop_assert_eq!(all, &verdict),
                SearchScope::Nothing(nothing) => {
                    prop_assert!(!verdict.allowed && !nothing.allowed);
                }
                SearchScope::PerMemory(candidates) => {
                    prop_assert_eq!(&candidates.decide(&memory.facts()), &verdict);
                    // Facts that are not read make no difference.
                    let reads = candidates.reads();
                    let mut facts = memory.facts();
                    let has = |fact| reads.contains(&fact);
                    use crate::policy::MemoryFact as F;
                    facts.id = facts.id.filter(|_| has(F::Id));
                    facts.owner = facts.owner.filter(|_| has(F::Owner));
                    facts.kind = facts.kind.filter(|_| has(F::Kind));
                    let place = has(F::Namespace) || has(F::NamespacePath);
                    facts.namespace = facts.namespace.filter(|_| place);
                    facts.tags = facts.tags.filter(|_| has(F::Tags));
                    facts.session = facts.session.filter(|_| has(F::Session));
                    facts.trust = facts.trust.filter(|_| has(F::Trust));
                    facts.age_seconds = facts.age_seconds.filter(|_| has(F::AgeSeconds));
                    facts.writer = facts.writer.filter(|_| has(F::Writer));
                    facts.quarantined = facts.quarantined.filter(|_| has(F::Quarantined));
                    let keyed = reads.iter().any(|fact| matches!(fact, F::Metadata(_)));
                    facts.metadata = facts.metadata.filter(|_| keyed);
                    prop_assert_eq!(&candidates.decide(&facts), &verdict);
                    let timed = reads.contains(&F::AgeSeconds);
                    prop_assert!(!timed || candidates.depends_on_time());
                }
            }
        }
    }

    #[test]
    fn explanation_agrees_with_the_decision(policies in policies(), world in world()) {
        let set = PolicySet::build(policies);
        let verdict = set.decide(&role(), &world.facts());
        let explained = set.explain(&role(), &world.facts());
        prop_assert_eq!(&explained.decision, &verdict.view());
        prop_assert_eq!(explained.steps.len(), set.len());
        let decided: Vec<_> = explained.steps.iter().filter(|step| step.decided).collect();
        prop_assert_eq!(decided.is_empty(), verdict.policy.is_none());
        for step in &explained.steps {
            prop_assert_eq!(step.read, !step.result.is_empty());
            prop_assert_eq!(step.read, step.trace.is_some());
        }
        for step in decided {
            prop_assert_eq!(Some(step.effect), verdict.effect());
        }
    }

    #[test]
    fn filter_selects_what_is_exactly_true(
        rule in rule(), memory in remembered(), world in world(),
    ) {
        let only_memory = World { memory: Some(memory), ..world };
        match Filter::parse(&rule) {
            Ok(filter) => {
                let expected = oracle::verdict(&rule, &only_memory.json());
                let memory = only_memory.memory.as_ref().unwrap().facts();
                prop_assert_eq!(filter.matches(&memory), expected == Answer::Is(true.into()));
            }
            Err(errors) => {
                prop_assert!(errors.iter().all(|error| error.reason.contains("memory.*")));
            }
        }
    }

    #[test]
    fn arbitrary_json_is_refused_or_evaluated_but_never_panics(
        rule in json_like(), world in world(),
    ) {
        match Rule::parse(&rule) {
            Ok(rule) => { rule.evaluate(&world.facts()); }
            Err(errors) => prop_assert!((1..=16).contains(&errors.len())),
        }
    }
}

/// JSON that is nearly a rule.
fn json_like() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        scalar(),
        Just(Value::Null),
        Just(json!(1e300)),
        Just(json!(u64::MAX)),
        prop::sample::select(vec!["action", "memory.type", "memory.tags.0", "x", "~/"])
            .prop_map(|name| json!({"var": name})),
    ];
    leaf.prop_recursive(6, 64, 4, |inner| {
        let key = prop::sample::select(vec![
            "==", "in", "and", "!", "!!", "if", "some", "all", "none", "var", "<", "map", "log", "",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            (key.clone(), inner.clone()).prop_map(|(key, value)| json!({key: value})),
            (key.clone(), prop::collection::vec(inner.clone(), 0..4))
                .prop_map(|(key, values)| json!({key: values})),
            (key, inner).prop_map(|(key, value)| json!({key: value, "other": 1})),
        ]
    })
}
