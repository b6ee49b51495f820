//! Everything the index knows, behind the lock of [`super::TenantIndex`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use manushya_core::recall::episode::Around;
use manushya_protocol::id::{IdentityId, MemoryId};
use parking_lot::RwLock;
use roaring::RoaringBitmap;

use super::attributes::Attributes;
use super::decide::Partition;
use super::episodes::{Episodes, Place};
use super::permit::{Facts, Visibility};
use super::postings::Postings;
use super::prepared::Prepared;
use super::top::Mask;
use super::vectors::{Exact, Graph, Unit};

/// The slot of a graph entry whose memory is removed or has another version.
pub(super) const DEAD: u32 = u32::MAX;

/// What the graph knows by one key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub id: MemoryId,
    pub version: u32,
    pub slot: u32,
}

/// A graph and what its keys stand for. A key is the place in `entries` and never changes.
pub(super) struct GraphPart {
    pub graph: Arc<Graph>,
    pub entries: Vec<Entry>,
    keys: HashMap<u32, u32>,
    /// Slots whose vector is in the graph for certain.
    pub members: RoaringBitmap,
    /// Entries that are [`DEAD`].
    pub dead: usize,
    /// Whether there are vectors in it whose memory is not known, as a loaded graph may have.
    pub has_unknown: bool,
}

impl GraphPart {
    pub fn new(graph: Arc<Graph>) -> Self {
        Self {
            graph,
            entries: Vec::new(),
            keys: HashMap::new(),
            members: RoaringBitmap::new(),
            dead: 0,
            has_unknown: false,
        }
    }

    /// Gives the next key to a vector that is about to be added.
    pub fn expect(&mut self, entry: Entry) -> u64 {
        let key = self.entries.len();
        if entry.slot == DEAD {
            self.dead += 1;
        } else {
            self.keys.insert(entry.slot, key as u32);
        }
        self.entries.push(entry);
        key as u64
    }

    /// Counts the vectors of `keys` in, now that they were added; those that died meanwhile not.
    pub fn confirm(&mut self, keys: std::ops::Range<u64>) {
        for key in keys {
            if let Some(slot) = self.slot_of(key) {
                self.members.insert(slot);
            }
        }
    }

    /// The live slot of `key`.
    pub fn slot_of(&self, key: u64) -> Option<u32> {
        let entry = self.entries.get(usize::try_from(key).ok()?)?;
        (entry.slot != DEAD).then_some(entry.slot)
    }

    fn remove(&mut self, slot: u32) {
        self.members.remove(slot);
        if let Some(key) = self.keys.remove(&slot) {
            self.entries[key as usize].slot = DEAD;
            self.dead += 1;
        }
    }

    /// Whether the graph has, or may have, a vector of any version of one of `ids`, removed or not.
    pub fn knows(&self, ids: &HashSet<MemoryId>) -> bool {
        self.has_unknown || self.entries.iter().any(|entry| ids.contains(&entry.id))
    }

    /// Whether more than a fifth of the graph is dead.
    pub fn is_worn(&self) -> bool {
        self.dead * 5 > self.entries.len()
    }

    /// The same part after slots were given new numbers.
    fn renumbered(&self, renumber: &HashMap<u32, u32>) -> Self {
        let mut part = Self::new(self.graph.clone());
        part.has_unknown = self.has_unknown;
        for entry in &self.entries {
            let slot = renumber.get(&entry.slot).copied().unwrap_or(DEAD);
            part.expect(Entry { slot, ..*entry });
        }
        let members = self.members.iter();
        part.members = members
            .filter_map(|slot| renumber.get(&slot).copied())
            .collect();
        part
    }
}

/// The index of one tenant, unlocked.
pub(super) struct State {
    pub dims: usize,
    pub by_id: BTreeMap<MemoryId, u32>,
    /// By slot. Slots are given in order and not given again before compaction.
    pub ids: Vec<MemoryId>,
    pub versions: Vec<u32>,
    pub words: Vec<u16>,
    /// What says whether two say the same.
    pub prints: Vec<u64>,
    expires_at: Vec<Option<i64>>,
    pub live: RoaringBitmap,
    pub live_mask: Mask,
    /// Words of all live memories.
    pub words_live: u64,
    pub attributes: Attributes,
    pub episodes: Episodes,
    pub postings: Postings,
    pub rows: Exact,
    /// Slots whose memory is yet to be embedded; see [`Prepared::pending`].
    pub pending: RoaringBitmap,
    /// Slots with a vector that the graph does not have.
    pub tail: RoaringBitmap,
    pub graph: Option<GraphPart>,
    /// The graph that is being built to replace a worn one.
    pub next: Option<GraphPart>,
    expiring: BTreeSet<(i64, u32)>,
    superseded_at: HashMap<u32, i64>,
    /// Live slots that another memory has superseded.
    pub superseded: RoaringBitmap,
    /// Groups by the facts that policies read, built when first asked for.
    pub partitions: RwLock<HashMap<Facts, Arc<Partition>>>,
}

impl State {
    pub fn new(dims: usize) -> Self {
        Self {
            dims,
            by_id: BTreeMap::new(),
            ids: Vec::new(),
            versions: Vec::new(),
            words: Vec::new(),
            prints: Vec::new(),
            expires_at: Vec::new(),
            live: RoaringBitmap::new(),
            live_mask: Mask::default(),
            words_live: 0,
            attributes: Attributes::default(),
            episodes: Episodes::default(),
            postings: Postings::default(),
            rows: Exact::new(dims),
            pending: RoaringBitmap::new(),
            tail: RoaringBitmap::new(),
            graph: None,
            next: None,
            expiring: BTreeSet::new(),
            superseded_at: HashMap::new(),
            superseded: RoaringBitmap::new(),
            partitions: RwLock::default(),
        }
    }

    /// How many slots there are, removed ones included.
    pub fn slots(&self) -> usize {
        self.ids.len()
    }

    /// How many slots are removed.
    pub fn dead(&self) -> usize {
        self.ids.len() - self.by_id.len()
    }

    /// Puts a memory in, in the place of any other version of it.
    pub fn upsert(&mut self, prepared: &Prepared) {
        if self.embedded(prepared) {
            return;
        }
        self.remove(prepared.id);
        if !prepared.deleted {
            self.push(prepared);
        }
    }

    /// Takes in the vector of a memory that is here and has waited for nothing else. Whether that
    /// was all there is to do.
    fn embedded(&mut self, prepared: &Prepared) -> bool {
        let Some(&slot) = self.by_id.get(&prepared.id) else {
            return false;
        };
        // What is changed in place, under the same version, is as it was but for its vector.
        let same = self.versions[slot as usize] == prepared.version;
        if !same || prepared.deleted || prepared.pending || !self.pending.remove(slot) {
            return false;
        }
        if !self.rows.present().contains(slot) {
            self.put_vector(slot, prepared);
        }
        true
    }

    fn put_vector(&mut self, slot: u32, prepared: &Prepared) {
        if let Some(vector) = &prepared.vector
            && vector.dims() == self.dims
        {
            self.rows.put(slot, vector.values());
            self.tail.insert(slot);
        }
    }

    fn push(&mut self, prepared: &Prepared) {
        let slot = self.ids.len() as u32;
        self.by_id.insert(prepared.id, slot);
        self.ids.push(prepared.id);
        self.versions.push(prepared.version);
        self.words.push(prepared.words);
        self.prints.push(prepared.print);
        self.expires_at.push(prepared.expires_at);
        self.live.insert(slot);
        self.live_mask.insert(slot);
        self.words_live += u64::from(prepared.words);
        self.attributes.push(slot, prepared);
        let place = place(&self.attributes, &self.ids);
        let session = prepared.session.as_ref();
        self.episodes.push(slot, prepared.owner, session, place);
        self.postings.push(slot, &prepared.terms, prepared.words);
        if let Some(at) = prepared.expires_at {
            self.expiring.insert((at, slot));
        }
        if let Some(at) = prepared.superseded_at {
            self.superseded_at.insert(slot, at);
            self.superseded.insert(slot);
        }
        self.put_vector(slot, prepared);
        if prepared.pending {
            self.pending.insert(slot);
        }
        for (&reads, partition) in self.partitions.get_mut() {
            let key = self.attributes.class_key(slot, reads);
            Arc::make_mut(partition).insert(key, slot, prepared.words);
        }
    }

    /// Takes a memory out. Whether it was there.
    pub fn remove(&mut self, id: MemoryId) -> bool {
        let Some(slot) = self.by_id.remove(&id) else {
            return false;
        };
        let words = self.words[slot as usize];
        for (&reads, partition) in self.partitions.get_mut() {
            let key = self.attributes.class_key(slot, reads);
            Arc::make_mut(partition).remove(key, slot, words);
        }
        self.live.remove(slot);
        self.live_mask.remove(slot);
        self.words_live -= u64::from(words);
        self.episodes
            .remove(slot, place(&self.attributes, &self.ids));
        self.attributes.remove(slot, words);
        self.postings.remove(slot);
        if let Some(at) = self.expires_at[slot as usize] {
            self.expiring.remove(&(at, slot));
        }
        if self.superseded.remove(slot) {
            self.superseded_at.remove(&slot);
        }
        self.rows.clear(slot);
        self.pending.remove(slot);
        self.tail.remove(slot);
        for part in self.graph.iter_mut().chain(&mut self.next) {
            part.remove(slot);
        }
        true
    }

    /// Takes out every graph that has a vector of one of `ids`, of whatever version.
    pub fn drop_graphs_of(&mut self, ids: &HashSet<MemoryId>) -> Vec<GraphPart> {
        let next = self.next.take_if(|part| part.knows(ids));
        let mut dropped = Vec::from_iter(next);
        if self.graph.as_ref().is_some_and(|part| part.knows(ids)) {
            dropped.extend(self.graph.take());
            self.serve(None);
        }
        dropped
    }

    /// Lets `part` answer from here on.
    pub fn serve(&mut self, part: Option<GraphPart>) {
        self.tail = self.rows.present().clone();
        if let Some(part) = &part {
            self.tail -= &part.members;
        }
        self.graph = part;
    }

    /// The nearest on both sides of a live `slot` in its session, of those that are `visible`.
    pub fn around(&self, slot: u32, visible: impl Fn(u32) -> bool) -> Around<u32> {
        let place = place(&self.attributes, &self.ids);
        self.episodes.around(slot, place, visible)
    }

    /// The live slots that have expired at `now`.
    pub fn expired(&self, now: i64) -> RoaringBitmap {
        let past = self.expiring.range(..=(now, u32::MAX));
        past.map(|&(_, slot)| slot).collect()
    }

    /// The live slots that a search at `now` passes over.
    pub fn hidden(&self, now: i64, visibility: Visibility) -> RoaringBitmap {
        let expired = self.expired(now);
        match visibility {
            Visibility::Current if self.superseded.is_empty() => expired,
            Visibility::Current => expired | &self.superseded,
            Visibility::All => expired,
            Visibility::AsOf(at) => {
                let by_then = self
                    .superseded_at
                    .iter()
                    .filter(|&(_, &since)| since <= at.0);
                let by_then: RoaringBitmap = by_then.map(|(&slot, _)| slot).collect();
                let made = &self.attributes.created_at;
                let later = self.live.iter().filter(|&slot| made[slot as usize] > at.0);
                expired | by_then | later.collect::<RoaringBitmap>()
            }
        }
    }

    /// The groups by `reads`, from memory or built.
    pub fn partition(&self, reads: Facts) -> Arc<Partition> {
        if let Some(partition) = self.partitions.read().get(&reads) {
            return partition.clone();
        }
        let mut partition = Partition::default();
        for slot in &self.live {
            let key = self.attributes.class_key(slot, reads);
            partition.insert(key, slot, self.words[slot as usize]);
        }
        let partition = Arc::new(partition);
        let mut partitions = self.partitions.write();
        // Each costs a little at every write; callers' filters could ask for all there are.
        if partitions.len() < 8 {
            partitions.insert(reads, partition.clone());
        }
        partition
    }

    /// A copy without the removed slots; live ones get new numbers in the same order.
    pub fn compacted(&self) -> Self {
        let mut fresh = Self::new(self.dims);
        let mut renumber = HashMap::with_capacity(self.by_id.len());
        for slot in &self.live {
            renumber.insert(slot, fresh.ids.len() as u32);
            fresh.push(&self.prepared(slot));
            // Rows are copied as they are: a second rounding would change scores.
            if self.rows.present().contains(slot)
                && let Some(row) = self.rows.row(slot)
            {
                let to = (fresh.ids.len() - 1) as u32;
                fresh.rows.put(to, row);
            }
        }
        fresh.next = self.next.as_ref().map(|part| part.renumbered(&renumber));
        fresh.serve(self.graph.as_ref().map(|part| part.renumbered(&renumber)));
        fresh
    }

    fn prepared(&self, slot: u32) -> Prepared {
        let at = slot as usize;
        let mut prepared = Prepared {
            id: self.ids[at],
            version: self.versions[at],
            deleted: false,
            owner: IdentityId::from_bytes([0; 16]),
            writer: IdentityId::from_bytes([0; 16]),
            written_at: 0,
            kind: "".into(),
            namespace: "".into(),
            session: None,
            tags: Arc::default(),
            trust: 0,
            canary: false,
            created_at: 0,
            expires_at: self.expires_at[at],
            superseded_at: self.superseded_at.get(&slot).copied(),
            metadata: None,
            metadata_key: 0,
            terms: self.postings.keys_of(slot),
            words: self.words[at],
            print: self.prints[at],
            vector: None,
            pending: self.pending.contains(slot),
        };
        self.attributes.copy_into(slot, &mut prepared);
        prepared
    }

    /// The vector of a live slot, as it stands.
    pub fn vector(&self, slot: u32) -> Option<Unit> {
        let present = self.rows.present().contains(slot);
        let row = self.rows.row(slot).filter(|_| present)?;
        Some(Unit::of_row(row))
    }
}

/// Where each slot stands in its session.
fn place(attributes: &Attributes, ids: &[MemoryId]) -> impl Fn(u32) -> Place {
    |slot| (attributes.created_at[slot as usize], ids[slot as usize])
}
