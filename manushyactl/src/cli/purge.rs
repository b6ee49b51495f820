//! `purge`.

use clap::{Args, Subcommand};

use super::args::{Filter, Paging};

/// Verbs of `purge`.
#[derive(Debug, Subcommand)]
pub enum Purge {
    /// Count what an erasure would take
    Plan(Box<Plan>),
    /// Carry a plan out, for good
    Apply(Apply),
    /// List plans, newest first
    List(Paging),
    /// Erase what is due: expired memories, and deleted ones past their retention
    Run,
}

/// Arguments of `purge plan`.
#[derive(Args, Debug)]
pub struct Plan {
    /// Everything of this identity, and the identity itself
    #[arg(long, value_name = "IDENTITY", conflicts_with = "expired")]
    pub subject: Option<String>,
    /// What is expired, or deleted and past its retention
    #[arg(long)]
    pub expired: bool,
    /// Which memories, deleted ones included.
    #[command(flatten)]
    pub filter: Filter,
}

/// Arguments of `purge apply`.
#[derive(Args, Debug)]
pub struct Apply {
    /// Id of the plan
    pub plan: String,
    /// What the plan says must be confirmed: the subject's external id, or the plan's id
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}
