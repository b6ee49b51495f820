//! `api-key`.

use manushya_tests::scan::{self, Needle};

use crate::{add, agent, daemon, word};

#[test]
fn key_acts_as_its_identity_within_its_scopes_until_revoked() {
    let daemon = daemon();
    let operator = daemon.operator();
    let id = add(&agent(&daemon, "agent-a"), "tabs");
    let made = operator.json(&[
        "api-key",
        "create",
        "--identity",
        "agent-a",
        "--scope",
        "memory:read",
        "--name",
        "ci",
    ]);
    let key = word(&made["key"]);
    assert!(key.starts_with("mk_") && key.len() == 46, "{key}");
    let script = operator.token(&key);
    let me = script.json(&["whoami"]);
    assert_eq!(
        (&me["external_id"], &me["via"]),
        (&"agent-a".into(), &"api-key".into())
    );
    assert_eq!(me["token"], made["id"]);
    assert_eq!(script.json(&["memory", "get", &id])["text"], "tabs");
    script.refused(5, &["memory", "add", "x"]);
    script.refused(5, &["token", "list"]);

    let list = operator.run(&["api-key", "list", "-o", "json"]).ok();
    assert!(!list.stdout.contains(&key));
    assert_eq!(list.json()["items"][0]["name"], "ci");
    assert!(
        list.json()["items"][0]["last_used_at"].is_string(),
        "{list:?}"
    );
    let log = operator.json(&["audit", "list", "--actor", "agent-a", "--action", "read"]);
    let used = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .any(|it| it["token"] == made["id"]);
    assert!(used, "{log}");

    operator.json(&["api-key", "revoke", &word(&made["id"])]);
    script.refused(4, &["memory", "get", &id]);
    assert_eq!(operator.json(&["api-key", "list"])["total"], 0);
    let all = operator.json(&["api-key", "list", "--all-states"]);
    assert_eq!(all["items"][0]["state"], "revoked");
}

#[test]
fn key_is_nowhere_but_where_it_was_shown() {
    let daemon = daemon();
    let operator = daemon.operator();
    agent(&daemon, "a");
    let made = operator.json(&["api-key", "create", "--identity", "a"]);
    let key = word(&made["key"]);
    operator.token(&key).json(&["whoami"]);
    let home = daemon.stop();
    let needles = [Needle::new("the key", &key.as_bytes()[3..])];
    assert_eq!(scan::find(home.path(), &needles), Vec::<String>::new());
}

#[test]
fn keys_that_are_none_are_refused() {
    let daemon = daemon();
    let operator = daemon.operator();
    agent(&daemon, "a");
    let made = operator.json(&["api-key", "create", "--identity", "a"]);
    let key = word(&made["key"]);
    let mut other = key.clone();
    other.replace_range(10..11, if &key[10..11] == "A" { "B" } else { "A" });
    for key in [
        other.as_str(),
        "mk_",
        "mk_x",
        &key[..45],
        &format!("{key}A"),
        "mk_ ",
    ] {
        operator.token(key).refused(4, &["whoami"]);
    }
    // Only who may manage tokens makes keys, and not for more than it has.
    agent(&daemon, "b").refused(5, &["api-key", "create"]);
    operator.refused(6, &["api-key", "create", "--identity", "nobody"]);
    operator.refused(
        2,
        &["api-key", "create", "--identity", "a", "--ttl", "400d"],
    );
    operator.token(&key).json(&["whoami"]);
}
