//! The pure part of Manushya: what a request does, whether it may, and how answers are ranked.
//!
//! No runtime, store, index, clock, randomness, file or environment is known here; the compiler sees
//! to it, since none of them is a dependency.

pub mod audit;
pub mod command;
pub mod decide;
pub mod directory;
pub mod model;
pub mod plan;
pub mod policy;
pub mod recall;
pub mod view;
