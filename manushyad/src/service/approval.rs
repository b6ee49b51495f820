//! Requests that wait for an approval.

use manushya_core::command::{Arguments, Context, DecideApproval};
use manushya_core::decide;
use manushya_core::decide::access::{Access, draft};
use manushya_core::directory::Directory;
use manushya_core::model::{Action, Approval, Decision, Resource};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{IdentityId, MemoryId, PolicyId};
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::approval::{ApprovalDecide, ApprovalList, ApprovalView};
use manushya_protocol::v1::common::Listed;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::identity::listed_plan;
use super::{Service, page};
use crate::port::Cipher as _;

/// The methods whose requests can wait: single changes.
const WAITING: &[&str] = &[
    "identity_create",
    "identity_update",
    "identity_delete",
    "identity_invite",
    "api_key_create",
    "token_issue",
    "token_revoke",
    "memory_add",
    "memory_update",
    "memory_restore",
    "memory_delete",
    "memory_review",
    "memory_canary",
    "policy_apply",
    "policy_delete",
    "policy_set_active",
    "policy_rollback",
    "hold_add",
    "hold_release",
    "purge_plan",
    "purge_apply",
];
/// The states a request can be in.
const STATES: &[&str] = &["waiting", "granted", "refused", "used", "expired"];

/// Hashes what is written to it, so that no request is held twice.
struct Hashing(Sha256);

impl std::io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Service {
    /// The context with what the request is known by again, if any policy of the tenant may ask for it.
    pub fn with_content(
        &self,
        mut context: Context,
        method: &'static str,
        request: &impl Serialize,
    ) -> Context {
        let tenant = context.actor.identity.tenant;
        let published = self.writer.published();
        let asked =
            WAITING.contains(&method) && published.directory.policy_set(tenant).requires_anything();
        if asked {
            let mut hashing = Hashing(Sha256::new());
            hashing.0.update(method.as_bytes());
            hashing.0.update([0]);
            if serde_json::to_writer(&mut hashing, request).is_ok() {
                // Under a key, so that nobody finds the arguments by trying.
                let hash = hashing.0.finalize();
                let tag = self.vault.blind("approval", &hash);
                context.content = Some(Arguments { method, tag });
            }
        }
        context
    }

    /// Lists requests, newest first: those of the caller, or of all if the caller may read policies.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for a state that is none, or what the deciding said.
    pub async fn approval_list(
        &self,
        context: Context,
        request: ApprovalList,
    ) -> Result<Listed<ApprovalView>, WireError> {
        page::limit(&request.page)?;
        if let Some(state) = request
            .state
            .as_deref()
            .filter(|state| !STATES.contains(state))
        {
            let state: String = state.chars().take(40).collect();
            return Err(WireError::new(
                ErrorCode::InvalidArgument,
                format!("`{state}` is no state of a request"),
            )
            .hint(format!("one of: {}", STATES.join(", "))));
        }
        self.read(&context, |view, context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Read, Resource::Policy)?;
            if request.mine {
                access.audit.decision = Decision::Allow;
            } else {
                access.require()?;
            }
            let identity = &context.actor.identity;
            let mut chosen: Vec<_> = directory
                .approvals(identity.tenant)
                .filter(|it| !request.mine || it.identity == context.actor.bearer().id)
                .filter(|it| {
                    let state = request.state.as_deref();
                    state.is_none_or(|state| it.word(context.now) == state)
                })
                .collect();
            let place = |it: &&std::sync::Arc<Approval>| {
                format!("{:020}{}", i64::MAX - it.created_at.0.max(0), it.id)
            };
            chosen.sort_by_cached_key(place);
            let listed = page::cut(chosen.into_iter(), &request.page, place, |it| {
                shown(directory, it, context.now)
            });
            Ok(listed_plan(access, listed))
        })
        .await?
    }

    /// Grants or refuses a request.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn approval_decide(
        &self,
        context: Context,
        request: ApprovalDecide,
    ) -> Result<ApprovalView, WireError> {
        let command = DecideApproval {
            id: request.id,
            grant_seconds: request.grant_seconds,
        };
        let now = context.now;
        let fallback = draft(&context, Action::Manage, Resource::Policy);
        let decided = self
            .change(fallback, move |txn| {
                decide::approval::decide(txn, &context, command)
            })
            .await?;
        Ok(shown(&self.writer.published().directory, &decided, now))
    }
}

pub(super) fn shown(directory: &Directory, approval: &Approval, now: UnixMillis) -> ApprovalView {
    let name = |id: IdentityId| {
        let identity = directory.identity(approval.tenant, id);
        identity.map_or_else(|| id.to_string(), |found| found.external_id.to_string())
    };
    let policy = directory.policy(approval.tenant, approval.policy.id);
    let resource_id = approval.resource_id.map(|id| match approval.resource {
        Resource::Memory => MemoryId::from_bytes(id).to_string(),
        Resource::Policy => PolicyId::from_bytes(id).to_string(),
        _ => name(IdentityId::from_bytes(id)),
    });
    ApprovalView {
        id: approval.id,
        identity: name(approval.identity),
        authority: name(approval.authority),
        method: approval.method.clone(),
        action: approval.action.as_str().to_owned(),
        resource: approval.resource.as_str().to_owned(),
        resource_id,
        policy: policy.map_or_else(
            || approval.policy.id.to_string(),
            |policy| policy.name.to_string(),
        ),
        purpose: approval.purpose.clone(),
        state: approval.word(now).to_owned(),
        decided_by: approval.state.by().map(name),
        created_at: approval.created_at,
        expires_at: approval.expires_at,
    }
}
