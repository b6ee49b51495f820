//! Real data, where there is some: `MANUSHYA_EVAL_DATA` names its folder.

use std::collections::HashMap;
use std::path::PathBuf;

use manushya_protocol::v1::memory::{MemoryFilter, MemorySearch, SearchMode};
use manushya_tests::{Daemon, call};
use serde_json::Value;

use crate::{agent, daemon};

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("MANUSHYA_EVAL_DATA").map(PathBuf::from);
    match folder {
        Some(folder) if folder.is_dir() => Some(folder),
        _ => {
            println!("skipped: MANUSHYA_EVAL_DATA names no folder");
            None
        }
    }
}

/// Imports a set as a fresh agent and returns its mean recall at ten for each mode.
fn recall(
    daemon: &Daemon,
    name: &str,
    memories: PathBuf,
    queries: PathBuf,
) -> HashMap<&'static str, f64> {
    let by = agent(daemon, name);
    let lines = std::fs::read_to_string(&memories).unwrap().lines().count();
    let report = by.json(&["memory", "import", &memories.display().to_string()]);
    assert_eq!(report["added"], lines, "{report}");
    assert_eq!(report["rejected"], 0, "{report}");
    let again = by.json(&["memory", "import", &memories.display().to_string()]);
    assert_eq!(again["unchanged"], lines, "{again}");
    let queries: Vec<Value> = std::fs::read_to_string(queries)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let modes = [
        ("lexical", SearchMode::Lexical),
        ("semantic", SearchMode::Semantic),
        ("hybrid", SearchMode::Hybrid),
    ];
    manushya_tests::daemon::block_on(async {
        let client = daemon.client(by.bearer()).await.unwrap();
        let mut means = HashMap::new();
        for (word, mode) in modes {
            let (mut sum, mut count) = (0.0, 0.0);
            for query in &queries {
                let relevant: Vec<&str> = query["relevant"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(Value::as_str)
                    .collect();
                if relevant.is_empty() {
                    continue;
                }
                let request = MemorySearch {
                    query: query["query"].as_str().unwrap().to_owned(),
                    mode,
                    limit: Some(10),
                    filter: MemoryFilter::default(),
                    ..Default::default()
                };
                let found = call!(client, memory_search, request).await.unwrap();
                let hits = found
                    .items
                    .iter()
                    .filter(|hit| {
                        hit.memory
                            .key
                            .as_deref()
                            .is_some_and(|key| relevant.contains(&key))
                    })
                    .count();
                sum += hits as f64 / relevant.len().min(10) as f64;
                count += 1.0;
            }
            means.insert(word, sum / count);
            println!(
                "{name} {word}: recall@10 {:.3} over {count} queries",
                sum / count
            );
        }
        means
    })
}

// The floors lie a little below what was measured with the `static` embedder: they tell when
// something breaks, not how good an answer should be.

#[test]
fn cranfield_is_imported_whole_and_found() {
    let Some(folder) = data() else { return };
    let folder = folder.join("cranfield");
    let daemon = daemon();
    let means = recall(
        &daemon,
        "cran",
        folder.join("memories.jsonl"),
        folder.join("queries.jsonl"),
    );
    assert!(means["lexical"] >= 0.38, "{means:?}");
    assert!(means["semantic"] >= 0.30, "{means:?}");
    assert!(means["hybrid"] >= 0.40, "{means:?}");
}

#[test]
fn dialogues_are_imported_whole_and_found() {
    let Some(folder) = data() else { return };
    let folder = folder.join("dialogues");
    let daemon = daemon();
    for name in ["conv-26", "conv-30"] {
        let memories = folder.join(format!("{name}.memories.jsonl"));
        let queries = folder.join(format!("{name}.queries.jsonl"));
        let means = recall(&daemon, name, memories, queries);
        assert!(means["lexical"] >= 0.5, "{name}: {means:?}");
        assert!(means["hybrid"] >= 0.58, "{name}: {means:?}");
    }
}
