//! The graph against the exact rows, and the graph as bytes.

use manushya_core::recall::fuse::{Mode, Weights};
use manushya_core::recall::tokens::Terms;
use proptest::prelude::*;

use super::super::snapshot::Head;
use super::super::{Exact, Graph, Hit, SnapshotError, Unit, VectorIndex};
use super::*;

const DIMS: usize = 32;
const OPTIONS: IndexOptions = IndexOptions {
    graph_threshold: 100,
    scan_max: 50,
    build_threads: 2,
    weights: Weights {
        lexical: 0.5,
        semantic: 0.5,
    },
    // The nearest to the vector that is given, not to one that they drew.
    feedback: false,
    language: Language::English,
};

fn filled(count: u64, seed: u64) -> (TenantIndex, Vec<Memory>) {
    let index = TenantIndex::new(DIMS, OPTIONS);
    let mut random = Random(seed);
    let memories: Vec<Memory> = (0..count)
        .map(|number| {
            let mut memory = memory(number, "text");
            memory.vector = Some(random.vector(DIMS));
            memory
        })
        .collect();
    memories.iter().for_each(|memory| put(&index, memory));
    (index, memories)
}

fn upkeep(index: &TenantIndex) {
    while index.maintain(10_000).unwrap().more {}
}

fn nearest(index: &TenantIndex, vector: &[f32], limit: usize) -> Vec<Hit> {
    let (terms, filter) = (Terms::default(), AttributeFilter::default());
    let mode = Mode::Semantic;
    let request = SearchRequest {
        mode,
        limit,
        ..request(&terms, Some(vector), &filter)
    };
    index.search(request).unwrap().hits
}

#[test]
fn graph_finds_what_the_exact_rows_find() {
    let (index, memories) = filled(12_000, 3);
    upkeep(&index);
    assert_eq!(index.status().graph, 12_000);
    let mut exact = Exact::new(DIMS);
    for (slot, memory) in (0..).zip(&memories) {
        let unit = Unit::new(memory.vector.as_deref().unwrap()).unwrap();
        exact.put(slot, unit.values());
    }
    let mut random = Random(99);
    let (mut found, mut all) = (0, 0);
    for _ in 0..100 {
        let query = random.vector(DIMS);
        let truth = exact.nearest(&Unit::new(&query).unwrap(), 10).unwrap();
        let hits = nearest(&index, &query, 10);
        assert_eq!(hits.len(), 10);
        all += truth.len();
        let is_hit = |key: u64| hits.iter().any(|hit| hit.id == memory_id(key));
        found += truth.iter().filter(|near| is_hit(near.key)).count();
    }
    assert!(found * 100 >= all * 95, "{found} of {all}");
}

#[test]
fn removed_and_updated_vectors_leave_the_graph_at_once() {
    let (index, memories) = filled(400, 5);
    upkeep(&index);
    let old = memories[7].vector.clone().unwrap();
    assert_eq!(nearest(&index, &old, 1)[0].id, memories[7].id);
    let mut changed = memories[7].clone();
    let opposite: Vec<f32> = old.iter().map(|x| -x).collect();
    (changed.vector, changed.version) = (Some(opposite.clone()), 2);
    put(&index, &changed);
    assert!(
        nearest(&index, &old, 400)
            .iter()
            .all(|hit| hit.id != memories[7].id)
    );
    let hit = &nearest(&index, &opposite, 1)[0];
    assert_eq!((hit.id, hit.version), (memories[7].id, 2));
    index.remove(memories[7].id);
    assert!(
        nearest(&index, &opposite, 400)
            .iter()
            .all(|hit| hit.id != memories[7].id)
    );
    assert_eq!(
        nearest(&index, &memories[8].vector.clone().unwrap(), 1)[0].id,
        memories[8].id
    );
}

#[test]
fn worn_graph_and_sparse_slots_are_replaced() {
    let (index, memories) = filled(600, 6);
    upkeep(&index);
    for memory in &memories[..300] {
        index.remove(memory.id);
    }
    assert!(index.status().wants_upkeep);
    upkeep(&index);
    let status = index.status();
    assert_eq!((status.memories, status.graph, status.tail), (300, 300, 0));
    assert_eq!(index.state.read().slots(), 300);
    assert_eq!(
        index.state.read().graph.as_ref().unwrap().entries.len(),
        300
    );
    for memory in &memories[300..320] {
        let hits = nearest(&index, memory.vector.as_deref().unwrap(), 1);
        assert_eq!(hits[0].id, memory.id);
    }
    for memory in &memories[300..580] {
        index.remove(memory.id);
    }
    upkeep(&index);
    assert_eq!((index.status().graph, index.status().tail), (0, 20));
}

#[test]
fn snapshot_comes_back_without_what_changed() {
    let (index, memories) = filled(300, 8);
    upkeep(&index);
    index.remove(memories[0].id);
    let snapshot = index.graph_snapshot().unwrap().unwrap();
    let (head, _) = Head::decode(&snapshot.bytes, DIMS).unwrap();
    assert_eq!(head.entries.len(), 299);
    assert!(head.entries.iter().all(|&(_, id, _)| id != memories[0].id));

    let fresh = TenantIndex::new(DIMS, OPTIONS);
    let mut random = Random(80);
    for memory in &memories[2..] {
        put(&fresh, memory);
    }
    let mut changed = memories[3].clone();
    (changed.version, changed.vector) = (2, Some(random.vector(DIMS)));
    put(&fresh, &changed);
    let mut added = memory(1000, "text");
    added.vector = Some(random.vector(DIMS));
    put(&fresh, &added);
    assert_eq!(fresh.load_graph(&snapshot.bytes).unwrap(), 297);
    assert_eq!((fresh.status().graph, fresh.status().tail), (297, 2));
    for memory in memories[4..40].iter().chain([&changed, &added]) {
        let hits = nearest(&fresh, memory.vector.as_deref().unwrap(), 300);
        assert_eq!((hits[0].id, hits[0].version), (memory.id, memory.version));
        assert!(
            hits.iter()
                .all(|hit| hit.id != memories[0].id && hit.id != memories[1].id)
        );
    }
    // The graph may hold vectors nobody knows the owner of, so any erasure drops it.
    fresh.forget(&[memories[0].id]);
    assert!(fresh.graph_snapshot().unwrap().is_none());
}

#[test]
fn erased_vector_is_in_no_later_snapshot() {
    let (index, memories) = filled(300, 9);
    upkeep(&index);
    let bytes_of = |memory: &Memory| -> Vec<u8> {
        let unit = Unit::new(memory.vector.as_deref().unwrap()).unwrap();
        unit.values()
            .iter()
            .flat_map(|value| value.0.to_le_bytes())
            .collect()
    };
    let erased = bytes_of(&memories[5]);
    let holds = |snapshot: &[u8]| snapshot.windows(erased.len()).any(|bytes| bytes == erased);
    // Removed, it may stay, since it can be restored; then it must be found by this test.
    index.remove(memories[5].id);
    assert!(holds(&index.graph_snapshot().unwrap().unwrap().bytes));
    let before = index.erasures();
    index.forget(&[memories[5].id]);
    assert_ne!(index.erasures(), before);
    assert!(index.graph_snapshot().unwrap().is_none());
    assert_eq!((index.status().graph, index.status().tail), (0, 299));
    upkeep(&index);
    assert_eq!(index.status().graph, 299);
    assert!(!holds(&index.graph_snapshot().unwrap().unwrap().bytes));
}

#[test]
fn broken_snapshots_are_refused() {
    let (index, _) = filled(150, 10);
    upkeep(&index);
    let good = index.graph_snapshot().unwrap().unwrap().bytes;
    for len in [0, 7, 8, 20, 27, 28, 60, 28 + 150 * 28 - 1] {
        assert!(index.load_graph(&good[..len]).is_err(), "{len}");
    }
    let other = TenantIndex::new(DIMS * 2, OPTIONS);
    assert!(matches!(
        other.load_graph(&good),
        Err(SnapshotError::Dims { .. })
    ));
    for (at, value) in [(0, 0), (12, 1), (19, 0xFF), (27, 0xFF), (20, 0xFF)] {
        let mut bad = good.clone();
        bad[at] = value;
        assert!(index.load_graph(&bad).is_err(), "{at}");
    }
    assert_eq!(index.status().graph, 150);
}

proptest! {
    #[test]
    fn any_head_is_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Head::decode(&bytes, DIMS);
        if bytes.len() >= 12 {
            bytes[..8].copy_from_slice(b"mnshgrf1");
            bytes[8..12].copy_from_slice(&(DIMS as u32).to_le_bytes());
            let _ = Head::decode(&bytes, DIMS);
        }
    }
}

#[test]
fn graph_without_room_says_so() {
    let graph = Graph::new(4).unwrap();
    let unit = Unit::new(&[1.0, 0.0, 0.0, 0.0]).unwrap();
    let mut refused = None;
    for key in 0..100_000 {
        if let Err(error) = graph.add(key, &unit) {
            refused = Some(error);
            break;
        }
    }
    assert!(matches!(refused, Some(VectorError::Graph { .. })));
    let wrong = Unit::new(&[1.0; 3]).unwrap();
    assert!(matches!(
        graph.add(0, &wrong),
        Err(VectorError::Dims { .. })
    ));
    assert!(matches!(
        graph.nearest(&wrong, 1),
        Err(VectorError::Dims { .. })
    ));
}
