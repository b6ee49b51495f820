//! What makes the vectors can change between two starts, and vectors of two embedders never meet.

use std::time::{Duration, Instant};

use manushya_tests::{Caller, Daemon, Home};
use serde_json::json;

use crate::{add, agent, daemon, found, programs, word};

/// A low threshold, so that there are graphs to mix up as well.
const SETTINGS: &str = "graph_threshold = 200\nsnapshot_interval = \"1s\"";

fn start(home: Home, embedder: &str) -> Daemon {
    home.configure(&format!("{SETTINGS}\nembedder = \"{embedder}\""));
    let daemon = Daemon::start_in(&programs(), home);
    let status = daemon.operator().json(&["status"]);
    let name = word(&status["host"]["embedder"]);
    assert!(name.starts_with(embedder), "{name}");
    daemon
}

fn await_graph(daemon: &Daemon) {
    let start = Instant::now();
    let graph = || {
        let status = daemon.operator().json(&["status"]);
        status["host"]["indexes"][0]["graph"].as_u64().unwrap()
    };
    while graph() < 300 {
        assert!(start.elapsed().as_secs() < 60, "the graph is never built");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Every text finds itself by its vector, with the cosine that only one embedder's vectors have.
#[track_caller]
fn check_each_finds_itself(by: &Caller, texts: &[String]) {
    for text in texts {
        let search = ["memory", "search", text, "--mode", "semantic", "-k", "1"];
        let answer = by.json(&[&search[..], &["--explain"]].concat());
        let hit = &answer["items"][0];
        assert_eq!(word(&hit["memory"]["text"]), *text, "{answer}");
        let cosine = hit["explain"]["cosine"].as_f64().unwrap();
        assert!(cosine > 0.99, "{text}: {cosine}");
    }
}

#[test]
fn vectors_of_two_embedders_never_meet() {
    let texts = manushya_tests::text::Texts::new();
    let mut random = manushya_tests::random::Random::new(12);
    let all: Vec<String> = (0..400).map(|_| texts.text(&mut random, 120)).collect();
    let lines: Vec<String> = (0..)
        .zip(&all)
        .map(|(n, text)| json!({"key": format!("k{n}"), "text": text}).to_string())
        .collect();
    let some: Vec<String> = all.iter().step_by(40).cloned().collect();

    let first = start(Home::new(), "hash");
    let by = agent(&first, "a");
    let file = first.home().write("m.jsonl", &lines.join("\n"));
    by.json(&["memory", "import", &file]);
    await_graph(&first);
    check_each_finds_itself(&by, &some);
    let home = first.stop();

    let second = start(home, "static");
    // The graph that was saved as the first daemon ended is not taken for one of this embedder.
    let log = second.home().read_log();
    assert!(log.contains("its vectors are of another embedder"), "{log}");
    check_each_finds_itself(&by, &some);
    await_graph(&second);
    check_each_finds_itself(&by, &some);
    // A change that is not of the text keeps the vector that was stored, and its embedder's tag.
    let id = found(&by, &some[3], &["-k", "1"]).remove(0);
    by.json(&["memory", "update", &id, "--tag", "seen"]);
    // New texts are embedded by `static` for good.
    let changed = "the gardener waters roses before sunrise".to_owned();
    by.json(&["memory", "update", &id, "-m", &changed]);
    let id = found(&by, &some[4], &["-k", "1"]).remove(0);
    by.json(&["memory", "update", &id, "--tag", "seen"]);
    let replaced = "the museum opens at noon on fridays".to_owned();
    let add_again = ["memory", "add", &replaced, "--key", "k0"];
    by.json(&[&add_again[..], &["--on-conflict", "update"]].concat());
    let added = "an invoice for the violin lessons".to_owned();
    add(&by, &added);
    let mut now = some;
    (now[0], now[3]) = (replaced, changed);
    now.push(added);
    check_each_finds_itself(&by, &now);
    let home = second.stop();

    let third = start(home, "hash");
    check_each_finds_itself(&by, &now);
    let doctor = third.operator().run(&["doctor"]);
    assert_eq!(doctor.code, 0, "{}", doctor.stdout);
}

#[test]
fn embedder_of_the_default_sees_meaning_where_no_word_is_shared() {
    let daemon = daemon();
    let by = agent(&daemon, "a");
    let right = add(&by, "Clients ask for their money back");
    add(&by, "The weather in spring is mild");
    add(&by, "She plays the violin on Sundays");
    let query = "The customer wants a refund";
    assert_eq!(found(&by, query, &["--mode", "semantic"])[0], right);
    assert_eq!(found(&by, query, &["--mode", "hybrid"])[0], right);
}

#[test]
fn embedder_that_is_not_known_is_refused() {
    let home = Home::new();
    home.configure("embedder = \"oracle\"");
    let mut child = manushya_tests::daemon::spawn(&programs(), &home);
    let status = manushya_tests::daemon::wait(&mut child, Duration::from_secs(20));
    assert!(!status.success());
    let log = home.read_log();
    assert!(log.contains("daemon.embedder"), "{log}");
}
