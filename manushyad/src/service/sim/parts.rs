//! What a run is made of beside the parts under test.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use manushya_core::model::Memory;
use manushya_core::plan::Write;
use manushya_protocol::id::MemoryId;
use parking_lot::Mutex;

use crate::os::Hands;

/// A year, in milliseconds.
pub const YEAR_MS: i64 = 365 * 86_400_000;
/// When every run begins.
pub const START_MS: i64 = 1_790_000_000_000;
/// How long a deleted memory can be restored here.
pub const RETENTION_SECONDS: u64 = 3_600;

/// What happened in a run, or in several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    pub acknowledged: u64,
    pub refused: u64,
    /// Disks that failed under the writer, which then stopped.
    pub faults: u64,
    /// Losses of power, and kills.
    pub losses: u64,
    /// Batches of which it was not known whether they were done, and were.
    pub in_doubt: u64,
    pub jumps: u64,
    /// Memories erased by the clock.
    pub swept: u64,
    /// Tokens that were seen to have ended.
    pub ended: u64,
    pub operations: u64,
}

impl Trace {
    pub fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.faults += other.faults;
        self.losses += other.losses;
        self.in_doubt += other.in_doubt;
        self.jumps += other.jumps;
        self.swept += other.swept;
        self.ended += other.ended;
        self.operations += other.operations;
    }
}

/// Hands that the simulation moves: the wall clock, and the time that has really passed.
#[derive(Clone, Default)]
pub struct Moved(pub Arc<Mutex<(i64, u64)>>);

impl Moved {
    pub fn at(wall: i64) -> Self {
        Self(Arc::new(Mutex::new((wall, 0))))
    }
}

impl Hands for Moved {
    fn wall(&self) -> i64 {
        self.0.lock().0
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(self.0.lock().1)
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}

/// Memories by id.
pub type Content = BTreeMap<MemoryId, Memory>;

/// Applies a write as the store should.
pub fn apply(model: &mut Content, write: &Write) {
    match write {
        Write::PutMemory { memory, .. } => drop(model.insert(memory.id, (**memory).clone())),
        Write::EraseMemory(_, id) => drop(model.remove(id)),
        _ => {}
    }
}
