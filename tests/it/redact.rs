//! Policies of the effect `redact`: what is masked shows nowhere, and is not found by asking for it.

use manushya_tests::{Caller, Daemon};
use serde_json::{Value, json};

use crate::{add_with, agent, daemon, found, identity, ids, word};

const SECRET: &str = "xylophone combination is 4711";

/// Readers see what stands in /team, without the text and salary of what is of the type `secret`.
fn apply(daemon: &Daemon) {
    let readers = json!({"policies": [
        {"name": "readers", "role": "reader", "rule": {"and": [
            {"in": [{"var": "action"}, ["read", "search", "export", "update"]]},
            {"==": [{"var": "resource"}, "memory"]},
            {"in": ["/team", {"var": "memory.namespace_path"}]}]}},
        {"name": "no-secrets", "role": "reader", "effect": "redact",
            "fields": ["text", "metadata.salary"],
            "rule": {"==": [{"var": "memory.type"}, "secret"]}},
    ]});
    let file = daemon.home().write("redact.json", &readers.to_string());
    daemon.operator().json(&["policy", "apply", &file]);
}

fn secret(by: &Caller) -> String {
    let arguments = [
        "--type",
        "secret",
        "--namespace",
        "/team",
        "--metadata",
        "salary=98765",
        "--metadata",
        "level=3",
    ];
    add_with(by, SECRET, &arguments)
}

#[track_caller]
fn is_masked(memory: &Value) {
    let told = memory.to_string();
    assert!(
        !told.contains("xylophone") && !told.contains("98765"),
        "{told}"
    );
    assert_eq!(memory["text"], "[redacted]");
    assert_eq!(
        memory["metadata"],
        json!({"salary": "[redacted]", "level": 3})
    );
    assert_eq!(memory["redacted"], json!(["text", "metadata.salary"]));
}

#[test]
fn what_is_redacted_is_masked_in_every_answer() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (owner, reader) = (agent(&daemon, "a"), identity(&operator, "r", "reader"));
    apply(&daemon);
    let id = secret(&owner);
    owner.json(&["memory", "update", &id, "--trust", "70"]);
    is_masked(&reader.json(&["memory", "get", &id]));
    is_masked(&reader.json(&["memory", "list"])["items"][0]);
    let history = reader.json(&["memory", "history", &id]);
    for version in history["items"].as_array().unwrap() {
        is_masked(version);
    }
    assert_eq!(history["total"], 2);
    let exported = reader.run(&["memory", "export"]).ok().stdout;
    assert!(
        !exported.contains("xylophone") && !exported.contains("98765"),
        "{exported}"
    );
    assert!(exported.contains("[redacted]"), "{exported}");
    // A change is answered with the memory, and cannot carry it to where it is not masked.
    is_masked(&reader.json(&["memory", "update", &id, "--tag", "seen"]));
    reader.refused(5, &["memory", "update", &id, "--type", "note"]);
    // Nobody else sees a difference.
    let whole = owner.json(&["memory", "get", &id]);
    assert_eq!(
        (&whole["text"], &whole["redacted"]),
        (&json!(SECRET), &Value::Null)
    );
}

#[test]
fn what_is_redacted_is_not_found_by_asking_for_it() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (owner, reader) = (agent(&daemon, "a"), identity(&operator, "r", "reader"));
    apply(&daemon);
    let hidden = secret(&owner);
    let plain = add_with(
        &owner,
        "xylophone lessons on monday",
        &["--namespace", "/team"],
    );
    assert_eq!(found(&owner, "xylophone combination", &[]).len(), 2);
    for mode in ["hybrid", "lexical", "semantic"] {
        let seen = found(&reader, "xylophone combination", &["--mode", mode]);
        assert!(!seen.contains(&hidden), "{mode}: {seen:?}");
    }
    assert_eq!(found(&reader, "xylophone", &["--mode", "lexical"]), [plain]);
    let asked = |rule: &str| {
        let list = reader.json(&["memory", "list", "--filter", rule]);
        (ids(&list), list["total"].as_u64().unwrap())
    };
    let salary = r#"{">": [{"var": "memory.metadata.salary"}, 0]}"#;
    assert_eq!(asked(salary), (vec![], 0));
    assert_eq!(
        asked(r#"{"!!": {"var": "memory.metadata.salary"}}"#),
        (vec![], 0)
    );
    assert_eq!(
        asked(r#"{"==": [{"var": "memory.metadata.level"}, 3]}"#),
        (vec![hidden.clone()], 1)
    );
    let stats = reader.json(&["memory", "stats", "--filter", salary]);
    assert_eq!(stats["memories"], 0, "{stats}");
    let owners = owner.json(&["memory", "list", "--filter", salary]);
    assert_eq!(ids(&owners), [hidden]);
}

/// A rule that is not known masks, and one without fields, or with fields of another effect, is refused.
#[test]
fn redaction_fails_to_the_safe_side() {
    let daemon = daemon();
    let operator = daemon.operator();
    let owner = agent(&daemon, "a");
    let id = add_with(&owner, "a plain note", &[]);
    let apply =
        |text: &str| operator.run(&["policy", "apply", &daemon.home().write("p.json", text)]);
    let unknown = r#"{"name":"p","role":"agent","effect":"redact","fields":["text"],
        "rule":{"==":[{"var":"memory.metadata.level"},1]}}"#;
    let _ = apply(unknown).ok();
    assert_eq!(owner.json(&["memory", "get", &id])["text"], "[redacted]");
    operator.json(&["policy", "disable", "p"]);
    assert_eq!(owner.json(&["memory", "get", &id])["text"], "a plain note");
    assert_eq!(
        word(&operator.json(&["policy", "show", "p"])["effect"]),
        "redact"
    );
    for text in [
        r#"{"name":"q","role":"agent","effect":"redact","rule":true}"#,
        r#"{"name":"q","role":"agent","effect":"redact","fields":["owner"],"rule":true}"#,
        r#"{"name":"q","role":"agent","effect":"redact","fields":["metadata."],"rule":true}"#,
        r#"{"name":"q","role":"agent","effect":"deny","fields":["text"],"rule":true}"#,
    ] {
        let _ = apply(text).exits(2);
    }
}

/// What is masked lends nothing to what is found beside it, in a block or in a score.
#[test]
fn what_is_redacted_has_no_part_in_what_is_found_beside_it() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (owner, reader) = (agent(&daemon, "a"), identity(&operator, "r", "reader"));
    apply(&daemon);
    let place = ["--namespace", "/team", "--session", "s"];
    let plain = add_with(&owner, "xylophone lessons on monday", &place);
    let scored =
        || reader.json(&["memory", "search", "xylophone lessons", "--explain"])["items"].clone();
    let before = scored();
    assert_eq!(before[0]["memory"]["id"], plain.as_str());
    let secret = add_with(
        &owner,
        SECRET,
        &[&["--type", "secret"], &place[..]].concat(),
    );
    assert_eq!(scored(), before);
    let block = |by: &Caller| {
        by.json(&["memory", "recall", "xylophone lessons"])
            .to_string()
    };
    assert!(block(&owner).contains("4711"));
    assert!(!block(&reader).contains("4711"));
    // Nor as it was before it was masked, nor as it is if it was masked once.
    owner.json(&[
        "memory",
        "update",
        &secret,
        "--text",
        "xylophone lessons are over",
        "--type",
        "note",
    ]);
    assert_eq!(found(&reader, "xylophone", &[]).len(), 2);
    let then = ["memory", "search", "xylophone", "--as-of", "2000-01-01"];
    assert!(!reader.run(&then).ok().stdout.contains("4711"));
    let history = reader.json(&["memory", "history", &secret]);
    assert_eq!(history["items"][1]["text"], "[redacted]");
    assert!(!history.to_string().contains("4711"), "{history}");
}

/// Guessing right is answered like guessing wrong, also by one who wrote what is masked.
#[test]
fn a_guess_at_what_is_redacted_is_not_confirmed() {
    let daemon = daemon();
    let operator = daemon.operator();
    let writer = agent(&daemon, "w");
    let id = add_with(
        &writer,
        SECRET,
        &["--key", "k", "--metadata", "salary=98765"],
    );
    let policy = json!({"name": "blind", "role": "agent", "effect": "redact", "fields": ["text", "metadata"],
        "rule": {"==": [{"var": "resource"}, "memory"]}});
    operator.json(&[
        "policy",
        "apply",
        &daemon.home().write("p.json", &policy.to_string()),
    ]);
    let guess = |arguments: &[&str]| {
        let answer = writer.json(&[&["--dry-run", "memory"], arguments].concat());
        (answer["version"].clone(), answer["outcome"].clone())
    };
    let update = |text: &str| guess(&["update", &id, "--text", text]);
    assert_eq!(update(SECRET), update("something else"));
    let metadata = |value: &str| guess(&["update", &id, "--metadata", value]);
    assert_eq!(metadata("salary=98765"), metadata("salary=1"));
    let key = ["--key", "k", "--metadata", "salary=98765"];
    let add = |text: &str| guess(&[&["add", text, "--on-conflict", "update"], &key[..]].concat());
    assert_eq!(add(SECRET), add("something else"));
    for text in [SECRET, "something else"] {
        let add = [
            "memory",
            "add",
            text,
            "--key",
            "k",
            "--metadata",
            "salary=98765",
            "--on-conflict",
            "fail",
        ];
        writer.refused(7, &add);
        let alike = add_with(&writer, text, &["--on-duplicate", "skip"]);
        writer.json(&["memory", "delete", &alike, "-y"]);
    }
    // What was exported with parts masked is not written back over them.
    let exported = writer.run(&["memory", "export"]).ok().stdout;
    let file = daemon.home().write("masked.jsonl", &exported);
    let imported = writer.run(&["memory", "import", &file]).exits(3);
    assert!(format!("{}{}", imported.stdout, imported.stderr).contains("redacted"));
    operator.json(&["policy", "disable", "blind"]);
    assert_eq!(writer.json(&["memory", "get", &id])["text"], SECRET);
}

/// Lint and explanations know of redactions.
#[test]
fn redactions_are_looked_at_like_other_policies() {
    let daemon = daemon();
    let operator = daemon.operator();
    apply(&daemon);
    let never = json!({"name": "never", "role": "nobody", "effect": "redact", "fields": ["text"],
        "rule": {"==": [{"var": "resource"}, "token"]}});
    let found = operator.json(&[
        "policy",
        "lint",
        &daemon.home().write("never.json", &never.to_string()),
    ]);
    let of = |name: &str| -> Vec<String> {
        let items = found["items"].as_array().unwrap().iter();
        items
            .filter(|item| item["policy"] == name)
            .map(|item| word(&item["kind"]))
            .collect()
    };
    assert_eq!(of("never"), ["never-matches", "unused-role"]);
    assert_eq!(of("no-secrets"), ["unused-role"]);
}

#[test]
fn importance_that_is_masked_orders_nothing_and_shows_in_no_explanation() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (owner, reader) = (agent(&daemon, "a"), identity(&operator, "r", "reader"));
    apply(&daemon);
    for importance in ["importance=0.1", "importance=0.9"] {
        let text = format!("the deploy goes out on tuesday, {importance}");
        let place = ["--namespace", "/team", "--metadata", importance];
        add_with(&owner, &text, &place);
    }
    let factors = |by: &Caller| {
        let arguments = [
            "memory",
            "search",
            "deploy tuesday",
            "--by-importance",
            "--explain",
        ];
        let answer = by.json(&arguments);
        let items = answer["items"].as_array().unwrap().clone();
        assert_eq!(items.len(), 2, "{answer}");
        items
            .iter()
            .any(|item| !item["explain"]["importance"].is_null())
    };
    assert!(factors(&reader), "nothing masks it yet");
    let policy = json!({"name": "no-importance", "role": "reader", "effect": "redact",
        "fields": ["metadata.importance"], "rule": {"==": [{"var": "memory.type"}, "note"]}});
    let file = daemon.home().write("importance.json", &policy.to_string());
    operator.json(&["policy", "apply", &file]);
    assert!(!factors(&reader));
    assert!(factors(&owner));
}
