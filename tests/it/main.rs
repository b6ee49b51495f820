//! End to end: the real programs, a real socket, a home of its own for every test.
// A test that cannot go on says so by panicking, in its helpers as well.
#![allow(clippy::unwrap_used)]

mod api_key;
mod approval;
mod audit;
mod audit_export;
mod audit_key;
mod backup;
mod binding;
mod canary;
mod catalogue;
mod crash;
mod delegation;
mod documents;
mod embedder;
mod embedder_http;
mod evaluation;
mod exits;
mod figures;
mod full_disk;
mod fuzz;
mod hostile;
mod identity;
mod import;
mod invitation;
mod key;
mod lifecycle;
mod limit;
mod memory;
mod outputs;
mod poisoning;
mod policy;
mod policy_review;
mod purge;
mod recall;
mod receipt;
mod receipt_unplanned;
mod recovery;
mod redact;
mod restore;
mod retention;
mod rotation;
mod scripts;
mod seal;
mod search;
mod session;
mod subject_export;
mod supersede;
mod system;
mod tenant;
mod tenants;
mod token;
mod tui;

use manushya_tests::{Caller, Daemon, Home, Programs};
use serde_json::Value;

/// The programs under test.
fn programs() -> Programs {
    Programs {
        ctl: env!("CARGO_BIN_EXE_it-manushyactl").into(),
        daemon: (env!("CARGO_BIN_EXE_it-manushyad").into(), Vec::new()),
    }
}

/// A daemon in a home of its own.
fn daemon() -> Daemon {
    Daemon::start(&programs())
}

/// A daemon whose configuration has this under `[daemon]`.
fn daemon_with(settings: &str) -> Daemon {
    let home = Home::new();
    home.configure(settings);
    Daemon::start_in(&programs(), home)
}

/// A caller who is a fresh identity of this role.
#[track_caller]
fn identity(by: &Caller, name: &str, role: &str) -> Caller {
    let made = by.json(&["identity", "create", "--external-id", name, "--role", role]);
    by.token(
        made["access_token"]
            .as_str()
            .expect("a new identity comes with a token"),
    )
}

/// A caller who is a fresh agent.
#[track_caller]
fn agent(daemon: &Daemon, name: &str) -> Caller {
    identity(&daemon.operator(), name, "agent")
}

/// Adds a memory and returns its id.
#[track_caller]
fn add(by: &Caller, text: &str) -> String {
    add_with(by, text, &[])
}

/// Adds a memory with further arguments and returns its id.
#[track_caller]
fn add_with(by: &Caller, text: &str, arguments: &[&str]) -> String {
    let added = by.json(&[&["memory", "add", text], arguments].concat());
    assert_eq!(added["outcome"], "added", "{added}");
    word(&added["id"])
}

/// Makes a recovery key for a home and keeps it as a file of another one.
#[track_caller]
fn recovery_key(daemon: &Daemon, to: &Home) -> String {
    let made = daemon.operator().json(&["key", "recovery", "new"]);
    to.write("recovery.key", &format!("{}\n", word(&made["secret"])))
}

/// The ids that a search finds, best first.
#[track_caller]
fn found(by: &Caller, query: &str, arguments: &[&str]) -> Vec<String> {
    let answer = by.json(&[&["memory", "search", query], arguments].concat());
    let items = answer["items"]
        .as_array()
        .expect("a search answers with items");
    assert_eq!(answer["total"], items.len(), "{answer}");
    items.iter().map(|hit| word(&hit["memory"]["id"])).collect()
}

/// The ids of a list.
#[track_caller]
fn ids(list: &Value) -> Vec<String> {
    list["items"]
        .as_array()
        .expect("a list has items")
        .iter()
        .map(|it| word(&it["id"]))
        .collect()
}

/// A JSON text as text.
#[track_caller]
fn word(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => panic!("{value} is no text"),
    }
}

/// Checks that `doctor` finds no failure, and that the audit log verifies.
#[track_caller]
fn check_sound(by: &Caller) {
    let doctor = by.json(&["doctor", "--timeout", "60s"]);
    let checks = doctor["items"]
        .as_array()
        .expect("doctor answers with a list");
    assert!(checks.len() >= 5, "{doctor}");
    for check in checks {
        assert_ne!(check["verdict"], "failure", "{check}");
    }
    let about_index = |check: &&Value| word(&check["id"]).contains("index");
    assert!(
        checks.iter().any(|check| about_index(&check)),
        "no check of the index: {doctor}"
    );
    let _ = by.run(&["audit", "verify", "--timeout", "60s"]).ok();
}
