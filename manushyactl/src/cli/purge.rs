//! `purge`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::{Filter, Paging, parse_seconds};

/// Verbs of `purge`.
#[derive(Debug, Subcommand)]
pub enum Purge {
    /// Count what an erasure would take
    Plan(Box<Plan>),
    /// Carry a plan out, for good
    Apply(Apply),
    /// List plans, and what was erased without one, newest first
    List(Paging),
    /// Erase what is due: expired memories, and those past their retention
    Run,
    /// Show the signed receipt of an erasure
    Receipt(Receipt),
    /// Verify a receipt, and look for survivors of what it says was erased
    Verify(Verify),
    /// Keep things from being erased, whatever else is asked
    #[command(subcommand)]
    Hold(Hold),
    /// Say how long memories are kept, by type
    #[command(subcommand)]
    Retention(Retention),
}

/// Verbs of `purge retention`.
#[derive(Debug, Subcommand)]
pub enum Retention {
    /// List how long memories are kept: of types with a rule, and of all others
    List,
    /// Set how long memories of a type are kept; sweeps erase what is older
    Set(RetentionSet),
    /// Take such a rule away
    Unset(RetentionUnset),
}

/// Arguments of `purge retention set`.
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("how_long").multiple(true).required(true).args(["keep", "keep_deleted"])))]
pub struct RetentionSet {
    /// Memories of this type [default: of all types without a rule of their own]
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// How long after it was made a memory is erased; left out, never
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds)]
    pub keep: Option<u64>,
    /// How long after it was deleted a memory is erased; left out, as configured
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds)]
    pub keep_deleted: Option<u64>,
}

/// Arguments of `purge retention unset`.
#[derive(Args, Debug)]
pub struct RetentionUnset {
    /// The rule of this type [default: that of all others]
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
}

/// Arguments of `purge receipt`.
#[derive(Args, Debug)]
pub struct Receipt {
    /// Id of the plan, or of what `purge list` shows
    pub plan: String,
    /// File to write it to, for others to verify
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Arguments of `purge verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// Id of the plan, or the file of a receipt
    #[arg(value_name = "ID|FILE")]
    pub receipt: String,
    /// Folder of old copies of the home's files, to be tried with the keys there are now
    #[arg(long, value_name = "DIR", conflicts_with = "offline")]
    pub old: Option<PathBuf>,
    /// Verify the file alone, without a daemon
    #[arg(long)]
    pub offline: bool,
    /// Public key to verify the file with, or a file that holds it; by default the one seen first
    #[arg(long, value_name = "KEY|FILE")]
    pub key: Option<String>,
}

/// Verbs of `purge hold`.
#[derive(Debug, Subcommand)]
pub enum Hold {
    /// Set a hold: what it keeps is erased by nobody until it is released
    Add(HoldAdd),
    /// List holds, oldest first
    List,
    /// Release a hold
    Release(HoldRelease),
}

/// Arguments of `purge hold add`.
#[derive(Args, Debug)]
pub struct HoldAdd {
    /// This identity and every memory it owns
    #[arg(long, value_name = "IDENTITY", group = "kept", required_unless_present_any = ["memory", "whole_tenant"])]
    pub subject: Option<String>,
    /// This memory
    #[arg(long, value_name = "ID", group = "kept")]
    pub memory: Option<String>,
    /// Everything of the tenant
    #[arg(long, group = "kept")]
    pub whole_tenant: bool,
    /// Why, for whoever meets it later
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Arguments of `purge hold release`.
#[derive(Args, Debug)]
pub struct HoldRelease {
    /// Id of the hold
    pub id: String,
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
    /// This memory, deleted or not; give it again for more
    #[arg(long, value_name = "ID", conflicts_with_all = ["subject", "expired"])]
    pub memory: Vec<String>,
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
