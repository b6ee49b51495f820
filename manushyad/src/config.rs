//! The daemon's settings: flags over environment over file over default, every bound checked.

mod embedder;
mod search;

use std::path::{Path, PathBuf};
use std::time::Duration;

use manushya_core::model::LimitTable;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::home::{Home, check_socket_path};
use manushya_protocol::limits;
use manushya_protocol::unit::parse_duration_seconds;
use serde::Deserialize;

mod anchor;

pub use anchor::Anchor;
use anchor::RawAudit;

pub use self::embedder::{EmbedderChoice, HttpOptions};
pub use self::search::SearchOptions;

/// What the passphrase is called among the credentials of a systemd service.
const CREDENTIAL: &str = "manushya-passphrase";
/// How much room is kept for when the disk is full.
const DISK_RESERVE_MIB: u64 = 8;

/// The setting `disk_reserve_mib`, in bytes.
fn reserve_bytes(mib: Option<u64>) -> u64 {
    mib.unwrap_or(DISK_RESERVE_MIB).saturating_mul(1 << 20)
}

/// What the caller of the daemon gives: flags that win over everything else.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The folder everything lies under, as `MANUSHYA_HOME`.
    pub home: Option<PathBuf>,
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// The socket.
    pub socket: Option<PathBuf>,
    /// A file whose first line is the passphrase of the keys.
    pub passphrase_file: Option<PathBuf>,
    /// The public half of the recovery key of a home that is to be made, as age writes it.
    pub recovery_recipient: Option<String>,
    /// `text` or `json`.
    pub log_format: Option<String>,
}

/// The whole file. What is beside `[daemon]` belongs to the clients, who check it.
#[derive(Debug, Default, Deserialize)]
struct RawFile {
    #[serde(default)]
    daemon: RawDaemon,
    #[serde(default)]
    audit: RawAudit,
    #[serde(default)]
    socket: Option<PathBuf>,
}

/// The table `[daemon]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDaemon {
    retention: Option<String>,
    audit_reads: Option<String>,
    sweep_interval: Option<String>,
    snapshot_interval: Option<String>,
    graph_threshold: Option<usize>,
    language: Option<String>,
    search_lexical_weight: Option<f64>,
    search_feedback: Option<bool>,
    operator_uids: Option<Vec<u32>>,
    socket_gid: Option<u32>,
    limits: Option<String>,
    passphrase_file: Option<PathBuf>,
    lock_memory: Option<bool>,
    erasure_ledger: Option<PathBuf>,
    disk_reserve_mib: Option<u64>,
    log: Option<String>,
    log_format: Option<String>,
    embedder: Option<String>,
    model: Option<String>,
    embedder_url: Option<String>,
    embedder_dims: Option<usize>,
    embedder_revision: Option<String>,
    embedder_key_file: Option<PathBuf>,
    embedder_timeout: Option<String>,
    embedder_batch: Option<usize>,
    embedder_text_prefix: Option<String>,
    embedder_question_prefix: Option<String>,
    embedder_allow_plain: Option<bool>,
}

/// How reads are audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditReads {
    /// The reply waits until its entry is on disk.
    Durable,
    /// The reply goes first; the entry follows with the next commit, within milliseconds.
    Deferred,
}

impl AuditReads {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Deferred => "deferred",
        }
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The settings, resolved and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where things lie.
    pub home: Home,
    /// The socket.
    pub socket: PathBuf,
    /// How long a deleted memory can be restored, in seconds.
    pub retention_seconds: u64,
    /// How reads are audited.
    pub audit_reads: AuditReads,
    /// Where checkpoints of the audit log go.
    pub anchor: Anchor,
    /// How often what is due is erased.
    pub sweep_interval: Duration,
    /// How often the index is saved.
    pub snapshot_interval: Duration,
    /// From how many vectors on a tenant gets a graph.
    pub graph_threshold: usize,
    /// What turns text into vectors.
    pub embedder: EmbedderChoice,
    /// What counts in a search.
    pub search: SearchOptions,
    /// User ids that are the operator of the host, beside the daemon's own.
    pub operator_uids: Vec<u32>,
    /// A group whose members may connect; what they may do is for their tokens to say.
    pub socket_gid: Option<u32>,
    /// Which table of limits holds where none was set.
    pub limits: LimitTable,
    /// A file whose first line is the passphrase of the keys.
    pub passphrase_file: Option<PathBuf>,
    /// The public half of the recovery key of a home that is to be made.
    pub recovery_recipient: Option<String>,
    /// Whether the memory of the daemon is kept out of swap where the kernel allows it.
    pub lock_memory: bool,
    /// Where the copy of the erasure ledger lies.
    pub erasure_ledger: PathBuf,
    /// How much room is kept for when the disk is full, in bytes; none if zero.
    pub disk_reserve_bytes: u64,
    /// What is logged, as a filter of the crate `tracing-subscriber`.
    pub log: String,
    /// How the log is written; by default text on a terminal and JSON elsewhere.
    pub log_format: Option<LogFormat>,
}

/// One setting before it is resolved: where it came from, for messages.
struct Layered {
    key: &'static str,
    value: Option<(String, String)>,
}

fn layered(key: &'static str, flag: Option<String>, file: Option<String>, path: &Path) -> Layered {
    let variable = format!("MANUSHYA_{}", key.to_uppercase());
    let value = flag
        .map(|value| (value, "the command line".to_owned()))
        .or_else(|| {
            let value = std::env::var(&variable)
                .ok()
                .filter(|value| !value.is_empty())?;
            Some((value, format!("the variable {variable}")))
        })
        .or_else(|| file.map(|value| (value, path.display().to_string())));
    Layered { key, value }
}

impl Layered {
    fn parse<T>(
        self,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, WireError> {
        let Some((value, origin)) = self.value else {
            return Ok(default);
        };
        parse(&value).map_err(|reason| {
            let message = format!("the setting daemon.{} is not valid", self.key);
            WireError::new(ErrorCode::InvalidArgument, message)
                .reason(reason)
                .hint(format!("it comes from {origin}"))
        })
    }
}

/// The passphrase that systemd hands to the service (`LoadCredential=`), if it does.
fn credential() -> Option<PathBuf> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|it| !it.is_empty())?;
    let file = PathBuf::from(folder).join(CREDENTIAL);
    file.exists().then_some(file)
}

fn seconds(text: &str) -> Result<u64, String> {
    parse_duration_seconds(text).map_err(|error| error.to_string())
}

fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("it must be one of: {}", all.join(", "))
    })
}

fn read_file(path: &Path, must_exist: bool) -> Result<RawFile, WireError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => {
            return Ok(RawFile::default());
        }
        Err(error) => {
            let message = format!("the configuration file {} cannot be read", path.display());
            return Err(
                WireError::new(ErrorCode::InvalidArgument, message).reason(error.to_string())
            );
        }
    };
    toml::from_str(&text).map_err(|error| {
        let message = format!("the configuration file {} is not valid", path.display());
        WireError::new(ErrorCode::InvalidArgument, message)
            .reason(error.to_string().trim().replace('\n', " "))
            .hint("manushyactl config template shows every key")
    })
}

impl Config {
    /// Resolves the settings.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, naming the key and where its value came from.
    pub fn resolve(options: &RunOptions) -> Result<Self, WireError> {
        let home = options
            .home
            .as_deref()
            .map_or_else(Home::from_env, Home::under);
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let given = options
            .config
            .clone()
            .or_else(|| variable("MANUSHYA_CONFIG").map(PathBuf::from));
        let files = given
            .clone()
            .map_or_else(|| home.config_files(), |file| vec![file]);
        let path = files
            .iter()
            .find(|file| file.exists())
            .unwrap_or(&files[0])
            .clone();
        let file = read_file(&path, given.is_some())?;
        let socket = options.socket.clone();
        let socket = socket.or_else(|| variable("MANUSHYA_SOCKET").map(PathBuf::from));
        let socket = socket.or(file.socket).unwrap_or_else(|| home.socket());
        check_socket_path(&socket)?;
        let mut daemon = file.daemon;
        let embedder = embedder::resolve(&mut daemon, &path)?;
        let search = search::resolve(&mut daemon, &path)?;
        let at = |key, flag, file| layered(key, flag, file, &path);
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let reads = [
            ("durable", AuditReads::Durable),
            ("deferred", AuditReads::Deferred),
        ];
        let tables = [LimitTable::Off, LimitTable::Local, LimitTable::Shared]
            .map(|table| (table.as_str(), table));
        let ledger = || home.state.join("erasures.ledger");
        Ok(Self {
            erasure_ledger: daemon.erasure_ledger.unwrap_or_else(ledger),
            disk_reserve_bytes: reserve_bytes(daemon.disk_reserve_mib),
            retention_seconds: at("retention", None, daemon.retention)
                .parse(limits::RETENTION_SECONDS_DEFAULT, seconds)?,
            audit_reads: at("audit_reads", None, daemon.audit_reads)
                .parse(AuditReads::Durable, |text| one_of(text, &reads))?,
            anchor: Anchor::resolve(file.audit, &home)?,
            sweep_interval: at("sweep_interval", None, daemon.sweep_interval)
                .parse(60, seconds)
                .map(Duration::from_secs)?,
            snapshot_interval: at("snapshot_interval", None, daemon.snapshot_interval)
                .parse(600, seconds)
                .map(Duration::from_secs)?,
            graph_threshold: daemon.graph_threshold.unwrap_or(10_000),
            embedder,
            search,
            operator_uids: daemon.operator_uids.unwrap_or_default(),
            socket_gid: daemon.socket_gid,
            limits: at("limits", None, daemon.limits)
                .parse(LimitTable::Local, |text| one_of(text, &tables))?,
            recovery_recipient: options.recovery_recipient.clone(),
            passphrase_file: (options.passphrase_file.clone())
                .or(daemon.passphrase_file)
                .or_else(credential),
            lock_memory: daemon.lock_memory.unwrap_or(true),
            log: at("log", None, daemon.log)
                .parse("info".to_owned(), |text| Ok(text.to_owned()))?,
            log_format: at("log_format", options.log_format.clone(), daemon.log_format)
                .parse(None, |text| one_of(text, &formats).map(Some))?,
            home,
            socket,
        })
    }
}
