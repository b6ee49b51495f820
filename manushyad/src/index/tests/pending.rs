//! Memories that come before their vectors: in the end the index is as if they had come together.

use std::collections::BTreeMap;

use manushya_core::recall::language::Language;
use manushya_core::recall::tokens;
use proptest::prelude::*;

use super::*;

const DIMS: usize = 8;
const QUERY: &str = "agent deploys schema";

fn step() -> impl Strategy<Value = (u8, u64)> {
    (0_u8..8, 0_u64..24)
}

fn text(random: &mut Random) -> String {
    const WORDS: [&str; 6] = ["agent", "deploys", "dark", "mode", "schema", "other"];
    let words: Vec<&str> = (0..1 + random.below(9))
        .map(|_| WORDS[random.below(6) as usize])
        .collect();
    words.join(" ")
}

/// What owner 1 finds, and how far that is behind.
fn found(index: &TenantIndex) -> (Vec<(MemoryId, u32)>, u64) {
    let vector = Random(7).vector(DIMS);
    let (terms, filter) = (
        tokens::terms(QUERY, Language::English),
        AttributeFilter::default(),
    );
    let mut may = |facts: &super::super::SlotFacts<'_>| facts.owner == Some(owner_id(1));
    let request = SearchRequest {
        limit: 1000,
        permit: Permit::PerFacts(Rule {
            reads: Facts::OWNER,
            decide: &mut may,
        }),
        ..request(&terms, Some(&vector), &filter)
    };
    let outcome = index.search(request).unwrap();
    let hits = outcome.hits.iter();
    let hits = hits.map(|hit| (hit.id, hit.score.to_bits())).collect();
    (hits, outcome.behind)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn vectors_that_come_later_are_as_good(
        steps in prop::collection::vec(step(), 1..160), seed: u64,
    ) {
        let mut random = Random(seed);
        let options = IndexOptions { graph_threshold: 12, build_threads: 1, ..Default::default() };
        let (late, at_once) = (TenantIndex::new(DIMS, options), TenantIndex::new(DIMS, options));
        let mut waiting: BTreeMap<MemoryId, Memory> = BTreeMap::new();
        let mut versions: BTreeMap<u64, u32> = BTreeMap::new();
        for (what, number) in steps {
            let id = memory_id(number);
            match what {
                // It comes, or changes, before its vector.
                0..=3 => {
                    let version = versions.entry(number).or_default();
                    *version += 1;
                    let mut memory = memory(number, &text(&mut random));
                    memory.version = *version;
                    memory.owner = owner_id((number % 2) as u8);
                    let bare = Prepared::from_memory(&memory, DIMS, Language::English).unwrap();
                    late.upsert(&bare.pending());
                    memory.vector = Some(random.vector(DIMS));
                    put(&at_once, &memory);
                    waiting.insert(id, memory);
                }
                4 | 5 => {
                    if let Some(memory) = waiting.remove(&id) {
                        put(&late, &memory);
                    }
                }
                // A vector of a version that is gone by now changes nothing of the later one.
                6 => {
                    waiting.remove(&id);
                    late.forget(&[id]);
                    at_once.forget(&[id]);
                }
                _ => drop(late.maintain(64).unwrap()),
            }
            let listed: Vec<_> = late.pending(1000, |_| false);
            let mut listed: Vec<MemoryId> = listed.into_iter().map(|(id, _)| id).collect();
            listed.sort();
            prop_assert_eq!(&listed, &waiting.keys().copied().collect::<Vec<_>>());
            let mine = waiting.values().filter(|it| it.owner == owner_id(1)).count() as u64;
            prop_assert_eq!(found(&late).1, mine);
            prop_assert_eq!(found(&at_once).1, 0);
        }
        for memory in waiting.into_values() {
            put(&late, &memory);
        }
        prop_assert_eq!(late.pending_len(), 0);
        prop_assert_eq!(late.ids(), at_once.ids());
        prop_assert_eq!(late.status().vectors, at_once.status().vectors);
        prop_assert_eq!(found(&late), found(&at_once));
    }
}

#[test]
fn what_waits_is_listed_but_for_what_is_to_be_skipped() {
    let index = TenantIndex::new(DIMS, IndexOptions::default());
    for number in 0..10 {
        let bare = Prepared::from_memory(&memory(number, "text"), DIMS, Language::English).unwrap();
        index.upsert(&bare.pending());
    }
    let odd = |id: MemoryId| id.to_bytes()[15] % 2 == 1;
    let listed = index.pending(3, odd);
    assert_eq!(
        listed,
        [(memory_id(0), 1), (memory_id(2), 1), (memory_id(4), 1)]
    );
    assert!(index.is_pending(memory_id(1)) && !index.is_pending(memory_id(11)));
    // One that has its vector only in RAM waits for it to be stored, and misses nothing.
    let mut whole = memory(3, "text");
    whole.version = 2;
    whole.vector = Some(Random(1).vector(DIMS));
    index.upsert(
        &Prepared::from_memory(&whole, DIMS, Language::English)
            .unwrap()
            .pending(),
    );
    assert!(index.is_pending(memory_id(3)));
    assert_eq!((index.status().vectors, index.pending_len()), (1, 10));
    put(&index, &whole);
    assert_eq!((index.status().vectors, index.pending_len()), (1, 9));
}
