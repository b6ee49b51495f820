//! `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::args::{Paging, parse_pair};

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
