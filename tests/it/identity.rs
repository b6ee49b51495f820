//! `identity` and `whoami`.

use serde_json::{Value, json};

use crate::{add, agent, daemon, identity, ids, word};

#[test]
fn creating_answers_in_the_agreed_shape_and_the_token_works() {
    let daemon = daemon();
    let operator = daemon.operator();
    let made = operator.json(&[
        "identity",
        "create",
        "--external-id",
        "agent-a",
        "--role",
        "agent",
        "--name",
        "A",
        "--description",
        "writes",
        "--claim",
        "team=web",
        "--claim",
        "level=2",
    ]);
    assert_eq!(made["token_type"], "bearer");
    let expires = word(&made["expires_at"]);
    assert!(expires.ends_with('Z') && expires.contains('T'), "{expires}");
    let shown = &made["identity"];
    assert!(word(&shown["id"]).starts_with("idn_"));
    assert_eq!(shown["claims"], json!({"team": "web", "level": 2}));
    assert_eq!(shown["is_active"], true);
    assert_eq!(shown["tenant"], "default");
    let me = operator
        .token(&word(&made["access_token"]))
        .json(&["whoami"]);
    assert_eq!(
        (&me["external_id"], &me["role"]),
        (&json!("agent-a"), &json!("agent"))
    );
    assert_eq!(
        (&me["via"], &me["operator"]),
        (&json!("token"), &json!(false))
    );
    let me = operator.json(&["whoami"]);
    assert_eq!(
        (&me["via"], &me["operator"]),
        (&json!("peer uid"), &json!(true))
    );
}

#[test]
fn existing_external_id_is_a_conflict_and_never_a_takeover() {
    let daemon = daemon();
    let operator = daemon.operator();
    let first = agent(&daemon, "agent-a");
    let before = operator.json(&["identity", "show", "agent-a"]);
    let error = operator.refused(
        7,
        &[
            "identity",
            "create",
            "--external-id",
            "agent-a",
            "--role",
            "admin",
        ],
    );
    assert_eq!(error["code"], "CONFLICT");
    assert_eq!(operator.json(&["identity", "show", "agent-a"]), before);
    assert_eq!(first.json(&["whoami"])["role"], "agent");
}

#[test]
fn list_pages_and_filters() {
    let daemon = daemon();
    let operator = daemon.operator();
    for name in ["a", "b", "c"] {
        agent(&daemon, name);
    }
    identity(&operator, "u", "user");
    operator.json(&["identity", "disable", "b"]);
    let names = |arguments: &[&str]| -> Vec<Value> {
        let list = operator.json(&[&["identity", "list"], arguments].concat());
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["external_id"].clone())
            .collect()
    };
    assert_eq!(names(&["--role", "agent"]), ["a", "b", "c"]);
    assert_eq!(names(&["--role", "agent", "--active"]), ["a", "c"]);
    assert_eq!(names(&["--disabled"]), ["b"]);
    let out = operator
        .run(&[
            "identity", "list", "--role", "agent", "--limit", "2", "-o", "json",
        ])
        .ok();
    let page = out.json();
    assert_eq!((ids(&page).len(), &page["total"]), (2, &json!(3)));
    assert!(out.stderr.contains("2 of 3"), "{out:?}");
    let rest = names(&["--role", "agent", "--cursor", &word(&page["next"])]);
    assert_eq!(rest, ["c"]);
    assert_eq!(names(&["--all"]).len(), 5);
}

#[test]
fn update_changes_what_is_given_and_leaves_the_rest() {
    let daemon = daemon();
    let operator = daemon.operator();
    operator.json(&[
        "identity",
        "create",
        "--external-id",
        "a",
        "--role",
        "agent",
        "--name",
        "N",
        "--claim",
        "x=1",
    ]);
    let after = operator.json(&["identity", "update", "a", "--role", "user"]);
    assert_eq!(
        (&after["role"], &after["name"]),
        (&json!("user"), &json!("N"))
    );
    assert_eq!(after["claims"], json!({"x": 1}));
    let after = operator.json(&["identity", "update", "a", "--clear-claims", "--name", ""]);
    assert_eq!(
        (&after["claims"], &after["name"]),
        (&json!({}), &Value::Null)
    );
    operator.refused(6, &["identity", "update", "nobody", "--name", "x"]);
    operator.refused(2, &["identity", "update", "a"]);
}

#[test]
fn nobody_changes_their_own_role_and_agents_make_no_identities() {
    let daemon = daemon();
    let operator = daemon.operator();
    let admin = identity(&operator, "boss", "admin");
    let error = admin.refused(5, &["identity", "update", "boss", "--role", "agent"]);
    assert_eq!(error["code"], "DENIED");
    assert_eq!(admin.json(&["whoami"])["role"], "admin");
    let agent = agent(&daemon, "a");
    agent.refused(5, &["identity", "update", "a", "--role", "admin"]);
    agent.refused(
        5,
        &[
            "identity",
            "create",
            "--external-id",
            "b",
            "--role",
            "agent",
        ],
    );
    assert_eq!(agent.json(&["identity", "show", "a"])["role"], "agent");
    operator.refused(6, &["identity", "show", "b"]);
}

#[test]
fn disabled_identity_fails_on_its_next_request() {
    let daemon = daemon();
    let operator = daemon.operator();
    let agent = agent(&daemon, "a");
    add(&agent, "before");
    operator.json(&["identity", "disable", "a"]);
    assert_eq!(
        agent.refused(4, &["memory", "add", "after"])["code"],
        "UNAUTHENTICATED"
    );
    agent.refused(4, &["whoami"]);
    let list = operator.json(&["memory", "list", "--owner", "a"]);
    assert_eq!(list["total"], 1);
    operator.json(&["identity", "enable", "a"]);
    let token = operator.json(&["token", "issue", "a"]);
    add(&operator.token(&word(&token["access_token"])), "again");
}

#[test]
fn open_connection_of_a_disabled_identity_fails_too() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    manushya_tests::daemon::block_on(async {
        use manushya_protocol::error::ErrorCode;
        use manushya_tests::call;
        let client = daemon.client(agent.bearer()).await.unwrap();
        assert_eq!(call!(client, whoami).await.unwrap().external_id, "a");
        let operator = daemon.operator();
        std::thread::spawn(move || operator.json(&["identity", "disable", "a"]))
            .join()
            .unwrap();
        let error = call!(client, whoami).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Unauthenticated);
    });
}

#[test]
fn delete_takes_only_who_owns_nothing_and_asks_for_the_name() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let b = agent(&daemon, "b");
    add(&a, "mine");
    operator.refused(7, &["identity", "delete", "a", "--confirm=a"]);
    operator.refused(2, &["identity", "delete", "b", "--confirm=a"]);
    operator.refused(2, &["identity", "delete", "b", "--no-input", "-y"]);
    assert_eq!(b.json(&["whoami"])["external_id"], "b");
    operator.json(&["identity", "delete", "b", "--confirm=b"]);
    b.refused(4, &["whoami"]);
    operator.refused(6, &["identity", "show", "b"]);
    // The name is free again, but belongs to somebody else then.
    agent(&daemon, "b");
    b.refused(4, &["whoami"]);
}
