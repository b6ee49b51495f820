//! Precedence, the starter policies, stored rules that no longer parse, and explanations.

use std::sync::Arc;

use manushya_protocol::id::MemoryId;
use manushya_protocol::unit::UnixMillis;
use serde_json::{Map, Value, json};

use super::world::{identity, me, other, policy, request};
use crate::model::{
    Action, Effect, EmbedderTag, Kind, Memory, MemoryContent, Namespace, Policy, PolicyName,
    Provenance, Resource, Role, Tag, Trust,
};
use crate::policy::{
    Facts, MemoryFacts, PolicySet, Reason, SearchScope, TargetFacts, starter_policies,
};

fn agent() -> Role {
    Role::new("agent").unwrap()
}

fn set(policies: Vec<Policy>) -> PolicySet {
    PolicySet::build(policies.into_iter().map(Arc::new))
}

fn decider(policies: Vec<Policy>) -> (bool, Option<String>) {
    let (identity, request) = (identity(Map::new()), request());
    let facts = Facts::new(Action::Read, Resource::Memory, &identity, &request);
    let verdict = set(policies).decide(&agent(), &facts);
    assert_eq!(verdict.stamp().is_some(), verdict.policy.is_some());
    (
        verdict.allowed,
        verdict.policy.map(|policy| policy.name.to_string()),
    )
}

fn starters() -> PolicySet {
    let all = starter_policies().into_iter().map(|starter| {
        let mut policy = policy(starter.name, starter.rule, starter.effect, starter.priority);
        policy.role = starter.role.map(|role| Role::new(role).unwrap());
        Arc::new(policy)
    });
    PolicySet::build(all)
}

#[test]
fn nothing_matches_and_it_is_denied() {
    assert_eq!(decider(vec![]), (false, None));
    assert_eq!(
        decider(vec![policy("a", json!(false), Effect::Allow, 0)]),
        (false, None)
    );
    let mut inactive = policy("a", json!(true), Effect::Allow, 0);
    inactive.is_active = false;
    assert_eq!(decider(vec![inactive]), (false, None));
    let mut foreign = policy("a", json!(true), Effect::Allow, 0);
    foreign.role = Some(Role::new("admin").unwrap());
    assert_eq!(decider(vec![foreign]), (false, None));
}

#[test]
fn highest_matching_priority_decides_and_deny_beats_allow_there() {
    let allow = |name: &str, at| policy(name, json!(true), Effect::Allow, at);
    let deny = |name: &str, at| policy(name, json!(true), Effect::Deny, at);
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(
        decider(vec![allow("a", 0), deny("d", 0)]),
        (false, named("d"))
    );
    assert_eq!(
        decider(vec![allow("a", 1), deny("d", 0)]),
        (true, named("a"))
    );
    assert_eq!(
        decider(vec![allow("a", i32::MIN), deny("d", i32::MAX)]),
        (false, named("d"))
    );
    let skipped = policy("s", json!(false), Effect::Deny, 9);
    assert_eq!(
        decider(vec![skipped, allow("b", 0), allow("a", 0)]),
        (true, named("a"))
    );
    let mut everyone = deny("everyone", 1);
    everyone.role = None;
    assert_eq!(
        decider(vec![allow("a", 0), everyone]),
        (false, named("everyone"))
    );
}

#[test]
fn stored_rule_that_is_refused_never_allows_and_always_denies() {
    let hostile = json!({"if": [{"unknown": 1}, true], "x": 1});
    assert_eq!(
        decider(vec![policy("a", hostile.clone(), Effect::Allow, 0)]),
        (false, None)
    );
    let allow = policy("a", json!(true), Effect::Allow, 0);
    let deny = policy("d", hostile, Effect::Deny, 0);
    assert_eq!(
        decider(vec![allow.clone(), deny.clone()]),
        (false, Some("d".into()))
    );

    let (identity, request) = (identity(Map::new()), request());
    let facts = Facts::new(Action::Read, Resource::Memory, &identity, &request);
    let set = set(vec![allow, deny]);
    let explained = set.explain(&agent(), &facts);
    assert!(
        explained.steps[0]
            .result
            .starts_with("error: the rule is refused")
    );
    assert!(explained.decision.reason.contains("cannot be decided"));
    assert!(matches!(
        set.scope(&agent(), &facts),
        SearchScope::Nothing(_)
    ));
}

fn memory(owner: manushya_protocol::id::IdentityId) -> Memory {
    Memory {
        id: MemoryId::from_bytes([5; 16]),
        tenant: manushya_protocol::id::TenantId::from_bytes([3; 16]),
        owner,
        key: None,
        content: MemoryContent {
            text: "the user prefers dark mode".into(),
            kind: Kind::new("preference").unwrap(),
            tags: vec![Tag::new("ui").unwrap()],
            metadata: Map::from_iter([("source".to_owned(), json!("chat"))]),
            namespace: Namespace::new("/team/x").unwrap(),
            session: None,
            trust: Trust::default(),
            expires_at: None,
        },
        vector: None,
        embedder: EmbedderTag::default(),
        version: 1,
        created_at: UnixMillis(1_000),
        updated_at: UnixMillis(1_000),
        deleted_at: None,
        provenance: Provenance::plain(
            owner,
            manushya_protocol::id::RequestId::from_bytes([0; 16]),
            UnixMillis(1_000),
        ),
        quarantined: false,
        canary: false,
        superseded: None,
        supersedes: Vec::new(),
    }
}

#[test]
fn starter_policies_open_what_is_ones_own_and_nothing_else() {
    let set = starters();
    let (identity, request) = (identity(Map::new()), request());
    let now = UnixMillis(61_999);
    let decide = |role: &str, action, resource, owner| {
        let memory = memory(owner);
        let facts = Facts::new(action, resource, &identity, &request)
            .with_memory(MemoryFacts::new(&memory, now));
        set.decide(&Role::new(role).unwrap(), &facts).allowed
    };
    for action in [
        Action::Create,
        Action::Read,
        Action::Search,
        Action::Delete,
        Action::Purge,
    ] {
        assert!(decide("agent", action, Resource::Memory, me()));
        assert!(decide("user", action, Resource::Memory, me()));
        assert!(decide("admin", action, Resource::Memory, other()));
        assert!(!decide("agent", action, Resource::Memory, other()));
        assert!(!decide("user", action, Resource::Memory, other()));
        assert!(!decide("guest", action, Resource::Memory, me()));
        assert!(!decide("agent", action, Resource::Policy, me()));
    }
    let target = |role: &str, action, id| {
        let role = Role::new(role).unwrap();
        let target = TargetFacts {
            id,
            role: role.clone(),
        };
        let facts = Facts::new(action, Resource::Identity, &identity, &request).with_target(target);
        set.decide(&role, &facts).allowed
    };
    assert!(target("guest", Action::Read, me()));
    assert!(!target("guest", Action::Read, other()));
    assert!(!target("agent", Action::Update, me()));
    let facts = Facts::new(Action::Read, Resource::Identity, &identity, &request);
    assert!(!set.decide(&agent(), &facts).allowed);
}

#[test]
fn scope_asks_each_memory_no_more_than_it_must() {
    let set = starters();
    let (identity, request) = (identity(Map::new()), request());
    let facts = Facts::new(Action::Search, Resource::Memory, &identity, &request);
    let admin = set.scope(&Role::new("admin").unwrap(), &facts);
    assert!(matches!(&admin, SearchScope::All(verdict) if verdict.allowed));
    let guest = set.scope(&Role::new("guest").unwrap(), &facts);
    assert!(matches!(guest, SearchScope::Nothing(_)));
    let SearchScope::PerMemory(candidates) = set.scope(&agent(), &facts) else {
        panic!("it depends on the owner");
    };
    let owner = crate::policy::MemoryFact::Owner;
    assert_eq!(candidates.reads().iter().collect::<Vec<_>>(), [&owner]);
    assert!(!candidates.depends_on_time());
    let of = |owner| MemoryFacts {
        owner: Some(owner),
        ..MemoryFacts::default()
    };
    assert!(candidates.decide(&of(me())).allowed);
    assert!(!candidates.decide(&of(other())).allowed);
    assert_eq!(
        candidates.decide(&MemoryFacts::default()).reason,
        Reason::NothingMatched
    );
}

#[test]
fn scope_keeps_an_if_apart_from_the_fact_it_leaves() {
    // `!!` of a fact asks whether it is there; `!!` of an `if` does not, whatever remains of it.
    let searching = json!({"==": [{"var": "action"}, "search"]});
    let rule = json!({"!!": {"if": [searching, {"var": "memory.session"}, false]}});
    let set = set(vec![
        policy("a", json!(true), Effect::Allow, 0),
        policy("d", rule, Effect::Deny, 0),
    ]);
    let (identity, request) = (identity(Map::new()), request());
    let facts = Facts::new(Action::Search, Resource::Memory, &identity, &request);
    let SearchScope::PerMemory(candidates) = set.scope(&agent(), &facts) else {
        panic!("it depends on the session");
    };
    let verdict = candidates.decide(&MemoryFacts::default());
    assert!(!verdict.allowed);
    assert_eq!(
        verdict,
        set.decide(&agent(), &facts.with_memory(MemoryFacts::default()))
    );
}

#[test]
fn deny_by_a_fact_that_is_missing_denies_and_says_why() {
    let deny = json!({"==": [{"var": "memory.session"}, "s"]});
    let policies = vec![
        policy("a", json!(true), Effect::Allow, 0),
        policy("d", deny, Effect::Deny, 5),
    ];
    let (identity, request) = (identity(Map::new()), request());
    let memory = memory(me());
    let facts = Facts::new(Action::Read, Resource::Memory, &identity, &request)
        .with_memory(MemoryFacts::new(&memory, UnixMillis(5_000)));
    let verdict = set(policies).decide(&agent(), &facts);
    assert!(!verdict.allowed);
    assert_eq!(
        verdict.reason,
        Reason::NotKnown("memory.session is missing".into())
    );
}

#[test]
fn explanation_shows_values_and_what_was_not_read() {
    let rule = json!({"and": [
        {"==": [{"var": "memory.type"}, "preference"]},
        {"some": [{"var": "memory.tags"}, {"==": [{"var": ""}, "ui"]}]}
    ]});
    let set = set(vec![
        policy("low", json!(true), Effect::Deny, -1),
        policy("allow", rule, Effect::Allow, 0),
        policy(
            "other",
            json!({"==": [{"var": "claims.x"}, 1]}),
            Effect::Allow,
            3,
        ),
    ]);
    let (identity, request) = (identity(Map::new()), request());
    let memory = memory(me());
    let facts = Facts::new(Action::Read, Resource::Memory, &identity, &request)
        .with_memory(MemoryFacts::new(&memory, UnixMillis(61_999)));
    let explained = set.explain(&agent(), &facts);
    let shown: Vec<(&str, bool, &str, bool)> = explained
        .steps
        .iter()
        .map(|s| (s.policy.as_str(), s.read, s.result.as_str(), s.decided))
        .collect();
    let expected = [
        (
            "other",
            true,
            "unknown: identity.claims.x is missing",
            false,
        ),
        ("allow", true, "matched", true),
        ("low", false, "", false),
    ];
    assert_eq!(shown, expected);
    let trace = explained.steps[1].trace.as_ref().unwrap();
    assert_eq!(
        (trace.expression.as_str(), trace.value.as_str()),
        ("and", "true")
    );
    assert_eq!(trace.children[0].children[0].expression, "var memory.type");
    assert_eq!(trace.children[0].children[0].value, "\"preference\"");
    assert_eq!(trace.children[1].children[0].value, "[\"ui\"]");
    assert_eq!(explained.facts["memory"]["age_seconds"], 60);
    assert_eq!(explained.facts["memory"]["metadata"]["source"], "chat");
    assert!(
        !explained.facts.to_string().contains("dark mode"),
        "the text is no fact"
    );
}

#[test]
fn explanation_of_many_policies_fits_a_frame() {
    let long = "x".repeat(15_000);
    let rule: Value = json!({"in": [{"var": "role"}, [long, "y"]]});
    let policies = (0..2000).map(|n| policy(&format!("p{n}"), rule.clone(), Effect::Allow, 0));
    let set = set(policies.collect());
    let (identity, request) = (identity(Map::new()), request());
    let facts = Facts::new(Action::Read, Resource::Memory, &identity, &request);
    let bytes = serde_json::to_vec(&set.explain(&agent(), &facts))
        .unwrap()
        .len();
    assert!(bytes < manushya_protocol::limits::PAGE_BYTES_MAX, "{bytes}");
}

#[test]
fn names_break_ties_so_that_the_order_is_one() {
    let mut b = policy("b", json!(true), Effect::Allow, 0);
    b.role = None;
    b.name = PolicyName::new("b").unwrap();
    let a = policy("a", json!(true), Effect::Allow, 0);
    assert_eq!(decider(vec![b.clone(), a.clone()]), decider(vec![a, b]));
}

#[test]
fn recipes_of_the_manual_pass_the_fence_and_decide() {
    let manual = include_str!("../../../../../docs/policies.md");
    let blocks = manual
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let mut recipes = Vec::new();
    for block in blocks {
        let specs = serde_json::Deserializer::from_str(block).into_iter::<Value>();
        recipes.extend(specs.map(|spec| spec.unwrap()));
    }
    assert!(recipes.len() >= 6, "{}", recipes.len());
    for recipe in recipes {
        let spec: manushya_protocol::v1::policy::PolicySpec =
            serde_json::from_value(recipe).unwrap();
        crate::policy::Rule::parse(&spec.rule).unwrap_or_else(|e| panic!("{e:?}"));
        if spec.effect == Effect::Deny {
            // A deny of the manual leaves reading identities alone.
            let (identity, request) = (identity(Map::new()), request());
            let facts = Facts::new(Action::Read, Resource::Identity, &identity, &request);
            let policies = vec![
                policy("allow", json!(true), Effect::Allow, 0),
                policy("deny", spec.rule, Effect::Deny, 50),
            ];
            assert!(set(policies).decide(&agent(), &facts).allowed);
        }
    }
}
