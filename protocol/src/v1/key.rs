//! The keys that sign tokens.

use serde::{Deserialize, Serialize};

use crate::unit::UnixMillis;

/// A key, as shown: never its secret half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// Its name in the headers of tokens.
    pub kid: String,
    /// What it is for: `jwt`.
    pub kind: String,
    /// `signing`, or `verifying` until the tokens it signed have ended.
    pub state: String,
    /// When it began to sign; absent for the first.
    pub created_at: Option<UnixMillis>,
    /// When another took its place.
    pub retired_at: Option<UnixMillis>,
}

/// Answers a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRotated {
    /// The key that signs from here on. Absent in a dry run.
    pub kid: Option<String>,
    /// The one it takes the place of.
    pub retired: Option<String>,
    /// Keys that were removed, since all tokens they signed have ended.
    pub removed: Vec<String>,
}

/// A public key as a JSON Web Key (RFC 7517 section 4, RFC 8037 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Always `OKP`.
    pub kty: String,
    /// Always `Ed25519`.
    pub crv: String,
    /// The public key, base64url.
    pub x: String,
    /// Its name in the headers of tokens.
    pub kid: String,
    /// Always `EdDSA`.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}

/// The public keys that verify tokens (RFC 7517 section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The keys, oldest first.
    pub keys: Vec<Jwk>,
}
