//! Receipts of what is erased without a plan: by a sweep, one by one, with a tenant.

use manushya_tests::{Caller, Home};
use serde_json::Value;

use crate::{add, add_with, agent, identity, programs, word};

/// The newest erasure that `purge list` shows, by what it says it erased.
#[track_caller]
fn newest(by: &Caller, scope: &str) -> String {
    let list = by.json(&["purge", "list"]);
    let items = list["items"].as_array().unwrap();
    let found = items.iter().find(|it| word(&it["scope"]).contains(scope));
    let found = found.unwrap_or_else(|| panic!("nothing of {scope}: {list}"));
    assert_eq!(found["state"], "applied");
    word(&found["id"])
}

/// Takes a receipt, has a stranger verify it, and looks for survivors.
#[track_caller]
fn check(by: &Caller, home: &Home, id: &str) -> Value {
    let receipt = by.json(&["purge", "receipt", id]);
    let file = home.join("receipt.json").display().to_string();
    let _ = by.run(&["purge", "receipt", id, "--out", &file]).ok();
    let key = word(&by.json(&["audit", "head"])["public_key"]);
    let elsewhere = Home::new();
    let stranger = Caller::new(&programs().ctl, elsewhere.path());
    stranger.json(&["purge", "verify", &file, "--offline", "--key", &key]);
    by.json(&["purge", "verify", id]);
    assert!(receipt["tags"].as_u64().unwrap() > 0, "{receipt}");
    receipt
}

#[test]
fn memory_and_identity_erased_by_themselves_have_receipts() {
    let daemon = crate::daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let (id, kept) = (add(&a, "one"), add(&a, "kept"));
    a.json(&["memory", "update", &id, "-m", "two"]);
    a.json(&["memory", "delete", &id, "--hard", "--dry-run", "-y"]);
    assert_eq!(operator.json(&["purge", "list"])["total"], 0);
    a.json(&["memory", "delete", &id, "--hard", "-y"]);
    let receipt = check(&operator, daemon.home(), &newest(&operator, "by itself"));
    assert_eq!(
        (
            &receipt["scope"],
            &receipt["memories"],
            &receipt["versions"]
        ),
        (&"memory".into(), &1.into(), &1.into())
    );
    assert_eq!(receipt["erased"], id.as_str());
    a.refused(5, &["purge", "list"]);
    agent(&daemon, "b");
    operator.json(&["identity", "delete", "b", "--confirm=b"]);
    let receipt = check(
        &operator,
        daemon.home(),
        &newest(&operator, "owned nothing"),
    );
    assert_eq!(
        (
            &receipt["scope"],
            &receipt["identities"],
            &receipt["tokens"]
        ),
        (&"identity".into(), &1.into(), &1.into())
    );
    // What is only deleted has none.
    a.json(&["memory", "delete", &kept, "-y"]);
    assert_eq!(operator.json(&["purge", "list"])["total"], 2);
    crate::check_sound(&operator);
}

#[test]
fn sweep_has_one_receipt_however_many_memories_it_takes() {
    let daemon = crate::daemon_with("sweep_interval = \"1h\"");
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    for n in 0..5 {
        add_with(&a, &format!("short {n}"), &["--ttl", "1s"]);
    }
    let run = || operator.json(&["purge", "run"]);
    assert_eq!(run()["receipt"], Value::Null);
    std::thread::sleep(std::time::Duration::from_millis(1200));
    let purged = run();
    let id = newest(&operator, "by a sweep");
    assert_eq!(purged["receipt"], id.as_str(), "{purged}");
    assert_eq!(operator.json(&["purge", "list"])["total"], 1);
    let receipt = check(&operator, daemon.home(), &id);
    assert_eq!(
        (&receipt["memories"], &receipt["tags"]),
        (&5.into(), &5.into())
    );
    assert_eq!(receipt["keys_destroyed"], purged["keys_destroyed"]);
}

#[test]
fn sweeper_leaves_a_receipt_that_is_signed_when_it_is_asked_for() {
    let daemon = crate::daemon_with("sweep_interval = \"1s\"");
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    add_with(&a, "short-lived", &["--ttl", "1s"]);
    let start = std::time::Instant::now();
    while operator.json(&["purge", "list"])["total"] == 0 {
        assert!(start.elapsed().as_secs() < 30, "nothing was swept");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    // Who may read may have it signed, and erase nothing.
    let rule = r#"{"name":"auditor","role":"auditor","rule":{"and":[
        {"==":[{"var":"action"},"read"]},{"in":[{"var":"resource"},["system","audit"]]}]}}"#;
    operator.json(&["policy", "apply", &daemon.home().write("r.json", rule)]);
    let auditor = identity(&operator, "auditor", "auditor");
    let id = newest(&auditor, "by a sweep");
    let receipt = auditor.json(&["purge", "receipt", &id]);
    assert_eq!(receipt["scope"], "sweep");
    check(&operator, daemon.home(), &id);
}

#[test]
fn erased_tenant_leaves_its_receipt_to_the_first() {
    let daemon = crate::daemon();
    let operator = daemon.operator();
    operator.json(&["tenant", "create", "acme"]);
    let acme = operator.with("MANUSHYA_TENANT", "acme");
    let there = identity(&acme, "a", "agent");
    let id = add(&there, "theirs");
    there.json(&["memory", "update", &id, "-m", "theirs, revised"]);
    let tenant = word(&operator.json(&["tenant", "show", "acme"])["id"]);
    let purged = operator.json(&["tenant", "delete", "acme", "--confirm=acme"]);
    assert_eq!(purged["warning"], Value::Null, "{purged}");
    let receipt = check(&operator, daemon.home(), &word(&purged["receipt"]));
    assert_eq!(receipt["erased"], tenant.as_str());
    assert_eq!(
        (
            &receipt["memories"],
            &receipt["versions"],
            &receipt["identities"]
        ),
        (&1.into(), &1.into(), &2.into())
    );
    // Also when it is erased from within.
    operator.json(&["tenant", "create", "gone"]);
    let within = operator.with("MANUSHYA_TENANT", "gone");
    within.json(&["tenant", "delete", "gone", "--confirm=gone"]);
    check(
        &operator,
        daemon.home(),
        &newest(&operator, "a tenant and everything"),
    );
    crate::check_sound(&operator);
}
