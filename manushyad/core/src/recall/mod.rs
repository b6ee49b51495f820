//! Ranking as arithmetic: how text becomes terms, terms become scores, and scores become an order.
//!
//! Nothing here knows where a term or a vector lies; the daemon's index draws on it.

pub mod block;
pub mod bm25;
pub mod episode;
pub mod feedback;
pub mod fuse;
pub mod language;
pub mod rank;
pub mod telling;
pub mod tokens;
