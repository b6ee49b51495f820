//! The deciding: `(view, context, command) -> Plan | Refusal`. Pure: the same input, the same plan.
//!
//! Every function here first asks [`access`] whether the caller may, and what it returns carries the
//! one audit entry of the request, refusals included.

pub mod access;
pub mod approval;
mod asking;
pub mod binding;
pub mod chain;
pub mod delegate;
mod duplicate;
pub mod embedding;
pub mod hold;
pub mod identity;
pub mod invitation;
pub mod key;
pub mod limit;
pub mod memory;
pub mod policy;
pub mod purge;
pub mod receipt;
mod refusal;
pub mod replay;
pub mod retention;
pub mod review;
pub mod session;
pub mod tenant;
pub mod token;

pub use access::Access;
pub use refusal::{Refusal, Wanting};

#[cfg(test)]
mod tests;
