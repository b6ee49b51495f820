//! Hostile clients against a live daemon, which must serve on as the same process.

use std::path::PathBuf;
use std::time::Duration;

use manushya_tests::random::Random;
use manushya_tests::wire::{self, Raw, SOON};
use manushya_tests::{Caller, Daemon};
use serde_json::{Value, json};

use crate::{add, agent, check_sound, daemon, found};

/// A daemon under attack.
struct Target {
    daemon: Daemon,
    socket: PathBuf,
    agent: Caller,
}

impl Target {
    fn new() -> Self {
        let daemon = daemon();
        let agent = agent(&daemon, "a");
        add(&agent, "still here");
        Self {
            socket: daemon.home().socket(),
            agent,
            daemon,
        }
    }

    fn greeted(&self) -> Raw {
        Raw::greeted(&self.socket).expect("an honest hello is answered")
    }

    /// The daemon still serves, as the same process, and nothing in it has panicked.
    #[track_caller]
    fn check(mut self) {
        assert!(self.daemon.is_running());
        let status = self.daemon.operator().json(&["status"]);
        assert_eq!(status["pid"], self.daemon.pid());
        assert_eq!(found(&self.agent, "still here", &[]).len(), 1);
        add(&self.agent, "and writing");
        check_sound(&self.daemon.operator());
        let log = self.daemon.home().read_log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

fn search(limit: Value) -> Value {
    let request = json!({"query": "still", "limit": limit});
    json!({"MemorySearch": {"call": {}, "request": request}})
}

#[test]
fn deadlines_of_years_are_clamped() {
    let target = Target::new();
    for deadline in [
        r#"{"secs":94608000,"nanos":0}"#,
        r#"{"secs":18446744073709551615,"nanos":999999999}"#,
        r#"{"secs":18446744073709551615,"nanos":4294967295}"#,
        r#"{"secs":0,"nanos":0}"#,
        r#"{"secs":-1,"nanos":0}"#,
        r#"{"secs":1e400,"nanos":0}"#,
        r#""soon""#,
        "null",
    ] {
        for message in [wire::hello(), json!({"Status": {"call": {}}})] {
            let mut raw = target.greeted();
            let _ = raw.send(wire::request(1, deadline, &message).as_bytes());
            let _ = raw.receive();
        }
        // The same before any hello.
        let mut raw = Raw::connect(&target.socket).unwrap();
        let _ = raw.send(wire::request(1, deadline, &wire::hello()).as_bytes());
        let _ = raw.receive();
    }
    target.check();
}

#[test]
fn frames_above_the_bound_end_the_connection_without_an_allocation() {
    let target = Target::new();
    let rss = || {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", target.daemon.pid())).ok()?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))?
            .to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let before = rss();
    for header in [u32::MAX, 1 << 31, (1 << 20) + 1] {
        let mut open: Vec<Raw> = (0..10)
            .map(|_| Raw::connect(&target.socket).unwrap())
            .collect();
        for raw in &mut open {
            let _ = raw.send_bytes(&header.to_be_bytes());
        }
        assert!(
            open.iter_mut().all(Raw::is_closed),
            "a header of {header} bytes is waited for"
        );
    }
    let mut raw = target.greeted();
    let _ = raw.send(&vec![b' '; 2 << 20]);
    assert!(raw.is_closed());
    if let (Some(before), Some(after)) = (before, rss()) {
        assert!(
            after < before + (100 << 10),
            "from {before} KiB to {after} KiB"
        );
    }
    target.check();
}

#[test]
fn two_hundred_half_open_connections_lock_nobody_out_for_good() {
    let target = Target::new();
    let open: Vec<Raw> = (0..200)
        .filter_map(|n| {
            let mut raw = Raw::connect(&target.socket).ok()?;
            // A part of a header, a part of a frame, or nothing.
            let _ = raw.send_bytes(&[0, 0, 1, 0, b'{', b'"'][..n % 7]);
            Some(raw)
        })
        .collect();
    assert!(open.len() > 60);
    // Silent connections are closed after a while, even if nobody lets go of them.
    let start = std::time::Instant::now();
    while target.agent.run(&["whoami"]).code != 0 {
        assert!(
            start.elapsed() < Duration::from_secs(40),
            "nobody gets in any more"
        );
        std::thread::sleep(Duration::from_millis(300));
    }
    drop(open);
    target.check();
}

#[test]
fn nested_and_broken_json_ends_the_connection_only() {
    let target = Target::new();
    let bombs = [
        "[".repeat(900_000),
        "{\"a\":".repeat(150_000),
        "\"".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "\u{0}".to_owned(),
        String::new(),
        r#"{"Request":{}}"#.to_owned(),
        r#"{"Cancel":{"request_id":1}}"#.to_owned(),
        wire::request(1, SOON, &json!({"NoSuchMethod": {"call": {}}})),
        wire::request(1, SOON, &json!({"MemorySearch": {}})),
        wire::request(
            1,
            SOON,
            &json!({"MemoryGet": {"call": {}, "request": {"id": 7}}}),
        ),
        wire::request(
            u64::MAX,
            SOON,
            &json!({"Whoami": {"call": {"tenant": "x".repeat(500_000)}}}),
        ),
    ];
    for bomb in &bombs {
        let mut raw = Raw::connect(&target.socket).unwrap();
        let _ = raw.send(bomb.as_bytes());
        let _ = raw.receive();
        let mut raw = target.greeted();
        let _ = raw.send(bomb.as_bytes());
        let _ = raw.receive();
    }
    // A rule that nests deeply within a well-formed request.
    for depth in [20, 100, 120] {
        let rule = (0..depth).fold(json!(true), |inner, _| json!({"!": [inner]}));
        let request = json!({"query": "still", "filter": {"rule": rule}});
        let mut raw = target.greeted();
        let answer = raw.ask(
            1,
            &json!({"MemorySearch": {"call": {}, "request": request}}),
        );
        assert!(
            !answer.is_ok_and(|answer| answer.to_string().contains("still here")),
            "{depth}"
        );
    }
    target.check();
}

#[test]
fn nothing_is_answered_before_hello() {
    let target = Target::new();
    for message in [
        json!({"MemoryList": {"call": {}, "request": {}}}),
        search(json!(1)),
        json!({"Whoami": {"call": {}}}),
        json!({"Shutdown": {"call": {}}}),
        json!({"AuditHead": {"call": {}}}),
    ] {
        let mut raw = Raw::connect(&target.socket).unwrap();
        if let Ok(answer) = raw.ask(1, &message) {
            let text = answer.to_string();
            assert!(
                text.contains("Err") && !text.contains("still here"),
                "{text}"
            );
        }
    }
    let mut raw = Raw::connect(&target.socket).unwrap();
    let newer = json!({"Hello": {"request": {"client": "x", "api_min": 900, "api_max": 901}}});
    let answer = raw.ask(1, &newer).unwrap().to_string();
    assert!(answer.contains("VERSION_MISMATCH"), "{answer}");
    target.check();
}

#[test]
fn absurd_numbers_are_refused_or_bounded() {
    let target = Target::new();
    let mut raw = target.greeted();
    for limit in [json!(1_000_000_000), json!(0), json!(u32::MAX)] {
        let answer = raw.ask(1, &search(limit.clone())).unwrap().to_string();
        assert!(answer.contains("INVALID_ARGUMENT"), "{limit}: {answer}");
    }
    for request in [
        r#"{"query":"still","min_score":1e39}"#,
        r#"{"query":"still","min_score":-1e39}"#,
        r#"{"query":"still","min_score":NaN}"#,
        r#"{"query":"still","limit":1e9}"#,
        r#"{"query":"still","limit":-1}"#,
        r#"{"query":"still","filter":{"since":"+999999999999-01-01T00:00:00Z"}}"#,
    ] {
        let mut raw = target.greeted();
        let zeros = format!("{:?}", [0_u8; 16]);
        let text = format!(
            r#"{{"Request":{{"context":{{"deadline":{SOON},"trace_context":{{"trace_id":{zeros},"span_id":0,"sampling_decision":"Unsampled"}}}},"id":1,"message":{{"MemorySearch":{{"call":{{}},"request":{request}}}}}}}}}"#
        );
        let _ = raw.send(text.as_bytes());
        let _ = raw.receive();
    }
    let mut raw = target.greeted();
    let ttl = json!({"text": "x", "ttl_seconds": u64::MAX});
    let _ = raw.ask(2, &json!({"MemoryAdd": {"call": {}, "request": ttl}}));
    let page = json!({"page": {"limit": u32::MAX, "cursor": "\u{0}\u{ffff}".repeat(1000)}});
    let _ = raw.ask(3, &json!({"MemoryList": {"call": {}, "request": page}}));
    let tail = json!({"after": u64::MAX, "limit": u32::MAX, "wait_ms": 0});
    let _ = raw.ask(4, &json!({"AuditTail": {"call": {}, "request": tail}}));
    let _ = raw.ask(
        5,
        &json!({"AuditRead": {"call": {}, "request": {"from": u64::MAX}}}),
    );
    target.check();
}

#[test]
fn random_bytes_and_mangled_frames_change_nothing() {
    let target = Target::new();
    let mut random = Random::new(2026);
    let honest = wire::request(1, SOON, &search(json!(3)));
    for n in 0..1000 {
        let Ok(mut raw) = Raw::connect(&target.socket) else {
            continue;
        };
        if n % 2 == 0 {
            let count = 1 + random.below(200);
            let _ = raw.send_bytes(&random.bytes(count));
        } else {
            let _ = raw.ask(0, &wire::hello());
            let mut bytes = honest.clone().into_bytes();
            for _ in 0..1 + random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.bytes(1)[0];
            }
            let _ = raw.send(&bytes);
        }
    }
    target.check();
}

#[test]
fn flood_of_one_connection_is_bounded_and_others_are_served() {
    let target = Target::new();
    let mut raw = target.greeted();
    let flood = std::thread::spawn(move || {
        for id in 1..20_000 {
            // Nothing is read, so the answers fill the socket.
            if raw
                .send(wire::request(id, SOON, &search(json!(10))).as_bytes())
                .is_err()
            {
                break;
            }
        }
    });
    for _ in 0..5 {
        assert_eq!(found(&target.agent, "still here", &[]).len(), 1);
    }
    let rss = std::fs::read_to_string(format!("/proc/{}/status", target.daemon.pid()))
        .unwrap_or_default();
    let peak = rss.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
    });
    assert!(peak.is_none_or(|kib| kib < 1 << 20), "{peak:?} KiB");
    target.check();
    let _ = flood.join();
}
