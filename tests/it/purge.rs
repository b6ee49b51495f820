//! `purge`.

use serde_json::json;

use crate::{add, add_with, agent, check_sound, daemon, found, word};

#[test]
fn purge_of_a_subject_takes_everything_of_it_and_nothing_else() {
    let daemon = daemon();
    let operator = daemon.operator();
    let (a, b) = (agent(&daemon, "agent-a"), agent(&daemon, "agent-b"));
    let ids = [add(&a, "secret of a"), add(&a, "another of a")];
    a.json(&["memory", "update", &ids[0], "-m", "secret of a, revised"]);
    let kept = add(&b, "secret of b");
    let plan = operator.json(&["purge", "plan", "--subject", "agent-a"]);
    assert_eq!(
        (&plan["memories"], &plan["identities"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(plan["confirm"], "agent-a");
    let id = word(&plan["id"]);
    operator.refused(2, &["purge", "apply", &id, "--confirm=agent-b"]);
    operator.refused(2, &["purge", "apply", &id, "-y", "--no-input"]);
    assert_eq!(a.json(&["memory", "list"])["total"], 2);
    let purged = operator.json(&["purge", "apply", &id, "--confirm=agent-a"]);
    assert_eq!(purged["memories"], 2);
    assert!(purged["keys_destroyed"].as_u64().unwrap() >= 1, "{purged}");
    a.refused(4, &["whoami"]);
    operator.refused(6, &["identity", "show", "agent-a"]);
    for id in &ids {
        operator.refused(6, &["memory", "get", id]);
    }
    assert_eq!(found(&operator, "secret", &[]), [kept.as_str()]);
    assert_eq!(b.json(&["memory", "get", &kept])["text"], "secret of b");
    let list = operator.json(&["purge", "list"]);
    assert_eq!(list["items"][0]["state"], "applied");
    operator.refused(7, &["purge", "apply", &id, "--confirm=agent-a"]);
    check_sound(&operator);
}

#[test]
fn plan_is_refused_when_the_set_has_changed() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    add(&a, "one");
    let plan = word(&operator.json(&["purge", "plan", "--subject", "a"])["id"]);
    let id = add(&a, "two");
    operator.refused(7, &["purge", "apply", &plan, "--confirm=a"]);
    assert_eq!(a.json(&["memory", "list"])["total"], 2);
    let plan = word(&operator.json(&["purge", "plan", "--subject", "a"])["id"]);
    a.json(&["memory", "update", &id, "-m", "three"]);
    operator.refused(7, &["purge", "apply", &plan, "--confirm=a"]);
}

#[test]
fn purge_by_filter_takes_deleted_ones_too() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let deleted = add_with(&a, "gone soon", &["--tag", "scratch"]);
    add_with(&a, "gone as well", &["--tag", "scratch"]);
    let kept = add_with(&a, "stays", &["--tag", "keep"]);
    let _ = a.run(&["memory", "delete", &deleted, "-y"]).ok();
    let plan = operator.json(&["purge", "plan", "--tag", "scratch"]);
    assert_eq!(plan["memories"], 2, "{plan}");
    let confirm = format!("--confirm={}", word(&plan["confirm"]));
    operator.json(&["purge", "apply", &word(&plan["id"]), &confirm]);
    a.refused(6, &["memory", "restore", &deleted]);
    assert_eq!(crate::ids(&a.json(&["memory", "list"])), [kept]);
    operator.refused(2, &["purge", "plan"]);
    operator.refused(2, &["purge", "plan", "--expired", "--subject", "a"]);
}

#[test]
fn sweep_erases_what_is_expired_and_what_is_past_its_retention() {
    let daemon = crate::daemon_with("sweep_interval = \"1h\"\nretention = \"1s\"");
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let short = add_with(&a, "short-lived", &["--ttl", "1s"]);
    let deleted = add(&a, "deleted");
    let kept = add(&a, "kept");
    let _ = a.run(&["memory", "delete", &deleted, "-y"]).ok();
    std::thread::sleep(std::time::Duration::from_millis(1200));
    a.refused(6, &["memory", "restore", &deleted]);
    let purged = operator.json(&["purge", "run"]);
    assert_eq!(purged["memories"], 2, "{purged}");
    assert_eq!(operator.json(&["purge", "run"])["memories"], 0);
    for id in [&short, &deleted] {
        a.refused(6, &["memory", "history", id]);
    }
    assert_eq!(a.json(&["memory", "get", &kept])["text"], "kept");
}

#[test]
fn sweeper_comes_by_itself() {
    let daemon = crate::daemon_with("sweep_interval = \"1s\"");
    let a = agent(&daemon, "a");
    add_with(&a, "short-lived", &["--ttl", "1s"]);
    let operator = daemon.operator();
    let start = std::time::Instant::now();
    loop {
        let log = operator.json(&["audit", "list", "--action", "purge", "--actor", "daemon"]);
        if log["total"].as_u64().unwrap() > 0 {
            break;
        }
        assert!(start.elapsed().as_secs() < 30, "nothing was swept");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn agents_purge_nobody() {
    let daemon = daemon();
    let (a, _b) = (agent(&daemon, "a"), agent(&daemon, "b"));
    for subject in ["a", "b"] {
        let out = a.run(&["purge", "plan", "--subject", subject, "-o", "json"]);
        assert!([5, 6].contains(&out.code), "{out:?}");
    }
    assert_eq!(daemon.operator().json(&["purge", "list"])["total"], 0);
}
