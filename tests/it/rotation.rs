//! `key rotate root`, `key rotate data` and `key passphrase`: nothing is lost, and what was is of no
//! more use.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use manushya_tests::random::Random;
use manushya_tests::{Caller, Daemon, Home};
use serde_json::Value;

use crate::{add, agent, check_sound, daemon, programs, word};

/// The key of a kind in `key list`.
#[track_caller]
fn key(by: &Caller, kind: &str) -> Value {
    let list = by.json(&["key", "list"]);
    let items = list["items"].as_array().unwrap();
    let found = items.iter().find(|it| it["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}: {list}")).clone()
}

#[track_caller]
fn texts(by: &Caller) -> Vec<String> {
    let list = by.json(&["memory", "list", "--all"]);
    let mut texts: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| word(&it["text"]))
        .collect();
    texts.sort();
    texts
}

/// Adds `count` memories of an agent by one import.
fn fill(daemon: &Daemon, name: &str, count: usize) -> Caller {
    let agent = agent(daemon, name);
    let lines: String = (0..count)
        .map(|n| format!("{{\"text\":\"{name} remembers number {n}\"}}\n"))
        .collect();
    let file = daemon.home().write(&format!("{name}.jsonl"), &lines);
    let _ = agent.run(&["memory", "import", &file]).ok();
    agent
}

#[test]
fn new_root_wraps_every_key_and_the_old_keystore_opens_no_more() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = fill(&daemon, "a", 20);
    let before = texts(&operator);
    let epoch: u64 = word(&key(&operator, "root")["kid"]).parse().unwrap();
    a.refused(5, &["key", "rotate", "root"]);
    a.refused(5, &["key", "rotate", "data"]);
    let dry = operator.json(&["key", "rotate", "root", "--dry-run"]);
    assert!(dry["kid"].is_null(), "{dry}");
    assert_eq!(key(&operator, "root")["kid"], epoch.to_string());
    let old = fs::read(daemon.home().join("data/keys/keystore")).unwrap();
    let rotated = operator.json(&["key", "rotate", "root"]);
    assert_eq!(rotated["kid"], (epoch + 1).to_string());
    assert_eq!(rotated["retired"], epoch.to_string());
    assert_eq!(key(&operator, "root")["kid"], (epoch + 1).to_string());
    let log = operator.json(&["audit", "list", "--action", "manage"]);
    let entries = log["items"].as_array().unwrap();
    let done = entries
        .iter()
        .position(|it| it["key_epoch"]["key"] == "root" && it["key_epoch"]["epoch"] == epoch + 1);
    // That it begins is on disk before anything is done.
    let begun = done.and_then(|at| entries.get(at.checked_sub(1)?));
    let begun = begun.unwrap_or_else(|| panic!("{log}"));
    assert_eq!(
        (&begun["decision"], &begun["count"]),
        (&"allow".into(), &0.into())
    );
    assert!(begun["key_epoch"].is_null(), "{log}");
    a.json(&["whoami"]);
    check_sound(&operator);
    let daemon = Daemon::start_in(&programs(), daemon.stop());
    assert_eq!(texts(&daemon.operator()), before);
    check_sound(&daemon.operator());
    // The keystore of before, put back, is of no use with the root there is.
    let home = daemon.stop();
    let path = home.join("data/keys/keystore");
    let new = fs::read(&path).unwrap();
    fs::write(&path, old).unwrap();
    let mut child = manushya_tests::daemon::spawn(&programs(), &home);
    assert_eq!(child.wait().unwrap().code(), Some(9));
    fs::write(&path, new).unwrap();
    check_sound(&Daemon::start_in(&programs(), home).operator());
}

#[test]
fn new_data_keys_seal_every_record_while_others_read_and_write() {
    let daemon = daemon();
    let operator = daemon.operator();
    let writers: Vec<Caller> = (0..3)
        .map(|n| fill(&daemon, &format!("w{n}"), 600))
        .collect();
    let update = writers[0].json(&["memory", "list", "--limit", "1"]);
    let id = word(&update["items"][0]["id"]);
    writers[0].json(&["memory", "update", &id, "-m", "a second version"]);
    let below: u64 = word(&key(&operator, "data")["kid"]).parse().unwrap();
    let before = texts(&operator);
    let done = AtomicBool::new(false);
    let (rotated, added) = std::thread::scope(|scope| {
        let busy: Vec<_> = writers
            .iter()
            .map(|writer| {
                let done = &done;
                scope.spawn(move || {
                    let mut added = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        added.push(add(writer, &format!("written meanwhile {}", added.len())));
                        let found =
                            writer.json(&["memory", "search", "remembers number", "-k", "50"]);
                        assert_eq!(found["total"], 50, "a search misses what is there");
                        writer.json(&["memory", "list", "--limit", "1000"]);
                    }
                    added
                })
            })
            .collect();
        let rotated = operator.json(&["key", "rotate", "data"]);
        done.store(true, Ordering::Relaxed);
        let added: Vec<String> = busy.into_iter().flat_map(|it| it.join().unwrap()).collect();
        (rotated, added)
    });
    assert_eq!(rotated["left"], 0, "{rotated}");
    assert!(rotated["replaced"].as_u64().unwrap() >= 10, "{rotated}");
    assert!(rotated["below"].as_u64().unwrap() >= below, "{rotated}");
    let after = texts(&operator);
    assert_eq!(after.len(), before.len() + added.len());
    for text in &before {
        assert!(after.binary_search(text).is_ok(), "{text} is lost");
    }
    assert_eq!(writers[0].json(&["memory", "history", &id])["total"], 2);
    check_sound(&operator);
    // A second time there is as much to do, and nothing is left waiting once nobody reads.
    let again = operator.json(&["key", "rotate", "data"]);
    assert_eq!((&again["left"], &again["waiting"]), (&0.into(), &0.into()));
    let daemon = Daemon::start_in(&programs(), daemon.stop());
    check_sound(&daemon.operator());
}

#[test]
fn killed_at_any_moment_of_a_rotation_the_home_opens() {
    let rounds: usize = std::env::var("MANUSHYA_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(8);
    let mut random = Random::new(11);
    let mut daemon = daemon();
    fill(&daemon, "a", 700);
    let before = texts(&daemon.operator());
    for round in 0..rounds {
        let which = ["root", "data"][round % 2];
        let operator = daemon.operator();
        let mut command = operator.start(&["key", "rotate", which]);
        let pause = u64::try_from(random.below(60)).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        let home = daemon.kill();
        let _ = command.wait();
        daemon = Daemon::start_in(&programs(), home);
        assert_eq!(texts(&daemon.operator()), before, "round {round}, {which}");
    }
    check_sound(&daemon.operator());
    daemon.operator().json(&["key", "rotate", "data"]);
    check_sound(&daemon.operator());
}

#[test]
fn passphrase_is_set_and_removed_while_the_daemon_runs() {
    let daemon = daemon();
    let operator = daemon.operator();
    add(&agent(&daemon, "a"), "one");
    agent(&daemon, "b").refused(5, &["key", "passphrase", "remove"]);
    let file = daemon.home().write("secret", "correct horse\n");
    let path = daemon.home().join("data/keys/identity.age-key");
    let is_locked = || {
        fs::read_to_string(&path)
            .unwrap()
            .starts_with("-----BEGIN AGE")
    };
    operator.json(&["key", "passphrase", "set", "--file", &file, "--dry-run"]);
    assert!(!is_locked());
    let empty = daemon.home().write("empty", "");
    operator.refused(2, &["key", "passphrase", "set", "--file", &empty]);
    let set = operator.json(&["key", "passphrase", "set", "--file", &file]);
    assert_eq!(set["outcome"], "locked");
    assert!(is_locked());
    check_sound(&operator);
    // Without it no daemon starts; with it, as a setting or as a credential of systemd, one does.
    let home = daemon.stop();
    let mut child = manushya_tests::daemon::spawn(&programs(), &home);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    home.configure(&format!("passphrase_file = \"{file}\""));
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    assert_eq!(operator.json(&["memory", "list"])["total"], 1);
    operator.json(&["key", "passphrase", "remove"]);
    assert!(!is_locked());
    let home = daemon.stop();
    home.configure("");
    check_sound(&Daemon::start_in(&programs(), home).operator());
}

#[test]
fn credential_of_systemd_is_the_passphrase() {
    let home = Home::new();
    let folder = home.folder("credentials");
    home.write("credentials/manushya-passphrase", "from systemd\n");
    let daemon = Daemon::start_in(&programs(), home);
    let file = daemon.home().write("secret", "from systemd\n");
    daemon
        .operator()
        .json(&["key", "passphrase", "set", "--file", &file]);
    let home = daemon.stop();
    let (program, arguments) = programs().daemon;
    let mut child = std::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("MANUSHYA_HOME", home.path())
        .env("CREDENTIALS_DIRECTORY", &folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let ctl = Caller::new(&programs().ctl, home.path());
    let mut served = false;
    for _ in 0..2000 {
        served = ctl.run(&["status"]).code == 0;
        if served || child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
    assert!(served, "the daemon did not take the credential");
}
