//! What goes wrong with embedding, and when it is tried again. It is forgotten when the daemon ends:
//! the next one finds out for itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use manushya_protocol::id::{MemoryId, TenantId};
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::embedding::EmbedFailure;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::port::EmbedError;

/// How long to wait after each of the first failures of a memory, in milliseconds.
const RETRY_MS: [u64; 4] = [500, 1000, 2000, 4000];
/// How long to wait after the later ones. Such a memory is listed as failed.
const RETRY_LATER_MS: u64 = 600_000;
/// How long to wait for an embedder that cannot be had: at first, and at the most.
const OUTAGE_MS: u64 = 500;
const OUTAGE_MS_MAX: u64 = 30_000;
/// How many questions are embedded at once.
const QUESTIONS_MAX: usize = 16;

struct Failure {
    attempts: u32,
    reason: String,
    retry_at: UnixMillis,
}

impl Failure {
    fn is_final(&self) -> bool {
        self.attempts as usize > RETRY_MS.len()
    }
}

struct Outage {
    attempts: u32,
    reason: String,
    retry_at: UnixMillis,
}

#[derive(Default)]
struct State {
    outage: Option<Outage>,
    failures: HashMap<(TenantId, MemoryId), Failure>,
    /// How many texts go into one request, if fewer than could.
    batch: Option<usize>,
}

struct Shared {
    state: Mutex<State>,
    questions: Semaphore,
}

/// What goes wrong with embedding. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Trouble(Arc<Shared>);

impl Default for Trouble {
    fn default() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            questions: Semaphore::new(QUESTIONS_MAX),
        }))
    }
}

fn after(now: UnixMillis, millis: u64) -> UnixMillis {
    UnixMillis(now.0.saturating_add_unsigned(millis))
}

impl Trouble {
    /// How long it is until the embedder is tried again; `None` if it may be now.
    pub(super) fn pause(&self, now: UnixMillis) -> Option<Duration> {
        let state = self.0.state.lock();
        let left = state.outage.as_ref()?.retry_at.0.saturating_sub(now.0);
        (left > 0).then(|| Duration::from_millis(left.unsigned_abs()))
    }

    /// A turn to embed a question.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.questions.acquire().await.ok()
    }

    /// Notes that the embedder answers.
    pub(super) fn is_well(&self) {
        self.0.state.lock().outage = None;
    }

    /// Notes an error that is not one of a text. Whether the trouble is new.
    pub(super) fn met(&self, error: &EmbedError, now: UnixMillis) -> bool {
        let EmbedError::Unavailable {
            reason,
            retry_after,
        } = error
        else {
            return false;
        };
        let mut state = self.0.state.lock();
        let before = state.outage.as_ref();
        let is_new = before.is_none_or(|before| before.reason != *reason);
        let attempts = before.map_or(0, |before| before.attempts);
        let wait = OUTAGE_MS.saturating_mul(1 << attempts.min(16));
        let asked = retry_after.map_or(0, |wait| wait.as_millis() as u64);
        state.outage = Some(Outage {
            attempts: attempts.saturating_add(1),
            reason: reason.clone(),
            retry_at: after(now, wait.min(OUTAGE_MS_MAX).max(asked)),
        });
        is_new
    }

    /// Why nothing can be embedded for now.
    pub(in crate::service) fn reason(&self) -> Option<String> {
        let state = self.0.state.lock();
        state.outage.as_ref().map(|outage| outage.reason.clone())
    }

    /// The same, with when it is tried again.
    pub(super) fn outage(&self) -> Option<(String, UnixMillis)> {
        let state = self.0.state.lock();
        let outage = state.outage.as_ref()?;
        Some((outage.reason.clone(), outage.retry_at))
    }

    /// How many texts to send at once.
    pub(super) fn batch(&self, most: usize) -> usize {
        self.0.state.lock().batch.unwrap_or(most).clamp(1, most)
    }

    /// Notes that one of `sent` texts fails the others.
    pub(super) fn halve(&self, sent: usize) {
        self.0.state.lock().batch = Some((sent / 2).max(1));
    }

    /// Notes that these were embedded.
    pub(super) fn served(&self, tenant: TenantId, ids: &[(MemoryId, u32)]) {
        let mut state = self.0.state.lock();
        state.outage = None;
        state.batch = state.batch.map(|batch| batch.saturating_mul(2));
        for &(id, _) in ids {
            state.failures.remove(&(tenant, id));
        }
    }

    /// Notes that one memory was not embedded, and answers how often that was so.
    pub(super) fn refused(
        &self,
        tenant: TenantId,
        id: MemoryId,
        reason: &str,
        now: UnixMillis,
    ) -> u32 {
        let mut state = self.0.state.lock();
        // It answers, if only to refuse.
        state.outage = None;
        let attempts = state
            .failures
            .get(&(tenant, id))
            .map_or(0, |it| it.attempts);
        let wait = RETRY_MS.get(attempts as usize).copied();
        let failure = Failure {
            attempts: attempts.saturating_add(1),
            reason: reason.to_owned(),
            retry_at: after(now, wait.unwrap_or(RETRY_LATER_MS)),
        };
        state.failures.insert((tenant, id), failure);
        attempts.saturating_add(1)
    }

    /// Whether this memory has failed.
    pub(super) fn knows(&self, tenant: TenantId, id: MemoryId) -> bool {
        let state = self.0.state.lock();
        !state.failures.is_empty() && state.failures.contains_key(&(tenant, id))
    }

    /// Whether this memory has failed and is to be tried again.
    pub(super) fn is_due(&self, tenant: TenantId, id: MemoryId, now: UnixMillis) -> bool {
        let state = self.0.state.lock();
        let failure = state.failures.get(&(tenant, id));
        failure.is_some_and(|failure| failure.retry_at <= now)
    }

    /// How many memories of a tenant failed again and again, of those that still wait.
    pub(super) fn failed(&self, tenant: TenantId, waits: impl Fn(MemoryId) -> bool) -> u64 {
        // The index is not asked while this lock is held: it asks for this one while it holds its own.
        let known: Vec<MemoryId> = {
            let state = self.0.state.lock();
            let known = state.failures.keys().filter(|(of, _)| *of == tenant);
            known.map(|&(_, id)| id).collect()
        };
        let (waiting, gone): (Vec<_>, Vec<_>) = known.into_iter().partition(|&id| waits(id));
        let mut state = self.0.state.lock();
        for id in gone {
            state.failures.remove(&(tenant, id));
        }
        let failures = waiting
            .iter()
            .filter_map(|&id| state.failures.get(&(tenant, id)));
        failures.filter(|failure| failure.is_final()).count() as u64
    }

    /// Some of the memories of a tenant that failed again and again, by id.
    pub(super) fn failures(&self, tenant: TenantId, most: usize) -> Vec<EmbedFailure> {
        let state = self.0.state.lock();
        let of_tenant = state
            .failures
            .iter()
            .filter(|((of, _), failure)| *of == tenant && failure.is_final());
        let mut shown: Vec<EmbedFailure> = of_tenant
            .map(|(&(_, id), failure)| EmbedFailure {
                id,
                attempts: failure.attempts,
                reason: failure.reason.clone(),
                retry_at: failure.retry_at,
            })
            .collect();
        shown.sort_by_key(|failure| failure.id);
        shown.truncate(most);
        shown
    }

    /// Forgets what failed in a tenant, so that it is tried again at once.
    pub(super) fn forgive(&self, tenant: TenantId) {
        let mut state = self.0.state.lock();
        state.failures.retain(|&(of, _), _| of != tenant);
        state.outage = None;
    }
}
