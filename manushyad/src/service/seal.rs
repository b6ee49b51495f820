//! Sealing: every key leaves memory, and nothing is served until somebody brings them back.
//!
//! A sealed daemon holds the home's lock and the socket, and nothing of the product: no key, no
//! store, no index. A file in the data folder says that it is sealed, so that a restart does not open
//! it again by itself.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use manushya_core::command::Context;
use manushya_core::decide;
use manushya_core::decide::access::draft;
use manushya_core::model::{
    Action, AlertKind, AuditActor, AuditDraft, Decision, Extensions, Outcome, Resource,
};
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::RequestId;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::common::Done;
use manushya_protocol::v1::seal::Unseal;
use manushya_protocol::v1::system::Status;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};

use super::writer::chain;
use super::{Caller, Credential, Service};
use crate::auth::PeerCred;
use crate::os::OsEntropy;
use crate::port::{Clock, Entropy};
use crate::vault::{Unlock, replace_file};

/// The file that says that a home is sealed.
const MARK: &str = "sealed";
/// How many failed tries to unseal are remembered for the log.
const FAILURES_MAX: usize = 1024;

/// Whether the home with this data folder is sealed, as it is where that cannot be told.
pub fn is_sealed(data: &Path) -> bool {
    data.join(MARK).try_exists().unwrap_or(true)
}

fn done(outcome: &str) -> Done {
    Done {
        id: "daemon".to_owned(),
        outcome: outcome.to_owned(),
    }
}

/// Seals a daemon that serves: once thrown it does not go back.
#[derive(Default)]
pub struct SealSwitch {
    thrown: AtomicBool,
    told: Notify,
}

impl SealSwitch {
    fn throw(&self) {
        self.thrown.store(true, Ordering::SeqCst);
        self.told.notify_one();
    }

    /// Whether it was thrown: nothing is served any more, though keys may still be in memory for a
    /// moment.
    pub fn is_thrown(&self) -> bool {
        self.thrown.load(Ordering::SeqCst)
    }

    /// Waits until it is thrown.
    pub async fn thrown(&self) {
        self.told.notified().await;
    }
}

/// What everything but unsealing is answered with.
pub fn refusal() -> WireError {
    WireError::new(ErrorCode::VaultLocked, "the daemon is sealed")
        .reason("its keys are not in memory, so nothing can be read, written or verified")
        .hint("the operator of the host opens it again: manushyactl unseal")
}

/// A try to unseal, for whoever can open the home.
pub struct Unsealing {
    /// What to open the keys with; by default what the configuration names.
    pub unlock: Option<Unlock>,
    /// Who tries.
    pub peer: PeerCred,
    /// Takes what became of it.
    pub reply: oneshot::Sender<Result<(), WireError>>,
}

/// A try that failed: when, and whose.
#[derive(Clone, Copy)]
struct Failure(UnixMillis, u32);

/// What is left of the daemon while it is sealed.
pub struct Sealed {
    /// Connections open.
    pub connections: AtomicU64,
    /// Told when the daemon shall stop.
    pub stop: Arc<Notify>,
    clock: Arc<dyn Clock>,
    since: UnixMillis,
    home: String,
    operator_uids: Vec<u32>,
    asks: mpsc::Sender<Unsealing>,
    failures: Mutex<Vec<Failure>>,
}

impl Sealed {
    /// A sealed home with this data folder. Those who try to unseal it are sent to `asks`.
    pub fn new(
        data: &Path,
        operator_uids: Vec<u32>,
        clock: Arc<dyn Clock>,
        asks: mpsc::Sender<Unsealing>,
    ) -> Self {
        Self {
            connections: AtomicU64::new(0),
            stop: Arc::default(),
            since: clock.now(),
            clock,
            home: data.display().to_string(),
            operator_uids,
            asks,
            failures: Mutex::default(),
        }
    }

    /// A fresh id.
    pub fn new_request_id(&self) -> RequestId {
        let mut entropy = [0; 10];
        OsEntropy.fill(&mut entropy);
        RequestId::from_parts(self.clock.now(), entropy)
    }

    /// Whether a user is the operator of this host. Tokens say nothing now: no key verifies them.
    pub fn is_operator(&self, uid: u32) -> bool {
        self.operator_uids.contains(&uid)
    }

    /// Says that it is sealed.
    pub fn status(&self, uid: u32) -> Status {
        let seconds = self.clock.now().0.saturating_sub(self.since.0) / 1000;
        let operator = self.is_operator(uid);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: "sealed".to_owned(),
            uptime_seconds: seconds.unsigned_abs(),
            pid: operator.then(std::process::id),
            home: operator.then(|| self.home.clone()),
            host: None,
        }
    }

    fn require_operator(&self, uid: u32) -> Result<(), WireError> {
        if self.is_operator(uid) {
            return Ok(());
        }
        self.note_failure(uid);
        Err(WireError::new(
            ErrorCode::Unauthenticated,
            format!("user {uid} is nobody here while the daemon is sealed"),
        )
        .reason("no token can be verified, so only the operator of the host is known")
        .hint("ask whoever runs the daemon"))
    }

    /// Stops the daemon. It is sealed again when it comes back.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED` for anybody but the operator.
    pub fn shutdown(&self, uid: u32, dry_run: bool) -> Result<Done, WireError> {
        self.require_operator(uid)?;
        if !dry_run {
            self.stop.notify_one();
        }
        Ok(Done {
            id: std::process::id().to_string(),
            outcome: "stopping".to_owned(),
        })
    }

    /// Opens the home again.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED` for anybody but the operator, `VAULT_LOCKED` if the passphrase is wrong or
    /// missing, and all that a start can fail with; then it stays sealed.
    pub async fn unseal(
        &self,
        peer: PeerCred,
        request: Unseal,
        dry_run: bool,
    ) -> Result<Done, WireError> {
        self.require_operator(peer.uid)?;
        if dry_run {
            return Ok(done("sealed"));
        }
        let unlock = match request.passphrase {
            None => None,
            Some(passphrase) if passphrase.is_empty() => {
                return Err(
                    WireError::new(ErrorCode::InvalidArgument, "the passphrase is empty")
                        .reason("the first line of the file is")
                        .hint("manushyactl unseal --passphrase-file FILE"),
                );
            }
            Some(passphrase) => Some(Unlock::Passphrase(passphrase.into_secret())),
        };
        let stopping = || WireError::new(ErrorCode::Unreachable, "the daemon is stopping");
        let (reply, answer) = oneshot::channel();
        let ask = Unsealing {
            unlock,
            peer,
            reply,
        };
        self.asks.send(ask).await.map_err(|_| stopping())?;
        let opened = answer.await.map_err(|_| stopping())?;
        if let Err(error) = opened {
            self.note_failure(peer.uid);
            tracing::warn!(peer_uid = peer.uid, code = %error.code, "Unsealing failed.");
            return Err(error);
        }
        Ok(done("unsealed"))
    }

    fn note_failure(&self, uid: u32) {
        let mut failures = self.failures.lock();
        if failures.len() < FAILURES_MAX {
            failures.push(Failure(self.clock.now(), uid));
        }
    }
}

impl Service {
    /// Writes that the daemon is to be sealed, and has it done.
    ///
    /// # Errors
    ///
    /// What the deciding said, or `INTERNAL` if the mark that outlives a restart cannot be written;
    /// then it is not sealed.
    pub async fn seal(&self, context: Context) -> Result<Done, WireError> {
        let dry_run = context.dry_run;
        let fallback = draft(&context, Action::Manage, Resource::System);
        self.change(fallback, move |txn| {
            let mut access = decide::tenant::require_operator(txn, &context, Action::Manage)?;
            access.audit.decision = Decision::Allow;
            if !dry_run {
                access.audit.extensions.set_alert(AlertKind::Sealed);
            }
            Ok(access.plan(Vec::new(), 1, ()))
        })
        .await?;
        if dry_run {
            return Ok(done("serving"));
        }
        replace_file(&self.config.home.data, MARK, b"manushyactl unseal\n").map_err(|error| {
            WireError::new(ErrorCode::Internal, "the daemon cannot be sealed")
                .reason(chain(&error))
                .hint("make room on the disk, or stop the daemon: manushyactl down")
        })?;
        tracing::warn!("Sealing.");
        self.sealing.throw();
        Ok(done("sealed"))
    }

    /// Answers whoever unseals a daemon that is not sealed.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn unseal(&self, context: Context) -> Result<Done, WireError> {
        self.read(&context, |view, context| {
            let access = decide::tenant::require_operator(view, context, Action::Manage)?;
            Ok(access.plan(Vec::new(), 0, done("not sealed")))
        })
        .await
    }

    /// Writes down who opened the home after it was sealed and who failed to, and takes the mark
    /// away.
    ///
    /// # Errors
    ///
    /// What the writer said; then the home counts as sealed.
    pub async fn note_unsealed(&self, sealed: &Sealed, peer: PeerCred) -> Result<(), WireError> {
        let failures = std::mem::take(&mut *sealed.failures.lock());
        let attempt = |time, uid, decision| AuditDraft {
            time,
            tenant: None,
            actor: AuditActor::Anonymous,
            peer_uid: Some(uid),
            token: None,
            action: Action::Manage,
            resource: Resource::System,
            resource_id: None,
            decision,
            policy: None,
            request_id: self.new_request_id(),
            outcome: Outcome::Error(ErrorCode::VaultLocked),
            count: 0,
            extensions: Extensions::default(),
        };
        for Failure(time, uid) in failures {
            let draft = attempt(time, uid, Decision::Deny);
            drop(self.writer.observe(draft)?);
        }
        let caller = Caller {
            process: None,
            peer,
            credential: Credential::Peer,
            transport: "unix",
        };
        let context = self.resolve_quietly(&caller, self.new_request_id())?;
        let mut entry = draft(&context, Action::Manage, Resource::System);
        entry.decision = Decision::Allow;
        entry.outcome = Outcome::Ok;
        entry.count = 1;
        entry.extensions.set_alert(AlertKind::Unsealed);
        self.audit_durably(entry).await?;
        let mark = self.config.home.data.join(MARK);
        if let Err(error) = fs::remove_file(&mark) {
            tracing::error!(%error, "The mark of a sealed home stays; a restart is sealed again.");
        }
        Ok(())
    }
}
