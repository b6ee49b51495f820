//! Starting in order: lock, keys, store, audit head, first tenant, index, writer, socket. Nothing is
//! bound before everything behind it stands.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use manushya_core::audit::Head;
use manushya_core::command::CreateTenant;
use manushya_core::decide::tenant::{DEFAULT_TENANT, founding_writes, policy_ids};
use manushya_core::directory::Directory;
use manushya_core::model::{
    Action, AuditActor, AuditDraft, Decision, Extensions, Outcome, Resource, TenantName,
};
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::home::Home;
use manushya_protocol::id::{IdentityId, PolicyId, RequestId, TenantId};
use secrecy::SecretString;
use tokio::sync::Notify;

use crate::auth::TokenKeys;
use crate::config::{Config, EmbedderChoice};
use crate::embed::{HashEmbedder, HttpEmbedder, StaticEmbedder};
use crate::jobs;
use crate::os::{Left, OsEntropy, Reserve, SystemClock};
use crate::port::{AnyEmbedder, Embedder, Ports};
use crate::service::audit;
use crate::service::indexes::Indexes;
use crate::service::ledger;
use crate::service::notary::{Notary, newest_anchored};
use crate::service::writer::{Keepers, Published, Writer, WriterThreads, chain, end_process};
use crate::service::{LastUses, SealSwitch, Service, Trouble};
use crate::store::{Opened, Store};
use crate::vault::{Unlock, Vault};

/// Everything that runs, to be taken down in order.
pub struct Booted {
    /// The product.
    pub service: Arc<Service>,
    /// The writer's threads.
    pub threads: WriterThreads,
    /// The machine's clock, to be looked at for jumps.
    pub clock: Arc<SystemClock>,
}

/// An error of the start.
pub fn failed(what: &str, error: &dyn std::error::Error) -> WireError {
    WireError::new(ErrorCode::Internal, what).reason(chain(error))
}

/// Makes a folder for its owner only, and refuses one that others may read.
pub(super) fn private_folder(path: &Path) -> Result<(), WireError> {
    let unusable = |reason: String| {
        let message = format!("the folder {} cannot be used", path.display());
        WireError::new(ErrorCode::InvalidArgument, message).reason(reason)
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| unusable(error.to_string()))?;
    let mode = fs::metadata(path)
        .map_err(|error| unusable(error.to_string()))?
        .mode();
    if mode & 0o077 != 0 {
        let reason = format!("other users may look into it (mode {:o})", mode & 0o777);
        return Err(unusable(reason).hint(format!("chmod 700 {}", path.display())));
    }
    Ok(())
}

/// Takes the home's lock. The kernel gives it back however the daemon ends.
pub(super) fn lock_home(home: &Home) -> Result<File, WireError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(home.lock())
        .map_err(|error| failed("the home's lock cannot be opened", &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = format!("a daemon runs on {} already", home.data.display());
            Err(WireError::new(ErrorCode::Conflict, message)
                .reason("one daemon owns a home")
                .hint("manushyactl status, or manushyactl down to stop it"))
        }
        Err(TryLockError::Error(error)) => Err(failed("the home cannot be locked", &error)),
    }
}

fn store_path(config: &Config) -> PathBuf {
    config.home.data.join("store.redb")
}

pub(super) fn unlock(config: &Config) -> Result<Unlock, WireError> {
    let Some(path) = &config.passphrase_file else {
        return Ok(Unlock::Host);
    };
    let text = fs::read_to_string(path).map_err(|error| {
        let message = format!("the passphrase file {} cannot be read", path.display());
        WireError::new(ErrorCode::InvalidArgument, message).reason(error.to_string())
    })?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(WireError::new(
            ErrorCode::InvalidArgument,
            "the passphrase is empty",
        ));
    }
    Ok(Unlock::Passphrase(SecretString::from(line.to_owned())))
}

fn open_vault(config: &Config, given: Option<Unlock>) -> Result<Vault, WireError> {
    let folder = config.home.data.join("keys");
    let unlock = given.map_or_else(|| unlock(config), Ok)?;
    if !Vault::exists(&folder) && store_path(config).exists() {
        let message = format!("the keys are missing: there is no {}", folder.display());
        return Err(WireError::new(ErrorCode::Integrity, message)
            .reason("the store beside it is sealed with them")
            .hint("put the folder back from a copy; without it nothing can be read again"));
    }
    let opened = if Vault::exists(&folder) {
        Vault::open(&folder, unlock)
    } else {
        Vault::create(&folder, unlock, config.recovery_recipient.as_deref())
    };
    opened.map_err(|error| {
        let code = error.code();
        WireError::new(code, "the keys cannot be opened")
            .reason(chain(&error))
            .hint(
                "give --passphrase-file if the home has a passphrase; if its identity is lost: \
                 manushyactl key recover",
            )
    })
}

/// The embedder of the configuration, and those that are part of the program.
fn embedders(choice: &EmbedderChoice) -> Result<(AnyEmbedder, Vec<Arc<dyn Embedder>>), WireError> {
    let table: Arc<dyn Embedder> = Arc::new(StaticEmbedder::built_in());
    let hash: Arc<dyn Embedder> = Arc::new(HashEmbedder);
    let chosen = match choice {
        EmbedderChoice::Static => AnyEmbedder::Instant(table.clone()),
        EmbedderChoice::Hash => AnyEmbedder::Instant(hash.clone()),
        EmbedderChoice::Http(options) => {
            let made = HttpEmbedder::new(options.clone());
            AnyEmbedder::Slow(Arc::new(made.map_err(unusable_embedder)?))
        }
        EmbedderChoice::Model(folder) => model(folder)?,
    };
    Ok((chosen, vec![table, hash]))
}

fn unusable_embedder(reason: String) -> WireError {
    WireError::new(
        ErrorCode::InvalidArgument,
        "the embedder of the configuration cannot be used",
    )
    .reason(reason)
    .hint("docs/search.md says what each embedder needs")
}

#[cfg(feature = "candle")]
fn model(folder: &Path) -> Result<AnyEmbedder, WireError> {
    let opened = crate::embed::ModelEmbedder::open(folder);
    Ok(AnyEmbedder::Slow(Arc::new(
        opened.map_err(unusable_embedder)?,
    )))
}

#[cfg(not(feature = "candle"))]
fn model(_: &Path) -> Result<AnyEmbedder, WireError> {
    Err(unusable_embedder(
        "this build runs no models; build it with the feature `candle`".to_owned(),
    ))
}

fn open_store(config: &Config, vault: Arc<Vault>) -> Result<(Store, Opened), WireError> {
    let reserve = Reserve::keep(&config.home.data.join("reserve"), config.disk_reserve_bytes);
    vault.set_reserve(reserve.clone());
    let opened = Store::open_with(&store_path(config), vault, false, reserve);
    let (store, opened) = opened.map_err(|error| {
        WireError::new(error.code(), "the store cannot be opened").reason(chain(&error))
    })?;
    if !opened.was_clean && !opened.created {
        tracing::warn!("The daemon was not stopped cleanly; the store was checked.");
    }
    Ok((store, opened))
}

/// The user ids that operate this host: those of the configuration, and whoever owns the daemon's own
/// files.
pub(super) fn operators(config: &Config, lock: &File) -> Result<Vec<u32>, WireError> {
    let owner = lock
        .metadata()
        .map_err(|error| failed("the home cannot be read", &error))?
        .uid();
    let mut uids = config.operator_uids.clone();
    uids.push(owner);
    Ok(uids)
}

/// Boots all that the socket is to serve, in a home whose lock is held. The keys are opened with what
/// is given, or else with what the configuration names.
///
/// # Errors
///
/// `INTEGRITY` if what is on disk is not what was written, and others with their reasons.
pub fn boot(config: Config, lock: &File, given: Option<Unlock>) -> Result<Booted, WireError> {
    let vault = Arc::new(open_vault(&config, given)?);
    let (store, opened) = open_store(&config, vault.clone())?;
    let (latest, trusted) = (opened.latest, opened.trusted);
    let (clock, jump) = SystemClock::starting(Left { latest, trusted });
    let clock = Arc::new(clock);
    let (embedder, built_in) = embedders(&config.embedder)?;
    let ports = Ports {
        clock: clock.clone(),
        entropy: Arc::new(OsEntropy),
        cipher: vault.clone(),
        embedder,
    };
    let home_id = opened.home;
    let published = found(&store, &ports, opened)?;
    settle_audit_keys(&vault, &published.directory)?;
    let (ledger, published) =
        ledger::reconcile(&store, &ports, home_id, &config.erasure_ledger, published)?;
    let indexes = Arc::new(Indexes::new(&config, ports.embedder.clone(), built_in));
    indexes
        .load(&store, &published.directory, &vault, &config.home.data)
        .map_err(|error| failed("the index cannot be built", &error))?;
    let tokens = TokenKeys::new(vault.jwt_keys())
        .map_err(|error| failed("the keys of the access tokens cannot be used", &error))?;
    let keepers = keepers(&config, &store, &vault, (&published, ledger))?;
    let (writer, threads) = Writer::start(store.clone(), published, indexes.clone(), keepers)
        .map_err(|error| failed("the writer cannot be started", &error))?;
    let operator_uids = operators(&config, lock)?;
    if let Some(jump) = jump {
        drop(writer.observe(jobs::clock::alert(&ports, jump))?);
    }
    let service = Arc::new(Service {
        started_at: ports.clock.now(),
        config,
        ports,
        vault,
        store,
        home_id,
        indexes,
        writer,
        tokens: ArcSwap::from_pointee(tokens),
        backups: crate::service::backup::Jobs::default(),
        connections: AtomicU64::new(0),
        stop: Arc::new(Notify::new()),
        operator_uids,
        duplicates: tokio::sync::Mutex::default(),
        last_uses: LastUses::default(),
        programs: crate::auth::Programs::default(),
        rates: crate::service::rate::Rates::default(),
        trouble: Trouble::default(),
        sealing: SealSwitch::default(),
        proofs: Default::default(),
        handing_over: Default::default(),
        work: Default::default(),
        exports: Default::default(),
    });
    Ok(Booted {
        service,
        threads,
        clock,
    })
}

/// Finishes a hand-over of the log to another key that a crash cut off, or takes it back: which of the
/// two is for the log to say.
fn settle_audit_keys(vault: &Vault, directory: &Directory) -> Result<(), WireError> {
    let signs = audit::signs(directory);
    let settled = vault.settle_audit_keys(signs.as_ref(), true);
    settled.map_err(|error| {
        WireError::new(error.code(), "the keys of the audit log cannot be used")
            .reason(chain(&error))
            .hint("put the folder of the keys back that belongs to this store")
    })
}

/// What signs the log from here on, and keeps erasures. A log that is shorter than its anchor says is
/// no reason not to start, since a backup may have been restored; but it is told, and `doctor` fails.
fn keepers(
    config: &Config,
    store: &Store,
    vault: &Arc<Vault>,
    (published, ledger): (&Published, ledger::LedgerFile),
) -> Result<Keepers, WireError> {
    let unreadable = |error| failed("the checkpoints of the audit log cannot be read", &error);
    let snapshot = store.snapshot().map_err(unreadable)?;
    let (_, signed) = snapshot.last_checkpoint().map_err(unreadable)?;
    let keys = vault.clone();
    let size = published.head.size();
    let known = audit::log_keys(vault, &published.directory)?;
    if let Some(path) = &config.anchor.file
        && let Some(anchored) = newest_anchored(path, &known)
        && anchored > size
    {
        tracing::error!(
            anchored,
            size,
            "The audit log is shorter than a checkpoint outside says: it was cut, or rolled back."
        );
    }
    let signer = Box::new(move |directory: &Directory| audit::signing_key(&keys, directory));
    let notary = Notary::start(signer, config.anchor.clone(), signed.min(size));
    Ok(Keepers {
        notary: notary.map_err(|error| failed("the anchors cannot be started", &error))?,
        ledger,
        ending: Box::new(end_process),
    })
}

/// The state to start from: what was stored, or a first tenant in a new home.
fn found(store: &Store, ports: &Ports, opened: Opened) -> Result<Published, WireError> {
    let mut head = match &opened.audit_head {
        Some(bytes) => Head::from_bytes(bytes).map_err(|error| {
            WireError::new(ErrorCode::Integrity, "the audit log's head does not read")
                .reason(error.to_string())
        })?,
        None => Head::new(),
    };
    if head.size() != opened.audit_len {
        let reason = format!(
            "the head counts {} entries, the store {}",
            head.size(),
            opened.audit_len
        );
        return Err(
            WireError::new(ErrorCode::Integrity, "the audit log is not whole")
                .reason(reason)
                .hint("restore a backup; the log was cut or its head replaced"),
        );
    }
    if opened.directory.tenant_by_name(DEFAULT_TENANT).is_some() {
        return Ok(Published {
            directory: opened.directory,
            head,
        });
    }
    let directory = found_default(store, ports, opened.directory, &mut head)?;
    Ok(Published { directory, head })
}

fn found_default(
    store: &Store,
    ports: &Ports,
    directory: Directory,
    head: &mut Head,
) -> Result<Directory, WireError> {
    let now = ports.clock.now();
    let entropy = |ports: &Ports| {
        let mut bytes = [0; 10];
        ports.entropy.fill(&mut bytes);
        bytes
    };
    let invalid =
        |error: manushya_core::model::Invalid| failed("the first tenant cannot be made", &error);
    let id = TenantId::from_parts(now, entropy(ports));
    let command = CreateTenant {
        id,
        name: TenantName::new(DEFAULT_TENANT).map_err(invalid)?,
        operator: IdentityId::from_parts(now, entropy(ports)),
        policies: policy_ids(|| PolicyId::from_parts(now, entropy(ports))),
    };
    let (_, writes) = founding_writes(&command, now).map_err(invalid)?;
    let draft = AuditDraft {
        time: now,
        tenant: Some(id),
        actor: AuditActor::Daemon,
        peer_uid: None,
        token: None,
        action: Action::Create,
        resource: Resource::System,
        resource_id: Some(id.to_bytes()),
        decision: Decision::Allow,
        policy: None,
        request_id: RequestId::from_parts(now, entropy(ports)),
        outcome: Outcome::Ok,
        count: 1,
        extensions: Extensions::default(),
    };
    let (entry, bytes) = head.append(draft);
    let unwritable = |error| failed("the first tenant cannot be written", &error);
    let mut txn = store.begin(directory).map_err(unwritable)?;
    txn.apply(&writes).map_err(unwritable)?;
    txn.append_audit(entry.seq, &bytes).map_err(unwritable)?;
    txn.set_audit_head(&head.to_bytes()).map_err(unwritable)?;
    Ok(txn.commit().map_err(unwritable)?.directory)
}
