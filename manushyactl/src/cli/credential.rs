//! `api-key`.

use clap::{Args, Subcommand};

use super::args::{OutFile, Paging, parse_seconds};

/// Verbs of `api-key`.
#[derive(Debug, Subcommand)]
pub enum ApiKey {
    /// Make an API key; it is shown once
    Create(ApiKeyCreate),
    /// List API keys, without the keys
    List(ApiKeyList),
    /// Revoke API keys
    Revoke(ApiKeyRevoke),
}

/// Arguments of `api-key create`.
#[derive(Args, Debug)]
pub struct ApiKeyCreate {
    /// For whom: id or external id [default: yourself]
    #[arg(long, value_name = "IDENTITY")]
    pub identity: Option<String>,
    /// What it may be used for, such as memory:read or memory:*; repeat for more
    #[arg(long = "scope", value_name = "RESOURCE:ACTION", value_delimiter = ',')]
    pub scopes: Vec<String>,
    /// A name that tells it from others
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Its life, at most 366 days [default: 90d]
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds)]
    pub ttl: Option<u64>,
    /// Only memories in this namespace and below
    #[arg(long, value_name = "PATH")]
    pub namespace: Option<String>,
    /// Only memories of these types; repeat for more
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Where to.
    #[command(flatten)]
    pub file: OutFile,
}

/// Arguments of `api-key list`.
#[derive(Args, Debug)]
pub struct ApiKeyList {
    /// Only of this identity
    #[arg(long, value_name = "IDENTITY")]
    pub identity: Option<String>,
    /// Also those that are expired or revoked
    #[arg(long)]
    pub all_states: bool,
    /// Which part.
    #[command(flatten)]
    pub paging: Paging,
}

/// Arguments of `api-key revoke`.
#[derive(Args, Debug)]
pub struct ApiKeyRevoke {
    /// Ids of API keys, or `-` for ids on standard input
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
}
