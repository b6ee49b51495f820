//! Frames that are none, and connections that are used as none is meant to be.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{Behaviour, call, search, send, send_at_once};
use crate::random::Random;
use crate::wire::{self, Raw, SOON};

pub(super) const ALL: &[Behaviour] = &[
    Behaviour {
        name: "deadlines of years, below zero and of no number",
        attack: deadlines,
    },
    Behaviour {
        name: "nested lists",
        attack: |at| both(at, "[".repeat(900_000).as_bytes()),
    },
    Behaviour {
        name: "nested objects",
        attack: |at| both(at, "{\"a\":".repeat(150_000).as_bytes()),
    },
    Behaviour {
        name: "a text that does not end",
        attack: |at| both(at, b"\""),
    },
    Behaviour {
        name: "JSON of no request",
        attack: not_requests,
    },
    Behaviour {
        name: "lengths of up to 4 GiB",
        attack: huge_lengths,
    },
    Behaviour {
        name: "a length that is never filled",
        attack: unfilled,
    },
    Behaviour {
        name: "empty frames",
        attack: empty_frames,
    },
    Behaviour {
        name: "bytes one by one",
        attack: drip,
    },
    Behaviour {
        name: "answers that nobody reads",
        attack: unread,
    },
    Behaviour {
        name: "half-open connections by the thousand",
        attack: half_open,
    },
    Behaviour {
        name: "connections that come and go",
        attack: come_and_go,
    },
    Behaviour {
        name: "requests cut off in the middle",
        attack: cut_off,
    },
    Behaviour {
        name: "hello twice, as another",
        attack: hello_twice,
    },
    Behaviour {
        name: "hello of no version",
        attack: hello_versions,
    },
    Behaviour {
        name: "no hello",
        attack: no_hello,
    },
    Behaviour {
        name: "random bytes",
        attack: random_bytes,
    },
    Behaviour {
        name: "mangled requests",
        attack: mangled,
    },
    Behaviour {
        name: "text that is not UTF-8",
        attack: not_utf8,
    },
    Behaviour {
        name: "one request id for all",
        attack: same_ids,
    },
    Behaviour {
        name: "cancelling what is not there",
        attack: cancels,
    },
    Behaviour {
        name: "a connection handed to another process",
        attack: handed_over,
    },
    Behaviour {
        name: "methods that do not exist",
        attack: no_methods,
    },
];

fn both(socket: &Path, body: &[u8]) {
    send_at_once(socket, body);
    send(socket, body);
}

fn deadlines(socket: &Path) {
    for deadline in [
        r#"{"secs":94608000,"nanos":0}"#,
        r#"{"secs":18446744073709551615,"nanos":4294967295}"#,
        r#"{"secs":0,"nanos":0}"#,
        r#"{"secs":-1,"nanos":0}"#,
        r#"{"secs":1e400,"nanos":0}"#,
        r#""soon""#,
        "null",
    ] {
        both(
            socket,
            wire::request(1, deadline, &wire::hello()).as_bytes(),
        );
        let status = json!({"Status": {"call": {}}});
        send(socket, wire::request(1, deadline, &status).as_bytes());
    }
}

fn not_requests(socket: &Path) {
    for body in [
        "{}",
        "[]",
        "null",
        "\u{0}",
        r#"{"Request":{}}"#,
        r#"{"Request":{"id":1}}"#,
    ] {
        both(socket, body.as_bytes());
    }
}

fn huge_lengths(socket: &Path) {
    let mut open: Vec<Raw> = (0..20).filter_map(|_| Raw::connect(socket).ok()).collect();
    for (n, raw) in open.iter_mut().enumerate() {
        let length = [u32::MAX, 1 << 31, (1 << 20) + 1][n % 3];
        let _ = raw.send_bytes(&length.to_be_bytes());
        let _ = raw.send_bytes(&[b' '; 1024]);
    }
}

fn unfilled(socket: &Path) {
    let mut open: Vec<Raw> = (0..30).filter_map(|_| Raw::greeted(socket).ok()).collect();
    for raw in &mut open {
        let _ = raw.send_bytes(&(1_u32 << 20).to_be_bytes());
        let _ = raw.send_bytes(&vec![b'['; 500 << 10]);
    }
    std::thread::sleep(Duration::from_millis(200));
}

fn empty_frames(socket: &Path) {
    if let Ok(mut raw) = Raw::greeted(socket) {
        let _ = raw.send_bytes(&[0; 40_000]);
        let _ = raw.receive();
    }
}

fn drip(socket: &Path) {
    let body = wire::request(1, SOON, &json!({"Whoami": {"call": {}}}));
    let mut open: Vec<Raw> = (0..30).filter_map(|_| Raw::connect(socket).ok()).collect();
    for byte in body.as_bytes().iter().take(20) {
        for raw in &mut open {
            let _ = raw.send_bytes(&[*byte]);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn unread(socket: &Path) {
    let mut open: Vec<Raw> = (0..8).filter_map(|_| Raw::greeted(socket).ok()).collect();
    for id in 1..200 {
        let body = wire::request(id, SOON, &search(&json!({"query": "still", "limit": 1000})));
        for raw in &mut open {
            raw.patience(Duration::from_millis(20));
            let _ = raw.send(body.as_bytes());
        }
    }
}

fn half_open(socket: &Path) {
    let open: Vec<Raw> = (0..1_000)
        .filter_map(|n| {
            let mut raw = Raw::connect(socket).ok()?;
            let _ = raw.send_bytes(&[0, 0, 1, 0, b'{', b'"'][..n % 7]);
            Some(raw)
        })
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    drop(open);
}

fn come_and_go(socket: &Path) {
    for _ in 0..2_000 {
        drop(Raw::connect(socket));
    }
}

fn cut_off(socket: &Path) {
    let body = wire::request(
        1,
        SOON,
        &call("MemoryAdd", &json!({"text": "x".repeat(2000)})),
    );
    for n in 0..100 {
        if let Ok(mut raw) = Raw::greeted(socket) {
            let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
            let _ = raw.send_bytes(&length.to_be_bytes());
            let _ = raw.send_bytes(&body.as_bytes()[..n * body.len() / 100]);
        }
    }
}

fn hello_twice(socket: &Path) {
    if let Ok(mut raw) = Raw::greeted(socket) {
        let mut hello = wire::hello();
        hello["Hello"]["request"]["token"] = json!("mk_another");
        for id in 1..20 {
            let _ = raw.ask(id, &hello);
        }
    }
}

fn hello_versions(socket: &Path) {
    for (min, max) in [
        (9, 1),
        (0, 0),
        (u32::MAX, u32::MAX),
        (900, 901),
        (0, u32::MAX),
    ] {
        let request = json!({"client": "x".repeat(900_000), "api_min": min, "api_max": max});
        let hello = json!({"Hello": {"request": request}});
        send_at_once(socket, wire::request(1, SOON, &hello).as_bytes());
    }
}

fn no_hello(socket: &Path) {
    for method in [
        "Whoami",
        "Status",
        "Shutdown",
        "AuditHead",
        "Doctor",
        "TenantList",
    ] {
        let message = json!({method: {"call": {}}});
        send_at_once(socket, wire::request(1, SOON, &message).as_bytes());
    }
}

fn random_bytes(socket: &Path) {
    let mut random = Random::new(2026);
    for _ in 0..300 {
        let count = 1 + random.below(400);
        if let Ok(mut raw) = Raw::connect(socket) {
            let _ = raw.send_bytes(&random.bytes(count));
        }
    }
}

fn mangled(socket: &Path) {
    let mut random = Random::new(7);
    let honest = wire::request(1, SOON, &search(&json!({"query": "still", "limit": 3})));
    for _ in 0..300 {
        let mut bytes = honest.clone().into_bytes();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = random.bytes(1)[0];
        }
        if let Ok(mut raw) = Raw::greeted(socket) {
            let _ = raw.send(&bytes);
        }
    }
}

fn not_utf8(socket: &Path) {
    let honest = wire::request(1, SOON, &search(&json!({"query": "MARK"})));
    for bad in [
        &b"\xff\xfe"[..],
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xe2\x82",
    ] {
        let (before, after) = honest.split_once("MARK").unwrap_or_default();
        send(socket, &[before.as_bytes(), bad, after.as_bytes()].concat());
    }
    for escape in [r#""\ud800""#, r#""\udc00\ud800""#, r#""\u0000""#, r#""\x""#] {
        let request = format!(r#"{{"query":{escape}}}"#);
        send(socket, super::spelled("MemorySearch", &request).as_bytes());
    }
}

fn same_ids(socket: &Path) {
    if let Ok(mut raw) = Raw::greeted(socket) {
        for id in [7; 200] {
            let message = search(&json!({"query": "still"}));
            let _ = raw.send(wire::request(id, SOON, &message).as_bytes());
        }
        for _ in 0..3 {
            let _ = raw.receive();
        }
    }
}

fn cancels(socket: &Path) {
    if let Ok(mut raw) = Raw::greeted(socket) {
        for id in 0..500_u64 {
            let cancel = format!(
                r#"{{"Cancel":{{"request_id":{}}}}}"#,
                id.wrapping_mul(1 << 55)
            );
            let _ = raw.send(cancel.as_bytes());
            let add = call(
                "MemoryAdd",
                &json!({"text": "cancelled", "key": "cancelled"}),
            );
            let _ = raw.send(wire::request(id, SOON, &add).as_bytes());
            let cancel = format!(r#"{{"Cancel":{{"request_id":{id}}}}}"#);
            let _ = raw.send(cancel.as_bytes());
        }
    }
}

/// Whoever holds the connection is the one that opened it, and no more than that.
fn handed_over(socket: &Path) {
    let Ok(mut raw) = Raw::greeted(socket) else {
        return;
    };
    let Ok(other) = raw.input() else { return };
    // Another process writes into the same connection, at the same time.
    let child = std::process::Command::new("head")
        .args(["-c", "65536", "/dev/urandom"])
        .stdout(other)
        .stderr(std::process::Stdio::null())
        .spawn();
    let _ = raw.ask(1, &json!({"Whoami": {"call": {}}}));
    if let Ok(mut child) = child {
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn no_methods(socket: &Path) {
    for method in [
        "NoSuchMethod".to_owned(),
        "M".repeat(900_000),
        String::new(),
        "\u{202e}".into(),
    ] {
        let message = json!({method: {"call": {}}});
        send(socket, wire::request(u64::MAX, SOON, &message).as_bytes());
    }
}
