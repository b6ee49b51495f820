//! `tenant`.

use serde_json::json;

use crate::{add, agent, check_sound, daemon, found, identity, word};

#[test]
fn tenants_are_made_listed_shown_and_erased_by_the_operator_only() {
    let daemon = daemon();
    let operator = daemon.operator();
    let names = || -> Vec<String> {
        let list = operator.json(&["tenant", "list"]);
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| word(&it["name"]))
            .collect()
    };
    assert_eq!(names(), ["default"]);
    let made = operator.json(&["tenant", "create", "acme"]);
    assert!(word(&made["id"]).starts_with("ten_"));
    operator.refused(7, &["tenant", "create", "acme"]);
    assert_eq!(operator.json(&["tenant", "show", "acme"])["name"], "acme");
    let admin = identity(&operator, "boss", "admin");
    admin.refused(5, &["tenant", "create", "mine"]);
    admin.refused(5, &["tenant", "list"]);
    operator.refused(2, &["tenant", "delete", "acme", "--confirm=default"]);
    assert_eq!(names().len(), 2);
    operator.json(&["tenant", "delete", "acme", "--confirm=acme"]);
    assert_eq!(names(), ["default"]);
    operator.refused(6, &["tenant", "show", "acme"]);
    operator.refused(6, &["memory", "list", "--tenant", "acme"]);
    let kept = operator.run(&[
        "tenant",
        "delete",
        "default",
        "--confirm=default",
        "-o",
        "json",
    ]);
    assert_ne!(kept.code, 0, "the default tenant was erased");
}

#[test]
fn same_names_in_two_tenants_are_two_identities() {
    let daemon = daemon();
    let operator = daemon.operator();
    operator.json(&["tenant", "create", "acme"]);
    let here = agent(&daemon, "a");
    let there = identity(&operator.with("MANUSHYA_TENANT", "acme"), "a", "agent");
    let id = add(&here, "ours");
    add(&there, "theirs");
    assert_eq!(there.json(&["whoami"])["tenant"], "acme");
    assert_eq!(found(&here, "ours theirs", &[]), [id.as_str()]);
    there.refused(6, &["memory", "get", &id]);
    // A token works in its own tenant only, whatever its holder asks for.
    here.refused(5, &["memory", "list", "--tenant", "acme"]);
    assert_eq!(
        here.json(&["memory", "list", "--tenant", "default"])["total"],
        1
    );
    // The operator works in any, one at a time.
    assert_eq!(operator.json(&["memory", "list"])["total"], 1);
    assert_eq!(
        operator.json(&["memory", "list", "--tenant", "acme"])["items"][0]["text"],
        "theirs"
    );
    operator.refused(6, &["memory", "get", &id, "--tenant", "acme"]);
    let list = operator.json(&["identity", "list", "--tenant", "acme", "--role", "agent"]);
    assert_eq!(list["total"], json!(1));
}

#[test]
fn erased_tenant_takes_its_tokens_and_memories_and_leaves_the_others() {
    let daemon = daemon();
    let operator = daemon.operator();
    operator.json(&["tenant", "create", "acme"]);
    let here = agent(&daemon, "a");
    let there = identity(&operator.with("MANUSHYA_TENANT", "acme"), "a", "agent");
    let id = add(&here, "ours");
    let theirs = add(&there, "theirs");
    operator.json(&["tenant", "delete", "acme", "--confirm=acme"]);
    there.refused(4, &["whoami"]);
    assert_eq!(found(&here, "ours theirs", &[]), [id]);
    // A tenant of the same name starts empty.
    operator.json(&["tenant", "create", "acme"]);
    assert_eq!(
        operator.json(&["memory", "list", "--tenant", "acme"])["total"],
        0
    );
    operator.refused(6, &["memory", "get", &theirs, "--tenant", "acme"]);
    there.refused(4, &["whoami"]);
    check_sound(&operator);
}
