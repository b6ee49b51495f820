//! What each screen knows.

use manushya_protocol::error::WireError;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{AuditHeadView, AuditView};
use manushya_protocol::v1::identity::{IdentityExport, IdentityView};
use manushya_protocol::v1::key::KeyView;
use manushya_protocol::v1::memory::MemoryStats;
use manushya_protocol::v1::policy::PolicyView;
use manushya_protocol::v1::purge::PlanView;
use manushya_protocol::v1::system::{Check, JobStatus};
use manushya_protocol::v1::token::TokenView;

use super::items::{Event, Hit};
use super::list::List;
use super::overlay::Input;
use crate::effect::Tag;
use crate::msg::Verified;

/// Identities.
#[derive(Debug, Default)]
pub struct Identities {
    /// The list.
    pub list: List<IdentityView>,
    /// What is held about one.
    pub detail: Option<IdentityExport>,
    /// What is awaited for the detail.
    pub awaited: Option<Tag>,
}

/// Which memories are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// Those that can be found.
    #[default]
    Live,
    /// Those that are deleted and can be restored.
    Deleted,
    /// Those that are expired and not erased yet.
    Expired,
}

impl Which {
    /// The ones to show after them.
    pub fn next(self) -> Self {
        match self {
            Self::Live => Self::Deleted,
            Self::Deleted => Self::Expired,
            Self::Expired => Self::Live,
        }
    }

    /// What they are called; nothing if they are live.
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
        }
    }
}

/// Memories.
#[derive(Debug, Default)]
pub struct Memories {
    /// The list, or what was found.
    pub list: List<Hit>,
    /// The namespace that is shown; none is all.
    pub namespace: Option<String>,
    /// Namespaces with how many memories are in them and below.
    pub tree: Vec<(String, u64)>,
    /// Which namespace is selected.
    pub tree_at: usize,
    /// Which ones are shown.
    pub which: Which,
    /// What is searched for.
    pub query: Option<Input>,
    /// The timer or the question that counts; others are out of date.
    pub awaited: Option<Tag>,
    /// What the daemon said of the last search, unless it was complete.
    pub note: Option<String>,
    /// Counts.
    pub stats: Option<MemoryStats>,
    /// What is awaited for the counts.
    pub awaited_stats: Option<Tag>,
}

/// Policies.
#[derive(Debug, Default)]
pub struct Policies {
    /// The list.
    pub list: List<PolicyView>,
}

/// The audit log.
#[derive(Debug, Default)]
pub struct Audit {
    /// What happened, newest last.
    pub feed: List<Event>,
    /// The last sequence seen.
    pub after: Option<AuditSeq>,
    /// Whether the newest entry is followed.
    pub follow: bool,
    /// What came while the view is held; none if it is not.
    pub held: Option<Vec<Event>>,
    /// The question for what comes next.
    pub awaited: Option<Tag>,
    /// Why the log cannot be followed.
    pub refused: Option<WireError>,
    /// How far a verification is.
    pub progress: Option<(u64, u64)>,
    /// What the last one came to.
    pub verified: Option<Result<Verified, WireError>>,
    /// Its question.
    pub awaited_verify: Option<Tag>,
    /// The entry that is asked about.
    pub asked: Option<Box<AuditView>>,
}

/// Tokens.
#[derive(Debug, Default)]
pub struct Tokens {
    /// The list.
    pub list: List<TokenView>,
    /// Of this identity only: id and name.
    pub identity: Option<(String, String)>,
    /// Whether ended ones are shown.
    pub all: bool,
}

/// The daemon itself.
#[derive(Debug, Default)]
pub struct System {
    /// What doctor found.
    pub checks: List<Check>,
    /// Purge plans.
    pub plans: List<PlanView>,
    /// What it does beside answering.
    pub jobs: List<JobStatus>,
    /// The keys that sign tokens.
    pub keys: List<KeyView>,
    /// The question for what was logged since.
    pub awaited_log: Option<Tag>,
    /// The signed head of the log.
    pub head: Option<AuditHeadView>,
    /// What is awaited for it.
    pub awaited: Option<Tag>,
}
