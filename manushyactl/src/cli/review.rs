//! `memory review` and `memory canary`.

use clap::{Args, Subcommand};

use super::args::Paging;
use super::memory::Ids;

/// Verbs of `memory review`.
#[derive(Debug, Subcommand)]
pub enum Review {
    /// List memories that are held back until somebody reviews them
    List(Paging),
    /// Let memories be found by everybody whom the policies allow
    Approve(Approve),
    /// Delete memories that are held back
    Reject(Ids),
}

/// Arguments of `memory review approve`.
#[derive(Args, Debug)]
pub struct Approve {
    /// Which.
    #[command(flatten)]
    pub ids: Ids,
    /// Fail with a conflict unless this is its version
    #[arg(long, value_name = "N")]
    pub if_version: Option<u32>,
}

/// Verbs of `memory canary`.
#[derive(Debug, Subcommand)]
pub enum Canary {
    /// Raise an alert whenever one of these memories is read or found
    Set(Ids),
    /// Raise no alert any more
    Clear(Ids),
    /// List canaries
    List(Paging),
}
