//! The questions of auditors, the history, and drafts.

use std::time::Duration;

use manushya_protocol::exit;
use manushya_protocol::v1::common::Page;
use manushya_protocol::v1::policy::PolicySpec;
use manushya_protocol::v1::review::{
    LintView, PolicyHistory, PolicyLint, PolicyRollback, PolicyShadowSet, PolicySimulate,
    PolicyWhatCan, PolicyWhoCan, ShadowStatus, Simulated,
};

use super::files;
use crate::cli::args::Paging;
use crate::cli::policy::{History, Lint, Rollback, Shadow, Simulate, WhatCan, WhoCan};
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::table::{self, one_line};
use crate::ui::time;

/// How long a question about the whole log or all policies may take at the least.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `policy who-can`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn who_can(arguments: &WhoCan, context: &Context) -> Outcome {
    let client = context.connect().await?;
    context
        .list(&arguments.paging, async |page| {
            let request = PolicyWhoCan {
                action: arguments.action.clone(),
                resource: arguments.resource.clone(),
                page,
            };
            call!(client, policy_who_can, request).await
        })
        .await
}

/// Runs `policy what-can`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn what_can(arguments: WhatCan, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let all = Paging {
        limit: 0,
        cursor: None,
        all: true,
    };
    context
        .list(&all, async |page| {
            let identity = arguments.identity.clone();
            call!(client, policy_what_can, PolicyWhatCan { identity, page }).await
        })
        .await
}

/// Runs `policy history`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn history(arguments: &History, context: &Context) -> Outcome {
    let client = context.connect().await?;
    context
        .list(&arguments.paging, async |page| {
            let policy = arguments.policy.clone();
            call!(client, policy_history, PolicyHistory { policy, page }).await
        })
        .await
}

/// Runs `policy rollback`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn rollback(arguments: Rollback, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let request = PolicyRollback {
        policy: arguments.policy,
        revision: arguments.revision,
        force: arguments.force,
    };
    let policy = call!(client, policy_rollback, request).await?;
    context.note_dry_run();
    context.ui.item(&policy)
}

/// Runs `policy lint`: exits 1 under `--strict` if there is a warning.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn lint(arguments: &Lint, context: &Context) -> Outcome {
    let read = files::read(&arguments.files)?;
    files::refuse(&read.findings)?;
    let client = context
        .connect()
        .await?
        .with_timeout(context.patient(PATIENCE));
    let mut found: Vec<LintView> = Vec::new();
    let mut page = Page {
        limit: Some(1000),
        cursor: None,
    };
    loop {
        let request = PolicyLint {
            policies: read.specs(),
            page: page.clone(),
        };
        let listed = call!(client, policy_lint, request).await?;
        found.extend(listed.items);
        page.cursor = listed.next;
        if page.cursor.is_none() {
            break;
        }
    }
    context.ui.list(&found, None, found.len() as u64)?;
    let warned = found.iter().any(|finding| finding.level == "warning");
    match arguments.strict && warned {
        true => Err(Stop::Exit(exit::FAILURE)),
        false => Ok(()),
    }
}

/// Runs `policy simulate`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn simulate(arguments: &Simulate, context: &Context) -> Outcome {
    let read = files::read(&arguments.files.files)?;
    files::refuse(&read.findings)?;
    if arguments.shadow {
        if read.policies.is_empty() {
            return Err(Stop::usage("there is no policy to run")
                .hint("manushyactl policy shadow clear stops the draft that runs"));
        }
        return set_shadow(read.specs(), context).await;
    }
    let client = context
        .connect()
        .await?
        .with_timeout(context.patient(PATIENCE));
    let request = PolicySimulate {
        policies: read.specs(),
        since: arguments.since,
        until: arguments.until,
    };
    let simulated = call!(client, policy_simulate, request).await?;
    context.ui.document(&simulated, || told(&simulated))
}

/// A simulation in words.
fn told(simulated: &Simulated) -> String {
    let mut text = format!(
        "{} would have changed, {} would have stayed, {} cannot be decided anew\n",
        time::count(simulated.changed_total),
        time::count(simulated.unchanged),
        time::count(simulated.unreplayable),
    );
    if !simulated.changed.is_empty() {
        let head = [
            "COUNT", "ACTOR", "ACTION", "RESOURCE", "FROM", "TO", "POLICY", "ENTRIES",
        ];
        let rows: Vec<Vec<String>> = simulated
            .changed
            .iter()
            .map(|changed| {
                let entries: Vec<String> =
                    changed.examples.iter().map(ToString::to_string).collect();
                vec![
                    time::count(changed.count),
                    one_line(&changed.actor),
                    changed.action.clone(),
                    changed.resource.clone(),
                    changed.from.clone(),
                    changed.to.clone(),
                    one_line(changed.policy.as_deref().unwrap_or("-")),
                    entries.join(" "),
                ]
            })
            .collect();
        text += &table::render(&head, &rows, None);
    }
    for because in &simulated.unreplayable_because {
        let (count, reason) = (time::count(because.count), &because.reason);
        text += &format!("not decided anew: {count}, since {reason}\n");
    }
    if simulated.not_read > 0 {
        let count = time::count(simulated.not_read);
        text += &format!("older entries that were left out: {count}\n");
    }
    text
}

/// Runs a verb of `policy shadow`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn shadow(verb: Shadow, context: &Context) -> Outcome {
    match verb {
        Shadow::Status => {
            let client = context
                .connect()
                .await?
                .with_timeout(context.patient(PATIENCE));
            let status = call!(client, policy_shadow_status).await?;
            context.ui.document(&status, || runs(&status))
        }
        Shadow::Clear => set_shadow(Vec::new(), context).await,
    }
}

async fn set_shadow(policies: Vec<PolicySpec>, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let status = call!(client, policy_shadow_set, PolicyShadowSet { policies }).await?;
    context.note_dry_run();
    context.ui.document(&status, || runs(&status))
}

/// What runs, in words.
fn runs(status: &ShadowStatus) -> String {
    if !status.running {
        return "no draft runs beside the live policies\n".to_owned();
    }
    let by = one_line(status.by.as_deref().unwrap_or("-"));
    let since = status.since.map(|at| at.to_string()).unwrap_or_default();
    let mut text = format!("a draft runs since {since}, set by {by}\n");
    for policy in &status.policies {
        text += &format!("  {}\n", one_line(&policy.name));
    }
    text += &format!(
        "{} decided differently from it, {} the same\n",
        time::things(status.different, "request was", "requests were"),
        time::count(status.same),
    );
    if !status.examples.is_empty() {
        let entries: Vec<String> = status.examples.iter().map(ToString::to_string).collect();
        text += &format!("entries: {}\n", entries.join(" "));
    }
    text
}
