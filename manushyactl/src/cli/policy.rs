//! `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use manushya_protocol::unit::UnixMillis;
use serde_json::Value;

use super::args::{Paging, parse_pair, parse_time};

/// Verbs of `policy`.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Make policies, or new revisions of them: all, or none
    Apply(Apply),
    /// List policies, by falling priority
    List(List),
    /// Show a policy
    Show(Name),
    /// Delete a policy
    Delete(Forced),
    /// Read a policy again
    Enable(Forced),
    /// Stop reading a policy
    Disable(Forced),
    /// Check policy files without applying them
    Validate(Files),
    /// Say what would be decided for given facts, once or for a file of cases
    Test(Test),
    /// Say whether an identity may do something: exits 0 or 5
    CanI(Question),
    /// Show each policy read, the values it read and what decided
    Explain(Question),
    /// Say of every identity whether it may do something: yes, no, or on which condition
    WhoCan(WhoCan),
    /// Say of every action on every resource whether an identity may do it
    WhatCan(WhatCan),
    /// List every change of one policy or of all, newest first
    History(History),
    /// Show how two revisions of a policy differ, or a file from the policy
    Diff(Diff),
    /// Give a policy the content of an earlier revision again, as a new revision
    Rollback(Rollback),
    /// Find rules that never match, that others hide or contradict, and what is left to the default
    Lint(Lint),
    /// Decide the audit log anew under a draft and show whose decisions would have changed
    Simulate(Simulate),
    /// See and stop the draft that runs beside the live policies (`policy simulate --shadow`)
    #[command(subcommand)]
    Shadow(Shadow),
}

/// Names policy files.
#[derive(Args, Debug)]
pub struct Files {
    /// JSON files, folders of them, or `-`
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Arguments of `policy apply`.
#[derive(Args, Debug)]
pub struct Apply {
    /// Which.
    #[command(flatten)]
    pub files: Files,
    /// Apply even if you could not change policies afterwards
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `policy list`.
#[derive(Args, Debug)]
pub struct List {
    /// Only of this role
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Which part.
    #[command(flatten)]
    pub paging: Paging,
}

/// Names a policy.
#[derive(Args, Debug)]
pub struct Name {
    /// Its id or name
    pub policy: String,
}

/// Names a policy that is to change.
#[derive(Args, Debug)]
pub struct Forced {
    /// Its id or name
    pub policy: String,
    /// Go on even if you could not change policies afterwards
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `policy test`.
#[derive(Args, Debug)]
pub struct Test {
    /// JSON Lines of {role, action, resource, facts, expect}, `-` for standard input
    #[arg(value_name = "CASES", conflicts_with_all = ["role", "action", "resource", "facts"])]
    pub cases: Option<PathBuf>,
    /// The role
    #[arg(long, value_name = "ROLE", required_unless_present = "cases")]
    pub role: Option<String>,
    /// The action
    #[arg(long, value_name = "ACTION", required_unless_present = "cases")]
    pub action: Option<String>,
    /// The resource
    #[arg(long, value_name = "RESOURCE", required_unless_present = "cases")]
    pub resource: Option<String>,
    /// Further facts, such as {"memory":{"type":"note"}}
    #[arg(long, value_name = "JSON|@FILE")]
    pub facts: Option<String>,
}

/// Asks about an identity.
#[derive(Args, Debug)]
pub struct Question {
    /// create, read, search, update, delete, restore, export, purge or manage
    pub action: String,
    /// memory, identity, token, policy, audit or system
    pub resource: String,
    /// Who; without it, you
    #[arg(long = "as", value_name = "IDENTITY")]
    pub identity: Option<String>,
    /// On this memory; without it, on one of the identity's own
    #[arg(long, value_name = "ID")]
    pub memory: Option<String>,
    /// On this other identity
    #[arg(long, value_name = "IDENTITY")]
    pub target: Option<String>,
    /// A fact of the memory, replacing what it has, such as type=note; repeat for more
    #[arg(long = "fact", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub facts: Vec<(String, Value)>,
}

/// Arguments of `policy who-can`.
#[derive(Args, Debug)]
pub struct WhoCan {
    /// create, read, search, update, delete, restore, export, purge or manage
    pub action: String,
    /// memory, identity, token, policy, audit or system
    pub resource: String,
    /// Which part.
    #[command(flatten)]
    pub paging: Paging,
}

/// Arguments of `policy what-can`.
#[derive(Args, Debug)]
pub struct WhatCan {
    /// Its id or external id
    pub identity: String,
}

/// Arguments of `policy history`.
#[derive(Args, Debug)]
pub struct History {
    /// Id or name of one policy, also of a removed one; without it, all
    pub policy: Option<String>,
    /// Which part.
    #[command(flatten)]
    pub paging: Paging,
}

/// Arguments of `policy diff`.
#[derive(Args, Debug)]
pub struct Diff {
    /// Its id or name, also of a removed one
    pub policy: String,
    /// The older revision [default: the one before the newer]
    #[arg(value_name = "REV")]
    pub from: Option<u32>,
    /// The newer revision [default: the last]
    #[arg(value_name = "REV", conflicts_with = "file")]
    pub to: Option<u32>,
    /// Compare the policy, or REV of it, with what this file has under its name
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Arguments of `policy rollback`.
#[derive(Args, Debug)]
pub struct Rollback {
    /// Its id or name, also of a removed one
    pub policy: String,
    /// The earlier revision
    #[arg(value_name = "REV")]
    pub revision: u32,
    /// Go on even if you could not change policies afterwards
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `policy lint`.
#[derive(Args, Debug)]
pub struct Lint {
    /// A draft to look at together with the live policies: JSON files, folders of them, or `-`
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Exit 1 if there is any warning; notes do not count
    #[arg(long)]
    pub strict: bool,
}

/// Arguments of `policy simulate`.
#[derive(Args, Debug)]
pub struct Simulate {
    /// The draft.
    #[command(flatten)]
    pub files: Files,
    /// Entries from this time on, or this long ago: 2026-11-01, 7d
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "7d")]
    pub since: UnixMillis,
    /// Entries before this time, or this long ago
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<UnixMillis>,
    /// Run the draft beside the live policies from now on, in place of the one before: what it would have
    /// said is audited, and decides nothing
    #[arg(long, conflicts_with_all = ["since", "until"])]
    pub shadow: bool,
}

/// Verbs of `policy shadow`.
#[derive(Debug, Subcommand)]
pub enum Shadow {
    /// Say what runs beside the live policies
    Status,
    /// Stop it
    Clear,
}
