//! Why a token is refused.

use manushya_protocol::unit::UnixMillis;

/// Says why a token is not taken. None of it tells a forger how near they came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than any token, or empty.
    #[error("the access token is {actual_bytes} bytes; it must be 1 to {limit_bytes}")]
    Length {
        /// Its length.
        actual_bytes: usize,
        /// The longest it may be.
        limit_bytes: usize,
    },
    /// Not a JWT, or not of the one kind that is issued here.
    #[error("the access token is malformed, or not one that this daemon issues")]
    Malformed,
    /// Signed by no key of this daemon, or altered.
    #[error("the access token is not signed by this daemon, or was altered")]
    Signature,
    /// For another audience, or by another issuer.
    #[error("the access token is not meant for this daemon")]
    Foreign,
    /// A signed claim makes no sense.
    #[error("the access token carries a claim that cannot be used: {0}")]
    Claim(&'static str),
    /// It has ended.
    #[error("the access token expired at {0}")]
    Expired(UnixMillis),
    /// It has not begun.
    #[error("the access token is not valid before {0}")]
    NotYet(UnixMillis),
    /// A token cannot be signed, or the keys cannot be used.
    #[error("access tokens cannot be signed: {0}")]
    Keys(&'static str),
}
