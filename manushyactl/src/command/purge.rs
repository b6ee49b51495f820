//! `purge plan apply list run`; the rest of `purge` is in `receipt`.

use manushya_protocol::client::Client;
use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{MemoryId, PlanId};
use manushya_protocol::v1::common::Page;
use manushya_protocol::v1::erasure::{RetentionSet, RetentionUnset, RetentionView};
use manushya_protocol::v1::memory::MemoryFilter;
use manushya_protocol::v1::purge::{
    PlanView, PurgeApply, PurgeList, PurgePlanCreate, PurgeRun, Purged,
};

use crate::cli::purge::{self as cli, Purge, Retention};
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
            match context.dry_run {
                true => context.ui.told(&purged, || due(&purged)),
                false => context.ui.item(&purged),
            }
        }
        Purge::Retention(verb) => retention(verb, context).await,
        Purge::Receipt(arguments) => receipt::show(&arguments, context).await,
        Purge::Verify(arguments) => receipt::verify(&arguments, context).await,
        Purge::Hold(verb) => receipt::hold(verb, context).await,
    }
}

/// What a sweep would erase.
fn due(purged: &Purged) -> String {
    let things = |n| time::things(n, "memory", "memories");
    let mut text = format!("{} would go\n", things(purged.memories));
    for part in &purged.due {
        text.push_str(&format!(
            "  {}: {} of type {}, {} of text\n",
            part.why,
            things(part.memories),
            part.kind,
            time::bytes(part.text_bytes),
        ));
    }
    text
}

async fn retention(verb: Retention, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let client = client.with_timeout(context.patient(PATIENCE));
    match verb {
        Retention::List => {
            let listed = call!(client, retention_list).await?;
            context.ui.list(&listed.items, None, listed.total)
        }
        Retention::Set(arguments) => {
            let request = RetentionSet {
                kind: arguments.kind,
                keep_seconds: arguments.keep,
                keep_deleted_seconds: arguments.keep_deleted,
            };
            if !context.dry_run {
                // What is older is lost with the next sweep, and nobody asks then.
                let mut trying = context.clone();
                trying.dry_run = true;
                let tried = trying.connect().await?;
                let tried = tried.with_timeout(context.patient(PATIENCE));
                let tried = call!(tried, retention_set, request.clone()).await?;
                if let Some(due) = tried.due.filter(|due| *due > 0) {
                    let things = time::things(due, "memory", "memories");
                    let question = format!("The next sweep will erase {things}. Go on?");
                    context.prompt.confirm(&question)?;
                }
            }
            let set = call!(client, retention_set, request).await?;
            context.note_dry_run();
            context.ui.told(&set, || retention_words(&set))
        }
        Retention::Unset(arguments) => {
            let kind = arguments.kind;
            let done = call!(client, retention_unset, RetentionUnset { kind }).await?;
            context.note_dry_run();
            context
                .ui
                .told(&done, || format!("{}: {}\n", done.id, done.outcome))
        }
    }
}

fn retention_words(set: &RetentionView) -> String {
    let keep = set.keep.as_deref().unwrap_or("without an end");
    let due = time::things(set.due.unwrap_or(0), "memory", "memories");
    format!(
        "{}: kept {keep}, deleted ones {}; the next sweep erases {due}\n",
        set.kind, set.keep_deleted
    )
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
