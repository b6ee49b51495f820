//! Replacing the root, the data keys and the passphrase.

use std::sync::Arc;
use std::time::{Duration, Instant};

use manushya_core::command::Context;
use manushya_core::decide::access::draft;
use manushya_core::decide::tenant::require_operator;
use manushya_core::model::{Action, AuditDraft, DataKeyId, Decision, KeyEpoch, KeyKind, Resource};
use manushya_core::plan::Write;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::v1::common::Done;
use manushya_protocol::v1::key::{
    KeyDataRotated, KeyPassphrase, KeyRecoverySet, KeyRotateData, KeyRotated,
};

use super::writer::chain;
use super::{Service, unreadable};
use crate::vault::{VaultError, check_recipients};

/// How many data keys one step replaces: some thousand records, so that others wait some tenths of a
/// second at the most.
const STEP_KEYS: usize = 16;
/// How long the last step waits for those who read an earlier state.
const RETIRING: Duration = Duration::from_secs(2);

fn unwritten(error: &VaultError) -> WireError {
    WireError::new(ErrorCode::Internal, "the keys cannot be written")
        .reason(chain(error))
        .hint("look at disk space and at the daemon's log, and repeat it")
}

impl Service {
    /// Finds out whether the caller may manage keys. That it may is on disk before anything is done,
    /// since keys do not change in one transaction with the log; what was done is an entry of its own.
    pub(super) async fn allow_keys(&self, context: &Context) -> Result<(), WireError> {
        let allowed = {
            let view = self.view()?;
            require_operator(&view, context, Action::Manage).map(|access| access.audit)
        };
        match allowed {
            Ok(_) if context.dry_run => Ok(()),
            Ok(audit) => {
                let begun = AuditDraft {
                    decision: Decision::Allow,
                    count: 0,
                    ..audit
                };
                self.audit_durably(begun).await
            }
            Err(refusal) => {
                self.audit_durably(*refusal.audit).await?;
                Err(refusal.error)
            }
        }
    }

    /// Writes the entry of a change of keys: how many things it was done to, and the epoch that begins.
    pub(super) async fn note_keys(
        &self,
        context: Context,
        count: u64,
        epoch: Option<KeyEpoch>,
    ) -> Result<(), WireError> {
        let fallback = draft(&context, Action::Manage, Resource::System);
        self.change(fallback, move |txn| {
            let mut access = require_operator(txn, &context, Action::Manage)?;
            if let Some(epoch) = epoch {
                access.audit.extensions.set_key_epoch(epoch);
            }
            Ok(access.plan(Vec::new(), count, ()))
        })
        .await
    }

    /// Makes a new root and wraps every key under it. No record is written.
    ///
    /// # Errors
    ///
    /// What the deciding said, or `INTERNAL` if the keys cannot be written.
    pub async fn key_rotate_root(&self, context: Context) -> Result<KeyRotated, WireError> {
        self.allow_keys(&context).await?;
        let before = self.vault.epoch();
        let mut rotated = KeyRotated {
            kid: None,
            retired: Some(before.to_string()),
            removed: Vec::new(),
        };
        if context.dry_run {
            self.note_keys(context, 0, None).await?;
            return Ok(rotated);
        }
        let vault = self.vault.clone();
        let epoch = self.away(move || vault.rotate_root()).await?;
        let kind = KeyKind::Root;
        self.note_keys(context, 1, Some(KeyEpoch { kind, epoch }))
            .await?;
        rotated.kid = Some(epoch.to_string());
        Ok(rotated)
    }

    /// Runs what waits for the disk where nobody else waits for it.
    pub(super) async fn away<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, WireError> {
        let done = tokio::task::spawn_blocking(work).await;
        let done = done.map_err(|_| {
            WireError::new(ErrorCode::Internal, "the keys could not be changed")
                .hint("look at the daemon's log")
        })?;
        done.map_err(|error| unwritten(&error))
    }

    /// Replaces some of the data keys that are older than the first step: their records are sealed
    /// anew in one transaction, and the keys destroyed when nobody reads with them any more.
    ///
    /// # Errors
    ///
    /// What the deciding or the store said. What earlier steps did stays done.
    pub async fn key_rotate_data(
        &self,
        context: Context,
        request: KeyRotateData,
    ) -> Result<KeyDataRotated, WireError> {
        self.allow_keys(&context).await?;
        let failed = |error: crate::store::StoreError| unreadable(&error);
        self.retire_keys()?;
        let next = self.vault.next_data_key();
        let below = request
            .below
            .map_or(next, |below| next.min(DataKeyId(below)));
        let (uses, count) = self
            .store
            .snapshot()
            .and_then(|snapshot| snapshot.keys_below(below, STEP_KEYS))
            .map_err(failed)?;
        let mut rotated = KeyDataRotated {
            below: below.0,
            replaced: 0,
            left: count,
            waiting: 0,
        };
        if context.dry_run {
            self.note_keys(context, 0, None).await?;
            return Ok(rotated);
        }
        let replaced = uses.len() as u64;
        let fallback = draft(&context, Action::Manage, Resource::System);
        self.change(fallback, move |txn| {
            let mut access = require_operator(txn, &context, Action::Manage)?;
            access.audit.extensions.set_key_epoch(KeyEpoch {
                kind: KeyKind::Data,
                epoch: below.0,
            });
            let writes = uses.into_iter().map(Write::RenewKey).collect();
            Ok(access.plan(writes, replaced, ()))
        })
        .await?;
        rotated.replaced = replaced;
        rotated.left = count - replaced;
        rotated.waiting = self.retire_keys()?;
        let started = Instant::now();
        while rotated.left == 0 && rotated.waiting > 0 && started.elapsed() < RETIRING {
            tokio::time::sleep(Duration::from_millis(20)).await;
            rotated.waiting = self.retire_keys()?;
        }
        Ok(rotated)
    }

    /// Destroys data keys that were replaced and that nobody reads with any more; returns how many
    /// wait.
    ///
    /// # Errors
    ///
    /// `INTERNAL` if the keystore cannot be written; then it is tried again later.
    pub fn retire_keys(&self) -> Result<u64, WireError> {
        self.store.retire_keys().map_err(|error| {
            WireError::new(error.code(), "replaced keys cannot be destroyed yet")
                .reason(chain(&error))
                .hint("look at disk space and at the daemon's log")
        })
    }

    /// Locks the identity of this host by a passphrase, or takes the lock away.
    ///
    /// # Errors
    ///
    /// What the deciding said, `INVALID_ARGUMENT` for an empty passphrase, or `INTERNAL` if the file
    /// cannot be written.
    pub async fn key_passphrase(
        self: Arc<Self>,
        context: Context,
        request: KeyPassphrase,
    ) -> Result<Done, WireError> {
        self.allow_keys(&context).await?;
        let passphrase = request.passphrase;
        if passphrase.as_ref().is_some_and(|it| it.is_empty()) {
            return Err(
                WireError::new(ErrorCode::InvalidArgument, "the passphrase is empty")
                    .reason("the first line of the file is")
                    .hint("to take the lock away: manushyactl key passphrase remove"),
            );
        }
        let outcome = match passphrase {
            Some(_) => "locked",
            None => "in the clear",
        };
        let dry_run = context.dry_run;
        if !dry_run {
            let vault = self.vault.clone();
            let secret = passphrase.map(manushya_protocol::secret::Passphrase::into_secret);
            self.away(move || vault.set_passphrase(secret.as_ref()))
                .await?;
        }
        self.note_keys(context, u64::from(!dry_run), None).await?;
        Ok(Done {
            id: "identity".to_owned(),
            outcome: outcome.to_owned(),
        })
    }

    /// Lets another recovery key open this home, and none before it.
    ///
    /// # Errors
    ///
    /// What the deciding said, `INVALID_ARGUMENT` if it is none, or `INTERNAL` if the keys cannot be
    /// written.
    pub async fn key_recovery_set(
        &self,
        context: Context,
        request: KeyRecoverySet,
    ) -> Result<Done, WireError> {
        self.allow_keys(&context).await?;
        let recipient = request.recipient;
        check_recipients(std::slice::from_ref(&recipient)).map_err(|error| {
            WireError::new(ErrorCode::InvalidArgument, "the recovery key is not valid")
                .reason(error.to_string())
                .hint("give the public half of an age identity: age1...")
        })?;
        let done = |outcome: &str| Done {
            id: recipient.clone(),
            outcome: outcome.to_owned(),
        };
        if context.dry_run {
            self.note_keys(context, 0, None).await?;
            return Ok(done("unchanged"));
        }
        let (vault, new) = (self.vault.clone(), recipient.clone());
        let epoch = self.away(move || vault.replace_recovery(&new)).await?;
        let kind = KeyKind::Root;
        self.note_keys(context, 1, Some(KeyEpoch { kind, epoch }))
            .await?;
        Ok(done("recovering"))
    }
}
