//! Memories that say nearly the same: left, or superseded.

use serde_json::Value;

use crate::{add, add_with, agent, daemon, found, ids, word};

fn again(by: &manushya_tests::Caller, text: &str, what: &str, more: &[&str]) -> Value {
    by.json(&[&["memory", "add", text, "--on-duplicate", what], more].concat())
}

#[test]
fn duplicate_is_kept_skipped_or_supersedes() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let first = add(&agent, "We deploy on Tuesdays.");
    let skipped = again(&agent, "we deploy on tuesdays", "skip", &[]);
    assert_eq!(
        (&skipped["outcome"], word(&skipped["id"])),
        (&"duplicate".into(), first.clone())
    );
    let kept = again(&agent, "we deploy on tuesdays", "keep", &[]);
    assert_eq!(kept["outcome"], "added");
    let new = again(&agent, "We deploy on Tuesdays!", "supersede", &[]);
    assert_eq!(new["outcome"], "added");
    let mut superseded: Vec<String> = new["supersedes"]
        .as_array()
        .unwrap()
        .iter()
        .map(word)
        .collect();
    superseded.sort();
    let mut old = vec![first.clone(), word(&kept["id"])];
    old.sort();
    assert_eq!(superseded, old);
    // They are out of searches, and still there.
    assert_eq!(
        found(&agent, "deploy", &["--duplicates"]),
        [word(&new["id"])]
    );
    assert_eq!(
        found(&agent, "deploy", &["--duplicates", "--superseded"]).len(),
        3
    );
    assert_eq!(ids(&agent.json(&["memory", "list"])).len(), 3);
    let shown = agent.json(&["memory", "get", &first]);
    assert_eq!(shown["superseded_by"], new["id"], "{shown}");
    assert!(shown["superseded_at"].is_string());
    // Something else is no duplicate.
    let other = again(&agent, "Lunch is at noon in the canteen.", "skip", &[]);
    assert_eq!(other["outcome"], "added");
    // What was superseded by mistake comes back.
    agent.json(&["memory", "restore", &first]);
    assert_eq!(found(&agent, "deploy", &["--duplicates"]).len(), 2);
    agent.refused(
        2,
        &[
            "memory",
            "add",
            "x",
            "--on-duplicate",
            "skip",
            "--duplicate-cosine",
            "2",
        ],
    );
}

#[test]
fn others_and_other_namespaces_are_no_duplicates() {
    let daemon = daemon();
    let (a, b) = (agent(&daemon, "a"), agent(&daemon, "b"));
    let theirs = add(&b, "the harbour is open");
    let elsewhere = add_with(&a, "the harbour is open", &["--namespace", "/x"]);
    for what in ["skip", "supersede"] {
        let added = again(&a, "the harbour is open", what, &["--namespace", "/y"]);
        assert_eq!(added["outcome"], "added", "{added}");
        assert!(added["supersedes"].is_null(), "{added}");
        agent_deletes(&a, &added);
    }
    for (by, id) in [(&b, &theirs), (&a, &elsewhere)] {
        assert!(by.json(&["memory", "get", id])["superseded_by"].is_null());
    }
}

fn agent_deletes(by: &manushya_tests::Caller, added: &Value) {
    let _ = by
        .run(&["memory", "delete", &word(&added["id"]), "-y"])
        .ok();
}

#[test]
fn what_may_not_be_changed_is_not_superseded_and_what_may_not_be_read_is_not_named() {
    let daemon = daemon();
    let operator = daemon.operator();
    let agent = agent(&daemon, "a");
    add_with(&agent, "the harbour is open", &["--tag", "fixed"]);
    let deny = |name: &str, action: &str| {
        let rule = format!(
            r#"{{"name":"{name}","role":"agent","effect":"deny","priority":9,"rule":{{"and":[
                {{"==":[{{"var":"action"}},"{action}"]}},
                {{"in":["fixed",{{"var":"memory.tags"}}]}}]}}}}"#
        );
        operator.json(&["policy", "apply", &daemon.home().write("p.json", &rule)]);
    };
    deny("no-update", "update");
    let added = again(&agent, "the harbour is open", "supersede", &[]);
    assert!(added["supersedes"].is_null(), "{added}");
    agent_deletes(&agent, &added);
    assert_eq!(
        again(&agent, "the harbour is open", "skip", &[])["outcome"],
        "duplicate"
    );
    deny("no-read", "read");
    assert_eq!(
        again(&agent, "the harbour is open", "skip", &[])["outcome"],
        "added"
    );
}

#[test]
fn as_of_a_moment_what_was_known_then_is_found() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let old = add_with(
        &agent,
        "We deploy on Tuesdays.",
        &["--created-at", "2026-01-01"],
    );
    let before = daemon_time(&agent, &old);
    std::thread::sleep(std::time::Duration::from_millis(5));
    let new = word(&again(&agent, "we deploy on Tuesdays", "supersede", &[])["id"]);
    assert_eq!(found(&agent, "deploy", &[]), [new.as_str()]);
    assert_eq!(
        found(&agent, "deploy", &["--as-of", &before]),
        [old.as_str()]
    );
    assert_eq!(
        found(&agent, "deploy", &["--as-of", "2025-01-01"]),
        Vec::<String>::new()
    );
    // A text that was changed later is shown as it was.
    let plan = add_with(&agent, "lunch is at noon", &["--created-at", "2026-01-01"]);
    let then = daemon_time(&agent, &plan);
    std::thread::sleep(std::time::Duration::from_millis(5));
    agent.json(&["memory", "update", &plan, "-m", "lunch is at one"]);
    let answer = agent.json(&["memory", "search", "lunch", "--as-of", &then]);
    assert_eq!(
        answer["items"][0]["memory"]["text"], "lunch is at noon",
        "{answer}"
    );
    // What is gone by now is not found, whenever it was known.
    let _ = agent.run(&["memory", "delete", &old, "-y"]).ok();
    assert_eq!(
        found(&agent, "deploy", &["--as-of", &before]),
        Vec::<String>::new()
    );
    let recalled = agent.json(&["memory", "recall", "lunch", "--as-of", &then]);
    assert!(word(&recalled["text"]).contains("| lunch is at noon\n"));
}

/// When a memory was written.
fn daemon_time(by: &manushya_tests::Caller, id: &str) -> String {
    word(&by.json(&["memory", "get", id])["updated_at"])
}

#[test]
fn adds_at_the_same_time_do_not_repeat_each_other() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| again(&agent, "the harbour is open", "skip", &[]));
        }
    });
    assert_eq!(ids(&agent.json(&["memory", "list"])).len(), 1);
}
