//! Who signs the log at this moment, and how that came about.
//!
//! Which key signs is what the directory says, so that it changes with the commit of the entry that
//! hands over, for the writer and for every reader alike.

use ed25519_dalek::{SigningKey, VerifyingKey};
use manushya_core::audit::{HandOver, Keys, VerifierKey};
use manushya_core::decide::tenant::DEFAULT_TENANT;
use manushya_core::directory::Directory;
use manushya_core::model::AuditKey;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::v1::audit::HandOverView;

use super::super::Service;
use super::super::writer::chain;
use super::{origin, verifier_key};
use crate::vault::Vault;

/// The keys that took over, oldest first.
pub fn taken_over(directory: &Directory) -> Vec<AuditKey> {
    let home = directory.tenant_by_name(DEFAULT_TENANT);
    home.map(|tenant| directory.gates().audit_keys(tenant.id).copied().collect())
        .unwrap_or_default()
}

/// The public half of the key that signs, unless that is the first.
pub fn signs(directory: &Directory) -> Option<[u8; 32]> {
    let home = directory.tenant_by_name(DEFAULT_TENANT)?;
    let newest = directory.gates().audit_keys(home.id).next_back()?;
    Some(newest.next.public)
}

/// The key that signs as of a state; none if that state is past and its key is gone.
pub fn signing_key(vault: &Vault, directory: &Directory) -> Option<SigningKey> {
    match signs(directory) {
        None => Some(vault.audit_signing_key()),
        Some(public) => vault.audit_signing_key_of(&public),
    }
}

/// All keys of the log as of a state, the first one first. Each hand-over is verified.
///
/// # Errors
///
/// `INTEGRITY` if one of them does not verify.
pub fn keys(vault: &Vault, directory: &Directory) -> Result<Keys, WireError> {
    let told = hand_overs(directory)?;
    let first = match told.first() {
        Some(one) => one.from.clone(),
        None => verifier_key(&vault.audit_signing_key())?,
    };
    Keys::follow(first, &told).map_err(|error| not_handed(&error))
}

fn not_handed(error: &dyn std::error::Error) -> WireError {
    WireError::new(
        ErrorCode::Integrity,
        "the keys of the audit log do not follow each other",
    )
    .reason(chain(error))
    .hint("keep a copy of the data folder before anything else, then: manushyactl doctor")
}

fn hand_overs(directory: &Directory) -> Result<Vec<HandOver>, WireError> {
    let origin = origin()?;
    let key = |public: &[u8; 32]| {
        VerifyingKey::from_bytes(public)
            .map(|key| VerifierKey::new(origin.clone(), key))
            .map_err(|error| not_handed(&error))
    };
    taken_over(directory)
        .iter()
        .map(|it| {
            Ok(HandOver {
                seq: it.seq,
                from: key(&it.from)?,
                to: key(&it.next.public)?,
                signature: it.next.signature,
            })
        })
        .collect()
}

/// Who signs, and the hand-overs that led there.
pub struct LogSigner {
    /// The key.
    pub key: SigningKey,
    /// Its public half, as verifiers take it.
    pub public: VerifierKey,
    directory: Directory,
}

impl LogSigner {
    /// The hand-overs, for who holds an earlier key.
    ///
    /// # Errors
    ///
    /// `INTEGRITY` if what is stored of them is none.
    pub fn hand_overs(&self) -> Result<Vec<HandOverView>, WireError> {
        let told = hand_overs(&self.directory)?;
        Ok(told.iter().map(HandOver::show).collect())
    }
}

impl Service {
    /// Who signs now. Whoever signs a state asks after having taken it up: a key signs nothing that
    /// holds the entry by which another took over.
    ///
    /// # Errors
    ///
    /// `INTERNAL` if the key is not here.
    pub(in crate::service) fn log_signer(&self) -> Result<LogSigner, WireError> {
        // The state may be one before a hand-over whose key has gone since; then the next one is not.
        for _ in 0..3 {
            let directory = self.writer.published().directory.clone();
            if let Some(key) = signing_key(&self.vault, &directory) {
                return Ok(LogSigner {
                    public: verifier_key(&key)?,
                    key,
                    directory,
                });
            }
        }
        Err(WireError::new(
            ErrorCode::Internal,
            "the key that signs the audit log is not here",
        )
        .hint("manushyactl doctor"))
    }

    /// All keys of the log, the first one first.
    ///
    /// # Errors
    ///
    /// As [`keys`].
    pub(in crate::service) fn log_keys(&self) -> Result<Keys, WireError> {
        keys(&self.vault, &self.writer.published().directory)
    }
}
