//! Tests of the whole: the reducer and the drawing together, without terminal, socket or clock.
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by panicking.

mod documents;
mod frames;
mod host;
mod manner;
mod properties;
mod snapshots;
mod things;
mod whole;
mod world;
