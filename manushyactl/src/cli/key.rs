//! `key`.

use clap::{Args, Subcommand, ValueEnum};

/// Verbs of `key`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// List the keys that sign access tokens
    List,
    /// Put a new key in the place of one; what the old one signed stays good until it ends
    Rotate(KeyRotate),
    /// Write the public keys as a JSON Web Key Set, so that others can verify tokens
    Jwks,
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
}
