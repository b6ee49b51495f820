//! `policy`.

use serde_json::json;

use crate::{add, agent, daemon, identity, word};

/// The seed's own dialect, unchanged.
const SEED: &str =
    r#"{"and":[{"==":[{"var":"action"},"read"]},{"==":[{"var":"resource"},"memory"]}]}"#;

#[test]
fn applying_twice_changes_once_and_revisions_count() {
    let daemon = daemon();
    let operator = daemon.operator();
    let file = daemon.home().write(
        "auditors.json",
        &format!(r#"{{"role":"auditor","rule":{SEED}}}"#),
    );
    let outcome = |file: &str| {
        let applied = operator.json(&["policy", "apply", file]);
        let item = &applied["items"][0];
        (
            word(&item["outcome"]),
            item["policy"]["revision"].as_u64().unwrap(),
        )
    };
    assert_eq!(outcome(&file), ("created".to_owned(), 1));
    assert_eq!(outcome(&file), ("unchanged".to_owned(), 1));
    let shown = operator.json(&["policy", "show", "auditors"]);
    assert_eq!(shown["rule"].to_string(), SEED);
    daemon.home().write(
        "auditors.json",
        &format!(r#"{{"role":"auditor","rule":{SEED},"priority":5}}"#),
    );
    assert_eq!(outcome(&file), ("updated".to_owned(), 2));
    operator.json(&["policy", "disable", "auditors"]);
    assert_eq!(
        operator.json(&["policy", "show", "auditors"])["is_active"],
        false
    );
    operator.json(&["policy", "enable", "auditors"]);
    operator.json(&["policy", "delete", "auditors"]);
    operator.refused(6, &["policy", "show", "auditors"]);
}

#[test]
fn deny_beats_allow_at_its_priority_and_higher_priority_decides() {
    let daemon = daemon();
    let operator = daemon.operator();
    let agent = agent(&daemon, "a");
    let id = add(&agent, "mine");
    let apply = |name: &str, effect: &str, priority: i32| {
        let text = format!(
            r#"{{"name":"{name}","role":"agent","effect":"{effect}","priority":{priority},"rule":{SEED}}}"#
        );
        operator.json(&["policy", "apply", &daemon.home().write("p.json", &text)]);
    };
    agent.json(&["memory", "get", &id]);
    apply("stop", "deny", 0);
    agent.refused(6, &["memory", "get", &id]);
    apply("go", "allow", 1);
    agent.json(&["memory", "get", &id]);
    apply("stop", "deny", 1);
    agent.refused(6, &["memory", "get", &id]);
    operator.json(&["policy", "disable", "stop"]);
    agent.json(&["memory", "get", &id]);
}

#[test]
fn can_i_exits_0_or_5_and_explain_names_what_decided() {
    let daemon = daemon();
    let operator = daemon.operator();
    agent(&daemon, "a");
    let _ = operator
        .run(&["policy", "can-i", "read", "memory", "--as", "a"])
        .ok();
    let _ = operator
        .run(&["policy", "can-i", "manage", "policy", "--as", "a"])
        .exits(5);
    let out = operator.run(&[
        "policy", "can-i", "create", "identity", "--as", "a", "-o", "json",
    ]);
    assert_eq!((out.code, &out.json()["allowed"]), (5, &json!(false)));
    operator.refused(6, &["policy", "can-i", "read", "memory", "--as", "nobody"]);
    let told = operator.json(&["policy", "explain", "read", "memory", "--as", "a"]);
    assert_eq!(told["decision"]["policy"], "agent-own-memories");
    let deciding: Vec<_> = told["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["decided"] == true)
        .collect();
    assert_eq!(deciding.len(), 1, "{told}");
    assert_eq!(deciding[0]["policy"], "agent-own-memories");
    assert_eq!(deciding[0]["result"], "matched");
    assert!(!deciding[0]["trace"].is_null());
}

#[test]
fn rules_outside_the_fence_are_refused_with_path_and_reason() {
    let daemon = daemon();
    let operator = daemon.operator();
    let deep = (0..40).fold("true".to_owned(), |inner, _| {
        format!(r#"{{"!":[{inner}]}}"#)
    });
    let wide = format!(r#"{{"or":[{}]}}"#, vec!["true"; 400].join(","));
    let rules = [
        r#"{"log":"x"}"#,
        r#"{"reduce":[[1],{"+":[{"var":"current"},1]},0]}"#,
        r#"{"and":[true],"or":[true]}"#,
        r#"{"and":[{"unknown":[1]}]}"#,
        r#"{"==":[{"var":["action","x"]},1]}"#,
        r#"{"==":[{"var":{"var":"action"}},1]}"#,
        r#"{"==":[{"var":"no.such.fact"},1]}"#,
        deep.as_str(),
        wide.as_str(),
    ];
    for rule in rules {
        let text = format!(r#"{{"name":"p","role":"agent","rule":{rule}}}"#);
        let file = daemon.home().write("p.json", &text);
        let out = operator.run(&["policy", "validate", &file, "-o", "json"]);
        assert_ne!(out.code, 0, "{rule}");
        let told = format!("{}{}", out.stdout, out.stderr);
        assert!(told.contains("rule"), "no path is told: {told}");
        operator.refused(2, &["policy", "apply", &file]);
    }
    operator.refused(6, &["policy", "show", "p"]);
    let file = daemon
        .home()
        .write("p.json", r#"{"role":"agent","rule":true,"efect":"deny"}"#);
    operator.refused(2, &["policy", "apply", &file]);
    let file = daemon
        .home()
        .write("p.json", &format!(r#"{{"role":"agent","rule":{SEED}}}"#));
    let _ = operator.run(&["policy", "validate", &file]).ok();
}

#[test]
fn missing_facts_never_allow() {
    let daemon = daemon();
    let operator = daemon.operator();
    let reader = identity(&operator, "r", "reader");
    let id = add(&agent(&daemon, "a"), "no metadata here");
    for (name, rule) in [
        ("le", r#"{"<=":[{"var":"memory.metadata.level"},10]}"#),
        ("ne", r#"{"!=":[{"var":"memory.metadata.level"},10]}"#),
        ("not", r#"{"!":[{"var":"memory.metadata.level"}]}"#),
        ("truthy", r#"{"var":"memory.text_length"}"#),
    ] {
        let text = format!(r#"{{"name":"{name}","role":"reader","rule":{rule}}}"#);
        let file = daemon.home().write("p.json", &text);
        // A rule over a fact that is in no schema may be refused at once; then it cannot allow.
        let applied = operator.run(&["policy", "apply", &file, "-o", "json"]);
        assert!([0, 2].contains(&applied.code), "{applied:?}");
        reader.refused(6, &["memory", "get", &id]);
    }
}

#[test]
fn namespace_rules_match_whole_segments() {
    let daemon = daemon();
    let operator = daemon.operator();
    let reader = identity(&operator, "r", "reader");
    let a = agent(&daemon, "a");
    let inside = crate::add_with(&a, "in", &["--namespace", "/acme/web"]);
    let beside = crate::add_with(&a, "beside", &["--namespace", "/acme-evil"]);
    let rule = r#"{"and":[{"==":[{"var":"action"},"read"]},{"in":["/acme",{"var":"memory.namespace_path"}]}]}"#;
    let file = daemon
        .home()
        .write("ns.json", &format!(r#"{{"role":"reader","rule":{rule}}}"#));
    operator.json(&["policy", "apply", &file]);
    reader.json(&["memory", "get", &inside]);
    reader.refused(6, &["memory", "get", &beside]);
}

#[test]
fn lock_out_needs_force() {
    let daemon = daemon();
    let operator = daemon.operator();
    let admin = identity(&operator, "boss", "admin");
    let deny = r#"{"name":"none","role":"admin","effect":"deny","priority":100,"rule":true}"#;
    let file = daemon.home().write("none.json", deny);
    let error = admin.refused(7, &["policy", "apply", &file]);
    assert!(word(&error["hint"]).contains("--force"), "{error}");
    admin.refused(7, &["policy", "disable", "admin-all"]);
    admin.refused(7, &["policy", "delete", "admin-all"]);
    admin.json(&["policy", "apply", &file, "--force"]);
    admin.refused(5, &["policy", "delete", "none"]);
    // The operator of the host can always mend it.
    operator.json(&["policy", "delete", "none"]);
    admin.json(&["policy", "list"]);
}

#[test]
fn apply_is_all_or_none() {
    let daemon = daemon();
    let operator = daemon.operator();
    daemon
        .home()
        .write("d/a.json", r#"{"role":"agent","rule":true}"#);
    daemon
        .home()
        .write("d/b.json", r#"{"role":"agent","rule":{"log":1}}"#);
    let folder = daemon.home().join("d").display().to_string();
    operator.refused(2, &["policy", "apply", &folder]);
    operator.refused(6, &["policy", "show", "a"]);
    daemon
        .home()
        .write("d/b.json", r#"{"role":"agent","rule":false}"#);
    let applied = operator.json(&["policy", "apply", &folder]);
    assert_eq!(applied["items"].as_array().unwrap().len(), 2);
}

#[test]
fn cases_are_tested_from_a_file() {
    let daemon = daemon();
    let operator = daemon.operator();
    let case = |resource: &str, expect: &str| {
        json!({"role": "agent", "action": "read", "resource": resource, "expect": expect})
            .to_string()
    };
    let good = daemon
        .home()
        .write("good.jsonl", &format!("{}\n", case("policy", "deny")));
    let _ = operator.run(&["policy", "test", &good]).ok();
    let bad = daemon.home().write(
        "bad.jsonl",
        &format!("{}\n{}\n", case("policy", "deny"), case("audit", "allow")),
    );
    assert_ne!(operator.run(&["policy", "test", &bad]).code, 0);
    let told = operator.json(&[
        "policy",
        "test",
        "--role",
        "admin",
        "--action",
        "manage",
        "--resource",
        "policy",
    ]);
    assert_eq!(told["decision"]["allowed"], true, "{told}");
}
