//! The one writer: takes all waiting commands, decides them in order, puts what they do into one
//! transaction with their audit entries, and answers when that is on disk and in the index.
//!
//! Two threads in a row: the *writer* decides and commits, the *applier* brings committed changes
//! into the index and then replies. So the index of one batch is made while the next batch is on its
//! way to the disk, and order is kept.

mod books;
mod ending;
mod full;
#[cfg(test)]
mod hand;
mod patience;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::ArcSwap;
use manushya_core::audit::Head;
use manushya_core::decide::Refusal;
use manushya_core::directory::Directory;
use manushya_core::model::{AuditDraft, Outcome};
use manushya_core::plan::{Plan, Write};
use manushya_core::view::View as _;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::{AuditSeq, UnixMillis};
use tokio::sync::{mpsc, oneshot, watch};

use ending::Doubt;
pub use ending::{Ending, Keepers, end_process};
#[cfg(test)]
pub(super) use hand::Hand;

use super::alerts::Alerts;
use super::indexes::Indexes;
use super::ledger::LedgerFile;
use super::notary::{Notary, Witnessed};
use super::room::{Place, Room, Share};
use super::tally::Tally;
use crate::os::Reserve;
use crate::store::{Stall, Store, StoreError, Txn};

/// How many commands one transaction takes.
const BATCH_COMMANDS_MAX: usize = 1024;

/// What a decided command hands to the writer.
struct Step {
    writes: Vec<Write>,
    /// Its entry; none for bookkeeping about a call that has one of its own.
    audit: Option<AuditDraft>,
    done: Done,
    broken: bool,
}

/// What is known of a command once it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Place of its audit entry.
    pub seq: AuditSeq,
    /// How many data keys were destroyed with the transaction it was part of.
    pub keys_destroyed: u64,
}

/// What becomes of a command: its reply once it is on disk, or why nothing was done.
pub type Fate<R> = Result<(R, Receipt), WireError>;

/// Called once, when the command's fate is known.
type Done = Box<dyn FnOnce(Result<Receipt, WireError>) + Send>;
/// Decides a command in the transaction it will be part of.
type Decide = Box<dyn FnOnce(&Txn) -> Step + Send>;

/// The log and the directory as of the last commit.
#[derive(Clone)]
pub struct Published {
    /// Tenants, identities, tokens, policies and plans.
    pub directory: Directory,
    /// The audit log's head.
    pub head: Head,
}

/// Hands commands to the writer. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    /// Bounded by the places of [`Room`].
    queue: mpsc::UnboundedSender<Decide>,
    published: Arc<ArcSwap<Published>>,
    audit_size: watch::Receiver<u64>,
    failed: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
    alerts: Arc<Alerts>,
    room: Arc<Room>,
    tally: Arc<Tally>,
    stall: Stall,
    reserve: Reserve,
    witnessed: Arc<Witnessed>,
}

/// The writer's threads, to be joined at the end.
pub struct WriterThreads {
    writer: JoinHandle<()>,
    applier: JoinHandle<()>,
}

impl WriterThreads {
    /// Waits until everything that was queued is done and in the index. All [`Writer`]s must be gone
    /// first. Returns whether both threads ended well.
    pub fn join(self) -> bool {
        let written = self.writer.join().is_ok();
        self.applier.join().is_ok() && written
    }
}

fn stopping() -> WireError {
    WireError::new(ErrorCode::Unreachable, "the daemon is stopping").hint("manushyactl up")
}

/// What is answered when a decision panicked; the panic itself goes to the log.
fn panicked(audit: &AuditDraft) -> Refusal {
    let error = WireError::new(
        ErrorCode::Internal,
        "the daemon failed to decide this request",
    )
    .reason("a fault in the daemon; nothing was changed")
    .hint("the daemon's log has more under the request id");
    Refusal::denied(audit, error)
}

impl Writer {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn start(
        store: Store,
        published: Published,
        indexes: Arc<Indexes>,
        keepers: Keepers,
    ) -> std::io::Result<(Self, WriterThreads)> {
        let (writer, state, commands, applies) =
            Self::assemble(store, published, indexes.clone(), keepers);
        let tally = writer.tally.clone();
        let threads = WriterThreads {
            writer: std::thread::Builder::new()
                .name("writer".to_owned())
                .spawn(move || state.run(commands))?,
            applier: std::thread::Builder::new()
                .name("applier".to_owned())
                .spawn(move || {
                    for batch in applies {
                        indexes.apply(&batch.writes);
                        tally.applied();
                        batch.answer();
                    }
                })?,
        };
        Ok((writer, threads))
    }

    /// The parts of a writer, before anything runs.
    fn assemble(
        store: Store,
        published: Published,
        indexes: Arc<Indexes>,
        keepers: Keepers,
    ) -> (
        Self,
        Thread,
        mpsc::UnboundedReceiver<Decide>,
        Receiver<Batch>,
    ) {
        let (queue, commands) = mpsc::unbounded_channel();
        // Bounded, so that the writer cannot run away from the index.
        let (committed, applies) = std::sync::mpsc::sync_channel::<Batch>(2);
        let (size, audit_size) = watch::channel(published.head.size());
        let published = Arc::new(ArcSwap::from_pointee(published));
        let writer = Self {
            queue,
            published: published.clone(),
            audit_size,
            failed: Arc::default(),
            commits: Arc::default(),
            alerts: Arc::default(),
            room: Arc::default(),
            tally: Arc::default(),
            stall: store.stall(),
            reserve: store.reserve(),
            witnessed: keepers.notary.witnessed(),
        };
        let state = Thread {
            store,
            notary: keepers.notary,
            published,
            indexes,
            committed,
            size,
            end: keepers.ending,
            failed: writer.failed.clone(),
            commits: writer.commits.clone(),
            alerts: writer.alerts.clone(),
            room: writer.room.clone(),
            tally: writer.tally.clone(),
            ledger: parking_lot::Mutex::new(keepers.ledger),
        };
        (writer, state, commands, applies)
    }

    /// The state as of the last commit.
    pub fn published(&self) -> Arc<Published> {
        self.published.load_full()
    }

    /// Tells of the log's size, for those who wait for entries.
    pub fn audit_size(&self) -> watch::Receiver<u64> {
        self.audit_size.clone()
    }

    /// How many commands wait.
    pub fn queued(&self) -> u64 {
        self.room.taken() as u64
    }

    /// How many transactions were committed.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Audit entries since the start that deserve attention.
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// What was done since the start.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Queues a command and returns where its fate will be told. Once queued it is carried out, even
    /// if the caller is gone.
    ///
    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED` if its share of the queue is full, `UNREACHABLE` if the daemon is stopping.
    pub fn submit<R, F>(
        &self,
        fallback: AuditDraft,
        decide: F,
    ) -> Result<oneshot::Receiver<Fate<R>>, WireError>
    where
        R: Send + 'static,
        F: FnOnce(&Txn) -> Result<Plan<R>, Refusal> + Send + 'static,
    {
        self.check_disk()?;
        self.enqueue(fallback, decide, true)
    }

    fn enqueue<R, F>(
        &self,
        fallback: AuditDraft,
        decide: F,
        writes: bool,
    ) -> Result<oneshot::Receiver<Fate<R>>, WireError>
    where
        R: Send + 'static,
        F: FnOnce(&Txn) -> Result<Plan<R>, Refusal> + Send + 'static,
    {
        let share = Share::of(&self.published().directory, &fallback, writes);
        let place = self.room.take(share)?;
        let (command, receiver) = command(fallback, place, decide);
        self.queue.send(command).map_err(|_| stopping())?;
        Ok(receiver)
    }

    /// Queues a command and waits for its fate.
    ///
    /// # Errors
    ///
    /// What the decision or the commit said.
    pub async fn run<R, F>(&self, fallback: AuditDraft, decide: F) -> Fate<R>
    where
        R: Send + 'static,
        F: FnOnce(&Txn) -> Result<Plan<R>, Refusal> + Send + 'static,
    {
        self.check_room(&fallback).await?;
        self.fate(self.submit(fallback, decide)?).await
    }

    /// Queues many commands at once, all or none, and waits for all of their fates.
    ///
    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED` if the queue has no room for all of them.
    pub async fn run_many<R, F>(
        &self,
        commands: Vec<(AuditDraft, F)>,
    ) -> Result<Vec<Fate<R>>, WireError>
    where
        R: Send + 'static,
        F: FnOnce(&Txn) -> Result<Plan<R>, Refusal> + Send + 'static,
    {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        for (fallback, _) in &commands {
            self.check_room(fallback).await?;
        }
        let mut receivers = Vec::with_capacity(commands.len());
        // Waits for room: a batch that is refused as a whole would only be sent again.
        let message = "nothing was done: the store does not answer";
        let room = self.room.take_many(commands.len());
        let places = self.patient(message, room).await??;
        for (place, (fallback, decide)) in places.into_iter().zip(commands) {
            let (command, receiver) = command(fallback, place, decide);
            self.queue.send(command).map_err(|_| stopping())?;
            receivers.push(receiver);
        }
        let mut fates = Vec::with_capacity(receivers.len());
        for receiver in receivers {
            fates.push(self.fate(receiver).await);
        }
        Ok(fates)
    }

    /// Queues an audit entry of something that changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::submit`].
    pub fn observe(&self, draft: AuditDraft) -> Result<oneshot::Receiver<Fate<()>>, WireError> {
        let plan = draft.clone();
        let decide = move |_: &Txn| {
            Ok(Plan {
                writes: Vec::new(),
                audit: plan,
                reply: (),
            })
        };
        self.check_disk()?;
        self.enqueue(draft, decide, false)
    }

    /// Whether the disk has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Packs a decision and the way to answer it.
fn command<R, F>(
    fallback: AuditDraft,
    place: Place,
    decide: F,
) -> (Decide, oneshot::Receiver<Fate<R>>)
where
    R: Send + 'static,
    F: FnOnce(&Txn) -> Result<Plan<R>, Refusal> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let command: Decide = Box::new(move |txn| {
        drop(place);
        let decided = catch_unwind(AssertUnwindSafe(|| decide(txn)))
            .unwrap_or_else(|_| Err(panicked(&fallback)));
        match decided {
            Ok(plan) => Step {
                writes: plan.writes,
                audit: Some(plan.audit),
                broken: false,
                done: Box::new(move |fate| {
                    // A caller that left is no reason not to have done it.
                    let _ = sender.send(fate.map(|receipt| (plan.reply, receipt)));
                }),
            },
            Err(refusal) => {
                if let Some(cause) = &refusal.broken {
                    tracing::error!(error = %cause.0, "The store cannot be read.");
                }
                let waiting = refusal.with_approval.and_then(|wanting| wanting.waiting);
                let error = refusal.error;
                Step {
                    writes: waiting.into_iter().map(Write::PutApproval).collect(),
                    audit: Some(*refusal.audit),
                    broken: refusal.broken.is_some(),
                    done: Box::new(move |fate| {
                        let _ = sender.send(fate.and(Err(error)));
                    }),
                }
            }
        }
    });
    (command, receiver)
}

/// A committed batch on its way to the index.
#[derive(Default)]
struct Batch {
    writes: Vec<Write>,
    answers: Vec<(Done, AuditSeq)>,
    keys_destroyed: u64,
    /// When each of its entries was decided that deserves attention.
    alerts: Vec<UnixMillis>,
}

impl Batch {
    fn answer(self) {
        for (done, seq) in self.answers {
            done(Ok(Receipt {
                seq,
                keys_destroyed: self.keys_destroyed,
            }));
        }
    }
}

/// The writer's own state.
struct Thread {
    store: Store,
    notary: Notary,
    published: Arc<ArcSwap<Published>>,
    indexes: Arc<Indexes>,
    committed: std::sync::mpsc::SyncSender<Batch>,
    size: watch::Sender<u64>,
    end: Ending,
    failed: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
    alerts: Arc<Alerts>,
    room: Arc<Room>,
    tally: Arc<Tally>,
    ledger: parking_lot::Mutex<LedgerFile>,
}

impl Thread {
    fn run(mut self, mut commands: mpsc::UnboundedReceiver<Decide>) {
        let mut waiting = Vec::new();
        while commands.blocking_recv_many(&mut waiting, BATCH_COMMANDS_MAX) > 0 {
            let (count, start) = (waiting.len(), Instant::now());
            self.batch(waiting.drain(..));
            if self.failed.load(Ordering::Relaxed) {
                return;
            }
            self.room.learn(count, start.elapsed());
        }
        self.sign_last();
    }

    fn batch(&mut self, commands: impl Iterator<Item = Decide>) {
        let published = self.published.load_full();
        let mut head = published.head.clone();
        let mut txn = match self.store.begin(published.directory.clone()) {
            Ok(txn) => txn,
            // Their askers hear that the daemon is stopping.
            Err(error) => return self.give_up(Vec::new(), &error, Doubt::NothingDone),
        };
        let mut batch = Batch::default();
        let mut failure = None;
        let mut latest = None;
        for command in commands {
            let step = command(&txn);
            if failure.is_some() {
                batch.answers.push((step.done, AuditSeq(0)));
                continue;
            }
            let audit = step.audit.as_ref();
            latest = latest.max(audit.map(|it| it.time));
            let alert = audit.filter(|it| it.extensions.alert().is_some());
            batch.alerts.extend(alert.map(|it| it.time));
            match take_in(&mut txn, &mut head, step, &mut batch.writes, &self.tally) {
                Ok(answer) => batch.answers.push(answer),
                Err((done, error)) => {
                    batch.answers.push((done, AuditSeq(0)));
                    failure = Some(error);
                }
            }
        }
        if let Some(error) = failure {
            return self.give_up(batch.answers, &error, Doubt::NothingDone);
        }
        if let Some(latest) = latest {
            txn.set_clock(latest);
        }
        let note = self.notary.due(&head, txn.directory());
        let signed = note
            .as_ref()
            .map_or(Ok(()), |note| txn.put_checkpoint(head.size(), note));
        let committed = signed
            .and_then(|()| txn.set_audit_head(&head.to_bytes()))
            .and_then(|()| txn.commit());
        match committed {
            Ok(committed) => {
                if let Some(note) = note {
                    self.notary.stored(head.size(), note);
                }
                self.publish(committed, head, batch);
            }
            Err(error) => self.give_up(batch.answers, &error, Doubt::MayBeDone),
        }
    }

    fn publish(&self, committed: crate::store::Committed, head: Head, mut batch: Batch) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.alerts.note(&batch.alerts);
        if !committed.doomed.is_empty() {
            // What is to be erased leaves the index before its keys are destroyed, so that no search
            // meets a record it cannot open.
            self.indexes.forget(&batch.writes);
            let done = self.store.shred(&committed.doomed);
            // An erasure is not answered before the ledger outside the data folder has it.
            let done = done.and_then(|()| self.note_ledger());
            if let Err(error) = done {
                return self.give_up(batch.answers, &error, Doubt::MayBeDone);
            }
            batch.keys_destroyed = committed.doomed.len() as u64;
            self.store.reserve().ease();
        }
        let size = head.size();
        self.published.store(Arc::new(Published {
            directory: committed.directory,
            head,
        }));
        let _ = self.size.send(size);
        // The applier lives as long as this thread; were it gone, nobody would wait for an answer.
        if let Err(unsent) = self.committed.send(batch) {
            unsent.0.answer();
        }
    }
}

/// Puts one decided command into the transaction. A command whose writes cannot be taken is answered
/// and audited as failed; only a broken transaction is an error.
fn take_in(
    txn: &mut Txn,
    head: &mut Head,
    step: Step,
    writes: &mut Vec<Write>,
    tally: &Tally,
) -> Result<(Done, AuditSeq), (Done, StoreError)> {
    let Step {
        writes: own,
        mut audit,
        mut done,
        broken,
    } = step;
    if broken {
        return Err((done, StoreError::Broken));
    }
    let first = writes.len();
    if !own.is_empty()
        && let Err(error) = txn.apply(&own)
    {
        if !error.is_refusal() {
            return Err((done, error));
        }
        let refused = WireError::new(ErrorCode::InvalidArgument, "the store does not take this")
            .reason(error.to_string());
        if let Some(audit) = &mut audit {
            audit.outcome = Outcome::Error(refused.code);
            audit.count = 0;
        }
        let answer = done;
        done = Box::new(move |fate| answer(fate.and(Err(refused))));
    } else {
        writes.extend(own);
    }
    let Some(audit) = audit else {
        return Ok((done, AuditSeq(head.size())));
    };
    tally.did(&audit);
    let (entry, bytes) = head.append(audit);
    match txn.append_audit(entry.seq, &bytes) {
        Ok(()) => {
            txn.note_erased(entry.seq, entry.draft.time, &writes[first..]);
            Ok((done, entry.seq))
        }
        Err(error) => Err((done, error)),
    }
}

/// An error with its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
