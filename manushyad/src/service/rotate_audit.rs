//! Replacing the key that signs the audit log.
//!
//! 1. An entry says that it begins.
//! 2. The new key is in the keystore, beside the old one. It signs nothing yet.
//! 3. An entry hands the log over; in the same transaction a record names the new key, and from that
//!    commit on it signs.
//! 4. The secret half of the old key leaves the keystore.
//!
//! After a crash between 2 and 3 the start drops the new key, which nothing names; after one between 3
//! and 4 it does step 4.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use manushya_core::audit::handover::{HAND_OVERS_MAX, vouch};
use manushya_core::command::Context;
use manushya_core::decide::Refusal;
use manushya_core::decide::access::draft;
use manushya_core::decide::tenant::{DEFAULT_TENANT, require_operator};
use manushya_core::model::{Action, AuditKey, GateRecord, KeyEpoch, KeyKind, Resource};
use manushya_core::plan::Write;
use manushya_core::view::View as _;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::key::KeyRotated;

use super::Service;
use super::audit::{signs, taken_over, verifier_key_of};
use super::writer::chain;

impl Service {
    /// Lets a new key sign the log from here on, vouched for by the one that signs now. What that one
    /// signed goes on verifying.
    ///
    /// # Errors
    ///
    /// What the deciding said, `RESOURCE_EXHAUSTED` where the log was handed over too often,
    /// `CONFLICT` if it was handed over meanwhile, or `INTERNAL` if the keys cannot be written.
    pub async fn key_rotate_audit(&self, context: Context) -> Result<KeyRotated, WireError> {
        self.allow_keys(&context).await?;
        let _alone = self.handing_over.lock().await;
        let old = self.log_signer()?;
        let before = taken_over(&self.writer.published().directory).len();
        if before >= HAND_OVERS_MAX {
            return Err(WireError::new(
                ErrorCode::ResourceExhausted,
                "the audit log was handed over too often",
            )
            .reason(format!("{HAND_OVERS_MAX} times are the most"))
            .hint("make a new home, and move by memory export and import"));
        }
        let mut rotated = KeyRotated {
            kid: None,
            retired: Some(HEXLOWER.encode(&old.public.id())),
            removed: Vec::new(),
        };
        if context.dry_run {
            self.note_keys(context, 0, None).await?;
            return Ok(rotated);
        }
        let signing = old.public.key().to_bytes();
        let vault = self.vault.clone();
        let new = self.away(move || vault.next_audit_key(&signing)).await?;
        let next = vouch(&old.key, &new);
        let first = self.vault.clone();
        let fallback = draft(&context, Action::Manage, Resource::System);
        self.change(fallback, move |txn| {
            let mut access = require_operator(txn, &context, Action::Manage)?;
            let home = txn.directory().tenant_by_name(DEFAULT_TENANT);
            let now = signs(txn.directory())
                .unwrap_or_else(|| first.audit_signing_key().verifying_key().to_bytes());
            let Some(home) = home.filter(|_| now == signing) else {
                let error =
                    WireError::new(ErrorCode::Conflict, "another key took over in the meantime")
                        .reason("this one was not to follow that")
                        .hint("manushyactl audit key --all");
                return Err(Refusal::allowed(&access.audit, error));
            };
            let epoch = before as u64 + 2;
            let extensions = &mut access.audit.extensions;
            extensions.set_key_epoch(KeyEpoch {
                kind: KeyKind::Audit,
                epoch,
            });
            extensions.set_next_audit_key(&next);
            let record = AuditKey {
                tenant: home.id,
                epoch,
                seq: AuditSeq(txn.audit_len() + 1),
                created_at: context.now,
                from: signing,
                next,
            };
            let write = Write::PutGate(Arc::new(GateRecord::AuditKey(record)));
            Ok(access.plan(vec![write], 1, ()))
        })
        .await?;
        let vault = self.vault.clone();
        let newest = new.to_bytes();
        let settled = self.away(move || vault.settle_audit_keys(Some(&newest), false));
        if let Err(error) = settled.await {
            tracing::warn!(error = %chain(&error), "The old key of the log stays until the next start.");
        }
        rotated.kid = Some(HEXLOWER.encode(&verifier_key_of(new)?.id()));
        Ok(rotated)
    }
}
