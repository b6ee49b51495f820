//! Receipts: signing one once the keys are gone, showing it, and looking for survivors.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use manushya_core::audit::checkpoint::{Origin, VerifierKey};
use manushya_core::audit::receipt::{BACKUPS_MAX, is_erasure};
use manushya_core::audit::{HeldBy, Receipt, chain as entry_chain};
use manushya_core::command::Context;
use manushya_core::decide::access::{Access, draft};
use manushya_core::decide::tenant::DEFAULT_TENANT;
use manushya_core::model::{Action, ErasureRecord, PurgeReceipt, Resource, SignedReceipt};
use manushya_core::plan::Write;
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{MemoryId, PlanId, TenantId};
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::erasure::{HeldByView, ReceiptRef, ReceiptView};

use super::audit::ORIGIN;
use super::view::ReadView;
use super::writer::chain;
use super::{Service, unreadable};
use crate::port::Cipher;
use crate::store::{ErasedKind, ErasedRow, StoreError, erased_tag, tags_hash};

/// How many rows of the ledger one read of the store takes.
const CHUNK_ROWS: usize = 65_536;

/// What is kept in the folder of the keys.
const KEY_FILES: &[&str] = &[
    "identity.age-key",
    "recovery.age-key",
    "recovery.recipient",
    "root.age",
    "keystore",
];

/// What an erasure took, by the keyed tags of the ledger.
pub(super) struct Erased {
    pub(super) rows: Vec<ErasedRow>,
    tags: HashSet<(ErasedKind, [u8; 16])>,
}

impl Erased {
    fn new(rows: Vec<ErasedRow>) -> Self {
        let tags = rows.iter().map(|row| (row.kind, row.tag)).collect();
        Self { rows, tags }
    }

    /// Whether it took this thing.
    pub(super) fn took(
        &self,
        cipher: &dyn Cipher,
        kind: ErasedKind,
        tenant: TenantId,
        id: [u8; 16],
    ) -> bool {
        self.tags
            .contains(&(kind, erased_tag(cipher, kind, tenant, id)))
    }
}

/// What of an erasure only its transaction knew; lost if a crash came before the signing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// Place of its audit entry.
    pub(super) seq: Option<AuditSeq>,
    /// How many data keys went.
    pub(super) keys: Option<u64>,
}

impl Service {
    /// Signs the receipt of an erasure, if that has not been done, and returns it. The caller does
    /// `action` with that: erases, or reads what nobody has signed yet.
    ///
    /// # Errors
    ///
    /// `INTEGRITY` if something that was erased is still there: then there is nothing to sign.
    pub(super) async fn signed_receipt(
        self: &Arc<Self>,
        context: &Context,
        plan: PlanId,
        known: Known,
        action: Action,
    ) -> Result<ReceiptView, WireError> {
        let tenant = context.actor.identity.tenant;
        let record = {
            let published = self.writer.published();
            published
                .directory
                .erasures()
                .receipt(tenant, plan)
                .cloned()
        };
        let record = record.ok_or_else(|| {
            WireError::new(
                ErrorCode::NotFound,
                format!("there is no receipt of plan {plan}"),
            )
            .reason("a receipt is made when something is erased")
            .hint("manushyactl purge list")
        })?;
        if record.signed.is_some() {
            return self.receipt_view(&record);
        }
        let service = self.clone();
        let unsigned = record.clone();
        let signing = tokio::task::spawn_blocking(move || service.sign_receipt(&unsigned, known));
        let signed = signing.await.map_err(|_| {
            WireError::new(ErrorCode::Internal, "the receipt could not be made")
                .hint("look at the daemon's log")
        })??;
        let finished = PurgeReceipt {
            signed: Some(signed),
            ..record
        };
        let view = self.receipt_view(&finished)?;
        let context = context.clone();
        let fallback = draft(&context, action, Resource::System);
        self.change(fallback, move |txn| {
            let mut access = Access::begin(txn.directory(), &context, action, Resource::System)?;
            access.require()?;
            access.audit.resource_id = Some(plan.to_bytes());
            let write = Write::PutErasure(Arc::new(ErasureRecord::Receipt(finished)));
            Ok(access.plan(vec![write], 1, ()))
        })
        .await?;
        Ok(view)
    }

    fn sign_receipt(
        &self,
        record: &PurgeReceipt,
        known: Known,
    ) -> Result<SignedReceipt, WireError> {
        let view = self.view()?;
        let failed = |error: StoreError| unreadable(&error);
        let (seq, entry) = entry_of(&view, record, known.seq)?;
        let erased = erased_under(&view, seq).map_err(failed)?;
        let files_checked = self.check_key_files().map_err(survives)?;
        if self.survivors_in_index(&erased) > 0 {
            return Err(survives("the index still has it".to_owned()));
        }
        let directory = view.directory();
        let held_by = directory
            .tenant_by_name(DEFAULT_TENANT)
            .map(|tenant| {
                directory
                    .erasures()
                    .backups_at(tenant.id, record.applied_at)
            })
            .into_iter()
            .flatten()
            .map(|backup| HeldBy {
                backup: backup.id,
                taken_at: backup.created_at,
                keep_until: backup.keep_until,
            })
            .take(BACKUPS_MAX)
            .collect();
        let receipt = Receipt {
            home: self.home_id,
            plan: record.plan,
            tenant: record.tenant,
            scope: record.scope.clone(),
            subject: record.subject,
            erased: erased_text(record),
            planned_by: record.planned_by,
            planned_at: record.planned_at,
            applied_by: record.applied_by,
            applied_at: record.applied_at,
            memories: record.memories,
            versions: record.versions,
            tokens: record.tokens,
            identities: record.identities,
            tags: erased.rows.len() as u64,
            tags_sha256: tags_hash(&erased.rows),
            keys_destroyed: known.keys,
            root_epoch: self.vault.epoch(),
            files_checked,
            checked_at: self.ports.clock.now(),
            audit_seq: seq.0,
            audit_entry: entry_chain::entry_hash(&entry),
            held_by,
        };
        let proved = self.prove(&view, seq, &entry)?;
        let hash = |text: &String| {
            let bytes = BASE64.decode(text.as_bytes()).ok()?;
            <[u8; 32]>::try_from(bytes).ok()
        };
        let proof: Option<Vec<[u8; 32]>> = proved.proof.iter().map(hash).collect();
        Ok(SignedReceipt {
            note: receipt.sign(&origin()?, &self.log_signer()?.key),
            entry,
            checkpoint: proved.checkpoint,
            proof: proof
                .ok_or_else(|| WireError::new(ErrorCode::Internal, "the entry has no proof"))?,
        })
    }

    /// The keys that receipts of this home may be signed with, the first one first.
    pub(super) fn receipt_keys(&self) -> Result<Vec<VerifierKey>, WireError> {
        Ok(self.log_keys()?.to_vec())
    }

    pub(super) fn receipt_view(&self, record: &PurgeReceipt) -> Result<ReceiptView, WireError> {
        let signed = record
            .signed
            .as_ref()
            .ok_or_else(|| WireError::new(ErrorCode::Internal, "the receipt is not signed"))?;
        let keys = self.receipt_keys()?;
        let receipt = Receipt::verify(signed, &keys).map_err(|error| {
            WireError::new(ErrorCode::Integrity, "the stored receipt does not verify")
                .reason(chain(&error))
                .hint("manushyactl doctor")
        })?;
        let by = |key: &&VerifierKey| Receipt::verify(signed, std::slice::from_ref(*key)).is_ok();
        let signed_by = keys.iter().rev().find(by).or(keys.last());
        Ok(ReceiptView {
            plan: receipt.plan,
            tenant: receipt.tenant,
            scope: receipt.scope,
            subject: receipt.subject,
            erased: receipt.erased,
            planned_at: receipt.planned_at,
            applied_at: receipt.applied_at,
            memories: receipt.memories,
            versions: receipt.versions,
            tokens: receipt.tokens,
            identities: receipt.identities,
            tags: receipt.tags,
            keys_destroyed: receipt.keys_destroyed,
            root_epoch: receipt.root_epoch,
            files_checked: receipt.files_checked,
            audit_seq: receipt.audit_seq,
            held_by: receipt
                .held_by
                .into_iter()
                .map(|held| HeldByView {
                    backup: held.backup,
                    taken_at: held.taken_at,
                    keep_until: held.keep_until,
                })
                .collect(),
            note: signed.note.clone(),
            entry: BASE64.encode(&signed.entry),
            checkpoint: signed.checkpoint.clone(),
            proof: signed
                .proof
                .iter()
                .map(|hash| HEXLOWER.encode(hash))
                .collect(),
            public_key: signed_by.map(ToString::to_string).unwrap_or_default(),
            hand_overs: self.log_signer()?.hand_overs()?,
        })
    }

    /// Shows the receipt of an applied plan, signing it now if a crash came before that.
    ///
    /// # Errors
    ///
    /// What the deciding said, and `NOT_FOUND`.
    pub async fn purge_receipt(
        self: Arc<Self>,
        context: Context,
        request: ReceiptRef,
    ) -> Result<ReceiptView, WireError> {
        self.read(&context, |view, context| {
            let mut access =
                Access::begin(view.directory(), context, Action::Read, Resource::System)?;
            access.require()?;
            access.audit.resource_id = Some(request.plan.to_bytes());
            let tenant = context.actor.identity.tenant;
            let known = view.directory().erasures().receipt(tenant, request.plan);
            if known.is_none() {
                let id = request.plan.to_string();
                return Err(access.missing("receipt of plan", &id, "manushyactl purge list"));
            }
            Ok(access.plan(Vec::new(), 1, ()))
        })
        .await?;
        self.signed_receipt(&context, request.plan, Known::default(), Action::Read)
            .await
    }

    /// How many memories of the index were erased.
    pub(super) fn survivors_in_index(&self, erased: &Erased) -> usize {
        let cipher = &*self.ports.cipher;
        let published = self.writer.published();
        let of = |tenant: TenantId| {
            let ids = self.indexes.ids(tenant).into_iter();
            ids.filter(move |(id, _)| {
                erased.took(cipher, ErasedKind::Memory, tenant, id.to_bytes())
            })
            .count()
        };
        published
            .directory
            .tenants()
            .map(|tenant| of(tenant.id))
            .sum()
    }

    /// Looks for files that could bring back a destroyed key: copies, and what a crash left. Returns
    /// how many files there are.
    pub(super) fn check_key_files(&self) -> Result<u64, String> {
        let folder = self.config.home.data.join("keys");
        let mut count = 0;
        for path in files_below(&folder) {
            count += 1;
            let name = path.strip_prefix(&folder).unwrap_or(&path);
            if !KEY_FILES.iter().any(|known| Path::new(known) == name) {
                return Err(format!("{} may be a copy of keys", path.display()));
            }
        }
        // Beside the folder of the keys: copies of it under other names.
        for path in files_below(&self.config.home.data) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let stray =
                !path.starts_with(&folder) && KEY_FILES.iter().any(|it| name.starts_with(it));
            if stray {
                return Err(format!("{} may be a copy of keys", path.display()));
            }
            count += u64::from(!path.starts_with(&folder));
        }
        Ok(count)
    }
}

fn survives(what: String) -> WireError {
    WireError::new(
        ErrorCode::Integrity,
        "there is something left of what was erased",
    )
    .reason(what)
    .hint("remove it, then: manushyactl purge receipt")
}

pub(super) fn origin() -> Result<Origin, WireError> {
    Origin::new(ORIGIN).map_err(|error| WireError::new(ErrorCode::Internal, error.to_string()))
}

/// All files below a folder.
pub(super) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

/// The rows of the ledger under one audit entry.
pub(super) fn erased_under(view: &ReadView, seq: AuditSeq) -> Result<Erased, StoreError> {
    let mut found = Vec::new();
    let mut from = 1;
    loop {
        let rows = view.snapshot.erased(from, CHUNK_ROWS)?;
        let Some(last) = rows.last() else { break };
        from = last.seq + 1;
        found.extend(rows.into_iter().filter(|row| row.audit_seq == seq));
    }
    Ok(Erased::new(found))
}

/// The audit entry of an erasure, if the log has it.
fn entry_of(
    view: &ReadView,
    record: &PurgeReceipt,
    seq: Option<AuditSeq>,
) -> Result<(AuditSeq, Vec<u8>), WireError> {
    let mut found = None;
    if let Some(seq) = seq {
        let bytes = view.snapshot.audit_one(seq);
        found = bytes
            .map_err(|error| unreadable(&error))?
            .map(|it| (seq, it));
    } else {
        let all = (AuditSeq(1), AuditSeq(view.published.head.size()));
        let read = view.each_entry(all, |entry, bytes| {
            // By its request, since that alone erased.
            let draft = &entry.draft;
            if draft.request_id == record.request_id && is_erasure(draft) {
                found = Some((entry.seq, bytes.to_vec()));
            }
            Ok(found.is_none())
        });
        read.map_err(|error| unreadable(&error))?;
    }
    found.ok_or_else(|| {
        WireError::new(
            ErrorCode::Integrity,
            "the audit log has no entry of the erasure",
        )
        .hint("manushyactl audit verify")
    })
}

/// The id of what was erased by itself, as its noun is written.
fn erased_text(record: &PurgeReceipt) -> Option<String> {
    let id = record.erased?;
    Some(match record.scope.as_str() {
        "tenant" => TenantId::from_bytes(id).to_string(),
        _ => MemoryId::from_bytes(id).to_string(),
    })
}
