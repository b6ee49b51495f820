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

/// The passphrase of the keys. Zeroed on drop; `Debug` never shows it.
///
/// It serialises in the clear, since it must cross the socket; nothing else may serialise it.
#[derive(Clone)]
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Takes the first line of a text, as files that hold a passphrase have it.
    pub fn of_text(text: &str) -> Self {
        Self(SecretString::from(
            text.lines().next().unwrap_or_default().to_owned(),
        ))
    }

    /// Whether there is none in it.
    pub fn is_empty(&self) -> bool {
        self.0.expose_secret().is_empty()
    }

    /// Hands it to what derives a key from it.
    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

impl Serialize for Passphrase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Passphrase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(SecretString::from(String::deserialize(deserializer)?)))
    }
}

/// The secret half of a recovery key, as age writes it. Zeroed on drop; `Debug` never shows it.
///
/// It serialises in the clear, for the one command that shows a new one; nothing else may serialise it.
#[derive(Clone)]
pub struct RecoverySecret(SecretString);

impl RecoverySecret {
    /// Takes it over.
    pub fn new(secret: SecretString) -> Self {
        Self(secret)
    }

    /// Takes over a text that holds it.
    pub fn of_text(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// Lends the text to the one place that shows it, and to what opens a home with it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for RecoverySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoverySecret(..)")
    }
}

impl Serialize for RecoverySecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
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

    #[test]
    fn passphrase_is_the_first_line_and_debug_shows_nothing() {
        let passphrase = Passphrase::of_text(" correct horse \nsecond line\n");
        assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
        assert_eq!(passphrase.into_secret().expose_secret(), " correct horse ");
        assert!(Passphrase::of_text("\nx").is_empty());
    }
}
