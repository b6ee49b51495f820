//! `purge retention`: how long memories are kept, by type.

use std::time::Duration;

use serde_json::json;

use crate::{add, add_with, agent, word};

fn wait(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}

#[test]
fn rule_ends_what_there_is_already_by_type_and_a_hold_keeps_it() {
    let daemon = crate::daemon_with("sweep_interval = \"1h\"");
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let logs: Vec<String> = (0..3)
        .map(|n| add_with(&a, &format!("log line {n}"), &["--type", "log"]))
        .collect();
    let (note, fact) = (
        add(&a, "a note"),
        add_with(&a, "a fact", &["--type", "fact"]),
    );
    let thrown = add_with(&a, "thrown away", &["--type", "fact"]);
    a.json(&["memory", "delete", &thrown, "-y"]);
    let hold = ["purge", "hold", "add", "--memory", &logs[0], "--reason"];
    let hold = word(&operator.json(&[&hold[..], &["case 7"]].concat())["id"]);
    wait(1.2);
    let set = |arguments: &[&str]| {
        operator.run(&[&["purge", "retention", "set"], arguments, &["-o", "json"]].concat())
    };
    let log = ["--type", "log", "--keep", "1s"];
    a.refused(5, &["purge", "run", "--dry-run"]);
    a.refused(5, &["purge", "plan", "--expired"]);
    let tried = set(&[&log[..], &["--dry-run"]].concat()).ok().json();
    assert_eq!(
        (&tried["due"], &tried["keep"]),
        (&json!(2), &json!("1s")),
        "{tried}"
    );
    // Nobody loses anything by a slip.
    assert_eq!(set(&log).code, 2);
    assert_eq!(operator.json(&["purge", "retention", "list"])["total"], 1);
    let _ = set(&[&log[..], &["-y"]].concat()).ok();
    let _ = set(&["--type", "fact", "--keep-deleted", "1s", "-y"]).ok();
    let list = operator.json(&["purge", "retention", "list"]);
    let rows: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (word(&it["type"]), word(&it["keep_deleted"])))
        .collect();
    let row = |kind: &str, kept: &str| (kind.to_owned(), kept.to_owned());
    assert!(rows.contains(&row("fact", "1s")) && rows.contains(&row("*", "30d")));
    a.refused(6, &["memory", "restore", &thrown]);
    let dry = operator.json(&["purge", "run", "--dry-run"]);
    assert_eq!(dry["memories"], 3, "{dry}");
    assert_eq!(
        dry["due"],
        json!([
            {"why": "deleted", "type": "fact", "memories": 1, "text_bytes": 11},
            {"why": "retention", "type": "log", "memories": 2, "text_bytes": 20},
        ])
    );
    let plan = operator.json(&["purge", "plan", "--expired"]);
    assert_eq!(plan["memories"], 3);
    assert_eq!(a.json(&["memory", "list"])["total"], 5);
    assert_eq!(operator.json(&["purge", "run"])["memories"], 3);
    let mut left = crate::ids(&a.json(&["memory", "list"]));
    left.sort();
    let mut kept = vec![logs[0].clone(), note, fact];
    kept.sort();
    assert_eq!(left, kept);
    operator.json(&["purge", "hold", "release", &hold]);
    operator.json(&["purge", "retention", "unset", "--type", "log"]);
    operator.refused(6, &["purge", "retention", "unset", "--type", "log"]);
    assert_eq!(operator.json(&["purge", "run"])["memories"], 0);
    // The rule for all leaves what has one of its own.
    let _ = set(&["--type", "fact", "--keep", "1h", "-y"]).ok();
    let _ = set(&["--keep", "1s", "-y"]).ok();
    let plan = operator.json(&["purge", "plan", "--expired"]);
    assert_eq!(plan["memories"], 2, "{plan}");
    let id = word(&plan["id"]);
    operator.json(&["purge", "apply", &id, &format!("--confirm={id}")]);
    assert_eq!(a.json(&["memory", "list"])["total"], 1);
    crate::check_sound(&operator);
}

#[test]
fn sweeper_obeys_and_who_may_not_manage_sets_nothing() {
    let daemon = crate::daemon_with("sweep_interval = \"1s\"");
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    a.refused(5, &["purge", "retention", "list"]);
    a.refused(5, &["purge", "retention", "set", "--keep", "1s", "-y"]);
    operator.refused(2, &["purge", "retention", "set", "--type", "log"]);
    let id = add_with(&a, "a log line", &["--type", "log"]);
    let set = ["purge", "retention", "set", "--type", "log", "--keep", "1s"];
    operator.json(&[&set[..], &["-y"]].concat());
    let start = std::time::Instant::now();
    while a.json(&["memory", "list"])["total"] != 0 {
        assert!(start.elapsed().as_secs() < 30, "nothing was swept");
        wait(0.2);
    }
    a.refused(6, &["memory", "history", &id]);
}
