//! `audit export`, `audit stats` and `audit show`: the log taken away, counted and explained.

use std::collections::BTreeMap;
use std::io::Read as _;

use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::AuditExport;
use manushya_tests::call;
use manushya_tests::daemon::block_on;
use manushyad::vault::{StreamIdentity, Unlock};
use serde_json::{Value, json};

use crate::{add, agent, daemon};

#[test]
fn export_has_what_was_asked_for_in_each_shape() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (a, b) = (agent(&daemon, "agent-a"), agent(&daemon, "agent-b"));
    for n in 0..30 {
        add(&a, &format!("of a {n}"));
    }
    add(&b, "of b");
    let out = operator.run(&["audit", "export"]).ok();
    let whole = out.jsonl();
    let size = whole.len() as u64;
    // Every entry, once, in order; the export itself is told by one entry more.
    let places: Vec<u64> = whole.iter().map(|it| it["seq"].as_u64().unwrap()).collect();
    assert_eq!(places, (1..=size).collect::<Vec<_>>());
    let shown = operator.json(&["audit", "show", &(size + 1).to_string()]);
    assert_eq!(
        (&shown["action"], &shown["resource"]),
        (&json!("read"), &json!("audit"))
    );
    let of_a = operator.run(&["audit", "export", "--actor", "agent-a", "-o", "jsonl"]);
    let of_a = of_a.ok().jsonl();
    assert!(of_a.len() >= 30);
    assert!(of_a.iter().all(|entry| entry["actor"] == "agent-a"));
    let csv = operator
        .run(&["audit", "export", "--actor", "agent-a", "-o", "csv"])
        .ok();
    let mut reader = csv::Reader::from_reader(csv.stdout.as_bytes());
    assert_eq!(reader.headers().unwrap().get(0), Some("seq"));
    assert_eq!(reader.records().count(), of_a.len());
    let cef = operator
        .run(&["audit", "export", "--actor", "agent-a", "-o", "cef"])
        .ok();
    assert_eq!(cef.stdout.lines().count(), of_a.len());
    assert!(
        cef.stdout
            .lines()
            .all(|line| line.starts_with("CEF:0|Manushya|manushyad|"))
    );
    assert!(cef.stdout.contains("suser=agent-a"));
    // None before the beginning, all since then, and none twice over a bound in time.
    let at = whole[whole.len() / 2]["time"].as_str().unwrap();
    let until = operator
        .run(&["audit", "export", "--until", at])
        .ok()
        .jsonl();
    let since = operator
        .run(&["audit", "export", "--since", at])
        .ok()
        .jsonl();
    assert!(
        until
            .iter()
            .all(|entry| entry["time"].as_str().unwrap() < at)
    );
    assert_eq!(since[0]["seq"].as_u64().unwrap(), until.len() as u64 + 1);
    // What is no stream of lines, and what only this command writes.
    operator.refused(2, &["audit", "export", "-o", "yaml"]);
    operator.refused(2, &["audit", "list", "-o", "cef"]);
    // Who may not read the log gets nothing, and leaves no file.
    let file = daemon.home().join("stolen.jsonl");
    let path = file.display().to_string();
    let out = a.run(&["audit", "export", "--out", &path]);
    assert_eq!((out.code, out.stdout.as_str()), (5, ""), "{}", out.stderr);
    assert!(!file.exists());
    a.refused(5, &["audit", "stats"]);
}

#[test]
fn export_for_a_recipient_opens_with_its_key_alone() {
    let daemon = daemon();
    let operator = daemon.operator();
    add(&agent(&daemon, "agent-a"), "something");
    let plain = daemon.home().join("plain.jsonl");
    let sealed = daemon.home().join("sealed.age");
    let text = |path: &std::path::Path| path.display().to_string();
    operator.refused(
        2,
        &[
            "audit",
            "export",
            "--recipient",
            "age1nonsense",
            "--out",
            "x.age",
        ],
    );
    let key = crate::recovery_key(&daemon, daemon.home());
    let recipient = std::fs::read_to_string(daemon.home().join("data/keys/recovery.recipient"));
    let recipient = recipient.unwrap().trim().to_owned();
    let told = operator
        .run(&[
            "audit",
            "export",
            "--until",
            "2100-01-01",
            "--out",
            &text(&plain),
        ])
        .ok();
    assert!(told.stdout.contains("written to"), "{}", told.stdout);
    let _ = operator
        .run(&[
            "audit",
            "export",
            "--recipient",
            &recipient,
            "--out",
            &text(&sealed),
        ])
        .ok();
    let bytes = std::fs::read(&sealed).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    let plain = std::fs::read(&plain).unwrap();
    let needle = b"agent-a";
    assert!(plain.windows(needle.len()).any(|part| part == needle));
    assert!(!bytes.windows(needle.len()).any(|part| part == needle));
    assert!(!daemon.home().join("sealed.age.partial").exists());
    // With the recovery key it is the log again, which has grown since.
    let identity = StreamIdentity::read(key.as_ref(), &Unlock::Host).unwrap();
    let mut opened = Vec::new();
    let mut reader = identity.open(bytes.as_slice()).unwrap();
    let _ = reader.read_to_end(&mut opened).unwrap();
    assert!(opened.starts_with(&plain));
    // Not a byte of it may be missing.
    let cut = identity
        .open(&bytes[..bytes.len() - 1])
        .unwrap()
        .read_to_end(&mut Vec::new());
    assert!(cut.is_err());
}

fn counts(part: &Value) -> BTreeMap<String, u64> {
    let named = part.as_array().unwrap().iter();
    named
        .map(|it| {
            (
                it["name"].as_str().unwrap().to_owned(),
                it["count"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn stats_are_the_counts_of_the_entries() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "agent-a");
    for n in 0..12 {
        add(&a, &format!("of a {n}"));
    }
    a.refused(5, &["audit", "list"]);
    let entries = operator.run(&["audit", "export"]).ok().jsonl();
    let last = entries.last().unwrap()["time"].as_str().unwrap().to_owned();
    // Up to the same moment, so that looking does not count itself.
    let entries: Vec<&Value> = entries
        .iter()
        .filter(|it| it["time"].as_str() < Some(&last))
        .collect();
    let stats = operator.json(&["audit", "stats", "--until", &last]);
    assert_eq!(
        stats["entries"].as_u64(),
        Some(entries.len() as u64),
        "{stats}"
    );
    let by = |name: &dyn Fn(&Value) -> String| {
        let mut counts = BTreeMap::new();
        for entry in &entries {
            *counts.entry(name(entry)).or_insert(0u64) += 1;
        }
        counts
    };
    let field = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    assert_eq!(counts(&stats["by_actor"]), by(&|it| field(it, "actor")));
    assert_eq!(
        counts(&stats["by_decision"]),
        by(&|it| field(it, "decision"))
    );
    assert_eq!(counts(&stats["by_outcome"]), by(&|it| field(it, "outcome")));
    assert_eq!(
        counts(&stats["by_day"]),
        by(&|it| field(it, "time")[..10].to_owned())
    );
    let pair = |it: &Value| format!("{} {}", field(it, "action"), field(it, "resource"));
    assert_eq!(counts(&stats["by_action"]), by(&pair));
    let of_a = operator.json(&["audit", "stats", "--actor", "agent-a"]);
    assert_eq!(
        counts(&of_a["by_actor"]).keys().collect::<Vec<_>>(),
        ["agent-a"]
    );
}

#[test]
fn show_has_the_policy_as_it_was_when_it_decided() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "agent-a");
    add(&a, "something");
    let list = operator.json(&["audit", "list", "--actor", "agent-a", "--action", "create"]);
    let entry = &list["items"][0];
    let (seq, policy) = (entry["seq"].to_string(), entry["policy"].as_str().unwrap());
    let before = operator.json(&["policy", "show", policy]);
    let mut changed = before.clone();
    changed["rule"] = json!({"==": [1, 1]});
    for field in ["id", "revision", "created_at", "updated_at"] {
        let _ = changed.as_object_mut().unwrap().remove(field);
    }
    let file = daemon.home().write("changed.json", &changed.to_string());
    let _ = operator.run(&["policy", "apply", &file, "-y"]).ok();
    let shown = operator.json(&["audit", "show", &seq]);
    let by = &shown["decided_by"];
    assert_eq!(by["content"]["rule"], before["rule"], "{shown}");
    assert_eq!(by["revision"], entry["policy_revision"]);
    assert_ne!(
        operator.json(&["policy", "show", policy])["rule"],
        before["rule"]
    );
    let table = operator.run(&["audit", "show", &seq]).ok().stdout;
    assert!(table.contains("decided by"), "{table}");
}

#[test]
fn page_in_the_middle_of_the_log_is_not_read_unseen() {
    let daemon = daemon();
    let operator = daemon.operator();
    add(&agent(&daemon, "agent-a"), "something");
    let size = || operator.json(&["status"])["host"]["audit_size"].as_u64();
    let before = size().unwrap();
    let page = block_on(async {
        let client = daemon.client(None).await.unwrap();
        let request = AuditExport {
            after: AuditSeq(1),
            ..AuditExport::default()
        };
        call!(client, audit_export, request).await.unwrap()
    });
    assert!(!page.items.is_empty());
    assert_eq!(size().unwrap(), before + 1);
}
