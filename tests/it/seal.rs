//! `seal` and `unseal`: no key in memory, nothing served, and everything there again afterwards.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use manushya_tests::{Caller, Daemon, Home};

use crate::{add, agent, check_sound, daemon, ids, programs, word};

#[track_caller]
fn state(by: &Caller) -> String {
    word(&by.json(&["status"])["state"])
}

#[test]
fn sealed_daemon_serves_nothing_until_it_is_unsealed() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let id = add(&a, "kept while nobody can look");
    a.refused(5, &["seal"]);
    let dry = operator.json(&["seal", "--dry-run"]);
    assert_eq!(dry["outcome"], "serving");
    assert_eq!(operator.json(&["unseal"])["outcome"], "not sealed");
    assert_eq!(state(&operator), "serving");

    assert_eq!(operator.json(&["seal"])["outcome"], "sealed");
    for caller in [&operator, &a] {
        assert_eq!(state(caller), "sealed");
    }
    let commands: &[&[&str]] = &[
        &["memory", "get", &id],
        &["memory", "add", "not taken"],
        &["memory", "search", "kept"],
        &["audit", "verify"],
        &["identity", "list"],
        &["backup", "create", "b.age"],
        &["key", "list"],
        &["whoami"],
        &["seal"],
    ];
    for arguments in commands {
        for caller in [&operator, &a] {
            let refused = caller.refused(1, arguments);
            assert_eq!(refused["code"], "VAULT_LOCKED", "{arguments:?}: {refused}");
            assert!(word(&refused["hint"]).contains("unseal"), "{refused}");
        }
    }
    let doctor = operator.json(&["doctor"]);
    let checks = doctor["items"].as_array().unwrap();
    let told = checks.iter().find(|it| it["id"] == "daemon.sealed");
    assert_eq!(told.unwrap()["verdict"], "warning", "{doctor}");
    assert_eq!(operator.json(&["up"])["state"], "sealed");

    assert_eq!(operator.json(&["unseal"])["outcome"], "unsealed");
    assert_eq!(state(&operator), "serving");
    assert_eq!(
        a.json(&["memory", "get", &id])["text"],
        "kept while nobody can look"
    );
    let log = operator.json(&["audit", "list", "--limit", "1000"]);
    let alerts: Vec<&str> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["alert"].as_str())
        .collect();
    assert_eq!(alerts, ["sealed", "unsealed"], "{log}");
    check_sound(&operator);
    // And once more, since what was given back can be taken up again.
    operator.json(&["seal"]);
    operator.json(&["unseal"]);
    check_sound(&operator);
    let _ = daemon.stop();
}

#[test]
fn seal_outlives_the_process() {
    let daemon = daemon();
    add(&agent(&daemon, "a"), "one");
    daemon.operator().json(&["seal"]);
    let daemon = Daemon::start_in(&programs(), daemon.kill());
    let operator = daemon.operator();
    assert_eq!(state(&operator), "sealed");
    operator.refused(1, &["memory", "list"]);
    // A sealed daemon can be stopped like any other.
    operator.json(&["down"]);
    let (status, home) = daemon.ended();
    assert!(status.success(), "{status}");
    let daemon = Daemon::start_in(&programs(), home);
    assert_eq!(state(&daemon.operator()), "sealed");
    let daemon = Daemon::start_in(&programs(), daemon.stop());
    let operator = daemon.operator();
    operator.json(&["unseal"]);
    assert_eq!(operator.json(&["memory", "list"])["total"], 1);
    let daemon = Daemon::start_in(&programs(), daemon.stop());
    assert_eq!(state(&daemon.operator()), "serving");
}

#[test]
fn unseal_wants_the_passphrase_and_writes_down_who_failed() {
    let home = Home::new();
    let file = home.write("passphrase", "correct horse\n");
    home.configure(&format!("passphrase_file = \"{file}\""));
    let daemon = Daemon::start_in(&programs(), home);
    let operator = daemon.operator();
    add(&agent(&daemon, "a"), "one");
    operator.json(&["seal"]);
    fs::remove_file(&file).unwrap();
    operator.refused(2, &["unseal"]);
    let wrong = daemon.home().write("wrong", "battery staple\n");
    let refused = operator.refused(1, &["unseal", "--passphrase-file", &wrong]);
    assert_eq!(refused["code"], "VAULT_LOCKED");
    let empty = daemon.home().write("empty", "\n");
    operator.refused(2, &["unseal", "--passphrase-file", &empty]);
    assert_eq!(state(&operator), "sealed");
    let opened = operator.run_with(
        &["unseal", "--passphrase-file", "-", "-o", "json"],
        b"correct horse\n",
    );
    assert_eq!(opened.ok().json()["outcome"], "unsealed");
    assert_eq!(operator.json(&["memory", "list"])["total"], 1);
    let denied = operator.json(&[
        "audit",
        "list",
        "--decision",
        "deny",
        "--resource",
        "system",
    ]);
    assert_eq!(denied["total"], 2, "{denied}");
    for entry in denied["items"].as_array().unwrap() {
        assert_eq!(entry["actor"], "anonymous", "{entry}");
    }
    check_sound(&operator);
}

#[test]
fn what_was_acknowledged_before_sealing_is_there_after_it() {
    let daemon = daemon();
    let operator = daemon.operator();
    let writers: Vec<Caller> = (0..4).map(|n| agent(&daemon, &format!("w{n}"))).collect();
    let sealed = AtomicBool::new(false);
    let acknowledged: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = writers
            .iter()
            .map(|writer| {
                let sealed = &sealed;
                scope.spawn(move || {
                    let mut done = Vec::new();
                    while !sealed.load(Ordering::Relaxed) {
                        let text = format!("note {}", done.len());
                        let out = writer.run(&["memory", "add", &text, "-o", "json"]);
                        if out.code == 0 {
                            done.push(word(&out.json()["id"]));
                        }
                    }
                    done
                })
            })
            .collect();
        std::thread::sleep(std::time::Duration::from_millis(400));
        operator.json(&["seal"]);
        sealed.store(true, Ordering::Relaxed);
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(!acknowledged.is_empty());
    operator.json(&["unseal"]);
    let there = ids(&operator.json(&["memory", "list", "--limit", "1000"]));
    for id in &acknowledged {
        assert!(there.contains(id), "{id} was acknowledged and is lost");
    }
    check_sound(&operator);
}

/// The secret half of an age identity (bech32, as `age-keygen` writes it).
fn secret_of(text: &str) -> Vec<u8> {
    const LETTERS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let line = text
        .lines()
        .find(|line| line.starts_with("AGE-SECRET"))
        .unwrap();
    let (_, data) = line.rsplit_once('1').unwrap();
    let data = data[..data.len() - 6].to_lowercase();
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0u32);
    for letter in data.chars() {
        held = (held << 5) | u32::try_from(LETTERS.find(letter).unwrap()).unwrap();
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).unwrap());
        }
    }
    assert_eq!(bytes.len(), 32);
    bytes
}

/// How often `wanted` is in the memory that a process can write to; none if the kernel does not let
/// this process look.
fn in_memory(pid: u32, wanted: &[&[u8]]) -> Option<Vec<usize>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut counts = vec![0; wanted.len()];
    let mut looked = 0;
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (Some(range), Some(mode)) = (fields.next(), fields.next()) else {
            continue;
        };
        if !mode.starts_with("rw") || line.ends_with("[vvar]") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let from = u64::from_str_radix(from, 16).unwrap();
        let to = u64::from_str_radix(to, 16).unwrap();
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        if memory.read_exact_at(&mut bytes, from).is_err() {
            continue;
        }
        looked += bytes.len();
        for (count, wanted) in counts.iter_mut().zip(wanted) {
            *count += memchr_count(&bytes, wanted);
        }
    }
    (looked > 0).then_some(counts)
}

fn memchr_count(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes
        .windows(wanted.len())
        .filter(|window| window[0] == wanted[0] && *window == wanted)
        .count()
}

#[test]
fn no_key_is_left_in_memory() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    for n in 0..8 {
        add(&a, &format!("memory {n}"));
    }
    operator.json(&["backup", "create", "b.age"]);
    let text = fs::read_to_string(daemon.home().join("data/keys/identity.age-key")).unwrap();
    let secret = secret_of(&text);
    let Some(before) = in_memory(daemon.pid(), &[&secret]) else {
        println!("skipped: the kernel does not show this process the memory of another");
        return;
    };
    assert!(before[0] > 0, "the key must be found where it is used");
    operator.json(&["seal"]);
    while state(&operator) != "sealed" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let line = text.trim().as_bytes();
    let after = in_memory(daemon.pid(), &[&secret, line]).unwrap();
    assert_eq!(after, [0, 0], "copies of the identity are left");
}
