//! Proofs as files: what is claimed, the proof of it, and the signed checkpoint it leads to.
//!
//! A bundle comes from anywhere. It is verified with a public key and nothing else: no daemon, no
//! home, no clock. Every bound is met before anything of that length is allocated.

use data_encoding::BASE64;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{AuditConsistency, AuditProof};

use super::canonical::{self, DecodeError, ENTRY_BYTES_MAX};
use super::chain;
use super::checkpoint::{Checkpoint, NOTE_BYTES_MAX, NoteError, ORIGIN_BYTES_MAX, VerifierKey};
use super::handover::{HAND_OVERS_MAX, HandOverError, Keys};
use super::merkle;
use crate::model::{AuditEntry, Hash};

/// What a bundle that proves an entry says it is.
pub const INCLUSION_FORMAT: &str = "manushya-audit-inclusion/1";

/// What a bundle that proves that a log only grew says it is.
pub const CONSISTENCY_FORMAT: &str = "manushya-audit-consistency/1";

/// The longest bundle that is read, in bytes; longer text is refused unread.
pub const BUNDLE_BYTES_MAX: usize = 4 << 20;

/// The most hashes of a proof: no tree of fewer than 2^63 leaves needs more.
pub const PROOF_HASHES_MAX: usize = 64;

/// Says why a bundle proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The text is beyond its bound.
    #[error("a proof has {actual} bytes; the limit is {BUNDLE_BYTES_MAX}")]
    TooLong {
        /// How many there are.
        actual: usize,
    },
    /// The text is not JSON of the right form.
    #[error("a proof is malformed: {0}")]
    Malformed(String),
    /// It is of another kind or version.
    #[error(
        "a proof says it is `{0}`; this program reads `{INCLUSION_FORMAT}` and `{CONSISTENCY_FORMAT}`"
    )]
    Format(String),
    /// The entry is not the encoding of one.
    #[error("the entry of a proof cannot be read")]
    Entry(#[source] DecodeError),
    /// The hand-overs that come with it do not lead from the key to the one that signs.
    #[error("the hand-overs of a proof do not verify")]
    HandOver(#[source] HandOverError),
    /// A checkpoint is not what the key has signed.
    #[error("a checkpoint of a proof does not verify")]
    Checkpoint(#[source] NoteError),
    /// The proof calls the entry by a sequence it does not have.
    #[error("the proof is for entry {claimed}, but the entry says it is number {actual}")]
    Seq {
        /// What the proof says.
        claimed: AuditSeq,
        /// What the entry says.
        actual: AuditSeq,
    },
    /// The hashes do not lead from the entry to the signed root.
    #[error("entry {seq} is not in the log of {size} entries that was signed")]
    NotIncluded {
        /// The entry.
        seq: AuditSeq,
        /// The size of the log.
        size: u64,
    },
    /// The hashes do not lead from the one root to the other.
    #[error(
        "the log of {new} entries does not begin with the log of {old} entries: it was rewritten"
    )]
    NotConsistent {
        /// The size of the older log.
        old: u64,
        /// The size of the newer log.
        new: u64,
    },
}

/// A bundle of either kind, not yet verified.
#[derive(Clone, Debug, PartialEq)]
pub enum Bundle {
    /// That an entry is in the log.
    Inclusion(AuditProof),
    /// That the log only grew.
    Consistency(AuditConsistency),
}

/// What a verified bundle proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proved {
    /// This entry is in the log of this checkpoint.
    Inclusion {
        /// The entry.
        entry: AuditEntry,
        /// Its hash.
        hash: Hash,
        /// What was signed.
        checkpoint: Checkpoint,
    },
    /// The newer log begins with the older one.
    Consistency {
        /// What was signed first.
        old: Checkpoint,
        /// What was signed later.
        new: Checkpoint,
    },
}

impl Bundle {
    /// Reads a bundle's text. Nothing it says is known to be true yet.
    ///
    /// # Errors
    ///
    /// A [`BundleError`] if it is too long, malformed or of another format.
    pub fn parse(text: &[u8]) -> Result<Self, BundleError> {
        let actual = text.len();
        if actual > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLong { actual });
        }
        let malformed = |error: serde_json::Error| BundleError::Malformed(error.to_string());
        let format: Format = serde_json::from_slice(text).map_err(malformed)?;
        match format.format.as_str() {
            INCLUSION_FORMAT => serde_json::from_slice(text)
                .map(Self::Inclusion)
                .map_err(malformed),
            CONSISTENCY_FORMAT => serde_json::from_slice(text)
                .map(Self::Consistency)
                .map_err(malformed),
            other => Err(BundleError::Format(other.chars().take(64).collect())),
        }
    }

    /// Verifies it with a public key of the log: the one that signed, or an earlier one that the
    /// hand-overs in the bundle lead from.
    ///
    /// # Errors
    ///
    /// A [`BundleError`] that says what does not hold. Then nothing of the bundle is to be believed.
    pub fn verify(&self, key: &VerifierKey) -> Result<Proved, BundleError> {
        let keys = self.keys(key)?;
        match self {
            Self::Inclusion(proof) => verify_inclusion(proof, &keys),
            Self::Consistency(proof) => verify_consistency(proof, &keys),
        }
    }

    /// The keys that may have signed it, if `key` is trusted.
    ///
    /// # Errors
    ///
    /// [`BundleError::HandOver`] if the hand-overs do not follow from it.
    pub fn keys(&self, key: &VerifierKey) -> Result<Keys, BundleError> {
        let told = match self {
            Self::Inclusion(proof) => &proof.hand_overs,
            Self::Consistency(proof) => &proof.hand_overs,
        };
        Keys::follow_told(key.clone(), told).map_err(BundleError::HandOver)
    }
}

#[derive(serde::Deserialize)]
struct Format {
    format: String,
}

fn verify_inclusion(proof: &AuditProof, keys: &Keys) -> Result<Proved, BundleError> {
    let checkpoint = signed(&proof.checkpoint, keys)?;
    let bytes = base64("the entry", &proof.entry, ENTRY_BYTES_MAX)?;
    let entry = canonical::decode(&bytes).map_err(BundleError::Entry)?;
    if entry.seq != proof.seq {
        return Err(BundleError::Seq {
            claimed: proof.seq,
            actual: entry.seq,
        });
    }
    let path = hashes(&proof.proof)?;
    let hash = chain::entry_hash(&bytes);
    let (seq, size) = (entry.seq, checkpoint.size);
    let index = seq.0.checked_sub(1);
    let included = index
        .is_some_and(|index| merkle::verify_inclusion(hash, index, size, &path, checkpoint.root));
    if !included {
        return Err(BundleError::NotIncluded { seq, size });
    }
    Ok(Proved::Inclusion {
        entry,
        hash,
        checkpoint,
    })
}

fn verify_consistency(proof: &AuditConsistency, keys: &Keys) -> Result<Proved, BundleError> {
    let new = signed(&proof.new, keys)?;
    let old = signed(&proof.old, keys)?;
    let path = hashes(&proof.proof)?;
    check_growth(&old, &new, &path)?;
    Ok(Proved::Consistency { old, new })
}

/// Checks that the log of `new` begins with the log of `old`, both of them verified before. The log
/// without entries begins every log.
///
/// # Errors
///
/// [`BundleError::NotConsistent`] if it does not.
pub fn check_growth(old: &Checkpoint, new: &Checkpoint, path: &[Hash]) -> Result<(), BundleError> {
    let grown = if old.size == 0 {
        path.is_empty() && old.root == merkle::empty_root()
    } else {
        merkle::verify_consistency(old.size, new.size, old.root, new.root, path)
    };
    if grown && old.origin == new.origin {
        return Ok(());
    }
    Err(BundleError::NotConsistent {
        old: old.size,
        new: new.size,
    })
}

fn signed(note: &str, keys: &Keys) -> Result<Checkpoint, BundleError> {
    keys.verify(note).map_err(BundleError::Checkpoint)
}

/// Reads the hashes of a proof.
///
/// # Errors
///
/// [`BundleError::Malformed`] if there are too many, or if one is not base64 of 32 bytes.
pub fn hashes(texts: &[String]) -> Result<Vec<Hash>, BundleError> {
    if texts.len() > PROOF_HASHES_MAX {
        let told = format!(
            "it has {} hashes, of at most {PROOF_HASHES_MAX}",
            texts.len()
        );
        return Err(BundleError::Malformed(told));
    }
    let hash = |text: &String| {
        let bytes = base64("a hash", text, 32)?;
        let told = || BundleError::Malformed("a hash has not 32 bytes".to_owned());
        bytes.try_into().map(Hash).map_err(|_| told())
    };
    texts.iter().map(hash).collect()
}

fn base64(what: &str, text: &str, most: usize) -> Result<Vec<u8>, BundleError> {
    if text.len() > most.div_ceil(3) * 4 {
        return Err(BundleError::Malformed(format!("{what} is too long")));
    }
    BASE64
        .decode(text.as_bytes())
        .map_err(|_| BundleError::Malformed(format!("{what} is not base64")))
}

/// Makes the bundle that proves an entry, for whoever has the key that signs; with the hand-overs, for
/// whoever has an earlier one.
pub fn inclusion(seq: AuditSeq, entry: &[u8], path: &[Hash], checkpoint: String) -> AuditProof {
    AuditProof {
        format: INCLUSION_FORMAT.to_owned(),
        seq,
        entry: BASE64.encode(entry),
        proof: path.iter().map(|hash| BASE64.encode(&hash.0)).collect(),
        checkpoint,
        hand_overs: Vec::new(),
    }
}

/// Makes the bundle that proves that a log grew from `old` to `new`, both signed.
pub fn consistency(old: String, new: String, path: &[Hash]) -> AuditConsistency {
    AuditConsistency {
        format: CONSISTENCY_FORMAT.to_owned(),
        old,
        new,
        proof: path.iter().map(|hash| BASE64.encode(&hash.0)).collect(),
        hand_overs: Vec::new(),
    }
}

// A bundle has at most two checkpoints, an entry, 64 hashes and the hand-overs, and JSON may escape
// every byte as six.
const _: () = assert!(
    BUNDLE_BYTES_MAX
        >= 6 * 2 * NOTE_BYTES_MAX
            + 2 * ENTRY_BYTES_MAX
            + 64 * 6 * 44
            + HAND_OVERS_MAX * (6 * (2 * (ORIGIN_BYTES_MAX + 64) + 88 + 20) + 64)
);

#[cfg(test)]
mod tests;
