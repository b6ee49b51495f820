//! Restoring a backup into an empty home, and proving that one restores: without a daemon, from the
//! file and an age identity alone.

mod aside;
mod load;
mod means;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use manushya_core::audit::Keys;
use manushya_core::model::{
    Action, AuditActor, AuditDraft, Decision, Extensions, Identity, Outcome, Resource,
};
use manushya_core::plan::Write;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::home::Home;
use manushya_protocol::id::RequestId;
use serde::Serialize;

use super::boot::{failed, lock_home, private_folder, unlock};
use crate::config::{Config, RunOptions};
use crate::embed::HashEmbedder;
use crate::os::{Left, OsEntropy, SystemClock};
use crate::port::{AnyEmbedder, Ports};
use crate::service::audit;
use crate::service::ledger;
use crate::service::writer::{Published, chain};
use crate::store::{Store, StoreError};
use crate::vault::{Unlock, Vault};
use aside::set_aside;
use load::{Loaded, Source, digest, load};
use means::{Means, means};

/// What is to be verified or restored.
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions {
    /// The home, as for running the daemon.
    pub run: RunOptions,
    /// The backup.
    pub file: PathBuf,
    /// The age identity that opens it; by default the home's own.
    pub identity: Option<PathBuf>,
    /// The home the backup was taken of, if that is at hand: its identity opens the backup, its
    /// audit key must have signed it, and its erasure ledger is applied.
    pub from_home: Option<PathBuf>,
    /// Another home to restore into.
    pub into: Option<PathBuf>,
    /// The public audit key that must have signed it; by default the home's own, if it has one.
    pub key: Option<String>,
    /// Further copies of the erasure ledger.
    pub ledgers: Vec<PathBuf>,
    /// Leave access tokens as they are: those revoked since the backup are good again.
    pub keep_tokens: bool,
}

/// What was verified or restored.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreReport {
    /// Id of the backup.
    pub backup: String,
    /// When it was taken.
    pub created_at: String,
    /// Id of the home it is of.
    pub home: String,
    /// The release that took it.
    pub release: String,
    /// Rows of the directory.
    pub directory: u64,
    /// Versions of memories.
    pub memories: u64,
    /// Audit entries; all verify against the signed head.
    pub audit: u64,
    /// Rows of the erasure ledger in it.
    pub erased: u64,
    /// Erasure ledgers of the home that were at hand. Without one, what was erased since the backup
    /// is back.
    pub ledgers: u64,
    /// Erasures made since, that were done again.
    pub erased_again: u64,
    /// The key that signed it.
    pub signed_by: String,
    /// Whether that key was known beforehand.
    pub key_was_known: bool,
    /// The folder it was restored to; none if it was only verified.
    pub restored_to: Option<String>,
    /// Up to how many entries the log was anchored that this home had before.
    pub audit_before: Option<u64>,
    /// Where that log's anchor and what clients remembered of it were moved to.
    pub set_aside: Vec<String>,
}

fn refused(message: &str, reason: impl Into<String>) -> WireError {
    WireError::new(ErrorCode::Integrity, message)
        .reason(reason)
        .hint("use another backup, and keep this one as evidence")
}

fn unsound(error: &io::Error) -> WireError {
    if crate::vault::is_for_others(error) {
        return WireError::new(ErrorCode::Integrity, "this key does not open the backup")
            .reason("the backup is encrypted to others")
            .hint("give the key it is for: --identity FILE, such as the recovery key of its home");
    }
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => refused(
            "the backup is altered, cut, or not for this key",
            chain(error),
        ),
        _ => failed("the backup cannot be read", error),
    }
}

fn broken(error: StoreError) -> WireError {
    WireError::new(error.code(), "the backup does not restore").reason(chain(&error))
}

fn report(loaded: &Loaded, known: bool) -> RestoreReport {
    RestoreReport {
        backup: loaded.manifest.id.to_string(),
        created_at: loaded.manifest.created_at.to_string(),
        home: loaded.manifest.home.clone(),
        release: loaded.manifest.release.clone(),
        directory: loaded.counts.directory,
        memories: loaded.counts.memories,
        audit: loaded.counts.audit,
        erased: loaded.counts.erased,
        ledgers: 0,
        erased_again: 0,
        signed_by: loaded.signed_by.clone(),
        key_was_known: known,
        restored_to: None,
        audit_before: None,
        set_aside: Vec::new(),
    }
}

/// A folder that goes with this value.
struct Draft(PathBuf);

impl Draft {
    fn new(path: PathBuf) -> Result<Self, WireError> {
        let unusable = |error: io::Error| failed("no folder to work in can be made", &error);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(unusable)?;
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&path).map_err(unusable)?;
        Ok(Self(path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Proves that a backup restores: into a scratch folder, sealed under keys that are thrown away,
/// compared record by record, with every table checked and the audit log verified. The home is read
/// for its identity and its public key, and not changed; a daemon may run on it.
///
/// # Errors
///
/// `INTEGRITY` if it does not restore, is of another home, or is not for the key.
pub fn verify(
    options: &RestoreOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<RestoreReport, WireError> {
    let config = Config::resolve(&options.run)?;
    let Means {
        identity, known, ..
    } = means(options, &config)?;
    private_folder(&config.home.state)?;
    let name = format!("backup-verify.{}", std::process::id());
    let draft = Draft::new(config.home.state.join(name))?;
    let mut source = Source::open(&options.file, &identity)?;
    let loaded = load(&mut source, &draft.0, Unlock::Host, &known, progress)?;
    let mut expected = loaded.digests.iter();
    let snapshot = loaded.store.snapshot().map_err(broken)?;
    snapshot
        .records(|record| -> Result<(), StoreError> {
            if expected.next() == Some(&digest(&record)) {
                return Ok(());
            }
            Err(StoreError::Corrupted {
                what: "a record is not the one in the backup".to_owned(),
            })
        })
        .map_err(broken)?;
    if expected.next().is_some() {
        return Err(refused(
            "the backup does not restore",
            "a record is missing",
        ));
    }
    let checked = loaded.store.verify().map_err(broken)?;
    if !checked.is_good() {
        let first = checked.findings.first().cloned().unwrap_or_default();
        return Err(refused("the backup does not restore", first));
    }
    Ok(report(&loaded, !known.is_empty()))
}

/// Restores a backup into an empty home, does every erasure again that was made since, and ends all
/// access tokens unless they are to be kept.
///
/// # Errors
///
/// `CONFLICT` if the home is not empty, and as [`verify`].
pub fn restore(
    options: &RestoreOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<RestoreReport, WireError> {
    let config = Config::resolve(&options.run)?;
    let target = target(options, &config);
    check_empty(&target, options)?;
    let Means {
        identity,
        known,
        ledger: old,
    } = means(options, &config)?;
    for folder in [&target.data, &target.state] {
        private_folder(folder)?;
    }
    let _lock = lock_home(&target)?;
    check_empty(&target, options)?;
    let draft = Draft::new(target.data.join("restoring"))?;
    let keys = target.data.join("keys");
    let kept = keys.join("identity.age-key");
    let opening = match kept.exists() {
        true => {
            make_private(&draft.0.join("keys"))?;
            fs::copy(&kept, draft.0.join("keys/identity.age-key"))
                .map_err(|error| failed("the identity cannot be kept", &error))?;
            unlock(&config)?
        }
        // A new home has a passphrase if one is given.
        false => unlock(&config)?,
    };
    let mut source = Source::open(&options.file, &identity)?;
    let loaded = load(&mut source, &draft.0, opening, &known, progress)?;
    let mut report = report(&loaded, !known.is_empty());
    let ledger = match &options.into {
        None => config.erasure_ledger.clone(),
        Some(_) => target.state.join("erasures.ledger"),
    };
    let mut copies: Vec<PathBuf> = old.into_iter().collect();
    if options.into.is_some() {
        // The home that the command runs in may know of erasures too.
        copies.push(config.erasure_ledger.clone());
    }
    let settled = settle(loaded, options, &draft.0, &ledger, &copies)?;
    report.ledgers = settled.ledgers;
    report.erased_again = settled.erased_again;
    put_in_place(&draft.0, &target.data)
        .map_err(|error| failed("the restored files cannot be put in place", &error))?;
    report.restored_to = Some(target.data.display().to_string());
    let anchor = match &options.into {
        None => config.anchor.file.clone(),
        Some(_) => Some(target.audit_anchor()),
    };
    let aside = set_aside(&target, anchor.as_deref(), &settled.keys, &report.backup).map_err(|error| {
        failed("it is restored, but what was known of the audit log before cannot be moved away", &error)
            .hint("move the anchor file (audit.anchor_file) away yourself; doctor and clients take it for a rollback until then")
    })?;
    report.audit_before = aside.anchored;
    report.set_aside = aside
        .files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    Ok(report)
}

fn make_private(folder: &Path) -> Result<(), WireError> {
    let mut builder = fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| failed("a folder cannot be made", &error))
}

/// The home that is restored into.
fn target(options: &RestoreOptions, config: &Config) -> Home {
    options
        .into
        .as_deref()
        .map_or_else(|| config.home.clone(), Home::under)
}

/// Does what a restore would do short of changing anything: looks whether the target is empty, and
/// proves that the backup restores.
///
/// # Errors
///
/// As [`restore`].
pub fn rehearse(
    options: &RestoreOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<RestoreReport, WireError> {
    let config = Config::resolve(&options.run)?;
    check_empty(&target(options, &config), options)?;
    verify(options, progress)
}

/// Refuses a home that holds anything a restore would put something else in place of.
fn check_empty(target: &Home, options: &RestoreOptions) -> Result<(), WireError> {
    for name in ["store.redb", "keys/keystore", "keys/root.age"] {
        let path = target.data.join(name);
        if path.exists() {
            let message = format!("the home {} is not empty", target.data.display());
            let hint = format!(
                "restore beside it: manushyactl backup restore {} --into DIR (then \
                 MANUSHYA_HOME=DIR manushyactl up); or stop its daemon and move {} away",
                options.file.display(),
                path.display()
            );
            return Err(WireError::new(ErrorCode::Conflict, message)
                .reason(format!(
                    "there is {}, and a restore never replaces what is there",
                    path.display()
                ))
                .hint(hint));
        }
    }
    Ok(())
}

/// What became of a restored store.
struct Settled {
    /// How many ledgers there were.
    ledgers: u64,
    /// How many erasures were done again.
    erased_again: u64,
    /// The keys of the log.
    keys: Keys,
}

/// Does what a restored store needs before it serves.
fn settle(
    loaded: Loaded,
    options: &RestoreOptions,
    draft: &Path,
    path: &Path,
    copies: &[PathBuf],
) -> Result<Settled, WireError> {
    let Loaded {
        manifest,
        counts,
        head,
        vault,
        store,
        ..
    } = loaded;
    // The directory is read from what was written.
    store.close().map_err(broken)?;
    let cipher: Arc<Vault> = vault.clone();
    let (store, opened) =
        Store::open(&draft.join("store.redb"), cipher.clone(), true).map_err(broken)?;
    let ports = Ports {
        clock: Arc::new(SystemClock::starting(Left::default()).0),
        entropy: Arc::new(OsEntropy),
        cipher,
        embedder: AnyEmbedder::Instant(Arc::new(HashEmbedder)),
    };
    let mut published = Published {
        directory: opened.directory,
        head,
    };
    published = note(
        &store,
        &ports,
        published,
        options.keep_tokens,
        counts.total(),
    )?;
    let mut ledgers = u64::from(ledger::is_of(path, opened.home));
    for given in &options.ledgers {
        means::check_ledger(given, opened.home)?;
    }
    let (file, mut published) = ledger::reconcile(&store, &ports, opened.home, path, published)?;
    drop(file);
    for copy in options.ledgers.iter().chain(copies) {
        published = ledger::reapply_copy(&store, &ports, opened.home, copy, published)?;
        ledgers += u64::from(ledger::is_of(copy, opened.home));
    }
    let keys = audit::log_keys(&vault, &published.directory)?;
    let (file, _) = ledger::reconcile(&store, &ports, opened.home, path, published)?;
    drop(file);
    let now = store
        .snapshot()
        .and_then(|it| it.erased_end())
        .map_err(broken)?;
    store.close().map_err(broken)?;
    vault
        .drop_spares()
        .map_err(|error| failed("the keys cannot be written", &error))?;
    tracing::info!(backup = %manifest.id, "Restored.");
    Ok(Settled {
        ledgers,
        erased_again: now.seq.saturating_sub(counts.erased),
        keys,
    })
}

/// Writes the entry of the restoring, and ends the tokens: which of them were revoked since the
/// backup is not known.
fn note(
    store: &Store,
    ports: &Ports,
    published: Published,
    keep_tokens: bool,
    count: u64,
) -> Result<Published, WireError> {
    let now = ports.clock.now();
    let mut entropy = [0; 10];
    ports.entropy.fill(&mut entropy);
    let mut head = published.head;
    let directory = published.directory;
    let mut writes = Vec::new();
    for tenant in directory.tenants().filter(|_| !keep_tokens) {
        writes.extend(directory.identities(tenant.id).map(|identity| {
            Write::PutIdentity(Arc::new(Identity {
                token_epoch: identity.token_epoch + 1,
                ..Identity::clone(identity)
            }))
        }));
    }
    let (entry, bytes) = head.append(AuditDraft {
        time: now,
        tenant: None,
        actor: AuditActor::Daemon,
        peer_uid: Some(rustix::process::getuid().as_raw()),
        token: None,
        action: Action::Restore,
        resource: Resource::System,
        resource_id: None,
        decision: Decision::Allow,
        policy: None,
        request_id: RequestId::from_parts(now, entropy),
        outcome: Outcome::Ok,
        count,
        extensions: Extensions::default(),
    });
    let mut txn = store.begin(directory).map_err(broken)?;
    txn.apply(&writes).map_err(broken)?;
    txn.append_audit(entry.seq, &bytes).map_err(broken)?;
    txn.set_audit_head(&head.to_bytes()).map_err(broken)?;
    let committed = txn.commit().map_err(broken)?;
    Ok(Published {
        directory: committed.directory,
        head,
    })
}

/// Moves what was restored to where it belongs, the store last: without it the home is not one.
fn put_in_place(draft: &Path, data: &Path) -> io::Result<()> {
    let keys = data.join("keys");
    if !keys.exists() {
        fs::rename(draft.join("keys"), &keys)?;
    } else {
        for name in ["recovery.recipient", "root.age", "keystore"] {
            let from = draft.join("keys").join(name);
            // A home without a recovery key has no file of it.
            if name != "recovery.recipient" || from.exists() {
                fs::rename(from, keys.join(name))?;
            } else if keys.join(name).exists() {
                fs::remove_file(keys.join(name))?;
            }
        }
    }
    fs::rename(draft.join("store.redb"), data.join("store.redb"))?;
    File::open(&keys)?.sync_all()?;
    File::open(data)?.sync_all()
}
