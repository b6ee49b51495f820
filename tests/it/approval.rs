//! Policies of the effect `require`: what they match waits until somebody grants it, and is done once.

use manushya_tests::{Caller, Daemon};
use serde_json::Value;

use crate::{add, agent, daemon, identity, ids, programs, word};

/// Agents need an approval to erase memories for good.
fn apply(daemon: &Daemon) {
    let file = daemon.home().write(
        "require.json",
        r#"{"name":"careful","role":"agent","effect":"require","priority":5,"rule":{"and":[
            {"==":[{"var":"resource"},"memory"]},{"in":[{"var":"action"},["purge","create"]]},
            {"==":[{"var":"memory.owner"},{"var":"identity.id"}]}]}}"#,
    );
    daemon.operator().json(&["policy", "apply", &file]);
}

const ERASE: [&str; 4] = ["memory", "delete", "--hard", "--yes"];

fn erase(by: &Caller, id: &str) -> i32 {
    by.run(&[&ERASE[..], &[id]].concat()).code
}

#[track_caller]
fn waiting(operator: &Caller) -> Vec<String> {
    ids(&operator.json(&["approval", "list", "--state", "waiting"]))
}

fn state(operator: &Caller, id: &str) -> String {
    let all = operator.json(&["approval", "list", "--all"]);
    let found = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["id"] == id);
    word(&found.unwrap_or(&Value::Null)["state"])
}

#[test]
fn what_needs_an_approval_waits_and_is_done_once() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let (one, two) = (add(&a, "first"), add(&a, "second"));
    apply(&daemon);
    let error = a.refused(5, &[&ERASE[..], &[&one]].concat());
    assert!(
        word(&error["hint"]).contains("approval grant apr_"),
        "{error}"
    );
    let asked = waiting(&operator);
    assert_eq!(asked.len(), 1);
    // The same call again is the same request; another is another.
    assert_eq!(erase(&a, &one), 5);
    assert_eq!(waiting(&operator), asked);
    let shown = operator.json(&["approval", "list"]);
    assert_eq!(shown["items"][0]["action"], "purge");
    assert_eq!(shown["items"][0]["resource_id"], one);
    assert_eq!(ids(&a.json(&["approval", "list", "--mine"])), asked);
    a.refused(5, &["approval", "list"]);
    a.refused(5, &["approval", "grant", &asked[0]]);
    operator.json(&["approval", "grant", &asked[0]]);
    // What was granted is this and nothing else.
    assert_eq!(erase(&a, &two), 5);
    assert_eq!(erase(&a, &one), 0);
    assert_eq!(state(&operator, &asked[0]), "used");
    a.refused(6, &["memory", "get", &one]);
    a.json(&["memory", "get", &two]);
    assert_eq!(erase(&a, &one), 6, "it is gone");
    let other = waiting(&operator);
    assert_eq!(other.len(), 1);
    operator.json(&["approval", "refuse", &other[0]]);
    assert_eq!(erase(&a, &two), 5);
    operator.refused(7, &["approval", "grant", &other[0]]);
    operator.refused(6, &["approval", "grant", "apr_0r3k9c2v1g7hm0q8d4n5s6t7u0"]);
    a.json(&["memory", "get", &two]);
}

#[test]
fn a_grant_is_for_this_content_once_and_survives_a_restart() {
    let daemon = daemon();
    apply(&daemon);
    let a = agent(&daemon, "a");
    a.refused(5, &["memory", "add", "the plan is good"]);
    a.refused(5, &["memory", "add", "the plan is good", "--dry-run"]);
    let asked = waiting(&daemon.operator());
    assert_eq!(asked.len(), 1);
    let daemon = Daemon::start_in(&programs(), daemon.stop());
    let operator = daemon.operator();
    operator.json(&["approval", "grant", &asked[0]]);
    a.refused(5, &["memory", "add", "the plan is bad"]);
    // To try it uses nothing up.
    a.json(&["memory", "add", "the plan is good", "--dry-run"]);
    a.json(&["memory", "add", "the plan is good"]);
    a.refused(5, &["memory", "add", "the plan is good"]);
    assert_eq!(a.json(&["memory", "list"])["total"], 1);
    // A grant that is taken back, or has expired, is none.
    for id in waiting(&operator) {
        operator.json(&["approval", "grant", &id]);
        operator.json(&["approval", "refuse", &id]);
    }
    a.refused(5, &["memory", "add", "the plan is bad"]);
    a.refused(5, &["memory", "add", "a third"]);
    let third = waiting(&operator);
    operator.json(&["approval", "grant", &third[0], "--ttl", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    a.refused(5, &["memory", "add", "a third"]);
    crate::check_sound(&operator);
}

#[test]
fn nobody_decides_about_their_own_request() {
    let daemon = daemon();
    let operator = daemon.operator();
    let boss = identity(&operator, "boss", "admin");
    let file = daemon.home().write(
        "p.json",
        r#"{"name":"p","role":"admin","effect":"require","priority":5,"rule":{"and":[
            {"==":[{"var":"resource"},"identity"]},{"==":[{"var":"action"},"create"]}]}}"#,
    );
    operator.json(&["policy", "apply", &file]);
    let create = [
        "identity",
        "create",
        "--external-id",
        "new",
        "--role",
        "agent",
    ];
    boss.refused(5, &create);
    let asked = waiting(&operator);
    boss.refused(5, &["approval", "grant", &asked[0]]);
    operator.json(&["approval", "grant", &asked[0]]);
    boss.json(&create);
    boss.refused(5, &create);
    // Every step is in the log.
    let log = operator.json(&["audit", "list", "--resource-id", &asked[0]]);
    let told: Vec<String> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| word(&it["decision"]))
        .collect();
    assert_eq!(told, ["deny", "allow"], "{log}");
}

#[test]
fn reads_and_batches_cannot_wait_and_are_denied() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let id = add(&a, "a note");
    let file = daemon.home().write(
        "p.json",
        r#"{"name":"p","role":"agent","effect":"require","priority":5,"rule":{"and":[
            {"==":[{"var":"resource"},"memory"]},{"in":[{"var":"action"},["read","create","search"]]}]}}"#,
    );
    operator.json(&["policy", "apply", &file]);
    assert_eq!(a.run(&["memory", "get", &id]).code, 6);
    assert_eq!(a.json(&["memory", "list"])["total"], 0);
    assert_eq!(crate::found(&a, "note", &[]), Vec::<String>::new());
    let lines = daemon.home().write("m.jsonl", "{\"text\":\"x\"}\n");
    assert_ne!(a.run(&["memory", "import", &lines]).code, 0);
    assert_eq!(waiting(&operator), Vec::<String>::new());
}

/// An approval takes a requirement away and gives nothing.
#[test]
fn an_approval_never_widens() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (a, reader) = (agent(&daemon, "a"), identity(&operator, "r", "reader"));
    let (one, two) = (add(&a, "first"), add(&a, "second"));
    let put =
        |text: &str| operator.json(&["policy", "apply", &daemon.home().write("p.json", text)]);
    put(
        r#"[{"name":"ask","role":"*","effect":"require","priority":5,"rule":{"and":[
            {"==":[{"var":"resource"},"memory"]},{"==":[{"var":"action"},"purge"]}]}},
           {"name":"see","role":"reader","rule":{"and":[
            {"==":[{"var":"resource"},"memory"]},{"==":[{"var":"action"},"read"]}]}}]"#,
    );
    // No policy allows it to the reader, so there is nothing to approve.
    let error = reader.refused(5, &[&ERASE[..], &[&one]].concat());
    assert_eq!(error["reason"], "no policy allows it", "{error}");
    assert_eq!(waiting(&operator), Vec::<String>::new());
    // A deny that comes after the grant is kept to.
    assert_eq!(erase(&a, &one), 5);
    let asked = waiting(&operator);
    operator.json(&["approval", "grant", &asked[0]]);
    put(
        r#"{"name":"freeze","role":"agent","effect":"deny","priority":3,"rule":{"and":[
        {"==":[{"var":"resource"},"memory"]},{"==":[{"var":"action"},"purge"]}]}}"#,
    );
    let error = a.refused(5, &[&ERASE[..], &[&one]].concat());
    assert_eq!(error["reason"], "policy freeze says no", "{error}");
    operator.json(&["policy", "disable", "freeze"]);
    // Another revision of what asked for it asks again.
    put(
        r#"{"name":"ask","role":"*","effect":"require","priority":5,"rule":{"and":[
        {"==":[{"var":"action"},"purge"]},{"==":[{"var":"resource"},"memory"]}]}}"#,
    );
    assert_eq!(erase(&a, &one), 5);
    assert_eq!(state(&operator, &asked[0]), "waiting");
    operator.json(&["approval", "grant", &asked[0]]);
    // Who acts for another has requests of its own, which that one does not decide.
    let child = identity(&operator, "c", "agent");
    let issued = a.json(&[
        "token", "issue", "--for", "c", "--scope", "memory:*", "--ttl", "10m",
    ]);
    let acting = child.token(issued["access_token"].as_str().unwrap());
    assert_eq!(erase(&acting, &one), 5);
    let listed = operator.json(&["approval", "list", "--state", "waiting"]);
    assert_eq!(
        (
            &listed["items"][0]["identity"],
            &listed["items"][0]["authority"]
        ),
        (&Value::from("c"), &Value::from("a")),
        "{listed}"
    );
    operator.json(&["approval", "grant", &ids(&listed)[0]]);
    assert_eq!(erase(&acting, &two), 5, "another thing");
    assert_eq!(erase(&acting, &one), 0);
    assert_eq!(
        state(&operator, &asked[0]),
        "granted",
        "the other one's is not used up"
    );
    let log = operator.json(&["audit", "list", "--actor", "c", "--action", "purge"]);
    let items = log["items"].as_array().unwrap();
    let told: Vec<_> = items
        .iter()
        .map(|it| (&it["decision"], &it["approval"]))
        .collect();
    let first = Value::from(ids(&listed)[0].as_str());
    assert_eq!(told[0], (&Value::from("deny"), &first), "{log}");
    assert_eq!(told[2], (&Value::from("allow"), &first), "{log}");
    // Who asks what somebody may do is told.
    let can = operator.json(&["policy", "what-can", "a"]);
    let can = can["items"].as_array().unwrap().iter();
    let mut can = can.filter(|it| it["action"] == "purge" && it["resource"] == "memory");
    let can = can.next().unwrap();
    assert_eq!(
        (&can["answer"], &can["with_approval"]),
        (&Value::from("no"), &Value::from("conditional")),
        "{can}"
    );
}
