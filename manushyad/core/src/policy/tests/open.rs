//! Answers over a part of the facts, and what is found about policies without any: both are held to
//! the deciding over all facts.

use std::sync::Arc;

use manushya_protocol::id::{IdentityId, TenantId};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::oracle::{self, Answer};
use super::world::{MONDAY_0930, World, identity, policies, policy, remembered, request, world};
use crate::model::{Action, Effect, ExternalId, Identity, Policy, Resource, Role};
use crate::policy::{Certainty, Fact, Facts, Finding, PolicySet};

fn role() -> Role {
    Role::new("agent").unwrap()
}

/// A memory is there only where memories are acted on.
fn as_asked(world: World) -> World {
    let memory = world.memory.filter(|_| world.resource == Resource::Memory);
    World { memory, ..world }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Yes and no hold for every memory; a condition is true of exactly those that are allowed.
    #[test]
    fn answer_agrees_with_every_decision(
        policies in policies(),
        world in world(),
        memories in prop::collection::vec(prop::option::weighted(0.9, remembered()), 1..5),
    ) {
        let set = PolicySet::build(policies);
        let open = |fact: &Fact| matches!(fact, Fact::Memory(_));
        let answer = set.ask(&role(), &world.base(), &open);
        for memory in memories {
            let world = World { memory, ..world.clone() };
            let verdict = set.decide(&role(), &world.facts());
            match answer.certainty {
                Certainty::Yes => prop_assert!(verdict.allowed, "{:?}", &answer),
                Certainty::No => prop_assert!(!verdict.allowed, "{:?}", &answer),
                Certainty::Conditional => {
                    prop_assert!(!answer.depends_on.is_empty() && answer.policy.is_some());
                    if let Some(condition) = &answer.condition {
                        let truth = oracle::verdict(condition, &world.json());
                        let holds = truth == Answer::Is(true.into());
                        prop_assert_eq!(holds, verdict.allowed, "{} {:?}", condition, truth);
                    }
                }
            }
        }
    }

    /// With nothing open the answer is the decision.
    #[test]
    fn nothing_open_is_the_decision(policies in policies(), world in world()) {
        let set = PolicySet::build(policies);
        let answer = set.ask(&role(), &world.facts(), &|_| false);
        let verdict = set.decide(&role(), &world.facts());
        prop_assert_eq!(answer.certainty == Certainty::Yes, verdict.allowed);
        prop_assert_eq!(answer.certainty == Certainty::No, !verdict.allowed);
        prop_assert_eq!(answer.policy, verdict.policy);
    }

    /// What is said never to match, or to be hidden, can go without any decision changing.
    #[test]
    fn what_lint_calls_useless_changes_nothing(
        policies in policies(),
        worlds in prop::collection::vec(world(), 1..6),
    ) {
        let set = PolicySet::build(policies.iter().cloned());
        let useless = ["never-matches", "shadowed", "contradicts"];
        for finding in set.lint(std::iter::empty()) {
            let Some(policy) = finding.policy.filter(|_| useless.contains(&finding.kind)) else {
                continue;
            };
            let rest = policies.iter().filter(|it| it.name != policy.name).cloned();
            let without = PolicySet::build(rest);
            for world in worlds.iter().cloned().map(as_asked) {
                let decided = set.decide(&role(), &world.facts()).allowed;
                let same = without.decide(&role(), &world.facts()).allowed;
                prop_assert_eq!(decided, same, "{} {}", finding.kind, &policy.name);
                // Nor of what is approved.
                let decided = set.decide_beyond(&role(), &world.facts()).allowed;
                let same = without.decide_beyond(&role(), &world.facts()).allowed;
                prop_assert_eq!(decided, same, "{} {}", finding.kind, &policy.name);
            }
        }
    }
}

fn ask(rule: Value, effect: Effect) -> (Certainty, Option<Value>) {
    let mut all = vec![Arc::new(policy("p", rule, effect, 1))];
    if effect == Effect::Deny {
        all.push(Arc::new(policy("all", json!(true), Effect::Allow, 0)));
    }
    let (who, how) = (identity(Map::new()), request());
    let facts = Facts::new(Action::Read, Resource::Memory, &who, &how);
    let open = |fact: &Fact| matches!(fact, Fact::Memory(_) | Fact::Request(_));
    let answer = PolicySet::build(all).ask(&role(), &facts, &open);
    (answer.certainty, answer.condition)
}

#[test]
fn condition_is_what_remains_of_the_rule() {
    let secret = json!({"==": [{"var": "memory.type"}, "secret"]});
    let about = |action: &str| json!({"and": [{"==": [{"var": "action"}, action]}, secret]});
    let conditional = |condition: Value| (Certainty::Conditional, Some(condition));
    assert_eq!(
        ask(about("read"), Effect::Allow),
        conditional(secret.clone())
    );
    assert_eq!(ask(about("purge"), Effect::Allow), (Certainty::No, None));
    let not = json!({"!": [secret]});
    assert_eq!(ask(about("read"), Effect::Deny), conditional(not));
    assert_eq!(ask(about("purge"), Effect::Deny), (Certainty::Yes, None));
    // A claim that is not there is not known: it allows nothing, and a deny over it denies.
    let claim = json!({"==": [{"var": "identity.claims.team"}, {"var": "memory.type"}]});
    assert_eq!(ask(claim.clone(), Effect::Allow), (Certainty::No, None));
    assert_eq!(
        ask(claim.clone(), Effect::Deny),
        conditional(json!({"!": [claim]}))
    );
    // What cannot be true at once is no condition.
    let both = json!({"and": [{"==": [{"var": "memory.type"}, "a"]}, {"==": [{"var": "memory.type"}, "b"]}]});
    assert_eq!(ask(both, Effect::Allow), (Certainty::No, None));
}

fn person(role: &str, claims: Value) -> Identity {
    Identity {
        id: IdentityId::from_bytes([1; 16]),
        tenant: TenantId::from_bytes([3; 16]),
        external_id: ExternalId::new("a").unwrap(),
        role: Role::new(role).unwrap(),
        name: None,
        description: None,
        claims: claims.as_object().unwrap().clone(),
        is_active: true,
        quarantine: false,
        token_epoch: 0,
        created_at: MONDAY_0930,
        updated_at: MONDAY_0930,
    }
}

fn lint(policies: &[(&str, Value, Effect, i32)]) -> Vec<(&'static str, Option<String>)> {
    let all = policies.iter().map(|(name, rule, effect, priority)| {
        Arc::new(policy(name, rule.clone(), *effect, *priority))
    });
    let people = [person("agent", json!({"team": "x"}))];
    let found = PolicySet::build(all.collect::<Vec<Arc<Policy>>>()).lint(people.iter());
    let told = |it: Finding| (it.kind, it.policy.map(|policy| policy.name.to_string()));
    found.into_iter().map(told).collect()
}

#[test]
fn each_kind_of_finding_is_found() {
    let of = |kind: &'static str, name: &str| (kind, Some(name.to_owned()));
    let and = |parts: Value| json!({"and": parts});
    let trust = |op: &str, n: i64| json!({op: [{"var": "memory.trust"}, n]});
    let never = [
        json!(false),
        and(json!([trust("<", 10), trust(">", 20)])),
        trust(">", 100),
        json!({"==": [{"var": "memory.type"}, 5]}),
        json!({"and": [{"==": [{"var": "resource"}, "policy"]}, trust("<", 10)]}),
        json!({"and": [{"in": [{"var": "memory.type"}, ["a", "b"]]}, {"!": {"==": [{"var": "memory.type"}, "a"]}}, {"!=": [{"var": "memory.type"}, "b"]}]}),
    ];
    for rule in never {
        let found = lint(&[("p", rule.clone(), Effect::Allow, 0)]);
        assert!(
            found.contains(&of("never-matches", "p")),
            "{rule}: {found:?}"
        );
    }
    let found = lint(&[(
        "p",
        json!({"==": [{"var": "action"}, "raed"]}),
        Effect::Allow,
        0,
    )]);
    assert!(found.contains(&of("unknown-word", "p")), "{found:?}");
    assert!(found.contains(&of("never-matches", "p")), "{found:?}");
    let read = json!({"==": [{"var": "action"}, "read"]});
    let found = lint(&[
        ("high", read.clone(), Effect::Allow, 5),
        ("low", and(json!([read, trust("<", 5)])), Effect::Deny, 0),
        ("yes", trust("<", 9), Effect::Allow, 1),
        ("no", trust("<", 9), Effect::Deny, 1),
    ]);
    assert!(found.contains(&of("shadowed", "low")), "{found:?}");
    assert!(found.contains(&of("contradicts", "yes")), "{found:?}");
    assert!(
        !found.iter().any(|it| it.1.as_deref() == Some("high")),
        "{found:?}"
    );
    assert!(
        !found.iter().any(|it| it.1.as_deref() == Some("no")),
        "{found:?}"
    );
    let found = lint(&[
        ("or", json!({"or": [true, trust("<", 5)]}), Effect::Allow, 5),
        (
            "claim",
            json!({"==": [{"var": "claims.nobody"}, "x"]}),
            Effect::Allow,
            9,
        ),
    ]);
    assert!(found.contains(&of("unused-fact", "or")), "{found:?}");
    assert!(found.contains(&of("unused-fact", "claim")), "{found:?}");
    assert!(found.contains(&("unused-claim", None)), "{found:?}");
    assert!(!found.contains(&("default", None)), "{found:?}");
    let found = lint(&[(
        "read",
        json!({"==": [{"var": "action"}, "read"]}),
        Effect::Allow,
        0,
    )]);
    assert_eq!(found, [("unused-claim", None), ("default", None)]);
}

/// A deny below the same rule as an allow still decides where the rule is not known.
#[test]
fn deny_is_not_hidden_by_an_allow_of_the_same_rule() {
    let rule = json!({"==": [{"var": "memory.metadata.level"}, 1]});
    let found = lint(&[
        ("yes", rule.clone(), Effect::Allow, 5),
        ("no", rule, Effect::Deny, 0),
    ]);
    assert!(
        !found.iter().any(|(kind, _)| *kind == "shadowed"),
        "{found:?}"
    );
}
