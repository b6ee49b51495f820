//! What is wrong with a rule.

/// How many problems of one rule are reported.
pub(super) const ERRORS_MAX: usize = 16;

/// Something wrong with a rule, or with facts given by a caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct RuleError {
    /// Where, as a JSON Pointer (RFC 6901) inside the rule; empty for the rule itself.
    pub path: String,
    /// What is wrong and, where it can be told, what would be right.
    pub reason: String,
}
