//! Checkpoints: the head of the log as a signed note that any C2SP tool can read.
//!
//! Text form: <https://c2sp.org/tlog-checkpoint> inside <https://c2sp.org/signed-note>, with
//! Ed25519 (RFC 8032) signatures of type `0x01`. Stricter than those in two points: the origin is
//! the name of the key, and there are no extension lines, so that a head has one text.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use manushya_protocol::unit::AuditSeq;
use sha2::{Digest, Sha256};

use super::note;
use crate::model::Hash;

/// The longest signed checkpoint that is read, in bytes; longer text is refused unread.
pub const NOTE_BYTES_MAX: usize = 8 << 10;

/// The longest name of a log, in bytes.
pub const ORIGIN_BYTES_MAX: usize = 255;

/// The signature type of Ed25519 in signed notes.
const ED25519: u8 = 1;

/// What a signature line starts with: an em dash and a space.
pub(super) const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// Says why a text is not a checkpoint that the key has signed, or not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is beyond its bound.
    #[error("a checkpoint has {actual} bytes; the limit is {NOTE_BYTES_MAX}")]
    TooLong {
        /// How many there are.
        actual: usize,
    },
    /// The text is not laid out as a checkpoint.
    #[error("a checkpoint is malformed: {0}")]
    Malformed(&'static str),
    /// The name cannot name a log.
    #[error(
        "a log's name must have 1 to {ORIGIN_BYTES_MAX} bytes without spaces, `+` or control \
         characters"
    )]
    Origin,
    /// The text is not a verifier key.
    #[error("a verifier key is malformed: {0}")]
    Key(&'static str),
    /// None of the signatures is by the key.
    #[error("a checkpoint is not signed by the key of `{0}`")]
    NotSigned(Origin),
    /// A signature that claims to be by the key is not.
    #[error("a checkpoint has a false signature in the name of `{0}`")]
    FalseSignature(Origin),
    /// The key signed the head of a log with another name.
    #[error("a checkpoint is of another log than `{0}`")]
    OtherLog(Origin),
    /// The key was replaced before the log had that many entries.
    #[error("a checkpoint of {size} entries is signed by a key that was replaced with entry {seq}")]
    Replaced {
        /// How many entries it states.
        size: u64,
        /// The entry from which on another key signs.
        seq: AuditSeq,
    },
}

/// Names a log and its key, as `example.com/log`: 1 to 255 bytes without spaces, `+` or control
/// characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`NoteError::Origin`] if it is empty, too long, or has a character that a note cannot carry.
    pub fn new(name: &str) -> Result<Self, NoteError> {
        let fits = (1..=ORIGIN_BYTES_MAX).contains(&name.len());
        let bad = |c: char| c == '+' || c.is_whitespace() || c.is_control();
        if !fits || name.contains(bad) {
            return Err(NoteError::Origin);
        }
        Ok(Self(name.to_owned()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The public key of a log together with the log's name, as verifiers are given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    origin: Origin,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Makes the verifier key of a log from its public key.
    pub fn new(origin: Origin, key: VerifyingKey) -> Self {
        Self { origin, key }
    }

    /// Returns the name of the log.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the public key alone.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Returns the key id that signature lines carry: the first 4 bytes of
    /// `SHA-256(name || 0x0A || 0x01 || public key)`.
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(&self.origin.0)
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Verifies the signature lines below `text`: at least one by this key, and none false.
    pub(super) fn verify_lines(&self, text: &str, lines: &str) -> Result<(), NoteError> {
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed("it does not end with a line feed"))?;
        let id = self.id();
        let mut signed = false;
        for line in lines.split('\n') {
            let (name, bytes) = signature_line(line)?;
            let (line_id, signature) = bytes
                .split_first_chunk::<4>()
                .filter(|(_, signature)| !signature.is_empty())
                .ok_or(NoteError::Malformed("a signature is too short"))?;
            // Lines of other keys are for others to check, as are witnesses' cosignatures.
            if name != self.origin || *line_id != id {
                continue;
            }
            Signature::from_slice(signature)
                .and_then(|signature| self.key.verify_strict(text.as_bytes(), &signature))
                .map_err(|_| NoteError::FalseSignature(self.origin.clone()))?;
            signed = true;
        }
        if signed {
            Ok(())
        } else {
            Err(NoteError::NotSigned(self.origin.clone()))
        }
    }
}

/// Takes a signature line apart into the name of its key and the signature's bytes.
fn signature_line(line: &str) -> Result<(Origin, Vec<u8>), NoteError> {
    let malformed = || NoteError::Malformed("a signature line is not `\u{2014} name base64`");
    let (name, base64) = line
        .strip_prefix(SIGNATURE_PREFIX)
        .and_then(|rest| rest.split_once(' '))
        .ok_or_else(malformed)?;
    let bytes = BASE64
        .decode(base64.as_bytes())
        .map_err(|_| NoteError::Malformed("a signature is not base64"))?;
    Ok((Origin::new(name)?, bytes))
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = HEXLOWER.encode(&self.id());
        let mut bytes = [ED25519; 33];
        bytes[1..].copy_from_slice(self.key.as_bytes());
        write!(f, "{}+{id}+{}", self.origin, BASE64.encode(&bytes))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    /// Reads the text form `name+id+base64(0x01 || public key)`.
    fn from_str(text: &str) -> Result<Self, NoteError> {
        if text.len() > ORIGIN_BYTES_MAX + 64 {
            return Err(NoteError::Key("it is too long"));
        }
        // Base64 has `+` too, so only the first two of them separate.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(base64)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(NoteError::Key("it is not `name+id+key`"));
        };
        let bytes = BASE64
            .decode(base64.as_bytes())
            .map_err(|_| NoteError::Key("its last part is not base64"))?;
        let key = match bytes.split_first() {
            Some((&ED25519, key)) => key,
            _ => return Err(NoteError::Key("it is not of the type Ed25519")),
        };
        let key = VerifyingKey::try_from(key)
            .ok()
            .filter(|key| !key.is_weak())
            .ok_or(NoteError::Key("it is not a sound Ed25519 public key"))?;
        let verifier = Self::new(Origin::new(name)?, key);
        if id.as_bytes() != HEXLOWER.encode(&verifier.id()).as_bytes() {
            return Err(NoteError::Key("its id is not of this name and key"));
        }
        Ok(verifier)
    }
}

/// What a log commits to: that its first `size` entries have this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Names the log.
    pub origin: Origin,
    /// How many entries there are.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Returns the three lines that are signed.
    fn text(&self) -> String {
        let root = BASE64.encode(&self.root.0);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Signs it as the log it names. The same checkpoint and key give the same text.
    pub fn sign(&self, key: &SigningKey) -> String {
        note::sign(&self.text(), &self.origin, key)
    }

    /// Verifies a signed checkpoint and only then reads it.
    ///
    /// Signatures by other keys are passed over; one in the name of `key` that is false refuses the
    /// whole text. Ed25519 is verified strictly: no weak keys, no malleable signatures.
    ///
    /// # Errors
    ///
    /// A [`NoteError`] that says what is malformed, or that the key has not signed it.
    pub fn verify(text: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let actual = text.len();
        if actual > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { actual });
        }
        let checkpoint = Self::parse(note::verified(text, key)?)?;
        if checkpoint.origin != key.origin {
            return Err(NoteError::OtherLog(key.origin.clone()));
        }
        Ok(checkpoint)
    }

    /// Reads the three signed lines.
    fn parse(body: &str) -> Result<Self, NoteError> {
        let mut lines = body.split_terminator('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Malformed("its text has not three lines"));
        };
        let canonical = size == "0" || !size.starts_with('0');
        let digits = size.bytes().all(|byte| byte.is_ascii_digit());
        let size = Some(size)
            .filter(|_| canonical && digits)
            .and_then(|size| size.parse().ok())
            .ok_or(NoteError::Malformed("its size is not a plain number"))?;
        let root = BASE64
            .decode(root.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(NoteError::Malformed("its root is not base64 of 32 bytes"))?;
        Ok(Self {
            origin: Origin::new(origin)?,
            size,
            root: Hash(root),
        })
    }
}

#[cfg(test)]
mod tests;
