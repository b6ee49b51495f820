//! Where a memory comes from.

use manushya_protocol::id::{IdentityId, RequestId, TokenId};
use manushya_protocol::unit::UnixMillis;

use super::extension::DelegationStep;
use super::text::Source;

/// Where one version of a memory comes from. The daemon fills it in when the version is written, from
/// the credential and the kernel; no call changes it afterwards. Only `source` is the caller's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The identity that wrote it.
    pub writer: IdentityId,
    /// The token that was used.
    pub token: Option<TokenId>,
    /// The chain of delegation of that token, from the one issued first to the one used.
    pub chain: Vec<DelegationStep>,
    /// User id of the peer process, as the kernel says.
    pub peer_uid: Option<u32>,
    /// Where the writer says it has it from, such as a page or a file.
    pub source: Option<Source>,
    /// The request that wrote it, as the audit log names it.
    pub request_id: RequestId,
    /// When it was written, by the daemon's clock.
    pub written_at: UnixMillis,
}

impl Provenance {
    /// What `writer` wrote at `written_at` under `request_id`, with nothing else known.
    pub fn plain(writer: IdentityId, request_id: RequestId, written_at: UnixMillis) -> Self {
        Self {
            writer,
            token: None,
            chain: Vec::new(),
            peer_uid: None,
            source: None,
            request_id,
            written_at,
        }
    }
}
