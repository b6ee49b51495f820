//! Errors as they cross the socket: a stable code to branch on, and text for people.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::exit;
use crate::id::RequestId;

/// What went wrong, for programs. Codes are stable: added, never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// The input is malformed or out of bounds; sending it again will not help.
    InvalidArgument,
    /// No credential, or one that is expired, revoked or unknown.
    Unauthenticated,
    /// A policy, a scope or the lack of the operator's rights forbids it.
    Denied,
    /// There is no such thing, or none that the caller may know of.
    NotFound,
    /// It exists already, has changed since it was read, or is in use.
    Conflict,
    /// A queue, a quota or the disk is full; try again later.
    ResourceExhausted,
    /// The audit entry could not be written, so nothing was done.
    AuditUnavailable,
    /// The keys are not loaded.
    VaultLocked,
    /// An integrity check failed: bytes are not what was written.
    Integrity,
    /// The deadline passed. The work may have been done all the same.
    DeadlineExceeded,
    /// No daemon answers at the socket.
    Unreachable,
    /// The two ends speak no common version of the protocol.
    VersionMismatch,
    /// Some items were done and some were not.
    Partial,
    /// The user interrupted it.
    Interrupted,
    /// A fault of the daemon; its log knows more under the request id.
    Internal,
    /// A code this build does not know; a newer daemon sent it.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// Every code that a daemon or client of this version produces.
    pub const ALL: &[Self] = &[
        Self::InvalidArgument,
        Self::Unauthenticated,
        Self::Denied,
        Self::NotFound,
        Self::Conflict,
        Self::ResourceExhausted,
        Self::AuditUnavailable,
        Self::VaultLocked,
        Self::Integrity,
        Self::DeadlineExceeded,
        Self::Unreachable,
        Self::VersionMismatch,
        Self::Partial,
        Self::Interrupted,
        Self::Internal,
    ];

    /// The exit code a program ends with when this is why it failed.
    pub fn exit(self) -> u8 {
        match self {
            Self::InvalidArgument => exit::USAGE,
            Self::Unauthenticated => exit::UNAUTHENTICATED,
            Self::Denied => exit::DENIED,
            Self::NotFound => exit::NOT_FOUND,
            Self::Conflict => exit::CONFLICT,
            Self::Integrity => exit::INTEGRITY,
            Self::DeadlineExceeded => exit::TIMED_OUT,
            Self::Unreachable | Self::VersionMismatch => exit::UNREACHABLE,
            Self::Partial => exit::PARTIAL,
            Self::Interrupted => exit::INTERRUPTED,
            Self::ResourceExhausted
            | Self::AuditUnavailable
            | Self::VaultLocked
            | Self::Internal
            | Self::Unknown => exit::FAILURE,
        }
    }

    /// The code as it stands in JSON, for example `NOT_FOUND`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Denied => "DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::AuditUnavailable => "AUDIT_UNAVAILABLE",
            Self::VaultLocked => "VAULT_LOCKED",
            Self::Integrity => "INTEGRITY",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Unreachable => "UNREACHABLE",
            Self::VersionMismatch => "VERSION_MISMATCH",
            Self::Partial => "PARTIAL",
            Self::Interrupted => "INTERRUPTED",
            Self::Internal => "INTERNAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as it crosses the socket and as `-o json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct WireError {
    /// What programs branch on.
    pub code: ErrorCode,
    /// What failed, in one sentence without a full stop.
    pub message: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How to fix it: a command or a change the caller can make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When to come back, in milliseconds from now, if that is all it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<NonZeroU32>,
    /// The request that failed, as the log and the audit log name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
}

impl WireError {
    /// An error with a code and a message; add to it with the other methods.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            reason: None,
            hint: None,
            retry_after_ms: None,
            request_id: None,
        }
    }

    /// Says why.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Says how to fix it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, after: std::time::Duration) -> Self {
        let millis = u32::try_from(after.as_nanos().div_ceil(1_000_000));
        let least = NonZeroU32::new(millis.unwrap_or(u32::MAX));
        self.retry_after_ms = Some(least.unwrap_or(NonZeroU32::MIN));
        self
    }

    /// Names the request.
    #[must_use]
    pub fn request(mut self, request_id: RequestId) -> Self {
        self.request_id = Some(request_id);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_in_json_as_it_displays() {
        for &code in ErrorCode::ALL {
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert!(exit::TABLE.iter().any(|row| row.code == code.exit()));
        }
    }

    #[test]
    fn code_of_a_newer_daemon_is_unknown_and_fails() {
        let code: ErrorCode = serde_json::from_str("\"QUOTA_OF_NEXT_YEAR\"").unwrap();
        assert_eq!((code, code.exit()), (ErrorCode::Unknown, exit::FAILURE));
    }
}
