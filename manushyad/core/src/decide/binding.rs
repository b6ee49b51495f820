//! Bindings: processes that are known by what the kernel says of them, and need no secret. Users are the
//! host's, so that only its operator binds them.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::BindingId;
use manushya_protocol::limits;

use super::access::Access;
use super::identity::require;
use super::refusal::Refusal;
use crate::command::Context;
use crate::model::{Action, Binding, GateKey, GateRecord, Identity, Resource};
use crate::plan::{Plan, Write};
use crate::view::View;

/// Finds the identity, for who may make tokens for it and is the operator of the host.
fn begin<'a>(
    view: &'a impl View,
    context: &'a Context,
    action: Action,
    identity: &str,
) -> Result<(Access<'a>, Arc<Identity>), Refusal> {
    let (access, identity) = require(view, context, action, Resource::Token, identity)?;
    if !context.actor.operator {
        let message = "only the operator of the host binds its users";
        let error = WireError::new(ErrorCode::Denied, message)
            .reason("a user of the host is no matter of one tenant")
            .hint("run it as the user that owns the daemon's home, without MANUSHYA_TOKEN");
        return Err(Refusal::denied(&access.audit, error));
    }
    Ok((access, identity))
}

/// Binds an identity to processes of a user id, and of one program if that is named.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if the same processes are bound already.
pub fn bind(
    view: &impl View,
    context: &Context,
    id: BindingId,
    identity: &str,
    (uid, program): (u32, Option<[u8; 32]>),
) -> Result<Plan<(Arc<Identity>, Binding)>, Refusal> {
    let (access, identity) = begin(view, context, Action::Create, identity)?;
    let gates = view.directory().gates();
    let binding = Binding {
        id,
        tenant: identity.tenant,
        identity: identity.id,
        uid,
        program,
        created_at: context.now,
    };
    let same = gates
        .bindings_of_uid(uid)
        .find(|it| it.program == program && it.tenant == identity.tenant);
    if let Some(same) = same {
        let message = format!("processes of user {uid} are bound already, by {}", same.id);
        let hint = "manushyactl identity unbind";
        return Err(access.conflict(message, "a process is one identity", hint));
    }
    let held = gates.bindings(identity.tenant);
    if held.filter(|it| it.identity == identity.id).count() >= limits::BINDINGS_MAX {
        let message = format!("{} has too many bindings", identity.external_id);
        let reason = format!("the limit is {}", limits::BINDINGS_MAX);
        return Err(access.conflict(message, &reason, "manushyactl identity unbind"));
    }
    let write = Write::PutGate(Arc::new(GateRecord::Binding(binding.clone())));
    Ok(access.plan(vec![write], 1, (identity, binding)))
}

/// Takes bindings of an identity away: those of a user id, or of one program of it if that is named.
///
/// # Errors
///
/// A refusal, among others `NOT_FOUND` if there is none.
pub fn unbind(
    view: &impl View,
    context: &Context,
    identity: &str,
    (uid, program): (u32, Option<[u8; 32]>),
) -> Result<Plan<(Arc<Identity>, u64)>, Refusal> {
    let (access, identity) = begin(view, context, Action::Delete, identity)?;
    let gates = view.directory().gates();
    let writes: Vec<Write> = gates
        .bindings(identity.tenant)
        .filter(|it| it.identity == identity.id && it.uid == uid)
        .filter(|it| program.is_none() || it.program == program)
        .map(|it| Write::DropGate(it.tenant, GateKey::Binding(it.id)))
        .collect();
    if writes.is_empty() {
        let hint = format!("manushyactl identity show {}", identity.external_id);
        return Err(access.missing("binding", &format!("of user {uid}"), &hint));
    }
    let count = writes.len() as u64;
    Ok(access.plan(writes, count, (identity, count)))
}
