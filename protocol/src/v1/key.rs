//! The keys that sign tokens.

use serde::{Deserialize, Serialize};

use crate::secret::Passphrase;

use crate::unit::UnixMillis;

/// A key, as shown: never its secret half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// Its name: of a key of tokens that in their headers, of the root its epoch, of the log's key its
    /// id in signatures, of data keys the number below which none is used, of the recovery key its public
    /// half.
    pub kid: String,
    /// What it is for: `jwt`, `root`, `audit`, `data` or `recovery`.
    pub kind: String,
    /// `signing`, `wrapping`, `sealing` or `recovering`; or `verifying` until the tokens it signed have ended.
    pub state: String,
    /// When it began to sign; absent for the first.
    pub created_at: Option<UnixMillis>,
    /// When another took its place.
    pub retired_at: Option<UnixMillis>,
    /// How many keys there are of this kind, where they are not told one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// One step of giving every record a new data key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRotateData {
    /// What the first step answered as `below`; absent in the first step.
    #[serde(default)]
    pub below: Option<u64>,
}

/// Answers a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDataRotated {
    /// Keys with a number below this are to be replaced.
    pub below: u64,
    /// How many were replaced by this step.
    pub replaced: u64,
    /// How many are yet to be replaced.
    pub left: u64,
    /// Replaced keys that are not destroyed yet, since something that reads an earlier state needs
    /// them; they go when that ends, and at the next start at the latest.
    pub waiting: u64,
}

/// Locks the identity of this host by a passphrase, or takes the lock away.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct KeyPassphrase {
    /// The passphrase; none takes the lock away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<Passphrase>,
}

/// Lets another recovery key open the home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecoverySet {
    /// Its public half, as age writes it (`age1...`). The secret half stays with who made it.
    pub recipient: String,
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
