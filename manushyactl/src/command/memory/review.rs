//! `memory review list approve reject`, `memory canary set clear list`.

use manushya_protocol::v1::provenance::{
    MemoryCanary, MemoryCanaryList, MemoryReview, MemoryReviewList,
};

use super::memory_id;
use crate::cli::review::{Canary, Review};
use crate::command::each;
use crate::context::{Context, call, ids};
use crate::error::Outcome;
use crate::ui::time;

/// Runs a verb of `memory review`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn review(verb: Review, context: &Context) -> Outcome {
    match verb {
        Review::List(paging) => {
            let client = context.connect().await?;
            context
                .list(&paging, async |page| {
                    call!(client, memory_review_list, MemoryReviewList { page }).await
                })
                .await
        }
        Review::Approve(arguments) => {
            decide(&arguments.ids.ids, arguments.if_version, true, context).await
        }
        Review::Reject(arguments) => decide(&arguments.ids, None, false, context).await,
    }
}

async fn decide(
    arguments: &[String],
    if_version: Option<u32>,
    approve: bool,
    context: &Context,
) -> Outcome {
    let ids = ids(arguments)?;
    if !approve && !context.dry_run {
        let things = time::things(ids.len() as u64, "memory", "memories");
        context.prompt.confirm(&format!("Delete {things}?"))?;
    }
    let client = context.connect().await?;
    each(context, &ids, async |id| {
        let request = MemoryReview {
            id: memory_id(id)?,
            if_version,
            approve,
        };
        let memory = call!(client, memory_review, request).await?;
        context.note_dry_run();
        let outcome = if approve { "approved" } else { "rejected" };
        context.ui.told(&memory, || format!("{id}: {outcome}\n"))
    })
    .await
}

/// Runs a verb of `memory canary`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn canary(verb: Canary, context: &Context) -> Outcome {
    match verb {
        Canary::Set(arguments) => set(&arguments.ids, true, context).await,
        Canary::Clear(arguments) => set(&arguments.ids, false, context).await,
        Canary::List(paging) => {
            let client = context.connect().await?;
            context
                .list(&paging, async |page| {
                    call!(client, memory_canary_list, MemoryCanaryList { page }).await
                })
                .await
        }
    }
}

async fn set(arguments: &[String], canary: bool, context: &Context) -> Outcome {
    let ids = ids(arguments)?;
    let client = context.connect().await?;
    each(context, &ids, async |id| {
        let request = MemoryCanary {
            id: memory_id(id)?,
            canary,
        };
        let memory = call!(client, memory_canary, request).await?;
        context.note_dry_run();
        let outcome = if canary {
            "its reads raise an alert"
        } else {
            "its reads raise no alert"
        };
        context.ui.told(&memory, || format!("{id}: {outcome}\n"))
    })
    .await
}
