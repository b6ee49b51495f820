//! What rules come to when facts are missing or of the wrong type, and what that does to an allow
//! and to a deny.

use std::sync::Arc;

use manushya_protocol::unit::UnixMillis;
use serde_json::{Map, Value, json};

use super::world::{identity, me, policy, request};
use crate::model::{Action, Effect, Resource, Role};
use crate::policy::{Facts, PolicySet, RequestFacts, Rule, Truth};

fn claims() -> Map<String, Value> {
    let claims = json!({
        "n": 5, "t": "5", "yes": true, "no": false, "list": ["a", "b"], "numbers": [1, 2.0],
        "empty": [], "nil": null, "holes": ["a", null], "nested": {"a": 1},
        "deep": [["a"]], "huge": 9_007_199_254_740_993_u64, "a.b": "dotted"
    });
    claims.as_object().unwrap().clone()
}

/// Checks what the rule comes to, and that an allow and a deny do with it what they must.
#[track_caller]
fn check(rule: Value, expected: &str) {
    let (identity, request) = (identity(claims()), request());
    let facts = Facts::new(Action::Read, Resource::Memory, &identity, &request);
    let truth = Rule::parse(&rule)
        .unwrap_or_else(|e| panic!("{rule}: {e:?}"))
        .evaluate(&facts);
    let found = match &truth {
        Truth::True => "true".to_owned(),
        Truth::False => "false".to_owned(),
        Truth::Unknown(missing) => format!("unknown: {missing}"),
        Truth::Error(reason) => format!("error: {reason}"),
    };
    assert!(found.starts_with(expected), "{rule} comes to `{found}`");

    let role = Role::new("agent").unwrap();
    let allow = PolicySet::build([Arc::new(policy("p", rule.clone(), Effect::Allow, 0))]);
    assert_eq!(
        allow.decide(&role, &facts).allowed,
        truth == Truth::True,
        "{rule}"
    );
    let everything = policy("all", json!(true), Effect::Allow, 0);
    let deny = Arc::new(policy("p", rule.clone(), Effect::Deny, 0));
    let deny = PolicySet::build([deny, Arc::new(everything)]);
    assert_eq!(
        deny.decide(&role, &facts).allowed,
        truth == Truth::False,
        "{rule}"
    );
}

#[test]
fn missing_facts_are_unknown() {
    for operator in ["==", "===", "!=", "!==", "<", "<=", ">", ">="] {
        check(
            json!({operator: [{"var": "claims.x"}, 10]}),
            "unknown: identity.claims.x is missing",
        );
        check(
            json!({operator: [10, {"var": "claims.nil"}]}),
            "unknown: identity.claims.nil",
        );
    }
    check(
        json!({"<=": [{"var": "memory.trust"}, 10]}),
        "unknown: memory.trust is missing",
    );
    check(json!({"in": [{"var": "claims.x"}, ["a"]]}), "unknown");
    check(json!({"in": ["a", {"var": "memory.tags"}]}), "unknown");
    check(json!({"!": {"var": "claims.x"}}), "unknown");
    check(json!({"!": {"==": [{"var": "claims.x"}, 1]}}), "unknown");
    check(
        json!({"none": [{"var": "memory.tags"}, {"==": [{"var": ""}, "a"]}]}),
        "unknown",
    );
    check(json!({"var": "claims.x"}), "unknown");
    check(json!({"if": [{"var": "claims.x"}, true, true]}), "unknown");
    check(
        json!({"==": [{"var": "target.id"}, {"var": "target.id"}]}),
        "unknown: target.id",
    );
    check(
        json!({"==": [{"var": "request.purpose"}, "x"]}),
        "unknown: request.purpose",
    );
}

#[test]
fn existence_is_asked_by_two_marks() {
    check(json!({"!!": {"var": "claims.x"}}), "false");
    check(json!({"!!": [{"var": "claims.nil"}]}), "false");
    check(json!({"!!": {"var": "claims.t"}}), "true");
    check(json!({"!!": {"var": "claims.no"}}), "false");
    check(json!({"!!": {"var": "claims.empty"}}), "false");
    check(json!({"!": {"!!": {"var": "claims.x"}}}), "true");
    check(json!({"!!": {"==": [{"var": "claims.x"}, 1]}}), "unknown");
    check(json!({"!!": {"var": "claims.nested"}}), "error");
}

#[test]
fn one_part_can_decide_without_the_unknown() {
    let unknown = json!({"==": [{"var": "claims.x"}, 1]});
    let error = json!({"<": [{"var": "claims.t"}, 1]});
    for undecided in [&unknown, &error] {
        check(json!({"and": [undecided, false]}), "false");
        check(json!({"and": [false, undecided]}), "false");
        check(json!({"or": [undecided, true]}), "true");
        check(json!({"or": [true, undecided]}), "true");
    }
    check(json!({"and": [unknown, true]}), "unknown");
    check(json!({"or": [false, unknown]}), "unknown");
    check(json!({"and": [unknown, error]}), "error");
    check(json!({"or": [error, unknown]}), "error");
}

#[test]
fn values_of_other_types_are_errors() {
    check(
        json!({"<": [{"var": "claims.t"}, 10]}),
        "error: `<` compares text with a number",
    );
    check(
        json!({">=": [{"var": "claims.n"}, "5"]}),
        "error: `>=` compares a number with text",
    );
    check(
        json!({"==": [{"var": "claims.n"}, "5"]}),
        "error: `==` compares a number with text",
    );
    check(json!({"!=": [{"var": "claims.n"}, "5"]}), "error");
    check(json!({"===": [{"var": "claims.yes"}, 1]}), "error");
    check(
        json!({"==": [{"var": "claims.list"}, "a,b"]}),
        "error: `==` compares a list",
    );
    check(json!({"<": [{"var": "claims.yes"}, true]}), "error");
    check(
        json!({"in": ["a", {"var": "claims.t"}]}),
        "error: `in` looks into text",
    );
    check(
        json!({"in": ["5", {"var": "claims.numbers"}]}),
        "error: `in` looks for text",
    );
    check(json!({"in": [{"var": "claims.list"}, ["a"]]}), "error");
    check(
        json!({"some": [{"var": "claims.t"}, true]}),
        "error: `some` needs a list",
    );
    check(
        json!({"some": [{"var": "claims.list"}, {">": [{"var": ""}, 1]}]}),
        "error",
    );
    check(
        json!({"==": [{"var": "claims.nested"}, "x"]}),
        "error: identity.claims.nested is nested",
    );
    check(json!({"in": ["a", {"var": "claims.deep"}]}), "error");
    check(
        json!({"==": [{"var": "claims.huge"}, 1]}),
        "error: `==` compares a number beyond 2^53",
    );
    check(json!({"==": [{"!": false}, "true"]}), "error");
    // A rule that comes to something else than true or false is an error as well.
    check(
        json!({"var": "claims.n"}),
        "error: the rule comes to neither",
    );
    check(
        json!({"if": [true, "yes"]}),
        "error: the rule comes to neither",
    );
}

#[test]
fn values_that_fit_are_compared() {
    check(json!({"==": [{"var": "claims.n"}, 5.0]}), "true");
    check(json!({"in": [{"var": "claims.n"}, [1, 5.0]]}), "true");
    check(json!({"in": [2, {"var": "claims.numbers"}]}), "true");
    check(json!({"in": ["a", {"var": "claims.empty"}]}), "false");
    check(json!({"in": ["a", {"var": "claims.holes"}]}), "true");
    check(json!({"<": [1, {"var": "claims.n"}, 9]}), "true");
    check(json!({"<": [1, {"var": "claims.n"}, 5]}), "false");
    check(json!({"<": ["a", "b"]}), "true");
    check(json!({"==": [{"var": "claims.a.b"}, "dotted"]}), "true");
    check(json!({"var": "claims.yes"}), "true");
    check(
        json!({"and": [{"var": "claims.t"}, {"var": "claims.n"}]}),
        "true",
    );
    check(json!({"if": [{"var": "claims.no"}, true]}), "false");
    check(
        json!({"==": [{"var": "identity.id"}, me().to_string()]}),
        "true",
    );
    check(json!({"all": [{"var": "claims.empty"}, true]}), "false");
    check(json!({"none": [{"var": "claims.empty"}, true]}), "true");
    check(
        json!({"all": [{"var": "claims.list"}, {"in": [{"var": ""}, ["a", "b"]]}]}),
        "true",
    );
    check(
        json!({"some": [{"var": "claims.holes"}, {"==": [{"var": ""}, "a"]}]}),
        "true",
    );
    check(
        json!({"all": [{"var": "claims.holes"}, {"==": [{"var": ""}, "a"]}]}),
        "unknown: an item",
    );
}

#[test]
fn values_that_look_like_code_stay_data() {
    let claims = json!({"x": "{\"var\":\"role\"}", "y": ["{\"==\":[1,1]}"]});
    let (identity, request) = (identity(claims.as_object().unwrap().clone()), request());
    let facts = Facts::new(Action::Read, Resource::Memory, &identity, &request);
    let rule = json!({"==": [{"var": "claims.x"}, "agent"]});
    assert_eq!(Rule::parse(&rule).unwrap().evaluate(&facts), Truth::False);
}

#[test]
fn long_lists_are_not_walked() {
    let claims = json!({"long": vec![1; 257]});
    let (identity, request) = (identity(claims.as_object().unwrap().clone()), request());
    let facts = Facts::new(Action::Read, Resource::Memory, &identity, &request);
    let rule = json!({"some": [{"var": "claims.long"}, {"==": [{"var": ""}, 1]}]});
    assert!(matches!(
        Rule::parse(&rule).unwrap().evaluate(&facts),
        Truth::Error(_)
    ));
}

#[test]
fn hours_and_days_are_utc() {
    let check = |time: &str, hour: i64, weekday: i64| {
        let request = RequestFacts {
            time: time.parse::<UnixMillis>().unwrap(),
            ..request()
        };
        let identity = identity(Map::new());
        let facts = Facts::new(Action::Read, Resource::Memory, &identity, &request).to_json();
        assert_eq!(facts["request"]["hour"], hour, "{time}");
        assert_eq!(facts["request"]["weekday"], weekday, "{time}");
    };
    check("2026-11-23T09:30:00Z", 9, 1);
    check("2026-11-22T23:59:59.999Z", 23, 7);
    check("1970-01-01T00:00:00Z", 0, 4);
    check("1969-12-31T23:00:00Z", 23, 3);
    check("2024-02-29T12:00:00Z", 12, 4);
}

#[test]
fn given_facts_are_checked_and_derived() {
    let role = Role::new("agent").unwrap();
    let build = |facts: Value| {
        let facts = facts.as_object().unwrap().clone();
        Facts::from_json(Action::Read, Resource::Memory, &role, &facts)
    };
    let facts = build(json!({
        "memory": {"type": "note", "namespace": "/team/x", "metadata": {"a": [1, 2]}},
        "identity": {"id": "u1", "claims": {"level": 3}},
        "request": {"time": "2026-11-23T09:30:00Z"}
    }));
    let shown = facts.unwrap().to_json();
    assert_eq!(
        shown["memory"]["namespace_path"],
        json!(["/", "/team", "/team/x"])
    );
    assert_eq!(shown["identity"]["role"], "agent");
    assert_eq!(shown["request"]["hour"], 9);
    assert_eq!(shown["identity"]["claims"]["level"], 3);

    for (facts, reason) in [
        (
            json!({"memory": {"typ": "note"}}),
            "did you mean `memory.type`",
        ),
        (json!({"memory": {"type": 5}}), "must be text"),
        (json!({"memory": {"trust": "high"}}), "must be a number"),
        (json!({"memory": {"tags": "a"}}), "must be a list"),
        (
            json!({"memory": {"metadata": {"a": {"b": 1}}}}),
            "must be a plain value",
        ),
        (json!({"memory": {"namespace_path": ["/"]}}), "follows from"),
        (
            json!({"memory": {"namespace": "/".repeat(10_000)}}),
            "limit",
        ),
        (json!({"action": "read"}), "beside the facts"),
        (json!({"memory": "x"}), "unknown fact"),
        (json!({"request": {"time": "soon"}}), "RFC 3339"),
        (
            json!({"identity": {"claims": {"a": "x".repeat(1 << 20)}}}),
            "too big",
        ),
    ] {
        let errors = build(facts.clone()).unwrap_err();
        assert!(
            errors.iter().any(|e| e.reason.contains(reason)),
            "{facts}: {errors:?}"
        );
    }
    let many: Map<String, Value> = (0..300).map(|n| (format!("k{n}"), json!(n))).collect();
    let errors = build(json!({"claims": many})).unwrap_err();
    assert_eq!(errors.len(), 16);
}
