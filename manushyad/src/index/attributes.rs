//! Attributes of memories: for each value the set of slots that have it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use manushya_protocol::id::{IdentityId, MemoryId};
use manushya_protocol::unit::UnixMillis;
use roaring::RoaringBitmap;
use serde_json::{Map, Value};

use super::permit::{AttributeFilter, Facts, SlotFacts, Writer};
use super::prepared::Prepared;

/// The key of the metadata that says how important a memory is.
pub const IMPORTANCE: &str = "importance";

/// The memories that have one value.
pub(super) struct Class<T> {
    /// The value; none while no memory has it.
    value: Option<T>,
    pub slots: RoaringBitmap,
    /// Words of these memories.
    pub words: u64,
}

/// One attribute: its values, by number, and the number of each slot.
pub(super) struct Attribute<T> {
    numbers: HashMap<T, u32>,
    classes: Vec<Class<T>>,
    free: Vec<u32>,
    of_slot: Vec<u32>,
}

impl<T> Default for Attribute<T> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            classes: Vec::new(),
            free: Vec::new(),
            of_slot: Vec::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Attribute<T> {
    fn push(&mut self, slot: u32, value: &T, words: u64) {
        let number = self.number(value);
        let class = &mut self.classes[number as usize];
        class.slots.insert(slot);
        class.words += words;
        self.of_slot.push(number);
    }

    fn number(&mut self, value: &T) -> u32 {
        if let Some(&number) = self.numbers.get(value) {
            return number;
        }
        let class = Class {
            value: Some(value.clone()),
            slots: RoaringBitmap::new(),
            words: 0,
        };
        let number = if let Some(number) = self.free.pop() {
            self.classes[number as usize] = class;
            number
        } else {
            self.classes.push(class);
            (self.classes.len() - 1) as u32
        };
        self.numbers.insert(value.clone(), number);
        number
    }

    /// Takes `slot` out. A value that nobody has any more is forgotten.
    fn remove(&mut self, slot: u32, words: u64) {
        let number = self.of_slot[slot as usize];
        let class = &mut self.classes[number as usize];
        class.slots.remove(slot);
        class.words -= words;
        if class.slots.is_empty()
            && let Some(value) = class.value.take()
        {
            self.numbers.remove(&value);
            self.free.push(number);
        }
    }

    /// The classes that have memories, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&T, &Class<T>)> {
        let named = |class: &'_ Class<T>| class.value.is_some();
        let classes = self.classes.iter().filter(move |class| named(class));
        classes.filter_map(|class| class.value.as_ref().map(|value| (value, class)))
    }

    /// The slots and words of each class that has memories.
    pub fn groups(&self) -> Vec<(&RoaringBitmap, u64)> {
        self.iter()
            .map(|(_, class)| (&class.slots, class.words))
            .collect()
    }

    fn slots(&self, value: &T) -> RoaringBitmap {
        let number = self.numbers.get(value);
        number.map_or_else(RoaringBitmap::new, |&number| {
            self.classes[number as usize].slots.clone()
        })
    }

    fn value(&self, slot: u32) -> Option<&T> {
        let number = self.of_slot[slot as usize];
        self.classes[number as usize].value.as_ref()
    }
}

/// The numbers of a memory's values for the facts that are read, [`u32::MAX`] for others.
pub(super) type ClassKey = [u32; 7];

/// All attributes of a tenant's memories.
#[derive(Default)]
pub(super) struct Attributes {
    pub owner: Attribute<IdentityId>,
    pub writer: Attribute<IdentityId>,
    pub kind: Attribute<Arc<str>>,
    pub namespace: Attribute<Arc<str>>,
    pub session: Attribute<Option<Arc<str>>>,
    /// Whole sets of tags, for decisions.
    pub tags: Attribute<Arc<[Arc<str>]>>,
    pub trust: Attribute<u8>,
    /// Single tags, for filters and counts.
    pub tag: HashMap<Arc<str>, RoaringBitmap>,
    /// Those that are there only to be noticed.
    pub canaries: RoaringBitmap,
    pub created_at: Vec<i64>,
    /// When the memory was made, and when the version was written, by the daemon's clock.
    made_at: Vec<i64>,
    written_at: Vec<i64>,
    metadata: Vec<Option<Arc<Map<String, Value>>>>,
    metadata_key: Vec<u64>,
}

impl Attributes {
    /// Takes the attributes of the next slot.
    pub fn push(&mut self, slot: u32, prepared: &Prepared) {
        let words = u64::from(prepared.words);
        self.owner.push(slot, &prepared.owner, words);
        self.writer.push(slot, &prepared.writer, words);
        self.kind.push(slot, &prepared.kind, words);
        self.namespace.push(slot, &prepared.namespace, words);
        self.session.push(slot, &prepared.session, words);
        self.tags.push(slot, &prepared.tags, words);
        self.trust.push(slot, &prepared.trust, words);
        for tag in prepared.tags.iter() {
            self.tag.entry(tag.clone()).or_default().insert(slot);
        }
        if prepared.canary {
            self.canaries.insert(slot);
        }
        self.created_at.push(prepared.created_at);
        self.made_at.push(prepared.id.created_at().0);
        self.written_at.push(prepared.written_at);
        self.metadata.push(prepared.metadata.clone());
        self.metadata_key.push(prepared.metadata_key);
    }

    /// Takes `slot` out.
    pub fn remove(&mut self, slot: u32, words: u16) {
        let words = u64::from(words);
        let tags = self.tags.value(slot).cloned();
        for tag in tags.iter().flat_map(|tags| tags.iter()) {
            if let Some(slots) = self.tag.get_mut(tag) {
                slots.remove(slot);
                if slots.is_empty() {
                    self.tag.remove(tag);
                }
            }
        }
        self.owner.remove(slot, words);
        self.writer.remove(slot, words);
        self.kind.remove(slot, words);
        self.namespace.remove(slot, words);
        self.session.remove(slot, words);
        self.tags.remove(slot, words);
        self.trust.remove(slot, words);
        self.canaries.remove(slot);
        self.metadata[slot as usize] = None;
    }

    /// Puts the attributes of a live slot into `prepared`, to place them in another slot.
    pub fn copy_into(&self, slot: u32, prepared: &mut Prepared) {
        if let Some(owner) = self.owner.value(slot) {
            prepared.owner = *owner;
        }
        if let Some(writer) = self.writer.value(slot) {
            prepared.writer = *writer;
        }
        if let Some(kind) = self.kind.value(slot) {
            prepared.kind = kind.clone();
        }
        if let Some(namespace) = self.namespace.value(slot) {
            prepared.namespace = namespace.clone();
        }
        prepared.session = self.session.value(slot).cloned().flatten();
        if let Some(tags) = self.tags.value(slot) {
            prepared.tags = tags.clone();
        }
        prepared.trust = self.trust.value(slot).copied().unwrap_or(0);
        prepared.canary = self.canaries.contains(slot);
        prepared.created_at = self.created_at[slot as usize];
        prepared.written_at = self.written_at[slot as usize];
        prepared.metadata = self.metadata[slot as usize].clone();
        prepared.metadata_key = self.metadata_key[slot as usize];
    }

    /// The class of a live `slot` by the facts that are read.
    pub fn class_key(&self, slot: u32, reads: Facts) -> ClassKey {
        let at = slot as usize;
        let pick = |fact, number: u32| {
            if reads.contains(fact) {
                number
            } else {
                u32::MAX
            }
        };
        [
            pick(Facts::OWNER, self.owner.of_slot[at]),
            pick(Facts::KIND, self.kind.of_slot[at]),
            pick(Facts::NAMESPACE, self.namespace.of_slot[at]),
            pick(Facts::SESSION, self.session.of_slot[at]),
            pick(Facts::TAGS, self.tags.of_slot[at]),
            pick(Facts::TRUST, self.trust.of_slot[at]),
            pick(Facts::WRITER, self.writer.of_slot[at]),
        ]
    }

    /// How far `slot` is trusted, 0 to 100.
    pub fn trust_of(&self, slot: u32) -> u8 {
        self.trust.value(slot).copied().unwrap_or(0)
    }

    /// What the metadata of `slot` says of how important it is, if it is a number.
    pub fn importance_of(&self, slot: u32) -> Option<f64> {
        let metadata = self.metadata[slot as usize].as_deref()?;
        metadata.get(IMPORTANCE)?.as_f64()
    }

    /// Keyed hash of the metadata of `slot`.
    pub fn metadata_key(&self, slot: u32) -> u64 {
        self.metadata_key[slot as usize]
    }

    /// Lends the facts of a live `slot` that are read.
    pub fn facts(&self, slot: u32, id: MemoryId, reads: Facts, now: i64) -> SlotFacts<'_> {
        let read = |fact| reads.contains(fact);
        let age = now.saturating_sub(self.created_at[slot as usize]) / 1000;
        let tags = self.tags.value(slot).filter(|_| read(Facts::TAGS));
        let session = self.session.value(slot).filter(|_| read(Facts::SESSION));
        let metadata = self.metadata[slot as usize].as_deref();
        SlotFacts {
            id: read(Facts::ID).then_some(id),
            owner: self
                .owner
                .value(slot)
                .filter(|_| read(Facts::OWNER))
                .copied(),
            kind: self
                .kind
                .value(slot)
                .filter(|_| read(Facts::KIND))
                .map(|kind| &**kind),
            namespace: self
                .namespace
                .value(slot)
                .filter(|_| read(Facts::NAMESPACE))
                .map(|namespace| &**namespace),
            tags: tags.map_or(&[], |tags| tags),
            session: session.and_then(|session| session.as_deref()),
            trust: self
                .trust
                .value(slot)
                .filter(|_| read(Facts::TRUST))
                .copied(),
            writer: self
                .writer
                .value(slot)
                .filter(|_| read(Facts::WRITER))
                .copied(),
            age_seconds: read(Facts::AGE).then(|| u64::try_from(age).unwrap_or(0)),
            metadata: metadata.filter(|_| read(Facts::METADATA)),
        }
    }

    /// The live slots that `filter` means; `None` if it means all. Expired ones may be among them.
    pub fn select(&self, filter: &AttributeFilter, live: &RoaringBitmap) -> Option<RoaringBitmap> {
        let mut selected: Option<RoaringBitmap> = None;
        let mut narrow = |slots: RoaringBitmap| match &mut selected {
            Some(selected) => *selected &= slots,
            None => selected = Some(slots),
        };
        if let Some(owner) = &filter.owner {
            narrow(self.owner.slots(owner));
        }
        if let Some(writer) = &filter.writer {
            narrow(self.written_by(writer));
        }
        if let Some(session) = &filter.session {
            narrow(self.session.slots(&Some(session.as_str().into())));
        }
        for tag in &filter.tags {
            narrow(self.tag.get(tag.as_str()).cloned().unwrap_or_default());
        }
        if !filter.kinds.is_empty() {
            let kinds = filter
                .kinds
                .iter()
                .map(|kind| self.kind.slots(&kind.as_str().into()));
            narrow(kinds.fold(RoaringBitmap::new(), |all, kind| all | kind));
        }
        if let Some(namespace) = &filter.namespace
            && namespace.as_str() != "/"
        {
            narrow(self.below(namespace.as_str()));
        }
        if let Some(least) = filter.min_trust {
            let trusted = self.trust.iter().filter(|&(&trust, _)| trust >= least);
            narrow(trusted.fold(RoaringBitmap::new(), |all, (_, class)| all | &class.slots));
        }
        if filter.since.is_some() || filter.until.is_some() {
            let from = filter.since.map_or(i64::MIN, |since| since.0);
            let to = filter.until.map_or(i64::MAX, |until| until.0);
            let made = |slot: &u32| (from..to).contains(&self.created_at[*slot as usize]);
            let base = selected.as_ref().unwrap_or(live);
            selected = Some(base.iter().filter(made).collect());
        }
        selected
    }

    /// The slots that somebody made or last changed.
    fn written_by(&self, by: &Writer) -> RoaringBitmap {
        let slots = self.owner.slots(&by.identity) | self.writer.slots(&by.identity);
        let means = |slot: &u32| {
            let at = *slot as usize;
            let (Some(owner), Some(writer)) = (self.owner.value(*slot), self.writer.value(*slot))
            else {
                return false;
            };
            let made_at = UnixMillis(self.made_at[at]);
            by.means(*owner, made_at, *writer, UnixMillis(self.written_at[at]))
        };
        slots.into_iter().filter(means).collect()
    }

    /// The slots in `namespace` or below it.
    fn below(&self, namespace: &str) -> RoaringBitmap {
        let inside = |path: &str| {
            path.strip_prefix(namespace)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let classes = self.namespace.iter().filter(|(path, _)| inside(path));
        classes.fold(RoaringBitmap::new(), |all, (_, class)| all | &class.slots)
    }
}
