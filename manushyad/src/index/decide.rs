//! Decisions over facts: made once for each combination of the facts they read.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::attributes::ClassKey;
use super::permit::{Facts, Permit, Rule};
use super::state::State;

/// Live memories that are alike in some facts.
#[derive(Clone, Default)]
pub(super) struct Group {
    pub slots: RoaringBitmap,
    /// Words of these memories.
    pub words: u64,
}

/// All live memories in groups by the facts of one set.
#[derive(Clone, Default)]
pub(super) struct Partition {
    groups: HashMap<ClassKey, Group>,
}

impl Partition {
    pub fn insert(&mut self, key: ClassKey, slot: u32, words: u16) {
        let group = self.groups.entry(key).or_default();
        group.slots.insert(slot);
        group.words += u64::from(words);
    }

    pub fn remove(&mut self, key: ClassKey, slot: u32, words: u16) {
        if let Some(group) = self.groups.get_mut(&key) {
            group.slots.remove(slot);
            group.words -= u64::from(words);
            if group.slots.is_empty() {
                self.groups.remove(&key);
            }
        }
    }
}

/// The memories a caller may see at one moment: neither removed nor expired nor forbidden.
pub(super) struct Permitted {
    /// The slots; `None` if they are all the live ones.
    pub slots: Option<RoaringBitmap>,
    /// How many memories there are.
    pub documents: u64,
    /// How many words they have.
    pub words: u64,
}

/// Facts that are no class of their own: each memory has its own.
const OF_ONE: Facts = Facts::ID;

/// Which memories the caller may see at `now`.
pub(super) fn permitted(state: &State, permit: &mut Permit<'_>, now: i64) -> Permitted {
    let expired = state.expired(now);
    match permit {
        Permit::All if expired.is_empty() => Permitted {
            slots: None,
            documents: state.live.len(),
            words: state.words_live,
        },
        Permit::All => {
            let slots = &state.live - &expired;
            Permitted {
                documents: slots.len(),
                words: state.words_live - words_of(state, &expired),
                slots: Some(slots),
            }
        }
        Permit::PerFacts(rule) if expired.is_empty() => {
            let (slots, words) = pass(state, rule, now, None);
            Permitted {
                documents: slots.len(),
                words,
                slots: Some(slots),
            }
        }
        Permit::PerFacts(rule) => {
            let visible = &state.live - &expired;
            let (slots, _) = pass(state, rule, now, Some(&visible));
            Permitted {
                documents: slots.len(),
                words: words_of(state, &slots),
                slots: Some(slots),
            }
        }
    }
}

/// Those of `slots` that pass the caller's own rule.
pub(super) fn narrow(
    state: &State,
    rule: &mut Rule<'_>,
    now: i64,
    slots: &RoaringBitmap,
) -> RoaringBitmap {
    pass(state, rule, now, Some(slots)).0
}

fn words_of(state: &State, slots: &RoaringBitmap) -> u64 {
    slots
        .iter()
        .map(|slot| u64::from(state.words[slot as usize]))
        .sum()
}

/// The slots of `within` (all live ones if absent) that pass, and the words of those; the words are
/// right only where `within` is absent.
fn pass(
    state: &State,
    rule: &mut Rule<'_>,
    now: i64,
    within: Option<&RoaringBitmap>,
) -> (RoaringBitmap, u64) {
    let reads = rule.reads;
    if reads.intersects(OF_ONE | Facts::AGE | Facts::METADATA) {
        let passed = one_by_one(state, rule, now, within.unwrap_or(&state.live));
        let words = words_of(state, &passed);
        return (passed, words);
    }
    let mut passed = RoaringBitmap::new();
    let mut words = 0;
    each_group(state, reads, &mut |slots, group_words| {
        let first = match within {
            Some(within) => first_of_both(slots, within),
            None => slots.min(),
        };
        let Some(first) = first else { return };
        let id = state.ids[first as usize];
        let facts = state.attributes.facts(first, id, reads, now);
        if (rule.decide)(&facts) {
            passed |= slots;
            words += group_words;
        }
    });
    if let Some(within) = within {
        passed &= within;
    }
    (passed, words)
}

fn one_by_one(
    state: &State,
    rule: &mut Rule<'_>,
    now: i64,
    within: &RoaringBitmap,
) -> RoaringBitmap {
    let reads = rule.reads;
    let alone = reads.intersects(OF_ONE | Facts::AGE);
    let mut known: HashMap<(ClassKey, u64), bool> = HashMap::new();
    let mut decide = |slot: u32| {
        let id = state.ids[slot as usize];
        (rule.decide)(&state.attributes.facts(slot, id, reads, now))
    };
    let mut passes = |slot: u32| {
        if alone {
            return decide(slot);
        }
        let class = state.attributes.class_key(slot, reads);
        let key = (class, state.attributes.metadata_key(slot));
        *known.entry(key).or_insert_with(|| decide(slot))
    };
    within.iter().filter(|&slot| passes(slot)).collect()
}

/// Calls `each` with the slots and words of every group of live memories alike in `reads`.
fn each_group(state: &State, reads: Facts, each: &mut dyn FnMut(&RoaringBitmap, u64)) {
    let attributes = &state.attributes;
    if reads == Facts::NONE {
        each(&state.live, state.words_live);
    } else if reads == Facts::OWNER {
        attributes
            .owner
            .iter()
            .for_each(|(_, class)| each(&class.slots, class.words));
    } else if reads == Facts::KIND {
        attributes
            .kind
            .iter()
            .for_each(|(_, class)| each(&class.slots, class.words));
    } else if reads == Facts::NAMESPACE {
        attributes
            .namespace
            .iter()
            .for_each(|(_, class)| each(&class.slots, class.words));
    } else if reads == Facts::SESSION {
        attributes
            .session
            .iter()
            .for_each(|(_, class)| each(&class.slots, class.words));
    } else if reads == Facts::TAGS {
        attributes
            .tags
            .iter()
            .for_each(|(_, class)| each(&class.slots, class.words));
    } else if reads == Facts::TRUST {
        attributes
            .trust
            .iter()
            .for_each(|(_, class)| each(&class.slots, class.words));
    } else {
        let partition = state.partition(reads);
        partition
            .groups
            .values()
            .for_each(|group| each(&group.slots, group.words));
    }
}

/// The first slot that is in both sets.
fn first_of_both(a: &RoaringBitmap, b: &RoaringBitmap) -> Option<u32> {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    if few.len() < 64 {
        return few.iter().find(|&slot| many.contains(slot));
    }
    (!few.is_disjoint(many))
        .then(|| (few & many).min())
        .flatten()
}
