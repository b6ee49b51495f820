//! `backup`: taken while serving, verified, restored, and refused when it is not what was taken.

use std::path::Path;

use manushya_tests::{Caller, Daemon, Home};
use serde_json::Value;

use crate::{add, add_with, agent, check_sound, daemon, found, programs, recovery_key, word};

/// Takes a backup into the home's folder and returns its path.
#[track_caller]
fn take(operator: &Caller, home: &Home, name: &str) -> String {
    let path = home.join(name).display().to_string();
    let taken = operator.json(&["backup", "create", &path]);
    assert!(taken["records"].as_u64().unwrap() > 0, "{taken}");
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert_eq!(taken["bytes"].as_u64(), Some(bytes));
    path
}

fn all(by: &Caller) -> Vec<Value> {
    let list = by.json(&["memory", "list", "--limit", "1000"]);
    list["items"].as_array().unwrap().clone()
}

#[test]
fn backup_verifies_beside_the_daemon_and_restores_everything() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "agent-a");
    let id = add_with(
        &a,
        "the capital of France is Paris",
        &["--tag", "geo", "--key", "k1"],
    );
    a.json(&[
        "memory",
        "update",
        &id,
        "-m",
        "the capital of France is Paris, on the Seine",
    ]);
    add_with(&a, "soon over", &["--ttl", "1h"]);
    let deleted = add(&a, "deleted, not gone");
    let _ = a.run(&["memory", "delete", &deleted, "-y"]).ok();
    operator.json(&["tenant", "create", "acme"]);
    let path = take(&operator, daemon.home(), "b.age");
    let verified = operator.json(&["backup", "verify", &path]);
    assert_eq!(verified["key_was_known"], true, "{verified}");
    assert_eq!(verified["restored_to"], Value::Null);
    // Into the home that serves it is not restored.
    operator.refused(7, &["backup", "restore", &path]);
    let before = all(&operator);
    let (history, head) = (
        a.json(&["memory", "history", &id]),
        operator.json(&["audit", "head"]),
    );
    let target = Home::new();
    let into = target.path().display().to_string();
    let restored = operator.json(&["backup", "restore", &path, "--into", &into]);
    assert_eq!(restored["erased_again"], 0, "{restored}");
    let second = Daemon::start_in(&programs(), target);
    let operator = second.operator();
    assert_eq!(all(&operator), before);
    assert_eq!(operator.json(&["memory", "history", &id]), history);
    assert_eq!(operator.json(&["tenant", "list"])["total"], 2);
    assert_eq!(
        found(&operator, "capital on the Seine", &["-k", "1"]),
        [id.as_str()]
    );
    operator.json(&["memory", "restore", &deleted]);
    // The log goes on under the same key, and the old entries are those of before.
    let now = operator.json(&["audit", "head"]);
    assert_eq!(now["public_key"], head["public_key"]);
    assert!(now["size"].as_u64() > verified["audit"].as_u64(), "{now}");
    let entries = operator.json(&["audit", "list", "--action", "restore", "--actor", "daemon"]);
    assert_eq!(entries["total"], 1, "{entries}");
    // Tokens of before have ended: which of them were revoked since, a backup does not know.
    let a_there = operator.token(a.bearer().unwrap());
    a_there.refused(4, &["whoami"]);
    check_sound(&operator);
    let _ = second.stop();
}

#[test]
fn restore_of_an_old_backup_does_every_later_erasure_again() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "agent-a");
    let gone = add(&a, "to be forgotten");
    let b = agent(&daemon, "agent-b");
    let (kept, single) = (add(&b, "stays"), add(&b, "goes alone"));
    let elsewhere = Home::new();
    let identity = recovery_key(&daemon, &elsewhere);
    let path = take(&operator, daemon.home(), "b.age");
    let list = operator.json(&["backup", "list"]);
    assert_eq!(list["total"], 1, "{list}");
    let plan = word(&operator.json(&["purge", "plan", "--subject", "agent-a"])["id"]);
    operator.json(&["purge", "apply", &plan, "--confirm=agent-a"]);
    let _ = operator
        .run(&["memory", "delete", &single, "--hard", "-y"])
        .ok();
    // The receipt says which backup still has it.
    let receipt = operator.json(&["purge", "receipt", &plan]);
    assert_eq!(receipt["held_by"][0]["backup"], list["items"][0]["id"]);
    let home = daemon.stop();
    std::fs::remove_dir_all(home.join("data")).unwrap();
    let ctl = Caller::new(&programs().ctl, home.path());
    // Without a key there is nothing to open it with.
    ctl.refused(1, &["backup", "restore", &path]);
    let restored = ctl.json(&["backup", "restore", &path, "--identity", &identity]);
    assert!(
        restored["erased_again"].as_u64().unwrap() >= 3,
        "{restored}"
    );
    let second = Daemon::start_in(&programs(), home);
    let operator = second.operator();
    operator.refused(6, &["identity", "show", "agent-a"]);
    operator.refused(6, &["memory", "get", &gone]);
    operator.refused(6, &["memory", "get", &single]);
    assert_eq!(operator.json(&["memory", "get", &kept])["text"], "stays");
    check_sound(&operator);
    assert!(!second.home().join("data/keys/recovery.age-key").exists());
}

#[test]
fn truncated_altered_and_foreign_backups_are_refused() {
    let first = daemon();
    let a = agent(&first, "a");
    for n in 0..40 {
        add(&a, &format!("memory number {n} with some text to it"));
    }
    let operator = first.operator();
    let path = take(&operator, first.home(), "b.age");
    let whole = std::fs::read(&path).unwrap();
    let bad = first.home().join("bad.age");
    let bad_path = bad.display().to_string();
    let mut random = manushya_tests::random::Random::new(7);
    for round in 0..24 {
        let mut bytes = whole.clone();
        let at = random.below(bytes.len());
        match round % 3 {
            0 => bytes.truncate(at),
            1 => bytes[at] ^= 1,
            _ => bytes.push(0),
        }
        std::fs::write(&bad, &bytes).unwrap();
        operator.refused(9, &["backup", "verify", &bad_path]);
        assert!(!first.home().join("data/restoring").exists());
    }
    let target = Home::new();
    let into = target.path().display().to_string();
    std::fs::write(&bad, &whole[..whole.len() - 1]).unwrap();
    operator.refused(9, &["backup", "restore", &bad_path, "--into", &into]);
    assert!(!target.join("data/store.redb").exists());
    // A backup of another home, encrypted to this one.
    let second = daemon();
    let elsewhere = Home::new();
    let identity = recovery_key(&first, &elsewhere);
    let recipient = std::fs::read_to_string(first.home().join("data/keys/recovery.recipient"));
    let foreign = first.home().join("foreign.age").display().to_string();
    let recipient = recipient.unwrap();
    second.operator().json(&[
        "backup",
        "create",
        &foreign,
        "--recipient",
        recipient.trim(),
    ]);
    // The identity of the host does not open it, the recovery key does, and that is not enough.
    operator.refused(9, &["backup", "verify", &foreign]);
    let refused = operator.refused(9, &["backup", "verify", &foreign, "--identity", &identity]);
    assert!(
        word(&refused["message"]).contains("another home"),
        "{refused}"
    );
    // And one for somebody else does not open here at all.
    let own = second.home().join("own.age").display().to_string();
    second.operator().json(&["backup", "create", &own]);
    operator.refused(9, &["backup", "verify", &own]);
}

#[test]
fn only_the_operator_takes_backups() {
    let daemon = daemon();
    let a = agent(&daemon, "a");
    let path = daemon.home().join("x.age").display().to_string();
    a.refused(5, &["backup", "create", &path]);
    a.refused(5, &["backup", "list"]);
    assert!(!Path::new(&path).exists());
    let operator = daemon.operator();
    operator.refused(
        2,
        &["backup", "create", &path, "--recipient", "age1nonsense"],
    );
    operator.json(&["backup", "create", &path, "--keep", "1d"]);
    operator.refused(7, &["backup", "create", &path]);
    let list = operator.json(&["backup", "list"]);
    let id = word(&list["items"][0]["id"]);
    assert!(list["items"][0]["keep_until"].is_string(), "{list}");
    operator.json(&["backup", "forget", &id]);
    operator.refused(6, &["backup", "forget", &id]);
    let log = operator.json(&[
        "audit",
        "list",
        "--action",
        "export",
        "--resource",
        "system",
    ]);
    assert!(log["total"].as_u64().unwrap() >= 3, "{log}");
}

#[test]
fn home_with_a_passphrase_backs_up_and_restores() {
    let home = Home::new();
    let file = home.write("passphrase", "correct horse\n");
    home.configure(&format!("passphrase_file = \"{file}\""));
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    add(&agent(&daemon, "a"), "kept under lock");
    let path = take(&operator, daemon.home(), "b.age");
    operator.json(&["backup", "verify", &path]);
    let home = daemon.stop();
    for name in ["store.redb", "keys/keystore", "keys/root.age"] {
        std::fs::remove_file(home.join("data").join(name)).unwrap();
    }
    let ctl = Caller::new(&programs().ctl, home.path());
    ctl.json(&["backup", "restore", &path]);
    let daemon = Daemon::start_in(&programs(), home);
    assert_eq!(all(&daemon.operator()).len(), 1);
    check_sound(&daemon.operator());
}

#[test]
fn restore_sets_aside_what_was_known_of_the_log_and_says_so() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "agent-a");
    add(&a, "before");
    let elsewhere = Home::new();
    let identity = recovery_key(&daemon, &elsewhere);
    let path = take(&operator, daemon.home(), "b.age");
    for n in 0..20 {
        add(&a, &format!("later {n}"));
    }
    // Somebody looks, and remembers.
    let _ = operator.run(&["audit", "verify"]).ok();
    let home = daemon.stop();
    let data = home.join("data");
    std::fs::rename(&data, home.join("lost")).unwrap();
    let state = home.join("state");
    let anchor = std::fs::read(state.join("audit.anchor")).unwrap();
    let operator = Caller::new(&programs().ctl, home.path());
    let restored = operator.json(&["backup", "restore", &path, "--identity", &identity]);
    let (before, now) = (&restored["audit_before"], &restored["audit"]);
    assert!(before.as_u64() > now.as_u64(), "{restored}");
    let aside = restored["set_aside"].as_array().unwrap();
    assert_eq!(aside.len(), 2, "{restored}");
    let kept = std::fs::read(aside[0].as_str().unwrap()).unwrap();
    assert_eq!(kept, anchor, "the evidence stays as it was");
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    // Nobody is locked out, and the log goes on from here.
    let _ = operator.run(&["status"]).ok();
    let _ = operator.run(&["audit", "verify"]).ok();
    let doctor = operator.run(&["doctor", "-o", "json"]).json();
    let checks = doctor["items"].as_array().unwrap();
    for id in ["audit.anchor", "audit.chain"] {
        let check = checks.iter().find(|it| it["id"] == id).unwrap();
        assert_eq!(check["verdict"], "ok", "{check}");
    }
}
