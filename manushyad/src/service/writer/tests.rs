//! A writer whose disk fails: nothing is said to be done that is not on disk with its entry, and
//! nothing is on disk without one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use manushya_core::audit::{Examiner, decode};
use manushya_core::command::CreateTenant;
use manushya_core::decide::tenant::{founding_writes, policy_ids};
use manushya_core::model::{
    Action, AuditActor, AuditDraft, Decision, Extensions, Outcome, Resource, TenantName,
};
use manushya_core::plan::Plan;
use manushya_protocol::id::{IdentityId, PolicyId, RequestId, TenantId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};

use super::super::notary::Notary;
use super::*;
use crate::config::{Anchor, Config, RunOptions};
use crate::embed::HashEmbedder;
use crate::port::AnyEmbedder;
use crate::store::danger::{Disk, Fault};
use crate::store::tests::cipher::TestCipher;
use crate::store::{Opened, Stall};

/// How many faults are injected; `MANUSHYA_FAULTS` says another number.
const FAULTS: u64 = 1000;
/// About how many operations the commands of one run take.
const OPERATIONS: u64 = 97;
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_millis(2500);

struct Daemon {
    writer: Writer,
    threads: WriterThreads,
}

/// A disk, the keys of what is on it, and how long it may hang until that is noticed.
struct Base {
    disk: Disk,
    cipher: Arc<TestCipher>,
    patience: Duration,
}

impl Base {
    fn new(patience: Duration) -> Self {
        let base = Self {
            disk: Disk::default(),
            cipher: Arc::default(),
            patience,
        };
        drop(base.open());
        base
    }

    /// A copy of it all.
    fn copy(&self, disk: Vec<u8>, seed: u64) -> Self {
        Self {
            disk: Disk::holding(disk, seed),
            cipher: Arc::new(self.cipher.copy()),
            patience: self.patience,
        }
    }

    fn open(&self) -> (Store, Opened) {
        let stall = Stall::after(self.patience);
        Store::danger_watched(&self.disk, self.cipher.clone(), stall).expect("the disk opens")
    }
}

fn start(base: &Base, config: &Config) -> Daemon {
    let (store, opened) = base.open();
    let head = match &opened.audit_head {
        Some(bytes) => Head::from_bytes(bytes).unwrap(),
        None => Head::new(),
    };
    let published = Published {
        directory: opened.directory,
        head,
    };
    let indexes = Arc::new(Indexes::new(
        config,
        AnyEmbedder::Instant(Arc::new(HashEmbedder)),
        Vec::new(),
    ));
    let key = SigningKey::from_bytes(&[3; 32]);
    let signer = Box::new(move |_: &Directory| Some(key.clone()));
    let notary = Notary::start(signer, Anchor::default(), 0).unwrap();
    let ledger = config.home.state.join("ledger");
    let keepers = Keepers {
        notary,
        ledger: LedgerFile::create(&ledger, opened.home).unwrap(),
        ending: Box::new(|_| ()),
    };
    let (writer, threads) = Writer::start(store, published, indexes, keepers).unwrap();
    Daemon { writer, threads }
}

fn id(n: u64) -> [u8; 16] {
    let mut id = [7; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    id
}

fn founding(n: u64) -> (AuditDraft, Vec<Write>) {
    let tenant = TenantId::from_bytes(id(n));
    let command = CreateTenant {
        id: tenant,
        name: TenantName::new(format!("tenant-{n}")).unwrap(),
        operator: IdentityId::from_bytes(id(n)),
        policies: policy_ids(|| PolicyId::from_bytes(id(n))),
    };
    let (_, mut writes) = founding_writes(&command, UnixMillis(1)).unwrap();
    // The tenant itself is enough to be looked for.
    writes.truncate(1);
    let draft = AuditDraft {
        time: UnixMillis(1),
        tenant: Some(tenant),
        actor: AuditActor::Daemon,
        peer_uid: None,
        token: None,
        action: Action::Create,
        resource: Resource::System,
        resource_id: Some(tenant.to_bytes()),
        decision: Decision::Allow,
        policy: None,
        request_id: RequestId::from_bytes(id(n)),
        outcome: Outcome::Ok,
        count: 1,
        extensions: Extensions::default(),
    };
    (draft, writes)
}

async fn found(writer: &Writer, n: u64) -> Fate<()> {
    let (audit, writes) = founding(n);
    let fallback = audit.clone();
    let decide = move |_: &Txn| {
        Ok(Plan {
            writes,
            audit,
            reply: (),
        })
    };
    writer.run(fallback, decide).await
}

/// What is on disk.
struct OnDisk {
    /// The tenants that are there.
    tenants: Vec<[u8; 16]>,
    /// The ids that entries say were created, with the entries' numbers.
    entries: Vec<(u64, [u8; 16])>,
}

fn on_disk(base: &Base) -> OnDisk {
    let (store, opened) = base.open();
    let head = Head::from_bytes(&opened.audit_head.unwrap_or_else(|| Head::new().to_bytes()));
    let head = head.unwrap();
    let snapshot = store.snapshot().unwrap();
    let rows = snapshot.audit(AuditSeq(1), 1 << 20, 4096).unwrap();
    let mut examiner = Examiner::new(Vec::new());
    let mut entries = Vec::new();
    for (seq, bytes) in &rows {
        examiner.push(bytes).expect("the chain holds");
        entries.extend(
            decode(bytes)
                .unwrap()
                .draft
                .resource_id
                .map(|id| (seq.0, id)),
        );
    }
    let checkpoint = super::super::audit::checkpoint(&head).unwrap();
    examiner.finish(&checkpoint).expect("the head fits");
    let tenants = opened
        .directory
        .tenants()
        .map(|t| t.id.to_bytes())
        .collect();
    OnDisk { tenants, entries }
}

fn settings(folder: &std::path::Path) -> Config {
    Config::resolve(&RunOptions {
        home: Some(folder.to_owned()),
        ..RunOptions::default()
    })
    .unwrap()
}

/// Runs ten commands on a disk that fails at the `nth` operation from its start, and from there on,
/// and holds what was answered against what is there. Returns whether the fault was met.
async fn one(base: &Base, fault: Fault, nth: u64, config: &Config) -> bool {
    let base = base.copy(base.disk.after_kill(), nth);
    let daemon = start(&base, config);
    let disk = &base.disk;
    disk.fail(nth, fault, true);
    let mut answers = Vec::new();
    for n in 1..=10 {
        let asked = Instant::now();
        let fate = found(&daemon.writer, n).await;
        let took = asked.elapsed();
        assert!(took < ANSWER_MAX, "{fault:?} at {nth}: {took:?}");
        if let Err(error) = &fate {
            let told = [
                ErrorCode::AuditUnavailable,
                ErrorCode::ResourceExhausted,
                ErrorCode::Unreachable,
            ];
            assert!(told.contains(&error.code), "{error:?}");
        }
        answers.push((n, fate));
    }
    let met = disk.hits() > 0;
    disk.mend();
    let Daemon { writer, threads } = daemon;
    drop(writer);
    threads.join();
    let left = if nth.is_multiple_of(2) {
        disk.after_kill()
    } else {
        disk.after_power_loss()
    };
    let OnDisk { tenants, entries } = on_disk(&base.copy(left, nth));
    for (n, fate) in answers {
        let Ok(((), receipt)) = fate else { continue };
        let entry = (receipt.seq.0, id(n));
        assert!(
            entries.contains(&entry),
            "{fault:?} at {nth}: {n} is not audited"
        );
        assert!(tenants.contains(&id(n)), "{fault:?} at {nth}: {n} is lost");
    }
    for tenant in &tenants {
        let audited = entries.iter().any(|(_, id)| id == tenant);
        assert!(audited, "{fault:?} at {nth}: a change without its entry");
    }
    met
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_disk_never_lets_an_unaudited_operation_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let config = settings(folder.path());
    // How long a hang lasts until it is noticed is scaled down; the next test has it as it is.
    let base = Base::new(Duration::from_millis(30));
    let faults = std::env::var("MANUSHYA_FAULTS")
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(FAULTS);
    let mut met = 0;
    for n in 0..faults {
        let fault = match n % 20 {
            0 => Fault::Hang,
            n => Fault::ALL[n as usize % Fault::ALL.len()],
        };
        met += u64::from(one(&base, fault, 1 + n % OPERATIONS, &config).await);
    }
    println!("{met} of {faults} faults were met");
    assert!(
        met >= faults * 9 / 10,
        "only {met} of {faults} faults were met"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_disk_is_answered_for_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let config = settings(folder.path());
    let base = Base::new(crate::store::STALL_AFTER);
    assert!(one(&base, Fault::Hang, 3, &config).await);
}
