//! `tenant`, `identity` and `token`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::args::{OutFile, Paging, parse_pair, parse_seconds};

/// Verbs of `tenant`.
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Make a tenant with its first policies
    Create(TenantName),
    /// List tenants
    List(Paging),
    /// Show a tenant
    Show(TenantName),
    /// Erase a tenant and everything in it, for good
    Delete(TenantDelete),
}

/// Names a tenant.
#[derive(Args, Debug)]
pub struct TenantName {
    /// Name of the tenant
    pub name: String,
}

/// Arguments of `tenant delete`.
#[derive(Args, Debug)]
pub struct TenantDelete {
    /// Name of the tenant
    pub name: String,
    /// The tenant's name once more
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

/// Verbs of `identity`.
#[derive(Debug, Subcommand)]
pub enum Identity {
    /// Make an identity; its access token is shown once
    Create(IdentityCreate),
    /// List identities
    List(IdentityList),
    /// Show an identity
    Show(IdentityName),
    /// Change an identity; what is not given stays
    Update(IdentityUpdate),
    /// Let an identity act again
    Enable(IdentityName),
    /// Stop an identity at once; its tokens fail from the next call
    Disable(IdentityName),
    /// Delete an identity that owns no memories, with its tokens
    Delete(IdentityDelete),
    /// Write everything held about an identity, signed, or verify what was written
    Export(IdentityExport),
    /// Invite somebody who becomes an identity by a code; it is shown once
    Invite(super::credential::Invite),
    /// Let processes of a user of this machine be an identity, without a secret
    Bind(super::credential::Bind),
    /// Take such a binding away
    Unbind(super::credential::Bind),
}

/// Arguments of `identity create`.
#[derive(Args, Debug)]
pub struct IdentityCreate {
    /// Your own name for it, unique in the tenant
    #[arg(long, value_name = "NAME")]
    pub external_id: String,
    /// Its role, which policies rule by
    #[arg(long, value_name = "ROLE")]
    pub role: String,
    /// Its display name
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// A fact that policies read as identity.claims.KEY; repeat for more
    #[arg(long = "claim", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub claims: Vec<(String, Value)>,
    /// Life of its first access token [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds)]
    pub token_ttl: Option<u64>,
    /// Hold back what it writes until somebody reviews it
    #[arg(long)]
    pub quarantine: bool,
}

/// Arguments of `identity list`.
#[derive(Args, Debug)]
pub struct IdentityList {
    /// Only of this role
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Only those that may act
    #[arg(long, conflicts_with = "disabled")]
    pub active: bool,
    /// Only those that are disabled
    #[arg(long)]
    pub disabled: bool,
    /// Which part.
    #[command(flatten)]
    pub paging: Paging,
}

/// Names an identity.
#[derive(Args, Debug)]
pub struct IdentityName {
    /// Its id or external id
    pub identity: String,
}

/// Arguments of `identity update`.
#[derive(Args, Debug)]
#[command(group(
    clap::ArgGroup::new("change").multiple(true).required(true)
        .args(["role", "name", "description", "claims", "clear_claims", "quarantine"])
))]
pub struct IdentityUpdate {
    /// Its id or external id
    pub identity: String,
    /// A new role
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// A new display name; empty clears it
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// A new description; empty clears it
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// New claims, replacing all of the old; repeat for more
    #[arg(long = "claim", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub claims: Vec<(String, Value)>,
    /// Remove all claims
    #[arg(long, conflicts_with = "claims")]
    pub clear_claims: bool,
    /// Hold back what it writes from here on until somebody reviews it, or no more
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"])]
    pub quarantine: Option<String>,
}

/// Arguments of `identity delete`.
#[derive(Args, Debug)]
pub struct IdentityDelete {
    /// Its id or external id
    pub identity: String,
    /// Its external id once more
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

/// Arguments of `identity export`.
#[derive(Args, Debug)]
pub struct IdentityExport {
    /// Its id or external id
    #[arg(required_unless_present = "verify")]
    pub identity: Option<String>,
    /// File to write (mode 0600) [default: standard output]
    #[arg(value_name = "FILE", conflicts_with = "out")]
    pub path: Option<PathBuf>,
    /// To whom to encrypt it, as age writes recipients; give it again for more
    #[arg(long, value_name = "RECIPIENT")]
    pub recipient: Vec<String>,
    /// Where to.
    #[command(flatten)]
    pub file: OutFile,
    /// Verify this file, decrypted, or `-`, with --key and nothing else: no daemon, no home
    #[arg(
        long, value_name = "FILE", requires = "key",
        conflicts_with_all = ["identity", "path", "recipient", "out"]
    )]
    pub verify: Option<PathBuf>,
    /// The public key that must have signed it, as text or a file that holds it
    #[arg(long, value_name = "KEY|FILE", requires = "verify")]
    pub key: Option<String>,
}

/// Verbs of `token`.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Issue an access token; it is shown once
    Issue(TokenIssue),
    /// List tokens, without their secrets
    List(TokenList),
    /// Say whose a token is and whether it is good
    Inspect(TokenInspect),
    /// Revoke tokens
    Revoke(TokenRevoke),
}

/// Arguments of `token issue`.
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("whose").required(true).args(["identity", "delegate_to"])))]
pub struct TokenIssue {
    /// For whom: id or external id. It may do what this identity may; takes the right to manage
    /// tokens
    pub identity: Option<String>,
    /// To whom to hand on a part of what your own credential may do: id or external id. The token
    /// ends with your credential; takes no right
    #[arg(long = "for", value_name = "IDENTITY")]
    pub delegate_to: Option<String>,
    /// Its life, at most that of your own credential with --for [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds)]
    pub ttl: Option<u64>,
    /// What it may be used for, such as memory:read or memory:*; repeat for more
    #[arg(long = "scope", value_name = "RESOURCE:ACTION", value_delimiter = ',')]
    pub scopes: Vec<String>,
    /// Only memories in this namespace and below
    #[arg(long, value_name = "PATH")]
    pub namespace: Option<String>,
    /// Only memories of these types; repeat for more
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<String>,
    /// How many calls it is good for
    #[arg(long, value_name = "N")]
    pub uses: Option<u32>,
    /// A note that tells it from others
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// Where to.
    #[command(flatten)]
    pub file: OutFile,
}

/// Arguments of `token list`.
#[derive(Args, Debug)]
pub struct TokenList {
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

/// Arguments of `token inspect`.
#[derive(Args, Debug)]
pub struct TokenInspect {
    /// `-` to read the token from standard input; without it, --token-file names its file
    #[arg(value_name = "-|FILE")]
    pub file: Option<PathBuf>,
}

/// Arguments of `token revoke`.
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["ids", "identity"])))]
pub struct TokenRevoke {
    /// Ids of tokens, or `-` for ids on standard input
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// All tokens of this identity issued until this moment
    #[arg(long, value_name = "IDENTITY")]
    pub identity: Option<String>,
}
