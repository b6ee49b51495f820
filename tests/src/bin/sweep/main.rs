//! What the index answers and costs, by size and by how few candidates there are: recall of the graph
//! against the exact scan, the time each plan takes, and RAM. One JSON object a line, and a plot.
//!
//! ```text
//! sweep [--sizes 10000,100000] [--questions 200] [--svg FILE]
//! ```
//!
//! Vectors are the built-in embedder's of texts by Zipf's law; times are of one thread without the
//! socket, the policies and the audit log, which `load` measures.

mod corpus;
mod plot;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use manushya_core::recall::fuse::Mode;
use manushya_protocol::id::MemoryId;
use manushya_protocol::unit::UnixMillis;
use manushyad::index::{
    AttributeFilter, IndexOptions, Permit, Ranking, SearchRequest, TenantIndex,
};
use serde_json::json;

use self::corpus::{Corpus, SHARES};

const USAGE: &str = "usage: sweep [--sizes N,N,...] [--questions N] [--svg FILE]";

/// How many results are asked for.
const LIMIT: usize = 10;

struct Options {
    sizes: Vec<usize>,
    questions: usize,
    svg: Option<PathBuf>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        sizes: vec![10_000, 30_000, 100_000],
        questions: 200,
        svg: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{name} wants a value"))?;
        let number = |text: &str| {
            let number: Option<usize> = text.parse().ok();
            number
                .filter(|number| (1..=2_000_000).contains(number))
                .ok_or_else(|| format!("{name} wants numbers from 1 to 2000000, not {text}"))
        };
        match name.as_str() {
            "--sizes" => options.sizes = value.split(',').map(number).collect::<Result<_, _>>()?,
            "--questions" => options.questions = number(&value)?,
            "--svg" => options.svg = Some(value.into()),
            _ => return Err(format!("{name} is not known")),
        }
    }
    options.sizes.sort_unstable();
    Ok(options)
}

/// What one plan came to for one share of candidates.
pub struct Point {
    size: usize,
    share: f64,
    plan: &'static str,
    recall: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Point {
    fn print(&self) {
        println!(
            "{}",
            json!({
                "memories": self.size, "share": self.share, "plan": self.plan,
                "recall_at_10": self.recall, "p50_us": self.p50_us, "p99_us": self.p99_us,
            })
        );
    }
}

/// The answers to all questions, and how long each took.
fn ask(
    index: &TenantIndex,
    corpus: &Corpus,
    share: usize,
    mode: Mode,
) -> (Vec<Vec<MemoryId>>, Vec<Duration>) {
    let filter = AttributeFilter {
        kinds: corpus.kinds(share),
        ..AttributeFilter::default()
    };
    let one = |(query, vector): &(String, Vec<f32>)| {
        let terms = index.terms(query);
        let request = SearchRequest {
            terms: &terms,
            vector: Some(vector),
            mode,
            limit: LIMIT,
            filter: &filter,
            permit: Permit::All,
            rule: None,
            now: UnixMillis(1 << 40),
            min_score: None,
            explain: false,
            ranking: Ranking::default(),
        };
        let start = Instant::now();
        let outcome = index.search(request).expect("vectors of one embedder");
        let took = start.elapsed();
        (outcome.hits.iter().map(|hit| hit.id).collect(), took)
    };
    corpus.questions.iter().map(one).unzip()
}

fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    (at(0.5), at(0.99))
}

/// How much of what is expected was found.
fn recall(expected: &[Vec<MemoryId>], found: &[Vec<MemoryId>]) -> f64 {
    let (mut all, mut right) = (0_usize, 0_usize);
    for (expected, found) in expected.iter().zip(found) {
        all += expected.len();
        right += expected.iter().filter(|id| found.contains(id)).count();
    }
    right as f64 / all.max(1) as f64
}

/// Measures each plan at each share of candidates.
fn measure(corpus: &Corpus) -> Vec<Point> {
    let size = corpus.memories.len();
    // Questions as they are: what feedback makes of an answer is not the vectors' part.
    let plain = IndexOptions {
        feedback: false,
        ..IndexOptions::default()
    };
    let exact = IndexOptions {
        graph_threshold: u64::MAX,
        ..plain
    };
    let graph = IndexOptions {
        graph_threshold: 1,
        scan_max: 0,
        ..plain
    };
    let plans = [("exact", exact), ("graph", graph), ("planner", plain)];
    let mut expected = Vec::new();
    let mut points = Vec::new();
    for (plan, options) in plans {
        let index = corpus.index(options);
        for (number, &share) in SHARES.iter().enumerate() {
            let (found, times) = ask(&index, corpus, number, Mode::Semantic);
            if plan == "exact" {
                expected.push(found.clone());
            }
            let (p50_us, p99_us) = percentiles(times);
            let recall = recall(&expected[number], &found);
            let point = Point {
                size,
                share,
                plan,
                recall,
                p50_us,
                p99_us,
            };
            point.print();
            points.push(point);
        }
    }
    points
}

/// What a hybrid search by the planner costs at a size, and RAM.
pub struct Cost {
    size: usize,
    p50_us: f64,
    bytes: f64,
}

fn cost(corpus: &Corpus) -> Cost {
    let before = corpus::resident();
    let index = corpus.index(IndexOptions::default());
    let bytes = corpus::resident() - before;
    let (_, times) = ask(&index, corpus, SHARES.len() - 1, Mode::Hybrid);
    let (p50_us, p99_us) = percentiles(times);
    let size = corpus.memories.len();
    println!(
        "{}",
        json!({
            "memories": size, "mode": "hybrid", "p50_us": p50_us, "p99_us": p99_us,
            "index_bytes": bytes as u64,
        })
    );
    Cost {
        size,
        p50_us,
        bytes,
    }
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("error: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let (mut points, mut costs) = (Vec::new(), Vec::new());
    for &size in &options.sizes {
        let corpus = Corpus::new(size, options.questions);
        costs.push(cost(&corpus));
        points.extend(measure(&corpus));
    }
    if let Some(path) = options.svg
        && let Err(error) = plot::draw(&path, &points, &costs)
    {
        eprintln!("error: {} cannot be drawn: {error}", path.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
