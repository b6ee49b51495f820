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

/// Arguments of `login`.
#[derive(Args, Debug)]
pub struct Login {
    /// As whom: id or external id; takes the right to manage tokens [default: yourself]
    #[arg(long, value_name = "IDENTITY")]
    pub identity: Option<String>,
    /// A name of this device or program
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// The life of the session, at most that of the credential it is opened with [default: 30d]
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds)]
    pub ttl: Option<u64>,
}

/// Arguments of `logout`.
#[derive(Args, Debug)]
pub struct Logout {
    /// Only forget the session, without telling the daemon
    #[arg(long)]
    pub forget: bool,
}

/// Verbs of `session`.
#[derive(Debug, Subcommand)]
pub enum Session {
    /// List login sessions
    List(SessionList),
    /// Revoke login sessions, with all their access tokens
    Revoke(SessionRevoke),
}

/// Arguments of `session list`.
#[derive(Args, Debug)]
pub struct SessionList {
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

/// Arguments of `session revoke`.
#[derive(Args, Debug)]
pub struct SessionRevoke {
    /// Ids of sessions, or `-` for ids on standard input
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
}

/// Arguments of `identity invite`.
#[derive(Args, Debug)]
pub struct Invite {
    /// The role of who comes
    #[arg(long, value_name = "ROLE")]
    pub role: String,
    /// Its external id [default: whoever comes chooses it]
    #[arg(long, value_name = "NAME")]
    pub external_id: Option<String>,
    /// A note
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// How long the code is good, at most 30 days [default: 7d]
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds)]
    pub ttl: Option<u64>,
    /// Life of the first access token [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds)]
    pub token_ttl: Option<u64>,
    /// Where to.
    #[command(flatten)]
    pub file: OutFile,
}

/// Arguments of `enroll`.
#[derive(Args, Debug)]
pub struct Enroll {
    /// The code, or `-` for standard input, or @FILE; MANUSHYA_ENROLMENT_CODE holds it otherwise.
    /// Other users of the machine can see what stands on a command line
    #[arg(value_name = "CODE|-|@FILE")]
    pub code: Option<String>,
    /// Your external id, where the invitation leaves it open
    #[arg(long, value_name = "NAME")]
    pub external_id: Option<String>,
    /// Your display name
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Where to.
    #[command(flatten)]
    pub file: OutFile,
}

/// Verbs of `invitation`.
#[derive(Debug, Subcommand)]
pub enum Invitation {
    /// List invitations that are open, without their codes
    List(InvitationList),
    /// Show an invitation, and whether its code is good
    Show(InvitationName),
    /// Take an invitation back
    Revoke(InvitationName),
    /// Give an invitation a new code and a new life; it is shown once
    Resend(InvitationResend),
}

/// Arguments of `invitation list`.
#[derive(Args, Debug)]
pub struct InvitationList {
    /// Also those that were accepted or revoked, or have ended
    #[arg(long)]
    pub all_states: bool,
    /// Which part.
    #[command(flatten)]
    pub paging: Paging,
}

/// Names an invitation.
#[derive(Args, Debug)]
pub struct InvitationName {
    /// Its id
    pub id: String,
}

/// Arguments of `invitation resend`.
#[derive(Args, Debug)]
pub struct InvitationResend {
    /// Its id
    pub id: String,
    /// Where to.
    #[command(flatten)]
    pub file: OutFile,
}

/// Arguments of `identity bind` and `identity unbind`.
#[derive(Args, Debug)]
pub struct Bind {
    /// Its id or external id
    pub identity: String,
    /// User id of the processes
    #[arg(long, value_name = "UID")]
    pub uid: u32,
    /// SHA-256 of their program, in hex [default: any program]
    #[arg(long, value_name = "HEX")]
    pub exe_sha256: Option<String>,
}
