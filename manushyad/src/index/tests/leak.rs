//! Nothing of an answer tells of memories that the caller may not see.

use manushya_core::recall::fuse::Mode;
use manushya_core::recall::tokens;
use manushya_protocol::unit::UnixMillis;
use proptest::prelude::*;

use super::*;

const DIMS: usize = 8;
const QUERY: &str = "the agent deploys dark mode again and the the schema";

fn random_memory(number: u64, owner: u8, random: &mut Random) -> Memory {
    const WORDS: [&str; 9] = [
        "the", "agent", "deploys", "dark", "mode", "again", "and", "schema", "other",
    ];
    let words: Vec<&str> = (0..1 + random.below(30))
        .map(|_| WORDS[random.below(9) as usize])
        .collect();
    let mut memory = memory(number, &words.join(" "));
    memory.owner = owner_id(owner);
    memory.vector = Some(random.vector(DIMS));
    memory
}

/// The ids and the bits of the scores of what owner 1 finds.
fn answer(index: &TenantIndex, mode: Mode, reads: Facts) -> Vec<(MemoryId, u32)> {
    let mut mine = |facts: &super::super::SlotFacts<'_>| facts.owner == Some(owner_id(1));
    let vector = Random(7).vector(DIMS);
    let (terms, filter) = (tokens::terms(QUERY), AttributeFilter::default());
    let request = SearchRequest {
        mode,
        limit: 1000,
        permit: Permit::PerFacts(Rule {
            reads,
            decide: &mut mine,
        }),
        ..request(&terms, Some(&vector), &filter)
    };
    let hits = index.search(request).unwrap().hits;
    hits.iter()
        .map(|hit| (hit.id, hit.score.to_bits()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn scores_are_the_same_to_the_bit_whatever_others_have(
        seed in any::<u64>(), mine in 1_u64..60, others in 1_u64..300,
    ) {
        let mut random = Random(seed);
        let alone = TenantIndex::new(DIMS, IndexOptions::default());
        let among = TenantIndex::new(DIMS, IndexOptions::default());
        let own: Vec<_> = (0..mine).map(|n| random_memory(n * 10, 1, &mut random)).collect();
        for memory in &own {
            put(&alone, memory);
        }
        let mut theirs: Vec<_> =
            (0..others).map(|n| random_memory(n * 10 + 5, 2, &mut random)).collect();
        // Some of the others' have expired, some go again.
        for memory in theirs.iter_mut().step_by(5) {
            memory.content.expires_at = Some(UnixMillis(1));
        }
        let (first, second) = theirs.split_at(theirs.len() / 2);
        first.iter().chain(&own).chain(second).for_each(|memory| put(&among, memory));
        for memory in theirs.iter().step_by(3) {
            among.remove(memory.id);
        }
        for mode in [Mode::Hybrid, Mode::Lexical, Mode::Semantic] {
            for reads in [Facts::OWNER, Facts::OWNER | Facts::KIND, Facts::OWNER | Facts::ID] {
                prop_assert_eq!(answer(&alone, mode, reads), answer(&among, mode, reads));
            }
        }
    }
}

#[test]
fn word_only_others_have_finds_nothing() {
    let index = TenantIndex::new(DIMS, IndexOptions::default());
    let mut theirs = memory(1, "agent");
    theirs.owner = owner_id(2);
    put(&index, &theirs);
    assert_eq!(answer(&index, Mode::Hybrid, Facts::OWNER), []);
}

#[test]
fn rule_of_the_caller_is_not_asked_about_forbidden_memories() {
    let index = TenantIndex::new(DIMS, IndexOptions::default());
    for number in 0..20 {
        let mut memory = memory(number, "agent");
        memory.owner = owner_id(number as u8 % 4);
        put(&index, &memory);
    }
    let mut mine = |facts: &super::super::SlotFacts<'_>| facts.owner == Some(owner_id(1));
    let mut asked = Vec::new();
    let mut rule = |facts: &super::super::SlotFacts<'_>| {
        asked.push(facts.owner);
        true
    };
    let permit = Permit::PerFacts(Rule {
        reads: Facts::OWNER,
        decide: &mut mine,
    });
    let mut rule = Rule {
        reads: Facts::OWNER,
        decide: &mut rule,
    };
    let filter = AttributeFilter::default();
    let page = index.select(permit, &filter, Some(&mut rule), NOW, None, 100);
    assert_eq!(page.total, 5);
    assert_eq!(asked, [Some(owner_id(1))]);
}
