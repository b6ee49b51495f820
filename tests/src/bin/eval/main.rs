//! The evaluation driver: how good the answers are, measured through a daemon's real socket.
//!
//! ```text
//! eval -- --memories M.jsonl --queries Q.jsonl [--mode M] [--embedder E] [--set key=value]... -o json
//! ```
//!
//! It prints one JSON object. It starts itself once more as the daemon, in a temporary home, so that
//! nothing else has to be built; the daemon and its home are gone when it ends.

mod measure;
mod options;

use std::collections::HashSet;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use manushya_protocol::client::Client;
use manushya_protocol::error::WireError;
use manushya_protocol::v1::memory::{MemoryAdd, MemorySearch, SearchMode};
use manushya_tests::call;
use manushya_tests::own::{self, BATCH, add_batch, failed, settle};
use serde_json::Value;

use measure::{Question, Report};
use options::Options;

/// How many results are looked at.
const DEPTH: u32 = 10;

fn main() -> ExitCode {
    if own::is_daemon() {
        return manushyad::run(manushyad::RunOptions::default());
    }
    match options::parse(std::env::args().skip(1)) {
        Ok(options) => own::exit(run(&options)),
        Err(error) => {
            eprintln!("error: {error}\n{}", options::USAGE);
            ExitCode::from(manushya_protocol::exit::USAGE)
        }
    }
}

/// Reads a file of one JSON value a line; empty lines are passed over.
fn lines<T>(path: &Path, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, WireError> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| failed(&format!("{name} cannot be read"), error))?;
    let numbered = (1..).zip(text.lines());
    let filled = numbered.filter(|(_, line)| !line.trim().is_empty());
    filled
        .map(|(number, line)| {
            read(line).map_err(|error| failed(&format!("{name}, line {number}"), error))
        })
        .collect()
}

fn memory(line: &str) -> Result<MemoryAdd, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}

fn question(line: &str) -> Result<Question, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let query = value["query"].as_str().ok_or("it has no `query`")?;
    let relevant = value["relevant"].as_array().ok_or("it has no `relevant`")?;
    let keys: Option<HashSet<String>> = relevant
        .iter()
        .map(|key| key.as_str().map(str::to_owned))
        .collect();
    Ok(Question {
        query: query.to_owned(),
        relevant: keys.ok_or("`relevant` must be a list of keys")?,
    })
}

fn run(options: &Options) -> Result<(), WireError> {
    let memories = lines(&options.memories, memory)?;
    let questions = lines(&options.queries, question)?;
    let programs = own::programs(Default::default())
        .map_err(|error| failed("this program does not know where it is", error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| failed("no runtime can be made", error))?;
    let daemon = own::start(&programs, &options.settings);
    let report = runtime.block_on(async {
        let client = daemon.client(None).await?;
        for batch in memories.chunks(BATCH) {
            add_batch(client.clone(), batch.to_vec()).await?;
        }
        settle(&daemon).await?;
        embedded(&client, options.mode).await?;
        ask(&client, options.mode, &questions).await
    })?;
    drop(daemon.stop());
    // A reader who has seen enough may go.
    let _ = writeln!(std::io::stdout(), "{}", report.line());
    Ok(())
}

/// Waits until every memory has its vector, where vectors count.
async fn embedded(client: &Client, mode: SearchMode) -> Result<(), WireError> {
    if mode == SearchMode::Lexical {
        return Ok(());
    }
    let start = Instant::now();
    loop {
        let request = MemorySearch {
            query: "ready".to_owned(),
            mode,
            ..MemorySearch::default()
        };
        let state = call!(client, memory_search, request).await?.semantic;
        if state == "complete" {
            return Ok(());
        }
        if start.elapsed() > Duration::from_secs(1800) {
            return Err(failed(
                "the memories have no vectors after 30 minutes",
                state,
            ));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn ask(
    client: &Client,
    mode: SearchMode,
    questions: &[Question],
) -> Result<Report, WireError> {
    let mut report = Report::default();
    // A question without an answer says nothing about how well answers are found.
    for question in questions
        .iter()
        .filter(|question| !question.relevant.is_empty())
    {
        let request = MemorySearch {
            query: question.query.clone(),
            mode,
            limit: Some(DEPTH),
            ..MemorySearch::default()
        };
        let start = Instant::now();
        let found = call!(client, memory_search, request).await?;
        let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let keys = found.items.into_iter().map(|hit| hit.memory.key);
        let keys: Vec<String> = keys.map(Option::unwrap_or_default).collect();
        report.add(question, &keys, nanos);
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_without_their_fields_are_refused() {
        let read = question(r#"{"query": "who", "relevant": ["a", "b"], "category": 2}"#).unwrap();
        assert_eq!((read.query.as_str(), read.relevant.len()), ("who", 2));
        for line in [
            "",
            "[]",
            r#"{"query": "who"}"#,
            r#"{"query": "who", "relevant": [1]}"#,
        ] {
            assert!(question(line).is_err(), "{line}");
        }
    }
}
