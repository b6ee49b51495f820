//! Version 1 of the messages, one file a noun. Append-only.

pub mod api_key;
pub mod approval;
pub mod audit;
pub mod backup;
pub mod common;
pub mod embedding;
pub mod erasure;
pub mod hello;
pub mod identity;
pub mod invitation;
pub mod key;
pub mod limit;
pub mod live;
pub mod memory;
pub mod policy;
pub mod provenance;
pub mod purge;
pub mod recall;
pub mod review;
pub mod seal;
#[cfg(feature = "rpc")]
pub mod service;
pub mod session;
pub mod subject;
pub mod system;
pub mod token;
