//! `audit tail`: entries as they are written, resumed by sequence after every break.

use std::time::Duration;

use manushya_protocol::client::Client;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::limits;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{AuditTail, AuditTailed, AuditView};

use crate::cli::audit::Tail;
use crate::config::Format;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::color::{Tone, tint};
use crate::ui::render::{self, Row as _};
use crate::ui::table::one_line;
use crate::ui::{json, time};

/// Entries shown when nothing says where to start.
const LAST: u64 = 10;
/// The longest pause before the next attempt to connect.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Shows entries, and goes on if it is to follow.
pub async fn run(arguments: &Tail, context: &Context) -> Outcome {
    let mut client = context.connect().await?;
    let mut after = match arguments.since_seq {
        Some(seq) => AuditSeq(seq),
        None => AuditSeq(call!(client, audit_head).await?.size.saturating_sub(LAST)),
    };
    if context.ui.format == Format::Csv {
        context.ui.emit(&json::csv_line(
            AuditView::FIELDS.iter().map(ToString::to_string),
        ))?;
    }
    loop {
        let tailed = match page(&client, after, arguments.follow).await {
            Ok(tailed) => tailed,
            Err(error) if arguments.follow && is_passing(error.code) => {
                context.ui.note(&format!(
                    "# {}: connecting again after {after}",
                    error.message
                ));
                client = again(context).await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        show(&tailed, after, sees_all(&client, context), context)?;
        let at_end = tailed.after == after;
        after = tailed.after;
        if at_end && !arguments.follow {
            return Ok(());
        }
    }
}

async fn page(client: &Client, after: AuditSeq, follow: bool) -> Result<AuditTailed, WireError> {
    let wait_ms = if follow { limits::WAIT_MS_MAX } else { 0 };
    let patience = Duration::from_millis(wait_ms) + Duration::from_secs(10);
    let client = client.with_timeout(patience);
    let request = AuditTail {
        after,
        limit: Some(limits::PAGE_LIMIT_MAX),
        wait_ms,
    };
    call!(client, audit_tail, request).await
}

fn is_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unreachable | ErrorCode::DeadlineExceeded | ErrorCode::ResourceExhausted
    )
}

/// Connects again, however long the daemon is away.
async fn again(context: &Context) -> Outcome<Client> {
    let mut pause = Duration::from_millis(200);
    loop {
        tokio::time::sleep(pause).await;
        match context.connect().await {
            Ok(client) => return Ok(client),
            Err(Stop::Error(error)) if is_passing(error.code) => {}
            Err(stop) => return Err(stop),
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Whether the caller sees every entry, so that a sequence left out is one that is gone.
fn sees_all(client: &Client, context: &Context) -> bool {
    let operator = client
        .welcome()
        .caller
        .as_ref()
        .is_some_and(|caller| caller.operator);
    operator && context.settings.tenant.value.is_none()
}

fn show(tailed: &AuditTailed, after: AuditSeq, all: bool, context: &Context) -> Outcome {
    let mut last = after.0;
    let mut text = String::new();
    for entry in &tailed.items {
        if all && entry.seq.0 > last + 1 {
            context.ui.note(&gap(last + 1, entry.seq.0 - 1));
        }
        last = entry.seq.0;
        match context.ui.format {
            Format::Table => text.push_str(&line(entry, context.ui.paint.out)),
            Format::Csv | Format::Name => {
                text.push_str(&render::lines(
                    context.ui.format,
                    std::slice::from_ref(entry),
                )?);
            }
            Format::Yaml => {
                text.push_str("---\n");
                text.push_str(&json::yaml(entry)?);
            }
            Format::Json | Format::Jsonl | Format::Cef => text.push_str(&json::json_line(entry)?),
        }
    }
    if tailed.items.is_empty() && tailed.after.0 < after.0 {
        context.ui.note(&format!(
            "# the log ends at {}, before {after}",
            tailed.after
        ));
    }
    if text.is_empty() {
        Ok(())
    } else {
        context.ui.emit(&text)
    }
}

fn gap(from: u64, to: u64) -> String {
    format!("# gap: {from}..{to}")
}

fn line(entry: &AuditView, color: bool) -> String {
    let time = entry.time.to_string();
    let clock = time.get(..19).unwrap_or(&time);
    let decision = match entry.decision.as_str() {
        "deny" => tint("deny ", Tone::Bad, color),
        _ => tint("allow", Tone::Good, color),
    };
    let target = entry.resource_id.as_deref().unwrap_or("-");
    let policy = entry.policy.as_deref().unwrap_or("-");
    let words = one_line(&format!(
        "{}.{} {target} by {}, policy {policy}, {}",
        entry.resource, entry.action, entry.actor, entry.outcome
    ));
    let count = match entry.count {
        0 | 1 => String::new(),
        n => format!(" ({})", time::count(n)),
    };
    format!("{:>7}  {clock}Z  {decision}  {words}{count}\n", entry.seq.0)
}
