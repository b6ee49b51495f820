//! `backup restore`: into a new home with the means that are at hand, and with a word for each that
//! is missing.

use manushya_tests::{Caller, Daemon, Home};
use serde_json::Value;

use crate::{add, agent, check_sound, daemon, programs, recovery_key, word};

fn take(daemon: &Daemon) -> String {
    let path = daemon.home().join("b.age").display().to_string();
    daemon.operator().json(&["backup", "create", &path]);
    path
}

/// The command line in a home that nobody has used.
fn stranger() -> (Home, Caller) {
    let home = Home::new();
    let ctl = Caller::new(&programs().ctl, home.path());
    (home, ctl)
}

#[track_caller]
fn hints(error: &Value, words: &[&str]) {
    for each in words {
        assert!(word(&error["hint"]).contains(each), "{each}: {error}");
    }
}

#[test]
fn restore_never_replaces_a_home_and_names_the_command_that_works() {
    let daemon = daemon();
    let operator = daemon.operator();
    let kept = add(&agent(&daemon, "a"), "stays where it is");
    let path = take(&daemon);
    operator.json(&["backup", "verify", &path]);
    for dry in [&[][..], &["--dry-run"]] {
        let restore = [&["backup", "restore", path.as_str()], dry].concat();
        let refused = operator.refused(7, &restore);
        hints(&refused, &["--into DIR", "MANUSHYA_HOME=DIR"]);
    }
    assert_eq!(
        operator.json(&["memory", "get", &kept])["text"],
        "stays where it is"
    );
    let home = daemon.stop();
    let ctl = Caller::new(&programs().ctl, home.path());
    ctl.refused(7, &["backup", "restore", &path]);
    let into = home.join("beside").display().to_string();
    let restored = ctl.json(&["backup", "restore", &path, "--into", &into]);
    assert_eq!(restored["ledgers"], 1, "{restored}");
}

#[test]
fn new_home_takes_the_recovery_key_or_says_what_it_lacks() {
    let daemon = daemon();
    add(&agent(&daemon, "a"), "carried over");
    let elsewhere = Home::new();
    let recovery = recovery_key(&daemon, &elsewhere);
    let path = take(&daemon);
    let (home, ctl) = stranger();
    let refused = ctl.refused(1, &["backup", "restore", &path]);
    assert_eq!(refused["code"], "VAULT_LOCKED");
    hints(&refused, &["--identity", "--from-home"]);
    let absent = home.join("nowhere").display().to_string();
    ctl.refused(
        2,
        &[
            "backup",
            "restore",
            &path,
            "--identity",
            &recovery,
            "--ledger",
            &absent,
        ],
    );
    ctl.refused(2, &["backup", "restore", &path, "--from-home", &absent]);
    assert!(!home.join("data").exists(), "a refusal leaves nothing");

    // The key of somebody else is told apart from a backup that was altered.
    let other = crate::daemon();
    let foreign = recovery_key(&other, other.home());
    let refused = ctl.refused(9, &["backup", "restore", &path, "--identity", &foreign]);
    assert!(
        word(&refused["message"]).contains("does not open"),
        "{refused}"
    );

    let restored = ctl
        .run(&["backup", "restore", &path, "--identity", &recovery])
        .ok();
    assert!(
        restored.stdout.contains("no erasure ledger"),
        "{restored:?}"
    );
    let daemon = Daemon::start_in(&programs(), home);
    assert_eq!(daemon.operator().json(&["memory", "list"])["total"], 1);
    check_sound(&daemon.operator());
}

#[test]
fn old_home_gives_key_signer_and_ledger() {
    let home = Home::new();
    let file = home.write("passphrase", "correct horse\n");
    home.configure(&format!("passphrase_file = \"{file}\""));
    let old = Daemon::start_in(&programs(), home);
    let operator = old.operator();
    let a = agent(&old, "a");
    let (kept, gone) = (add(&a, "stays"), add(&a, "goes"));
    let path = take(&old);
    let _ = operator
        .run(&["memory", "delete", &gone, "--hard", "-y"])
        .ok();
    let from = old.home().path().display().to_string();
    let (home, ctl) = stranger();
    let restored = ctl.json(&["backup", "restore", &path, "--from-home", &from]);
    assert_eq!(restored["key_was_known"], true, "{restored}");
    assert_eq!(restored["ledgers"], 1, "{restored}");
    assert_eq!(restored["erased_again"], 1, "{restored}");
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    operator.json(&["memory", "get", &kept]);
    operator.refused(6, &["memory", "get", &gone]);
    check_sound(&operator);
}

#[test]
fn key_in_the_clear_opens_for_a_home_with_a_passphrase_and_a_locked_one_asks_for_it() {
    let old = daemon();
    add(&agent(&old, "a"), "to be locked from here on");
    let elsewhere = Home::new();
    let recovery = recovery_key(&old, &elsewhere);
    let path = take(&old);
    let (home, ctl) = stranger();
    let file = home.write("passphrase", "a staple\n");
    home.configure(&format!("passphrase_file = \"{file}\""));
    ctl.json(&["backup", "restore", &path, "--identity", &recovery]);
    let locked = home.join("data/keys/identity.age-key");
    assert!(
        std::fs::read_to_string(&locked)
            .unwrap()
            .starts_with("-----BEGIN AGE")
    );
    let daemon = Daemon::start_in(&programs(), home);
    check_sound(&daemon.operator());
    let second = daemon.home().join("c.age").display().to_string();
    daemon.operator().json(&["backup", "create", &second]);
    // Elsewhere that identity is of use only with its passphrase.
    let (_third, ctl) = stranger();
    let locked = daemon.home().join("data/keys/identity.age-key");
    let locked = locked.display().to_string();
    let refused = ctl.refused(1, &["backup", "restore", &second, "--identity", &locked]);
    hints(&refused, &["--passphrase-file"]);
    let file = daemon.home().join("passphrase").display().to_string();
    ctl.json(&[
        "backup",
        "restore",
        &second,
        "--identity",
        &locked,
        "--passphrase-file",
        &file,
    ]);
}
