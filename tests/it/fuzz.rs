//! The fuzz targets over their corpora, and over what mutations make of them.
//!
//! `MANUSHYA_FUZZ` says how many mutations of each target; the seed of a failure is in its message.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use manushya_tests::fuzz::{Mutator, TARGETS, Target};

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

/// Runs one input; it must neither panic nor take long.
fn run((name, body): Target, input: &[u8], whence: &str) {
    let start = Instant::now();
    let ran = catch_unwind(AssertUnwindSafe(|| body(input)));
    let shown = String::from_utf8_lossy(&input[..input.len().min(400)]).into_owned();
    assert!(ran.is_ok(), "{name}, {whence}: {shown:?}");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{name}, {whence}: slow: {shown:?}"
    );
}

#[test]
fn targets_hold_over_their_corpora_and_mutations_of_them() {
    let asked = std::env::var("MANUSHYA_FUZZ").ok();
    let count: u64 = asked.and_then(|n| n.parse().ok()).unwrap_or(4_000);
    for &target in TARGETS {
        let corpus = corpus(target.0);
        assert!(
            corpus.len() >= 3,
            "{}: a corpus of {}",
            target.0,
            corpus.len()
        );
        for (n, input) in corpus.iter().enumerate() {
            run(target, input, &format!("file {n} of the corpus"));
        }
        for seed in 0..count {
            let input = Mutator::new(seed).next(&corpus);
            run(target, &input, &format!("seed {seed}"));
        }
    }
}
