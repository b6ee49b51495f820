//! What there is, counted and listed, for one caller.

use std::fmt;
use std::hash::Hash;
use std::ops::Bound;

use manushya_protocol::id::{IdentityId, MemoryId};
use manushya_protocol::unit::UnixMillis;
use roaring::RoaringBitmap;

use super::attributes::Attribute;
use super::state::State;

/// A value and how many memories have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count<T> {
    /// The value.
    pub value: T,
    /// How many.
    pub count: u64,
}

/// Counts of the memories the caller may see; each list with the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// How many there are.
    pub memories: u64,
    /// By type.
    pub kinds: Vec<Count<String>>,
    /// By owner.
    pub owners: Vec<Count<IdentityId>>,
    /// By namespace.
    pub namespaces: Vec<Count<String>>,
    /// By tag.
    pub tags: Vec<Count<String>>,
    /// When the oldest was made.
    pub oldest: Option<UnixMillis>,
    /// When the newest was made.
    pub newest: Option<UnixMillis>,
    /// By age, in the order of [`AGES`].
    pub ages: [u64; AGES.len()],
}

/// What ages are called, and the days that each stays below.
pub const AGES: [(&str, i64); 5] = [
    ("today", 1),
    ("week", 7),
    ("month", 30),
    ("year", 365),
    ("older", i64::MAX),
];

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Which of [`AGES`] something made at `created_at` is of at `now`.
fn age(created_at: i64, now: UnixMillis) -> usize {
    let days = now.0.saturating_sub(created_at).max(0) / DAY_MS;
    let place = AGES.iter().position(|(_, below)| days < *below);
    place.unwrap_or(AGES.len() - 1)
}

/// A part of a list of memories.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The memories, by id, which is by creation.
    pub ids: Vec<MemoryId>,
    /// How many the whole list has.
    pub total: u64,
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selection({} of {})", self.ids.len(), self.total)
    }
}

/// Counts `slots`, or all live ones.
pub(super) fn stats(state: &State, slots: Option<&RoaringBitmap>, now: UnixMillis) -> Stats {
    let slots = slots.unwrap_or(&state.live);
    let attributes = &state.attributes;
    let tags = attributes.tag.iter();
    let times = slots
        .iter()
        .map(|slot| attributes.created_at[slot as usize]);
    let mut ages = [0; AGES.len()];
    for created_at in times.clone() {
        ages[age(created_at, now)] += 1;
    }
    Stats {
        memories: slots.len(),
        kinds: counts(&attributes.kind, slots, |kind| kind.to_string()),
        owners: counts(&attributes.owner, slots, |&owner| owner),
        namespaces: counts(&attributes.namespace, slots, |path| path.to_string()),
        tags: sorted(tags.map(|(tag, having)| (tag.to_string(), having.intersection_len(slots)))),
        oldest: times.clone().min().map(UnixMillis),
        newest: times.max().map(UnixMillis),
        ages,
    }
}

fn counts<T: Clone + Eq + Hash, U: Ord>(
    attribute: &Attribute<T>,
    slots: &RoaringBitmap,
    name: impl Fn(&T) -> U,
) -> Vec<Count<U>> {
    let counted = attribute.iter();
    sorted(counted.map(|(value, class)| (name(value), class.slots.intersection_len(slots))))
}

fn sorted<U: Ord>(counted: impl Iterator<Item = (U, u64)>) -> Vec<Count<U>> {
    let seen = counted.filter(|&(_, count)| count > 0);
    let mut counts: Vec<Count<U>> = seen.map(|(value, count)| Count { value, count }).collect();
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    counts
}

/// The first `limit` of `slots` (all live ones if absent) by id, after `after`.
pub(super) fn select(
    state: &State,
    slots: Option<&RoaringBitmap>,
    after: Option<MemoryId>,
    limit: usize,
) -> Selection {
    let slots = slots.unwrap_or(&state.live);
    let total = slots.len();
    // Few are sorted; many are met soon on a walk through all ids.
    let ids = if total < state.live.len() / 16 {
        let ids = slots.iter().map(|slot| state.ids[slot as usize]);
        let mut ids: Vec<MemoryId> = ids.filter(|&id| after.is_none_or(|at| id > at)).collect();
        ids.sort_unstable();
        ids.truncate(limit);
        ids
    } else {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let walk = state.by_id.range((from, Bound::Unbounded));
        let chosen = walk.filter(|&(_, &slot)| slots.contains(slot));
        chosen.map(|(&id, _)| id).take(limit).collect()
    };
    Selection { ids, total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_age_is_of_one_class_and_a_clock_that_went_back_makes_nothing_old() {
        let now = UnixMillis(1_000 * DAY_MS);
        let class = |days_ms: i64| AGES[age(now.0 - days_ms, now)].0;
        assert_eq!(class(0), "today");
        assert_eq!(class(DAY_MS - 1), "today");
        assert_eq!(class(DAY_MS), "week");
        assert_eq!(class(7 * DAY_MS), "month");
        assert_eq!(class(30 * DAY_MS), "year");
        assert_eq!(class(365 * DAY_MS), "older");
        assert_eq!(class(-DAY_MS), "today");
        assert_eq!(AGES[age(i64::MIN, now)].0, "older");
    }
}
