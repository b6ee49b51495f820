//! `memory add update restore delete`.

use manushya_protocol::limits;
use manushya_protocol::v1::memory::{MemoryAdd, MemoryDelete, MemoryRef, MemoryUpdate};

use super::{memory_id, on_conflict, on_duplicate};
use crate::cli::args::object;
use crate::cli::memory as cli;
use crate::command::each;
use crate::context::{Context, call, ids, text_argument};
use crate::error::Outcome;
use crate::ui::time;

/// Adds one memory.
pub async fn add(arguments: cli::Add, context: &Context) -> Outcome {
    let request = MemoryAdd {
        text: text_argument(&arguments.text, limits::TEXT_BYTES_MAX, "a memory")?,
        kind: arguments.kind,
        tags: arguments.tags,
        metadata: object(&arguments.metadata),
        namespace: arguments.namespace,
        session: arguments.session,
        key: arguments.key,
        trust: arguments.trust,
        created_at: arguments.created_at,
        expires_at: arguments.expires_at,
        ttl_seconds: arguments.ttl,
        on_conflict: on_conflict(&arguments.on_conflict),
        source: arguments.source,
        canary: arguments.canary,
        on_duplicate: on_duplicate(&arguments.on_duplicate),
        duplicate_cosine: arguments.duplicate_cosine,
    };
    let client = context.connect().await?;
    let added = call!(client, memory_add, request).await?;
    context.ui.told(&added, || format!("{}\n", added.id))?;
    context.note_dry_run();
    if context.ui.is_table() && !context.dry_run {
        let undo = match added.outcome.as_str() {
            "added" => format!(" (undo: manushyactl memory delete {} -y)", added.id),
            "duplicate" => ": a memory that says nearly the same".to_owned(),
            _ => String::new(),
        };
        context.ui.note(&format!(
            "{}: version {}{undo}",
            added.outcome, added.version
        ));
        for id in &added.supersedes {
            context.ui.note(&format!(
                "supersedes {id} (undo: manushyactl memory restore {id})"
            ));
        }
    }
    Ok(())
}

/// Changes one memory.
pub async fn update(arguments: cli::Update, context: &Context) -> Outcome {
    let text = arguments
        .text
        .map(|text| text_argument(&text, limits::TEXT_BYTES_MAX, "a memory"))
        .transpose()?;
    let tags = arguments.clear_tags || !arguments.tags.is_empty();
    let metadata = arguments.clear_metadata || !arguments.metadata.is_empty();
    let request = MemoryUpdate {
        id: memory_id(&arguments.id)?,
        if_version: arguments.if_version,
        text,
        kind: arguments.kind,
        tags: tags.then_some(arguments.tags),
        metadata: metadata.then(|| object(&arguments.metadata)),
        namespace: arguments.namespace,
        session: arguments.session,
        trust: arguments.trust,
        ttl_seconds: if arguments.no_expiry {
            Some(0)
        } else {
            arguments.ttl
        },
        source: arguments.source,
    };
    let client = context.connect().await?;
    let memory = call!(client, memory_update, request).await?;
    context.note_dry_run();
    context.ui.item(&memory)
}

/// Brings deleted memories back.
pub async fn restore(arguments: &[String], context: &Context) -> Outcome {
    let ids = ids(arguments)?;
    let client = context.connect().await?;
    each(context, &ids, async |id| {
        let memory = call!(client, memory_restore, MemoryRef { id: memory_id(id)? }).await?;
        let outcome = if context.dry_run {
            "would be restored"
        } else {
            "restored"
        };
        context.ui.told(&memory, || format!("{id}: {outcome}\n"))
    })
    .await
}

/// Deletes or erases memories.
pub async fn delete(arguments: &cli::Delete, context: &Context) -> Outcome {
    let ids = ids(&arguments.ids.ids)?;
    if !context.dry_run {
        let things = time::things(ids.len() as u64, "memory", "memories");
        context.prompt.confirm(&match arguments.hard {
            true => format!("Erase {things} for good?"),
            false => format!("Delete {things}?"),
        })?;
    }
    let client = context.connect().await?;
    each(context, &ids, async |id| {
        let request = MemoryDelete {
            id: memory_id(id)?,
            hard: arguments.hard,
        };
        let done = call!(client, memory_delete, request).await?;
        context.note_dry_run();
        context
            .ui
            .told(&done, || format!("{}: {}\n", done.id, done.outcome))
    })
    .await
}
