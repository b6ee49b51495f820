//! What both ends of the Manushya socket must agree on.
//!
//! The vocabulary ([`id`], [`mod@unit`], [`limits`], [`secret`]), the errors ([`error`], [`exit`]) and
//! the messages ([`v1`]) do no I/O and pull in no runtime. The feature `rpc` adds the tarpc service
//! trait and its frame codec, the feature `client` a connected, typed client.
//!
//! Messages are append-only: a field may be added with a default, none is renamed or removed.

pub mod error;
pub mod exit;
pub mod id;
pub mod limits;
pub mod secret;
pub mod unit;
pub mod v1;
pub mod version;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "rpc")]
pub mod frame;
#[cfg(feature = "client")]
pub mod home;
