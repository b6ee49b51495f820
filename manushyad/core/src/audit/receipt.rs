//! Receipts of erasure: a signed text that says what was erased, and the proof that the erasure
//! stands in the audit log. A stranger checks one with the public key alone.
//!
//! The text is signed as a note (<https://c2sp.org/signed-note>). Its first line is
//! [`FIRST_LINE`], which no checkpoint starts with, so that neither is taken for the other.
//! The format is written down in `docs/formats/receipt.md`.

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use manushya_protocol::id::{BackupId, IdentityId, PlanId, TenantId};
use manushya_protocol::unit::UnixMillis;
use sha2::{Digest, Sha256};

use super::checkpoint::{Checkpoint, NoteError, Origin, VerifierKey};
use super::note::{self, Lines, Malformed, hex, line, parse};
use super::{canonical, chain, merkle};
use crate::model::{Action, AuditDraft, Hash, Outcome, Resource, SignedReceipt};

/// What the text of every receipt starts with.
pub const FIRST_LINE: &str = "manushya/receipt/v1";
/// The longest text of a receipt, in bytes.
pub const RECEIPT_BYTES_MAX: usize = 64 << 10;
/// How many backups a receipt names at the most.
pub const BACKUPS_MAX: usize = 256;

/// A backup that still holds what was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBy {
    /// The backup.
    pub backup: BackupId,
    /// When it was taken.
    pub taken_at: UnixMillis,
    /// Until when it is kept; none if that was never said.
    pub keep_until: Option<UnixMillis>,
}

/// What a receipt states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The home, by its random id.
    pub home: [u8; 16],
    /// The plan.
    pub plan: PlanId,
    /// The tenant.
    pub tenant: TenantId,
    /// What was covered, in one word.
    pub scope: String,
    /// The identity that was erased, if one was.
    pub subject: Option<IdentityId>,
    /// The id of the one memory or the tenant that was erased, if that is all it is about.
    pub erased: Option<String>,
    /// Who planned it.
    pub planned_by: IdentityId,
    /// When it was planned.
    pub planned_at: UnixMillis,
    /// Who applied it.
    pub applied_by: IdentityId,
    /// When it was applied.
    pub applied_at: UnixMillis,
    /// How many memories were planned for and erased: a plan whose count has changed is refused.
    pub memories: u64,
    /// How many earlier versions of them.
    pub versions: u64,
    /// How many tokens.
    pub tokens: u64,
    /// How many identities.
    pub identities: u64,
    /// How many keyed tags of erased things the erasure ledger has under this entry.
    pub tags: u64,
    /// SHA-256 over those tags, 16 bytes each, in the order of the ledger.
    pub tags_sha256: Hash,
    /// How many data keys were destroyed; none if a crash came between erasing and counting.
    pub keys_destroyed: Option<u64>,
    /// The root epoch after it: the root keys of all epochs below are destroyed.
    pub root_epoch: u64,
    /// How many files of the home were looked at for remains.
    pub files_checked: u64,
    /// When that was, and when the index was found to hold nothing of what was erased.
    pub checked_at: UnixMillis,
    /// Place of the erasure's entry in the audit log.
    pub audit_seq: u64,
    /// The hash of that entry.
    pub audit_entry: Hash,
    /// Backups that still hold it.
    pub held_by: Vec<HeldBy>,
}

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The text, or a signature of it, is not sound.
    #[error("the receipt is not sound")]
    Note(#[from] NoteError),
    /// The text is not laid out as a receipt.
    #[error("the receipt is malformed: {0}")]
    Malformed(&'static str),
    /// The audit entry that comes with it is another one.
    #[error("the audit entry is not the one the receipt names: {0}")]
    Entry(&'static str),
    /// The proof does not lead from the entry to the signed head.
    #[error("the audit entry is not proved to be in the log")]
    Proof,
}

impl From<Malformed> for ReceiptError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error.0)
    }
}

/// Whether an entry tells of an erasure that was done: a purge, or the deletion of an identity.
pub fn is_erasure(draft: &AuditDraft) -> bool {
    let erases = match draft.action {
        Action::Purge => true,
        Action::Delete => draft.resource == Resource::Identity,
        _ => false,
    };
    erases && draft.outcome == Outcome::Ok
}

/// SHA-256 over tags of the erasure ledger, in its order.
pub fn tags_hash<'a>(tags: impl IntoIterator<Item = &'a [u8; 16]>) -> Hash {
    let mut hash = Sha256::new();
    for tag in tags {
        hash.update(tag);
    }
    Hash(hash.finalize().into())
}

impl Receipt {
    /// The lines that are signed.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        let out = &mut text;
        line(out, "home", HEXLOWER.encode(&self.home));
        line(out, "plan", self.plan);
        line(out, "tenant", self.tenant);
        line(out, "scope", &self.scope);
        if let Some(subject) = self.subject {
            line(out, "subject", subject);
        }
        if let Some(erased) = &self.erased {
            line(out, "erased", erased);
        }
        line(out, "planned-by", self.planned_by);
        line(out, "planned-at", self.planned_at);
        line(out, "applied-by", self.applied_by);
        line(out, "applied-at", self.applied_at);
        line(out, "memories", self.memories);
        line(out, "versions", self.versions);
        line(out, "tokens", self.tokens);
        line(out, "identities", self.identities);
        line(out, "tags", self.tags);
        line(out, "tags-sha256", self.tags_sha256);
        match self.keys_destroyed {
            Some(keys) => line(out, "data-keys-destroyed", keys),
            None => line(out, "data-keys-destroyed", "all"),
        }
        line(out, "root-epoch", self.root_epoch);
        line(out, "files-checked", self.files_checked);
        line(out, "checked-at", self.checked_at);
        line(out, "audit-seq", self.audit_seq);
        line(out, "audit-entry", self.audit_entry);
        for held in &self.held_by {
            let until = held
                .keep_until
                .map_or_else(|| "unknown".to_owned(), |until| until.to_string());
            let value = format!("{} taken {} until {until}", held.backup, held.taken_at);
            line(out, "backup", value);
        }
        text
    }

    /// Reads what [`Self::to_text`] wrote, and nothing else.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        let mut lines = Lines::after(FIRST_LINE, text)?;
        let receipt = Self {
            home: hex(lines.word("home")?)?,
            plan: lines.value("plan")?,
            tenant: lines.value("tenant")?,
            scope: lines.word("scope")?.to_owned(),
            subject: lines.optional("subject")?,
            erased: lines.named("erased").map(str::to_owned),
            planned_by: lines.value("planned-by")?,
            planned_at: lines.value("planned-at")?,
            applied_by: lines.value("applied-by")?,
            applied_at: lines.value("applied-at")?,
            memories: lines.value("memories")?,
            versions: lines.value("versions")?,
            tokens: lines.value("tokens")?,
            identities: lines.value("identities")?,
            tags: lines.value("tags")?,
            tags_sha256: Hash(hex(lines.word("tags-sha256")?)?),
            keys_destroyed: match lines.word("data-keys-destroyed")? {
                "all" => None,
                count => Some(parse(count)?),
            },
            root_epoch: lines.value("root-epoch")?,
            files_checked: lines.value("files-checked")?,
            checked_at: lines.value("checked-at")?,
            audit_seq: lines.value("audit-seq")?,
            audit_entry: Hash(hex(lines.word("audit-entry")?)?),
            held_by: backups(&mut lines)?,
        };
        // One receipt has one text, so that nothing is signed that is not shown.
        if receipt.to_text() != text {
            return Err(ReceiptError::Malformed("it is not in its one form"));
        }
        Ok(receipt)
    }

    /// Signs it in the name of the audit log. The same receipt and key give the same note.
    pub fn sign(&self, origin: &Origin, key: &SigningKey) -> String {
        note::sign(&self.to_text(), origin, key)
    }

    /// Verifies a signed receipt against one of `keys`, with the proof of its audit entry, and
    /// only then reads it.
    ///
    /// # Errors
    ///
    /// A [`ReceiptError`] that says what does not hold.
    pub fn verify(signed: &SignedReceipt, keys: &[VerifierKey]) -> Result<Self, ReceiptError> {
        let mut refused = ReceiptError::Malformed("there is no key to verify it with");
        for key in keys {
            match Self::verify_with(signed, key, keys) {
                Ok(receipt) => return Ok(receipt),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn verify_with(
        signed: &SignedReceipt,
        key: &VerifierKey,
        keys: &[VerifierKey],
    ) -> Result<Self, ReceiptError> {
        let note = &signed.note;
        if note.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::Malformed("it is too long"));
        }
        let receipt = Self::parse(note::verified(note, key)?)?;
        if chain::entry_hash(&signed.entry) != receipt.audit_entry {
            return Err(ReceiptError::Entry("its hash is another"));
        }
        let entry = canonical::decode(&signed.entry)
            .map_err(|_| ReceiptError::Entry("it does not decode"))?;
        if entry.seq.0 != receipt.audit_seq {
            return Err(ReceiptError::Entry("it stands at another place"));
        }
        // An entry of a tenant's erasure may stand in that tenant.
        let within = |tenant: TenantId| {
            tenant == receipt.tenant
                || (receipt.scope == "tenant" && receipt.erased == Some(tenant.to_string()))
        };
        if !is_erasure(&entry.draft) || !entry.draft.tenant.is_some_and(within) {
            return Err(ReceiptError::Entry("it is of no erasure in that tenant"));
        }
        let head = keys
            .iter()
            .find_map(|key| Checkpoint::verify(&signed.checkpoint, key).ok())
            .ok_or(ReceiptError::Proof)?;
        let proof: Vec<Hash> = signed.proof.iter().copied().map(Hash).collect();
        let index = receipt.audit_seq - 1;
        if !merkle::verify_inclusion(receipt.audit_entry, index, head.size, &proof, head.root) {
            return Err(ReceiptError::Proof);
        }
        Ok(receipt)
    }
}

/// The backups that its lines name.
fn backups(lines: &mut Lines<'_>) -> Result<Vec<HeldBy>, Malformed> {
    let mut found = Vec::new();
    while let Some(value) = lines.named("backup") {
        let words: Vec<&str> = value.split(' ').collect();
        let [backup, "taken", taken, "until", until] = words[..] else {
            return Err(Malformed("a backup is not told in five words"));
        };
        if found.len() == BACKUPS_MAX {
            return Err(Malformed("it names too many backups"));
        }
        found.push(HeldBy {
            backup: parse(backup)?,
            taken_at: parse(taken)?,
            keep_until: match until {
                "unknown" => None,
                moment => Some(parse(moment)?),
            },
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
