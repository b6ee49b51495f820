//! Retention: how long memories of a type live after they were made, and how long deleted ones are kept.
//!
//! The rules are looked at when something is swept, not when it is written: one that changes holds for
//! what there is already. What could be past its time is found beside the writer; here it is decided
//! anew, memory by memory.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{MemoryId, TenantId};
use manushya_protocol::unit::UnixMillis;

use super::access::Access;
use super::refusal::Refusal;
use crate::command::Context;
use crate::directory::Directory;
use crate::model::{Action, ErasureKey, ErasureRecord, Keep, Kind, Memory, Resource, Retention};
use crate::plan::{Plan, Write};
use crate::view::{View, ViewError};

/// The longest that a rule keeps anything, in seconds: 100 years.
pub const KEEP_SECONDS_MAX: u64 = 100 * 366 * 86_400;

/// Sets how long memories are kept.
#[derive(Clone, Debug)]
pub struct SetRetention {
    /// Of which type; none for what no rule of a type speaks of.
    pub kind: Option<Kind>,
    /// How long.
    pub keep: Keep,
}

/// Who may set, see or take away rules: whoever may manage the system.
fn begin<'a>(
    directory: &'a Directory,
    context: &'a Context,
    action: Action,
) -> Result<Access<'a>, Refusal> {
    let mut access = Access::begin(directory, context, action, Resource::System)?;
    access.require()?;
    Ok(access)
}

/// Sets a rule, in the place of one that was set for the same.
///
/// # Errors
///
/// A refusal.
pub fn set(
    view: &impl View,
    context: &Context,
    command: SetRetention,
) -> Result<Plan<Retention>, Refusal> {
    let access = begin(view.directory(), context, Action::Manage)?;
    let keep = command.keep;
    let given = [keep.live, keep.deleted];
    let wrong = if given == [None, None] {
        Some("say how long memories live, or how long deleted ones are kept")
    } else if given
        .iter()
        .flatten()
        .any(|seconds| !(1..=KEEP_SECONDS_MAX).contains(seconds))
    {
        Some("what is kept is kept for a second to 100 years")
    } else {
        None
    };
    if let Some(wrong) = wrong {
        let error = WireError::new(ErrorCode::InvalidArgument, wrong)
            .hint("manushyactl purge retention set --type log --keep 90d --keep-deleted 7d");
        return Err(Refusal::allowed(&access.audit, error));
    }
    let rule = Retention {
        tenant: context.actor.identity.tenant,
        kind: command.kind,
        keep,
        set_by: context.actor.identity.id,
        updated_at: context.now,
    };
    let write = Write::PutErasure(Arc::new(ErasureRecord::Retention(rule.clone())));
    Ok(access.plan(vec![write], 1, rule))
}

/// Takes a rule away. What it would have erased later is kept from here on.
///
/// # Errors
///
/// A refusal, among others `NOT_FOUND`.
pub fn unset(
    view: &impl View,
    context: &Context,
    kind: Option<&Kind>,
) -> Result<Plan<()>, Refusal> {
    let access = begin(view.directory(), context, Action::Manage)?;
    let tenant = context.actor.identity.tenant;
    if view
        .directory()
        .erasures()
        .retention(tenant, kind)
        .is_none()
    {
        let name = kind.map_or("*", Kind::as_str);
        return Err(access.missing("retention of", name, "manushyactl purge retention list"));
    }
    let write = Write::DropErasure(tenant, ErasureKey::Retention(kind.cloned()));
    Ok(access.plan(vec![write], 1, ()))
}

/// Lists the rules of the caller's tenant.
///
/// # Errors
///
/// A refusal.
pub fn list(view: &impl View, context: &Context) -> Result<Plan<Vec<Retention>>, Refusal> {
    let access = begin(view.directory(), context, Action::Read)?;
    let tenant = context.actor.identity.tenant;
    let rules = view.directory().erasures().retentions(tenant);
    let rules: Vec<Retention> = rules.cloned().collect();
    let count = rules.len() as u64;
    Ok(access.plan(Vec::new(), count, rules))
}

/// Whether a tenant has any rule.
pub fn any(directory: &Directory, tenant: TenantId) -> bool {
    directory.erasures().retentions(tenant).next().is_some()
}

/// How long a memory is kept after it was deleted, in seconds: by a rule, or as configured.
pub fn kept_deleted(directory: &Directory, context: &Context, memory: &Memory) -> u64 {
    let keep = directory
        .erasures()
        .keep(memory.tenant, &memory.content.kind);
    keep.deleted.unwrap_or(context.retention_seconds)
}

/// Why a memory is erased by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Over {
    /// Its own expiry has come.
    Expired,
    /// It was deleted, and is kept no longer.
    Deleted,
    /// It has lived as long as a rule lets it.
    Retention,
}

impl Over {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Retention => "retention",
        }
    }
}

/// Why a memory is to be erased at the context's time, if it is.
pub fn over(directory: &Directory, context: &Context, memory: &Memory) -> Option<Over> {
    let keep = directory
        .erasures()
        .keep(memory.tenant, &memory.content.kind);
    let ended = |from: UnixMillis, seconds: u64| from.plus_seconds(seconds) <= context.now;
    let deleted = memory
        .deleted_at
        .is_some_and(|at| ended(at, kept_deleted(directory, context, memory)));
    let lived = keep
        .live
        .is_some_and(|seconds| ended(memory.created_at, seconds));
    if memory.is_expired(context.now) {
        Some(Over::Expired)
    } else if deleted {
        Some(Over::Deleted)
    } else {
        lived.then_some(Over::Retention)
    }
}

/// Those of `found` that are past their time by the rules of `directory`, and that no hold of it keeps,
/// at most `limit`.
///
/// # Errors
///
/// [`ViewError`] if the store cannot be read.
pub fn free_and_over(
    view: &impl View,
    directory: &Directory,
    context: &Context,
    found: &[MemoryId],
    limit: usize,
) -> Result<Vec<(MemoryId, u32)>, ViewError> {
    let tenant = context.actor.identity.tenant;
    let mut free = Vec::new();
    for id in found {
        if free.len() == limit {
            break;
        }
        let Some(memory) = view.memory(tenant, *id)? else {
            continue;
        };
        let held = directory.erasures().hold_on(tenant, memory.owner, *id);
        if held.is_none() && over(directory, context, &memory).is_some() {
            free.push((memory.id, memory.version));
        }
    }
    Ok(free)
}
