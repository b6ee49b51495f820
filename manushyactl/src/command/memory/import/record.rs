//! What an import leaves behind: its counts, the file of refused lines, and how far it came.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::reader::Reject;
use crate::error::{Outcome, Stop};
use crate::ui::{table, time};

/// What an import came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The file.
    pub file: String,
    /// Lines that were read, blank and skipped ones not counted.
    pub lines: u64,
    /// Memories that are there now and were not.
    pub added: u64,
    /// Memories that got a new version.
    pub updated: u64,
    /// Memories that were there already, just so.
    pub unchanged: u64,
    /// Lines that were refused.
    pub rejected: u64,
    /// Lines that a checkpoint says were done before.
    pub skipped: u64,
    /// How long it took.
    pub seconds: f64,
    /// Memories a second.
    pub per_second: u64,
    /// Where the refused lines are.
    pub reject_file: Option<String>,
    /// Whether it ended before the file did.
    pub interrupted: bool,
}

impl Summary {
    /// The summary on one line.
    pub fn words(&self) -> String {
        let mut text = format!(
            "{}: {} added, {} updated, {} unchanged, {} rejected",
            time::things(self.lines, "line", "lines"),
            time::count(self.added),
            time::count(self.updated),
            time::count(self.unchanged),
            time::count(self.rejected),
        );
        if self.skipped > 0 {
            text.push_str(&format!(", {} done before", time::count(self.skipped)));
        }
        let rate = time::count(self.per_second);
        text.push_str(&format!(" in {:.1} s ({rate}/s)\n", self.seconds));
        text
    }
}

/// Where refused lines go.
pub struct Rejects {
    file: Option<(BufWriter<File>, PathBuf)>,
    told: u64,
}

#[derive(Serialize)]
struct RejectLine<'a> {
    line: u64,
    reason: &'a str,
    input: std::borrow::Cow<'a, str>,
}

impl Rejects {
    /// How many refused lines are told on standard error if there is no file for them.
    const TOLD_MAX: u64 = 5;

    /// Opens the file, empty or to go on with.
    ///
    /// # Errors
    ///
    /// A failure that names the file.
    pub fn open(path: Option<&Path>, go_on: bool) -> Outcome<Self> {
        let file = match path {
            None => None,
            Some(path) => {
                let file = std::fs::OpenOptions::new()
                    .create(true)
                    .write(true)
                    .append(go_on)
                    .truncate(!go_on)
                    .mode(0o600)
                    .open(path)
                    .map_err(|error| Stop::unwritable(path, &error))?;
                Some((BufWriter::new(file), path.to_path_buf()))
            }
        };
        Ok(Self { file, told: 0 })
    }

    /// Whether lines must be kept until it is known that they were taken.
    pub fn wants_input(&self) -> bool {
        self.file.is_some()
    }

    /// Writes a refused line down, or tells the first few.
    ///
    /// # Errors
    ///
    /// A failure that names the file.
    pub fn add(&mut self, reject: &Reject, tell: impl Fn(&str)) -> Outcome {
        let Some((file, path)) = &mut self.file else {
            self.told += 1;
            if self.told <= Self::TOLD_MAX {
                let reason = table::one_line(&reject.reason);
                tell(&format!("rejected line {}: {reason}", reject.line));
            } else if self.told == Self::TOLD_MAX + 1 {
                tell("further rejected lines are only counted; --reject FILE keeps them all");
            }
            return Ok(());
        };
        let line = RejectLine {
            line: reject.line,
            reason: &reject.reason,
            input: String::from_utf8_lossy(&reject.input),
        };
        let mut write = || -> io::Result<()> {
            serde_json::to_writer(&mut *file, &line)?;
            file.write_all(b"\n")
        };
        write().map_err(|error| Stop::unwritable(path, &error))
    }

    /// Puts what is buffered on disk.
    ///
    /// # Errors
    ///
    /// A failure that names the file.
    pub fn flush(&mut self) -> Outcome {
        match &mut self.file {
            None => Ok(()),
            Some((file, path)) => file.flush().map_err(|error| Stop::unwritable(path, &error)),
        }
    }
}

/// How far an import came, kept in a file.
pub struct Checkpoint {
    path: Option<PathBuf>,
    source: String,
    line: u64,
    written: Option<Instant>,
}

#[derive(Serialize, Deserialize)]
struct CheckpointFile {
    source: String,
    line: u64,
}

impl Checkpoint {
    /// How often the file is rewritten at the most.
    const EVERY: Duration = Duration::from_millis(200);

    /// Reads how far an earlier import of `source` came; a file that is not there says nothing.
    ///
    /// # Errors
    ///
    /// A usage error if the file is no checkpoint or one of another import.
    pub fn open(path: Option<&Path>, source: &str) -> Outcome<Self> {
        let mut found = Self {
            path: path.map(Path::to_path_buf),
            source: source.to_owned(),
            line: 0,
            written: None,
        };
        let Some(path) = path else {
            return Ok(found);
        };
        match std::fs::read(path) {
            Ok(bytes) => {
                let file: CheckpointFile = serde_json::from_slice(&bytes).map_err(|error| {
                    Stop::usage(format!("`{}` is not a checkpoint", path.display()))
                        .reason(error.to_string())
                })?;
                if file.source != source {
                    return Err(Stop::usage(format!(
                        "`{}` belongs to another import",
                        path.display()
                    ))
                    .reason(format!("it is of `{}`, not of `{source}`", file.source))
                    .hint("name another file, or remove this one"));
                }
                found.line = file.line;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Stop::unreadable(path, &error)),
        }
        Ok(found)
    }

    /// The last line that is done.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Says that everything up to a line is done, and writes that down now and then.
    ///
    /// # Errors
    ///
    /// A failure that names the file.
    pub fn reached(&mut self, line: u64) -> Outcome {
        self.line = self.line.max(line);
        if self.written.is_some_and(|at| at.elapsed() < Self::EVERY) {
            return Ok(());
        }
        self.write()
    }

    /// Writes down how far it came, whole or not at all.
    ///
    /// # Errors
    ///
    /// A failure that names the file.
    pub fn write(&mut self) -> Outcome {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let file = CheckpointFile {
            source: self.source.clone(),
            line: self.line,
        };
        let text = crate::ui::json::json_line(&file)?;
        crate::command::token::write_private(path, text.as_bytes())?;
        self.written = Some(Instant::now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoint_is_read_back_for_the_same_source_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.done");
        let mut first = Checkpoint::open(Some(&path), "a.jsonl").unwrap();
        assert_eq!(first.line(), 0);
        first.reached(7).unwrap();
        first.reached(9).unwrap();
        first.write().unwrap();
        assert_eq!(Checkpoint::open(Some(&path), "a.jsonl").unwrap().line(), 9);
        assert!(Checkpoint::open(Some(&path), "b.jsonl").is_err());
        std::fs::write(&path, b"nonsense").unwrap();
        assert!(Checkpoint::open(Some(&path), "a.jsonl").is_err());
    }

    #[test]
    fn reject_file_holds_line_reason_and_input() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let reject = |line| Reject {
            line,
            reason: "no \"text\"".into(),
            input: b"{\"a\":\xff}".to_vec(),
        };
        let mut rejects = Rejects::open(Some(&path), false).unwrap();
        rejects.add(&reject(3), |_| panic!("told")).unwrap();
        rejects.flush().unwrap();
        let mut more = Rejects::open(Some(&path), true).unwrap();
        more.add(&reject(4), |_| panic!("told")).unwrap();
        more.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[0]["line"], &lines[0]["reason"]),
            (&3.into(), &"no \"text\"".into())
        );
        assert_eq!(lines[1]["input"], "{\"a\":\u{fffd}}");
    }

    #[test]
    fn only_the_first_rejects_are_told() {
        let told = std::cell::RefCell::new(Vec::new());
        let mut rejects = Rejects::open(None, false).unwrap();
        for line in 1..20 {
            let reject = Reject {
                line,
                reason: "bad".into(),
                input: Vec::new(),
            };
            rejects
                .add(&reject, |text| told.borrow_mut().push(text.to_owned()))
                .unwrap();
        }
        assert_eq!(told.borrow().len(), 6);
        assert!(told.borrow()[5].contains("--reject"));
    }
}
