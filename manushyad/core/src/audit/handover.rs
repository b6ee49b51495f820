//! Hand-overs: from an entry on another key signs the log, and the key before vouches for it.
//!
//! Who holds any key of a log can follow its hand-overs to the newest, and needs nobody's word for
//! it. Nothing leads back: who holds a later key learns nothing of those before. The statement is an
//! extension of the entry ([`NextAuditKey`]); `docs/formats/audit.md` has its bytes.

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::HandOverView;

use super::checkpoint::{Checkpoint, NoteError, VerifierKey};
use crate::model::NextAuditKey;

/// How often the key of one log is replaced at the most: once a week for ten years.
pub const HAND_OVERS_MAX: usize = 512;

/// Says why a hand-over does not lead from one key to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandOverError {
    /// The key that takes over is none.
    #[error("the log is handed over to what is no sound Ed25519 public key")]
    Unsound,
    /// The key before did not sign it.
    #[error("a hand-over of the log to another key is not signed by the key before")]
    NotSigned,
    /// There are too many of them.
    #[error("the log was handed over more than {HAND_OVERS_MAX} times")]
    TooMany,
    /// They are no chain.
    #[error("the hand-overs of the log do not follow each other")]
    Gap,
    /// A text of one is none.
    #[error("a hand-over is malformed: {0}")]
    Malformed(&'static str),
    /// What is told of them is not what the log has.
    #[error("the hand-overs that are told are not those in the log")]
    NotOfLog,
}

/// That `new` signs the log from here on, signed by `old`. The same keys give the same statement.
pub fn vouch(old: &SigningKey, new: &VerifyingKey) -> NextAuditKey {
    let public = new.to_bytes();
    NextAuditKey {
        public,
        signature: old.sign(&NextAuditKey::signed(&public)).to_bytes(),
    }
}

/// Checks that the key `before` vouches for the next one, and returns that.
///
/// # Errors
///
/// [`HandOverError::Unsound`] or [`HandOverError::NotSigned`].
pub fn check(next: &NextAuditKey, before: &VerifyingKey) -> Result<VerifyingKey, HandOverError> {
    let key = sound(&next.public)?;
    let signature = Signature::from_bytes(&next.signature);
    before
        .verify_strict(&NextAuditKey::signed(&next.public), &signature)
        .map_err(|_| HandOverError::NotSigned)?;
    Ok(key)
}

fn sound(public: &[u8; 32]) -> Result<VerifyingKey, HandOverError> {
    VerifyingKey::from_bytes(public)
        .ok()
        .filter(|key| !key.is_weak())
        .ok_or(HandOverError::Unsound)
}

/// A hand-over as it is told, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// Its entry, the first that the new key answers for.
    pub seq: AuditSeq,
    /// The key before.
    pub from: VerifierKey,
    /// The new key.
    pub to: VerifierKey,
    /// The signature of the one for the other.
    pub signature: [u8; 64],
}

impl HandOver {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`HandOverError::Malformed`].
    pub fn read(view: &HandOverView) -> Result<Self, HandOverError> {
        let key = |text: &str| {
            text.parse()
                .map_err(|_: NoteError| HandOverError::Malformed("a key of it is none"))
        };
        // Longer than it can be is refused before it is decoded.
        let signature = Some(view.signature.as_bytes())
            .filter(|text| text.len() == BASE64.encode_len(64))
            .and_then(|text| BASE64.decode(text).ok())
            .and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            seq: view.seq,
            from: key(&view.from)?,
            to: key(&view.to)?,
            signature: signature.ok_or(HandOverError::Malformed(
                "its signature is not base64 of 64 bytes",
            ))?,
        })
    }

    /// Shows it.
    pub fn show(&self) -> HandOverView {
        HandOverView {
            seq: self.seq,
            from: self.from.to_string(),
            to: self.to.to_string(),
            signature: BASE64.encode(&self.signature),
        }
    }
}

/// One key and the first entry it answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Era {
    since: u64,
    key: VerifierKey,
}

/// The keys of a log, from one that is trusted to the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Oldest first; never empty.
    eras: Vec<Era>,
}

impl From<VerifierKey> for Keys {
    fn from(key: VerifierKey) -> Self {
        Self {
            eras: vec![Era { since: 0, key }],
        }
    }
}

impl Keys {
    /// Follows hand-overs from a key that is trusted. Those before it are passed over: they say
    /// nothing to who trusts it.
    ///
    /// # Errors
    ///
    /// A [`HandOverError`] if they are too many, no chain, or one is not signed by the key before it.
    pub fn follow(trusted: VerifierKey, told: &[HandOver]) -> Result<Self, HandOverError> {
        if told.len() > HAND_OVERS_MAX {
            return Err(HandOverError::TooMany);
        }
        let start = told
            .iter()
            .position(|one| one.from == trusted)
            .unwrap_or(told.len());
        let mut keys = Self::from(trusted);
        for one in &told[start..] {
            if one.from != *keys.newest() {
                return Err(HandOverError::Gap);
            }
            let next = NextAuditKey {
                public: one.to.key().to_bytes(),
                signature: one.signature,
            };
            keys.hand_over(one.seq.0, &next)?;
            if one.to != *keys.newest() {
                return Err(HandOverError::Gap);
            }
        }
        Ok(keys)
    }

    /// As [`Self::follow`], of hand-overs as they come with a proof.
    ///
    /// # Errors
    ///
    /// As [`Self::follow`], and if one is malformed.
    pub fn follow_told(trusted: VerifierKey, told: &[HandOverView]) -> Result<Self, HandOverError> {
        if told.len() > HAND_OVERS_MAX {
            return Err(HandOverError::TooMany);
        }
        let read: Result<Vec<_>, _> = told.iter().map(HandOver::read).collect();
        Self::follow(trusted, &read?)
    }

    /// Takes in the next key, which the newest vouches for from entry `seq` on.
    fn hand_over(&mut self, seq: u64, next: &NextAuditKey) -> Result<(), HandOverError> {
        let newest = self.newest();
        let key = check(next, newest.key())?;
        let key = VerifierKey::new(newest.origin().clone(), key);
        if self.eras.last().is_some_and(|era| era.since >= seq) {
            return Err(HandOverError::Gap);
        }
        self.eras.push(Era { since: seq, key });
        Ok(())
    }

    /// The key that signs now.
    pub fn newest(&self) -> &VerifierKey {
        &self.eras[self.eras.len() - 1].key
    }

    /// All of them, oldest first.
    pub fn to_vec(&self) -> Vec<VerifierKey> {
        self.eras.iter().map(|era| era.key.clone()).collect()
    }

    /// Verifies a signed checkpoint and only then reads it. A key that was replaced signs nothing
    /// that holds the entry that replaced it.
    ///
    /// # Errors
    ///
    /// A [`NoteError`] that says what is malformed, or that none of the keys has signed it.
    pub fn verify(&self, note: &str) -> Result<Checkpoint, NoteError> {
        let mut refused = NoteError::NotSigned(self.newest().origin().clone());
        let mut replaced = u64::MAX;
        for era in self.eras.iter().rev() {
            match Checkpoint::verify(note, &era.key) {
                Ok(checkpoint) if checkpoint.size >= replaced => {
                    return Err(NoteError::Replaced {
                        size: checkpoint.size,
                        seq: AuditSeq(replaced),
                    });
                }
                Ok(checkpoint) => return Ok(checkpoint),
                Err(error @ NoteError::NotSigned(_)) => refused = error,
                Err(error) => return Err(error),
            }
            replaced = era.since;
        }
        Err(refused)
    }
}

/// The hand-overs that were met in a log, each of them signed by the key of the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met(Vec<(u64, NextAuditKey)>);

impl Met {
    /// Takes in what stands in entry `seq`.
    ///
    /// # Errors
    ///
    /// A [`HandOverError`] if the key before did not sign it, where that key is known from the log.
    pub fn push(&mut self, seq: u64, next: NextAuditKey) -> Result<(), HandOverError> {
        match self.0.last() {
            _ if self.0.len() >= HAND_OVERS_MAX => return Err(HandOverError::TooMany),
            None => drop(sound(&next.public)?),
            Some((_, before)) => drop(check(&next, &sound(&before.public)?)?),
        }
        self.0.push((seq, next));
        Ok(())
    }

    /// The keys from a trusted one on. It is the one that a hand-over leads to, or else it must have
    /// signed the first.
    ///
    /// # Errors
    ///
    /// [`HandOverError::NotSigned`] if it is neither.
    pub fn keys(&self, trusted: VerifierKey) -> Result<Keys, HandOverError> {
        let public = trusted.key().to_bytes();
        let at = self.0.iter().position(|(_, next)| next.public == public);
        let mut keys = Keys::from(trusted);
        for (seq, next) in &self.0[at.map_or(0, |at| at + 1)..] {
            keys.hand_over(*seq, next)?;
        }
        Ok(keys)
    }

    /// Holds what was told of a log against its first `size` entries, in which these were met. What is
    /// told of later ones says nothing about them.
    ///
    /// # Errors
    ///
    /// [`HandOverError::NotOfLog`] if the one is not the other.
    pub fn check_told(&self, told: &Keys, size: u64) -> Result<(), HandOverError> {
        let mut told = told.clone();
        told.eras.retain(|era| era.since <= size);
        match self.keys(told.eras[0].key.clone())? == told {
            true => Ok(()),
            false => Err(HandOverError::NotOfLog),
        }
    }
}

#[cfg(test)]
mod tests;
