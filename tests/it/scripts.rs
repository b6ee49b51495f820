//! What scripts rely on, word for word, with the JSON paths they take.

use serde_json::Value;

use crate::{daemon, word};

#[test]
fn agreed_lines_work_with_the_agreed_paths() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let made = ctl.json(&[
        "identity",
        "create",
        "--external-id",
        "agent-a",
        "--role",
        "agent",
    ]);
    assert!(word(&made["identity"]["id"]).starts_with("idn_"));
    word(&made["expires_at"]);
    let agent = ctl.token(&word(&made["access_token"]));
    let added = agent.json(&[
        "memory",
        "add",
        "The user prefers dark mode",
        "--type",
        "preference",
        "--tag",
        "ui",
    ]);
    let id = word(&added["id"]);
    assert_eq!(added["version"], 1);
    word(&added["created_at"]);
    let answer = agent.json(&["memory", "search", "which theme does the user like"]);
    assert_eq!(answer["items"][0]["memory"]["id"], id);
    let score = answer["items"][0]["score"].as_f64().unwrap();
    assert!(score > 0.0 && score <= 1.0, "{score}");
    let rule = r#"{"name":"read","role":"agent","rule":{"and":[{"==":[{"var":"action"},"read"]},{"==":[{"var":"resource"},"memory"]}]}}"#;
    daemon.home().write("rule.json", rule);
    let _ = ctl.run(&["policy", "apply", "rule.json"]).ok();
    let _ = ctl
        .run(&["policy", "can-i", "read", "memory", "--as", "agent-a"])
        .ok();
    let _ = ctl
        .run(&["policy", "can-i", "manage", "system", "--as", "agent-a"])
        .exits(5);
    let plan = ctl.json(&["purge", "plan", "--subject", "agent-a"]);
    assert_eq!(plan["memories"], 1);
    let log = ctl.json(&["audit", "list", "--all"]);
    for item in log["items"].as_array().unwrap() {
        for name in ["seq", "actor", "action", "resource", "decision", "policy"] {
            assert!(item.get(name).is_some(), "no {name} in {item}");
        }
    }
    let _ = ctl.run(&["memory", "delete", &id, "-y"]).ok();
    let _ = ctl.run(&["memory", "restore", &id]).ok();
    let _ = ctl.run(&["memory", "delete", &id, "--hard", "-y"]).ok();
    agent.refused(6, &["memory", "get", &id]);
    // The set has changed since, so the plan is made again.
    let plan = ctl.json(&["purge", "plan", "--subject", "agent-a"]);
    let _ = ctl
        .run(&["purge", "apply", &word(&plan["id"]), "--confirm=agent-a"])
        .ok();
    agent.refused(4, &["whoami"]);
}

#[test]
fn lists_have_items_next_and_total_and_a_cut_one_says_so() {
    let daemon = daemon();
    let ctl = daemon.operator();
    for n in 0..3 {
        let _ = ctl.run(&["memory", "add", &format!("note {n}")]).ok();
    }
    for noun in [
        "tenant", "identity", "token", "memory", "policy", "audit", "purge",
    ] {
        let list = ctl.json(&[noun, "list"]);
        let mut names: Vec<&String> = list.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["items", "next", "total"], "{noun}");
        assert!(list["next"].is_null() || list["next"].is_string());
    }
    let out = ctl
        .run(&["memory", "list", "--limit", "2", "-o", "json"])
        .ok();
    assert_eq!(
        (out.json()["total"].clone(), out.json()["next"].is_string()),
        (Value::from(3), true)
    );
    assert!(out.stderr.contains("2 of 3"), "{out:?}");
}

#[test]
fn times_in_json_are_rfc_3339_in_utc() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let id = crate::add(&ctl, "x");
    let memory = ctl.json(&["memory", "get", &id]);
    for name in ["created_at", "updated_at"] {
        let time = word(&memory[name]);
        time.parse::<manushya_protocol::unit::UnixMillis>().unwrap();
        assert!(time.ends_with('Z') && time.len() == 24, "{time}");
    }
}
