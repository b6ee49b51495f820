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
    /// Of the queue.
    outage: Option<Outage>,
    /// Of questions, which wait less: an embedder may be too slow for them alone.
    questions: Option<Outage>,
    failures: HashMap<(TenantId, MemoryId), Failure>,
    /// How many texts go into one request, if fewer than could.
    batch: Option<usize>,
    /// Whether what failed had the last turn.
    retried: bool,
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

impl Outage {
    /// What follows on `before` by an error that is not one of a text.
    fn after(before: Option<&Self>, error: &EmbedError, now: UnixMillis) -> Option<Self> {
        let EmbedError::Unavailable {
            reason,
            retry_after,
        } = error
        else {
            return None;
        };
        let attempts = before.map_or(0, |before| before.attempts);
        let wait = OUTAGE_MS.saturating_mul(1 << attempts.min(16));
        let asked = retry_after.map_or(0, |wait| wait.as_millis() as u64);
        Some(Self {
            attempts: attempts.saturating_add(1),
            reason: reason.clone(),
            retry_at: after(now, wait.min(OUTAGE_MS_MAX).max(asked)),
        })
    }

    fn pause(&self, now: UnixMillis) -> Option<Duration> {
        let left = self.retry_at.0.saturating_sub(now.0);
        (left > 0).then(|| Duration::from_millis(left.unsigned_abs()))
    }
}

impl State {
    fn is_well(&mut self) {
        self.outage = None;
        self.questions = None;
    }
}

fn after(now: UnixMillis, millis: u64) -> UnixMillis {
    UnixMillis(now.0.saturating_add_unsigned(millis))
}

impl Trouble {
    /// How long it is until the embedder is tried again with memories; `None` if it may be now.
    pub(super) fn pause(&self, now: UnixMillis) -> Option<Duration> {
        self.0.state.lock().outage.as_ref()?.pause(now)
    }

    /// Whether it is of use to ask for the vector of a question.
    pub(super) fn takes_questions(&self, now: UnixMillis) -> bool {
        let state = self.0.state.lock();
        let mut outages = state.outage.iter().chain(&state.questions);
        outages.all(|outage| outage.pause(now).is_none())
    }

    /// A turn to embed a question.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.questions.acquire().await.ok()
    }

    /// Notes that the embedder answers.
    pub(super) fn is_well(&self) {
        self.0.state.lock().is_well();
    }

    /// Notes what came of a question. Whether that is new trouble with the embedder.
    pub(super) fn met_by_question(&self, error: &EmbedError, now: UnixMillis) -> bool {
        let mut state = self.0.state.lock();
        let before = state.questions.as_ref();
        let Some(next) = Outage::after(before, error, now) else {
            return false;
        };
        let is_new = before.is_none_or(|before| before.reason != next.reason);
        state.questions = Some(next);
        is_new
    }

    /// Notes an error of the queue that is not one of a text. Whether the trouble is new.
    pub(super) fn met(&self, error: &EmbedError, now: UnixMillis) -> bool {
        let mut state = self.0.state.lock();
        let before = state.outage.as_ref();
        let Some(next) = Outage::after(before, error, now) else {
            return false;
        };
        let is_new = before.is_none_or(|before| before.reason != next.reason);
        state.outage = Some(next);
        is_new
    }

    /// Why nothing can be embedded for now.
    pub(in crate::service) fn reason(&self) -> Option<String> {
        let state = self.0.state.lock();
        let outage = state.outage.as_ref().or(state.questions.as_ref());
        outage.map(|outage| outage.reason.clone())
    }

    /// Why no memory can be embedded for now, with when it is tried again.
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
        state.is_well();
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
        state.is_well();
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

    /// A memory that failed and is to be tried again, every other time: what is new has its turn
    /// between.
    pub(super) fn due(&self, tenant: TenantId, now: UnixMillis) -> Option<MemoryId> {
        let mut state = self.0.state.lock();
        if state.failures.is_empty() || std::mem::take(&mut state.retried) {
            return None;
        }
        let is_due =
            |((of, _), it): &(&(TenantId, MemoryId), &Failure)| *of == tenant && it.retry_at <= now;
        let first = state.failures.iter().filter(is_due);
        let id = first
            .min_by_key(|(_, it)| it.retry_at)
            .map(|((_, id), _)| *id)?;
        state.retried = true;
        Some(id)
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
        state.is_well();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn down(retry_after: Option<u64>) -> EmbedError {
        EmbedError::Unavailable {
            reason: "down".to_owned(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn pauses_grow_to_a_bound_and_end_with_the_first_answer() {
        let trouble = Trouble::default();
        let tenant = TenantId::from_bytes([1; 16]);
        let pauses: Vec<u128> = (0..9)
            .map(|n| {
                assert_eq!(trouble.met(&down(None), NOW), n == 0);
                trouble.pause(NOW).unwrap().as_millis()
            })
            .collect();
        let wanted = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000];
        assert_eq!(pauses, wanted);
        assert!(!trouble.takes_questions(NOW) && trouble.pause(after(NOW, 30_000)).is_none());
        trouble.met(&down(Some(45)), NOW);
        assert_eq!(trouble.pause(NOW), Some(Duration::from_secs(45)));
        trouble.served(tenant, &[]);
        assert!(trouble.pause(NOW).is_none() && trouble.reason().is_none());
        // What only questions meet does not hold up the queue.
        assert!(trouble.met_by_question(&down(None), NOW));
        assert!(trouble.pause(NOW).is_none() && !trouble.takes_questions(NOW));
        assert_eq!(
            (trouble.reason().as_deref(), trouble.outage()),
            (Some("down"), None)
        );
        let of_text = EmbedError::Refused {
            reason: "long".to_owned(),
        };
        trouble.is_well();
        assert!(!trouble.met(&of_text, NOW) && !trouble.met_by_question(&of_text, NOW));
        assert!(trouble.takes_questions(NOW));
    }

    #[test]
    fn text_that_fails_is_tried_five_times_before_it_is_listed_and_later_again() {
        let trouble = Trouble::default();
        let (tenant, other) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        let id = MemoryId::from_bytes([3; 16]);
        let mut now = NOW;
        for (attempt, wait) in (1..).zip([500, 1000, 2000, 4000, 600_000, 600_000]) {
            assert_eq!(trouble.refused(tenant, id, "long", now), attempt);
            let failed = u64::from(attempt >= 5);
            assert_eq!(trouble.failed(tenant, |_| true), failed);
            assert_eq!(trouble.failures(tenant, 9).len() as u64, failed);
            assert!(trouble.due(tenant, after(now, wait - 1)).is_none());
            now = after(now, wait);
            assert!(trouble.due(other, now).is_none());
            assert_eq!(trouble.due(tenant, now), Some(id));
            assert!(trouble.due(tenant, now).is_none(), "others have their turn");
        }
        // What waits no more is forgotten, and so is what is forgiven.
        assert_eq!(trouble.failed(tenant, |_| false), 0);
        assert!(!trouble.knows(tenant, id));
        trouble.refused(tenant, id, "long", now);
        trouble.forgive(other);
        assert!(trouble.knows(tenant, id));
        trouble.forgive(tenant);
        assert!(!trouble.knows(tenant, id));
    }

    #[test]
    fn batches_shrink_to_one_text_and_grow_again() {
        let trouble = Trouble::default();
        let tenant = TenantId::from_bytes([1; 16]);
        let mut sizes = vec![trouble.batch(8)];
        for _ in 0..4 {
            trouble.halve(trouble.batch(8));
            sizes.push(trouble.batch(8));
        }
        for _ in 0..4 {
            trouble.served(tenant, &[]);
            sizes.push(trouble.batch(8));
        }
        assert_eq!(sizes, [8, 4, 2, 1, 1, 2, 4, 8, 8]);
    }
}
