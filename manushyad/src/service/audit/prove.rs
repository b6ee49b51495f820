//! Proofs about the log, for those who do not trust the daemon.

use std::ops::Range;

use manushya_core::audit::checkpoint::Checkpoint;
use manushya_core::audit::{Head, Tree, bundle, canonical, entry_hash};
use manushya_core::command::Context;
use manushya_core::decide::Refusal;
use manushya_core::model::Hash;
use manushya_core::view::View as _;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{
    AuditConsistency, AuditGrowth, AuditList, AuditProof, AuditRef,
};

use super::super::view::ReadView;
use super::super::{Service, unreadable};
use super::keys::LogSigner;
use super::{CHUNK_BYTES, Filter, begin, checkpoint};
use crate::store::Snapshot;

/// The error for a log that is not what its head says.
fn not_whole(reason: String) -> WireError {
    WireError::new(ErrorCode::Integrity, "the audit log is not what was signed")
        .reason(reason)
        .hint("keep a copy of the data folder before anything else, then: manushyactl doctor")
}

/// The hashes of leaves, read from a snapshot.
fn leaves(snapshot: &Snapshot, range: Range<u64>) -> Result<Vec<Hash>, WireError> {
    let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let mut hashes = Vec::with_capacity(wanted.min(256));
    while hashes.len() < wanted {
        let from = AuditSeq(range.start + hashes.len() as u64 + 1);
        let chunk = snapshot
            .audit(from, CHUNK_BYTES, wanted - hashes.len())
            .map_err(|error| unreadable(&error))?;
        if chunk.is_empty() {
            return Err(not_whole(format!("entry {from} is missing")));
        }
        hashes.extend(chunk.iter().map(|(_, bytes)| entry_hash(bytes)));
    }
    Ok(hashes)
}

impl Service {
    /// Proves that an entry is in the log. Whoever may see the entry may have the proof.
    ///
    /// # Errors
    ///
    /// What the deciding said, or `INTEGRITY` if the log is not what its head says.
    pub async fn audit_prove(
        &self,
        context: Context,
        request: AuditRef,
    ) -> Result<AuditProof, WireError> {
        self.read(&context, |view, context| {
            let access = begin(view, context)?;
            let fail = |error| Refusal::allowed(&access.audit, error);
            let bytes = view.snapshot.audit_one(request.seq);
            let bytes = bytes.map_err(|error| fail(unreadable(&error)))?;
            let everything = AuditList::default();
            let filter = Filter::new(view.directory(), context, &everything);
            let seen = bytes.filter(|bytes| {
                let entry = canonical::decode(bytes);
                entry.is_ok_and(|entry| filter.admits(&entry))
            });
            let head = &view.published.head;
            let Some(bytes) = seen.filter(|_| request.seq.0 <= head.size()) else {
                let seq = request.seq.to_string();
                return Err(access.missing("audit entry", &seq, "manushyactl audit list"));
            };
            let proof = self.prove(view, request.seq, &bytes).map_err(fail)?;
            Ok(access.plan(Vec::new(), 1, proof))
        })
        .await
    }

    /// Proves that an entry with these bytes is in the log as of `view`.
    pub(in crate::service) fn prove(
        &self,
        view: &ReadView,
        seq: AuditSeq,
        bytes: &[u8],
    ) -> Result<AuditProof, WireError> {
        let head = &view.published.head;
        let mut read = |range| leaves(&view.snapshot, range);
        let index = seq.0.saturating_sub(1);
        let path = self
            .proofs
            .lock()
            .inclusion(index, head.size(), &mut read)?;
        let signer = self.log_signer()?;
        let note = checkpoint(head)?.sign(&signer.key);
        let mut proof = bundle::inclusion(seq, bytes, &path, note);
        proof.hand_overs = signer.hand_overs()?;
        recheck(bundle::Bundle::Inclusion(proof.clone()), &signer)?;
        Ok(proof)
    }

    /// Proves that the log only grew since it had as many entries as the caller says.
    ///
    /// # Errors
    ///
    /// What the deciding said, `NOT_FOUND` for a size the log has not reached, or `INTEGRITY` if
    /// the log is not what its head says.
    pub async fn audit_consistency(
        &self,
        context: Context,
        request: AuditGrowth,
    ) -> Result<AuditConsistency, WireError> {
        self.read(&context, |view, context| {
            let access = begin(view, context)?;
            let fail = |error| Refusal::allowed(&access.audit, error);
            let size = view.published.head.size();
            let new = request.new.unwrap_or(size);
            if new > size || request.old > new {
                let (wanted, most) = (request.old.max(new), new.min(size));
                let error =
                    WireError::new(ErrorCode::NotFound, "the audit log is shorter than that")
                        .reason(format!("asked for {wanted} entries of at most {most}"))
                        .hint("manushyactl audit head");
                return Err(fail(error));
            }
            let proof = self.prove_growth(view, request.old, new).map_err(fail)?;
            Ok(access.plan(Vec::new(), 1, proof))
        })
        .await
    }

    fn prove_growth(
        &self,
        view: &ReadView,
        old: u64,
        new: u64,
    ) -> Result<AuditConsistency, WireError> {
        let head = &view.published.head;
        let mut read = |range| leaves(&view.snapshot, range);
        let (path, roots) = {
            let mut tree: parking_lot::MutexGuard<'_, Tree> = self.proofs.lock();
            let path = tree.consistency(old, new, &mut read)?;
            // Heads of the past are signed again only if they lead to the present one.
            let onward = tree.consistency(new, head.size(), &mut read)?;
            let roots = [tree.root(old, &mut read)?, tree.root(new, &mut read)?];
            let now = checkpoint(head)?;
            let then = Checkpoint {
                size: new,
                root: roots[1],
                ..now.clone()
            };
            bundle::check_growth(&then, &now, &onward)
                .map_err(|error| not_whole(error.to_string()))?;
            (path, roots)
        };
        let origin = checkpoint(head)?.origin;
        let signer = self.log_signer()?;
        let note = |size, root| {
            let origin = origin.clone();
            Checkpoint { origin, size, root }.sign(&signer.key)
        };
        let mut proof = bundle::consistency(note(old, roots[0]), note(new, roots[1]), &path);
        proof.hand_overs = signer.hand_overs()?;
        recheck(bundle::Bundle::Consistency(proof.clone()), &signer)?;
        Ok(proof)
    }

    /// The signed head, and the key that signed it.
    pub(in crate::service) fn sign_head(&self, head: &Head) -> Result<(String, String), WireError> {
        let signer = self.log_signer()?;
        let note = checkpoint(head)?.sign(&signer.key);
        Ok((note, signer.public.to_string()))
    }
}

/// Nothing leaves that the receiver could not verify, be it with the key that signs or with the first.
fn recheck(bundle: bundle::Bundle, signer: &LogSigner) -> Result<(), WireError> {
    let first = match &bundle {
        bundle::Bundle::Inclusion(proof) => proof.hand_overs.first(),
        bundle::Bundle::Consistency(proof) => proof.hand_overs.first(),
    };
    let first = first.and_then(|first| first.from.parse().ok());
    let keys = first.iter().chain([&signer.public]);
    for key in keys {
        bundle
            .verify(key)
            .map_err(|error| not_whole(super::super::writer::chain(&error)))?;
    }
    Ok(())
}
