//! `audit export` and `audit stats`.

use std::path::Path;

use manushya_protocol::client::Client;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{
    AuditCounts, AuditExport, AuditExported, AuditList, AuditView, Counted,
};
use serde::Serialize;

use super::cef;
use super::pages::PATIENCE;
use crate::cli::audit::{Export, Select, Stats};
use crate::command::sink::{Partial, Sink};
use crate::config::Format;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::render::{self, Row as _};
use crate::ui::{json, time};

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Jsonl,
    Csv,
    Cef,
}

impl Shape {
    fn of(context: &Context) -> Outcome<Self> {
        match context.ui.format {
            Format::Table | Format::Jsonl => Ok(Self::Jsonl),
            Format::Csv => Ok(Self::Csv),
            Format::Cef => Ok(Self::Cef),
            Format::Json | Format::Yaml | Format::Name => Err(Stop::usage(
                "an export of the audit log is a stream of lines",
            )
            .hint("-o jsonl, csv or cef")),
        }
    }

    fn head(self) -> String {
        match self {
            Self::Csv => json::csv_line(AuditView::FIELDS.iter().map(ToString::to_string)),
            Self::Jsonl | Self::Cef => String::new(),
        }
    }

    fn lines(self, entries: &[AuditView]) -> Outcome<String> {
        match self {
            Self::Jsonl => render::lines(Format::Jsonl, entries),
            Self::Csv => render::lines(Format::Csv, entries),
            Self::Cef => Ok(entries.iter().map(cef::line).collect()),
        }
    }
}

/// What was exported.
#[derive(Debug, Serialize)]
struct Told<'a> {
    entries: u64,
    to: AuditSeq,
    file: String,
    #[serde(skip)]
    path: &'a Path,
}

fn filter(select: &Select) -> AuditList {
    AuditList {
        actor: select.actor.clone(),
        since: select.since,
        until: select.until,
        ..AuditList::default()
    }
}

/// Writes the entries, a page at a time.
pub async fn export(arguments: &Export, context: &Context) -> Outcome {
    let shape = Shape::of(context)?;
    let client = context.connect().await?;
    let client = client.with_timeout(context.patient(PATIENCE));
    let filter = filter(&arguments.select);
    // Before a file is made: who may not read the log leaves none behind.
    let first = page(&client, &filter, AuditSeq(0), None).await?;
    let recipients = &arguments.recipient;
    let Some(path) = arguments.file.out.as_deref() else {
        let sink = Sink::stdout(recipients)?;
        let write = stream(&client, &filter, first, (shape, sink), |_| ()).await?;
        return write.map(drop).map_err(Stop::from);
    };
    let (file, sink) = Partial::create(path, recipients)?;
    let mut progress = context.ui.progress("export", Some(first.to.0));
    let to = first.to;
    let written = stream(&client, &filter, first, (shape, sink), |at: AuditSeq| {
        progress.at(at.0, || time::things(at.0, "entry", "entries"));
    })
    .await;
    progress.finish();
    let entries = written?
        .and_then(|entries| file.keep().map(|()| entries))
        .map_err(|error| Stop::unwritable(path, &error))?;
    let told = Told {
        entries,
        to,
        file: path.display().to_string(),
        path,
    };
    let things = time::things(entries, "entry", "entries");
    let words = format!(
        "{things} written to {}, up to entry {to}\n",
        told.path.display()
    );
    match context.ui.format {
        // Lines are asked for in the file; what is told of it is for people, or JSON.
        Format::Jsonl => context.ui.emit(&json::json_line(&told)?),
        _ => context.ui.emit(&words),
    }
}

async fn page(
    client: &Client,
    filter: &AuditList,
    after: AuditSeq,
    to: Option<AuditSeq>,
) -> Outcome<AuditExported> {
    let request = AuditExport {
        filter: filter.clone(),
        after,
        to,
    };
    Ok(call!(client, audit_export, request).await?)
}

/// Writes pages until the end; says how many entries those were, or why they could not be written.
async fn stream(
    client: &Client,
    filter: &AuditList,
    mut read: AuditExported,
    (shape, mut sink): (Shape, Sink),
    mut told: impl FnMut(AuditSeq),
) -> Outcome<std::io::Result<u64>> {
    let mut entries = 0;
    if let Err(error) = sink.write(&shape.head()) {
        return Ok(Err(error));
    }
    loop {
        let text = shape.lines(&read.items)?;
        if let Err(error) = sink.write(&text) {
            return Ok(Err(error));
        }
        entries += read.items.len() as u64;
        told(read.after);
        if read.end {
            return Ok(sink.finish().map(|()| entries));
        }
        read = page(client, filter, read.after, Some(read.to)).await?;
    }
}

/// How many names of a kind are told to people.
const TOLD_MAX: usize = 15;

/// Counts entries.
pub async fn stats(arguments: &Stats, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let client = client.with_timeout(context.patient(PATIENCE));
    let counts = call!(client, audit_stats, filter(&arguments.select)).await?;
    context.ui.told(&counts, || words(&counts))
}

fn words(counts: &AuditCounts) -> String {
    let mut text = time::things(counts.entries, "entry", "entries");
    if let (Some(first), Some(last)) = (counts.first, counts.last) {
        text.push_str(&format!(", from {first} to {last}"));
    }
    text.push('\n');
    let newest = counts.by_day.len().saturating_sub(TOLD_MAX);
    for (title, part, skipped) in [
        ("action", &counts.by_action[..], 0),
        ("decision", &counts.by_decision[..], 0),
        ("outcome", &counts.by_outcome[..], 0),
        ("actor", &counts.by_actor[..], 0),
        ("day", &counts.by_day[newest..], newest),
    ] {
        text.push_str(&format!("\nby {title}\n"));
        if skipped > 0 {
            text.push_str(&format!("  ({skipped} earlier days: -o json)\n"));
        }
        for Counted { name, count } in part.iter().take(TOLD_MAX) {
            text.push_str(&format!("  {:>12}  {name}\n", time::count(*count)));
        }
        let left = part.len().saturating_sub(TOLD_MAX);
        if left > 0 {
            text.push_str(&format!("  ({left} more: -o json)\n"));
        }
    }
    text
}
