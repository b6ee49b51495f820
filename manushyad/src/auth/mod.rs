//! Who calls: access tokens, and what the kernel says of the peer process.
//!
//! A token says who its bearer was when it was issued. Whether that still holds (revoked, disabled,
//! another role) is for the caller to ask the store, on every request.

mod cache;
mod claims;
mod error;
mod jwk;
pub mod opaque;
mod peer;
mod process;
mod token;

pub use claims::{AUDIENCE, ISSUER, VerifiedClaims};
pub use error::TokenError;
pub use jwk::jwk_set;
pub use peer::PeerCred;
pub use process::{Process, Programs};
pub use token::{TokenFacts, TokenKeys};
