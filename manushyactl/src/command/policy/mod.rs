//! `policy`: rules, and what they decide.

mod cases;
mod diff;
mod files;
mod question;
mod review;

use manushya_protocol::client::Client;
use manushya_protocol::exit;
use manushya_protocol::v1::policy::{
    PolicyApply, PolicyList, PolicyRef, PolicySetActive, PolicyValidate,
};
use serde::Serialize;

use crate::cli::policy::{Files, Forced, Policy};
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::render::{self, Column, Kind, Row};

/// Runs a verb of `policy`.
///
/// # Errors
///
/// What the daemon answers with.
pub async fn run(verb: Policy, context: &Context) -> Outcome {
    match verb {
        Policy::Apply(arguments) => {
            let files = files::read(&arguments.files.files)?;
            files::refuse(&files.findings)?;
            let client = context.connect().await?;
            let request = PolicyApply {
                policies: files.specs(),
                force: arguments.force,
            };
            let applied = call!(client, policy_apply, request).await?;
            context.note_dry_run();
            context
                .ui
                .list(&applied.items, None, applied.items.len() as u64)?;
            diff::of_applied(&applied, context)
        }
        Policy::List(arguments) => {
            let client = context.connect().await?;
            context
                .list(&arguments.paging, async |page| {
                    let role = arguments.role.clone();
                    call!(client, policy_list, PolicyList { role, page }).await
                })
                .await
        }
        Policy::Show(name) => {
            let client = context.connect().await?;
            let request = PolicyRef {
                policy: name.policy,
                force: false,
            };
            context.ui.item(&call!(client, policy_show, request).await?)
        }
        Policy::Delete(name) => {
            let client = context.connect().await?;
            let request = PolicyRef {
                policy: name.policy,
                force: name.force,
            };
            let done = call!(client, policy_delete, request).await?;
            context.note_dry_run();
            context
                .ui
                .told(&done, || format!("{}: {}\n", done.id, done.outcome))
        }
        Policy::Enable(name) => set_active(name, true, &context.connect().await?, context).await,
        Policy::Disable(name) => set_active(name, false, &context.connect().await?, context).await,
        Policy::Validate(files) => validate(&files, context).await,
        Policy::Test(arguments) => cases::run(&arguments, context).await,
        Policy::CanI(arguments) => question::can_i(&arguments, context).await,
        Policy::Explain(arguments) => question::explain(&arguments, context).await,
        Policy::WhoCan(arguments) => review::who_can(&arguments, context).await,
        Policy::WhatCan(arguments) => review::what_can(arguments, context).await,
        Policy::History(arguments) => review::history(&arguments, context).await,
        Policy::Diff(arguments) => diff::run(&arguments, context).await,
        Policy::Rollback(arguments) => review::rollback(arguments, context).await,
        Policy::Lint(arguments) => review::lint(&arguments, context).await,
        Policy::Simulate(arguments) => review::simulate(&arguments, context).await,
        Policy::Shadow(verb) => review::shadow(verb, context).await,
    }
}

async fn set_active(name: Forced, is_active: bool, client: &Client, context: &Context) -> Outcome {
    let request = PolicySetActive {
        policy: name.policy,
        is_active,
        force: name.force,
    };
    let policy = call!(client, policy_set_active, request).await?;
    context.note_dry_run();
    context.ui.item(&policy)
}

/// Something wrong in a policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// Where in it, as a JSON Pointer (RFC 6901).
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

impl Row for Finding {
    const COLUMNS: &'static [Column] = &[
        Column {
            title: "FILE",
            path: "file",
            kind: Kind::Text,
        },
        Column {
            title: "PATH",
            path: "path",
            kind: Kind::Text,
        },
        Column {
            title: "REASON",
            path: "reason",
            kind: Kind::Text,
        },
    ];
    const FIELDS: &'static [&'static str] = &["file", "path", "reason"];
    const NAME: &'static str = "path";
}

async fn validate(arguments: &Files, context: &Context) -> Outcome {
    let files = files::read(&arguments.files)?;
    let mut findings = files.findings.clone();
    let specs = files.specs();
    if !specs.is_empty() {
        let client = context.connect().await?;
        let checked = call!(client, policy_validate, PolicyValidate { policies: specs }).await?;
        findings.extend(checked.findings.iter().map(|finding| files.place(finding)));
    }
    let total = findings.len() as u64;
    if context.ui.is_table() {
        let lines: Vec<String> = findings.iter().map(files::line).collect();
        context.ui.emit(&lines.concat())?;
        if findings.is_empty() {
            context
                .ui
                .note(&format!("ok: {} policies", files.policies.len()));
        }
    } else {
        let human = context.ui.human();
        context.ui.emit(&render::list(
            context.ui.format,
            &findings,
            None,
            total,
            &human,
        )?)?;
    }
    match total {
        0 => Ok(()),
        _ => Err(Stop::Exit(exit::USAGE)),
    }
}
