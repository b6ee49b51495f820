//! Memories that say nearly the same as a new one.
//!
//! The index names them before the deciding, by the cosine of the vectors; here it is seen whether
//! they are still there, and whether the caller may know of them, see what they say and change them.
//! What it may not counts as if it were not there.

use manushya_protocol::id::MemoryId;
use manushya_protocol::limits::SUPERSEDES_MAX;
use manushya_protocol::v1::memory::OnDuplicate;

use super::access::Access;
use super::refusal::Refusal;
use crate::command::Context;
use crate::model::{Action, Memory, Superseded};
use crate::view::View;

/// The memories told of that count as duplicates of `memory`, the nearest first, as they
/// will be: superseded by it if that was asked for. Only the caller's own in the same namespace do.
///
/// # Errors
///
/// A refusal if the store cannot be read.
pub(super) fn alike(
    view: &impl View,
    context: &Context,
    access: &mut Access<'_>,
    memory: &Memory,
    (on_duplicate, alike): (OnDuplicate, &[(MemoryId, u32)]),
) -> Result<Vec<Memory>, Refusal> {
    if on_duplicate == OnDuplicate::Keep {
        return Ok(Vec::new());
    }
    let supersede = on_duplicate == OnDuplicate::Supersede;
    let mut found = Vec::new();
    for &(id, version) in alike.iter().take(SUPERSEDES_MAX) {
        let existing = match view.memory(memory.tenant, id) {
            Ok(Some(existing)) => existing,
            Ok(None) => continue,
            Err(error) => return Err(access.broken(error)),
        };
        let counts = existing.owner == memory.owner
            && existing.version == version
            && existing.content.namespace == memory.content.namespace
            && existing.superseded.is_none()
            && existing.is_live(context.now);
        if !counts || access.require_also(Action::Read, &existing).is_err() {
            continue;
        }
        // Who may not see what it says must not learn it by guessing.
        if access.mask(&existing).text {
            continue;
        }
        if !supersede {
            found.push(existing);
            break;
        }
        if access.require_also(Action::Update, &existing).is_ok() {
            found.push(Memory {
                superseded: Some(Superseded {
                    by: memory.id,
                    at: context.now,
                }),
                ..existing
            });
        }
    }
    Ok(found)
}
