//! Nothing of what is said to the daemon stands on disk or in its log in the clear.

use std::collections::BTreeMap;

use manushya_tests::Daemon;
use manushya_tests::scan::{self, Needle};
use manushyad::embed::StaticEmbedder;
use manushyad::port::Embedder as _;

use crate::{add, agent, daemon_with, found, programs, word};

/// One rare word for every place that a caller can put text, so that a find names the place.
fn canaries() -> BTreeMap<&'static str, String> {
    let places = [
        "text",
        "updated",
        "metadata",
        "metakey",
        "tag",
        "key",
        "namespace",
        "session",
        "query",
        "claim",
        "rule",
        "description",
        "purpose",
        "imported",
        "kind",
        "name",
    ];
    places
        .into_iter()
        .map(|place| (place, format!("zqx{place}vjkanaryx{}", place.len())))
        .collect()
}

fn needles(canaries: &BTreeMap<&'static str, String>, texts: &[&str]) -> Vec<Needle> {
    let mut needles: Vec<Needle> = canaries
        .iter()
        // A stem may lack the end of the word.
        .map(|(place, word)| {
            Needle::new(format!("the {place}"), &word.as_bytes()[..word.len() - 3])
        })
        .collect();
    let embedder = StaticEmbedder::built_in();
    for text in texts {
        let vector = embedder.embed(text).expect("the text has known tokens");
        let of_vector = scan::vector_needles("the vector", &vector);
        assert!(
            of_vector.len() > 50,
            "too few needles to prove anything: {}",
            of_vector.len()
        );
        needles.extend(of_vector);
    }
    needles
}

fn check_clean(daemon: &Daemon, needles: &[Needle], when: &str) {
    let found = scan::find(daemon.home().path(), needles);
    assert!(found.is_empty(), "{when}: {found:#?}");
}

fn long_text(canary: &str) -> String {
    let mut random = manushya_tests::random::Random::new(5);
    format!(
        "{canary} {}",
        manushya_tests::text::Texts::new().text(&mut random, 3000)
    )
}

#[test]
fn canary_is_in_no_file_and_no_log_before_or_after_a_purge() {
    let first = daemon_with("log = \"trace\"\nsnapshot_interval = \"1s\"");
    let c = canaries();
    let operator = first.operator();
    operator.json(&[
        "identity",
        "create",
        "--external-id",
        "claimer",
        "--role",
        "agent",
        "--claim",
        &format!("team={}", c["claim"]),
        "--description",
        &c["description"],
        "--name",
        &c["name"],
    ]);
    let a = agent(&first, "a").with("MANUSHYA_PURPOSE", &c["purpose"]);
    let (text, updated) = (long_text(&c["text"]), long_text(&c["updated"]));
    let id = word(
        &a.json(&[
            "memory",
            "add",
            &text,
            "--type",
            &c["kind"],
            "--tag",
            &c["tag"],
            "--key",
            &c["key"],
            "--namespace",
            &format!("/{}", c["namespace"]),
            "--session",
            &c["session"],
            "--metadata",
            &format!("{}={}", c["metakey"], c["metadata"]),
        ])["id"],
    );
    a.json(&["memory", "update", &id, "-m", &updated]);
    let line = format!("{{\"text\":\"{}\"}}\n", c["imported"]);
    let _ = a.run_with(&["memory", "import", "-"], line.as_bytes()).ok();
    add(&a, "something harmless");
    for mode in ["hybrid", "lexical", "semantic"] {
        found(&a, &c["query"], &["--mode", mode]);
    }
    assert_eq!(found(&a, &c["updated"], &["-k", "1"]), [id.as_str()]);
    a.refused(
        2,
        &[
            "memory",
            "search",
            &c["query"],
            "--filter",
            &format!("{{\"{}\":1}}", c["rule"]),
        ],
    );
    a.refused(
        5,
        &[
            "memory",
            "list",
            "--owner",
            &c["query"],
            "--tenant",
            &c["name"],
        ],
    );
    // The rule goes in on standard input: a file of the home would be found, and be no leak.
    let rule = format!(
        r#"[{{"name":"p","role":"agent","rule":{{"==":[{{"var":"memory.type"}},"{}"]}},"description":"{}"}}]"#,
        c["rule"], c["description"]
    );
    let rule = rule.trim_start_matches('[').trim_end_matches(']');
    let _ = operator
        .run_with(&["policy", "apply", "-"], rule.as_bytes())
        .ok();
    let needles = needles(&c, &[&text, &updated]);
    // The search for needles is of use only if it can find one.
    let control = first.home().write("control", &updated);
    assert!(!scan::find(first.home().path(), &needles).is_empty());
    std::fs::remove_file(control).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    check_clean(&first, &needles, "while it runs");
    // A stop saves the index; a start reads and checks it.
    let second = Daemon::start_in(&programs(), first.stop());
    check_clean(&second, &needles, "after a restart");
    assert_eq!(found(&a, &c["updated"], &["-k", "1"]), [id]);
    let operator = second.operator();
    let plan = word(&operator.json(&["purge", "plan", "--subject", "a"])["id"]);
    operator.json(&["purge", "apply", &plan, "--confirm=a"]);
    check_clean(&second, &needles, "after the purge");
    let third = Daemon::start_in(&programs(), second.kill());
    check_clean(&third, &needles, "after the purge and a kill");
    crate::check_sound(&third.operator());
    let export = operator.run(&["memory", "export"]).ok();
    assert!(!export.stdout.contains("kanary"));
}

#[test]
fn no_token_is_on_disk_or_in_the_log() {
    let first = daemon_with("log = \"trace\"");
    let a = agent(&first, "a");
    a.json(&["whoami"]);
    let token = a.bearer().unwrap();
    let signature = token.rsplit('.').next().unwrap();
    first
        .operator()
        .token(&format!("{token}x"))
        .refused(4, &["whoami"]);
    let needles = [Needle::new("a signature", signature.as_bytes())];
    check_clean(&first, &needles, "while it runs");
    let home = first.stop();
    assert!(scan::find(home.path(), &needles).is_empty());
}

/// After a purge, what was on disk before cannot be opened with what is on disk then: the key that
/// wrapped it is in no file.
#[test]
fn purged_subjects_key_is_gone_from_the_keystore() {
    let daemon = crate::daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    add(&a, "to be forgotten");
    let keystores = || -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let files = scan::files(&daemon.home().join("data"));
        let small = files
            .into_iter()
            .filter(|path| path.to_string_lossy().contains("key"));
        small
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect()
    };
    let before = keystores();
    assert!(!before.is_empty(), "no keystore beside the store");
    let plan = word(&operator.json(&["purge", "plan", "--subject", "a"])["id"]);
    let purged = operator.json(&["purge", "apply", &plan, "--confirm=a"]);
    assert!(purged["keys_destroyed"].as_u64().unwrap() >= 1, "{purged}");
    let after = keystores();
    for (path, bytes) in &before {
        // Behind its head, with the recovery recipient, a keystore has no run of bytes in common with
        // the one before it: what stays is wrapped anew.
        let Some((_, now)) = after.iter().find(|(other, _)| other == path) else {
            continue;
        };
        let kept = bytes
            .windows(32)
            .skip(128)
            .step_by(8)
            .any(|run| scan::contains(now, run));
        let is_store = path.to_string_lossy().contains("keystore");
        assert!(
            !is_store || !kept,
            "{} still has bytes of before",
            path.display()
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn daemon_may_leave_no_core() {
    let daemon = crate::daemon();
    let agent = agent(&daemon, "a");
    add(&agent, "what a core would hold");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(&words[4..6], ["0", "0"], "{core}");
}
