//! Nothing of an answer tells of memories that the caller may not see.

use manushya_core::model::{Kind, Session};
use manushya_core::recall::fuse::Mode;
use manushya_core::recall::language::Language;
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
    found(index, mode, reads, 1000, |facts| {
        facts.owner == Some(owner_id(1))
    })
}

fn found(
    index: &TenantIndex,
    mode: Mode,
    reads: Facts,
    limit: usize,
    mut may: impl FnMut(&super::super::SlotFacts<'_>) -> bool,
) -> Vec<(MemoryId, u32)> {
    let vector = Random(7).vector(DIMS);
    let (terms, filter) = (
        tokens::terms(QUERY, Language::English),
        AttributeFilter::default(),
    );
    let request = SearchRequest {
        mode,
        limit,
        permit: Permit::PerFacts(Rule {
            reads,
            decide: &mut may,
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Forbidden turns stand between the others of the same owner's sessions.
    #[test]
    fn forbidden_turns_of_an_episode_leave_no_trace(
        seed in any::<u64>(), count in 1_u64..900, sessions in 1_u64..40, limit in 1_usize..60,
    ) {
        let mut random = Random(seed);
        let secret = Kind::new("secret").unwrap();
        let alone = TenantIndex::new(DIMS, IndexOptions::default());
        let among = TenantIndex::new(DIMS, IndexOptions::default());
        for number in 0..count {
            let mut memory = random_memory(number, 1, &mut random);
            memory.created_at = UnixMillis(random.below(50) as i64);
            let session = random.below(sessions + 1);
            memory.content.session = (session > 0)
                .then(|| Session::new(format!("s{session}")).unwrap());
            if random.below(2) == 0 {
                memory.content.kind = secret.clone();
            } else {
                put(&alone, &memory);
            }
            put(&among, &memory);
        }
        let may = |facts: &super::super::SlotFacts<'_>| facts.kind != Some("secret");
        for mode in [Mode::Hybrid, Mode::Lexical, Mode::Semantic] {
            for reads in [Facts::KIND, Facts::KIND | Facts::ID] {
                prop_assert_eq!(
                    found(&alone, mode, reads, limit, may),
                    found(&among, mode, reads, limit, may)
                );
            }
        }
    }
}

/// Three turns of which only the one in the middle has the word.
fn told(index: &TenantIndex, owners: [u8; 3], sessions: [&str; 3]) -> Vec<MemoryId> {
    for number in 0..3_u8 {
        let text = if number == 1 { "agent" } else { "other" };
        let mut memory = memory(number.into(), text);
        memory.owner = owner_id(owners[usize::from(number)]);
        memory.content.session = Some(Session::new(sessions[usize::from(number)]).unwrap());
        put(index, &memory);
    }
    let (terms, filter) = (
        tokens::terms("agent", Language::English),
        AttributeFilter::default(),
    );
    let hits = index.search(request(&terms, None, &filter)).unwrap().hits;
    hits.iter().map(|hit| hit.id).collect()
}

#[test]
fn neighbours_count_within_one_session_of_one_owner_only() {
    let index = || TenantIndex::new(DIMS, IndexOptions::default());
    let all = [1, 0, 2].map(memory_id);
    assert_eq!(told(&index(), [1; 3], ["s"; 3]), all);
    assert_eq!(told(&index(), [1; 3], ["s", "s", "t"]), all[..2]);
    assert_eq!(told(&index(), [1, 2, 3], ["s"; 3]), all[..1]);
}

#[test]
fn removed_turn_lends_nothing_and_leaves_no_gap() {
    let index = TenantIndex::new(DIMS, IndexOptions::default());
    told(&index, [1; 3], ["s"; 3]);
    assert!(index.remove(memory_id(1)));
    let (terms, filter) = (
        tokens::terms("agent", Language::English),
        AttributeFilter::default(),
    );
    assert_eq!(
        index.search(request(&terms, None, &filter)).unwrap().hits,
        []
    );
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
