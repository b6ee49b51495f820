//! `memory search`.

use serde_json::json;

use crate::{add, add_with, agent, daemon, found, identity, word};

#[test]
fn acknowledged_memory_is_found_at_once_in_every_mode() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    add(&agent, "lunch is at noon in the canteen");
    let id = add(&agent, "the user prefers dark mode");
    for mode in ["hybrid", "lexical", "semantic"] {
        let first = found(&agent, "user preferring dark modes", &["--mode", mode])
            .into_iter()
            .next();
        assert_eq!(first.as_ref(), Some(&id), "{mode}");
    }
}

#[test]
fn filters_leave_what_they_name_and_nothing_else() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let old = add_with(
        &agent,
        "apple old",
        &[
            "--type",
            "fact",
            "--tag",
            "x",
            "--namespace",
            "/n/m",
            "--session",
            "s1",
            "--created-at",
            "2020-01-01",
            "--trust",
            "90",
        ],
    );
    let young = add_with(
        &agent,
        "apple young",
        &[
            "--type",
            "note",
            "--tag",
            "x,y",
            "--namespace",
            "/nm",
            "--session",
            "s2",
            "--trust",
            "10",
        ],
    );
    let check = |arguments: &[&str], wanted: &[&String]| {
        let mut ids = found(&agent, "apple", arguments);
        ids.sort();
        let mut wanted: Vec<String> = wanted.iter().map(|id| (*id).clone()).collect();
        wanted.sort();
        assert_eq!(ids, wanted, "{arguments:?}");
    };
    check(&[], &[&old, &young]);
    check(&["--type", "fact"], &[&old]);
    check(&["--type", "fact,note"], &[&old, &young]);
    check(&["--tag", "x"], &[&old, &young]);
    check(&["--tag", "x,y"], &[&young]);
    check(&["--namespace", "/n"], &[&old]);
    check(&["--session", "s2"], &[&young]);
    check(&["--since", "1d"], &[&young]);
    check(&["--until", "2021-01-01"], &[&old]);
    check(&["--owner", "a"], &[&old, &young]);
    check(&["--owner", "operator"], &[]);
    check(
        &["--filter", r#"{">=":[{"var":"memory.trust"},50]}"#],
        &[&old],
    );
    check(
        &["--filter", r#"{"==":[{"var":"memory.type"},"none"]}"#],
        &[],
    );
    agent.refused(
        2,
        &["memory", "search", "apple", "--filter", r#"{"log":"x"}"#],
    );
    agent.refused(2, &["memory", "search", "apple", "--filter", "{"]);
}

#[test]
fn k_results_are_k_permitted_ones() {
    let daemon = daemon();
    let (a, b) = (agent(&daemon, "a"), agent(&daemon, "b"));
    for n in 0..30 {
        add(&b, &format!("quantum entanglement quantum {n}"));
    }
    let mine: Vec<String> = (0..5)
        .map(|n| add(&a, &format!("something about quantum and tea {n}")))
        .collect();
    let answer = a.json(&["memory", "search", "quantum entanglement", "-k", "5"]);
    let items = answer["items"].as_array().unwrap();
    assert_eq!((items.len(), &answer["total"]), (5, &json!(5)));
    for hit in items {
        assert!(mine.contains(&word(&hit["memory"]["id"])), "{hit}");
    }
}

#[test]
fn scores_do_not_tell_of_others() {
    let (lone, crowded) = (daemon(), daemon());
    let scores = |daemon: &manushya_tests::Daemon| {
        let a = agent(daemon, "a");
        for text in ["red kite over the field", "a red house", "blue kite"] {
            add(&a, text);
        }
        let answer = a.json(&["memory", "search", "red kite", "--explain"]);
        answer["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hit| {
                (
                    word(&hit["memory"]["text"]),
                    hit["score"].to_string(),
                    hit["explain"].to_string(),
                )
            })
            .collect::<Vec<_>>()
    };
    let b = agent(&crowded, "b");
    for n in 0..40 {
        add(&b, &format!("red kite number {n}"));
    }
    assert_eq!(scores(&lone), scores(&crowded));
}

#[test]
fn policy_on_memories_rules_within_the_search() {
    let daemon = daemon();
    let operator = daemon.operator();
    let a = agent(&daemon, "a");
    let reader = identity(&operator, "r", "reader");
    let open = add_with(&a, "the launch plan", &["--metadata", "level=public"]);
    add_with(&a, "the launch secret", &["--metadata", "level=secret"]);
    add(&a, "the launch of no level");
    assert!(found(&reader, "launch", &[]).is_empty());
    let rule = daemon.home().write(
        "public.json",
        r#"{"role":"reader","rule":{"and":[{"in":[{"var":"action"},["read","search"]]},
            {"==":[{"var":"resource"},"memory"]},{"==":[{"var":"memory.metadata.level"},"public"]}]}}"#,
    );
    operator.json(&["policy", "apply", &rule]);
    assert_eq!(found(&reader, "launch", &[]), [open]);
}

#[test]
fn explain_shows_the_parts_of_the_score() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    add(&agent, "we chose postgres as the database");
    let answer = agent.json(&["memory", "search", "which database", "--explain"]);
    let parts = &answer["items"][0]["explain"];
    assert!(parts["bm25"].as_f64().unwrap() > 0.0, "{answer}");
    assert!(
        parts["terms"]
            .as_array()
            .unwrap()
            .iter()
            .any(|term| term["score"].as_f64() > Some(0.0))
    );
    let plain = agent.json(&["memory", "search", "which database"]);
    assert!(
        plain["items"][0]
            .get("explain")
            .is_none_or(|part| part.is_null())
    );
}

#[test]
fn bounds_of_a_search_are_usage_errors() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    add(&agent, "x");
    for k in ["0", "1001", "-1", "1000000000", "1e3"] {
        agent.refused(2, &["memory", "search", "x", &format!("--limit={k}")]);
    }
    assert_eq!(
        agent.json(&["memory", "search", "x", "-k", "1000"])["total"],
        1
    );
    agent.refused(2, &["memory", "search", ""]);
    agent.refused(2, &["memory", "search", "x", "--mode", "magic"]);
    for odd in [
        "🎉",
        "\u{202e}",
        "the of and",
        "\"",
        "'); drop table",
        "a\u{0301}",
    ] {
        let _ = agent.run(&["memory", "search", odd, "-o", "json"]).ok();
    }
    let long = daemon.home().write("q.txt", &"word ".repeat(20_000));
    agent.refused(2, &["memory", "search", &format!("@{long}")]);
}

#[test]
fn words_are_stemmed_in_the_language_of_the_setting() {
    let finds = |config: &str| {
        let daemon = crate::daemon_with(config);
        let agent = agent(&daemon, "a");
        add(&agent, "Die Häuser am See sind verkauft");
        let query = ["memory", "search", "Häusern", "--mode", "lexical"];
        let found = agent.json(&query)["items"].as_array().unwrap().len();
        // The weight is the daemon's too.
        let explained = agent.json(&["memory", "search", "See", "--explain"]);
        (
            found,
            explained["items"][0]["explain"]["lexical_weight"].clone(),
        )
    };
    let (found, _) = finds("");
    assert_eq!(found, 0);
    let (found, weight) = finds("language = \"german\"\nsearch_lexical_weight = 0.25");
    assert_eq!(found, 1);
    assert_eq!(weight, json!(0.25));
}

#[test]
fn graph_answers_as_the_exact_scan_does() {
    // A low threshold makes the graph take over with few vectors.
    let daemon = crate::daemon_with("graph_threshold = 300");
    let agent = agent(&daemon, "a");
    let texts = manushya_tests::text::Texts::new();
    let mut random = manushya_tests::random::Random::new(11);
    let all: Vec<String> = (0..1200).map(|_| texts.text(&mut random, 120)).collect();
    let lines: String = all
        .iter()
        .enumerate()
        .map(|(n, text)| json!({"key": n.to_string(), "text": text}).to_string() + "\n")
        .collect();
    let file = daemon.home().write("m.jsonl", &lines);
    agent.json(&["memory", "import", &file]);
    let indexed = |field: &str| {
        let status = daemon.operator().json(&["status"]);
        status["host"]["indexes"][0][field].as_u64().unwrap()
    };
    let start = std::time::Instant::now();
    while indexed("graph") == 0 {
        assert!(start.elapsed().as_secs() < 60, "the graph is never built");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let mut right = 0;
    for n in (0..1200).step_by(24) {
        let answer = agent.json(&["memory", "search", &all[n], "--mode", "semantic", "-k", "1"]);
        right += usize::from(word(&answer["items"][0]["memory"]["key"]) == n.to_string());
    }
    assert!(
        right >= 49,
        "{right} of 50 texts find themselves through the graph"
    );
}
