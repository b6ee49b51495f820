//! Memory poisoning: provenance, quarantine and its reviews, floods undone, canaries.

use serde_json::{Value, json};

use crate::{add, add_with, agent, check_sound, daemon, found, identity, ids, word};

/// The alerts in the audit log, as action and id of the memory.
fn alerts(by: &manushya_tests::Caller) -> Vec<(String, String)> {
    let log = by.json(&["audit", "list", "--all"]);
    let entries = log["items"].as_array().unwrap().iter();
    entries
        .filter(|entry| entry["alert"] == "canary_read")
        .map(|entry| (word(&entry["action"]), word(&entry["resource_id"])))
        .collect()
}

#[test]
fn provenance_tells_who_wrote_each_version_and_never_changes() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let id = add_with(
        &a,
        "the sky is blue",
        &["--source", "https://example.org/sky"],
    );
    let made = a.json(&["memory", "get", &id]);
    let from = &made["provenance"];
    assert_eq!(
        (&from["writer"], &from["source"]),
        (&json!("a"), &json!("https://example.org/sky"))
    );
    assert!(word(&from["token"]).starts_with("tok_"), "{from}");
    assert!(from["peer_uid"].is_u64(), "{from}");
    // The request is the one that the audit log has.
    let log = operator.json(&[
        "audit",
        "list",
        "--action",
        "create",
        "--resource",
        "memory",
    ]);
    let entries = log["items"].as_array().unwrap();
    assert!(
        entries
            .iter()
            .any(|entry| entry["request_id"] == from["request_id"]
                && entry["resource_id"] == id.as_str()),
        "{log}"
    );
    let changed = operator.json(&["memory", "update", &id, "-m", "the sky is green"]);
    assert_eq!(
        (&changed["owner"], &changed["provenance"]["writer"]),
        (&json!("a"), &json!("operator"))
    );
    assert_eq!(changed["provenance"]["source"], Value::Null);
    operator.json(&["memory", "delete", &id, "-y"]);
    let restored = operator.json(&["memory", "restore", &id]);
    assert_eq!(restored["provenance"], changed["provenance"]);
    let history = a.json(&["memory", "history", &id]);
    assert_eq!(history["items"][1]["provenance"], *from);
    // There is no way to state it, and no way to change it alone.
    let _ = a
        .run(&["memory", "update", &id, "--source", "elsewhere"])
        .exits(2);
    check_sound(&operator);
}

#[test]
fn what_one_in_quarantine_writes_is_found_by_nobody_until_it_is_reviewed() {
    let daemon = daemon();
    let operator = daemon.operator();
    let made = operator.json(&[
        "identity",
        "create",
        "--external-id",
        "new",
        "--role",
        "agent",
        "--quarantine",
    ]);
    assert_eq!(made["identity"]["quarantine"], true);
    let new = operator.token(&word(&made["access_token"]));
    let [good, bad, later] = [
        "deploys are on mondays",
        "deploys need no review",
        "deploys are fun",
    ]
    .map(|text| add(&new, text));
    for by in [&operator, &new] {
        assert!(found(by, "deploys", &[]).is_empty());
        assert_eq!(by.json(&["memory", "list"])["total"], 0);
        assert_eq!(by.json(&["memory", "stats"])["memories"], 0);
        assert!(by.run(&["memory", "export"]).ok().stdout.is_empty());
    }
    operator.refused(6, &["memory", "get", &good]);
    assert_eq!(new.json(&["memory", "get", &good])["quarantined"], true);
    let held = operator.json(&["memory", "review", "list"]);
    assert_eq!(ids(&held), [good.as_str(), &bad, &later]);
    assert_eq!(held["items"][0]["provenance"]["writer"], "new");
    assert_eq!(new.json(&["memory", "review", "list"])["total"], 3);
    assert_eq!(
        agent(&daemon, "b").json(&["memory", "review", "list"])["total"],
        0
    );
    new.refused(5, &["memory", "review", "approve", &good]);
    new.refused(5, &["identity", "update", "new", "--quarantine", "off"]);
    operator.refused(
        7,
        &["memory", "review", "approve", &good, "--if-version", "9"],
    );
    operator.json(&["memory", "review", "approve", &good]);
    operator.json(&["memory", "review", "reject", &bad, "-y"]);
    for by in [&operator, &new] {
        assert_eq!(found(by, "deploys", &[]), [good.as_str()]);
    }
    new.refused(6, &["memory", "get", &bad]);
    assert_eq!(
        ids(&operator.json(&["memory", "review", "list"])),
        [later.as_str()]
    );
    // A change of what was approved is held back as well.
    new.json(&["memory", "update", &good, "-m", "deploys need no review"]);
    assert!(found(&operator, "deploys", &[]).is_empty());
    operator.json(&["identity", "update", "new", "--quarantine", "off"]);
    let free = add(&new, "deploys at noon");
    assert_eq!(found(&operator, "deploys", &[]), [free.as_str()]);
    check_sound(&operator);
    // It is so after a start from disk, too.
    let daemon = manushya_tests::Daemon::start_in(&crate::programs(), daemon.stop());
    let operator = daemon.operator();
    assert_eq!(found(&operator, "deploys", &[]), [free.as_str()]);
    assert_eq!(operator.json(&["memory", "review", "list"])["total"], 2);
    check_sound(&operator);
}

#[test]
fn a_flood_is_undone_by_its_writer_and_the_time_whatever_it_claims() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (a, b) = (identity(&operator, "a", "admin"), agent(&daemon, "b"));
    let (early, theirs) = (add(&a, "before all this"), add(&b, "sound and mine"));
    let kept = add(&b, "never touched");
    let since = word(&operator.json(&["memory", "get", &kept])["provenance"]["written_at"]);
    // As if it had been noted long ago, held back, deleted, or laid over what another wrote.
    let mut flood: Vec<String> = (0..20).map(|n| add(&a, &format!("poison {n}"))).collect();
    flood.push(add_with(
        &a,
        "poison of old",
        &["--created-at", "2020-01-01"],
    ));
    flood.push(add(&a, "poison in the bin"));
    a.json(&["memory", "delete", flood.last().unwrap(), "-y"]);
    operator.json(&["identity", "update", "a", "--quarantine", "on"]);
    flood.push(add(&a, "poison held back"));
    operator.json(&["identity", "update", "a", "--quarantine", "off"]);
    a.json(&["memory", "update", &theirs, "-m", "poison over it"]);
    flood.push(theirs.clone());
    // An innocent hand on a poisoned memory does not clean it.
    operator.json(&["memory", "update", &flood[0], "--tag", "seen"]);
    let listed = operator.json(&[
        "memory", "list", "--writer", "a", "--since", &since, "--all",
    ]);
    assert_eq!(
        listed["items"].as_array().unwrap().len(),
        flood.len() - 2,
        "{listed}"
    );
    let plan = operator.json(&["purge", "plan", "--writer", "a", "--since", &since]);
    assert_eq!(plan["memories"], flood.len(), "{plan}");
    let id = word(&plan["id"]);
    operator.json(&["purge", "apply", &id, &format!("--confirm={id}")]);
    for id in &flood {
        operator.refused(6, &["memory", "get", id]);
    }
    let left = operator.json(&["memory", "list", "--all"]);
    assert_eq!(ids(&left), [early.as_str(), &kept]);
    operator.refused(2, &["purge", "plan", "--writer", "a", "--subject", "b"]);
    assert_eq!(
        operator.json(&["purge", "plan", "--writer", "nobody"])["memories"],
        0
    );
    check_sound(&operator);
}

#[test]
fn every_way_to_a_canary_raises_an_alert() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let plain = add(&a, "the vault opens at nine");
    let id = add(&a, "the key of the vault is under the mat");
    assert_eq!(operator.json(&["status"])["host"]["alerts"], 0);
    operator.json(&["memory", "canary", "set", &id]);
    a.refused(5, &["memory", "canary", "clear", &id]);
    a.refused(5, &["memory", "canary", "list"]);
    a.refused(5, &["memory", "add", "x", "--canary"]);
    assert_eq!(
        ids(&operator.json(&["memory", "canary", "list"])),
        [id.as_str()]
    );
    assert!(alerts(&operator).is_empty());
    // The one who reads it cannot tell it from another.
    let shown = a.json(&["memory", "get", &id]);
    let other = a.json(&["memory", "get", &plain]);
    let fields = |memory: &Value| {
        memory
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(fields(&shown), fields(&other));
    a.json(&["memory", "list"]);
    assert_eq!(found(&a, "key under the mat", &["-k", "1"]), [id.as_str()]);
    let _ = a.run(&["memory", "export"]).ok();
    a.json(&["memory", "history", &id]);
    a.json(&["memory", "update", &id, "--tag", "x"]);
    let raised: Vec<String> = alerts(&operator)
        .into_iter()
        .map(|(action, of)| {
            assert_eq!(of, id);
            action
        })
        .collect();
    assert_eq!(
        raised,
        ["read", "read", "search", "export", "read", "update"]
    );
    let host = &operator.json(&["status"])["host"];
    assert_eq!(host["alerts"], 6);
    assert!(host["last_alert_at"].is_string(), "{host}");
    // What did not lead to it raises none.
    assert_eq!(
        found(&a, "opens at nine", &["-k", "1", "--mode", "lexical"]),
        [plain.as_str()]
    );
    operator.json(&["memory", "canary", "clear", &id]);
    a.json(&["memory", "get", &id]);
    assert_eq!(alerts(&operator).len(), 6);
    let planted = add_with(&operator, "a trap", &["--canary"]);
    operator.json(&["memory", "get", &planted]);
    assert_eq!(alerts(&operator).len(), 7);
    check_sound(&operator);
}
