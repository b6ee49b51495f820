//! What the daemon has done since it started: counts and times, kept in RAM and cheap to keep.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use manushya_core::directory::Directory;
use manushya_core::model::{AuditActor, AuditDraft, Decision};
use manushya_protocol::id::{IdentityId, PolicyId, TenantId};
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::live::{Activity, Busy, Latency};
use parking_lot::Mutex;

/// The kinds of calls whose times are kept.
const KINDS: [&str; 4] = ["search", "add", "read", "change"];
/// A minute is kept in this many parts.
const SLOTS: usize = 6;
/// Seconds of one part.
const SLOT_SECONDS: u64 = 10;
/// Four buckets for each doubling, up to about 17 minutes.
const BUCKETS: usize = 120;
/// How many names are counted; further ones are left out.
const NAMES_MAX: usize = 20_000;
/// How many agents are told.
const BUSIEST: usize = 10;
/// How many policies are told.
const POLICIES: usize = 256;

/// Counts since the start. Every method may be called from any thread.
pub struct Tally {
    started: Instant,
    counts: Mutex<Counts>,
    applied: AtomicU64,
    times: [[Slot; SLOTS]; KINDS.len()],
}

#[derive(Default)]
struct Counts {
    operations: u64,
    denied: u64,
    actors: HashMap<(TenantId, IdentityId), u64>,
    seen: HashMap<(TenantId, IdentityId), UnixMillis>,
    policies: HashMap<(TenantId, PolicyId), u64>,
}

/// One part of the last minute.
struct Slot {
    part: AtomicU64,
    buckets: [AtomicU32; BUCKETS],
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            part: AtomicU64::new(u64::MAX),
            buckets: [const { AtomicU32::new(0) }; BUCKETS],
        }
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            counts: Mutex::default(),
            applied: AtomicU64::new(0),
            times: Default::default(),
        }
    }
}

impl Tally {
    /// Counts what an audit entry tells.
    pub fn did(&self, audit: &AuditDraft) {
        let mut counts = self.counts.lock();
        counts.operations += 1;
        counts.denied += u64::from(audit.decision == Decision::Deny);
        let Some(tenant) = audit.tenant else { return };
        if let AuditActor::Identity(identity) = audit.actor {
            count(&mut counts.actors, (tenant, identity));
            let seen = &mut counts.seen;
            if seen.len() < NAMES_MAX || seen.contains_key(&(tenant, identity)) {
                seen.insert((tenant, identity), audit.time);
            }
        }
        if let Some(stamp) = audit.policy {
            count(&mut counts.policies, (tenant, stamp.id));
        }
    }

    /// When an identity last did something since the start.
    pub fn last_seen(&self, tenant: TenantId, identity: IdentityId) -> Option<UnixMillis> {
        self.counts.lock().seen.get(&(tenant, identity)).copied()
    }

    /// Counts a batch that the index has taken in.
    pub fn applied(&self) {
        self.applied.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps how long a call took, in microseconds. Calls that wait on purpose are left out.
    pub fn took(&self, method: &str, us: u64) {
        let part = self.started.elapsed().as_secs() / SLOT_SECONDS;
        self.took_at(part, method, us);
    }

    fn took_at(&self, part: u64, method: &str, us: u64) {
        let Some(kind) = kind(method) else { return };
        let slot = &self.times[kind][usize::try_from(part).unwrap_or(0) % SLOTS];
        // Two that meet at the turn of a part may lose a count; that is no harm.
        if slot.part.swap(part, Ordering::Relaxed) != part {
            for bucket in &slot.buckets {
                bucket.store(0, Ordering::Relaxed);
            }
        }
        slot.buckets[bucket(us)].fetch_add(1, Ordering::Relaxed);
    }

    /// Everything that was counted, with the names of now. `commits` is how many batches there were.
    pub fn activity(&self, directory: &Directory, commits: u64) -> Activity {
        let part = self.started.elapsed().as_secs() / SLOT_SECONDS;
        let counts = self.counts.lock();
        let tenant = |id| directory.tenant(id).map(|tenant| tenant.name.to_string());
        let actor = |(of, id): (TenantId, IdentityId)| {
            let identity = directory.identity(of, id)?;
            Some((tenant(of)?, identity.external_id.to_string()))
        };
        let policy = |(of, id): (TenantId, PolicyId)| {
            let policy = directory.policy(of, id)?;
            Some((tenant(of)?, policy.name.to_string()))
        };
        Activity {
            operations: counts.operations,
            denied: counts.denied,
            latencies: (0..KINDS.len()).map(|k| self.latency(k, part)).collect(),
            busiest: most(&counts.actors, BUSIEST, actor),
            policies: most(&counts.policies, POLICIES, policy),
            index_lag: commits.saturating_sub(self.applied.load(Ordering::Relaxed)),
            disk_free_bytes: None,
        }
    }

    fn latency(&self, kind: usize, part: u64) -> Latency {
        let mut sums = [0_u64; BUCKETS];
        for slot in &self.times[kind] {
            let of = slot.part.load(Ordering::Relaxed);
            if of > part || part - of >= SLOTS as u64 {
                continue;
            }
            for (sum, bucket) in sums.iter_mut().zip(&slot.buckets) {
                *sum += u64::from(bucket.load(Ordering::Relaxed));
            }
        }
        let count: u64 = sums.iter().sum();
        Latency {
            kind: KINDS[kind].to_owned(),
            count,
            p50_us: quantile(&sums, count, 50),
            p99_us: quantile(&sums, count, 99),
        }
    }
}

fn count<K: Eq + Hash>(counts: &mut HashMap<K, u64>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count += 1;
    } else if counts.len() < NAMES_MAX {
        counts.insert(key, 1);
    }
}

fn most<K: Copy>(
    counts: &HashMap<K, u64>,
    limit: usize,
    name: impl Fn(K) -> Option<(String, String)>,
) -> Vec<Busy> {
    let mut sorted: Vec<(K, u64)> = counts.iter().map(|(key, count)| (*key, *count)).collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let named = sorted.into_iter().filter_map(|(key, count)| {
        let (tenant, name) = name(key)?;
        Some(Busy {
            tenant,
            name,
            count,
        })
    });
    let mut busy: Vec<Busy> = named.take(limit).collect();
    busy.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    busy
}

fn kind(method: &str) -> Option<usize> {
    match method {
        "memory_search" => Some(0),
        "memory_add" | "memory_add_many" => Some(1),
        // They wait on purpose, or take as long as there is data.
        "audit_tail" | "events" | "audit_read" | "doctor" | "shutdown" | "whoami" => None,
        _ => {
            let reads = [
                "_list",
                "_get",
                "_show",
                "_history",
                "_stats",
                "_can_i",
                "_explain",
                "_test",
                "_prove",
                "_consistency",
                "_head",
                "_inspect",
                "_export",
            ];
            let is_read = reads.iter().any(|end| method.ends_with(end));
            Some(if is_read { 2 } else { 3 })
        }
    }
}

fn bucket(us: u64) -> usize {
    if us < 4 {
        return usize::try_from(us).unwrap_or(0);
    }
    let doublings = us.ilog2();
    let quarter = (us >> (doublings - 2)) & 3;
    let place = u64::from(doublings - 1) * 4 + quarter;
    usize::try_from(place).unwrap_or(0).min(BUCKETS - 1)
}

/// The smallest number above all of a bucket.
fn ceiling(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64 + 1;
    }
    let (doublings, quarter) = (bucket / 4 + 1, bucket % 4);
    (5 + quarter as u64) << (doublings - 2)
}

fn quantile(sums: &[u64; BUCKETS], count: u64, percent: u64) -> u64 {
    let rank = (count * percent).div_ceil(100).max(1);
    let mut below = 0;
    for (place, sum) in sums.iter().enumerate() {
        below += sum;
        if below >= rank {
            return ceiling(place);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bucket_holds_its_number_and_is_exact_to_a_quarter(us in 0_u64..1_000_000_000) {
            let top = ceiling(bucket(us));
            prop_assert!(us < top, "{us} {top}");
            prop_assert!(top <= us + us / 4 + 1, "{us} {top}");
        }
    }

    #[test]
    fn times_are_those_of_the_last_minute_by_kind() {
        let tally = Tally::default();
        for us in [100, 100, 100, 90_000] {
            tally.took_at(0, "memory_search", us);
        }
        tally.took_at(3, "memory_get", 5);
        tally.took_at(0, "events", 25_000_000);
        let search = tally.latency(0, 0);
        assert_eq!((search.count, search.p50_us), (4, 112));
        assert!(
            search.p99_us > 90_000 && search.p99_us < 120_000,
            "{search:?}"
        );
        assert_eq!(tally.latency(0, 5).count, 4);
        assert_eq!(tally.latency(0, 6).count, 0);
        assert_eq!(tally.latency(2, 6).count, 1);
        // The same slot, a minute later.
        tally.took_at(6, "memory_search", 7);
        assert_eq!(tally.latency(0, 6).count, 1);
        assert_eq!(tally.latency(3, 6).p99_us, 0);
    }
}
