//! Stored and anchored checkpoints: listing them, and holding the log against all of them.

use std::collections::BTreeSet;
use std::path::Path;

use manushya_core::audit::checkpoint::Checkpoint;
use manushya_core::audit::examine::NOTES_BYTES_MAX;
use manushya_core::audit::{Examiner, Keys, Notes, read_notes};
use manushya_core::command::Context;
use manushya_core::decide::Refusal;
use manushya_protocol::error::WireError;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::audit::{AuditCheckpoints, CheckpointView};
use manushya_protocol::v1::common::Listed;
use manushya_protocol::v1::system::{Check, Verdict};

use super::super::doctor::check;
use super::super::view::ReadView;
use super::super::writer::chain;
use super::super::{Service, page, unreadable};
use super::{begin_operator, checkpoint, cursor};

/// How many stored checkpoints one read of the store takes.
const CHUNK: usize = 4096;

impl Service {
    /// Lists the stored checkpoints.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn audit_checkpoints(
        &self,
        context: Context,
        request: AuditCheckpoints,
    ) -> Result<Listed<CheckpointView>, WireError> {
        let limit = page::limit(&request.page)?;
        let after = cursor(request.page.cursor.as_deref())?.0;
        self.read(&context, |view, context| {
            let access = begin_operator(view, context)?;
            let fail = |error: WireError| Refusal::allowed(&access.audit, error);
            let keys = self.log_keys().map_err(fail)?;
            let (from, most) = match request.size {
                Some(size) => (size.saturating_sub(1), 1),
                None => (after, limit + 1),
            };
            let rows = view.snapshot.checkpoints(from, most);
            let mut rows = rows.map_err(|error| fail(unreadable(&error)))?;
            if let Some(size) = request.size {
                rows.retain(|(found, _)| *found == size);
                if rows.is_empty() {
                    let size = size.to_string();
                    let hint = "manushyactl audit checkpoint list";
                    return Err(access.missing("checkpoint", &size, hint));
                }
            }
            let more = rows.len() > limit;
            rows.truncate(limit);
            let last = view.snapshot.last_checkpoint();
            let (total, _) = last.map_err(|error| fail(unreadable(&error)))?;
            let items: Vec<_> = rows.into_iter().map(|row| show(row, &keys)).collect();
            let next = items.last().filter(|_| more).map(|it| it.size.to_string());
            let count = items.len() as u64;
            let total = request.size.map_or(total, |_| count);
            Ok(access.plan(Vec::new(), count, Listed { items, next, total }))
        })
        .await
    }

    /// Checks the log against its head and against every checkpoint, stored or anchored.
    pub(in crate::service) fn check_log(&self) -> Vec<Check> {
        let fix = "keep the files as evidence and restore a backup";
        let keys = match self.log_keys() {
            Ok(keys) => keys,
            Err(error) => {
                let told = format!("{}: {}", error.message, error.reason.unwrap_or_default());
                return vec![check("audit.keys", Verdict::Failure, told, Some(fix))];
            }
        };
        // Before the log, so that it has all that they speak of.
        let anchored = self.config.anchor.file.as_deref().map(|file| {
            let notes = read_anchor(file, &keys);
            (file, notes)
        });
        let log = self.view().map_err(|error| error.to_string());
        let log = log.and_then(|view| Log::read(view, keys.clone()));
        let log = match log {
            Ok(log) => log,
            Err(reason) => return vec![check("audit.chain", Verdict::Failure, reason, Some(fix))],
        };
        let mut checks = vec![match log.examine(log.stored.clone()) {
            Ok(entries) => {
                let stored = log.stored.len();
                let keys = match keys.to_vec().len() {
                    1 => String::new(),
                    keys => format!(", signed by {keys} keys that follow each other"),
                };
                let told = format!(
                    "{entries} entries verify against the head and {stored} checkpoints{keys}"
                );
                check("audit.chain", Verdict::Ok, told, None)
            }
            Err(reason) => check("audit.chain", Verdict::Failure, reason, Some(fix)),
        }];
        if let Some((file, notes)) = anchored {
            checks.push(self.check_anchor(file, notes, &log));
        }
        checks
    }

    fn check_anchor(&self, file: &Path, notes: Result<Notes, String>, log: &Log) -> Check {
        let id = "audit.anchor";
        let path = file.display();
        let fix = format!(
            "if a backup was restored on purpose, move {path} away; if not, keep all files as evidence"
        );
        let fail = |reason| check(id, Verdict::Failure, reason, Some(&fix));
        let notes = match notes {
            Ok(notes) => notes,
            Err(reason) => {
                return check(
                    id,
                    Verdict::Warning,
                    reason,
                    Some("look at the daemon's log"),
                );
            }
        };
        let stored: BTreeSet<u64> = log.stored.iter().map(|note| note.size).collect();
        if let Some(lost) = notes.good.iter().find(|note| !stored.contains(&note.size)) {
            let size = lost.size;
            return fail(format!(
                "{path} has a checkpoint of {size} entries that the store has not"
            ));
        }
        let newest = notes.good.iter().map(|note| note.size).max().unwrap_or(0);
        let count = notes.good.len();
        if let Err(reason) = log.examine(notes.good) {
            return fail(format!("{path}: {reason}"));
        }
        if let Some(line) = notes.bad.first() {
            let told = format!("{path}: what starts in line {line} is no checkpoint of this log");
            return check(
                id,
                Verdict::Warning,
                told,
                Some("was it changed, or cut by a crash?"),
            );
        }
        if let Some(fault) = self.writer.witnessed().fault() {
            return check(
                id,
                Verdict::Warning,
                fault.to_string(),
                Some("see that it can be written"),
            );
        }
        let told = format!("{count} checkpoints in {path} verify, up to entry {newest}");
        check(id, Verdict::Ok, told, None)
    }
}

fn show((size, text): (u64, String), keys: &Keys) -> CheckpointView {
    let verified = keys.verify(&text).ok();
    CheckpointView {
        size,
        root: verified
            .filter(|checkpoint| checkpoint.size == size)
            .map(|checkpoint| checkpoint.root.to_string()),
        checkpoint: text,
    }
}

/// Reads an anchor file. One that is not there yet has no checkpoints.
fn read_anchor(file: &Path, keys: &Keys) -> Result<Notes, String> {
    let told = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Notes::default()),
        Err(error) => return Err(told(error)),
        Ok(metadata) if metadata.len() > NOTES_BYTES_MAX as u64 => {
            return Err(format!("{} is too long to be read whole", file.display()));
        }
        Ok(_) => {}
    }
    let bytes = std::fs::read(file).map_err(told)?;
    Ok(read_notes(&String::from_utf8_lossy(&bytes), keys))
}

/// A state of the log, with the checkpoints that are stored of it.
struct Log {
    view: ReadView,
    stored: Vec<Checkpoint>,
    keys: Keys,
}

impl Log {
    fn read(view: ReadView, keys: Keys) -> Result<Self, String> {
        let size = view.published.head.size();
        let mut stored = Vec::new();
        let mut after = 0;
        loop {
            let rows = view.snapshot.checkpoints(after, CHUNK);
            let rows = rows.map_err(|error| chain(&error))?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            // The snapshot may be a moment ahead of the head.
            for (of, note) in rows.into_iter().filter(|(of, _)| *of <= size) {
                let checkpoint = keys.verify(&note).map_err(|error| chain(&error))?;
                if checkpoint.size != of {
                    return Err(format!(
                        "the stored checkpoint of {of} entries is misplaced"
                    ));
                }
                stored.push(checkpoint);
            }
        }
        Ok(Self { view, stored, keys })
    }

    /// Recomputes the log against its head and these checkpoints.
    fn examine(&self, marks: Vec<Checkpoint>) -> Result<u64, String> {
        let head = &self.view.published.head;
        let mut examiner = Examiner::new(marks);
        let mut from = AuditSeq(1);
        while from.0 <= head.size() {
            let chunk = self.view.snapshot.audit(from, 1 << 20, 4096);
            let chunk = chunk.map_err(|error| unreadable(&error).to_string())?;
            let Some((last, _)) = chunk.last() else { break };
            from = AuditSeq(last.0 + 1);
            for (seq, bytes) in chunk.iter().filter(|(seq, _)| seq.0 <= head.size()) {
                let pushed = examiner.push(bytes);
                pushed.map_err(|broken| format!("entry {seq}: {}", chain(&broken)))?;
            }
        }
        examiner
            .check_keys(&self.keys)
            .map_err(|broken| chain(&broken))?;
        let checkpoint = checkpoint(head).map_err(|error| error.message)?;
        let summary = examiner.finish(&checkpoint);
        summary
            .map(|summary| summary.size)
            .map_err(|broken| chain(&broken))
    }
}
