//! `memory export`: every memory that may be read, as JSON Lines that `import` takes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::common::Page;
use manushya_protocol::v1::memory::{MemoryList, MemoryView};
use serde::Serialize;
use serde_json::{Map, Value};

use super::filter;
use crate::cli::memory as cli;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::{json, time};

/// One exported line: what `import` reads, and what tells where it comes from.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    text: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: &'a Map<String, Value>,
    namespace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    trust: u8,
    created_at: UnixMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixMillis>,
    id: String,
    owner: &'a str,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    redacted: &'a [String],
}

fn line(memory: &MemoryView) -> Line<'_> {
    Line {
        key: memory.key.as_deref(),
        text: &memory.text,
        kind: &memory.kind,
        tags: &memory.tags,
        metadata: &memory.metadata,
        namespace: &memory.namespace,
        session: memory.session.as_deref(),
        trust: memory.trust,
        created_at: memory.created_at,
        expires_at: memory.expires_at,
        id: memory.id.to_string(),
        owner: &memory.owner,
        version: memory.version,
        source: memory
            .provenance
            .as_ref()
            .and_then(|from| from.source.as_deref()),
        redacted: &memory.redacted,
    }
}

/// Where the lines go: standard output, or a file that appears when it is whole.
enum Sink<'a> {
    Out(&'a Context),
    File(BufWriter<File>, std::path::PathBuf, &'a Path),
}

impl<'a> Sink<'a> {
    fn open(out: Option<&'a Path>, context: &'a Context) -> Outcome<Self> {
        let Some(path) = out else {
            return Ok(Self::Out(context));
        };
        let partial = path.with_extension("partial");
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .map_err(|error| Stop::unwritable(&partial, &error))?;
        Ok(Self::File(BufWriter::new(file), partial, path))
    }

    fn write(&mut self, text: &str) -> Outcome {
        match self {
            Self::Out(context) => context.ui.emit(text),
            Self::File(file, partial, _) => file
                .write_all(text.as_bytes())
                .map_err(|error| Stop::unwritable(partial, &error)),
        }
    }

    fn finish(self) -> Outcome {
        let Self::File(file, partial, path) = self else {
            return Ok(());
        };
        let finish = || {
            file.into_inner()
                .map_err(std::io::IntoInnerError::into_error)?
                .sync_all()?;
            std::fs::rename(&partial, path)
        };
        finish().map_err(|error| Stop::unwritable(path, &error))
    }
}

/// What was exported.
#[derive(Debug, Serialize)]
struct Exported<'a> {
    memories: u64,
    file: String,
    #[serde(skip)]
    path: &'a Path,
}

/// Writes memories as JSON Lines.
pub async fn run(arguments: &cli::Export, context: &Context) -> Outcome {
    let filter = filter(&arguments.filter)?;
    let client = context.connect().await?;
    let out = arguments.file.out.as_deref();
    let mut sink = Sink::open(out, context)?;
    let mut progress = out.map(|_| context.ui.progress("export", None));
    let (mut cursor, mut written) = (None, 0u64);
    loop {
        let page = Page {
            limit: Some(limits::PAGE_LIMIT_MAX),
            cursor: cursor.take(),
        };
        let request = MemoryList {
            filter: filter.clone(),
            deleted: false,
            page,
        };
        let listed = call!(client, memory_export, request).await?;
        let mut text = String::new();
        for memory in &listed.items {
            text.push_str(&json::json_line(&line(memory))?);
        }
        sink.write(&text)?;
        written += listed.items.len() as u64;
        if let Some(progress) = &mut progress {
            progress.at(written, || time::things(written, "memory", "memories"));
        }
        match listed.next {
            Some(next) if !listed.items.is_empty() => cursor = Some(next),
            _ => break,
        }
    }
    sink.finish()?;
    let Some(path) = out else {
        return Ok(());
    };
    if let Some(progress) = progress {
        progress.finish();
    }
    let exported = Exported {
        memories: written,
        file: path.display().to_string(),
        path,
    };
    context.ui.document(&exported, || {
        let things = time::things(written, "memory", "memories");
        format!("{things} written to {}\n", exported.path.display())
    })
}

#[cfg(test)]
mod tests {
    use manushya_protocol::id::{IdentityId, MemoryId};

    use super::super::import::line::{Defaults, parse};
    use super::*;

    #[test]
    fn import_takes_what_export_writes() {
        let memory = MemoryView {
            redacted: Vec::new(),
            id: MemoryId::from_bytes([7; 16]),
            owner: "agent-a".into(),
            owner_id: IdentityId::from_bytes([8; 16]),
            key: Some("k".into()),
            text: "line\nbreak".into(),
            kind: "note".into(),
            tags: vec!["a".into()],
            metadata: serde_json::from_str(r#"{"n": 1.5, "l": ["x"]}"#).unwrap(),
            namespace: "/team".into(),
            session: Some("s1".into()),
            trust: 80,
            version: 3,
            created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            updated_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            expires_at: Some("2027-01-02T03:04:05Z".parse().unwrap()),
            deleted_at: None,
            provenance: None,
            quarantined: false,
            superseded_by: None,
            superseded_at: None,
            supersedes: Vec::new(),
        };
        let text = json::json_line(&line(&memory)).unwrap();
        let add = parse(text.trim().as_bytes(), &Defaults::default()).unwrap();
        assert_eq!(add.text, memory.text);
        assert_eq!(add.key, memory.key);
        assert_eq!(add.metadata, memory.metadata);
        assert_eq!(add.created_at, Some(memory.created_at));
        assert_eq!(add.expires_at, memory.expires_at);
        assert_eq!((add.trust, add.session), (Some(80), memory.session.clone()));
    }
}
