//! `audit`.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use crate::{add, agent, daemon, found, word};

#[test]
fn everything_is_in_the_log_and_nothing_of_what_it_said() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (a, b) = (agent(&daemon, "a"), agent(&daemon, "b"));
    let id = add(&a, "xylophone lessons");
    found(&a, "xylophone", &[]);
    a.json(&["memory", "get", &id]);
    b.refused(6, &["memory", "get", &id]);
    a.refused(
        5,
        &[
            "identity",
            "create",
            "--external-id",
            "z",
            "--role",
            "agent",
        ],
    );
    operator.token("nonsense").refused(4, &["whoami"]);
    let out = operator.run(&["audit", "list", "--all", "-o", "json"]).ok();
    assert!(!out.stdout.contains("xylophone"));
    let log = out.json();
    let items = log["items"].as_array().unwrap();
    let has = |actor: &str, action: &str, resource: &str, decision: &str, outcome: &str| {
        let wanted = [actor, action, resource, decision, outcome];
        let names = ["actor", "action", "resource", "decision", "outcome"];
        let matches = |it: &Value| {
            names
                .iter()
                .zip(wanted)
                .all(|(name, value)| it[name] == value)
        };
        assert!(items.iter().any(matches), "no {wanted:?} in {}", out.stdout);
    };
    has("operator", "create", "identity", "allow", "OK");
    has("a", "create", "memory", "allow", "OK");
    has("a", "search", "memory", "allow", "OK");
    has("a", "read", "memory", "allow", "OK");
    has("b", "read", "memory", "deny", "NOT_FOUND");
    has("a", "create", "identity", "deny", "DENIED");
    has("anonymous", "login", "token", "deny", "UNAUTHENTICATED");
    for (place, item) in items.iter().enumerate() {
        assert_eq!(item["seq"], place + 1);
        let before = place
            .checked_sub(1)
            .map(|before| items[before]["hash"].clone());
        assert!(
            before.is_none_or(|before| before == item["prev_hash"]),
            "{item}"
        );
    }
    // A search is decided for each candidate, so that no single policy decides it.
    let is_ruled =
        |it: &&Value| it["actor"] == "a" && it["resource"] == "memory" && it["action"] != "search";
    let by_rule: Vec<_> = items.iter().filter(is_ruled).collect();
    assert_eq!(by_rule.len(), 2, "{by_rule:?}");
    assert!(
        by_rule
            .iter()
            .all(|it| it["policy"] == "agent-own-memories"),
        "{by_rule:?}"
    );
}

#[test]
fn filters_leave_what_they_name() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let id = add(&a, "x");
    a.refused(5, &["tenant", "list"]);
    let list =
        |arguments: &[&str]| operator.json(&[&["audit", "list", "--all"], arguments].concat());
    let all = |list: &Value, name: &str, value: &str| {
        let items = list["items"].as_array().unwrap();
        assert!(
            !items.is_empty() && items.iter().all(|it| it[name] == value),
            "{name} {value}: {list}"
        );
    };
    all(&list(&["--actor", "a"]), "actor", "a");
    all(&list(&["--action", "create"]), "action", "create");
    all(&list(&["--resource", "memory"]), "resource", "memory");
    all(&list(&["--resource-id", &id]), "resource_id", &id);
    all(&list(&["--decision", "deny"]), "decision", "deny");
    assert_eq!(list(&["--until", "2001-01-01"])["total"], 0);
    let newest = operator.json(&["audit", "list", "--newest", "--limit", "1"]);
    let seq = newest["items"][0]["seq"].as_u64().unwrap();
    assert!(seq > 3, "{newest}");
    assert_eq!(operator.json(&["audit", "show", "1"])["seq"], 1);
    operator.refused(6, &["audit", "show", "99999999"]);
    a.refused(5, &["audit", "list"]);
}

#[test]
fn verify_recomputes_the_log_and_head_signs_it() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    for n in 0..20 {
        add(&a, &format!("thought {n}"));
    }
    let verified = operator.json(&["audit", "verify"]);
    let size = verified["entries"].as_u64().unwrap();
    assert!(size >= 21, "{verified}");
    let head = operator.json(&["audit", "head"]);
    assert!(
        word(&head["checkpoint"]).contains("\u{2014} "),
        "no signature line: {head}"
    );
    assert!(head["size"].as_u64().unwrap() >= size);
    let key = word(&head["public_key"]);
    let _ = operator.run(&["audit", "verify", "--key", &key]).ok();
    // Another daemon's key must not verify this log.
    let other = crate::daemon();
    let foreign = word(&other.operator().json(&["audit", "head"])["public_key"]);
    assert_eq!(
        operator.run(&["audit", "verify", "--key", &foreign]).code,
        9
    );
}

#[test]
fn log_goes_on_over_a_restart() {
    let first = daemon();
    add(&agent(&first, "a"), "x");
    let before = first.operator().json(&["audit", "verify"])["entries"]
        .as_u64()
        .unwrap();
    let daemon = manushya_tests::Daemon::start_in(&crate::programs(), first.stop());
    let after = daemon.operator().json(&["audit", "verify"])["entries"]
        .as_u64()
        .unwrap();
    assert!(after > before, "{after} entries after {before}");
}

#[test]
fn tail_follows_what_is_written() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let last =
        operator.json(&["audit", "list", "--newest", "--limit", "1"])["items"][0]["seq"].clone();
    let since = last.to_string();
    let mut child = operator.start(&["audit", "tail", "-f", "--since-seq", &since, "-o", "jsonl"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let id = add(&a, "seen by the tail");
    let mut seen = last.as_u64().unwrap();
    let hit = loop {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let seq = line["seq"].as_u64().unwrap();
        assert!(seq > seen, "{seq} after {seen}");
        seen = seq;
        if line["resource_id"] == json!(id) {
            break line;
        }
    };
    assert_eq!(hit["action"], "create");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Runs the program with nothing but its arguments: no home, no configuration, no daemon.
fn alone(arguments: &[&str]) -> (i32, String) {
    let done = std::process::Command::new(&crate::programs().ctl)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .output()
        .unwrap();
    let told =
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    (done.status.code().unwrap(), told)
}

#[test]
fn proofs_convince_somebody_without_daemon_or_home() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    for n in 0..300 {
        add(&a, &format!("thought {n}"));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = file("pub", &operator.run(&["audit", "key"]).ok().stdout);
    let older = operator.json(&["audit", "head"]);
    let note = file("old.note", &word(&older["checkpoint"]));
    for seq in ["1", "2", "256", "257", "300"] {
        let text = operator
            .run(&["audit", "prove", seq, "-o", "json"])
            .ok()
            .stdout;
        let proof = file("p.json", &text);
        let verify = ["audit", "verify", "--offline", &proof, "--key", &key];
        let (code, told) = alone(&[&verify[..], &["-o", "json"]].concat());
        assert_eq!(code, 0, "{told}");
        let told: Value = serde_json::from_str(&told).unwrap();
        let shown = operator.json(&["audit", "show", seq]);
        for field in ["seq", "hash", "prev_hash", "action", "request_id", "time"] {
            assert_eq!(told["entry"][field], shown[field], "{field} of {seq}");
        }
        // Bytes that lead nowhere, another entry's proof, and half a file.
        let mut forged: Value = serde_json::from_str(&text).unwrap();
        forged["seq"] = json!(3);
        let forged = file("forged.json", &forged.to_string());
        let half = file("half.json", &text[..text.len() / 2]);
        for bad in [&forged, &half] {
            let (code, told) = alone(&["audit", "verify", "--offline", bad, "--key", &key]);
            assert_eq!(code, 9, "{told}");
        }
    }
    // The log grew since the head that was kept, also at a size nobody kept.
    let size = older["size"].to_string();
    for old in [note.as_str(), size.as_str(), "1"] {
        let text = operator.run(&["audit", "consistency", old]).ok().stdout;
        let proof = file("c.json", &text);
        let (code, told) = alone(&["audit", "verify", "--offline", &proof, "--key", &key]);
        assert_eq!(code, 0, "{told}");
        let mut forged: Value = serde_json::from_str(&text).unwrap();
        forged["old"] = forged["new"].clone();
        let forged = file("forged.json", &forged.to_string());
        let (code, _) = alone(&["audit", "verify", "--offline", &forged, "--key", &key]);
        assert_eq!(code, 9);
    }
    let (code, _) = alone(&["audit", "verify", "--offline", &note, "--key", &key]);
    assert_eq!(code, 9, "a checkpoint is no proof");
    let (code, _) = alone(&["audit", "verify", "--offline", &note]);
    assert_eq!(code, 2, "nothing is proved without a key");
    operator.refused(6, &["audit", "prove", "99999999"]);
    operator.refused(6, &["audit", "consistency", "99999999"]);
    a.refused(5, &["audit", "prove", "1"]);
    // Another log's key proves nothing here.
    let other = crate::daemon();
    let foreign = file(
        "foreign",
        &other.operator().run(&["audit", "key"]).ok().stdout,
    );
    let proof = folder.path().join("p.json");
    let proof = proof.to_str().unwrap();
    let (code, _) = alone(&["audit", "verify", "--offline", proof, "--key", &foreign]);
    assert_eq!(code, 9);
}

/// Copies a folder with all that is in it.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.metadata().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn start_in(home: manushya_tests::Home) -> manushya_tests::Daemon {
    manushya_tests::Daemon::start_in(&crate::programs(), home)
}

#[test]
fn checkpoints_are_kept_and_anchored_and_a_rollback_is_noticed() {
    let daemon = daemon();
    add(&agent(&daemon, "a"), "before");
    let home = daemon.stop();
    let (data, old) = (home.join("data"), home.join("old"));
    copy(&data, &old);
    let daemon = start_in(home);
    let operator = daemon.operator();
    let list = operator.json(&["audit", "checkpoint", "list"]);
    let first = &list["items"][0];
    assert!(first["root"].is_string(), "a stop signs the head: {list}");
    let size = first["size"].as_u64().unwrap().to_string();
    let note = operator
        .run(&["audit", "checkpoint", "show", &size])
        .ok()
        .stdout;
    assert_eq!(json!(note), first["checkpoint"]);
    let anchor = daemon.home().join("state/audit.anchor");
    assert!(std::fs::read_to_string(&anchor).unwrap().contains(&note));
    operator.refused(6, &["audit", "checkpoint", "show", "99999"]);
    add(&agent(&daemon, "b"), "later");
    // Somebody looks, and remembers.
    let _ = operator.run(&["status"]).ok();
    let _ = operator.run(&["audit", "verify"]).ok();
    let doctor = operator.json(&["doctor"]);
    let checks = doctor["items"].as_array().unwrap();
    let anchored = checks.iter().find(|it| it["id"] == "audit.anchor").unwrap();
    assert_eq!(anchored["verdict"], "ok", "{anchored}");
    let home = daemon.stop();
    // An older copy of the data, whole and in order, is put back.
    std::fs::remove_dir_all(&data).unwrap();
    copy(&old, &data);
    let daemon = start_in(home);
    let operator = daemon.operator();
    for command in [&["status"][..], &["audit", "head"], &["audit", "verify"]] {
        let out = operator.run(command);
        assert_eq!(out.code, 9, "{command:?}: {}", out.stderr);
        assert!(out.stderr.contains("rolled back"), "{}", out.stderr);
    }
    let out = operator.run(&["doctor", "-o", "json"]);
    assert_eq!(out.code, 9);
    let checks = out.json();
    let checks = checks["items"].as_array().unwrap();
    let anchored = checks.iter().find(|it| it["id"] == "audit.anchor").unwrap();
    assert_eq!(anchored["verdict"], "failure", "{anchored}");
    // An agent is not kept from its work by it.
    let _ = agent(&daemon, "c");
}
