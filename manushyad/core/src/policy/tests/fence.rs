//! What the fence refuses, where, and what it lets through.

use serde_json::{Value, json};

use crate::policy::{Fact, Filter, MemoryFact, Rule, RuleError};

#[track_caller]
fn refused(rule: Value, path: &str, reason: &str) {
    let errors = Rule::parse(&rule).expect_err(&rule.to_string());
    let found = errors
        .iter()
        .any(|e| e.path == path && e.reason.contains(reason));
    assert!(found, "{rule}: {errors:?}");
}

#[test]
fn seed_dialect_passes() {
    for rule in [
        json!({"and": [
            {"==": [{"var": "action"}, "read"]},
            {"==": [{"var": "resource"}, "memory"]}
        ]}),
        json!({"in": [{"var": "action"}, ["read", "search"]]}),
        json!(true),
        json!(false),
        json!({"var": "claims.admin"}),
        json!({"!": {"var": ["claims.admin"]}}),
        json!({"<": [0, {"var": "memory.trust"}, 50]}),
        json!({"some": [{"var": "memory.tags"}, {"in": [{"var": ""}, ["a", "b"]]}]}),
        json!({"if": [{"==": [{"var": "role"}, "x"]}, true, false]}),
    ] {
        assert!(Rule::parse(&rule).is_ok(), "{rule}");
    }
}

#[test]
fn unknown_operators_are_refused_wherever_they_stand() {
    for operator in [
        "map",
        "filter",
        "reduce",
        "merge",
        "cat",
        "substr",
        "log",
        "missing",
        "missing_some",
        "+",
        "-",
        "*",
        "/",
        "%",
        "max",
        "min",
        "?:",
        "method",
        "",
        "AND",
        "= =",
    ] {
        let bad = json!({operator: [1, 2]});
        refused(bad.clone(), "", "unknown operator");
        refused(
            json!({"and": [true, bad.clone()]}),
            "/and/1",
            "unknown operator",
        );
        refused(json!({"!": bad.clone()}), "/!", "unknown operator");
        refused(json!({"==": [bad.clone(), 1]}), "/==/0", "unknown operator");
        refused(json!({"some": [["a"], bad]}), "/some/1", "unknown operator");
        let two_keys = json!({operator: [1, 2], "and": [true]});
        refused(two_keys, "", "one key");
    }
}

#[test]
fn objects_of_other_than_one_key_are_refused() {
    refused(json!({}), "", "has 0");
    refused(json!({"and": [true], "or": [true]}), "", "has 2");
    refused(
        json!({"or": [{"==": [1, 1], "!=": [1, 1]}]}),
        "/or/0",
        "has 2",
    );
    refused(json!({"in": ["a", [{"a": 1}]]}), "/in/1/0", "plain values");
    refused(json!({"in": ["a", [["a"]]]}), "/in/1/0", "plain values");
}

#[test]
fn near_names_are_suggested() {
    refused(
        json!({"var": "memory.typ"}),
        "/var",
        "did you mean `memory.type`",
    );
    refused(
        json!({"var": "memory.ower"}),
        "/var",
        "did you mean `memory.owner`",
    );
    refused(
        json!({"var": "identity.claim.team"}),
        "/var",
        "unknown fact",
    );
    refused(json!({"var": "memory.text"}), "/var", "unknown fact");
    refused(
        json!({"var": "memory.tags.0"}),
        "/var",
        "did you mean `memory.tags`",
    );
    refused(json!({"var": "memory"}), "/var", "unknown fact");
    refused(json!({"var": "memory.metadata."}), "/var", "needs a key");
    refused(json!({"nor": [true]}), "", "did you mean `or`");
    refused(json!({"nnone": [[], true]}), "", "did you mean `none`");
    refused(json!({"var": "z".repeat(5000)}), "/var", "unknown fact");
    refused(
        json!({"var": format!("claims.{}", "z".repeat(65))}),
        "/var",
        "limit is 64",
    );
}

#[test]
fn wrong_operands_are_refused() {
    refused(json!({"==": [1]}), "/==", "2 operands");
    refused(json!({"==": [1, 1, 1]}), "/==", "2 operands");
    refused(json!({"==": 1}), "/==", "a list");
    refused(json!({"<": [1]}), "/<", "2 or 3");
    refused(json!({"and": []}), "/and", "1 or more");
    refused(json!({"and": true}), "/and", "a list");
    refused(json!({"!": []}), "/!", "one operand");
    refused(json!({"!!": [1, 2]}), "/!!", "one operand");
    refused(json!({"if": [true]}), "/if", "2 or more");
    refused(json!({"var": []}), "/var", "as text");
    refused(json!({"var": 1}), "/var", "as text");
    refused(json!({"var": null}), "/var", "as text");
    refused(json!({"var": ["role", "admin"]}), "/var", "no default");
    refused(json!({"var": [{"log": "x"}]}), "/var", "as text");
    refused(json!({"var": ""}), "/var", "the item");
    refused(
        json!({"some": [["a"], {"var": "role"}]}),
        "/some/1/var",
        "the item",
    );
    refused(json!({"some": ["text", true]}), "/some/0", "must be a list");
    refused(
        json!({"some": [{"var": "role"}, true]}),
        "/some/0",
        "must be a list",
    );
    refused(
        json!({"all": [{"some": [[1], true]}, true]}),
        "/all/0",
        "must be a list",
    );
    refused(
        json!({"all": [["a"], {"some": [["a"], true]}]}),
        "/all/1/some",
        "inside",
    );
    refused(
        json!({"in": ["/team", {"var": "memory.namespace"}]}),
        "/in/1",
        "namespace_path",
    );
    refused(json!({"in": ["a", "abc"]}), "/in/1", "never into text");
    refused(
        json!({"==": [{"var": "memory.tags"}, "a"]}),
        "/==/0",
        "lists are not compared",
    );
    refused(json!({"==": [{"var": "claims.a"}, null]}), "/==/1", "null");
    refused(
        json!({"==": [{"var": "claims.a"}, 9_007_199_254_740_993_u64]}),
        "/==/1",
        "2^53",
    );
    for bare in [json!("yes"), json!(1), json!([true]), json!(null)] {
        refused(bare, "", "a rule is true, false or an operator");
    }
}

#[test]
fn every_problem_is_named_up_to_sixteen() {
    let errors = Rule::parse(&json!({"and": [{"x": 1}, {"var": "y"}, {"==": [1]}]})).unwrap_err();
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["/and/0", "/and/1/var", "/and/2/=="]);
    let many = json!({"and": vec![json!({"x": 1}); 60]});
    assert_eq!(Rule::parse(&many).unwrap_err().len(), 16);
    let escaped = Rule::parse(&json!({"in": ["a", [{"~/": 1}]]})).unwrap_err();
    assert_eq!(escaped[0].path, "/in/1/0");
}

#[track_caller]
fn refused_whole(rule: &Value, reason: &str) {
    let errors: Vec<RuleError> = Rule::parse(rule).unwrap_err();
    assert!(
        errors.len() == 1 && errors[0].reason.contains(reason),
        "{errors:?}"
    );
}

#[test]
fn bombs_are_refused_before_they_are_walked() {
    // Far deeper than a stack would stand; built and dropped without recursion.
    let mut deep = json!(true);
    for _ in 0..200_000 {
        deep = Value::Object([("!".to_owned(), deep)].into_iter().collect());
    }
    refused_whole(&deep, "nested deeper than 16");
    while let Value::Object(mut map) = deep {
        deep = map.remove("!").unwrap();
    }
    let mut lists = json!([]);
    for _ in 0..200_000 {
        lists = Value::Array(vec![lists]);
    }
    let rule = Value::Object([("and".to_owned(), lists)].into_iter().collect());
    refused_whole(&rule, "nested deeper than 16");
    let Value::Object(mut map) = rule else {
        panic!()
    };
    let mut lists = map.remove("and").unwrap();
    while let Value::Array(mut items) = lists {
        lists = items.pop().unwrap_or(Value::Null);
    }

    refused_whole(&json!({"and": vec![json!(true); 100_000]}), "more than 256");
    refused_whole(
        &json!({"in": [{"var": "role"}, vec!["a"; 100_000]]}),
        "more than 256",
    );
    refused_whole(
        &json!({"==": [{"var": "role"}, "x".repeat(1 << 20)]}),
        "16384 bytes",
    );
    refused_whole(&json!({"x".repeat(1 << 20): 1}), "16384 bytes");
    // Escapes count as they are written.
    refused_whole(
        &json!({"==": [{"var": "role"}, "\u{1}".repeat(5000)]}),
        "16384 bytes",
    );
}

#[test]
fn bounds_are_met_exactly() {
    let nested = |depth| (0..depth).fold(json!(true), |inner, _| json!({"!": inner}));
    assert!(Rule::parse(&nested(16)).is_ok());
    assert!(Rule::parse(&nested(17)).is_err());
    let wide = |parts| json!({"and": vec![json!(true); parts]});
    assert!(Rule::parse(&wide(255)).is_ok());
    assert!(Rule::parse(&wide(256)).is_err());
}

#[test]
fn reads_name_what_is_read() {
    let rule = json!({"or": [
        {"==": [{"var": "memory_type"}, "note"]},
        {"in": ["x", {"var": "memory.metadata.a.b"}]},
        {"<": [{"var": "memory.age_seconds"}, 10]},
        {"==": [{"var": "target.role"}, "user"]}
    ]});
    let rule = Rule::parse(&rule).unwrap();
    let reads = rule.reads();
    let expected = [
        MemoryFact::Kind,
        MemoryFact::AgeSeconds,
        MemoryFact::Metadata("a.b".into()),
    ];
    assert_eq!(reads.memory, expected.into());
    assert!(reads.target && reads.time && !reads.request);

    let rule = Rule::parse(&json!({"==": [{"var": "request.transport"}, "unix"]})).unwrap();
    assert!(rule.reads().request && !rule.reads().time && rule.reads().memory.is_empty());
}

#[test]
fn filter_reads_nothing_but_the_memory() {
    assert!(Filter::parse(&json!({"==": [{"var": "memory_type"}, "note"]})).is_ok());
    for name in [
        "action",
        "role",
        "identity.id",
        "claims.a",
        "target.id",
        "request.hour",
    ] {
        let errors = Filter::parse(&json!({"==": [{"var": name}, "x"]})).unwrap_err();
        assert!(errors[0].reason.contains("memory.*"), "{errors:?}");
    }
}

#[test]
fn every_fact_is_shown_by_a_name_that_finds_it() {
    for name in [
        "role",
        "memory_type",
        "claims.a.b",
        "memory.metadata.x",
        "request.peer_uid",
    ] {
        let fact = Fact::parse(name).unwrap();
        assert_eq!(Fact::parse(&fact.to_string()).unwrap(), fact);
    }
}
