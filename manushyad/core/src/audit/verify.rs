//! The offline verifier: recomputes the log from its bytes and trusts nothing else.
//!
//! The caller gets the expected checkpoint from [`Checkpoint::verify`] with a public key it trusts,
//! feeds every entry in order, and finishes. Nothing is kept of the entries but where another key takes
//! over, of which there may be few: memory is bounded.

use manushya_protocol::unit::{AuditSeq, UnixMillis};

use super::canonical::{self, DecodeError, ENTRY_BYTES_MAX};
use super::chain::{self, LinkError};
use super::checkpoint::{Checkpoint, VerifierKey};
use super::handover::{HandOverError, Keys, Met};
use super::log::Head;
use crate::model::{AuditEntry, Hash};

/// Says what in the log is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// The bytes are not an entry.
    #[error(transparent)]
    Entry(DecodeError),
    /// The entry does not follow the one before.
    #[error(transparent)]
    Link(LinkError),
    /// The entry hands the log over to another key, and the key before did not sign that.
    #[error(transparent)]
    HandOver(HandOverError),
    /// Entries are missing at the end, or are there that the checkpoint does not cover.
    #[error("the log has {actual} entries; the checkpoint states {expected}")]
    Size {
        /// How many the checkpoint states.
        expected: u64,
        /// How many there are.
        actual: u64,
    },
    /// Some entry at or before this place was replaced and the chain after it rebuilt.
    #[error("the entries have the root {actual}; the checkpoint states {expected}")]
    Root {
        /// The root the checkpoint states.
        expected: Hash,
        /// The root of the entries.
        actual: Hash,
    },
}

/// Says where the log breaks, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log does not verify at entry {seq}")]
pub struct Broken {
    /// The place at which it was noticed. What comes before it is linked, but not yet signed for.
    pub seq: AuditSeq,
    /// What differs.
    #[source]
    pub what: What,
}

/// What a verified log amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many entries there are.
    pub size: u64,
    /// Their RFC 6962 root.
    pub root: Hash,
    /// Hash of the last entry; zero if there is none.
    pub last_hash: Hash,
    /// Time of the first entry.
    pub first_time: Option<UnixMillis>,
    /// Time of the last entry.
    pub last_time: Option<UnixMillis>,
    /// How often an entry is older than the one before it: the clock was set back. This is no
    /// break, since the order of the log is that of the sequence.
    pub backward_clock_steps: u64,
}

/// Verifies a log entry by entry.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    head: Head,
    first_time: Option<UnixMillis>,
    last_time: Option<UnixMillis>,
    backward_clock_steps: u64,
    met: Met,
    broken: Option<Broken>,
}

impl Verifier {
    /// Starts before the first entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many entries have been verified.
    pub fn size(&self) -> u64 {
        self.head.size()
    }

    /// Verifies the canonical bytes of the next entry: their form, sequence and link.
    ///
    /// # Errors
    ///
    /// [`Broken`] if they are not what comes next. A broken log stays broken: every later call
    /// returns the same.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        match self.check(bytes) {
            Ok(entry) => {
                let time = entry.draft.time;
                if self.last_time.is_some_and(|last| time < last) {
                    self.backward_clock_steps += 1;
                }
                self.first_time.get_or_insert(time);
                self.last_time = Some(time);
                self.head.advance(chain::entry_hash(bytes));
                Ok(())
            }
            Err(what) => {
                let seq = AuditSeq(self.size().saturating_add(1));
                let broken = Broken { seq, what };
                self.broken = Some(broken);
                Err(broken)
            }
        }
    }

    fn check(&mut self, bytes: &[u8]) -> Result<AuditEntry, What> {
        let entry = canonical::decode(bytes).map_err(What::Entry)?;
        chain::check_link(&entry, self.size(), self.head.last_hash()).map_err(What::Link)?;
        if let Some(next) = entry.draft.extensions.next_audit_key() {
            self.met.push(entry.seq.0, next).map_err(What::HandOver)?;
        }
        Ok(entry)
    }

    /// The keys that signed the log so far, from a trusted one on.
    ///
    /// # Errors
    ///
    /// [`HandOverError::NotSigned`] if the trusted key is not one of them.
    pub fn keys(&self, trusted: VerifierKey) -> Result<Keys, HandOverError> {
        self.met.keys(trusted)
    }

    /// Checks that the log so far has the hand-overs that were told of it, from a trusted key on.
    ///
    /// # Errors
    ///
    /// [`Broken`] if it has others.
    pub fn check_keys(&self, told: &Keys) -> Result<(), Broken> {
        let size = self.size();
        self.met.check_told(told, size).map_err(|error| Broken {
            seq: AuditSeq(size),
            what: What::HandOver(error),
        })
    }

    /// Compares the entries so far with a checkpoint of exactly as many, for example an older one
    /// that was kept elsewhere.
    ///
    /// # Errors
    ///
    /// [`Broken`] if an entry broke before, or if the size or the root differs.
    pub fn check_against(&self, expected: &Checkpoint) -> Result<(), Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let actual = self.size();
        if actual != expected.size {
            let seq = AuditSeq(actual.min(expected.size).saturating_add(1));
            let what = What::Size {
                expected: expected.size,
                actual,
            };
            return Err(Broken { seq, what });
        }
        let root = self.head.root();
        if root != expected.root {
            let what = What::Root {
                expected: expected.root,
                actual: root,
            };
            return Err(Broken {
                seq: AuditSeq(actual),
                what,
            });
        }
        Ok(())
    }

    /// Compares the whole log with its checkpoint.
    ///
    /// # Errors
    ///
    /// As [`Self::check_against`].
    pub fn finish(self, expected: &Checkpoint) -> Result<Summary, Broken> {
        self.check_against(expected)?;
        Ok(Summary {
            size: expected.size,
            root: expected.root,
            last_hash: self.head.last_hash(),
            first_time: self.first_time,
            last_time: self.last_time,
            backward_clock_steps: self.backward_clock_steps,
        })
    }
}

/// Says why bytes are not a row of length-prefixed entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes end inside a length or an entry.
    #[error("audit entries end early, inside the one at byte {offset}")]
    Truncated {
        /// Where the unfinished one starts.
        offset: usize,
    },
    /// A length is zero or above the bound.
    #[error("the audit entry at byte {offset} has {actual} bytes; it takes 1 to {ENTRY_BYTES_MAX}")]
    Length {
        /// Where it starts.
        offset: usize,
        /// The length it states.
        actual: usize,
    },
}

/// Appends an entry's bytes to `out` behind their length as a big-endian u32.
///
/// # Errors
///
/// [`FrameError::Length`] if there are none or more than [`ENTRY_BYTES_MAX`]; `out` is unchanged.
pub fn push_frame(out: &mut Vec<u8>, entry: &[u8]) -> Result<(), FrameError> {
    let refuse = FrameError::Length {
        offset: out.len(),
        actual: entry.len(),
    };
    if entry.is_empty() || entry.len() > ENTRY_BYTES_MAX {
        return Err(refuse);
    }
    let length = u32::try_from(entry.len()).map_err(|_| refuse)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(entry);
    Ok(())
}

/// Takes apart what [`push_frame`] wrote. After an error the iterator ends.
pub fn split_frames(bytes: &[u8]) -> Frames<'_> {
    Frames {
        rest: bytes,
        offset: 0,
    }
}

/// Iterates over the entries of [`split_frames`], borrowing their bytes.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Frames<'a> {
    fn split(&self) -> Result<(&'a [u8], &'a [u8]), FrameError> {
        let offset = self.offset;
        let (length, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(FrameError::Truncated { offset })?;
        let actual = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if actual == 0 || actual > ENTRY_BYTES_MAX {
            return Err(FrameError::Length { offset, actual });
        }
        rest.split_at_checked(actual)
            .ok_or(FrameError::Truncated { offset })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match self.split() {
            Ok((entry, rest)) => {
                self.offset += 4 + entry.len();
                self.rest = rest;
                Some(Ok(entry))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

impl std::iter::FusedIterator for Frames<'_> {}

#[cfg(test)]
mod tests;
