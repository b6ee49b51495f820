//! `token issue --for`: a part of what one has, for another, until one's own ends.

use manushya_tests::Caller;
use serde_json::Value;

use crate::{add_with, agent, daemon, found, identity, ids, programs, word};

/// Hands on from one caller to another, with further arguments.
#[track_caller]
fn delegate(by: &Caller, to: &str, arguments: &[&str]) -> (Caller, Value) {
    let issued = by.json(&[&["token", "issue", "--for", to], arguments].concat());
    (by.token(&word(&issued["access_token"])), issued)
}

fn claims(caller: &Caller) -> Value {
    let token = caller.bearer().unwrap();
    let part = token.split('.').nth(1).unwrap();
    let bytes = data_encoding::BASE64URL_NOPAD
        .decode(part.as_bytes())
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn sub_agent_does_a_part_of_what_its_parent_may_until_that_one_ends() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (parent, _) = (agent(&daemon, "parent"), agent(&daemon, "child"));
    let id = add_with(&parent, "tabs, not spaces", &[]);
    let (child, issued) = delegate(
        &parent,
        "child",
        &[
            "--scope",
            "memory:read",
            "--ttl",
            "10m",
            "--purpose",
            "summary",
        ],
    );
    assert!(word(&issued["id"]).starts_with("tok_"));
    assert!(issued["expires_at"].is_string());
    assert_eq!(issued["token"]["purpose"], "summary");

    let me = child.json(&["whoami"]);
    assert_eq!(me["external_id"], "child");
    assert_eq!(me["acts_for"], serde_json::json!(["parent"]));
    let parent_id = &operator.json(&["identity", "show", "parent"])["id"];
    assert_eq!(claims(&child)["sub"], *parent_id);
    assert_eq!(claims(&child)["act"]["sub"], me["id"]);

    assert_eq!(
        child.json(&["memory", "get", &id])["text"],
        "tabs, not spaces"
    );
    assert_eq!(ids(&child.json(&["memory", "list"])), [id.as_str()]);
    child.refused(5, &["memory", "add", "x"]);
    child.refused(5, &["memory", "search", "tabs"]);
    child.refused(5, &["memory", "delete", &id, "-y"]);
    // What the child does is in the log under its own name.
    let log = operator.json(&["audit", "list", "--actor", "child", "--action", "read"]);
    assert!(log["total"].as_u64().unwrap() >= 2, "{log}");
    for entry in log["items"].as_array().unwrap() {
        assert_eq!(entry["token"], issued["id"]);
        assert_eq!(entry["delegation"][0]["identity"], "parent", "{entry}");
    }

    // The parent sees what it handed on, and the child's own rights are as they were.
    let own = operator.json(&["token", "issue", "child"]);
    let own = operator.token(&word(&own["access_token"]));
    assert_eq!(own.json(&["memory", "list"])["total"], 0);
    let listed = parent.json(&["token", "list"]);
    assert!(ids(&listed).contains(&word(&issued["id"])), "{listed}");

    let parents = parent.json(&["whoami"])["token"].clone();
    operator.json(&["token", "revoke", &word(&parents)]);
    let error = child.refused(4, &["memory", "get", &id]);
    assert_eq!(error["code"], "UNAUTHENTICATED");
    own.json(&["whoami"]);
}

#[test]
fn limits_hold_for_everything_that_touches_memories() {
    let daemon = daemon();
    let (parent, _) = (agent(&daemon, "parent"), agent(&daemon, "child"));
    let inside = add_with(&parent, "blue whale inside", &["--namespace", "/project/a"]);
    let outside = add_with(&parent, "blue whale outside", &["--namespace", "/other"]);
    let fact = add_with(
        &parent,
        "blue whale fact",
        &["--namespace", "/project", "--type", "fact"],
    );
    let beside = add_with(&parent, "blue whale beside", &["--namespace", "/projects"]);
    let (child, _) = delegate(
        &parent,
        "child",
        &["--namespace", "/project", "--type", "note"],
    );
    assert_eq!(ids(&child.json(&["memory", "list"])), [inside.as_str()]);
    for mode in ["hybrid", "lexical", "semantic"] {
        let hits = found(&child, "blue whale", &["--mode", mode, "--limit", "3"]);
        assert_eq!(hits, [inside.as_str()], "{mode}");
    }
    assert_eq!(child.json(&["memory", "stats"])["memories"], 1);
    let export = child.run(&["memory", "export", "-o", "jsonl"]).ok().stdout;
    assert!(
        export.contains("inside") && !export.contains("fact"),
        "{export}"
    );
    for id in [&outside, &fact, &beside] {
        assert_eq!(
            child.refused(6, &["memory", "get", id])["code"],
            "NOT_FOUND"
        );
        child.refused(6, &["memory", "update", id, "--text", "mine"]);
        child.refused(6, &["memory", "delete", id, "-y"]);
    }
    child.refused(5, &["memory", "add", "x", "--namespace", "/other"]);
    child.refused(
        5,
        &[
            "memory",
            "add",
            "x",
            "--namespace",
            "/project",
            "--type",
            "fact",
        ],
    );
    child.refused(5, &["memory", "update", &inside, "--namespace", "/other"]);
    child.refused(5, &["memory", "update", &inside, "--type", "fact"]);
    // Asking for more than it reaches finds what it reaches, and nothing by naming the rest.
    assert_eq!(
        child.json(&["memory", "list", "--namespace", "/"])["total"],
        1
    );
    assert_eq!(
        child.json(&["memory", "list", "--namespace", "/other"])["total"],
        0
    );
    assert_eq!(
        child.json(&["memory", "list", "--type", "fact"])["total"],
        0
    );
    // What it makes belongs to the one it acts for.
    let made = add_with(&child, "by the child", &["--namespace", "/project/b"]);
    assert_eq!(parent.json(&["memory", "get", &made])["owner"], "parent");
    parent.json(&["memory", "delete", &outside, "-y"]);
    let deleted = child.json(&["memory", "list", "--deleted"]);
    assert_eq!(deleted["total"], 0, "{deleted}");
}

#[test]
fn uses_are_counted_down_for_good() {
    let daemon = daemon();
    let (parent, _) = (agent(&daemon, "parent"), agent(&daemon, "child"));
    agent(&daemon, "grandchild");
    let (child, issued) = delegate(&parent, "child", &["--uses", "5"]);
    // Handing on is a use, and what the one below uses up is used up above.
    let (grandchild, _) = delegate(&child, "grandchild", &[]);
    child.json(&["memory", "list"]);
    grandchild.json(&["memory", "list"]);
    let left = |caller: &Caller| {
        let list = caller.json(&["token", "list", "--all-states"]);
        let items = list["items"].as_array().unwrap().clone();
        let found = items.into_iter().find(|it| it["id"] == issued["id"]);
        found.unwrap()["uses_left"].clone()
    };
    assert_eq!(left(&daemon.operator()), 2);
    let daemon = manushya_tests::Daemon::start_in(&programs(), daemon.kill());
    let again = |caller: &Caller| daemon.operator().token(caller.bearer().unwrap());
    let (child, grandchild) = (again(&child), again(&grandchild));
    assert_eq!(left(&daemon.operator()), 2);
    child.json(&["memory", "list"]);
    grandchild.json(&["memory", "list"]);
    for spent in [&child, &grandchild] {
        spent.refused(4, &["memory", "list"]);
    }
    parent_is_as_before(&again(&parent));
}

#[track_caller]
fn parent_is_as_before(parent: &Caller) {
    parent.json(&["memory", "list"]);
}

#[test]
fn chains_end_at_five_and_break_below_what_is_revoked() {
    let daemon = daemon();
    let root = agent(&daemon, "agent-0");
    let id = add_with(&root, "of the first", &[]);
    let (mut chain, mut tokens) = (vec![root], Vec::new());
    for n in 1..=6 {
        agent(&daemon, &format!("agent-{n}"));
    }
    for n in 1..=5 {
        let (next, issued) = delegate(&chain[n - 1], &format!("agent-{n}"), &[]);
        next.json(&["memory", "get", &id]);
        chain.push(next);
        tokens.push(word(&issued["id"]));
    }
    let me = chain[5].json(&["whoami"]);
    assert_eq!(me["acts_for"].as_array().unwrap().len(), 5, "{me}");
    let mut act = &claims(&chain[5])["act"];
    for n in (1..=5).rev() {
        let id = &daemon
            .operator()
            .json(&["identity", "show", &format!("agent-{n}")])["id"];
        assert_eq!(act["sub"], *id);
        act = &act["act"];
    }
    chain[5].refused(5, &["token", "issue", "--for", "agent-6"]);
    // A link takes back what it handed on, and all that came of it.
    chain[2].json(&["token", "revoke", &tokens[2]]);
    for (n, caller) in chain.iter().enumerate() {
        match n {
            0..=2 => drop(caller.json(&["memory", "get", &id])),
            _ => drop(caller.refused(4, &["memory", "get", &id])),
        }
    }
    // Nobody takes back what is not below it.
    chain[2].refused(5, &["token", "revoke", &tokens[0]]);
    daemon.operator().json(&["identity", "disable", "agent-1"]);
    chain[2].refused(4, &["memory", "get", &id]);
    daemon.operator().json(&["identity", "enable", "agent-1"]);
    chain[2].json(&["memory", "get", &id]);
}

#[test]
fn nothing_wider_is_handed_on() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (parent, _) = (agent(&daemon, "parent"), agent(&daemon, "child"));
    let (narrow, _) = delegate(
        &parent,
        "child",
        &[
            "--scope",
            "memory:read",
            "--namespace",
            "/a",
            "--type",
            "note",
            "--ttl",
            "10m",
        ],
    );
    for wider in [
        ["--scope", "memory:search"],
        ["--scope", "*"],
        ["--namespace", "/"],
        ["--namespace", "/ab"],
        ["--type", "fact"],
    ] {
        let arguments = [&["token", "issue", "--for", "child"][..], &wider].concat();
        assert_eq!(narrow.refused(5, &arguments)["code"], "DENIED", "{wider:?}");
    }
    let (narrower, issued) = delegate(&narrow, "child", &["--namespace", "/a/b", "--ttl", "2h"]);
    narrower.json(&["memory", "list"]);
    let mine = narrow.json(&["whoami"])["expires_at"].clone();
    assert_eq!(
        issued["expires_at"], mine,
        "it ends with what it was made with"
    );
    parent.refused(6, &["token", "issue", "--for", "nobody"]);
    operator.json(&["identity", "disable", "child"]);
    parent.refused(7, &["token", "issue", "--for", "child"]);
    parent.refused(2, &["token", "issue"]);
    parent.refused(2, &["token", "issue", "child", "--for", "child"]);
}

#[test]
fn delegated_admin_changes_memories_and_nothing_else() {
    let daemon = daemon();
    let operator = daemon.operator();
    let admin = identity(&operator, "boss", "admin");
    let id = add_with(&agent(&daemon, "child"), "of the child", &[]);
    let (child, _) = delegate(&admin, "child", &[]);
    child.json(&["memory", "get", &id]);
    child.json(&["identity", "list"]);
    for command in [
        &["token", "issue", "boss"][..],
        &["api-key", "create", "--identity", "boss"],
        &[
            "identity",
            "create",
            "--external-id",
            "x",
            "--role",
            "admin",
        ],
        &["identity", "disable", "boss"],
        &["policy", "disable", "self-read"],
        &["token", "revoke", "--identity", "boss"],
    ] {
        assert_eq!(child.refused(5, command)["code"], "DENIED", "{command:?}");
    }
}

#[track_caller]
fn apply(by: &Caller, policy: &str) {
    by.run_with(&["policy", "apply", "-", "-o", "json"], policy.as_bytes())
        .ok()
        .json();
}

#[test]
fn policies_can_forbid_what_the_parent_may() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (parent, _) = (
        agent(&daemon, "parent"),
        identity(&operator, "intern", "intern"),
    );
    let open = add_with(&parent, "red panda open", &["--tag", "open"]);
    let closed = add_with(&parent, "red panda closed", &["--tag", "closed"]);
    let (intern, _) = delegate(&parent, "intern", &[]);
    assert_eq!(found(&intern, "red panda", &[]).len(), 2);
    let deny = r#"{"name": "interns-see-nothing-closed", "role": "intern", "effect": "deny",
        "priority": 5, "rule": {"in": ["closed", {"var": "memory.tags"}]}}"#;
    apply(&operator, deny);
    assert_eq!(found(&intern, "red panda", &[]), [open.as_str()]);
    assert_eq!(ids(&intern.json(&["memory", "list"])), [open.as_str()]);
    intern.refused(6, &["memory", "get", &closed]);
    parent.json(&["memory", "get", &closed]);
    let deny = r#"{"name": "no-delegation", "role": "agent", "effect": "deny", "priority": 5,
        "rule": {"and": [{"==": [{"var": "action"}, "create"]}, {"==": [{"var": "resource"}, "token"]}]}}"#;
    apply(&operator, deny);
    parent.refused(5, &["token", "issue", "--for", "intern"]);
}
