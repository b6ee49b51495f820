//! Memories that are held back until they are reviewed, and canaries.

use serde::{Deserialize, Serialize};

use crate::id::{IdentityId, MemoryId, RequestId, TokenId};
use crate::unit::UnixMillis;
use crate::v1::common::Page;

/// Where one version of a memory comes from. The daemon fills it in and nothing changes it; only
/// `source` is the writer's word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProvenanceView {
    /// External id of who wrote it; its id where that is gone.
    pub writer: String,
    /// Id of who wrote it.
    pub writer_id: IdentityId,
    /// The token that was used.
    pub token: Option<TokenId>,
    /// The chain of delegation of that token, from the one issued first to the one used: external
    /// ids, or ids where those are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegation: Vec<String>,
    /// User id of the peer process, as the kernel says.
    pub peer_uid: Option<u32>,
    /// Where the writer says it has it from.
    pub source: Option<String>,
    /// The request that wrote it, as the audit log names it.
    pub request_id: RequestId,
    /// When it was written, by the daemon's clock.
    pub written_at: UnixMillis,
}

/// Lists the memories that are held back: all that the caller may manage, and its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryReviewList {
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// Says what becomes of a memory that is held back. Nobody reviews what they wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryReview {
    /// Its id.
    pub id: MemoryId,
    /// Fail with a conflict unless this is the version that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<u32>,
    /// Let it be found by whom the policies allow; otherwise delete it.
    pub approve: bool,
}

/// Makes a memory a canary, or none: it exists only to be noticed when it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryCanary {
    /// Its id.
    pub id: MemoryId,
    /// Whether its reads raise an alert.
    pub canary: bool,
}

/// Lists the canaries that the caller may manage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryCanaryList {
    /// Which part.
    #[serde(default)]
    pub page: Page,
}
