//! The catalogue of hostile behaviours against a live daemon: it stays up as the same process, keeps
//! nothing of what was done to it, and serves others as before.

use std::time::{Duration, Instant};

use manushya_protocol::limits;
use manushya_tests::wire::Raw;
use manushya_tests::{Daemon, hostile};
use serde_json::Value;

use crate::{add, agent, check_sound, daemon, found};

/// How much more memory the daemon may hold afterwards, in KiB.
const GROWTH_KIB: u64 = 256 << 10;

/// A number of `/proc/PID/status`, in KiB.
fn memory(daemon: &Daemon, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn descriptors(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).map_or(0, Iterator::count)
}

/// Waits until nothing of what was done is left: connections, commands, descriptors.
fn settle(daemon: &Daemon, most: usize, after: &str) {
    let start = Instant::now();
    loop {
        let out = daemon
            .operator()
            .run(&["status", "-o", "json", "--timeout", "60s"]);
        // Whoever asks may be turned away while others are still there.
        let host = if out.code == 0 {
            out.json()["host"].clone()
        } else {
            Value::Null
        };
        // The one that asks is connected as well.
        if host["connections"] == 1 && host["queue"] == 0 && descriptors(daemon) <= most {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(40),
            "{after}: {host}, {} descriptors of {most}",
            descriptors(daemon)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn no_behaviour_of_the_catalogue_leaves_a_trace() {
    let mut daemon = daemon();
    let agent = agent(&daemon, "a");
    add(&agent, "still here");
    let socket = daemon.home().socket();
    settle(&daemon, usize::MAX, "at first");
    let (base, open) = (memory(&daemon, "VmRSS:"), descriptors(&daemon));
    for behaviour in hostile::catalogue() {
        let start = Instant::now();
        (behaviour.attack)(&socket);
        assert!(
            daemon.is_running(),
            "{}: the daemon is gone",
            behaviour.name
        );
        // Who was locked out for the moment gets in again.
        let served = loop {
            let out = agent.run(&[
                "memory",
                "search",
                "still here",
                "-o",
                "json",
                "--timeout",
                "20s",
            ]);
            if out.code == 0 || start.elapsed() > Duration::from_secs(60) {
                break out;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        assert!(
            served.code == 0 && served.stdout.contains("still here"),
            "{}: {served:?}",
            behaviour.name
        );
        settle(&daemon, open + 2, behaviour.name);
        let log = daemon.home().read_log();
        assert!(!log.contains("panicked"), "{}: {log}", behaviour.name);
    }
    if let (Some(base), Some(now), Some(peak)) =
        (base, memory(&daemon, "VmRSS:"), memory(&daemon, "VmHWM:"))
    {
        println!("memory: {base} KiB before, {peak} KiB at the most, {now} KiB after");
        assert!(peak < base + GROWTH_KIB, "from {base} KiB to {peak} KiB");
    }
    assert_eq!(daemon.operator().json(&["status"])["pid"], daemon.pid());
    // What was sent fifty times under one key is there once, and what ran dry not at all.
    assert_eq!(
        found(&daemon.operator(), "said once", &["--mode", "lexical"]).len(),
        1
    );
    assert!(found(&daemon.operator(), "never written", &["--mode", "lexical"]).is_empty());
    add(&agent, "and writing");
    check_sound(&daemon.operator());
}

#[test]
fn who_administers_gets_in_when_nobody_else_does() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let socket = daemon.home().socket();
    let ordinary = limits::CONNECTIONS_PER_UID_MAX - limits::CONNECTIONS_ADMIN_RESERVED;
    let held: Vec<Raw> = (0..ordinary)
        .map(|_| Raw::greeted(&socket).unwrap())
        .collect();
    let refused = agent.refused(1, &["whoami"]);
    assert_eq!(refused["code"], "RESOURCE_EXHAUSTED");
    assert!(
        refused["hint"].as_str().unwrap().contains("try again in"),
        "{refused}"
    );
    daemon.operator().json(&["whoami"]);
    // What is silent in the reserve does not stay there.
    let _silent: Vec<Raw> = (0..limits::CONNECTIONS_ADMIN_RESERVED)
        .map(|_| Raw::connect(&socket).unwrap())
        .collect();
    let start = Instant::now();
    while daemon.operator().run(&["whoami"]).code != 0 {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the reserve is taken for good"
        );
    }
    drop(held);
    let start = Instant::now();
    while agent.run(&["whoami"]).code != 0 {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "nobody gets in any more"
        );
    }
}
