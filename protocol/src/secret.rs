//! Secrets that cannot be printed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A bearer token (RFC 6750). Zeroed on drop; `Debug` never shows it.
///
/// It serialises in the clear, since it must cross the socket and stand in the file of a login
/// session; nothing else may serialise it.
#[derive(Clone)]
pub struct BearerToken(SecretString);

impl BearerToken {
    /// Takes the token out of plain text, trimming the line end that files have.
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text.trim().to_owned()))
    }

    /// Whether there is no token in it.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// Lends the text to verification and to the one place that shows a new token.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(..)")
    }
}

impl Serialize for BearerToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for BearerToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(SecretString::from(String::deserialize(deserializer)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_debug_shows_nothing() {
        let token = BearerToken::new("eyJhbGciOi.secret.part\n");
        assert_eq!(format!("{token:?}"), "BearerToken(..)");
        assert_eq!(token.expose(), "eyJhbGciOi.secret.part");
    }
}
