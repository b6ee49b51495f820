//! `limit`: how often calls may come, and how much may be kept.

use std::time::Duration;

use manushya_protocol::error::ErrorCode;
use manushya_protocol::v1::memory::{ItemResult, MemoryAdd, MemoryAddMany};
use manushya_tests::daemon::block_on;
use manushya_tests::{Daemon, call};
use serde_json::Value;

use crate::{add, agent, check_sound, daemon, daemon_with, identity, programs, word};

fn named<'a>(list: &'a Value, name: &str) -> Vec<&'a Value> {
    let items = list["items"].as_array().unwrap();
    items.iter().filter(|it| it["name"] == name).collect()
}

#[test]
fn who_calls_too_often_is_told_when_to_come_back_and_the_operator_never_is() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let a = agent(&daemon, "a");
    let b = agent(&daemon, "b");
    let set = ctl.json(&["limit", "set", "policy", "1", "--role", "agent"]);
    assert_eq!((&set["value"], &set["origin"]), (&1.into(), &"set".into()));
    let ask = ["policy", "can-i", "read", "memory"];
    let _ = a.run(&ask).ok();
    let refused = a.refused(1, &ask);
    assert_eq!(refused["code"], "RESOURCE_EXHAUSTED");
    let after = refused["retry_after_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&after), "{refused}");
    assert!(word(&refused["hint"]).contains(&format!("{after} ms")));
    // Others, other kinds of call, and the operator go on.
    let _ = b.run(&ask).ok();
    add(&a, "still served");
    for _ in 0..6 {
        let _ = ctl.run(&ask).ok();
    }
    // One entry tells of it, however many were refused.
    for _ in 0..4 {
        a.refused(1, &ask);
    }
    let log = ctl.json(&["audit", "list", "--all"]);
    let entries: Vec<&Value> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["outcome"] == "RESOURCE_EXHAUSTED")
        .collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["resource"], "policy");
    assert_eq!(
        (&entries[0]["actor"], &entries[0]["decision"]),
        (&"a".into(), &"deny".into())
    );
    // Nothing at all is a limit, too; a reset lets everything go on.
    ctl.json(&["limit", "set", "policy", "0", "--role", "agent"]);
    b.refused(1, &ask);
    ctl.json(&["limit", "reset", "policy", "--role", "agent"]);
    let _ = a.run(&ask).ok();
    ctl.refused(6, &["limit", "reset", "policy", "--role", "agent"]);
    ctl.refused(2, &["limit", "set", "moon", "3"]);
    ctl.refused(2, &["limit", "set", "policy", "many"]);
    ctl.refused(2, &["limit", "set", "tenant-bytes", "3", "--role", "agent"]);
    check_sound(&ctl);
}

#[test]
fn delegated_and_second_credentials_get_no_second_allowance() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let parent = agent(&daemon, "parent");
    agent(&daemon, "child");
    let issued = parent.json(&["token", "issue", "--for", "child", "--scope", "memory:*"]);
    let child = ctl.token(&word(&issued["access_token"]));
    ctl.json(&["limit", "set", "memory", "2"]);
    for caller in [&parent, &child] {
        let _ = caller.run(&["memory", "stats"]).ok();
    }
    for caller in [&parent, &child] {
        assert_eq!(
            caller.refused(1, &["memory", "stats"])["code"],
            "RESOURCE_EXHAUSTED"
        );
    }
}

#[test]
fn quota_is_exact_whoever_adds_at_the_same_time() {
    const MOST: usize = 60;
    let daemon = daemon();
    let ctl = daemon.operator();
    let a = agent(&daemon, "a");
    ctl.json(&[
        "limit",
        "set",
        "memories",
        &MOST.to_string(),
        "--role",
        "agent",
    ]);
    let token = a.bearer().unwrap();
    let added = block_on(async {
        let each = (0..4).map(|n| {
            let daemon = &daemon;
            async move {
                let client = daemon.client(Some(token)).await.unwrap();
                let mut added = 0;
                for batch in 0..3 {
                    let item = |i| MemoryAdd {
                        text: format!("memory {n} {batch} {i}"),
                        ..Default::default()
                    };
                    let items = (0..10).map(item).collect();
                    let many = MemoryAddMany { items };
                    let many = call!(client, memory_add_many, many).await.unwrap();
                    for result in many.results {
                        match result {
                            ItemResult::Ok(_) => added += 1,
                            ItemResult::Err(error) => {
                                assert_eq!(error.code, ErrorCode::ResourceExhausted);
                            }
                        }
                    }
                }
                added
            }
        });
        futures::future::join_all(each).await.iter().sum::<usize>()
    });
    assert_eq!(added, MOST);
    let used = |by: &manushya_tests::Caller, name: &str| {
        let list = by.json(&["limit", "list", "--identity", "a"]);
        named(&list, name)[0]["used"].as_u64().unwrap()
    };
    assert_eq!(used(&ctl, "memories"), MOST as u64);
    let refused = a.refused(1, &["memory", "add", "one more"]);
    assert_eq!(refused["code"], "RESOURCE_EXHAUSTED");
    assert!(refused["retry_after_ms"].is_null(), "waiting does not help");
    // What is erased makes room; what is only deleted does not. An agent sees its own.
    let id = word(&a.json(&["memory", "list", "--limit", "1"])["items"][0]["id"]);
    a.json(&["memory", "delete", &id, "-y"]);
    a.refused(1, &["memory", "add", "one more"]);
    a.json(&["memory", "delete", &id, "--hard", "-y"]);
    assert_eq!(used(&a, "memories"), MOST as u64 - 1);
    add(&a, "one more");
    let bytes = used(&a, "bytes");
    assert!(bytes > 60 * 100, "{bytes}");
    // All of it holds after a restart, counted anew from what is stored.
    let daemon = Daemon::start_in(&programs(), daemon.stop());
    let ctl = daemon.operator();
    let a = ctl.token(token);
    assert_eq!(
        (used(&a, "memories"), used(&a, "bytes")),
        (MOST as u64, bytes)
    );
    a.refused(1, &["memory", "add", "one more"]);
    // Bytes are held to as well, by changes too.
    ctl.json(&["limit", "set", "memories", "unlimited", "--role", "agent"]);
    ctl.json(&["limit", "set", "bytes", &(bytes + 50).to_string()]);
    a.refused(1, &["memory", "add", "one more"]);
    let id = word(&a.json(&["memory", "list", "--limit", "1"])["items"][0]["id"]);
    a.refused(
        1,
        &[
            "memory",
            "update",
            &id,
            "--text",
            "a longer text than before",
        ],
    );
    assert_eq!(used(&a, "bytes"), bytes);
    check_sound(&ctl);
}

#[test]
fn shared_table_is_the_documented_one_and_tenants_have_their_own_limits() {
    let daemon = daemon_with("limits = \"shared\"");
    let ctl = daemon.operator();
    let of = |list: &Value, name: &str| named(list, name)[0]["value"].clone();
    let all = ctl.json(&["limit", "list"]);
    for (name, value) in [
        ("identity", 100),
        ("memory", 200),
        ("policy", 50),
        ("exports", 60),
    ] {
        assert_eq!(of(&all, name), value, "{name}");
    }
    let admin = ctl.json(&["limit", "list", "--role", "admin"]);
    assert_eq!(of(&admin, "memory"), 400);
    assert_eq!(named(&admin, "memory")[0]["origin"], "shared");
    ctl.json(&["tenant", "create", "acme"]);
    ctl.json(&["limit", "set", "memory", "7", "--tenant", "acme"]);
    assert_eq!(
        of(&ctl.json(&["limit", "list", "--tenant", "acme"]), "memory"),
        7
    );
    assert_eq!(of(&ctl.json(&["limit", "list"]), "memory"), 200);
    let dry = ctl.json(&["limit", "set", "memory", "9", "--dry-run"]);
    assert_eq!(dry["value"], 9);
    assert_eq!(of(&ctl.json(&["limit", "list"]), "memory"), 200);
    // An agent under it is held up by the minute.
    let a = agent(&daemon, "a");
    let passed = block_on(async {
        let client = daemon.client(a.bearer()).await.unwrap();
        let mut passed = 0;
        let start = std::time::Instant::now();
        loop {
            match call!(client, policy_list, Default::default()).await {
                Ok(_) => passed += 1,
                Err(error) => {
                    // Agents may not list policies; that is decided after the count.
                    match error.code {
                        ErrorCode::Denied => passed += 1,
                        code => {
                            assert_eq!(code, ErrorCode::ResourceExhausted);
                            assert!(error.retry_after_ms.unwrap().get() <= 1201, "{error:?}");
                            break passed;
                        }
                    }
                }
            }
            assert!(start.elapsed() < Duration::from_secs(60));
        }
    });
    assert!(passed >= 50, "{passed}");
}

#[test]
fn only_the_operator_of_the_host_sets_limits() {
    let daemon = daemon();
    let admin = identity(&daemon.operator(), "boss", "admin");
    admin.refused(5, &["limit", "set", "memory", "1"]);
    admin.refused(5, &["limit", "reset", "--all"]);
    admin.json(&["limit", "list"]);
    let a = agent(&daemon, "a");
    a.refused(5, &["limit", "list"]);
    a.json(&["limit", "list", "--identity", "a"]);
    a.refused(5, &["limit", "list", "--identity", "boss"]);
    let log = daemon
        .operator()
        .json(&["audit", "list", "--action", "manage"]);
    assert!(log["total"].as_u64() >= Some(2), "{log}");
}
