//! `memory` without import and search.

use serde_json::{Value, json};

use crate::{add, add_with, agent, daemon, found, ids, word};

#[test]
fn added_memory_reads_back_with_all_its_fields() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let id = add_with(
        &agent,
        "The user prefers dark mode",
        &[
            "--type",
            "preference",
            "--tag",
            "ui,theme",
            "--metadata",
            "source=chat",
            "--metadata",
            "n=3",
            "--namespace",
            "/team/web",
            "--session",
            "s1",
            "--key",
            "k1",
            "--trust",
            "80",
            "--created-at",
            "2024-05-01T10:00:00Z",
        ],
    );
    let memory = agent.json(&["memory", "get", &id]);
    let wanted = json!({
        "id": id, "owner": "a", "key": "k1", "text": "The user prefers dark mode",
        "type": "preference", "tags": ["ui", "theme"], "metadata": {"source": "chat", "n": 3},
        "namespace": "/team/web", "session": "s1", "trust": 80, "version": 1,
        "created_at": "2024-05-01T10:00:00.000Z", "expires_at": null, "deleted_at": null,
    });
    for (name, value) in wanted.as_object().unwrap() {
        if name == "tags" {
            let mut tags: Vec<String> = memory["tags"]
                .as_array()
                .unwrap()
                .iter()
                .map(word)
                .collect();
            tags.sort();
            assert_eq!(tags, ["theme", "ui"]);
        } else {
            assert_eq!(&memory[name], value, "{name}");
        }
    }
}

#[test]
fn text_comes_from_an_argument_a_file_or_standard_input() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let file = daemon.home().write("minutes.txt", "from a file\n");
    let from_file = add(&agent, &format!("@{file}"));
    let out = agent
        .run_with(
            &["memory", "add", "-", "-o", "json"],
            "from stdin ü\n".as_bytes(),
        )
        .ok();
    assert_eq!(
        agent.json(&["memory", "get", &from_file])["text"],
        "from a file"
    );
    let read = agent.json(&["memory", "get", &word(&out.json()["id"])]);
    assert_eq!(read["text"], "from stdin ü");
}

#[test]
fn limits_are_clear_errors_and_nothing_is_written() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let over = daemon.home().write("over.txt", &"x".repeat((64 << 10) + 1));
    let most = daemon.home().write("most.txt", &"x ".repeat(32 << 10));
    let at = |path: &str| format!("@{path}");
    let error = agent.refused(2, &["memory", "add", &at(&over)]);
    assert!(
        error.to_string().contains("65"),
        "the limit is not told: {error}"
    );
    let tags: Vec<String> = (0..33).map(|n| format!("t{n}")).collect();
    agent.refused(2, &["memory", "add", "x", "--tag", &tags.join(",")]);
    let pairs: Vec<String> = (0..65).map(|n| format!("k{n}=1")).collect();
    let mut arguments = vec!["memory", "add", "x"];
    pairs
        .iter()
        .for_each(|pair| arguments.extend(["--metadata", pair.as_str()]));
    agent.refused(2, &arguments);
    let big = format!("k={}", "v".repeat(17 << 10));
    agent.refused(2, &["memory", "add", "x", "--metadata", &big]);
    agent.refused(2, &["memory", "add", ""]);
    agent.refused(2, &["memory", "add", "x", "--namespace", "no/slash"]);
    agent.refused(2, &["memory", "add", "x", "--expires-at", "2001-01-01"]);
    assert_eq!(agent.json(&["memory", "list"])["total"], 0);
    add(&agent, &at(&most));
}

#[test]
fn key_makes_a_retry_harmless() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let id = add_with(&agent, "one", &["--key", "k"]);
    let again = agent.json(&["memory", "add", "one", "--key", "k"]);
    assert_eq!(
        (&again["id"], &again["outcome"]),
        (&json!(id), &json!("unchanged"))
    );
    agent.refused(7, &["memory", "add", "two", "--key", "k"]);
    let skipped = agent.json(&[
        "memory",
        "add",
        "two",
        "--key",
        "k",
        "--on-conflict",
        "skip",
    ]);
    assert_eq!(skipped["outcome"], "unchanged");
    let updated = agent.json(&[
        "memory",
        "add",
        "two",
        "--key",
        "k",
        "--on-conflict",
        "update",
    ]);
    assert_eq!(
        (&updated["id"], &updated["version"]),
        (&json!(id), &json!(2))
    );
    // Another identity's key is another key.
    let other = crate::agent(&daemon, "b");
    let others = add_with(&other, "three", &["--key", "k"]);
    assert_ne!(others, id);
    assert_eq!(agent.json(&["memory", "get", &id])["text"], "two");
}

#[test]
fn update_leaves_no_stale_search_hit_and_keeps_history() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let id = add(&agent, "deploys go out on tuesdays");
    add(&agent, "lunch is at noon");
    let after = agent.json(&["memory", "update", &id, "-m", "releases ship on mondays"]);
    assert_eq!(after["version"], 2);
    assert_eq!(
        found(&agent, "tuesdays", &["--mode", "lexical"]),
        Vec::<String>::new()
    );
    assert_eq!(
        found(&agent, "mondays", &["--mode", "lexical"]),
        [id.as_str()]
    );
    let semantic = agent.json(&[
        "memory",
        "search",
        "deploys go out on tuesdays",
        "--mode",
        "semantic",
    ]);
    for hit in semantic["items"].as_array().unwrap() {
        let score = hit["explain"]["cosine"].as_f64().unwrap_or(0.0);
        assert!(score < 0.9, "the old vector answers: {hit}");
        assert_ne!(hit["memory"]["text"], "deploys go out on tuesdays");
    }
    let history = agent.json(&["memory", "history", &id]);
    let texts: Vec<&Value> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["text"])
        .collect();
    assert!(
        texts.contains(&&json!("deploys go out on tuesdays")),
        "{history}"
    );
    agent.refused(
        7,
        &["memory", "update", &id, "--tag", "x", "--if-version", "1"],
    );
    agent.json(&["memory", "update", &id, "--tag", "x", "--if-version", "2"]);
    assert_eq!(
        agent.json(&["memory", "get", &id])["text"],
        "releases ship on mondays"
    );
}

#[test]
fn delete_hides_restore_brings_back_and_hard_delete_erases() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let id = add(&agent, "a passing thought");
    let _ = agent.run(&["memory", "delete", &id, "-y"]).ok();
    agent.refused(6, &["memory", "get", &id]);
    assert!(found(&agent, "passing thought", &[]).is_empty());
    assert_eq!(agent.json(&["memory", "list"])["total"], 0);
    assert_eq!(
        ids(&agent.json(&["memory", "list", "--deleted"])),
        [id.as_str()]
    );
    agent.refused(6, &["memory", "delete", &id, "-y"]);
    let _ = agent.run(&["memory", "restore", &id]).ok();
    assert_eq!(found(&agent, "passing thought", &[]), [id.as_str()]);
    agent.refused(7, &["memory", "restore", &id]);
    let _ = agent.run(&["memory", "delete", &id, "--hard", "-y"]).ok();
    agent.refused(6, &["memory", "get", &id]);
    agent.refused(6, &["memory", "restore", &id]);
    agent.refused(6, &["memory", "history", &id]);
    assert_eq!(agent.json(&["memory", "list", "--deleted"])["total"], 0);
}

#[test]
fn deleting_without_yes_and_without_a_terminal_is_refused() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let id = add(&agent, "stays");
    agent.refused(2, &["memory", "delete", &id]);
    assert_eq!(agent.json(&["memory", "get", &id])["text"], "stays");
}

#[test]
fn several_are_deleted_from_standard_input_and_a_missing_one_is_partial() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let gone = add(&agent, "gone already");
    let _ = agent.run(&["memory", "delete", &gone, "--hard", "-y"]).ok();
    let input = format!("{}\n{}\n{gone}\n", add(&agent, "one"), add(&agent, "two"));
    let out = agent.run_with(
        &["memory", "delete", "-", "-y", "-o", "json"],
        input.as_bytes(),
    );
    assert_eq!(out.code, 3, "{out:?}");
    assert_eq!(agent.json(&["memory", "list"])["total"], 0);
}

#[test]
fn expired_memory_is_invisible_at_once() {
    // The sweeper does not come by within this test.
    let daemon = crate::daemon_with("sweep_interval = \"1h\"");
    let agent = agent(&daemon, "a");
    let id = add_with(&agent, "the code is 4711", &["--ttl", "1s"]);
    let lasting = add(&agent, "the code of conduct");
    assert_eq!(found(&agent, "code", &[]).len(), 2);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    agent.refused(6, &["memory", "get", &id]);
    assert_eq!(found(&agent, "code", &[]), [lasting.as_str()]);
    assert_eq!(ids(&agent.json(&["memory", "list"])), [lasting.as_str()]);
    assert_eq!(agent.json(&["memory", "stats"])["memories"], 1);
    let exported = agent.run(&["memory", "export"]).ok();
    assert!(!exported.stdout.contains("4711"), "{exported:?}");
    agent.refused(6, &["memory", "update", &id, "-m", "revived"]);
}

#[test]
fn another_identitys_memory_answers_as_not_found_for_every_verb() {
    let daemon = daemon();
    let (a, b) = (agent(&daemon, "a"), agent(&daemon, "b"));
    let id = add(&a, "only for a");
    let missing = "mem_00000000000000000000000000";
    for arguments in [
        vec!["memory", "get", "ID"],
        vec!["memory", "update", "ID", "-m", "taken"],
        vec!["memory", "history", "ID"],
        vec!["memory", "restore", "ID"],
        vec!["memory", "delete", "ID", "-y"],
        vec!["memory", "delete", "ID", "--hard", "-y"],
    ] {
        let with = |id: &str| -> Value {
            let filled: Vec<&str> = arguments
                .iter()
                .map(|w| if *w == "ID" { id } else { w })
                .collect();
            let mut error = b.refused(6, &filled);
            error["request_id"] = Value::Null;
            error["message"] = json!(word(&error["message"]).replace(id, "ID"));
            error
        };
        // What exists and is not mine must look exactly as what does not exist.
        assert_eq!(with(&id), with(missing), "{arguments:?}");
    }
    assert!(found(&b, "only for a", &[]).is_empty());
    assert_eq!(b.json(&["memory", "list"])["total"], 0);
    assert_eq!(b.json(&["memory", "stats"])["memories"], 0);
    assert_eq!(a.json(&["memory", "get", &id])["text"], "only for a");
}

#[test]
fn knowing_of_it_turns_not_found_into_denied() {
    let daemon = daemon();
    let (a, b) = (agent(&daemon, "a"), agent(&daemon, "b"));
    let shared = add_with(&a, "for all", &["--namespace", "/shared"]);
    let rule = daemon.home().write(
        "shared-read.json",
        r#"{"role":"agent","rule":{"and":[{"in":[{"var":"action"},["read","search"]]},
            {"==":[{"var":"resource"},"memory"]},{"in":["/shared",{"var":"memory.namespace_path"}]}]}}"#,
    );
    daemon.operator().json(&["policy", "apply", &rule]);
    assert_eq!(b.json(&["memory", "get", &shared])["text"], "for all");
    assert_eq!(found(&b, "for all", &[]), [shared.as_str()]);
    assert_eq!(
        b.refused(5, &["memory", "update", &shared, "-m", "mine"])["code"],
        "DENIED"
    );
    b.refused(5, &["memory", "delete", &shared, "-y"]);
}

#[test]
fn list_filters_pages_and_counts_what_the_caller_sees() {
    let daemon = daemon();
    let (a, b) = (agent(&daemon, "a"), agent(&daemon, "b"));
    for n in 0..7 {
        let tag = if n % 2 == 0 { "even" } else { "odd" };
        add_with(
            &a,
            &format!("thought {n}"),
            &["--tag", tag, "--namespace", "/a/b", "--session", "s"],
        );
    }
    add(&b, "of b");
    let list = |arguments: &[&str]| a.json(&[&["memory", "list"], arguments].concat());
    assert_eq!(list(&["--tag", "even"])["total"], 4);
    assert_eq!(list(&["--namespace", "/a"])["total"], 7);
    assert_eq!(list(&["--namespace", "/a/bc"])["total"], 0);
    assert_eq!(list(&["--session", "s", "--tag", "odd"])["total"], 3);
    assert_eq!(list(&["--owner", "b"])["total"], 0);
    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = match &cursor {
            None => list(&["--limit", "3"]),
            Some(cursor) => list(&["--limit", "3", "--cursor", cursor]),
        };
        assert_eq!(page["total"], 7);
        seen.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen, ids(&list(&["--all"])));
    assert_eq!(seen.len(), 7);
    a.refused(2, &["memory", "list", "--cursor", "nonsense"]);
    let stats = a.json(&["memory", "stats"]);
    assert_eq!(stats["memories"], 7);
    assert_eq!(stats["by_owner"], json!([{"name": "a", "count": 7}]));
}

#[test]
fn dry_run_changes_nothing() {
    let daemon = daemon();
    let operator = daemon.operator();
    let agent = agent(&daemon, "a");
    let id = add(&agent, "as it was");
    let rule = daemon.home().write(
        "r.json",
        r#"{"role":"agent","rule":true,"effect":"deny","priority":9}"#,
    );
    let file = daemon
        .home()
        .write("m.jsonl", "{\"text\":\"x\",\"key\":\"x\"}\n");
    let state = || {
        let mut host = operator.json(&["status"])["host"].clone();
        for moving in [
            "activity",
            "audit_size",
            "audit_root",
            "audit_checkpoint",
            "audit_signed",
            "store_bytes",
            "queue",
            "connections",
        ] {
            host[moving] = Value::Null;
        }
        let all = |noun: &str| operator.json(&[noun, "list", "--all"]);
        let mut identities = all("identity");
        for identity in identities["items"].as_array_mut().unwrap() {
            identity["last_seen_at"] = Value::Null;
        }
        (
            host,
            all("memory"),
            identities,
            all("policy"),
            all("tenant"),
            all("purge"),
        )
    };
    let before = state();
    let run = |by: &manushya_tests::Caller, arguments: &[&str]| {
        let _ = by
            .run(&[arguments, &["--dry-run", "-o", "json"]].concat())
            .ok();
    };
    run(&agent, &["memory", "add", "y"]);
    run(&agent, &["memory", "import", &file]);
    run(&agent, &["memory", "update", &id, "-m", "changed"]);
    run(&agent, &["memory", "delete", &id, "-y"]);
    run(&agent, &["memory", "delete", &id, "--hard", "-y"]);
    run(
        &operator,
        &[
            "identity",
            "create",
            "--external-id",
            "z",
            "--role",
            "agent",
        ],
    );
    run(&operator, &["identity", "update", "a", "--role", "user"]);
    run(&operator, &["identity", "disable", "a"]);
    run(&operator, &["policy", "apply", &rule]);
    run(&operator, &["policy", "disable", "self-read"]);
    run(&operator, &["tenant", "create", "t"]);
    run(&operator, &["token", "issue", "a"]);
    run(&operator, &["token", "revoke", "--identity", "a"]);
    run(&operator, &["purge", "plan", "--subject", "a"]);
    run(&operator, &["purge", "run"]);
    assert_eq!(state(), before);
    assert_eq!(agent.json(&["memory", "get", &id])["text"], "as it was");
}
