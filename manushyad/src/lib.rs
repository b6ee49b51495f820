//! The Manushya daemon as a library: `main.rs` and `manushyactl up` are thin callers of it.

pub mod auth;
pub mod embed;
pub mod index;
pub mod port;
pub mod store;
pub mod vault;
