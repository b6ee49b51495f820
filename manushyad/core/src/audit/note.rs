//! Signed texts of lines `name: value`: what receipts and manifests have in common. They are notes
//! (<https://c2sp.org/signed-note>) whose first line tells one kind from another, and from a checkpoint.

use std::fmt::{Display, Write as _};
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signer, SigningKey};

use super::checkpoint::{NoteError, Origin, SIGNATURE_PREFIX, VerifierKey};

/// The text is not laid out as it should be.
pub(super) struct Malformed(pub(super) &'static str);

/// Adds a line.
pub(super) fn line(text: &mut String, name: &str, value: impl Display) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{name}: {value}");
}

/// Signs a text. The same text and key give the same note.
pub(super) fn sign(text: &str, origin: &Origin, key: &SigningKey) -> String {
    let verifier = VerifierKey::new(origin.clone(), key.verifying_key());
    let mut bytes = verifier.id().to_vec();
    bytes.extend_from_slice(&key.sign(text.as_bytes()).to_bytes());
    let signature = BASE64.encode(&bytes);
    format!("{text}\n{SIGNATURE_PREFIX}{origin} {signature}\n")
}

/// The text of a note that `key` has signed. The caller bounds its length.
pub(super) fn verified<'a>(note: &'a str, key: &VerifierKey) -> Result<&'a str, NoteError> {
    let end = note
        .find("\n\n")
        .ok_or(NoteError::Malformed("no blank line ends the text"))?;
    let (text, lines) = (&note[..=end], &note[end + 2..]);
    key.verify_lines(text, lines)?;
    Ok(text)
}

/// The lines of a text, in their order.
pub(super) struct Lines<'a>(std::str::SplitTerminator<'a, char>);

impl<'a> Lines<'a> {
    /// Those after the first one, which has to be `first`.
    pub(super) fn after(first: &str, text: &'a str) -> Result<Self, Malformed> {
        let mut lines = text.split_terminator('\n');
        if lines.next() != Some(first) {
            return Err(Malformed("it does not start as one"));
        }
        Ok(Self(lines))
    }

    /// The value of the next line, if it has this name.
    pub(super) fn named(&mut self, name: &str) -> Option<&'a str> {
        let mut ahead = self.0.clone();
        let value = ahead.next()?.strip_prefix(name)?.strip_prefix(": ")?;
        self.0 = ahead;
        Some(value)
    }

    /// The value of the next line, which has to have this name.
    pub(super) fn word(&mut self, name: &'static str) -> Result<&'a str, Malformed> {
        self.named(name)
            .ok_or(Malformed("a line is missing or out of place"))
    }

    /// The same, read as a value.
    pub(super) fn value<T: FromStr>(&mut self, name: &'static str) -> Result<T, Malformed> {
        parse(self.word(name)?)
    }

    /// The same, of a line that may be missing.
    pub(super) fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Malformed> {
        self.named(name).map(parse).transpose()
    }
}

/// Reads a value.
pub(super) fn parse<T: FromStr>(text: &str) -> Result<T, Malformed> {
    text.parse()
        .map_err(|_| Malformed("a value is not of its kind"))
}

/// Reads bytes in hexadecimal.
pub(super) fn hex<const N: usize>(text: &str) -> Result<[u8; N], Malformed> {
    HEXLOWER
        .decode(text.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Malformed("a value is not hexadecimal"))
}
