//! The recovery key: shown once at the first start, kept nowhere, and enough to come back with.

use std::fs;
use std::path::Path;

use manushya_tests::scan;
use manushya_tests::{Caller, Daemon, Home};

use crate::{add, agent, check_sound, daemon, programs, recovery_key, word};

/// Every file below a folder that has these bytes.
fn having(folder: &Path, wanted: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(having(&path, wanted));
        } else if fs::read(&path).is_ok_and(|bytes| scan::contains(&bytes, wanted)) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn first_up_shows_the_recovery_key_once_and_keeps_it_nowhere() {
    let home = Home::new();
    let ctl = Caller::new(&programs().ctl, home.path());
    let up = ctl.json(&["up"]);
    let secret = word(&up["recovery"]["secret"]);
    let recipient = word(&up["recovery"]["recipient"]);
    assert!(secret.starts_with("AGE-SECRET-KEY-1"), "no secret key");
    let named = fs::read_to_string(home.join("data/keys/recovery.recipient")).unwrap();
    assert_eq!(named.trim(), recipient);
    let again = ctl.json(&["up"]);
    assert!(again["recovery"].is_null(), "it is shown twice");
    add(
        &crate::identity(&ctl, "a", "agent"),
        "kept through the loss of the identity",
    );
    let list = ctl.json(&["key", "list"]);
    let items = list["items"].as_array().unwrap();
    assert!(
        items.iter().any(|it| it["kid"] == recipient.as_str()),
        "{list}"
    );
    let busy = ctl.run_with(
        &["key", "recover", "--identity-file", "-"],
        secret.as_bytes(),
    );
    assert_eq!(busy.code, 7, "{}", busy.stderr);
    ctl.json(&["down"]);
    let again = ctl.json(&["up"]);
    assert!(again["recovery"].is_null(), "it is shown twice");
    ctl.json(&["down"]);
    assert_eq!(having(home.path(), secret.as_bytes()), [""; 0]);
    assert!(!home.join("data/keys/recovery.age-key").exists());

    // The identity is lost.
    let identity = home.join("data/keys/identity.age-key");
    fs::remove_file(&identity).unwrap();
    ctl.refused(1, &["up"]);
    let dry = ctl.run_with(
        &["key", "recover", "--identity-file", "-", "--dry-run"],
        secret.as_bytes(),
    );
    let _ = dry.ok();
    assert!(!identity.exists());
    let recover = ["key", "recover", "--identity-file", "-", "-o", "json"];
    let wrong = ctl.run_with(&recover, b"age1notasecret\n");
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    let recovered = ctl.run_with(&recover, format!("{secret}\n").as_bytes());
    let recovered = recovered.ok().json();
    assert_eq!(recovered["locked"], false, "{recovered}");
    assert!(identity.exists());
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    assert_eq!(operator.json(&["memory", "list"])["total"], 1);
    check_sound(&operator);
    let log = operator.json(&[
        "audit",
        "list",
        "--action",
        "restore",
        "--resource",
        "system",
    ]);
    assert_eq!(log["total"], 1, "{log}");
    let entry = &log["items"][0];
    assert_eq!(
        (&entry["actor"], &entry["count"]),
        (&"daemon".into(), &1.into())
    );
    assert_eq!(entry["key_epoch"]["key"], "root");
    assert_eq!(entry["key_epoch"]["epoch"], recovered["root_epoch"]);
    // It is told once.
    let daemon = Daemon::start_in(&programs(), daemon.stop());
    let log = daemon
        .operator()
        .json(&["audit", "list", "--action", "restore"]);
    assert_eq!(log["total"], 1, "{log}");
    assert_eq!(having(daemon.home().path(), secret.as_bytes()), [""; 0]);
}

#[test]
fn table_tells_how_to_keep_it() {
    let home = Home::new();
    let ctl = Caller::new(&programs().ctl, home.path());
    let up = ctl.run(&["up"]).ok();
    assert_eq!(up.stdout.matches("AGE-SECRET-KEY-1").count(), 1);
    assert!(up.stdout.contains("offline"), "{}", up.stdout);
    assert!(!up.stderr.contains("AGE-SECRET-KEY-1"));
    ctl.json(&["down"]);
    assert_eq!(
        having(home.path(), b"AGE-SECRET-KEY-1"),
        [home
            .join("data/keys/identity.age-key")
            .display()
            .to_string()]
    );
}

#[test]
fn new_recovery_key_takes_the_place_of_the_old_one() {
    let daemon = daemon();
    let operator = daemon.operator();
    let doctor = |by: &Caller| {
        let all = by.json(&["doctor"]);
        let items = all["items"].as_array().unwrap().iter();
        let found = items.clone().find(|it| it["id"] == "keys.recovery");
        found.unwrap().clone()
    };
    // A home that was made without anybody to show it to has none.
    assert_eq!(doctor(&operator)["verdict"], "warning");
    let a = agent(&daemon, "a");
    add(&a, "one");
    a.refused(5, &["key", "recovery", "new"]);
    let _ = operator.run(&["key", "recovery", "new", "--dry-run"]).ok();
    assert!(!daemon.home().join("data/keys/recovery.recipient").exists());
    let elsewhere = Home::new();
    let first = recovery_key(&daemon, &elsewhere);
    let first_text = fs::read_to_string(&first).unwrap();
    assert_eq!(doctor(&operator)["verdict"], "ok");
    operator.json(&["backup", "create", "b.age"]);
    let second = recovery_key(&daemon, &elsewhere);
    let first = elsewhere.write("first.key", &first_text);
    let log = operator.json(&["audit", "list", "--action", "manage"]);
    let roots = log["items"].as_array().unwrap().iter();
    assert_eq!(
        roots.filter(|it| it["key_epoch"]["key"] == "root").count(),
        2
    );
    check_sound(&operator);
    // What was encrypted to the first one opens with that.
    operator.json(&["backup", "verify", "b.age", "--identity", &first]);
    operator.refused(9, &["backup", "verify", "b.age", "--identity", &second]);

    let home = daemon.stop();
    let ctl = Caller::new(&programs().ctl, home.path());
    let identity = home.join("data/keys/identity.age-key");
    let own = fs::read(&identity).unwrap();
    let recover = |file: &str| ["key", "recover", "--identity-file", file].map(str::to_owned);
    let words = |file: &str| recover(file);
    let refused = |file: &str| {
        let arguments = words(file);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        ctl.refused(9, &arguments)
    };
    refused(&first);
    refused(&identity.display().to_string());
    assert_eq!(fs::read(&identity).unwrap(), own);
    let lock = home.write("passphrase", "correct horse\n");
    ctl.json(&[
        "key",
        "recover",
        "--identity-file",
        &second,
        "--passphrase-file",
        &lock,
    ]);
    assert!(fs::read(&identity).unwrap().starts_with(b"-----BEGIN AGE"));
    home.configure(&format!("passphrase_file = \"{lock}\""));
    let daemon = Daemon::start_in(&programs(), home);
    check_sound(&daemon.operator());
    // The identity that was lost, should it turn up, opens nothing.
    let home = daemon.stop();
    fs::write(&identity, &own).unwrap();
    home.configure("");
    let mut child = manushya_tests::daemon::spawn(&programs(), &home);
    assert_eq!(child.wait().unwrap().code(), Some(9));
}
