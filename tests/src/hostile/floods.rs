//! Too much of what is allowed.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{Behaviour, call, search};
use crate::wire::{self, Raw, SOON};

pub(super) const ALL: &[Behaviour] = &[
    Behaviour {
        name: "a replay of one write",
        attack: replay,
    },
    Behaviour {
        name: "one connection that never waits",
        attack: pipeline,
    },
    Behaviour {
        name: "writes on every connection at once",
        attack: writes,
    },
    Behaviour {
        name: "batches on every connection at once",
        attack: batches,
    },
    Behaviour {
        name: "updates of one memory against each other",
        attack: updates,
    },
    Behaviour {
        name: "waiting for audit entries that do not come",
        attack: tails,
    },
    Behaviour {
        name: "dry runs without end",
        attack: dry_runs,
    },
    Behaviour {
        name: "doctors in a crowd",
        attack: doctors,
    },
];

/// The same bytes again and again: with a key of its own, a write is done once.
fn replay(socket: &Path) {
    let add = call(
        "MemoryAdd",
        &json!({"text": "said once", "key": "replayed"}),
    );
    let body = wire::request(1, SOON, &add);
    for _ in 0..50 {
        super::send(socket, body.as_bytes());
    }
}

fn pipeline(socket: &Path) {
    if let Ok(mut raw) = Raw::greeted(socket) {
        raw.patience(Duration::from_millis(100));
        for id in 1..20_000 {
            let body = wire::request(id, SOON, &search(&json!({"query": "still", "limit": 10})));
            if raw.send(body.as_bytes()).is_err() {
                break;
            }
        }
    }
}

/// Sends that many requests on each of 40 connections, and reads nothing.
fn crowd(socket: &Path, requests: u64, message: impl Fn(u64) -> serde_json::Value) {
    let mut open: Vec<Raw> = (0..40).filter_map(|_| Raw::greeted(socket).ok()).collect();
    for raw in &mut open {
        raw.patience(Duration::from_millis(20));
    }
    for id in 1..=requests {
        let body = wire::request(id, SOON, &message(id));
        for raw in &mut open {
            let _ = raw.send(body.as_bytes());
        }
    }
    std::thread::sleep(Duration::from_millis(100));
}

fn writes(socket: &Path) {
    crowd(socket, 60, |id| {
        call(
            "MemoryAdd",
            &json!({"text": format!("flood {id}"), "key": format!("flood-{id}"), "on_conflict": "skip"}),
        )
    });
}

fn batches(socket: &Path) {
    let items: Vec<_> = (0..100)
        .map(|n| json!({"text": format!("flood of batches {n}"), "key": format!("batch-{n}"), "on_conflict": "skip"}))
        .collect();
    crowd(socket, 4, |_| {
        call("MemoryAddMany", &json!({"items": items}))
    });
}

fn updates(socket: &Path) {
    let add = call(
        "MemoryAdd",
        &json!({"text": "fought over", "key": "fought"}),
    );
    let Some(answer) = super::ask(socket, &add) else {
        return;
    };
    let text = answer.to_string();
    let Some(at) = text.find("mem_") else { return };
    let id = text[at..].chars().take(30).collect::<String>();
    crowd(socket, 10, |n| {
        call(
            "MemoryUpdate",
            &json!({"id": id, "trust": n, "if_version": 1}),
        )
    });
}

fn tails(socket: &Path) {
    let tail = json!({"after": u64::MAX, "wait_ms": 1_500});
    crowd(socket, 64, |_| call("AuditTail", &tail));
}

fn dry_runs(socket: &Path) {
    let add = json!({"text": "never written"});
    crowd(
        socket,
        50,
        |_| json!({"MemoryAdd": {"call": {"dry_run": true}, "request": add}}),
    );
}

fn doctors(socket: &Path) {
    crowd(socket, 2, |_| json!({"Doctor": {"call": {}}}));
}
