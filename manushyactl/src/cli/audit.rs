//! `audit`.

use clap::{Args, Subcommand};
use manushya_protocol::unit::UnixMillis;

use super::args::{OutFile, Paging, parse_time};

/// Verbs of `audit`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List entries, oldest first
    List(List),
    /// Show an entry
    Show(Show),
    /// Show entries as they are written
    Tail(Tail),
    /// Recompute the whole log from its bytes and check its signature
    Verify(Verify),
    /// Show the signed head of the log
    Head,
    /// Show the public key that the log is signed with
    Key(Key),
    /// Prove that an entry is in the log, to somebody who has only the public key
    Prove(Prove),
    /// Prove that the log only grew, to somebody who has only the public key
    Consistency(Consistency),
    /// Look at the signed heads that are kept
    #[command(subcommand)]
    Checkpoint(CheckpointVerb),
    /// Write entries as lines, for other programs: JSON Lines, CSV or CEF
    Export(Export),
    /// Count entries by action, decision, outcome, actor and day
    Stats(Stats),
}

/// Which entries are exported or counted.
#[derive(Args, Debug)]
pub struct Select {
    /// By this identity, or anonymous, operator, daemon
    #[arg(long, value_name = "IDENTITY")]
    pub actor: Option<String>,
    /// At or after this time, or this long ago: 2026-11-01, 1h
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<UnixMillis>,
    /// Before this time, or this long ago
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<UnixMillis>,
}

/// Arguments of `audit export`.
#[derive(Args, Debug)]
pub struct Export {
    /// Which entries.
    #[command(flatten)]
    pub select: Select,
    /// To whom to encrypt it, as age writes recipients; give it again for more
    #[arg(long, value_name = "RECIPIENT")]
    pub recipient: Vec<String>,
    /// Where to.
    #[command(flatten)]
    pub file: OutFile,
}

/// Arguments of `audit stats`.
#[derive(Args, Debug)]
pub struct Stats {
    /// Which entries.
    #[command(flatten)]
    pub select: Select,
}

/// Verbs of `audit checkpoint`.
#[derive(Debug, Subcommand)]
pub enum CheckpointVerb {
    /// List the signed heads that are kept, oldest first
    List(CheckpointList),
    /// Show one as the text that was signed
    Show(CheckpointShow),
}

/// Arguments of `audit checkpoint list`.
#[derive(Args, Debug)]
pub struct CheckpointList {
    /// Which part.
    #[command(flatten)]
    pub paging: Paging,
}

/// Arguments of `audit checkpoint show`.
#[derive(Args, Debug)]
pub struct CheckpointShow {
    /// How many entries the log had
    pub size: u64,
}

/// Arguments of `audit key`.
#[derive(Args, Debug)]
pub struct Key {
    /// All keys it was ever signed with, the first one first, each vouched for by the one before
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `audit prove`.
#[derive(Args, Debug)]
pub struct Prove {
    /// Sequence of the entry
    pub seq: u64,
}

/// Arguments of `audit consistency`.
#[derive(Args, Debug)]
pub struct Consistency {
    /// The older log: its size, or a file that holds its checkpoint
    #[arg(value_name = "SIZE|FILE")]
    pub old: String,
    /// The newer log: its size, or a file that holds its checkpoint [default: the log as it is]
    #[arg(value_name = "SIZE|FILE")]
    pub new: Option<String>,
    /// The public key that must have signed both, as text or a file that holds it
    /// [default: the key seen first]
    #[arg(long, value_name = "KEY|FILE")]
    pub key: Option<String>,
}

/// Arguments of `audit list`.
#[derive(Args, Debug)]
pub struct List {
    /// By this identity, or anonymous, operator, daemon
    #[arg(long, value_name = "IDENTITY")]
    pub actor: Option<String>,
    /// Of this action
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// On this resource
    #[arg(long, value_name = "RESOURCE")]
    pub resource: Option<String>,
    /// On the thing with this id
    #[arg(long, value_name = "ID")]
    pub resource_id: Option<String>,
    /// Only what was allowed, or denied
    #[arg(long, value_name = "DECISION", value_parser = ["allow", "deny"])]
    pub decision: Option<String>,
    /// At or after this time, or this long ago: 2026-11-01, 1h
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<UnixMillis>,
    /// Before this time, or this long ago
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<UnixMillis>,
    /// The newest entries, still in their order
    #[arg(long)]
    pub newest: bool,
    /// Which part.
    #[command(flatten)]
    pub paging: Paging,
}

/// Arguments of `audit show`.
#[derive(Args, Debug)]
pub struct Show {
    /// Sequence of the entry
    pub seq: u64,
}

/// Arguments of `audit tail`.
#[derive(Args, Debug)]
pub struct Tail {
    /// Go on as entries are written, until interrupted
    #[arg(short, long)]
    pub follow: bool,
    /// Start after this sequence [default: the last ten entries]
    #[arg(long, value_name = "N")]
    pub since_seq: Option<u64>,
}

/// Arguments of `audit verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// The public key that must have signed the log, as text or a file that holds it
    /// [default: the key seen first]
    #[arg(long, value_name = "KEY|FILE")]
    pub key: Option<String>,
    /// Check this proof, as audit prove or audit consistency writes it, with --key and nothing
    /// else: no daemon, no home, no network
    #[arg(long, value_name = "FILE", requires = "key")]
    pub offline: Option<std::path::PathBuf>,
}
