//! Decisions over facts: made once for each combination of the facts they read.

use std::cell::OnceCell;
use std::collections::HashMap;

use roaring::{MultiOps, RoaringBitmap};

use super::attributes::ClassKey;
use super::permit::{Facts, Permit, Rule, Visibility};
use super::state::State;
use super::top::Mask;

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
    /// Of [`Permit::All`]: what of the live ones they are not.
    pub hidden: Option<RoaringBitmap>,
    mask: OnceCell<Mask>,
}

impl Permitted {
    fn new(slots: Option<RoaringBitmap>, documents: u64, words: u64) -> Self {
        Self {
            slots,
            documents,
            words,
            hidden: None,
            mask: OnceCell::new(),
        }
    }

    /// Whether `slot` is one of them.
    #[inline]
    pub fn contains(&self, state: &State, slot: u32) -> bool {
        match &self.slots {
            Some(slots) => slots.contains(slot),
            None => state.live_mask.contains(slot),
        }
    }

    /// Whether how many of them have a term is known without looking at each of them.
    pub fn is_counted(&self) -> bool {
        self.slots.is_none() || self.hidden.is_some()
    }

    /// The slots as bits.
    pub fn mask<'a>(&'a self, state: &'a State) -> &'a Mask {
        match &self.slots {
            Some(slots) => self.mask.get_or_init(|| Mask::of(slots)),
            None => &state.live_mask,
        }
    }
}

/// Facts that are no class of their own: each memory has its own.
const OF_ONE: Facts = Facts::ID;

/// Which memories the caller may see at `now`.
pub(super) fn permitted(
    state: &State,
    permit: &mut Permit<'_>,
    now: i64,
    visibility: Visibility,
) -> Permitted {
    let hidden = state.hidden(now, visibility);
    match permit {
        Permit::All if hidden.is_empty() => {
            Permitted::new(None, state.live.len(), state.words_live)
        }
        Permit::All => {
            let slots = &state.live - &hidden;
            let words = state.words_live - words_of(state, &hidden);
            let documents = slots.len();
            let mut mask = state.live_mask.clone();
            hidden.iter().for_each(|slot| mask.remove(slot));
            Permitted {
                hidden: Some(hidden),
                mask: OnceCell::from(mask),
                ..Permitted::new(Some(slots), documents, words)
            }
        }
        Permit::PerFacts(rule) if hidden.is_empty() => {
            let (slots, words) = pass(state, rule, now, None);
            let documents = slots.len();
            Permitted::new(Some(slots), documents, words)
        }
        Permit::PerFacts(rule) => {
            let visible = &state.live - &hidden;
            let (slots, _) = pass(state, rule, now, Some(&visible));
            let (documents, words) = (slots.len(), words_of(state, &slots));
            Permitted::new(Some(slots), documents, words)
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
    let partition = (!is_attribute(reads)).then(|| state.partition(reads));
    let mut passed = Vec::new();
    let mut words = 0;
    for (slots, group_words) in groups(state, partition.as_deref(), reads) {
        let first = match within {
            Some(within) => first_of_both(slots, within),
            None => slots.min(),
        };
        let Some(first) = first else { continue };
        let id = state.ids[first as usize];
        if (rule.decide)(&state.attributes.facts(first, id, reads, now)) {
            passed.push(slots);
            words += group_words;
        }
    }
    let mut passed = passed.union();
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

/// Whether the groups by `reads` are kept as classes of one attribute, or need no keeping.
fn is_attribute(reads: Facts) -> bool {
    const KEPT: [Facts; 8] = [
        Facts::NONE,
        Facts::OWNER,
        Facts::KIND,
        Facts::NAMESPACE,
        Facts::SESSION,
        Facts::TAGS,
        Facts::TRUST,
        Facts::WRITER,
    ];
    KEPT.contains(&reads)
}

/// The slots and words of every group of live memories alike in `reads`, of `partition` unless they
/// are classes of one attribute.
fn groups<'a>(
    state: &'a State,
    partition: Option<&'a Partition>,
    reads: Facts,
) -> Vec<(&'a RoaringBitmap, u64)> {
    let attributes = &state.attributes;
    match reads {
        Facts::NONE => vec![(&state.live, state.words_live)],
        Facts::OWNER => attributes.owner.groups(),
        Facts::KIND => attributes.kind.groups(),
        Facts::NAMESPACE => attributes.namespace.groups(),
        Facts::SESSION => attributes.session.groups(),
        Facts::TAGS => attributes.tags.groups(),
        Facts::TRUST => attributes.trust.groups(),
        Facts::WRITER => attributes.writer.groups(),
        _ => {
            let groups = partition
                .iter()
                .flat_map(|partition| partition.groups.values());
            groups.map(|group| (&group.slots, group.words)).collect()
        }
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
