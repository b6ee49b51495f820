//! Counting the audit entries that deserve somebody's attention.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use manushya_protocol::unit::UnixMillis;

/// Audit entries that deserve somebody's attention, since the start.
#[derive(Debug, Default)]
pub struct Alerts {
    count: AtomicU64,
    last_at: AtomicI64,
}

impl Alerts {
    /// Counts those that were decided at these moments.
    pub fn note(&self, at: &[UnixMillis]) {
        if let Some(last) = at.last() {
            self.last_at.store(last.0, Ordering::Relaxed);
            self.count.fetch_add(at.len() as u64, Ordering::Relaxed);
        }
    }

    /// How many there were, and when the last.
    pub fn told(&self) -> (u64, Option<UnixMillis>) {
        let count = self.count.load(Ordering::Relaxed);
        let last = UnixMillis(self.last_at.load(Ordering::Relaxed));
        (count, (count > 0).then_some(last))
    }
}
