//! The memories of each session in their order.

use std::collections::HashMap;
use std::sync::Arc;

use manushya_core::recall::episode::Around;
use manushya_protocol::id::{IdentityId, MemoryId};

/// A session is its owner's: two owners may use the same name.
type Key = (IdentityId, Arc<str>);

/// Where a memory stands in its session: by creation, then by id.
pub(super) type Place = (i64, MemoryId);

const NONE: u32 = u32::MAX;

#[derive(Default)]
struct Episode {
    /// Absent while no memory is in it.
    key: Option<Key>,
    slots: Vec<u32>,
}

/// All sessions of a tenant.
#[derive(Default)]
pub(super) struct Episodes {
    numbers: HashMap<Key, u32>,
    episodes: Vec<Episode>,
    free: Vec<u32>,
    of_slot: Vec<u32>,
}

impl Episodes {
    /// Whether no memory has a session.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Takes the session of the next slot. `place` knows the places of it and of all live slots.
    pub fn push(
        &mut self,
        slot: u32,
        owner: IdentityId,
        session: Option<&Arc<str>>,
        place: impl Fn(u32) -> Place,
    ) {
        debug_assert_eq!(slot as usize, self.of_slot.len());
        let Some(session) = session else {
            self.of_slot.push(NONE);
            return;
        };
        let number = self.number((owner, session.clone()));
        self.of_slot.push(number);
        let slots = &mut self.episodes[number as usize].slots;
        let own = place(slot);
        // Nearly all come in order.
        if slots.last().is_none_or(|&last| place(last) < own) {
            slots.push(slot);
        } else {
            let at = slots.partition_point(|&other| place(other) < own);
            slots.insert(at, slot);
        }
    }

    fn number(&mut self, key: Key) -> u32 {
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        let episode = Episode {
            key: Some(key.clone()),
            slots: Vec::new(),
        };
        let number = if let Some(number) = self.free.pop() {
            self.episodes[number as usize] = episode;
            number
        } else {
            self.episodes.push(episode);
            (self.episodes.len() - 1) as u32
        };
        self.numbers.insert(key, number);
        number
    }

    /// Takes `slot` out. A session that has no memory any more is forgotten.
    pub fn remove(&mut self, slot: u32, place: impl Fn(u32) -> Place) {
        let number = std::mem::replace(&mut self.of_slot[slot as usize], NONE);
        let Some(episode) = self.episodes.get_mut(number as usize) else {
            return;
        };
        if let Ok(at) = episode
            .slots
            .binary_search_by_key(&place(slot), |&s| place(s))
        {
            episode.slots.remove(at);
        }
        if episode.slots.is_empty()
            && let Some(key) = episode.key.take()
        {
            self.numbers.remove(&key);
            self.free.push(number);
        }
    }

    /// The nearest on both sides of `slot` in its session, of those that are `visible`: what is
    /// not leaves no gap.
    pub fn around(
        &self,
        slot: u32,
        place: impl Fn(u32) -> Place,
        visible: impl Fn(u32) -> bool,
    ) -> Around<u32> {
        let number = self.of_slot.get(slot as usize).copied().unwrap_or(NONE);
        let Some(episode) = self.episodes.get(number as usize) else {
            return Around::default();
        };
        let slots = &episode.slots;
        let Ok(at) = slots.binary_search_by_key(&place(slot), |&s| place(s)) else {
            return Around::default();
        };
        let seen = |slot: &u32| visible(*slot);
        let mut before = slots[..at].iter().rev().copied().filter(seen);
        let mut after = slots[at + 1..].iter().copied().filter(seen);
        std::array::from_fn(|_| [before.next(), after.next()])
    }
}
