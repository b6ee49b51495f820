//! Room in the writer's queue. Writes can fill their share and no more: reads, which need an audit
//! entry each, and those who administer the daemon get through all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use manushya_core::directory::Directory;
use manushya_core::model::{AuditActor, AuditDraft};
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Whose share of the queue a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Changes.
    Writes,
    /// Entries of what only reads.
    Reads,
    /// Anything by who administers the tenant, and by the daemon itself.
    Admin,
}

impl Share {
    /// The share of a command that will be audited so. Who administers is told by the directory: the
    /// operator of the tenant, and the role `admin` that each tenant starts with.
    pub fn of(directory: &Directory, draft: &AuditDraft, writes: bool) -> Self {
        let identity = match (draft.actor, draft.tenant) {
            (AuditActor::Daemon, _) => return Self::Admin,
            (AuditActor::Identity(id), Some(tenant)) => directory.identity(tenant, id),
            _ => None,
        };
        let administers = identity.is_some_and(|identity| {
            let tenant = directory.tenant(identity.tenant);
            identity.role.as_str() == "admin"
                || tenant.is_some_and(|tenant| tenant.operator == identity.id)
        });
        match (administers, writes) {
            (true, _) => Self::Admin,
            (false, true) => Self::Writes,
            (false, false) => Self::Reads,
        }
    }
}

/// A place in the queue, or several; given back when dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

/// The shares of the queue, and how fast it empties.
#[derive(Debug)]
pub struct Room {
    writes: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    admin: Arc<Semaphore>,
    /// What one command takes, in nanoseconds, as of late.
    pace: AtomicU64,
}

impl Default for Room {
    fn default() -> Self {
        let reserved = limits::QUEUE_READS_RESERVED + limits::QUEUE_ADMIN_RESERVED;
        Self {
            writes: Arc::new(Semaphore::new(limits::QUEUE_COMMANDS_MAX - reserved)),
            reads: Arc::new(Semaphore::new(limits::QUEUE_READS_RESERVED)),
            admin: Arc::new(Semaphore::new(limits::QUEUE_ADMIN_RESERVED)),
            pace: AtomicU64::new(0),
        }
    }
}

impl Room {
    /// Takes a place: of what everybody shares first, then of what is kept for `share`.
    ///
    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED`, with when to come back, if there is none.
    pub fn take(&self, share: Share) -> Result<Place, WireError> {
        let shares: &[&Arc<Semaphore>] = match share {
            Share::Writes => &[&self.writes],
            Share::Reads => &[&self.writes, &self.reads],
            Share::Admin => &[&self.writes, &self.reads, &self.admin],
        };
        for semaphore in shares {
            match Arc::clone(semaphore).try_acquire_owned() {
                Ok(permit) => return Ok(Place { _permit: permit }),
                Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {}
            }
        }
        Err(self.full())
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        let free = [&self.writes, &self.reads, &self.admin].map(|share| share.available_permits());
        limits::QUEUE_COMMANDS_MAX.saturating_sub(free.iter().sum())
    }

    /// Waits for that many places of what everybody shares: a batch that is refused as a whole would
    /// only be sent again. Whoever waits here holds up other writes only.
    ///
    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED` if there are more than can be counted. More than there are places are never
    /// there; [`limits::BATCH_ITEMS_MAX`] keeps callers far below.
    pub async fn take_many(&self, places: usize) -> Result<Vec<Place>, WireError> {
        let many = u32::try_from(places).map_err(|_| self.full())?;
        // All at once: two that each held a part would wait for each other.
        let all = Arc::clone(&self.writes).acquire_many_owned(many).await;
        let mut all = all.map_err(|_| self.full())?;
        let each = std::iter::from_fn(|| all.split(1));
        Ok(each.map(|permit| Place { _permit: permit }).collect())
    }

    /// Learns how long a batch of commands took.
    pub fn learn(&self, commands: usize, took: Duration) {
        if commands == 0 {
            return;
        }
        let each = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / commands as u64;
        let before = self.pace.load(Ordering::Relaxed);
        let pace = if before == 0 {
            each
        } else {
            before - before / 4 + each / 4
        };
        self.pace.store(pace, Ordering::Relaxed);
    }

    /// When the queue will have emptied, at the pace of late: 50 ms to 5 s.
    fn retry_after(&self) -> Duration {
        let waiting = limits::QUEUE_COMMANDS_MAX as u64;
        let nanos = self.pace.load(Ordering::Relaxed).saturating_mul(waiting);
        Duration::from_nanos(nanos).clamp(Duration::from_millis(50), Duration::from_secs(5))
    }

    fn full(&self) -> WireError {
        let after = self.retry_after();
        let millis = after.as_millis();
        WireError::new(
            ErrorCode::ResourceExhausted,
            "the daemon has too much to do",
        )
        .reason("as many commands wait to be written as may wait for this kind of call")
        .hint(format!(
            "try again in {millis} ms, with fewer requests in flight"
        ))
        .retry_after(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(room: &Room, share: Share) -> Vec<Place> {
        std::iter::from_fn(|| room.take(share).ok()).collect()
    }

    #[test]
    fn writes_leave_room_for_reads_and_both_for_who_administers() {
        let room = Room::default();
        let writes = fill(&room, Share::Writes);
        let refused = room.take(Share::Writes).unwrap_err();
        assert_eq!(refused.code, ErrorCode::ResourceExhausted);
        assert!(refused.hint.unwrap().contains("try again in 50 ms"));
        let reads = fill(&room, Share::Reads);
        assert_eq!(reads.len(), limits::QUEUE_READS_RESERVED);
        let admin = fill(&room, Share::Admin);
        assert_eq!(admin.len(), limits::QUEUE_ADMIN_RESERVED);
        // Together they never exceed what the queue itself takes.
        let all = writes.len() + reads.len() + admin.len();
        assert_eq!((all, room.taken()), (limits::QUEUE_COMMANDS_MAX, all));
        drop(reads);
        assert!(room.take(Share::Writes).is_err());
        assert!(room.take(Share::Reads).is_ok());
        drop(writes);
        assert!(room.take(Share::Writes).is_ok());
    }

    #[test]
    fn the_hint_follows_the_pace() {
        let room = Room::default();
        for _ in 0..50 {
            room.learn(1000, Duration::from_millis(500));
        }
        let after = room.retry_after();
        assert!((Duration::from_millis(1500)..Duration::from_millis(2200)).contains(&after));
        room.learn(1, Duration::from_secs(600));
        assert_eq!(room.retry_after(), Duration::from_secs(5));
        room.learn(0, Duration::from_secs(600));
    }
}
