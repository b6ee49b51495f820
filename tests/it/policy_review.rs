//! `policy who-can what-can history diff rollback lint simulate`.

use manushya_tests::Daemon;
use serde_json::{Value, json};

use crate::{add, add_with, agent, daemon, identity, programs, word};

/// The item of a list whose field has this value.
#[track_caller]
fn item<'a>(list: &'a Value, field: &str, value: &str) -> &'a Value {
    let items = list["items"].as_array().expect("a list has items");
    let found = items.iter().find(|it| it[field] == value);
    found.unwrap_or_else(|| panic!("no {field} {value}: {list}"))
}

#[test]
fn who_can_says_yes_no_or_the_condition() {
    let daemon = daemon();
    let operator = daemon.operator();
    let agent = agent(&daemon, "agent-a");
    identity(&operator, "stranger", "guest");
    let asked = operator.json(&["policy", "who-can", "read", "memory"]);
    assert_eq!(asked["total"], 3, "{asked}");
    assert_eq!(item(&asked, "identity", "operator")["answer"], "yes");
    assert_eq!(item(&asked, "identity", "stranger")["answer"], "no");
    let mine = item(&asked, "identity", "agent-a");
    assert_eq!(mine["answer"], "conditional");
    assert_eq!(mine["policy"], "agent-own-memories");
    let id = word(&mine["identity_id"]);
    assert_eq!(
        mine["condition"],
        json!({"==": [{"var": "memory.owner"}, id]})
    );
    operator.json(&["identity", "disable", "agent-a"]);
    let asked = operator.json(&["policy", "who-can", "read", "memory"]);
    assert_eq!(item(&asked, "identity", "agent-a")["answer"], "no");
    operator.refused(2, &["policy", "who-can", "raed", "memory"]);
    agent.refused(4, &["policy", "who-can", "read", "memory"]);
}

#[test]
fn what_can_covers_every_action_on_every_resource() {
    let daemon = daemon();
    let operator = daemon.operator();
    let agent = agent(&daemon, "agent-a");
    let asked = operator.json(&["policy", "what-can", "agent-a"]);
    let items = asked["items"].as_array().unwrap();
    assert_eq!(items.len(), 54, "{asked}");
    for item in items {
        let expected = match (item["resource"].as_str(), item["action"].as_str()) {
            (Some("memory"), _) | (Some("identity" | "token"), Some("read")) => "conditional",
            _ => "no",
        };
        assert_eq!(item["answer"], expected, "{item}");
    }
    operator.refused(6, &["policy", "what-can", "nobody"]);
    agent.refused(5, &["policy", "what-can", "agent-a"]);
    let denied = ["audit", "list", "--actor", "agent-a", "--decision", "deny"];
    let seen = operator.json(&denied);
    assert_eq!(seen["items"].as_array().unwrap().len(), 1, "{seen}");
}

#[test]
fn every_change_is_a_revision_that_can_be_brought_back() {
    let daemon = daemon();
    let operator = daemon.operator();
    let boss = identity(&operator, "boss", "admin");
    let put = |priority: i32| {
        let text = format!(r#"{{"name":"p","role":"agent","rule":false,"priority":{priority}}}"#);
        daemon.home().write("p.json", &text)
    };
    operator.json(&["policy", "apply", &put(1)]);
    let preview = operator
        .run(&["policy", "apply", &put(2), "--dry-run"])
        .ok();
    assert!(
        preview.stdout.contains("+   \"priority\": 2"),
        "{}",
        preview.stdout
    );
    assert_eq!(operator.json(&["policy", "show", "p"])["revision"], 1);
    boss.json(&["policy", "apply", &put(2)]);
    boss.json(&["policy", "disable", "p"]);
    let history = operator.json(&["policy", "history", "p"]);
    let told: Vec<_> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (
                it["revision"].as_u64().unwrap(),
                word(&it["change"]),
                word(&it["by"]),
            )
        })
        .collect();
    let wanted = [
        (3, "disabled", "boss"),
        (2, "updated", "boss"),
        (1, "created", "operator"),
    ];
    let wanted = wanted.map(|(n, change, by)| (n, change.to_owned(), by.to_owned()));
    assert_eq!(told, wanted);
    let diff = operator.json(&["policy", "diff", "p", "1", "2"]);
    assert_eq!(
        diff["changes"],
        json!([{"field": "priority", "from": 1, "to": 2}])
    );
    let diff = operator.json(&["policy", "diff", "p", "2", "--file", &put(9)]);
    assert_eq!(diff["changes"][0]["to"], 9, "{diff}");
    operator.refused(2, &["policy", "diff", "p", "1", "77"]);
    let back = operator.json(&["policy", "rollback", "p", "1"]);
    assert_eq!(
        (&back["revision"], &back["priority"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(back["is_active"], true);
    let id = word(&back["id"]);
    operator.json(&["policy", "delete", "p"]);
    let history = operator.json(&["policy", "history", "p"]);
    assert_eq!(history["items"][0]["change"], "deleted");
    let back = operator.json(&["policy", "rollback", "p", "2"]);
    assert_eq!((word(&back["id"]), &back["revision"]), (id, &json!(6)));
    operator.refused(6, &["policy", "rollback", "p", "99"]);
    operator.refused(6, &["policy", "history", "never-was"]);
    // The first policies of a tenant have a history as well.
    let all = operator.json(&["policy", "history", "--all"]);
    assert_eq!(item(&all, "policy", "admin-all")["change"], "created");
}

#[test]
fn rollback_cannot_lock_out_and_survives_a_restart() {
    let daemon = daemon();
    let admin = identity(&daemon.operator(), "boss", "admin");
    let put = |text: &str| daemon.home().write("p.json", text);
    let deny = put(
        r#"{"name":"p","role":"admin","effect":"deny","priority":9,"rule":{"==":[{"var":"action"},"manage"]}}"#,
    );
    admin.json(&["policy", "apply", &deny, "--force"]);
    let operator = daemon.operator();
    let harmless = put(r#"{"name":"p","role":"admin","effect":"deny","priority":9,"rule":false}"#);
    operator.json(&["policy", "apply", &harmless]);
    let daemon = Daemon::start_in(&programs(), daemon.stop());
    admin.refused(7, &["policy", "rollback", "p", "1"]);
    admin.json(&["policy", "rollback", "p", "1", "--force"]);
    admin.refused(5, &["policy", "rollback", "p", "2"]);
    daemon.operator().json(&["policy", "rollback", "p", "2"]);
    admin.json(&["policy", "list"]);
    crate::check_sound(&daemon.operator());
}

#[test]
fn lint_finds_what_is_hardly_meant() {
    let daemon = daemon();
    let operator = daemon.operator();
    agent(&daemon, "a");
    let clean = operator.json(&["policy", "lint", "--strict"]);
    for finding in clean["items"].as_array().unwrap() {
        assert_eq!(finding["level"], "note", "{finding}");
    }
    let draft = daemon.home().write(
        "draft.json",
        r#"{"name":"typo","role":"agent","rule":{"==":[{"var":"action"},"raed"]}}"#,
    );
    let found = operator.json(&["policy", "lint", &draft]);
    assert_eq!(item(&found, "kind", "unknown-word")["policy"], "typo");
    let _ = operator
        .run(&["policy", "lint", &draft, "--strict"])
        .exits(1);
    // A draft is only looked at.
    operator.refused(6, &["policy", "show", "typo"]);
}

#[test]
fn simulate_shows_whose_decisions_would_change() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (a, b) = (agent(&daemon, "a"), agent(&daemon, "b"));
    let secret = add_with(&a, "the code is 1234", &["--type", "secret"]);
    let note = add(&a, "a plain note");
    let gone = add(&a, "soon gone");
    for id in [&secret, &secret, &note, &gone] {
        a.json(&["memory", "get", id]);
    }
    b.refused(6, &["memory", "get", &note]);
    a.json(&["memory", "list"]);
    a.json(&["memory", "delete", &gone, "--hard", "--yes"]);
    let draft = daemon.home().write(
        "draft.json",
        r#"{"name":"no-secrets","role":"agent","effect":"deny","priority":5,"rule":{"and":[
            {"==":[{"var":"action"},"read"]},{"==":[{"var":"resource"},"memory"]},
            {"==":[{"var":"memory.type"},"secret"]}]}}"#,
    );
    let told = operator.json(&["policy", "simulate", &draft, "--since", "7d"]);
    let changed = told["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 1, "{told}");
    assert_eq!(
        [
            &changed[0]["actor"],
            &changed[0]["action"],
            &changed[0]["resource"]
        ],
        ["a", "read", "memory"]
    );
    assert_eq!([&changed[0]["from"], &changed[0]["to"]], ["allow", "deny"]);
    assert_eq!(
        (&changed[0]["count"], &changed[0]["policy"]),
        (&json!(2), &json!("no-secrets"))
    );
    let seq = changed[0]["examples"][0].as_u64().unwrap().to_string();
    assert_eq!(
        operator.json(&["audit", "show", &seq])["resource_id"],
        secret
    );
    assert!(told["unchanged"].as_u64().unwrap() >= 4, "{told}");
    // What was erased, and a list whose memories the log does not name, are counted, not guessed.
    let because = told["unreplayable_because"].as_array().unwrap();
    let count = |part: &str| {
        let found = because.iter().find(|it| word(&it["reason"]).contains(part));
        found.map_or(0, |it| it["count"].as_u64().unwrap())
    };
    assert!(count("is gone") >= 2, "{told}");
    assert_eq!(count("does not hold"), 1, "{told}");
    let sum: u64 = because.iter().map(|it| it["count"].as_u64().unwrap()).sum();
    assert_eq!(told["unreplayable"], sum);
    // What is in force already changes nothing.
    operator.json(&["policy", "apply", &draft]);
    let told = operator.json(&["policy", "simulate", &draft, "--since", "7d"]);
    assert_eq!(told["changed"], json!([]));
    a.refused(6, &["memory", "get", &secret]);
    a.refused(5, &["policy", "simulate", &draft]);
    operator.refused(
        2,
        &["policy", "simulate", &daemon.home().write("x.json", "[]")],
    );
}

#[test]
fn shadow_says_what_a_draft_would_have_said_and_decides_nothing() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let id = add(&a, "a note");
    let draft = daemon.home().write(
        "draft.json",
        r#"{"name":"stop","role":"agent","effect":"deny","priority":9,"rule":{"==":[{"var":"action"},"read"]}}"#,
    );
    assert_eq!(
        operator.json(&["policy", "shadow", "status"])["running"],
        false
    );
    let set = operator.json(&["policy", "simulate", &draft, "--shadow"]);
    assert_eq!(set["policies"][0]["name"], "stop", "{set}");
    let daemon = Daemon::start_in(&programs(), daemon.stop());
    let operator = daemon.operator();
    a.json(&["memory", "get", &id]);
    a.json(&["memory", "update", &id, "--trust", "9"]);
    let last = |action: &str| {
        let list = operator.json(&[
            "audit", "list", "--actor", "a", "--action", action, "--newest",
        ]);
        list["items"].as_array().unwrap().last().unwrap().clone()
    };
    let read = last("read");
    assert_eq!(
        (&read["decision"], &read["shadow"][0]["decision"]),
        (&json!("allow"), &json!("deny"))
    );
    let update = last("update");
    assert_eq!(update["shadow"][0]["decision"], "allow", "{update}");
    let status = operator.json(&["policy", "shadow", "status"]);
    let seq = read["seq"].as_u64().unwrap();
    assert_eq!(
        (&status["different"], &status["examples"]),
        (&json!(1), &json!([seq])),
        "{status}"
    );
    assert!(status["same"].as_u64().unwrap() >= 1, "{status}");
    operator.refused(6, &["policy", "show", "stop"]);
    a.refused(5, &["policy", "shadow", "clear"]);
    a.refused(5, &["policy", "shadow", "status"]);
    a.refused(5, &["policy", "simulate", &draft, "--shadow"]);
    assert_eq!(
        operator.json(&["policy", "shadow", "clear"])["running"],
        false
    );
    a.json(&["memory", "get", &id]);
    assert_eq!(last("read")["shadow"], Value::Null);
    crate::check_sound(&operator);
}
