//! Vectors that are made beside their memories, by an embedder that takes its time.

use super::access::Access;
use super::memory::due;
use super::refusal::Refusal;
use crate::command::{Context, StoreEmbeddings};
use crate::model::{Action, Decision, Memory, Resource};
use crate::plan::{Plan, Write};
use crate::view::View;

/// Puts each vector to its memory, in place: nothing of what was said changes, so neither does the
/// version. What has changed, gone or expired since its text was read is passed over. Answers how
/// many were put.
///
/// # Errors
///
/// A refusal: only the daemon itself and the operator of the host may, and no request asks for it.
pub fn store(
    view: &impl View,
    context: &Context,
    command: StoreEmbeddings,
) -> Result<Plan<u64>, Refusal> {
    let mut access = super::tenant::require_operator(view, context, Action::Manage)?;
    access.audit.resource = Resource::Memory;
    access.audit.decision = Decision::Allow;
    let tenant = context.actor.identity.tenant;
    let mut writes = Vec::with_capacity(command.items.len());
    for (id, version, embedding) in command.items {
        let memory = match view.memory(tenant, id) {
            Ok(Some(memory)) => memory,
            Ok(None) => continue,
            Err(error) => return Err(access.broken(error)),
        };
        let same = memory.version == version && memory.is_live(context.now);
        if !same || memory.embedder == embedding.by {
            continue;
        }
        let memory = Memory {
            vector: embedding.vector,
            embedder: embedding.by,
            ..memory
        };
        writes.push(Write::PutMemory {
            due: due(&memory, context),
            memory: Box::new(memory),
        });
    }
    let count = writes.len() as u64;
    Ok(access.plan(writes, count, count))
}

/// Checks that the caller may look at the embedding of a tenant's memories, or (with `manage`) have
/// what failed tried again.
///
/// # Errors
///
/// A refusal.
pub fn oversee(view: &impl View, context: &Context, manage: bool) -> Result<Plan<()>, Refusal> {
    let action = if manage { Action::Manage } else { Action::Read };
    let mut access = Access::begin(view.directory(), context, action, Resource::System)?;
    access.require()?;
    Ok(access.plan(Vec::new(), 1, ()))
}
