//! `approval list grant refuse`.

use manushya_protocol::id::{ApprovalId, ParseIdError};
use manushya_protocol::v1::approval::{ApprovalDecide, ApprovalList};

use crate::cli::approval::Approval;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};

/// Runs a verb of `approval`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Approval, context: &Context) -> Outcome {
    match verb {
        Approval::List(arguments) => {
            let client = context.connect().await?;
            context
                .list(&arguments.paging, async |page| {
                    let request = ApprovalList {
                        state: arguments.state.clone(),
                        mine: arguments.mine,
                        page,
                    };
                    call!(client, approval_list, request).await
                })
                .await
        }
        Approval::Grant(arguments) => {
            decide(&arguments.id, Some(arguments.seconds()), context).await
        }
        Approval::Refuse(arguments) => decide(&arguments.id, None, context).await,
    }
}

async fn decide(id: &str, grant_seconds: Option<u64>, context: &Context) -> Outcome {
    let id: ApprovalId = id
        .parse()
        .map_err(|error: ParseIdError| Stop::usage(error.to_string()))?;
    let client = context.connect().await?;
    let request = ApprovalDecide { id, grant_seconds };
    let decided = call!(client, approval_decide, request).await?;
    context.note_dry_run();
    context.ui.item(&decided)
}
