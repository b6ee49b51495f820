//! Memories that are held back until somebody looks at them, and memories that are there to be noticed.

use manushya_protocol::error::{ErrorCode, WireError};

use super::access::Access;
use super::memory::put;
use super::refusal::Refusal;
use crate::command::{Context, ReviewMemory, SetCanary};
use crate::directory::Directory;
use crate::model::{Action, DelegationStep, Memory, Provenance, Resource, Source, Via};
use crate::plan::Plan;
use crate::view::View;

/// Where what the caller writes comes from.
pub fn provenance(context: &Context, source: Option<Source>) -> Provenance {
    let actor = &context.actor;
    let token = match actor.via {
        Via::Token(id) => Some(id),
        Via::PeerUid | Via::Daemon => None,
    };
    // As audit entries tell it: those above the token that was used, the first one first.
    let above = actor.links.iter().skip(1).rev();
    let chain = above.map(|link| DelegationStep {
        token: link.token.id,
        identity: link.identity.id,
    });
    Provenance {
        writer: actor.bearer().id,
        token,
        chain: chain.collect(),
        peer_uid: actor.peer_uid,
        source,
        request_id: context.request_id,
        written_at: context.now,
    }
}

/// Whether what the caller writes is held back: it is in quarantine, or one on whose authority it
/// acts is.
pub fn is_held_back(directory: &Directory, context: &Context) -> bool {
    let actor = &context.actor;
    let all = std::iter::once(&actor.identity).chain(actor.delegates());
    all.map(|identity| directory.identity(identity.tenant, identity.id))
        .any(|current| current.is_none_or(|identity| identity.quarantine))
}

/// Asks whether the caller manages the tenant. Canaries are for such only: whom they are to catch must
/// not be able to tell them from others, nor take them away, not even among its own memories.
///
/// # Errors
///
/// A refusal.
pub fn require_manager<'a>(
    directory: &'a Directory,
    context: &'a Context,
) -> Result<Access<'a>, Refusal> {
    let mut access = Access::begin(directory, context, Action::Manage, Resource::System)?;
    access.require()?;
    Ok(access)
}

/// Finds a memory that the caller may review: not an own one, and one it may manage.
fn require_held<'a>(
    view: &'a impl View,
    context: &'a Context,
    command: &ReviewMemory,
) -> Result<(Access<'a>, Memory), Refusal> {
    let mut access = Access::begin(view.directory(), context, Action::Manage, Resource::Memory)?;
    let memory = access.require_live_memory(view, command.id)?;
    let actor = &context.actor;
    let own = [actor.identity.id, actor.bearer().id]
        .iter()
        .any(|id| [memory.owner, memory.provenance.writer].contains(id));
    if own && memory.quarantined {
        let error = WireError::new(ErrorCode::Denied, "you may not review what you wrote")
            .reason("a review is another's")
            .hint("ask another administrator");
        return Err(Refusal::denied(&access.audit, error));
    }
    if !memory.quarantined {
        let message = format!("memory {} is not held back", memory.id);
        let hint = "manushyactl memory review list";
        return Err(access.conflict(message, "there is nothing to review", hint));
    }
    if let Some(expected) = command.if_version
        && expected != memory.version
    {
        let message = format!("memory {} is at version {}", memory.id, memory.version);
        let hint = "look at it again: manushyactl memory review list";
        return Err(access.conflict(message, &format!("version {expected} was expected"), hint));
    }
    Ok((access, memory))
}

/// Approves a memory that is held back, or deletes it. Nobody reviews what they wrote.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if it is not held back or was changed meanwhile.
pub fn review(
    view: &impl View,
    context: &Context,
    command: ReviewMemory,
) -> Result<Plan<Memory>, Refusal> {
    let (access, memory) = require_held(view, context, &command)?;
    // Neither is a new version: what was written stays as it was written.
    let reviewed = if command.approve {
        Memory {
            quarantined: false,
            ..memory
        }
    } else {
        Memory {
            deleted_at: Some(context.now),
            ..memory
        }
    };
    let write = put(&reviewed, context);
    Ok(access.plan(vec![write], 1, reviewed))
}

/// Makes a memory a canary, or none.
///
/// # Errors
///
/// A refusal.
pub fn set_canary(
    view: &impl View,
    context: &Context,
    command: SetCanary,
) -> Result<Plan<Memory>, Refusal> {
    let mut access = Access::begin(view.directory(), context, Action::Manage, Resource::Memory)?;
    let memory = access.require_live_memory(view, command.id)?;
    require_manager(view.directory(), context)?;
    if memory.canary == command.canary {
        return Ok(access.plan(Vec::new(), 0, memory));
    }
    let changed = Memory {
        canary: command.canary,
        ..memory
    };
    let write = put(&changed, context);
    Ok(access.plan(vec![write], 1, changed))
}
