//! What a live view needs: audit entries as they come, and what the daemon does now.

use serde::{Deserialize, Serialize};

use crate::unit::AuditSeq;
use crate::v1::audit::AuditView;

/// Asks for audit entries as they come, newest last. Whoever asks late gets the newest, and how many
/// were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// The last sequence already seen; without one, the newest entries there are.
    #[serde(default)]
    pub after: Option<AuditSeq>,
    /// How many entries at the most.
    #[serde(default)]
    pub limit: Option<u32>,
    /// How long to wait for the first, in milliseconds.
    #[serde(default)]
    pub wait_ms: u64,
}

/// Answers [`Events`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventsSeen {
    /// The entries the caller may see, in order of their sequence.
    pub items: Vec<AuditView>,
    /// Ask again after this sequence.
    pub after: AuditSeq,
    /// How many entries after the asked one were left out, before the first of these.
    pub skipped: u64,
}

/// What the daemon has done since it started, counted as it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// Requests and jobs that left an audit entry.
    pub operations: u64,
    /// Those of them that were denied.
    pub denied: u64,
    /// How long calls took in the last minute, by kind.
    pub latencies: Vec<Latency>,
    /// Who did most, most first.
    pub busiest: Vec<Busy>,
    /// How often each policy decided, most first.
    pub policies: Vec<Busy>,
    /// Committed batches that the index does not have yet.
    pub index_lag: u64,
    /// Free bytes of the file system the store is on.
    #[serde(default)]
    pub disk_free_bytes: Option<u64>,
}

/// How long the calls of one kind took in the last minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// `search`, `add`, `read` or `change`.
    pub kind: String,
    /// How many there were.
    pub count: u64,
    /// What half of them stayed below, in microseconds; exact to a quarter.
    pub p50_us: u64,
    /// What 99 in 100 stayed below, in microseconds; exact to a quarter.
    pub p99_us: u64,
}

/// A name with how often it counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    /// Name of the tenant.
    pub tenant: String,
    /// The name.
    pub name: String,
    /// How often.
    pub count: u64,
}
