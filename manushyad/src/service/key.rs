//! The keys that sign tokens: showing them, and putting a new one in place.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use manushya_core::command::Context;
use manushya_core::decide::access::{Access, draft};
use manushya_core::decide::key::is_needed;
use manushya_core::decide::tenant::{DEFAULT_TENANT, require_operator};
use manushya_core::directory::Directory;
use manushya_core::model::{
    Action, Decision, GateKey, GateRecord, KeyEpoch, KeyKind, Resource, TokenKey,
};
use manushya_core::plan::Write;
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::TenantId;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::common::Listed;
use manushya_protocol::v1::key::{JwkSet, KeyRotated, KeyView};

use super::{Service, writer};
use crate::auth::{TokenKeys, jwk_set};

/// The tenant the records of keys are kept with.
fn home_tenant(directory: &Directory) -> Option<TenantId> {
    let tenant = directory.tenant_by_name(DEFAULT_TENANT)?;
    Some(tenant.id)
}

fn kid(key: u64) -> String {
    format!("{key:016x}")
}

/// The records after a rotation at `now`: the new key, and those it takes the place of.
fn rotated(directory: &Directory, all: &[u64], now: UnixMillis) -> Vec<Write> {
    let Some(tenant) = home_tenant(directory) else {
        return Vec::new();
    };
    let known: Vec<TokenKey> = directory.gates().token_keys(tenant).copied().collect();
    let newest = all.last().copied();
    let records = all.iter().map(|&key| {
        let old = known.iter().find(|it| it.key == key);
        let is_newest = Some(key) == newest;
        TokenKey {
            tenant,
            key,
            // The first key of a home has no record until it is replaced.
            created_at: old.map_or(if is_newest { now } else { UnixMillis(0) }, |it| {
                it.created_at
            }),
            retired_at: match is_newest {
                true => None,
                false => old.and_then(|it| it.retired_at).or(Some(now)),
            },
        }
    });
    records
        .filter(|it| !known.contains(it))
        .map(|it| Write::PutGate(Arc::new(GateRecord::TokenKey(it))))
        .collect()
}

impl Service {
    /// Lists the keys that sign or verify tokens, oldest first, then root, log and data keys.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn key_list(&self, context: Context) -> Result<Listed<KeyView>, WireError> {
        let keys = self.vault.jwt_key_ids();
        let others = self.other_keys()?;
        self.read(&context, |view, context| {
            let access = require_operator(view, context, Action::Read)?;
            let directory = view.directory();
            let known: Vec<TokenKey> = home_tenant(directory)
                .map(|tenant| directory.gates().token_keys(tenant).copied().collect())
                .unwrap_or_default();
            let items: Vec<KeyView> = keys
                .iter()
                .map(|key| {
                    let record = known.iter().find(|it| it.key == *key);
                    let state = match Some(key) == keys.last() {
                        true => "signing",
                        false => "verifying",
                    };
                    KeyView {
                        kid: kid(*key),
                        kind: "jwt".to_owned(),
                        state: state.to_owned(),
                        created_at: record
                            .map(|it| it.created_at)
                            .filter(|at| *at != UnixMillis(0)),
                        retired_at: record.and_then(|it| it.retired_at),
                        count: None,
                    }
                })
                .collect();
            let mut items = items;
            items.extend(others.iter().cloned());
            let total = items.len() as u64;
            let listed = Listed {
                items,
                next: None,
                total,
            };
            Ok(access.plan(Vec::new(), total, listed))
        })
        .await
    }

    /// The keys beside those of tokens: the root, the log's, and those of records.
    fn other_keys(&self) -> Result<Vec<KeyView>, WireError> {
        let show = |kind: &str, kid: String, state: &str, count| KeyView {
            kid,
            kind: kind.to_owned(),
            state: state.to_owned(),
            created_at: None,
            retired_at: None,
            count,
        };
        let next = self.vault.next_data_key().0.to_string();
        let data = self.ports.cipher.keys().len() as u64;
        let mut shown = vec![show(
            "root",
            self.vault.epoch().to_string(),
            "wrapping",
            None,
        )];
        let directory = self.writer.published().directory.clone();
        let taken_over = super::audit::taken_over(&directory);
        let keys = super::audit::log_keys(&self.vault, &directory)?.to_vec();
        for (at, key) in keys.iter().enumerate() {
            let begun = at.checked_sub(1).and_then(|at| taken_over.get(at));
            let ended = taken_over.get(at);
            let state = if ended.is_some() {
                "verifying"
            } else {
                "signing"
            };
            shown.push(KeyView {
                created_at: begun.map(|it| it.created_at),
                retired_at: ended.map(|it| it.created_at),
                ..show("audit", HEXLOWER.encode(&key.id()), state, None)
            });
        }
        shown.push(show("data", next, "sealing", Some(data)));
        let recovery = self.vault.recovery_recipient();
        shown.extend(recovery.map(|it| show("recovery", it, "recovering", None)));
        Ok(shown)
    }

    /// Shows the public keys, so that others can verify tokens. Every caller may have them.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn key_jwks(&self, context: Context) -> Result<JwkSet, WireError> {
        let set = jwk_set(&self.vault.jwt_keys());
        self.read(&context, |view, context| {
            let directory = view.directory();
            let (action, resource) = (Action::Read, Resource::System);
            let mut access = Access::begin_with_own(directory, context, action, resource)?;
            access.audit.decision = Decision::Allow;
            Ok(access.plan(Vec::new(), set.keys.len() as u64, set.clone()))
        })
        .await
    }

    /// Makes a new key sign tokens. Those of the keys before verify until they have ended; keys
    /// without such tokens are removed.
    ///
    /// # Errors
    ///
    /// What the deciding said, or `INTERNAL` if the keystore cannot be written.
    pub async fn key_rotate_jwt(&self, context: Context) -> Result<KeyRotated, WireError> {
        self.allow_keys(&context).await?;
        let retired = self.vault.jwt_key_ids().last().copied().map(kid);
        if context.dry_run {
            self.note_keys(context, 0, None).await?;
            return Ok(KeyRotated {
                kid: None,
                retired,
                removed: Vec::new(),
            });
        }
        let broken = |error: &dyn std::error::Error| {
            WireError::new(ErrorCode::Internal, "the keystore cannot be written")
                .reason(writer::chain(error))
                .hint("look at disk space and at the daemon's log")
        };
        // The key is durable before anything is signed with it, and before anything names it.
        let key = self.vault.add_jwt_key().map_err(|error| broken(&error))?;
        let all = self.vault.jwt_key_ids();
        let fallback = draft(&context, Action::Manage, Resource::System);
        let now = context.now;
        self.change(fallback, move |txn| {
            let mut access = require_operator(txn, &context, Action::Manage)?;
            access.audit.extensions.set_key_epoch(KeyEpoch {
                kind: KeyKind::Token,
                epoch: key,
            });
            let writes = rotated(txn.directory(), &all, now);
            Ok(access.plan(writes, 1, ()))
        })
        .await?;
        let removed = self.prune_jwt_keys(now).await?;
        self.load_jwt_keys()?;
        Ok(KeyRotated {
            kid: Some(kid(key)),
            retired,
            removed: removed.into_iter().map(kid).collect(),
        })
    }

    /// Removes keys whose tokens have all ended; returns which.
    ///
    /// # Errors
    ///
    /// `INTERNAL` if the keystore cannot be written, or what the writer said.
    pub async fn prune_jwt_keys(&self, now: UnixMillis) -> Result<Vec<u64>, WireError> {
        let published = self.writer.published();
        let directory = &published.directory;
        let Some(tenant) = home_tenant(directory) else {
            return Ok(Vec::new());
        };
        let gone: Vec<u64> = directory
            .gates()
            .token_keys(tenant)
            .filter(|key| !is_needed(directory, key, now))
            .map(|key| key.key)
            .collect();
        if gone.is_empty() {
            return Ok(gone);
        }
        self.vault.remove_jwt_keys(&gone).map_err(|error| {
            WireError::new(ErrorCode::Internal, "the keystore cannot be written")
                .reason(writer::chain(&error))
        })?;
        let writes: Vec<Write> = gone
            .iter()
            .map(|key| Write::DropGate(tenant, GateKey::TokenKey(*key)))
            .collect();
        self.writer.keep_books(move |_| Ok(writes)).await?;
        self.load_jwt_keys()?;
        Ok(gone)
    }

    /// Takes up the keys as the vault has them.
    fn load_jwt_keys(&self) -> Result<(), WireError> {
        let keys = TokenKeys::new(self.vault.jwt_keys()).map_err(|error| {
            WireError::new(
                ErrorCode::Internal,
                "the keys of the access tokens cannot be used",
            )
            .reason(error.to_string())
        })?;
        self.tokens.store(Arc::new(keys));
        Ok(())
    }
}
