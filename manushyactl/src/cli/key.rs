//! `key`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Verbs of `key`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// List the keys of this host: of tokens, the root, the audit log and data
    List,
    /// Put a new key in the place of one; what the old one signed stays good until it ends
    Rotate(KeyRotate),
    /// Write the public keys as a JSON Web Key Set, so that others can verify tokens
    Jwks,
    /// Lock the identity of this host by a passphrase, or take the lock away
    #[command(subcommand)]
    Passphrase(Passphrase),
    /// Make a new identity for a home that has lost its own, with the recovery key; the daemon is down
    Recover(Recover),
    /// Manage the key that opens the home if its identity is lost
    #[command(subcommand)]
    Recovery(Recovery),
}

/// Arguments of `key recover`.
#[derive(Args, Debug)]
pub struct Recover {
    /// File of the recovery key, as the first start showed it, `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub identity_file: PathBuf,
    /// File whose first line is to lock the new identity [default: what the configuration names]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Verbs of `key recovery`.
#[derive(Debug, Subcommand)]
pub enum Recovery {
    /// Make another recovery key, show it once, and let the one before open the home no more
    New,
}

/// Verbs of `key passphrase`.
#[derive(Debug, Subcommand)]
pub enum Passphrase {
    /// Lock the identity: each start from here on needs the passphrase
    Set(PassphraseSet),
    /// Write the identity in the clear, for its owner only
    Remove,
}

/// Arguments of `key passphrase set`.
#[derive(Args, Debug)]
pub struct PassphraseSet {
    /// File whose first line is the passphrase, `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
}

/// Arguments of `key rotate`.
#[derive(Args, Debug)]
pub struct KeyRotate {
    /// Which key
    #[arg(value_enum)]
    pub which: Rotatable,
}

/// Keys that can be rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rotatable {
    /// The key that signs access tokens
    Jwt,
    /// The root, under which all others are wrapped; no record is written
    Root,
    /// The keys of records: all are sealed anew, while the daemon serves
    Data,
    /// The key that signs the audit log; the old one vouches for the new one, and what it signed
    /// goes on verifying
    Audit,
}
