//! `backup`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Verbs of `backup`.
#[derive(Debug, Subcommand)]
pub enum Backup {
    /// Take a backup of everything while the daemon serves
    Create(Create),
    /// Prove that a backup restores, without touching the home
    Verify(Verify),
    /// Restore a backup into an empty home, and do again every erasure made since
    Restore(Restore),
    /// List the backups that may still exist, oldest first
    List,
    /// Take a backup off the list, once its file is destroyed
    Forget(Forget),
}

/// Arguments of `backup create`.
#[derive(Args, Debug)]
pub struct Create {
    /// File to write; it must not exist
    pub file: PathBuf,
    /// To whom to encrypt it, as age writes recipients; give it again for more [default: this home
    /// and its recovery key]
    #[arg(long, value_name = "age1...")]
    pub recipient: Vec<String>,
    /// How long it will be kept, such as 90d; receipts of erasure tell until when it holds things
    #[arg(long, value_name = "DURATION")]
    pub keep: Option<String>,
}

/// What opens a backup and who must have signed it.
#[derive(Args, Clone, Debug)]
pub struct Opening {
    /// The backup
    pub file: PathBuf,
    /// File of the age identity that opens it, such as the recovery key [default: the home's own]
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// The home it was taken of, if that is still there: its identity opens the backup, its audit
    /// key must have signed it, its erasure ledger is applied
    #[arg(long, value_name = "DIR")]
    pub from_home: Option<PathBuf>,
    /// Public audit key that must have signed it, or a file that holds it [default: the home's own]
    #[arg(long, value_name = "KEY|FILE")]
    pub key: Option<String>,
    /// File whose first line is the passphrase of the identity
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Arguments of `backup verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// What opens it.
    #[command(flatten)]
    pub opening: Opening,
}

/// Arguments of `backup restore`.
#[derive(Args, Debug)]
pub struct Restore {
    /// What opens it.
    #[command(flatten)]
    pub opening: Opening,
    /// Restore into this home instead, a folder as MANUSHYA_HOME names it
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// A further copy of the erasure ledger; give it again for more
    #[arg(long, value_name = "FILE")]
    pub ledger: Vec<PathBuf>,
    /// Leave access tokens good, also those revoked since the backup
    #[arg(long)]
    pub keep_tokens: bool,
}

/// Arguments of `backup forget`.
#[derive(Args, Debug)]
pub struct Forget {
    /// Id of the backup
    pub id: String,
}
