//! The keys that sign tokens: which of them may go.

use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;

use crate::directory::Directory;
use crate::model::{TokenKey, TokenKind};

/// Whether a key that was replaced still has tokens to verify: of those that were issued while it
/// signed one has not ended, or a session may yet show an access token.
pub fn is_needed(directory: &Directory, key: &TokenKey, now: UnixMillis) -> bool {
    let Some(retired_at) = key.retired_at else {
        return true;
    };
    let sessions_until = retired_at.plus_seconds(limits::SESSION_ACCESS_SECONDS);
    if now <= sessions_until {
        return true;
    }
    directory.tenants().any(|tenant| {
        directory.tokens(tenant.id).any(|token| {
            token.kind == TokenKind::Access
                && token.revoked_at.is_none()
                && token.issued_at <= retired_at
                && token.expires_at > now
        })
    })
}
