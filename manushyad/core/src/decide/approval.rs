//! Requests that wait until somebody grants them: the effect `require`.
//!
//! A request is known again by the hash of all it says, so that what was granted is what is done, and
//! once. Nobody grants their own.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::ApprovalId;
use sha2::{Digest as _, Sha256};

use super::access::Access;
use super::refusal::{Refusal, Wanting};
use crate::command::{Arguments, Context, DecideApproval};
use crate::directory::Directory;
use crate::model::{
    APPROVAL_TTL_SECONDS_MAX, APPROVAL_WAIT_SECONDS, APPROVALS_WAITING_MAX, Action, Approval,
    ApprovalState, AuditDraft, Decision, Invalid, Policy, Resource,
};
use crate::plan::{Plan, Write};
use crate::view::View;

/// The id of a request: who wants to do what, on whose authority, to which thing, with which arguments.
fn request_id(context: &Context, audit: &AuditDraft, content: [u8; 16]) -> ApprovalId {
    let authority = &context.actor.identity;
    let mut hash = Sha256::new();
    hash.update(b"approval");
    hash.update(authority.tenant.to_bytes());
    hash.update(context.actor.bearer().id.to_bytes());
    hash.update(authority.id.to_bytes());
    hash.update([audit.action.code(), audit.resource.code()]);
    hash.update(thing(audit).unwrap_or_default());
    hash.update(content);
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    ApprovalId::from_bytes(id)
}

/// The thing it is about. What is yet to be made has another id each time.
fn thing(audit: &AuditDraft) -> Option<[u8; 16]> {
    audit.resource_id.filter(|_| audit.action != Action::Create)
}

impl Access<'_> {
    /// Goes on if this request was granted, and lets it wait otherwise.
    ///
    /// # Errors
    ///
    /// A refusal with `DENIED`: it waits, was refused, or cannot wait.
    pub(super) fn approved(&mut self, policy: &Policy) -> Result<(), Refusal> {
        let context = self.context;
        let identity = context.actor.bearer();
        let what = format!("{} this {}", self.audit.action, self.audit.resource);
        let message = format!("{} needs an approval to {what}", identity.external_id);
        let denied = |reason: String, hint: String| {
            let error = WireError::new(ErrorCode::Denied, message.clone());
            error.reason(reason).hint(hint)
        };
        let name = &policy.name;
        let Some(content) = context.content else {
            let reason =
                format!("policy {name} asks for one, and this kind of request cannot wait");
            let hint = "only single changes wait: not reads, and not batches".to_owned();
            return Err(Refusal::denied(&self.audit, denied(reason, hint)));
        };
        let id = request_id(context, &self.audit, content.tag);
        let tenant = identity.tenant;
        self.audit.extensions.set_approval(id.to_bytes());
        // What was said under another revision, or because of another policy, holds no more.
        let known = self
            .directory
            .approval(tenant, id)
            .filter(|known| context.now < known.expires_at && known.policy == policy.stamp());
        let waits = |reason: &str| {
            let hint = format!(
                "somebody else decides: manushyactl approval grant {id}; then repeat the same call"
            );
            denied(
                format!("policy {name} asks for one: {reason} as {id}"),
                hint,
            )
        };
        match known.map(|known| (known, known.state)) {
            Some((known, ApprovalState::Granted(by))) => {
                self.audit.decision = Decision::Allow;
                if self.used.iter().all(|used| used.id != id) {
                    let mut used = Approval::clone(known);
                    used.state = ApprovalState::Used(by);
                    self.used.push(Arc::new(used));
                }
                return Ok(());
            }
            Some((_, ApprovalState::Waiting)) => {
                return Err(Refusal::denied(&self.audit, waits("it waits")).that_waits());
            }
            Some((_, ApprovalState::Refused(_))) => {
                let reason = format!("policy {name} asks for one, and {id} was refused");
                let hint = "ask the operator; it can be asked for again when it has expired";
                let error = denied(reason, hint.to_owned());
                return Err(Refusal::denied(&self.audit, error).that_waits());
            }
            Some((_, ApprovalState::Used(_))) | None => {}
        }
        if self.waiting_of_caller() >= APPROVALS_WAITING_MAX {
            let reason = format!("{APPROVALS_WAITING_MAX} of your requests wait already");
            let error = denied(reason, "manushyactl approval list --mine".to_owned());
            return Err(Refusal::denied(&self.audit, error).that_waits());
        }
        if context.dry_run {
            return Err(Refusal::denied(&self.audit, waits("it would wait")).that_waits());
        }
        let error = waits("it waits from now on");
        let waiting = Some(Arc::new(self.request(id, policy, content)));
        Err(Refusal {
            with_approval: Some(Box::new(Wanting { waiting })),
            ..Refusal::denied(&self.audit, error)
        })
    }

    fn waiting_of_caller(&self) -> usize {
        let identity = self.context.actor.bearer();
        let all = self.directory.approvals(identity.tenant);
        all.filter(|it| {
            it.identity == identity.id
                && it.state == ApprovalState::Waiting
                && self.context.now < it.expires_at
        })
        .count()
    }

    /// This request, as it waits from now on.
    fn request(&self, id: ApprovalId, policy: &Policy, content: Arguments) -> Approval {
        let (context, audit) = (self.context, &self.audit);
        let identity = context.actor.bearer();
        Approval {
            id,
            tenant: identity.tenant,
            identity: identity.id,
            authority: context.actor.identity.id,
            method: content.method.to_owned(),
            action: audit.action,
            resource: audit.resource,
            resource_id: thing(audit),
            policy: policy.stamp(),
            purpose: context.purpose.clone(),
            state: ApprovalState::Waiting,
            created_at: context.now,
            expires_at: context.now.plus_seconds(APPROVAL_WAIT_SECONDS),
        }
    }
}

/// Grants or refuses a request. Who may manage policies decides, but not about their own.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if it does not wait any more.
pub fn decide(
    view: &impl View,
    context: &Context,
    command: DecideApproval,
) -> Result<Plan<Arc<Approval>>, Refusal> {
    let directory: &Directory = view.directory();
    let mut access = Access::begin(directory, context, Action::Manage, Resource::Policy)?;
    access.audit.resource_id = Some(command.id.to_bytes());
    access.audit.extensions.set_approval(command.id.to_bytes());
    access.require()?;
    let tenant = context.actor.identity.tenant;
    let Some(approval) = directory.approval(tenant, command.id) else {
        let id = command.id.to_string();
        return Err(access.missing("request", &id, "manushyactl approval list"));
    };
    let by = context.actor.identity.id;
    let deciding = [by, context.actor.bearer().id];
    if [approval.identity, approval.authority]
        .iter()
        .any(|own| deciding.contains(own))
    {
        let error = WireError::new(ErrorCode::Denied, "nobody decides about their own request")
            .hint("ask somebody else who may manage policies");
        return Err(Refusal::denied(&access.audit, error));
    }
    // A grant can be taken back until it is used; nothing else is decided twice.
    let word = approval.word(context.now);
    let takes_back = word == "granted" && command.grant_seconds.is_none();
    if word != "waiting" && !takes_back {
        let message = format!("{} is {word}", command.id);
        let hint = "manushyactl approval list --state waiting";
        return Err(access.conflict(message, "only what waits is decided", hint));
    }
    let mut decided = Approval::clone(approval);
    match command.grant_seconds {
        Some(seconds) if (1..=APPROVAL_TTL_SECONDS_MAX).contains(&seconds) => {
            decided.state = ApprovalState::Granted(by);
            decided.expires_at = context.now.plus_seconds(seconds);
        }
        Some(_) => {
            let invalid = Invalid::new("ttl", "must be 1 second to 7 days");
            return Err(Refusal::invalid(&access.audit, &invalid));
        }
        None => decided.state = ApprovalState::Refused(by),
    }
    let decided = Arc::new(decided);
    Ok(access.plan(vec![Write::PutApproval(decided.clone())], 1, decided))
}
