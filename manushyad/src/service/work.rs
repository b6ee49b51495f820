//! What the daemon does by itself and over more than one call, as far as it tells.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::system::{HostStatus, IndexStatus, JobStatus};

use super::Service;

/// One job that runs again and again: whether it runs, when it last ended, and how much it did.
#[derive(Default)]
pub struct Turns {
    running: AtomicBool,
    failing: AtomicBool,
    ended_at: AtomicI64,
    done: AtomicU64,
}

impl Turns {
    /// Notes that a turn began.
    pub fn begin(&self) {
        self.running.store(true, Ordering::Relaxed);
    }

    /// Notes that a turn ended at `now` and what it did; none if it failed.
    pub fn end(&self, now: UnixMillis, done: Option<u64>) {
        self.done.fetch_add(done.unwrap_or(0), Ordering::Relaxed);
        self.failing.store(done.is_none(), Ordering::Relaxed);
        self.ended_at.store(now.0, Ordering::Relaxed);
        self.running.store(false, Ordering::Relaxed);
    }

    fn status(&self, name: &str) -> JobStatus {
        let ended_at = self.ended_at.load(Ordering::Relaxed);
        let state = match (
            self.running.load(Ordering::Relaxed),
            self.failing.load(Ordering::Relaxed),
        ) {
            (true, _) => "running",
            (false, true) => "failing",
            (false, false) => "idle",
        };
        JobStatus {
            name: name.to_owned(),
            state: state.to_owned(),
            done: self.done.load(Ordering::Relaxed),
            last_at: (ended_at != 0).then_some(UnixMillis(ended_at)),
            ..JobStatus::default()
        }
    }
}

/// The daemon's own jobs.
#[derive(Default)]
pub struct Work {
    /// Erasing what is due; counts memories.
    pub sweep: Turns,
    /// Saving the graphs; counts bytes.
    pub snapshot: Turns,
}

/// Moving vectors into the graph of one tenant.
fn graph(index: &IndexStatus) -> Option<JobStatus> {
    if index.graph == 0 {
        return None;
    }
    let state = if index.tail > 0 { "running" } else { "idle" };
    Some(JobStatus {
        name: "graph".to_owned(),
        tenant: Some(index.tenant.clone()),
        state: state.to_owned(),
        done: index.graph,
        total: Some(index.graph + index.tail),
        ..JobStatus::default()
    })
}

/// Embedding the memories of one tenant.
fn embedding(index: &IndexStatus, down: Option<&str>) -> Option<JobStatus> {
    if index.pending == 0 {
        return None;
    }
    let state = if down.is_some() || index.failed == index.pending {
        "failing"
    } else {
        "running"
    };
    Some(JobStatus {
        name: "embedding".to_owned(),
        tenant: Some(index.tenant.clone()),
        state: state.to_owned(),
        done: index.memories.saturating_sub(index.pending),
        total: Some(index.memories),
        note: down.map(str::to_owned).or_else(|| {
            (index.failed > 0).then(|| format!("{} failed again and again", index.failed))
        }),
        ..JobStatus::default()
    })
}

impl Service {
    /// Everything that is done, or done again and again.
    pub(super) fn job_status(&self, host: &HostStatus) -> Vec<JobStatus> {
        let mut jobs = vec![
            self.work.sweep.status("sweep"),
            self.work.snapshot.status("snapshot"),
        ];
        jobs.extend(host.indexes.iter().filter_map(graph));
        let down = host.embedder_down.as_deref();
        jobs.extend(host.indexes.iter().filter_map(|it| embedding(it, down)));
        jobs.extend(self.backups.running());
        jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_running_until_it_ends_and_failing_until_one_ends_well() {
        let turns = Turns::default();
        assert_eq!(turns.status("sweep").state, "idle");
        assert_eq!(turns.status("sweep").last_at, None);
        turns.begin();
        assert_eq!(turns.status("sweep").state, "running");
        turns.end(UnixMillis(5), None);
        assert_eq!(turns.status("sweep").state, "failing");
        turns.begin();
        turns.end(UnixMillis(9), Some(4));
        let status = turns.status("sweep");
        assert_eq!((status.state.as_str(), status.done), ("idle", 4));
        assert_eq!(status.last_at, Some(UnixMillis(9)));
    }

    #[test]
    fn what_waits_to_be_embedded_is_a_job_and_fails_if_nothing_can_be() {
        let mut index = IndexStatus {
            memories: 10,
            pending: 4,
            ..IndexStatus::default()
        };
        let state = |index: &IndexStatus, down| embedding(index, down).map(|job| job.state);
        assert_eq!(state(&index, None).as_deref(), Some("running"));
        assert_eq!(state(&index, Some("refused")).as_deref(), Some("failing"));
        index.failed = 4;
        assert_eq!(state(&index, None).as_deref(), Some("failing"));
        index.pending = 0;
        assert_eq!(state(&index, None), None);
    }
}
