//! Writes what happens to a file, without texts and secrets, and reads it again.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::msg::{Key, Msg};

/// The format's version.
const VERSION: u32 = 1;
/// The longest line that is read, in bytes.
const LINE_BYTES_MAX: usize = 4 << 20;
/// Fields whose texts are not written.
const PRIVATE: &[&str] = &[
    "text",
    "metadata",
    "claims",
    "tags",
    "by_tag",
    "session",
    "key",
    "description",
    "label",
    "rule",
    "facts",
    "trace",
    "terms",
    "Log",
    "evidence",
    "name",
];
/// Fields that are not written at all.
const SECRET: &[&str] = &["access_token"];

#[derive(Serialize, Deserialize)]
struct Head {
    manushya_tui_record: u32,
    columns: u16,
    rows: u16,
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: u64,
    msg: Value,
}

/// Writes what happens.
#[derive(Debug)]
pub struct Recorder {
    file: File,
    started: Option<UnixMillis>,
}

fn failed(path: &Path, reason: impl std::fmt::Display) -> WireError {
    WireError::new(
        ErrorCode::InvalidArgument,
        format!("cannot use the record `{}`", path.display()),
    )
    .reason(reason.to_string())
}

impl Recorder {
    /// Makes a new file that only its owner reads.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` if it exists or cannot be made.
    pub fn create(path: &Path) -> Result<Self, WireError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let file = file.map_err(|error| failed(path, error))?;
        Ok(Self {
            file,
            started: None,
        })
    }

    /// Writes the head.
    pub fn start(&mut self, (columns, rows): (u16, u16)) {
        let head = Head {
            manushya_tui_record: VERSION,
            columns,
            rows,
        };
        self.line(&head);
    }

    /// Writes what happened.
    pub fn note(&mut self, now: UnixMillis, msg: &Msg, is_typing: bool) {
        let started = *self.started.get_or_insert(now);
        let msg = redacted(msg, is_typing);
        let at = u64::try_from(now.0 - started.0).unwrap_or(0);
        self.line(&Line { at, msg });
    }

    fn line<T: Serialize>(&mut self, line: &T) {
        // A full disk is no reason to end; the record is cut then.
        if let Ok(mut bytes) = serde_json::to_vec(line) {
            bytes.push(b'\n');
            let _ = self.file.write_all(&bytes);
        }
    }
}

/// A text with its letters and digits covered.
fn covered(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_alphanumeric() { 'x' } else { c })
        .collect()
}

fn redacted(msg: &Msg, is_typing: bool) -> Value {
    let msg = match msg {
        Msg::Key(Key::Char(c)) if is_typing && c.is_alphanumeric() => &Msg::Key(Key::Char('x')),
        Msg::Paste(text) => &Msg::Paste(covered(text)),
        Msg::Edited(Some(text)) => &Msg::Edited(Some(covered(text))),
        other => other,
    };
    let mut value = serde_json::to_value(msg).unwrap_or(Value::Null);
    cover(&mut value, false);
    value
}

fn cover(value: &mut Value, is_private: bool) {
    match value {
        Value::String(text) if is_private => *text = covered(text),
        Value::Array(items) => items.iter_mut().for_each(|item| cover(item, is_private)),
        Value::Object(map) => {
            for (name, item) in map.iter_mut() {
                if SECRET.contains(&name.as_str()) {
                    *item = Value::Null;
                }
                cover(item, is_private || PRIVATE.contains(&name.as_str()));
            }
        }
        _ => {}
    }
}

/// Reads a record: what happened, each with its milliseconds from the start.
///
/// # Errors
///
/// `INVALID_ARGUMENT` if it cannot be read or is no record.
pub fn load(path: &Path) -> Result<Vec<(u64, Msg)>, WireError> {
    let file = File::open(path).map_err(|error| failed(path, error))?;
    let mut reader = BufReader::new(file);
    let mut messages = Vec::new();
    let mut number = 0_u64;
    loop {
        let mut line = String::new();
        let read = std::io::Read::take(&mut reader, LINE_BYTES_MAX as u64).read_line(&mut line);
        if read.map_err(|error| failed(path, error))? == 0 {
            break;
        }
        number += 1;
        let wrong = |error: serde_json::Error| failed(path, format!("line {number}: {error}"));
        if number == 1 {
            let head: Head = serde_json::from_str(&line).map_err(wrong)?;
            if head.manushya_tui_record != VERSION {
                return Err(failed(
                    path,
                    format!("it is of version {}", head.manushya_tui_record),
                ));
            }
            continue;
        }
        let line: Line = serde_json::from_str(&line).map_err(wrong)?;
        let msg = serde_json::from_value(line.msg).map_err(wrong)?;
        messages.push((line.at, msg));
    }
    if number == 0 {
        return Err(failed(path, "it is empty"));
    }
    Ok(messages)
}
