//! Backups: taken beside the writer from one snapshot, encrypted, and read by the client in chunks.

pub mod format;

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::SigningKey;
use manushya_core::audit::{Head, VerifierKey};
use manushya_core::command::Context;
use manushya_core::decide;
use manushya_core::decide::access::draft;
use manushya_core::decide::tenant::DEFAULT_TENANT;
use manushya_core::model::{Action, Backup, ErasureKey, ErasureRecord, Resource};
use manushya_core::plan::Write as Change;
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::BackupId;
use manushya_protocol::unit::AuditSeq;
use manushya_protocol::v1::backup::{
    BackupChunk, BackupCreate, BackupRef, BackupStarted, BackupView,
};
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::system::JobStatus;
use parking_lot::Mutex;

use super::receipt::origin;
use super::writer::chain;
use super::{Service, unreadable};
use crate::store::{Record, Snapshot, StoreError};
use crate::vault::{AgeWriter, SystemKeys, check_recipients};
use format::{Counts, FrameWriter, Manifest};

/// How many backups are taken at once.
const JOBS_MAX: usize = 2;
/// How many bytes one reply carries, before base64.
const CHUNK_BYTES: usize = 512 << 10;
/// How many chunks wait for a client, and how long.
const CHUNKS_WAITING: usize = 8;
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a call waits for the next bytes.
const WAIT: Duration = Duration::from_secs(20);

/// The backups that are being taken.
#[derive(Default)]
pub struct Jobs(Mutex<HashMap<BackupId, Arc<Job>>>);

impl Jobs {
    /// Those that are being taken, as jobs.
    pub fn running(&self) -> Vec<JobStatus> {
        let jobs = self.0.lock();
        let mut shown: Vec<JobStatus> = jobs
            .values()
            .map(|job| JobStatus {
                name: "backup".to_owned(),
                state: "running".to_owned(),
                done: job.bytes.load(Ordering::Relaxed),
                last_at: Some(job.record.created_at),
                note: Some(job.record.id.to_string()),
                ..JobStatus::default()
            })
            .collect();
        shown.sort_by(|a, b| a.note.cmp(&b.note));
        shown
    }
}

struct Job {
    chunks: Mutex<Receiver<Result<Vec<u8>, String>>>,
    records: Arc<AtomicU64>,
    bytes: AtomicU64,
    record: Backup,
}

/// Hands what is written to it to the client, a chunk at a time. A client that does not read for too
/// long ends the backup.
struct Pipe {
    sender: SyncSender<Result<Vec<u8>, String>>,
    buffer: Vec<u8>,
}

impl Pipe {
    fn send(&mut self) -> io::Result<()> {
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads the backup");
        let full = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK_BYTES));
        let mut chunk = Ok(full);
        let started = Instant::now();
        loop {
            match self.sender.try_send(chunk) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(gone()),
                Err(TrySendError::Full(_)) if started.elapsed() > PATIENCE => return Err(gone()),
                Err(TrySendError::Full(unsent)) => chunk = unsent,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == CHUNK_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a backup could not be taken.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
    #[error("the backup cannot be written")]
    Io(#[from] io::Error),
    #[error("the keys cannot be used")]
    Vault(#[from] crate::vault::VaultError),
    #[error("the audit log's head cannot be signed")]
    Head,
}

fn view(backup: &Backup) -> BackupView {
    BackupView {
        id: backup.id,
        created_at: backup.created_at,
        keep_until: backup.keep_until,
        recipients: backup.recipients.clone(),
        audit_size: backup.audit_size,
        records: backup.records,
        bytes: backup.bytes,
    }
}

impl Service {
    /// Starts a backup: notes it in the list of backups first, so that no receipt forgets it.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said; `RESOURCE_EXHAUSTED` if two are being taken.
    pub async fn backup_create(
        self: Arc<Self>,
        context: Context,
        request: BackupCreate,
    ) -> Result<BackupStarted, WireError> {
        let recipients = match request.recipients.is_empty() {
            true => self.vault.own_recipients(),
            false => request.recipients,
        };
        check_recipients(&recipients).map_err(|error| {
            WireError::new(ErrorCode::InvalidArgument, "a recipient is not valid")
                .reason(error.to_string())
                .hint("write it as age does: --recipient age1...")
        })?;
        let id = self.new_backup_id();
        let now = context.now;
        let dry_run = context.dry_run;
        let fallback = draft(&context, Action::Export, Resource::System);
        let named = recipients.clone();
        let by = context.clone();
        let record = self
            .change(fallback, move |txn| {
                let mut access = decide::tenant::require_operator(txn, &by, Action::Export)?;
                access.audit.resource_id = Some(id.to_bytes());
                let home = txn.directory().tenant_by_name(DEFAULT_TENANT);
                let record = Backup {
                    id,
                    tenant: home.map_or(by.actor.identity.tenant, |tenant| tenant.id),
                    created_at: now,
                    keep_until: request.keep_seconds.map(|keep| now.plus_seconds(keep)),
                    recipients: named,
                    audit_size: txn.audit_len(),
                    records: 0,
                    bytes: 0,
                };
                let write = Change::PutErasure(Arc::new(ErasureRecord::Backup(record.clone())));
                Ok(access.plan(vec![write], 1, record))
            })
            .await?;
        // The keys and the state of one moment, or a log would be restored without the key it names.
        let alone = self.handing_over.lock().await;
        let snapshot = self.store.snapshot().map_err(|error| unreadable(&error))?;
        let keys = (self.vault.system_keys(), self.log_signer()?.key);
        drop(alone);
        let expected = expected(&snapshot).map_err(|error| unreadable(&error))?;
        if !dry_run {
            self.start_backup(record, snapshot, keys)?;
        }
        Ok(BackupStarted {
            id,
            recipients,
            records: expected,
        })
    }

    fn start_backup(
        self: &Arc<Self>,
        record: Backup,
        snapshot: Snapshot,
        keys: (SystemKeys, SigningKey),
    ) -> Result<(), WireError> {
        let (sender, receiver) = sync_channel(CHUNKS_WAITING);
        let records = Arc::new(AtomicU64::new(0));
        let id = record.id;
        let job = Arc::new(Job {
            chunks: Mutex::new(receiver),
            records: records.clone(),
            bytes: AtomicU64::new(0),
            record: record.clone(),
        });
        {
            let mut jobs = self.backups.0.lock();
            if jobs.len() >= JOBS_MAX {
                return Err(WireError::new(
                    ErrorCode::ResourceExhausted,
                    "backups are being taken already",
                )
                .reason(format!("{JOBS_MAX} at once are the most"))
                .hint("wait for one of them"));
            }
            jobs.insert(id, job);
        }
        let service = self.clone();
        let spawned = std::thread::Builder::new()
            .name("backup".to_owned())
            .spawn(move || {
                let failed = sender.clone();
                if let Err(error) =
                    service.write_backup(&record, (&snapshot, keys), sender, &records)
                {
                    tracing::warn!(error = %chain(&error), "A backup was not finished.");
                    let _ = failed.try_send(Err(chain(&error)));
                    // Without a reader nobody takes the job away.
                    std::thread::sleep(Duration::from_secs(1));
                    service.backups.0.lock().remove(&record.id);
                }
            });
        spawned.map(drop).map_err(|error| {
            self.backups.0.lock().remove(&id);
            WireError::new(ErrorCode::Internal, "the backup cannot be started")
                .reason(error.to_string())
        })
    }

    fn write_backup(
        &self,
        record: &Backup,
        (snapshot, (system, key)): (&Snapshot, (SystemKeys, SigningKey)),
        sender: SyncSender<Result<Vec<u8>, String>>,
        progress: &AtomicU64,
    ) -> Result<(), Failure> {
        let pipe = Pipe {
            sender,
            buffer: Vec::with_capacity(CHUNK_BYTES),
        };
        let age = AgeWriter::new(&record.recipients, pipe)?;
        // Small frames are gathered before they are encrypted.
        let out = io::BufWriter::with_capacity(64 << 10, age);
        let mut writer = FrameWriter::new(out)?;
        let head = snapshot.audit_head()?.ok_or(Failure::Head)?;
        let read = Head::from_bytes(&head).map_err(|_| Failure::Head)?;
        let origin = origin().map_err(|_| Failure::Head)?;
        writer.manifest(&Manifest {
            id: record.id,
            home: HEXLOWER.encode(&self.home_id),
            created_at: record.created_at,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            schema: crate::store::SCHEMA,
            checkpoint: read.checkpoint(origin.clone()).sign(&key),
            public_key: VerifierKey::new(origin, key.verifying_key()).to_string(),
        })?;
        writer.keys(&system.to_bytes())?;
        writer.head(&head)?;
        snapshot.records(|record: Record| -> Result<(), Failure> {
            progress.fetch_add(1, Ordering::Relaxed);
            Ok(writer.record(&record)?)
        })?;
        let mut from = AuditSeq(1);
        loop {
            let entries = snapshot.audit(from, 1 << 20, 16_384)?;
            let Some((last, _)) = entries.last() else {
                break;
            };
            from = AuditSeq(last.0 + 1);
            progress.fetch_add(entries.len() as u64, Ordering::Relaxed);
            for (_, entry) in &entries {
                writer.audit(entry)?;
            }
        }
        let mut from = 1;
        loop {
            let rows = snapshot.erased(from, 16_384)?;
            let Some(last) = rows.last() else { break };
            from = last.seq + 1;
            for row in &rows {
                writer.erased(row)?;
            }
        }
        let age = writer
            .finish(&key)?
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let mut pipe = age.finish()?;
        pipe.send()?;
        // An empty chunk is the end.
        pipe.send()?;
        Ok(())
    }

    /// The next bytes of a backup. Each byte is given once.
    ///
    /// # Errors
    ///
    /// What the deciding said; `NOT_FOUND` if no such backup is being taken.
    pub async fn backup_read(
        self: Arc<Self>,
        context: Context,
        request: BackupRef,
    ) -> Result<BackupChunk, WireError> {
        {
            let view = self.view()?;
            let asked = decide::tenant::require_operator(&view, &context, Action::Export);
            if let Err(refusal) = asked.map(drop) {
                self.audit_durably(*refusal.audit).await?;
                return Err(refusal.error);
            }
        }
        let job = self.backups.0.lock().get(&request.id).cloned();
        let job = job.ok_or_else(|| {
            WireError::new(
                ErrorCode::NotFound,
                format!("no backup {} is being taken", request.id),
            )
            .reason("it was given up, or read to its end")
            .hint("manushyactl backup create FILE")
        })?;
        let reader = job.clone();
        let read = tokio::task::spawn_blocking(move || reader.chunks.lock().recv_timeout(WAIT));
        let chunk = match read.await {
            Ok(Ok(Ok(chunk))) => chunk,
            Ok(Err(RecvTimeoutError::Timeout)) => {
                return Ok(BackupChunk {
                    data: String::new(),
                    records: job.records.load(Ordering::Relaxed),
                    done: false,
                });
            }
            Ok(Ok(Err(reason))) => {
                self.backups.0.lock().remove(&request.id);
                return Err(
                    WireError::new(ErrorCode::Internal, "the backup could not be taken")
                        .reason(reason),
                );
            }
            Ok(Err(RecvTimeoutError::Disconnected)) | Err(_) => {
                self.backups.0.lock().remove(&request.id);
                return Err(
                    WireError::new(ErrorCode::Internal, "the backup ended early")
                        .hint("look at the daemon's log"),
                );
            }
        };
        let done = chunk.is_empty();
        let so_far = chunk.len() as u64;
        let bytes = job.bytes.fetch_add(so_far, Ordering::Relaxed) + so_far;
        let records = job.records.load(Ordering::Relaxed);
        if done {
            self.backups.0.lock().remove(&request.id);
            self.note_backup(context, &job.record, records, bytes)
                .await?;
        }
        Ok(BackupChunk {
            data: BASE64.encode(&chunk),
            records,
            done,
        })
    }

    /// Notes that a backup is complete.
    async fn note_backup(
        &self,
        context: Context,
        record: &Backup,
        records: u64,
        bytes: u64,
    ) -> Result<(), WireError> {
        let complete = Backup {
            records,
            bytes,
            ..record.clone()
        };
        let fallback = draft(&context, Action::Export, Resource::System);
        self.change(fallback, move |txn| {
            let mut access = decide::tenant::require_operator(txn, &context, Action::Export)?;
            access.audit.resource_id = Some(complete.id.to_bytes());
            let write = Change::PutErasure(Arc::new(ErasureRecord::Backup(complete)));
            Ok(access.plan(vec![write], records, ()))
        })
        .await
    }

    /// Lists the backups that may still exist, oldest first.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn backup_list(&self, context: Context) -> Result<Listed<BackupView>, WireError> {
        self.read(&context, |view_of, context| {
            let access = decide::tenant::require_operator(view_of, context, Action::Read)?;
            let directory = view_of.directory();
            let home = directory.tenant_by_name(DEFAULT_TENANT);
            let items: Vec<BackupView> = home
                .map(|tenant| directory.erasures().backups(tenant.id).map(view).collect())
                .unwrap_or_default();
            let total = items.len() as u64;
            let listed = Listed {
                items,
                next: None,
                total,
            };
            Ok(access.plan(Vec::new(), total, listed))
        })
        .await
    }

    /// Takes a backup off the list: its owner says that it was destroyed.
    ///
    /// # Errors
    ///
    /// What the deciding said; `NOT_FOUND`.
    pub async fn backup_forget(
        &self,
        context: Context,
        request: BackupRef,
    ) -> Result<Done, WireError> {
        let fallback = draft(&context, Action::Manage, Resource::System);
        let id = request.id;
        self.change(fallback, move |txn| {
            let mut access = decide::tenant::require_operator(txn, &context, Action::Manage)?;
            let home = txn.directory().tenant_by_name(DEFAULT_TENANT);
            let tenant = home.map_or(context.actor.identity.tenant, |tenant| tenant.id);
            if txn.directory().erasures().backup(tenant, id).is_none() {
                return Err(access.missing("backup", &id.to_string(), "manushyactl backup list"));
            }
            access.audit.resource_id = Some(id.to_bytes());
            let write = Change::DropErasure(tenant, ErasureKey::Backup(id));
            Ok(access.plan(vec![write], 1, ()))
        })
        .await?;
        Ok(Done {
            id: id.to_string(),
            outcome: "forgotten".to_owned(),
        })
    }

    fn new_backup_id(&self) -> BackupId {
        let mut entropy = [0; 10];
        self.ports.entropy.fill(&mut entropy);
        BackupId::from_parts(self.ports.clock.now(), entropy)
    }
}

/// About how many records a backup of this snapshot has.
fn expected(snapshot: &Snapshot) -> Result<u64, StoreError> {
    let memories = snapshot.memory_count()? + snapshot.version_count()?;
    let counts = Counts {
        directory: 0,
        memories,
        audit: snapshot.audit_len()?,
        erased: 0,
    };
    Ok(counts.total())
}
