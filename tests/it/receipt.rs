//! `purge receipt verify hold`, the erasure ledger, and old copies of a home.

use std::path::Path;

use manushya_tests::{Daemon, Home};

use crate::{add, agent, check_sound, daemon, programs, word};

/// Purges a subject and returns the id of the plan.
#[track_caller]
fn purge(daemon: &Daemon, subject: &str) -> String {
    let operator = daemon.operator();
    let plan = word(&operator.json(&["purge", "plan", "--subject", subject])["id"]);
    let confirm = format!("--confirm={subject}");
    let purged = operator.json(&["purge", "apply", &plan, &confirm]);
    assert_eq!(purged["receipt"], plan.as_str(), "{purged}");
    plan
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn receipt_verifies_for_a_stranger_and_an_altered_one_does_not() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "agent-a");
    for n in 0..5 {
        add(&a, &format!("memory {n} of a"));
    }
    let plan = purge(&daemon, "agent-a");
    let receipt = operator.json(&["purge", "receipt", &plan]);
    assert_eq!(
        (&receipt["memories"], &receipt["tags"]),
        (&5.into(), &6.into())
    );
    assert!(
        receipt["keys_destroyed"].as_u64().unwrap() >= 2,
        "{receipt}"
    );
    let note = word(&receipt["note"]);
    assert!(note.starts_with("manushya/receipt/v1\n"), "{note}");
    assert!(
        !note.contains("agent-a") && !note.contains("memory 1"),
        "{note}"
    );
    let verified = operator.json(&["purge", "verify", &plan]);
    assert!(verified["total"].as_u64().unwrap() >= 5, "{verified}");
    let file = daemon.home().join("receipt.json").display().to_string();
    let _ = operator
        .run(&["purge", "receipt", &plan, "--out", &file])
        .ok();
    // The stranger has the file and the public key, and neither a home nor a daemon.
    let elsewhere = Home::new();
    let stranger = manushya_tests::Caller::new(&programs().ctl, elsewhere.path());
    let key = word(&operator.json(&["audit", "head"])["public_key"]);
    let offline = ["purge", "verify", &file, "--offline", "--key", &key];
    stranger.json(&offline);
    stranger.refused(2, &["purge", "verify", &file, "--offline"]);
    let text = std::fs::read_to_string(&file).unwrap();
    for (from, to) in [
        ("memories: 5", "memories: 4"),
        ("\"memories\": 5", "\"memories\": 4"),
        ("root-epoch: ", "root-epoch: 1"),
        ("\"checkpoint\": \"", "\"checkpoint\": \"x"),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        stranger.refused(9, &offline);
    }
    operator.refused(6, &["purge", "receipt", "prg_00000000000000000000000000"]);
    check_sound(&operator);
}

#[test]
fn old_copy_of_the_store_stays_shut_and_one_with_its_keys_is_found_out() {
    let first = daemon();
    let a = agent(&first, "agent-a");
    add(&a, "to be forgotten");
    add(&agent(&first, "agent-b"), "stays");
    // A copy of everything, as a careless backup would be.
    let home = first.stop();
    let old = home.folder("old");
    copy(&home.join("data"), &old);
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    let plan = purge(&daemon, "agent-a");
    let old_path = old.display().to_string();
    let opened = operator.run(&["purge", "verify", &plan, "--old", &old_path, "-o", "json"]);
    assert_eq!(opened.code, 9, "{opened:?}");
    assert!(opened.stdout.contains("bring back"), "{opened:?}");
    // Without the old root the old keystore is dead, and the old store with it.
    std::fs::remove_file(old.join("keys/root.age")).unwrap();
    let shut = operator.json(&["purge", "verify", &plan, "--old", &old_path]);
    let evidence = shut.to_string();
    assert!(
        evidence.contains("of what was erased, 0 of those open"),
        "{evidence}"
    );
    // A store that has nothing of it says so as well: the search does look at rows.
    assert!(!evidence.contains(" 0 of what was erased"), "{evidence}");
    let none = operator.run(&["purge", "verify", &plan, "--old", "/nonexistent"]);
    assert_eq!(none.code, 9, "{none:?}");
}

#[test]
fn copy_of_keys_in_the_home_is_found_out() {
    let daemon = daemon();
    let a = agent(&daemon, "a");
    add(&a, "x");
    let plan = purge(&daemon, "a");
    let operator = daemon.operator();
    operator.json(&["purge", "verify", &plan]);
    let keys = daemon.home().join("data/keys");
    std::fs::copy(keys.join("keystore"), keys.join("keystore.bak")).unwrap();
    let out = operator.run(&["purge", "verify", &plan]);
    assert_eq!(out.code, 9, "{out:?}");
    assert!(out.stdout.contains("keystore.bak"), "{out:?}");
}

#[test]
fn store_put_back_from_before_an_erasure_is_erased_again() {
    let first = daemon();
    let a = agent(&first, "agent-a");
    let gone = add(&a, "to be forgotten");
    let b = agent(&first, "agent-b");
    let (kept, single) = (add(&b, "stays"), add(&b, "goes by itself"));
    let home = first.stop();
    copy(&home.join("data"), &home.join("old"));
    let second = Daemon::start_in(&programs(), home);
    purge(&second, "agent-a");
    let operator = second.operator();
    operator.json(&["memory", "delete", &single, "--hard", "-y"]);
    let home = second.stop();
    std::fs::remove_dir_all(home.join("data")).unwrap();
    std::fs::rename(home.join("old"), home.join("data")).unwrap();
    let chmod = |path: &Path, mode| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(&home.join("data"), 0o700);
    chmod(&home.join("data/keys"), 0o700);
    let third = Daemon::start_in(&programs(), home);
    let operator = third.operator();
    operator.refused(6, &["identity", "show", "agent-a"]);
    operator.refused(6, &["memory", "get", &gone]);
    operator.refused(6, &["memory", "get", &single]);
    assert_eq!(operator.json(&["memory", "get", &kept])["text"], "stays");
    // That the store is of before is no secret: its audit log is shorter than its anchor says.
    let doctor = operator.run(&["doctor", "-o", "json"]).exits(9).json();
    let checks = doctor["items"].as_array().unwrap();
    let failed = checks.iter().filter(|check| check["verdict"] == "failure");
    let failed: Vec<String> = failed.map(|check| word(&check["id"])).collect();
    assert_eq!(failed, ["audit.anchor"]);
    // And the ledger goes on where it was: another start finds nothing to do.
    let log = || operator.json(&["audit", "list", "--actor", "daemon", "--action", "purge"]);
    assert_eq!(log()["total"], 1);
    let fourth = Daemon::start_in(&programs(), third.stop());
    let operator = fourth.operator();
    let again = operator.json(&["audit", "list", "--actor", "daemon", "--action", "purge"]);
    assert_eq!(again["total"], 1, "{again}");
}

#[test]
fn altered_erasure_ledger_is_refused_when_it_counts() {
    let first = daemon();
    let a = agent(&first, "a");
    add(&a, "x");
    let home = first.stop();
    copy(&home.join("data"), &home.join("old"));
    let second = Daemon::start_in(&programs(), home);
    purge(&second, "a");
    let home = second.stop();
    let ledger = home.join("state/erasures.ledger");
    let mut bytes = std::fs::read(&ledger).unwrap();
    assert_eq!((bytes.len() - 26) % 57, 0);
    assert!(bytes.len() > 26 + 57);
    bytes[26 + 30] ^= 1;
    std::fs::write(&ledger, &bytes).unwrap();
    std::fs::remove_dir_all(home.join("data")).unwrap();
    std::fs::rename(home.join("old"), home.join("data")).unwrap();
    let chmod = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
    };
    chmod(&home.join("data"));
    chmod(&home.join("data/keys"));
    let mut child = manushya_tests::daemon::spawn(&programs(), &home);
    let status = manushya_tests::daemon::wait(&mut child, std::time::Duration::from_secs(30));
    assert_eq!(status.code(), Some(9), "{}", home.read_log());
}

#[test]
fn hold_is_in_the_way_of_every_erasure() {
    let daemon = crate::daemon_with("retention = \"1s\"\nsweep_interval = \"1h\"");
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let id = add(&a, "evidence");
    let plan = word(&operator.json(&["purge", "plan", "--subject", "a"])["id"]);
    let hold = operator.json(&[
        "purge",
        "hold",
        "add",
        "--subject",
        "a",
        "--reason",
        "case 7",
    ]);
    let hold_id = word(&hold["id"]);
    assert_eq!(hold["keeps"], "a");
    let refused = operator.refused(7, &["purge", "apply", &plan, "--confirm=a"]);
    assert_eq!(refused["reason"], "case 7");
    operator.refused(7, &["purge", "plan", "--subject", "a"]);
    operator.refused(7, &["purge", "plan", "--memory", &id]);
    operator.refused(7, &["identity", "delete", "a", "--confirm=a"]);
    operator.refused(7, &["memory", "delete", &id, "--hard", "-y"]);
    // The sweeper leaves it, and does not stumble over it.
    let other = crate::add_with(&operator, "of the operator", &[]);
    for id in [&id, &other] {
        let _ = operator.run(&["memory", "delete", id, "-y"]).ok();
    }
    std::thread::sleep(std::time::Duration::from_millis(1200));
    assert_eq!(operator.json(&["purge", "run"])["memories"], 1);
    a.refused(5, &["purge", "hold", "release", &hold_id]);
    assert_eq!(operator.json(&["purge", "hold", "list"])["total"], 1);
    operator.json(&["purge", "hold", "release", &hold_id]);
    operator.refused(6, &["purge", "hold", "release", &hold_id]);
    assert_eq!(operator.json(&["purge", "run"])["memories"], 1);
    let plan = word(&operator.json(&["purge", "plan", "--subject", "a"])["id"]);
    operator.json(&["purge", "apply", &plan, "--confirm=a"]);
    operator.refused(
        2,
        &["purge", "hold", "add", "--whole-tenant", "--reason", " "],
    );
}

#[test]
fn memories_named_one_by_one_are_purged_with_a_receipt() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let (gone, kept) = (add(&a, "one"), add(&a, "two"));
    let plan = operator.json(&["purge", "plan", "--memory", &gone]);
    assert_eq!(plan["memories"], 1);
    let id = word(&plan["id"]);
    let confirm = format!("--confirm={id}");
    operator.json(&["purge", "apply", &id, &confirm]);
    assert_eq!(
        operator.json(&["purge", "receipt", &id])["scope"],
        "records"
    );
    operator.json(&["purge", "verify", &id]);
    assert_eq!(crate::ids(&a.json(&["memory", "list"])), [kept]);
}
