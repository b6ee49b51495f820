//! `audit`: who did what, and proof of it.

mod cef;
mod export;
mod offline;
mod pages;
mod prove;
mod tail;
pub mod verify;
pub mod witness;

use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{AuditCheckpoints, AuditList, AuditRef};
use manushya_protocol::v1::common::Page;

use crate::cli::audit::{Audit, CheckpointVerb, List};
use crate::context::{Context, call};
use crate::error::Outcome;

/// Runs a verb of `audit`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Audit, context: &Context) -> Outcome {
    match verb {
        Audit::List(arguments) => {
            let client = context.connect().await?;
            context
                .list(&arguments.paging, async |page| {
                    call!(client, audit_list, request(&arguments, page)).await
                })
                .await
        }
        Audit::Show(arguments) => {
            let client = context.connect().await?;
            let request = AuditRef {
                seq: AuditSeq(arguments.seq),
            };
            context.ui.item(&call!(client, audit_show, request).await?)
        }
        Audit::Tail(arguments) => tail::run(&arguments, context).await,
        Audit::Verify(arguments) => match &arguments.offline {
            Some(proof) => offline::run(proof, arguments.key.as_deref(), context),
            None => verify::run(&arguments, context).await,
        },
        Audit::Key(arguments) => prove::key(&arguments, context).await,
        Audit::Prove(arguments) => prove::prove(&arguments, context).await,
        Audit::Export(arguments) => export::export(&arguments, context).await,
        Audit::Stats(arguments) => export::stats(&arguments, context).await,
        Audit::Checkpoint(verb) => checkpoint(&verb, context).await,
        Audit::Consistency(arguments) => prove::consistency(&arguments, context).await,
        Audit::Head => {
            let client = context.connect().await?;
            let head = call!(client, audit_head).await?;
            witness::look(&client, &head.checkpoint, &head.public_key, context).await?;
            context.ui.item(&head)
        }
    }
}

async fn checkpoint(verb: &CheckpointVerb, context: &Context) -> Outcome {
    let client = context.connect().await?;
    match verb {
        CheckpointVerb::List(arguments) => {
            context
                .list(&arguments.paging, async |page| {
                    let request = AuditCheckpoints { size: None, page };
                    call!(client, audit_checkpoints, request).await
                })
                .await
        }
        CheckpointVerb::Show(arguments) => {
            let request = AuditCheckpoints {
                size: Some(arguments.size),
                ..AuditCheckpoints::default()
            };
            let found = call!(client, audit_checkpoints, request).await?;
            for checkpoint in &found.items {
                context
                    .ui
                    .told(checkpoint, || checkpoint.checkpoint.clone())?;
            }
            Ok(())
        }
    }
}

fn request(arguments: &List, page: Page) -> AuditList {
    AuditList {
        actor: arguments.actor.clone(),
        action: arguments.action.clone(),
        resource: arguments.resource.clone(),
        resource_id: arguments.resource_id.clone(),
        decision: arguments.decision.clone(),
        since: arguments.since,
        until: arguments.until,
        page,
        newest: arguments.newest,
    }
}
