//! `memory`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;
use serde_json::Value;

use super::args::{Filter, OutFile, Paging, parse_pair, parse_seconds, parse_time};
use super::review::{Canary, Review};

/// Verbs of `memory`.
#[derive(Debug, Subcommand)]
pub enum Memory {
    /// Add a memory
    Add(Box<Add>),
    /// Add memories from JSON Lines
    Import(Box<Import>),
    /// Show memories
    Get(Ids),
    /// List memories, oldest first
    List(List),
    /// Find the memories that answer a question
    Search(Box<Search>),
    /// Change a memory; the old version stays in its history
    Update(Box<Update>),
    /// Show the versions of a memory, newest first
    History(History),
    /// Bring deleted memories back
    Restore(Ids),
    /// Delete memories; they can be restored until their retention ends
    Delete(Delete),
    /// Write memories as JSON Lines that `import` takes
    Export(Export),
    /// Count memories
    Stats(Stats),
    /// Look at what is held back, and let it be found or delete it
    #[command(subcommand)]
    Review(Review),
    /// Make memories that raise an alert when they are read
    #[command(subcommand)]
    Canary(Canary),
    /// Show how far the embedding of memories is, and try again what failed
    ///
    /// The daemon embeds by itself, also after its embedder was changed in the configuration. This
    /// command shows how far it is, until all is embedded. Interrupting it changes nothing.
    Reembed(Reembed),
    /// Make a block of text of the memories that answer a question, for a prompt
    Recall(Box<Recall>),
}

/// Arguments of `memory reembed`.
#[derive(Args, Debug)]
pub struct Reembed {
    /// Only say how far it is, and try nothing again
    #[arg(long)]
    pub status: bool,
}

/// What to do when a key exists already.
const ON_CONFLICT: [&str; 3] = ["fail", "update", "skip"];

/// Arguments of `memory add`.
#[derive(Args, Debug)]
pub struct Add {
    /// The text; `-` reads standard input, @FILE a file
    pub text: String,
    /// Its type [default: note]
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// A tag; repeat or separate by commas for more
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// An attribute of your own; repeat for more
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub metadata: Vec<(String, Value)>,
    /// A path such as /team/project [default: /]
    #[arg(long, value_name = "PATH")]
    pub namespace: Option<String>,
    /// The episode it belongs to
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// Your own unique key; adding the same again changes nothing
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// How far it is trusted, 0 to 100 [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub trust: Option<u8>,
    /// Expire after this long, such as 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds)]
    pub ttl: Option<u64>,
    /// Expire at this time
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "ttl")]
    pub expires_at: Option<UnixMillis>,
    /// When it was first noted, if not just now
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub created_at: Option<UnixMillis>,
    /// If the key exists with another content
    #[arg(long, value_name = "WHAT", default_value = "fail", value_parser = ON_CONFLICT)]
    pub on_conflict: String,
    /// Where you have it from, such as a page or a file; it stays part of the provenance
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
    /// Raise an alert whenever it is read or found
    #[arg(long)]
    pub canary: bool,
    /// If a memory of yours in the namespace says nearly the same: keep both, add none, or let the new
    /// one supersede it
    #[arg(long, value_name = "WHAT", default_value = "keep", value_parser = ON_DUPLICATE)]
    pub on_duplicate: String,
    /// From which cosine on two texts say nearly the same, above 0 to 1 [default: 0.9]
    #[arg(long, value_name = "COSINE")]
    pub duplicate_cosine: Option<f32>,
}

/// What to do when a memory says nearly the same.
const ON_DUPLICATE: [&str; 3] = ["keep", "skip", "supersede"];

fn parse_moment(text: &str) -> Result<UnixMillis, String> {
    text.parse()
        .map_err(|error: manushya_protocol::unit::ParseUnitError| error.to_string())
}

/// Arguments of `memory import`.
#[derive(Args, Debug)]
pub struct Import {
    /// JSON Lines, `-` for standard input
    pub file: PathBuf,
    /// If a key exists with another content
    #[arg(long, value_name = "WHAT", default_value = "update", value_parser = ON_CONFLICT)]
    pub on_conflict: String,
    /// Memories a batch
    #[arg(
        long, value_name = "N", default_value_t = 256,
        value_parser = clap::value_parser!(u32).range(1..=limits::BATCH_ITEMS_MAX as i64)
    )]
    pub batch: u32,
    /// Write each line that was refused, and why, to this file as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub reject: Option<PathBuf>,
    /// Remember in this file how far it came, and go on from there
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Type of lines that name none
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Tags added to every line
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Namespace of lines that name none
    #[arg(long, value_name = "PATH")]
    pub namespace: Option<String>,
    /// Session of lines that name none
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// Trust of lines that name none
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub trust: Option<u8>,
    /// Source of lines that name none
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
}

/// Names memories.
#[derive(Args, Debug)]
pub struct Ids {
    /// Ids of memories, or `-` for ids on standard input
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
}

/// Arguments of `memory list`.
#[derive(Args, Debug)]
pub struct List {
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
    /// The deleted ones, that can still be restored
    #[arg(long)]
    pub deleted: bool,
    /// The expired ones, that are not erased yet; needs the right to purge them
    #[arg(long, conflicts_with = "deleted")]
    pub expired: bool,
    /// Which part.
    #[command(flatten)]
    pub paging: Paging,
}

/// Arguments of `memory search`.
#[derive(Args, Debug)]
pub struct Search {
    /// The question; `-` reads standard input, @FILE a file
    pub query: String,
    /// How many results
    #[arg(
        short = 'k', long, value_name = "N", default_value_t = limits::SEARCH_LIMIT_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::SEARCH_LIMIT_MAX))
    )]
    pub limit: u32,
    /// By words, by meaning, or both
    #[arg(
        long, value_name = "MODE", default_value = "hybrid",
        value_parser = ["hybrid", "lexical", "semantic"]
    )]
    pub mode: String,
    /// Drop results scored below this, 0 to 1
    #[arg(long, value_name = "SCORE")]
    pub min_score: Option<f32>,
    /// Show what each score is made of, and why others are not in the answer
    #[arg(long)]
    pub explain: bool,
    /// What counts beside the question.
    #[command(flatten)]
    pub ranking: Ranking,
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
}

/// What counts beside the question.
#[derive(Args, Clone, Debug, Default)]
pub struct Ranking {
    /// After this long a memory counts half, such as 30d
    #[arg(long, value_name = "HALF_LIFE", value_parser = parse_seconds)]
    pub recency: Option<u64>,
    /// Multiply each score by the trust, as a share of 100
    #[arg(long)]
    pub by_trust: bool,
    /// Multiply each score by the attribute `importance`, 0 to 1; without one by 0.5
    #[arg(long)]
    pub by_importance: bool,
    /// Prefer results that differ, by this share: 0 not at all, 1 whatever they score [default: 0.3]
    #[arg(
        long, value_name = "SHARE", num_args = 0..=1, require_equals = true,
        default_missing_value = "0.3"
    )]
    pub diversify: Option<f32>,
    /// Show results once whose vectors have at least this cosine, above 0 to 1 [default: 0.95]
    #[arg(
        long, value_name = "COSINE", num_args = 0..=1, require_equals = true,
        default_missing_value = "0.95", conflicts_with = "duplicates"
    )]
    pub collapse: Option<f32>,
    /// Show results each that say the same word for word
    #[arg(long)]
    pub duplicates: bool,
    /// Search what was known at this time, or this long ago, as it was known then
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "superseded")]
    pub as_of: Option<UnixMillis>,
    /// Find superseded memories as well
    #[arg(long)]
    pub superseded: bool,
}

/// Arguments of `memory recall`.
#[derive(Args, Debug)]
pub struct Recall {
    /// The question; `-` reads standard input, @FILE a file
    pub query: String,
    /// How many tokens the block may have, as estimated
    #[arg(
        long, value_name = "TOKENS", default_value_t = limits::RECALL_TOKENS_DEFAULT,
        value_parser = clap::value_parser!(u32)
            .range(i64::from(limits::RECALL_TOKENS_MIN)..=i64::from(limits::RECALL_TOKENS_MAX))
    )]
    pub budget: u32,
    /// How many memories, without their neighbours
    #[arg(
        short = 'k', long, value_name = "N", default_value_t = limits::SEARCH_LIMIT_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::SEARCH_LIMIT_MAX))
    )]
    pub limit: u32,
    /// How many neighbours on each side in the same session come along, 0 to 2
    #[arg(
        long, value_name = "N", default_value_t = limits::RECALL_AROUND_MAX,
        value_parser = clap::value_parser!(u32).range(0..=i64::from(limits::RECALL_AROUND_MAX))
    )]
    pub around: u32,
    /// By words, by meaning, or both
    #[arg(
        long, value_name = "MODE", default_value = "hybrid",
        value_parser = ["hybrid", "lexical", "semantic"]
    )]
    pub mode: String,
    /// Leave out memories scored below this, 0 to 1
    #[arg(long, value_name = "SCORE")]
    pub min_score: Option<f32>,
    /// What counts beside the question.
    #[command(flatten)]
    pub ranking: Ranking,
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
}

/// Arguments of `memory update`.
#[derive(Args, Debug)]
#[command(group(
    clap::ArgGroup::new("change").multiple(true).required(true).args([
        "text", "kind", "tags", "clear_tags", "metadata", "clear_metadata", "namespace",
        "session", "trust", "ttl", "no_expiry",
    ])
))]
pub struct Update {
    /// Id of the memory
    pub id: String,
    /// A new text; `-` reads standard input, @FILE a file
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub text: Option<String>,
    /// A new type
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// New tags, replacing all of the old
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Remove all tags
    #[arg(long, conflicts_with = "tags")]
    pub clear_tags: bool,
    /// New attributes, replacing all of the old; repeat for more
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub metadata: Vec<(String, Value)>,
    /// Remove all attributes
    #[arg(long, conflicts_with = "metadata")]
    pub clear_metadata: bool,
    /// A new namespace
    #[arg(long, value_name = "PATH")]
    pub namespace: Option<String>,
    /// A new session; empty clears it
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// A new trust, 0 to 100
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub trust: Option<u8>,
    /// Expire this long from this moment
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds)]
    pub ttl: Option<u64>,
    /// Never expire
    #[arg(long, conflicts_with = "ttl")]
    pub no_expiry: bool,
    /// Fail with a conflict unless this is its version
    #[arg(long, value_name = "N")]
    pub if_version: Option<u32>,
    /// Where you have the new version from
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
}

/// Arguments of `memory history`.
#[derive(Args, Debug)]
pub struct History {
    /// Id of the memory
    pub id: String,
    /// Which part.
    #[command(flatten)]
    pub paging: Paging,
}

/// Arguments of `memory delete`.
#[derive(Args, Debug)]
pub struct Delete {
    /// Which.
    #[command(flatten)]
    pub ids: Ids,
    /// Erase at once and for good, with all earlier versions
    #[arg(long)]
    pub hard: bool,
}

/// Arguments of `memory export`.
#[derive(Args, Debug)]
pub struct Export {
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
    /// Where to.
    #[command(flatten)]
    pub file: OutFile,
}

/// Arguments of `memory stats`.
#[derive(Args, Debug)]
pub struct Stats {
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
}
