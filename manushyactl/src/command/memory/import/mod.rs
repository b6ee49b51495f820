//! `memory import`: batches in flight, refused lines told, and never a line done twice by key.

pub mod line;
mod reader;
mod record;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use manushya_protocol::client::Client;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::exit;
use manushya_protocol::v1::memory::{ItemResult, MemoryAddMany, MemoryAddedMany};
use tokio::sync::mpsc::{Receiver, channel};

use super::on_conflict;
use crate::cli::memory as cli;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::progress::Progress;
use crate::ui::time;
use line::Defaults;
use reader::{Batch, Reject};
use record::{Checkpoint, Rejects, Summary};

/// Batches in flight. The daemon's group commit takes them together.
const IN_FLIGHT: usize = 4;
/// How long a batch may take at the least.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an interrupted import waits for what is in flight.
const LAST_WAIT: Duration = Duration::from_secs(5);
/// How often a batch is sent again when the daemon has no room for it.
const RETRIES: u32 = 8;
/// How long to wait at the most when the daemon says when to come back.
const WAIT_MOST: Duration = Duration::from_secs(60);

/// Imports JSON Lines.
pub async fn run(arguments: &cli::Import, context: &Context) -> Outcome {
    let source = arguments.file.display().to_string();
    let checkpoint = Checkpoint::open(arguments.checkpoint.as_deref(), &source)?;
    let (input, size) = open(&arguments.file)?;
    let rejects = Rejects::open(arguments.reject.as_deref(), checkpoint.line() > 0)?;
    let client = context
        .connect()
        .await?
        .with_timeout(context.patient(PATIENCE));
    let (sender, receiver) = channel(IN_FLIGHT);
    let defaults = Defaults {
        kind: arguments.kind.clone(),
        tags: arguments.tags.clone(),
        namespace: arguments.namespace.clone(),
        session: arguments.session.clone(),
        trust: arguments.trust,
        source: arguments.source.clone(),
        on_conflict: on_conflict(&arguments.on_conflict),
    };
    let (skip, items) = (checkpoint.line(), arguments.batch as usize);
    let keep_input = rejects.wants_input();
    // Reading may block, on a terminal or a pipe, and parsing takes a core of its own.
    std::thread::spawn(move || reader::read(input, skip, items, &defaults, keep_input, &sender));
    let mut import = Import {
        context,
        client,
        progress: context.ui.progress("import", size),
        summary: Summary {
            file: source,
            skipped: skip,
            reject_file: arguments
                .reject
                .as_ref()
                .map(|path| path.display().to_string()),
            ..Summary::default()
        },
        rejects,
        checkpoint,
        in_flight: FuturesOrdered::new(),
        keys: HashSet::new(),
    };
    let outcome = import.drive(receiver).await;
    import.finish(outcome)
}

fn open(path: &Path) -> Outcome<(Box<dyn io::BufRead + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((
            Box::new(BufReader::with_capacity(256 << 10, io::stdin())),
            None,
        ));
    }
    let unreadable = |error| Stop::unreadable(path, &error);
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Stop::usage(format!("`{}` is a folder", path.display())));
    }
    let size = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::with_capacity(256 << 10, file)), size))
}

type Sent = (Batch, Result<MemoryAddedMany, WireError>);

struct Import<'a> {
    context: &'a Context,
    client: Client,
    progress: Progress,
    summary: Summary,
    rejects: Rejects,
    checkpoint: Checkpoint,
    in_flight: FuturesOrdered<BoxFuture<'static, Sent>>,
    /// Keys in flight: a key that comes twice is not sent twice at once, so that the last wins.
    keys: HashSet<String>,
}

impl Import<'_> {
    async fn drive(&mut self, mut receiver: Receiver<io::Result<Batch>>) -> Outcome {
        let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let full = self.in_flight.len() >= IN_FLIGHT;
            tokio::select! {
                biased;
                _ = &mut interrupt => return self.interrupted().await,
                Some(sent) = self.in_flight.next() => self.settle(sent)?,
                next = receiver.recv(), if !full => match next {
                    Some(Ok(batch)) => {
                        while self.collides(&batch) {
                            match self.in_flight.next().await {
                                Some(sent) => self.settle(sent)?,
                                None => break,
                            }
                        }
                        self.send(batch);
                    }
                    Some(Err(error)) => {
                        self.drain().await?;
                        let path = self.summary.file.clone();
                        return Err(Stop::unreadable(Path::new(&path), &error));
                    }
                    None => return self.drain().await,
                },
            }
        }
    }

    fn collides(&self, batch: &Batch) -> bool {
        let mut keys = batch
            .items
            .iter()
            .filter_map(|(_, _, add)| add.key.as_ref());
        !self.keys.is_empty() && keys.any(|key| self.keys.contains(key))
    }

    fn send(&mut self, mut batch: Batch) {
        let items: Vec<_> = batch
            .items
            .iter_mut()
            .map(|(_, _, add)| std::mem::take(add))
            .collect();
        // The keys stay with the batch, so that they can be let go when it is done.
        for (kept, item) in batch.items.iter_mut().zip(&items) {
            kept.2.key.clone_from(&item.key);
            self.keys.extend(item.key.clone());
        }
        let client = self.client.clone();
        self.in_flight.push_back(Box::pin(async move {
            if items.is_empty() {
                return (
                    batch,
                    Ok(MemoryAddedMany {
                        results: Vec::new(),
                    }),
                );
            }
            let answer = add_many(&client, MemoryAddMany { items }).await;
            (batch, answer)
        }));
    }

    async fn drain(&mut self) -> Outcome {
        while let Some(sent) = self.in_flight.next().await {
            self.settle(sent)?;
        }
        Ok(())
    }

    async fn interrupted(&mut self) -> Outcome {
        self.summary.interrupted = true;
        // What is in flight may be done at any moment; a second interrupt does not wait for it.
        tokio::select! {
            _ = tokio::time::timeout(LAST_WAIT, self.drain()) => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        Err(Stop::interrupted())
    }

    fn settle(&mut self, (batch, answer): Sent) -> Outcome {
        for (_, _, add) in &batch.items {
            if let Some(key) = &add.key {
                self.keys.remove(key);
            }
        }
        let answer = answer?;
        if answer.results.len() != batch.items.len() {
            return Err(Stop::new(
                ErrorCode::Internal,
                "the daemon answered for another batch",
            ));
        }
        // A fault of the daemon says nothing about a line: the batch is not done, and the next run
        // starts with it. What of it was taken is not taken twice if it has keys.
        let fault = answer.results.iter().find_map(|result| match result {
            ItemResult::Err(error) if !is_about_the_line(error.code) => Some(error.clone()),
            ItemResult::Err(_) | ItemResult::Ok(_) => None,
        });
        if let Some(error) = fault {
            return Err(error.into());
        }
        let mut rejects = batch.rejects;
        for ((line, input, _), result) in batch.items.into_iter().zip(answer.results) {
            match result {
                ItemResult::Ok(added) => match added.outcome.as_str() {
                    "updated" => self.summary.updated += 1,
                    "unchanged" => self.summary.unchanged += 1,
                    _ => self.summary.added += 1,
                },
                ItemResult::Err(error) => {
                    rejects.push(Reject {
                        line,
                        reason: reason(&error),
                        input,
                    });
                }
            }
        }
        rejects.sort_by_key(|reject| reject.line);
        self.summary.rejected += rejects.len() as u64;
        for reject in &rejects {
            self.rejects
                .add(reject, |text| self.context.ui.note(text))?;
        }
        self.rejects.flush()?;
        self.summary.lines += batch.lines;
        if !self.context.dry_run {
            self.checkpoint.reached(batch.last_line)?;
        }
        let (summary, seconds) = (&self.summary, self.progress.seconds());
        let done = summary.lines;
        self.progress.at(batch.position, || {
            let rate = (done as f64 / seconds.max(0.001)) as u64;
            let lines = time::things(done, "line", "lines");
            format!(
                "{lines}, {} rejected, {}/s",
                time::count(summary.rejected),
                time::count(rate)
            )
        });
        Ok(())
    }

    fn finish(mut self, outcome: Outcome) -> Outcome {
        self.progress.finish();
        self.rejects.flush()?;
        if !self.context.dry_run {
            self.checkpoint.write()?;
        }
        let summary = &mut self.summary;
        summary.seconds = self.progress.seconds();
        let taken = summary.added + summary.updated + summary.unchanged;
        summary.per_second = (taken as f64 / summary.seconds.max(0.001)) as u64;
        summary.interrupted |= outcome.is_err();
        let words = summary.words();
        self.context.ui.document(&self.summary, || words)?;
        self.context.note_dry_run();
        match outcome {
            Err(stop) => Err(stop.hint(match self.checkpoint.line() {
                0 => "run it again: lines with a key are not added twice".to_owned(),
                line => format!("run it again; lines up to {line} are done"),
            })),
            Ok(()) if self.summary.rejected > 0 => Err(Stop::Exit(exit::PARTIAL)),
            Ok(()) => Ok(()),
        }
    }
}

/// Sends a batch; when the daemon has no room for it, waits and sends it again.
async fn add_many(client: &Client, batch: MemoryAddMany) -> Result<MemoryAddedMany, WireError> {
    let mut attempt = 0;
    loop {
        match call!(client, memory_add_many, batch.clone()).await {
            Err(error) if error.code == ErrorCode::ResourceExhausted && attempt < RETRIES => {
                let least = Duration::from_millis(20 << attempt);
                let told = error.retry_after_ms;
                let told = told.map(|ms| Duration::from_millis(ms.get().into()));
                tokio::time::sleep(told.map_or(least, |told| told.clamp(least, WAIT_MOST))).await;
                attempt += 1;
            }
            other => return other,
        }
    }
}

fn reason(error: &WireError) -> String {
    match &error.reason {
        Some(reason) => format!("{}: {}: {reason}", error.code, error.message),
        None => format!("{}: {}", error.code, error.message),
    }
}
/// Whether an error comes of what a line says, so that sending the line again would not help.
fn is_about_the_line(code: ErrorCode) -> bool {
    match code {
        ErrorCode::InvalidArgument
        | ErrorCode::Denied
        | ErrorCode::NotFound
        | ErrorCode::Conflict
        | ErrorCode::Partial => true,
        ErrorCode::Unauthenticated
        | ErrorCode::ResourceExhausted
        | ErrorCode::AuditUnavailable
        | ErrorCode::VaultLocked
        | ErrorCode::Integrity
        | ErrorCode::DeadlineExceeded
        | ErrorCode::Unreachable
        | ErrorCode::VersionMismatch
        | ErrorCode::Interrupted
        | ErrorCode::Internal
        | ErrorCode::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_line_says_can_reject_it() {
        let retried = ErrorCode::ALL
            .iter()
            .filter(|code| !is_about_the_line(**code));
        // Whatever is a fault of the daemon or the connection ends in a failure or an exit of its own.
        for code in retried {
            assert!(
                ![2, 3, 5, 6, 7].contains(&code.exit()),
                "{code} rejects a line"
            );
        }
        assert!(!is_about_the_line(ErrorCode::ResourceExhausted));
    }
}
