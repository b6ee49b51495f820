//! `memory import` and `memory export`.

use serde_json::{Value, json};

use crate::{agent, daemon, found, word};

fn lines(count: usize) -> String {
    (0..count)
        .map(|n| {
            json!({"key": format!("k{n}"), "text": format!("note number {n}")}).to_string() + "\n"
        })
        .collect()
}

#[track_caller]
fn counts(report: &Value) -> [u64; 4] {
    ["added", "updated", "unchanged", "rejected"].map(|name| {
        report[name]
            .as_u64()
            .unwrap_or_else(|| panic!("no {name} in {report}"))
    })
}

#[test]
fn importing_twice_adds_once() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let file = daemon.home().write("m.jsonl", &lines(600));
    assert_eq!(
        counts(&agent.json(&["memory", "import", &file])),
        [600, 0, 0, 0]
    );
    assert_eq!(
        counts(&agent.json(&["memory", "import", &file])),
        [0, 0, 600, 0]
    );
    let changed = lines(600).replace("note number 7\"", "a changed note\"");
    let file = daemon.home().write("m.jsonl", &changed);
    assert_eq!(
        counts(&agent.json(&["memory", "import", &file])),
        [0, 1, 599, 0]
    );
    assert_eq!(agent.json(&["memory", "stats"])["memories"], 600);
    assert_eq!(found(&agent, "changed", &["--mode", "lexical"]).len(), 1);
}

#[test]
fn bad_lines_go_to_the_reject_file_with_reasons_and_the_rest_goes_in() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let text = [
        r#"{"key":"good1","text":"fine"}"#,
        r#"{"key":"bad1","text":""}"#,
        "no json at all",
        r#"{"key":"bad2"}"#,
        "",
        r#"{"key":"bad3","text":"x","trust":101}"#,
        r#"["not","an","object"]"#,
        r#"{"key":"good2","text":"fine too"}"#,
    ]
    .join("\n");
    let file = daemon.home().write("m.jsonl", &text);
    let reject = daemon.home().join("reject.jsonl").display().to_string();
    let out = agent
        .run(&["memory", "import", &file, "--reject", &reject, "-o", "json"])
        .exits(3);
    let report = out.json();
    assert_eq!(counts(&report), [2, 0, 0, 5], "{report}");
    let rejects = std::fs::read_to_string(&reject).unwrap();
    let rejects: Vec<Value> = rejects
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rejects.len(), 5);
    for line in &rejects {
        assert!(line["input"] != Value::Null, "{line}");
        let told = line.to_string();
        assert!(
            line["reason"].is_string() || told.contains("message"),
            "{line}"
        );
    }
    assert_eq!(agent.json(&["memory", "stats"])["memories"], 2);
}

#[test]
fn checkpoint_lets_an_import_go_on_where_it_came_to() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let file = daemon.home().write("m.jsonl", &lines(100));
    let mark = daemon.home().join("m.done").display().to_string();
    agent.json(&["memory", "import", &file, "--checkpoint", &mark]);
    // What was there is not even sent again; what came since is added.
    daemon.home().write("m.jsonl", &lines(130));
    let report = agent.json(&["memory", "import", &file, "--checkpoint", &mark]);
    assert_eq!(report["added"], 30, "{report}");
    assert_eq!(agent.json(&["memory", "stats"])["memories"], 130);
}

#[test]
fn killed_daemon_and_repeated_import_lose_and_double_nothing() {
    let first = daemon();
    let agent = agent(&first, "a");
    let file = first.home().write("m.jsonl", &lines(6000));
    let mut child = agent.start(&["memory", "import", &file, "--batch", "64"]);
    std::thread::sleep(std::time::Duration::from_millis(350));
    let home = first.kill();
    let status = child.wait().unwrap();
    let daemon = manushya_tests::Daemon::start_in(&crate::programs(), home);
    let before = agent.json(&["memory", "stats"])["memories"]
        .as_u64()
        .unwrap();
    if status.success() {
        assert_eq!(before, 6000);
    }
    let report = counts(&agent.json(&["memory", "import", &file]));
    assert_eq!(report[0] + report[2], 6000, "{report:?}");
    assert_eq!(report[2], before, "{report:?}");
    assert_eq!(agent.json(&["memory", "stats"])["memories"], 6000);
    crate::check_sound(&daemon.operator());
}

#[test]
fn export_is_what_import_takes() {
    let daemon = daemon();
    let (a, b) = (agent(&daemon, "a"), agent(&daemon, "b"));
    crate::add_with(
        &a,
        "line\nbreaks, \"quotes\" and ü",
        &[
            "--key",
            "k1",
            "--tag",
            "x,y",
            "--metadata",
            "n=1",
            "--namespace",
            "/p/q",
            "--session",
            "s",
            "--trust",
            "9",
            "--type",
            "fact",
            "--created-at",
            "2024-01-02T03:04:05Z",
        ],
    );
    crate::add_with(&a, "plain", &["--key", "k2"]);
    let exported = a.run(&["memory", "export"]).ok();
    assert_eq!(exported.jsonl().len(), 2);
    let out = b
        .run_with(
            &["memory", "import", "-", "-o", "json"],
            exported.stdout.as_bytes(),
        )
        .ok();
    assert_eq!(counts(&out.json()), [2, 0, 0, 0]);
    let strip = |by: &manushya_tests::Caller| -> Vec<Value> {
        let list = by.json(&["memory", "list", "--all"]);
        let mut items = list["items"].as_array().unwrap().clone();
        for item in &mut items {
            let item = item.as_object_mut().unwrap();
            for own in [
                "id",
                "owner",
                "owner_id",
                "provenance",
                "updated_at",
                "version",
            ] {
                item.remove(own);
            }
        }
        items.sort_by_key(|item| word(&item["key"]));
        // Its first noting is part of what a memory says; that of `plain` is the moment of the call.
        items
    };
    assert_eq!(strip(&a), strip(&b));
}
