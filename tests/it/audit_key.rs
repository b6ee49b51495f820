//! `key rotate audit`: what was signed goes on verifying, whoever holds an earlier key follows to the
//! newest, and nobody else's word is taken for it.

use std::fs;

use manushya_tests::random::Random;
use manushya_tests::{Caller, Daemon};
use serde_json::{Value, json};

use crate::{add, agent, check_sound, daemon, programs, word};

/// The public key that signs, as a file.
#[track_caller]
fn key_file(daemon: &Daemon, name: &str) -> String {
    let key = daemon.operator().run(&["audit", "key"]);
    daemon.home().write(name, &key.ok().stdout)
}

#[track_caller]
fn rotate(by: &Caller) -> Value {
    by.json(&["key", "rotate", "audit"])
}

#[track_caller]
fn proof(daemon: &Daemon, seq: &str, name: &str) -> (String, Value) {
    let proof = daemon.operator().json(&["audit", "prove", seq]);
    (daemon.home().write(name, &proof.to_string()), proof)
}

#[track_caller]
fn offline(by: &Caller, file: &str, key: &str) -> i32 {
    by.run(&[
        "audit",
        "verify",
        "--offline",
        file,
        "--key",
        key,
        "-o",
        "json",
    ])
    .code
}

/// The entries that hand the log over.
#[track_caller]
fn hand_overs(by: &Caller) -> Vec<Value> {
    let log = by.json(&["audit", "list", "--action", "manage", "--limit", "1000"]);
    let entries = log["items"].as_array().unwrap().iter();
    entries
        .filter(|it| !it["next_audit_key"].is_null())
        .cloned()
        .collect()
}

#[test]
fn who_holds_the_first_key_follows_to_the_newest() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    add(&a, "before any rotation");
    operator.json(&["audit", "verify"]);
    let first = key_file(&daemon, "first.pub");
    let (old_proof, _) = proof(&daemon, "2", "old.json");
    let old_head = word(&operator.json(&["audit", "head"])["checkpoint"]);
    let old_head = daemon.home().write("old.checkpoint", &old_head);

    a.refused(5, &["key", "rotate", "audit"]);
    let dry = operator.json(&["key", "rotate", "audit", "--dry-run"]);
    assert!(dry["kid"].is_null(), "{dry}");
    assert!(hand_overs(&operator).is_empty());
    let rotated = rotate(&operator);
    assert_ne!(rotated["kid"], rotated["retired"]);
    let second = key_file(&daemon, "second.pub");
    add(&a, "signed by the second key");
    let again = rotate(&operator);
    assert_eq!(again["retired"], rotated["kid"]);
    let third = key_file(&daemon, "third.pub");
    let files = [&first, &second, &third];
    let texts: Vec<String> = files
        .iter()
        .map(|it| fs::read_to_string(it).unwrap())
        .collect();
    assert!(texts[0] != texts[1] && texts[1] != texts[2]);

    // The log says so itself, after having said that it begins.
    let told = hand_overs(&operator);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0]["key_epoch"], json!({ "key": "audit", "epoch": 2 }));
    assert_eq!(told[1]["key_epoch"], json!({ "key": "audit", "epoch": 3 }));
    let all = operator.json(&["audit", "key", "--all"]);
    let keys = all["items"].as_array().unwrap();
    assert_eq!(keys.len(), 3, "{all}");
    for (key, text) in keys.iter().zip(&texts) {
        assert_eq!(key["public_key"], text.trim());
    }
    assert_eq!(keys[2]["since"], told[1]["seq"]);
    let list = operator.json(&["key", "list"]);
    let states: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["kind"] == "audit")
        .map(|it| word(&it["state"]))
        .collect();
    assert_eq!(states, ["verifying", "verifying", "signing"]);

    // What was made before verifies as it did; what is made now, with each of the keys.
    assert_eq!(offline(&operator, &old_proof, &first), 0);
    assert_eq!(offline(&operator, &old_proof, &third), 9);
    let (new_proof, proof) = proof(&daemon, "2", "new.json");
    for key in files {
        assert_eq!(offline(&operator, &new_proof, key), 0, "{key}");
        operator.json(&["audit", "verify", "--key", key]);
    }
    let grown = operator.json(&["audit", "consistency", &old_head]);
    let grown = daemon.home().write("grown.json", &grown.to_string());
    assert_eq!(offline(&operator, &grown, &first), 0);

    // With a forged hand-over, or one left out, it proves nothing to who holds the first key.
    for (forge, name) in [
        (json!(null), "signature"),
        (json!([]), "all"),
        (json!("other"), "gap"),
    ] {
        let mut forged = proof.clone();
        match name {
            "signature" => {
                let other = forged["hand_overs"][0]["signature"].clone();
                forged["hand_overs"][1]["signature"] = other;
            }
            "all" => forged["hand_overs"] = forge,
            _ => drop(forged["hand_overs"].as_array_mut().unwrap().remove(1)),
        }
        let file = daemon.home().write("forged.json", &forged.to_string());
        assert_eq!(offline(&operator, &file, &first), 9, "{name}");
    }
    check_sound(&operator);
    let doctor = operator.json(&["doctor"]);
    let chain = doctor["items"].as_array().unwrap().iter();
    let chain = chain.clone().find(|it| it["id"] == "audit.chain").unwrap();
    assert!(word(&chain["evidence"]).contains("3 keys"), "{doctor}");
    let daemon = Daemon::start_in(&programs(), daemon.stop());
    check_sound(&daemon.operator());
    assert_eq!(offline(&daemon.operator(), &new_proof, &first), 0);
}

#[test]
fn receipts_of_before_verify_and_those_after_lead_back() {
    let daemon = daemon();
    let operator = daemon.operator();
    let first = key_file(&daemon, "first.pub");
    let receipt = |name: &str| {
        add(&agent(&daemon, name), "to be erased");
        let plan = word(&operator.json(&["purge", "plan", "--subject", name])["id"]);
        let confirm = format!("--confirm={name}");
        operator.json(&["purge", "apply", &plan, &confirm]);
        let file = daemon.home().write(&format!("{name}.json"), "");
        let _ = fs::remove_file(&file);
        let _ = operator
            .run(&["purge", "receipt", &plan, "--out", &file])
            .ok();
        (plan, file)
    };
    let (old, old_file) = receipt("agent-a");
    rotate(&operator);
    let (new, new_file) = receipt("agent-b");
    for (plan, file) in [(&old, &old_file), (&new, &new_file)] {
        operator.json(&["purge", "verify", plan]);
        let _ = operator
            .run(&["purge", "verify", file, "--offline", "--key", &first])
            .ok();
    }
    let shown = operator.json(&["purge", "receipt", &old]);
    assert_eq!(
        shown["public_key"],
        fs::read_to_string(&first).unwrap().trim()
    );
}

#[test]
fn client_takes_a_signed_hand_over_and_no_other_key() {
    let daemon = daemon();
    let operator = daemon.operator();
    operator.json(&["audit", "verify"]);
    let seen = |daemon: &Daemon| {
        let folder = daemon.home().join("state/seen");
        let mut files = fs::read_dir(folder).unwrap();
        files.next().unwrap().unwrap().path()
    };
    let before = fs::read_to_string(seen(&daemon)).unwrap();
    rotate(&operator);
    operator.json(&["audit", "head"]);
    let after = fs::read_to_string(seen(&daemon)).unwrap();
    assert_ne!(before.lines().next(), after.lines().next());
    operator.json(&["audit", "verify"]);

    // A home made anew signs with a key that nobody vouched for.
    let home = daemon.stop();
    fs::remove_dir_all(home.join("data")).unwrap();
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    for n in 0..20 {
        add(&a, &format!("something to grow, {n}"));
    }
    for command in [["audit", "verify"], ["audit", "head"]] {
        let refused = operator.refused(9, &command);
        assert!(
            word(&refused["message"]).contains("another key"),
            "{refused}"
        );
    }
    // Nor does a hand-over of its own lead there.
    rotate(&operator);
    operator.refused(9, &["audit", "head"]);
    operator.refused(9, &["audit", "verify"]);
}

#[test]
fn killed_at_any_moment_of_a_hand_over_the_log_verifies() {
    let rounds: usize = std::env::var("MANUSHYA_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(8);
    let mut random = Random::new(12);
    let mut daemon = daemon();
    add(&agent(&daemon, "a"), "one");
    let first = key_file(&daemon, "first.pub");
    let mut cut = 0;
    for round in 0..rounds {
        let before = hand_overs(&daemon.operator()).len();
        let mut command = daemon.operator().start(&["key", "rotate", "audit"]);
        let pause = u64::try_from(random.below(30)).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        let home = daemon.kill();
        let _ = command.wait();
        daemon = Daemon::start_in(&programs(), home);
        let operator = daemon.operator();
        let after = hand_overs(&operator).len();
        assert!(after - before <= 1, "round {round}");
        cut += usize::from(after == before);
        operator.json(&["audit", "verify", "--key", &first]);
        check_sound(&operator);
        let list = operator.json(&["key", "list"]);
        let items = list["items"].as_array().unwrap().iter();
        let signing = items.filter(|it| it["kind"] == "audit" && it["state"] == "signing");
        assert_eq!(signing.count(), 1, "{list}");
    }
    println!("{cut} of {rounds} rotations were cut before the log had them");
    rotate(&daemon.operator());
    daemon
        .operator()
        .json(&["audit", "verify", "--key", &first]);
}

#[test]
fn backup_of_before_the_rotation_restores_and_goes_on() {
    let daemon = daemon();
    let operator = daemon.operator();
    add(&agent(&daemon, "a"), "kept");
    operator.json(&["audit", "verify"]);
    let first = key_file(&daemon, "first.pub");
    operator.json(&["backup", "create", "early.age"]);
    rotate(&operator);
    add(&agent(&daemon, "b"), "after");
    let third = key_file(&daemon, "later.pub");
    operator.json(&["backup", "create", "late.age"]);
    // The home knows both: by its own keys, and by the log in the backup.
    for backup in ["early.age", "late.age"] {
        operator.json(&["backup", "verify", backup]);
        operator.json(&["backup", "verify", backup, "--key", &first]);
    }
    operator.refused(9, &["backup", "verify", "early.age", "--key", &third]);
    let home = daemon.stop();
    for name in ["store.redb", "keys/keystore", "keys/root.age"] {
        fs::remove_file(home.join("data").join(name)).unwrap();
    }
    let ctl = Caller::new(&programs().ctl, home.path());
    let restored = ctl.json(&["backup", "restore", "early.age"]);
    assert_eq!(restored["key_was_known"], true, "{restored}");
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    operator.json(&["audit", "verify", "--key", &first]);
    operator.json(&["audit", "verify"]);
    assert!(hand_overs(&operator).is_empty());
    rotate(&operator);
    check_sound(&operator);
    operator.json(&["audit", "verify", "--key", &first]);
}
