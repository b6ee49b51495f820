//! What the daemon tells of itself and its callers: last seen, ages, jobs, and what is expired.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{add, add_with, agent, daemon, daemon_with, identity, ids, word};

#[test]
fn last_seen_is_told_of_who_acted_and_of_nobody_else() {
    let daemon = daemon();
    let operator = daemon.operator();
    let busy = agent(&daemon, "busy");
    let _ = agent(&daemon, "quiet");
    add(&busy, "seen");
    let seen = |name: &str| operator.json(&["identity", "show", name])["last_seen_at"].clone();
    assert!(seen("busy").is_string() && seen("quiet").is_null());
    let listed = operator.json(&["identity", "list"]);
    for item in listed["items"].as_array().unwrap() {
        let is_quiet = item["external_id"] == "quiet";
        assert_eq!(item["last_seen_at"].is_null(), is_quiet, "{item}");
    }
    // An API key's use is kept, so that a new daemon knows it too.
    let create = ["api-key", "create", "--identity", "quiet", "--name", "ci"];
    let by_key = operator.token(&word(&operator.json(&create)["key"]));
    let _ = by_key.run(&["memory", "list"]).ok();
    let daemon = again(daemon);
    let operator = daemon.operator();
    let seen = |name: &str| operator.json(&["identity", "show", name])["last_seen_at"].clone();
    assert!(seen("quiet").is_string() && seen("busy").is_null());
}

/// The same home under a new daemon.
fn again(daemon: manushya_tests::Daemon) -> manushya_tests::Daemon {
    let home = daemon.stop();
    manushya_tests::Daemon::start_in(&crate::programs(), home)
}

/// Waits until so many are expired.
fn until(operator: &manushya_tests::Caller, wanted: u64) {
    let started = Instant::now();
    while operator.json(&["memory", "list", "--expired"])["total"] != wanted {
        assert!(started.elapsed() < Duration::from_secs(60), "not {wanted}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn expired_ones_are_listed_for_those_who_may_purge_them() {
    let daemon = daemon_with("sweep_interval = \"1h\"");
    let operator = daemon.operator();
    let (owner, other) = (agent(&daemon, "owner"), agent(&daemon, "other"));
    let reader = identity(&operator, "reader", "reader");
    let id = add_with(&owner, "the code is 4711", &["--ttl", "6s"]);
    let deleted = add_with(&owner, "thrown away", &["--ttl", "6s"]);
    let _ = owner.run(&["memory", "delete", &deleted, "-y"]).ok();
    let lasting = add(&owner, "here to stay");
    let expired = ["memory", "list", "--expired"];
    assert!(ids(&owner.json(&expired)).is_empty());
    let mut both = vec![id.clone(), deleted];
    both.sort();
    until(&operator, 2);
    assert_eq!(ids(&operator.json(&expired)), both);
    for nobody in [&other, &reader] {
        assert!(ids(&nobody.json(&expired)).is_empty());
    }
    // It stays out of everything else.
    assert_eq!(ids(&operator.json(&["memory", "list"])), [lasting]);
    owner.refused(6, &["memory", "get", &id]);
    owner.refused(2, &["memory", "list", "--expired", "--deleted"]);
    // What is erased is not expired any more.
    let _ = operator.run(&["purge", "run"]).ok();
    assert!(ids(&operator.json(&expired)).is_empty());
}

#[test]
fn pages_of_expired_ones_have_each_once() {
    let daemon = daemon_with("sweep_interval = \"1h\"");
    let owner = agent(&daemon, "owner");
    let mut added: Vec<String> = (0..7)
        .map(|n| add_with(&owner, &format!("number {n}"), &["--ttl", "1s"]))
        .collect();
    added.sort();
    let operator = daemon.operator();
    until(&operator, 7);
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut arguments = vec!["memory", "list", "--expired", "--limit", "3"];
        if let Some(cursor) = &cursor {
            arguments.extend(["--cursor", cursor]);
        }
        let page = operator.json(&arguments);
        assert_eq!(page["total"], 7);
        seen.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen, added);
}

#[test]
fn ages_and_jobs_are_told() {
    let daemon = daemon_with("sweep_interval = \"1s\"");
    let owner = agent(&daemon, "owner");
    add(&owner, "just now");
    let stats = owner.json(&["memory", "stats"]);
    assert_eq!(
        stats["by_age"],
        serde_json::json!([{"name": "today", "count": 1}])
    );
    add_with(&owner, "gone soon", &["--ttl", "1s"]);
    let operator = daemon.operator();
    let sweep = |status: &Value| -> Value {
        let jobs = status["host"]["jobs"].as_array().unwrap().clone();
        let found = jobs.into_iter().find(|job| job["name"] == "sweep");
        found.unwrap_or_else(|| panic!("{status}"))
    };
    let started = Instant::now();
    loop {
        let job = sweep(&operator.json(&["status"]));
        if job["done"] == 1 {
            assert_eq!(word(&job["state"]), "idle", "{job}");
            assert!(job["last_at"].is_string(), "{job}");
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{job}");
        std::thread::sleep(Duration::from_millis(200));
    }
    // Counts of the host are for its operator.
    assert!(owner.json(&["status"])["host"].is_null());
}
