//! `purge plan apply list run`; the rest of `purge` is in `receipt`.

use manushya_protocol::client::Client;
use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{MemoryId, PlanId};
use manushya_protocol::v1::common::Page;
use manushya_protocol::v1::memory::MemoryFilter;
use manushya_protocol::v1::purge::{PlanView, PurgeApply, PurgeList, PurgePlanCreate, PurgeRun};

use crate::cli::purge::{self as cli, Purge};
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::time;

use super::memory::filter;
use super::receipt;

/// Runs a verb of `purge`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Purge, context: &Context) -> Outcome {
    match verb {
        Purge::Plan(arguments) => plan(&arguments, context).await,
        Purge::Apply(arguments) => apply(arguments, &context.connect().await?, context).await,
        Purge::List(paging) => {
            let client = context.connect().await?;
            context
                .list(&paging, async |page| {
                    call!(client, purge_list, PurgeList { page }).await
                })
                .await
        }
        Purge::Run => {
            let client = context
                .connect()
                .await?
                .with_timeout(context.patient(PATIENCE));
            let purged = call!(client, purge_run, PurgeRun {}).await?;
            context.note_dry_run();
            context.ui.item(&purged)
        }
        Purge::Receipt(arguments) => receipt::show(&arguments, context).await,
        Purge::Verify(arguments) => receipt::verify(&arguments, context).await,
        Purge::Hold(verb) => receipt::hold(verb, context).await,
    }
}

/// How long an erasure may take at the least; it rewrites the keystore.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

async fn plan(arguments: &cli::Plan, context: &Context) -> Outcome {
    let filter = filter(&arguments.filter)?;
    let filtered = filter != MemoryFilter::default();
    let memories: Vec<MemoryId> = arguments
        .memory
        .iter()
        .map(|id| id.parse().map_err(|error| Stop::usage(format!("{error}"))))
        .collect::<Outcome<_>>()?;
    let chosen = [
        arguments.subject.is_some(),
        arguments.expired,
        filtered,
        !memories.is_empty(),
    ];
    if chosen.iter().filter(|chosen| **chosen).count() != 1 {
        return Err(Stop::usage(
            "a plan is for exactly one of --subject, --expired, --memory and a filter",
        )
        .hint("manushyactl purge plan --subject NAME"));
    }
    let request = PurgePlanCreate {
        subject: arguments.subject.clone(),
        filter: filtered.then_some(filter),
        expired: arguments.expired,
        memories,
    };
    let client = context.connect().await?;
    let plan = call!(client, purge_plan, request).await?;
    context.note_dry_run();
    context.ui.told(&plan, || words(&plan))
}

fn words(plan: &PlanView) -> String {
    format!(
        "plan {}  {}\n{} · {} · {} · {}\nit lapses {}; to carry it out:\n  \
         manushyactl purge apply {} --confirm={}\n",
        plan.id,
        plan.scope,
        time::things(plan.memories, "memory", "memories"),
        time::things(plan.versions, "earlier version", "earlier versions"),
        time::things(plan.tokens, "token", "tokens"),
        time::things(plan.identities, "identity", "identities"),
        time::ago(plan.expires_at, time::now()),
        plan.id,
        plan.confirm,
    )
}

async fn apply(arguments: cli::Apply, client: &Client, context: &Context) -> Outcome {
    let plan: PlanId = arguments
        .plan
        .parse()
        .map_err(|error| Stop::usage(format!("{error}")))?;
    // The daemon compares the name with the plan's own, whatever is asked here.
    let confirm = match arguments.confirm {
        Some(given) => given,
        None => {
            let found = find(plan, client).await?;
            let what = format!(
                "{} ({})",
                found.scope,
                time::things(found.memories, "memory", "memories")
            );
            context.prompt.confirm_name(&what, &found.confirm, None)?
        }
    };
    let client = client.with_timeout(context.patient(PATIENCE));
    let purged = call!(client, purge_apply, PurgeApply { plan, confirm }).await?;
    context.note_dry_run();
    context.ui.item(&purged)?;
    match &purged.warning {
        None => Ok(()),
        // All was erased; what is missing is the proof.
        Some(warning) => Err(
            Stop::new(ErrorCode::Integrity, "no receipt could be signed")
                .reason(warning.clone())
                .hint(format!("manushyactl purge receipt {plan}")),
        ),
    }
}

async fn find(plan: PlanId, client: &Client) -> Outcome<PlanView> {
    let mut cursor = None;
    loop {
        let page = Page {
            limit: None,
            cursor: cursor.take(),
        };
        let listed = call!(client, purge_list, PurgeList { page }).await?;
        if let Some(found) = listed.items.into_iter().find(|view| view.id == plan) {
            return Ok(found);
        }
        match listed.next {
            Some(next) => cursor = Some(next),
            None => {
                return Err(
                    Stop::new(ErrorCode::NotFound, format!("there is no plan {plan}"))
                        .hint("manushyactl purge list"),
                );
            }
        }
    }
}
