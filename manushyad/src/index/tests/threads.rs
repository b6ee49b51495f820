//! Searches beside changes and upkeep.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use manushya_core::recall::language::Language;
use manushya_core::recall::tokens;
use parking_lot::Mutex;

use super::*;

const DIMS: usize = 16;

#[test]
fn removed_memory_is_never_found_beside_changes_and_upkeep() {
    let options = IndexOptions {
        graph_threshold: 200,
        scan_max: 20,
        build_threads: 2,
        ..IndexOptions::default()
    };
    let index = TenantIndex::new(DIMS, options);
    let removed: Mutex<HashSet<MemoryId>> = Mutex::default();
    let done = AtomicBool::new(false);
    let write = || {
        let mut random = Random(1);
        for number in 0..4_000 {
            let mut memory = memory(number, "the agent deploys");
            memory.vector = Some(random.vector(DIMS));
            put(&index, &memory);
            if number % 3 == 0 {
                let id = memory_id(random.below(number + 1));
                if number % 300 == 0 {
                    index.forget(&[id]);
                } else {
                    index.remove(id);
                }
                // Only what is out by here must not be found any more.
                removed.lock().insert(id);
            }
        }
        done.store(true, Ordering::SeqCst);
    };
    let maintain = || {
        while !done.load(Ordering::SeqCst) {
            index.maintain(512).unwrap();
            if let Some(snapshot) = index.graph_snapshot().unwrap() {
                assert!(!snapshot.bytes.is_empty());
            }
        }
    };
    let search = |seed| {
        let mut random = Random(seed);
        let (terms, filter) = (
            tokens::terms("agents deploy", Language::English),
            AttributeFilter::default(),
        );
        let mut searches = 0_u64;
        while !done.load(Ordering::SeqCst) || searches < 10 {
            let gone = removed.lock().clone();
            let vector = random.vector(DIMS);
            let hits = index
                .search(request(&terms, Some(&vector), &filter))
                .unwrap()
                .hits;
            assert!(hits.iter().all(|hit| !gone.contains(&hit.id)));
            searches += 1;
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(write);
        scope.spawn(maintain);
        let searchers = [scope.spawn(|| search(10)), scope.spawn(|| search(11))];
        for searcher in searchers {
            searcher.join().unwrap();
        }
    });
    while index.maintain(10_000).unwrap().more {}
    let status = index.status();
    assert_eq!(status.graph, status.vectors);
    assert_eq!(status.tail, 0);
}
