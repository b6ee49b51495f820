//! Why a command was refused, for the caller and for the audit log.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};

use crate::model::{Approval, AuditDraft, Decision, Invalid, Outcome};
use crate::view::ViewError;

/// A refused command: what the caller is told, and the entry that is written all the same.
#[derive(Debug)]
pub struct Refusal {
    /// What the caller is told.
    pub error: WireError,
    /// What the audit log is told. Its outcome is the error's code.
    pub audit: Box<AuditDraft>,
    /// The store could not be read: everything that was waiting has to be given up.
    pub broken: Option<Box<ViewError>>,
    /// It may be done with an approval, so that the caller may know of what it is about.
    pub with_approval: Option<Box<Wanting>>,
}

/// An approval that is wanting.
#[derive(Debug, Default)]
pub struct Wanting {
    /// A request that waits from now on; it is kept together with the entry.
    pub waiting: Option<Arc<Approval>>,
}

impl Refusal {
    /// A refusal of something that was allowed as such, but cannot be done.
    pub fn allowed(audit: &AuditDraft, error: WireError) -> Self {
        Self::with(audit, Decision::Allow, error)
    }

    /// A refusal because it is not allowed.
    pub fn denied(audit: &AuditDraft, error: WireError) -> Self {
        Self::with(audit, Decision::Deny, error)
    }

    /// A refusal of malformed input.
    pub fn invalid(audit: &AuditDraft, invalid: &Invalid) -> Self {
        Self::allowed(
            audit,
            WireError::new(ErrorCode::InvalidArgument, invalid.to_string()),
        )
    }

    /// The store could not be read.
    pub fn broken(audit: &AuditDraft, cause: ViewError) -> Self {
        let error = WireError::new(ErrorCode::Internal, "the store cannot be read")
            .hint("manushyactl doctor");
        Self {
            broken: Some(Box::new(cause)),
            ..Self::denied(audit, error)
        }
    }

    fn with(audit: &AuditDraft, decision: Decision, error: WireError) -> Self {
        let outcome = Outcome::Error(error.code);
        let audit = AuditDraft {
            decision,
            outcome,
            count: 0,
            ..audit.clone()
        };
        Self {
            error,
            audit: Box::new(audit),
            broken: None,
            with_approval: None,
        }
    }

    /// The same, of what may be done with an approval.
    #[must_use]
    pub fn that_waits(self) -> Self {
        Self {
            with_approval: Some(Box::default()),
            ..self
        }
    }
}
