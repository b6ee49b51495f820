//! `limit`.

use clap::{Args, Subcommand};

/// Verbs of `limit`.
#[derive(Debug, Subcommand)]
pub enum Limit {
    /// List the limits that hold
    List(LimitList),
    /// Set a limit in the tenant; it holds from the next call on
    Set(LimitSet),
    /// Let what the configuration says hold again
    Reset(LimitReset),
}

/// Arguments of `limit list`.
#[derive(Args, Debug)]
pub struct LimitList {
    /// Those that hold for this role
    #[arg(long, value_name = "ROLE", conflicts_with = "identity")]
    pub role: Option<String>,
    /// Those that hold for this identity, with what it has
    #[arg(long, value_name = "IDENTITY")]
    pub identity: Option<String>,
}

/// Arguments of `limit set`.
#[derive(Args, Debug)]
pub struct LimitSet {
    /// Which one, such as memory, memories or bytes; `limit list` shows them all
    pub name: String,
    /// How many, or `unlimited`
    #[arg(value_name = "N", value_parser = parse_value)]
    pub value: Value,
    /// Only for identities of this role
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
}

/// Arguments of `limit reset`.
#[derive(Args, Debug)]
pub struct LimitReset {
    /// Which one
    #[arg(required_unless_present = "all")]
    pub name: Option<String>,
    /// The one that was set for this role
    #[arg(long, value_name = "ROLE", conflicts_with = "all")]
    pub role: Option<String>,
    /// All that were set in the tenant
    #[arg(long, conflicts_with = "name")]
    pub all: bool,
}

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub Option<u64>);

fn parse_value(text: &str) -> Result<Value, String> {
    if text == "unlimited" {
        return Ok(Value(None));
    }
    let number = text.replace('_', "").parse();
    number
        .map(|number| Value(Some(number)))
        .map_err(|_| "it must be a whole number, or `unlimited`".to_owned())
}
