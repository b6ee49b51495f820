//! Which memories have which term, both ways around.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// One memory that has a term.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posting {
    pub slot: u32,
    /// How often the term stands in it.
    pub count: u16,
    /// How many words it has, kept here so that scoring reads one place only.
    pub words: u16,
}

/// One term of a memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct TermOf {
    pub term: u32,
    pub count: u16,
}

/// The memories that have one term, by slot. Those of removed memories stay until compaction.
#[derive(Default)]
pub(super) struct TermList {
    key: u64,
    /// How many of them are not removed.
    pub live: u32,
    pub list: Vec<Posting>,
    /// No posting has a greater count or fewer words: bounds of what the term can add.
    pub count_max: u16,
    pub words_min: u16,
}

impl TermList {
    /// The hash that stands for the term.
    pub fn key(&self) -> u64 {
        self.key
    }
}

/// All terms of a tenant.
#[derive(Default)]
pub(super) struct Postings {
    ids: HashMap<u64, u32, BuildHasherDefault<KeyHasher>>,
    lists: Vec<TermList>,
    free: Vec<u32>,
    of_slot: Vec<Box<[TermOf]>>,
}

impl Postings {
    /// How many terms some memory has.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The term with this hash, if some memory has it.
    pub fn find(&self, key: u64) -> Option<u32> {
        self.ids.get(&key).copied()
    }

    /// The memories that have `term`.
    pub fn list(&self, term: u32) -> &TermList {
        &self.lists[term as usize]
    }

    /// The terms of the memory in `slot`; none if it is removed.
    #[inline]
    pub fn terms_of(&self, slot: u32) -> &[TermOf] {
        self.of_slot.get(slot as usize).map_or(&[], |terms| terms)
    }

    /// The terms of the memory in `slot` as they were given.
    pub fn keys_of(&self, slot: u32) -> Vec<(u64, u16)> {
        let key = |term: &TermOf| (self.list(term.term).key, term.count);
        self.terms_of(slot).iter().map(key).collect()
    }

    /// Takes the terms of the next slot.
    pub fn push(&mut self, slot: u32, terms: &[(u64, u16)], words: u16) {
        debug_assert_eq!(slot as usize, self.of_slot.len());
        let mut of_slot = Vec::with_capacity(terms.len());
        for &(key, count) in terms {
            let term = self.intern(key);
            let list = &mut self.lists[term as usize];
            list.list.push(Posting { slot, count, words });
            list.live += 1;
            list.count_max = list.count_max.max(count);
            list.words_min = list.words_min.min(words);
            of_slot.push(TermOf { term, count });
        }
        self.of_slot.push(of_slot.into_boxed_slice());
    }

    /// Takes out the terms of `slot`. A term that nobody has any more is forgotten.
    pub fn remove(&mut self, slot: u32) {
        let terms = std::mem::take(&mut self.of_slot[slot as usize]);
        for term in &terms {
            let list = &mut self.lists[term.term as usize];
            list.live -= 1;
            if list.live == 0 {
                self.ids.remove(&list.key);
                *list = TermList::default();
                self.free.push(term.term);
            }
        }
    }

    fn intern(&mut self, key: u64) -> u32 {
        if let Some(&term) = self.ids.get(&key) {
            return term;
        }
        let fresh = TermList {
            key,
            words_min: u16::MAX,
            ..TermList::default()
        };
        let term = if let Some(term) = self.free.pop() {
            self.lists[term as usize] = fresh;
            term
        } else {
            self.lists.push(fresh);
            (self.lists.len() - 1) as u32
        };
        self.ids.insert(key, term);
        term
    }
}

/// Keys are hashes already and need no other.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only `write_u64` is called; this keeps the contract for any other type.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
