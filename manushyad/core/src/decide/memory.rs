//! Memories.

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::MemoryId;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::memory::{OnConflict, OnDuplicate};

use super::access::Access;
use super::duplicate;
use super::limit::check_room;
use super::refusal::Refusal;
use super::retention;
use super::review::{is_held_back, provenance, require_manager};
use crate::command::{AddMemory, Context, DeleteMemory, UpdateMemory};
use crate::directory::Directory;
use crate::model::{Action, Embedding, Memory, MemoryContent, Resource};
use crate::plan::{Plan, Write};
use crate::policy::Mask;
use crate::view::View;

/// What became of an added memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddOutcome {
    /// It is new.
    Added,
    /// It is a new version of the one with its key.
    Updated,
    /// The one with its key says the same already, or was to be left as it is.
    Unchanged,
    /// One that says nearly the same exists, and was to be left.
    Duplicate,
}

impl AddOutcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Duplicate => "duplicate",
        }
    }
}

/// What is answered to an added memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// Its id.
    pub id: MemoryId,
    /// Its version.
    pub version: u32,
    /// When it was made.
    pub created_at: UnixMillis,
    /// What became of it.
    pub outcome: AddOutcome,
    /// The memories that it superseded, the nearest first.
    pub supersedes: Vec<MemoryId>,
}

/// When the sweeper has to look at a memory: at the end of its retention as configured if it is
/// deleted, at its expiry otherwise. Rules of retention are looked at beside this.
pub fn due(memory: &Memory, context: &Context) -> Option<UnixMillis> {
    let retained = memory
        .deleted_at
        .map(|at| at.plus_seconds(context.retention_seconds));
    match (retained, memory.content.expires_at) {
        (Some(retained), Some(expires)) => Some(retained.min(expires)),
        (retained, expires) => retained.or(expires),
    }
}

pub(super) fn put(memory: &Memory, context: &Context) -> Write {
    Write::PutMemory {
        memory: Box::new(memory.clone()),
        due: due(memory, context),
    }
}

/// The memory that a command makes, as far as nothing else is known, and what it may be like.
fn made(
    directory: &Directory,
    context: &Context,
    command: AddMemory,
) -> (Memory, Vec<(MemoryId, u32)>) {
    let owner = &context.actor.identity;
    let memory = Memory {
        id: command.id,
        tenant: owner.tenant,
        owner: owner.id,
        key: command.key,
        content: command.content,
        vector: command.embedding.vector,
        embedder: command.embedding.by,
        version: 1,
        created_at: command.created_at.unwrap_or(context.now),
        updated_at: context.now,
        deleted_at: None,
        provenance: provenance(context, command.source),
        quarantined: is_held_back(directory, context),
        canary: command.canary,
        superseded: None,
        supersedes: Vec::new(),
    };
    (memory, command.alike)
}

/// What is answered to a memory that was not added, since one says the same.
fn duplicate_of(existing: &Memory) -> Added {
    Added {
        id: existing.id,
        version: existing.version,
        created_at: existing.created_at,
        outcome: AddOutcome::Duplicate,
        supersedes: Vec::new(),
    }
}

/// Adds a memory. With a key that exists, a retry of the same content changes nothing; another
/// content is refused, left or taken as a new version, as the caller said.
///
/// # Errors
///
/// A refusal.
pub fn add(
    view: &impl View,
    context: &Context,
    command: AddMemory,
) -> Result<Plan<Added>, Refusal> {
    let directory = view.directory();
    let mut access = Access::begin(directory, context, Action::Create, Resource::Memory)?;
    let (on_duplicate, on_conflict) = (command.on_duplicate, command.on_conflict);
    let (mut memory, alike) = made(directory, context, command);
    let told = (on_duplicate, alike.as_slice());
    access.require_new(&memory)?;
    if memory.canary {
        require_manager(directory, context)?;
    }
    memory.content = match memory.content.check() {
        Ok(content) => content,
        Err(invalid) => return Err(Refusal::invalid(&access.audit, &invalid)),
    };
    if memory.created_at > context.now.plus_seconds(60) {
        let error = WireError::new(ErrorCode::InvalidArgument, "created_at is in the future")
            .hint("leave it out to take the time of the call");
        return Err(Refusal::allowed(&access.audit, error));
    }
    if let Some(key) = &memory.key {
        let existing = view
            .memory_by_key(memory.tenant, memory.owner, key)
            .and_then(|id| id.map_or(Ok(None), |id| view.memory(memory.tenant, id)));
        match existing {
            Ok(Some(existing)) => {
                return merge(view, context, access, existing, memory, on_conflict);
            }
            Ok(None) => {}
            Err(error) => return Err(access.broken(error)),
        }
    }
    if memory.is_expired(context.now) {
        return Err(expired_at_birth(&access));
    }
    let alike = duplicate::alike(view, context, &mut access, &memory, told)?;
    if on_duplicate == OnDuplicate::Skip
        && let Some(existing) = alike.first()
    {
        access.audit.resource_id = Some(existing.id.to_bytes());
        return Ok(access.plan(Vec::new(), 0, duplicate_of(existing)));
    }
    memory.supersedes = alike.iter().map(|existing| existing.id).collect();
    check_room(view, context, &access, &memory, true)?;
    let added = Added {
        id: memory.id,
        version: 1,
        created_at: memory.created_at,
        outcome: AddOutcome::Added,
        supersedes: memory.supersedes.clone(),
    };
    let superseded = alike.iter().map(|existing| put(existing, context));
    let mut writes: Vec<Write> = superseded.collect();
    writes.push(Write::PutMemory {
        due: due(&memory, context),
        memory: Box::new(memory),
    });
    let count = writes.len() as u64;
    Ok(access.plan(writes, count, added))
}

fn expired_at_birth(access: &Access<'_>) -> Refusal {
    let error = WireError::new(
        ErrorCode::InvalidArgument,
        "the memory would be expired already",
    )
    .reason("its expiry is not in the future")
    .hint("give a later --expires-at, or --ttl");
    Refusal::allowed(&access.audit, error)
}

/// Adds a memory whose key exists: the memory that has it may be live, deleted or expired.
fn merge(
    view: &impl View,
    context: &Context,
    mut access: Access<'_>,
    existing: Memory,
    memory: Memory,
    on_conflict: OnConflict,
) -> Result<Plan<Added>, Refusal> {
    access.audit.resource_id = Some(existing.id.to_bytes());
    let answer = |memory: &Memory, outcome| Added {
        id: memory.id,
        version: memory.version,
        created_at: memory.created_at,
        outcome,
        supersedes: Vec::new(),
    };
    // A key is no way to learn of, or to revive, what the credential does not reach.
    if !context.actor.reaches(&existing) {
        let error = WireError::new(ErrorCode::Denied, "the key is taken")
            .reason("by a memory that the access token does not reach")
            .hint("use another --key");
        access.audit.resource_id = Some(memory.id.to_bytes());
        return Err(Refusal::denied(&access.audit, error));
    }
    // Whoever may not see what it says cannot find out by saying the same.
    let same = existing.content == memory.content && access.mask(&existing).is_empty();
    if existing.is_live(context.now) && (same || on_conflict == OnConflict::Skip) {
        return Ok(access.plan(Vec::new(), 0, answer(&existing, AddOutcome::Unchanged)));
    }
    if existing.is_live(context.now) && on_conflict == OnConflict::Fail {
        let message = format!("a memory with this key exists: {}", existing.id);
        let hint = "update it, or add with --on-conflict update or skip";
        return Err(access.conflict(message, "its content differs", hint));
    }
    if memory.is_expired(context.now) {
        return Err(expired_at_birth(&access));
    }
    let live = existing.is_live(context.now).then(|| existing.clone());
    // Adding again what was deleted or has expired revives it, as a new version.
    let changed = Memory {
        content: memory.content,
        vector: memory.vector,
        embedder: memory.embedder,
        version: existing.version.saturating_add(1),
        updated_at: context.now,
        deleted_at: None,
        provenance: memory.provenance,
        quarantined: existing.quarantined || memory.quarantined,
        canary: existing.canary || memory.canary,
        // What is said again holds again.
        superseded: None,
        ..existing
    };
    if let Some(existing) = live {
        // A key is no way around what the caller may not update.
        access.require_also(Action::Update, &existing)?;
        access.require_also(Action::Update, &changed)?;
    }
    check_room(view, context, &access, &changed, false)?;
    let write = put(&changed, context);
    Ok(access.plan(vec![write], 1, answer(&changed, AddOutcome::Updated)))
}

/// Finds a live memory for `action`.
fn require_live<'a>(
    view: &'a impl View,
    context: &'a Context,
    action: Action,
    id: MemoryId,
) -> Result<(Access<'a>, Memory), Refusal> {
    let mut access = Access::begin(view.directory(), context, action, Resource::Memory)?;
    let memory = access.require_live_memory(view, id)?;
    Ok((access, memory))
}

/// What a memory says after a change, and the vector of its text.
fn retold(command: UpdateMemory, memory: &Memory) -> (MemoryContent, Embedding) {
    let old = memory.content.clone();
    let content = MemoryContent {
        kind: command.kind.unwrap_or(old.kind),
        tags: command.tags.unwrap_or(old.tags),
        metadata: command.metadata.unwrap_or(old.metadata),
        namespace: command.namespace.unwrap_or(old.namespace),
        session: command.session.unwrap_or(old.session),
        trust: command.trust.unwrap_or(old.trust),
        expires_at: command.expires_at.unwrap_or(old.expires_at),
        text: old.text,
    };
    match command.text {
        Some((text, embedding)) => (MemoryContent { text, ..content }, embedding),
        None => {
            let (by, vector) = (memory.embedder, memory.vector.clone());
            (content, Embedding { by, vector })
        }
    }
}

/// Changes a memory; the version before stays in its history.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if its version is not the one the caller knows.
pub fn update(
    view: &impl View,
    context: &Context,
    command: UpdateMemory,
) -> Result<Plan<Memory>, Refusal> {
    let (mut access, memory) = require_live(view, context, Action::Update, command.id)?;
    if let Some(expected) = command.if_version
        && expected != memory.version
    {
        let message = format!("memory {} is at version {}", memory.id, memory.version);
        let hint = "read it again, then repeat the change on what it says";
        return Err(access.conflict(message, &format!("version {expected} was expected"), hint));
    }
    let held_back = is_held_back(view.directory(), context);
    if held_back && memory.owner != context.actor.identity.id {
        return Err(access.held_back());
    }
    let touched = Mask {
        text: command.text.is_some(),
        metadata: command.metadata.is_some(),
        ..Mask::default()
    };
    let source = command.source.clone();
    let (content, embedding) = retold(command, &memory);
    let content = match content.check() {
        Ok(content) => content,
        Err(invalid) => return Err(Refusal::invalid(&access.audit, &invalid)),
    };
    let before = access.mask(&memory);
    // Nothing changes, unless that would tell that a guess at what is masked is right.
    let guesses = (touched.text && before.text) || (touched.metadata && before.hides_metadata());
    if content == memory.content && !guesses {
        return Ok(access.plan(Vec::new(), 0, memory));
    }
    let version = memory.version.saturating_add(1);
    let changed = Memory {
        content,
        vector: embedding.vector,
        embedder: embedding.by,
        version,
        updated_at: context.now,
        provenance: provenance(context, source),
        quarantined: memory.quarantined || held_back,
        ..memory
    };
    if changed.is_expired(context.now) {
        return Err(expired_at_birth(&access));
    }
    // What it becomes must be allowed too, or a change would carry it where the caller may not go.
    access.require_reach(&changed)?;
    access.ask_memory(&changed)?;
    // Nor may it carry what is masked to where it is not.
    if !access.mask(&changed).covers(&before) {
        let error = WireError::new(
            ErrorCode::Denied,
            "this change would uncover what is redacted",
        )
        .reason("a policy masks parts of this memory, and would not any more")
        .hint("ask someone to whom it is not redacted");
        return Err(Refusal::denied(&access.audit, error));
    }
    check_room(view, context, &access, &changed, false)?;
    let write = put(&changed, context);
    Ok(access.plan(vec![write], 1, changed))
}

/// Deletes a memory, to be restored until its retention ends, or erases it for good.
///
/// # Errors
///
/// A refusal.
pub fn delete(
    view: &impl View,
    context: &Context,
    command: DeleteMemory,
) -> Result<Plan<MemoryId>, Refusal> {
    if command.hard {
        // Erasing also takes what is deleted or expired already.
        let mut access = Access::begin(view.directory(), context, Action::Purge, Resource::Memory)?;
        let memory = access.require_memory(view, command.id)?;
        let holds = view.directory().erasures();
        if let Some(hold) = holds.hold_on(memory.tenant, memory.owner, memory.id) {
            return Err(super::hold::in_the_way(&access, hold));
        }
        let write = Write::EraseMemory(memory.tenant, memory.id);
        return Ok(access.plan(vec![write], 1, memory.id));
    }
    let (access, memory) = require_live(view, context, Action::Delete, command.id)?;
    let deleted = Memory {
        deleted_at: Some(context.now),
        ..memory
    };
    let write = put(&deleted, context);
    Ok(access.plan(vec![write], 1, deleted.id))
}

/// Restores a deleted memory, or one that was superseded.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if it is neither.
pub fn restore(view: &impl View, context: &Context, id: MemoryId) -> Result<Plan<Memory>, Refusal> {
    let mut access = Access::begin(view.directory(), context, Action::Restore, Resource::Memory)?;
    let memory = access.require_memory(view, id)?;
    let Some(deleted_at) = memory.deleted_at else {
        if memory.is_expired(context.now) {
            return Err(access.not_found(id));
        }
        if memory.superseded.is_some() {
            let restored = Memory {
                superseded: None,
                ..memory
            };
            let write = put(&restored, context);
            return Ok(access.plan(vec![write], 1, restored));
        }
        let message = format!("memory {id} is not deleted");
        return Err(access.conflict(
            message,
            "there is nothing to restore",
            "manushyactl memory get",
        ));
    };
    let kept = retention::kept_deleted(view.directory(), context, &memory);
    let retention_ended = deleted_at.plus_seconds(kept) <= context.now;
    if retention_ended || memory.is_expired(context.now) {
        return Err(access.not_found(id));
    }
    let restored = Memory {
        deleted_at: None,
        updated_at: context.now,
        ..memory
    };
    let write = put(&restored, context);
    Ok(access.plan(vec![write], 1, restored))
}
