//! `approval`.

use clap::{Args, Subcommand};
use manushya_core::model::APPROVAL_TTL_SECONDS;

use super::args::{Paging, parse_seconds};

/// Verbs of `approval`.
#[derive(Debug, Subcommand)]
pub enum Approval {
    /// List requests that wait for an approval or were decided, newest first
    List(List),
    /// Let a request be done once: whoever asked repeats the same call
    Grant(Grant),
    /// Let a request not be done, or take a grant back that was not used
    Refuse(Refuse),
}

/// Arguments of `approval list`.
#[derive(Args, Debug)]
pub struct List {
    /// Only in this state
    #[arg(long, value_name = "STATE", value_parser = ["waiting", "granted", "refused", "used", "expired"])]
    pub state: Option<String>,
    /// Only your own
    #[arg(long)]
    pub mine: bool,
    /// Which part.
    #[command(flatten)]
    pub paging: Paging,
}

/// Arguments of `approval grant`.
#[derive(Args, Debug)]
pub struct Grant {
    /// Id of the request
    pub id: String,
    /// How long it can be used, up to 7d [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds)]
    ttl: Option<u64>,
}

impl Grant {
    /// How long it can be used, in seconds.
    pub fn seconds(&self) -> u64 {
        self.ttl.unwrap_or(APPROVAL_TTL_SECONDS)
    }
}

/// Arguments of `approval refuse`.
#[derive(Args, Debug)]
pub struct Refuse {
    /// Id of the request
    pub id: String,
}
