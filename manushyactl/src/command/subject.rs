//! `identity export`: everything held about an identity, as lines that are signed.

use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::time::Duration;

use manushya_core::audit::subject::LINE_BYTES_MAX;
use manushya_core::audit::{ExportCheck, ExportError, ExportManifest, VerifierKey};
use manushya_protocol::client::Client;
use manushya_protocol::error::ErrorCode;
use manushya_protocol::exit;
use manushya_protocol::v1::subject::{SubjectExport, SubjectExported};
use serde::Serialize;

use super::audit::verify::{parse_key, reasons};
use super::sink::{Partial, Sink};
use crate::cli::identity::IdentityExport;
use crate::config::Format;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::render::{Column, Row};
use crate::ui::{json, time};

/// How long a page may take at the least.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was written.
#[derive(Debug, Serialize)]
struct Written {
    subject: String,
    file: String,
    lines: u64,
    whole: bool,
}

impl Row for Written {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &["subject", "file", "lines", "whole"];
    const NAME: &'static str = "subject";
}

/// A part, as verified.
#[derive(Debug, Serialize)]
struct Part {
    part: String,
    lines: u64,
    whole: bool,
}

/// What was verified.
#[derive(Debug, Serialize)]
struct Verified {
    subject: String,
    tenant: String,
    exported_by: String,
    exported_at: manushya_protocol::unit::UnixMillis,
    lines: u64,
    whole: bool,
    redacted: u64,
    parts: Vec<Part>,
    sha256: String,
    audit_size: u64,
    audit_root: String,
    signed_by: String,
}

impl Row for Verified {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "subject",
        "tenant",
        "exported_by",
        "exported_at",
        "lines",
        "whole",
        "redacted",
        "parts",
        "sha256",
        "audit_size",
        "audit_root",
        "signed_by",
    ];
    const NAME: &'static str = "subject";
}

/// Exports, or verifies an export.
///
/// # Errors
///
/// What the daemon or the disk says; exit code 3 if not all could be exported, 9 if a file proves
/// nothing.
pub(super) async fn run(arguments: &IdentityExport, context: &Context) -> Outcome {
    if let (Some(path), Some(key)) = (&arguments.verify, &arguments.key) {
        return verify(path, key, context);
    }
    let Some(identity) = &arguments.identity else {
        return Err(Stop::usage("an export is about somebody").hint("name an identity"));
    };
    let path = arguments.path.as_deref();
    let path = path.or(arguments.file.out.as_deref());
    let recipients = &arguments.recipient;
    let plain = matches!(
        context.ui.format,
        Format::Table | Format::Json | Format::Jsonl
    );
    if path.is_none() && recipients.is_empty() && !plain {
        return Err(Stop::usage("an export is a stream of JSON lines")
            .hint("-o jsonl, or name a file: -o is about what is told of it then"));
    }
    let client = context
        .connect()
        .await?
        .with_timeout(context.patient(PATIENCE));
    // Before a file is made: who may not export leaves none behind.
    let first = page(&client, identity, None).await?;
    let subject = first.subject.to_string();
    let Some(path) = path else {
        let sink = Sink::stdout(recipients)?;
        let (_, whole) = stream(&client, first, sink, |_| ())
            .await?
            .map_err(Stop::from)?;
        return ended(whole, context);
    };
    let (file, sink) = Partial::create(path, recipients)?;
    let mut progress = context.ui.progress("export", None);
    let written = stream(&client, first, sink, |lines| {
        progress.at(lines, || time::things(lines, "line", "lines"));
    })
    .await;
    progress.finish();
    let (lines, whole) = written?
        .and_then(|written| file.keep().map(|()| written))
        .map_err(|error| Stop::unwritable(path, &error))?;
    let written = Written {
        subject,
        file: path.display().to_string(),
        lines,
        whole,
    };
    context.ui.told(&written, || {
        format!(
            "{} about {} written to {}\n",
            time::things(lines, "line", "lines"),
            written.subject,
            written.file,
        )
    })?;
    ended(whole, context)
}

/// Says if something was left out.
fn ended(whole: bool, context: &Context) -> Outcome {
    if whole {
        return Ok(());
    }
    context
        .ui
        .note("something was left out or masked: you may not see it; the manifest says of what");
    Err(Stop::Exit(exit::PARTIAL))
}

async fn page(client: &Client, identity: &str, export: Option<String>) -> Outcome<SubjectExported> {
    let request = SubjectExport {
        identity: identity.to_owned(),
        export,
    };
    Ok(call!(client, subject_export, request).await?)
}

/// Writes pages until the manifest; says how many lines those were and whether that is all, or why
/// they could not be written.
async fn stream(
    client: &Client,
    mut read: SubjectExported,
    mut sink: Sink,
    mut told: impl FnMut(u64),
) -> Outcome<std::io::Result<(u64, bool)>> {
    let subject = read.subject.to_string();
    loop {
        let mut text = String::new();
        for line in &read.lines {
            text.push_str(line);
            text.push('\n');
        }
        if let Some(manifest) = &read.manifest {
            text.push_str(&json::json_line(manifest)?);
        }
        if let Err(error) = sink.write(&text) {
            return Ok(Err(error));
        }
        told(read.written);
        if let Some(manifest) = read.manifest {
            let end = (read.written, manifest.whole);
            return Ok(sink.finish().map(|()| end));
        }
        read = page(client, &subject, Some(read.export)).await?;
    }
}

fn verify(path: &Path, key: &str, context: &Context) -> Outcome {
    let key = parse_key(key)?;
    let input: Box<dyn std::io::Read> = match path == Path::new("-") {
        true => Box::new(std::io::stdin()),
        false => {
            Box::new(std::fs::File::open(path).map_err(|error| Stop::unreadable(path, &error))?)
        }
    };
    let checked = check(BufReader::new(input), &key);
    let (manifest, signed_by) = checked
        .map_err(|error| Stop::unreadable(path, &error))?
        .map_err(|error| {
            Stop::new(ErrorCode::Integrity, "the export is not what was signed")
                .reason(reasons(&error))
                .hint(
                    "it must be decrypted first; if it was, ask for a new one and compare the keys",
                )
        })?;
    let verified = verified(&manifest, &signed_by);
    context.ui.told(&verified, || words(&verified))
}

/// Reads a file line by line, none of which is kept.
fn check(
    mut input: impl BufRead,
    key: &VerifierKey,
) -> std::io::Result<Result<(ExportManifest, VerifierKey), ExportError>> {
    let mut check = ExportCheck::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = LINE_BYTES_MAX as u64 + 2;
        if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(check.finish(key));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if let Err(error) = check.line(text) {
            return Ok(Err(error));
        }
    }
}

fn verified(manifest: &ExportManifest, key: &VerifierKey) -> Verified {
    Verified {
        subject: manifest.subject.to_string(),
        tenant: manifest.tenant.to_string(),
        exported_by: manifest.exported_by.to_string(),
        exported_at: manifest.exported_at,
        lines: manifest.lines(),
        whole: manifest.is_whole(),
        redacted: manifest.redacted,
        parts: manifest
            .parts
            .iter()
            .map(|part| Part {
                part: part.name.clone(),
                lines: part.lines,
                whole: part.whole,
            })
            .collect(),
        sha256: manifest.sha256.to_string(),
        audit_size: manifest.audit_size,
        audit_root: manifest.audit_root.to_string(),
        signed_by: key.to_string(),
    }
}

fn words(verified: &Verified) -> String {
    let mut text = format!(
        "ok: {} about {}, exported {} by {}\n    signed by {}\n",
        time::things(verified.lines, "line", "lines"),
        verified.subject,
        verified.exported_at,
        verified.exported_by,
        verified.signed_by,
    );
    for part in &verified.parts {
        let held_back = if part.whole { "" } else { "  (some withheld)" };
        text.push_str(&format!("  {:>10}  {}{held_back}\n", part.lines, part.part));
    }
    if verified.redacted > 0 {
        text.push_str(&format!("  {:>10}  with parts masked\n", verified.redacted));
    }
    text
}
