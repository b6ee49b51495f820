//! The world of a run: the parts under test, what is done to them, and the model they are held to.

use std::collections::BTreeSet;
use std::sync::Arc;

use manushya_core::audit::{Head, Verifier};
use manushya_core::command::{
    AddMemory, Context, CreateTenant, DeleteMemory, IssueToken, ReviewMemory, RevokeToken, Sweep,
    UpdateIdentity, UpdateMemory,
};
use manushya_core::decide::access::draft;
use manushya_core::decide::tenant::{DEFAULT_TENANT, founding_writes, policy_ids};
use manushya_core::decide::{Refusal, identity, memory, purge, review, token};
use manushya_core::directory::Directory;
use manushya_core::model::{
    Action, Actor, EmbedderTag, Embedding, Kind, Limits, Memory, MemoryContent, MemoryKey,
    Namespace, Resource, Scope, TenantName, TokenKind, TokenState, Trust, Via,
};
use manushya_core::plan::{Plan, Write};
use manushya_protocol::id::{IdentityId, MemoryId, PolicyId, RequestId, TenantId, TokenId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};
use manushya_protocol::v1::memory::{OnConflict, OnDuplicate};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::parts::*;
use crate::config::{Config, RunOptions};
use crate::embed::HashEmbedder;
use crate::os::{Left, SystemClock};
use crate::port::{AnyEmbedder, Clock as _, Embedder as _};
use crate::service::indexes::Indexes;
use crate::service::ledger::LedgerFile;
use crate::service::writer::{Fate, Hand, Published, Writer};
use crate::store::danger::{Disk, Fault};
use crate::store::tests::cipher::TestCipher;
use crate::store::{Opened, Store, Txn};

/// The writes of each command of a batch, in order; empty for a refusal.
type Decided = Arc<Mutex<Vec<Vec<Write>>>>;

/// The running parts; gone at a crash.
struct Running {
    store: Store,
    writer: Writer,
    hand: Hand,
    clock: SystemClock,
}

pub struct World {
    random: Random,
    disk: Disk,
    cipher: Arc<TestCipher>,
    hands: Moved,
    /// What the machine's clock is wrong by.
    wrong_ms: i64,
    running: Option<Running>,
    tenant: TenantId,
    people: Vec<IdentityId>,
    /// What is known to be stored, and how many audit entries.
    model: Content,
    audit: u64,
    ended: BTreeSet<TokenId>,
    next: u64,
    trace: Trace,
    home: tempfile::TempDir,
    config: Config,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let home = tempfile::tempdir().unwrap();
        let options = RunOptions {
            home: Some(home.path().to_owned()),
            ..RunOptions::default()
        };
        let mut world = Self {
            random: Random(seed),
            disk: Disk::holding(Vec::new(), seed),
            cipher: Arc::default(),
            hands: Moved::at(START_MS),
            wrong_ms: 0,
            running: None,
            tenant: TenantId::from_bytes([1; 16]),
            people: Vec::new(),
            model: Content::new(),
            audit: 0,
            ended: BTreeSet::new(),
            next: 0,
            trace: Trace::default(),
            config: Config::resolve(&options).unwrap(),
            home,
        };
        world.start();
        world.found();
        world
    }

    fn id(&mut self) -> [u8; 16] {
        self.next += 1;
        let mut id = [7; 16];
        id[..6].copy_from_slice(&START_MS.to_be_bytes()[2..]);
        id[8..].copy_from_slice(&self.next.to_be_bytes());
        id
    }

    fn start(&mut self) {
        let opened = Store::danger_fault_injection(&self.disk, self.cipher.clone());
        let (store, opened) = opened.unwrap();
        let head = opened.audit_head.as_deref().map(Head::from_bytes);
        let head = head.map_or_else(Head::new, Result::unwrap);
        assert_eq!(head.size(), opened.audit_len);
        let (latest, trusted) = (opened.latest, opened.trusted);
        let left = Left { latest, trusted };
        let (clock, _) = SystemClock::with_hands(Box::new(self.hands.clone()), left);
        let noted = store.note_time(clock.left().latest, clock.left().trusted);
        noted.unwrap();
        assert!(latest.is_none_or(|latest| clock.now() >= latest));
        let embedder = AnyEmbedder::Instant(Arc::new(HashEmbedder));
        let indexes = Indexes::new(&self.config, embedder, Vec::new());
        let snapshot = store.snapshot().unwrap();
        for row in snapshot.memory_rows(None).unwrap() {
            let memory = Box::new(row.unwrap().open(&*self.cipher).unwrap());
            indexes.apply(&[Write::PutMemory { memory, due: None }]);
        }
        let Opened {
            directory, home, ..
        } = opened;
        let ledger = self.home.path().join("ledger");
        let ledger = LedgerFile::create(&ledger, home).unwrap();
        let published = Published { directory, head };
        let (writer, hand) = Writer::by_hand(store.clone(), published, Arc::new(indexes), ledger);
        self.running = Some(Running {
            store,
            writer,
            hand,
            clock,
        });
    }

    fn found(&mut self) {
        let ids: Vec<[u8; 16]> = (0..10).map(|_| self.id()).collect();
        let mut policies = ids.iter().skip(2);
        let command = CreateTenant {
            id: self.tenant,
            name: TenantName::new(DEFAULT_TENANT).unwrap(),
            operator: IdentityId::from_bytes(ids[0]),
            policies: policy_ids(|| PolicyId::from_bytes(*policies.next().unwrap())),
        };
        let (_, mut writes) = founding_writes(&command, UnixMillis(START_MS)).unwrap();
        let mut agent = writes.iter().find_map(|write| match write {
            Write::PutIdentity(it) => Some((**it).clone()),
            _ => None,
        });
        let agent = agent.as_mut().unwrap();
        agent.id = IdentityId::from_bytes(ids[1]);
        agent.external_id = manushya_core::model::ExternalId::new("agent").unwrap();
        agent.role = manushya_core::model::Role::new("agent").unwrap();
        writes.push(Write::PutIdentity(Arc::new(agent.clone())));
        let running = self.running.as_ref().unwrap();
        let mut txn = running.store.begin(Directory::default()).unwrap();
        txn.apply(&writes).unwrap();
        drop(txn.commit().unwrap());
        self.people = vec![command.operator, agent.id];
        self.restart(false);
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().unwrap()
    }

    fn context(&mut self, who: usize) -> Context {
        let request_id = RequestId::from_bytes(self.id());
        let (tenant, id) = (self.tenant, self.people[who]);
        let running = self.running();
        let published = running.writer.published();
        let identity = published.directory.identity(tenant, id).cloned();
        Context {
            actor: Actor {
                identity: identity.unwrap(),
                via: Via::PeerUid,
                peer_uid: Some(1000),
                scopes: Arc::new([Scope::ALL]),
                links: Arc::new([]),
                operator: who == 0,
                transport: "unix",
            },
            now: running.clock.now(),
            request_id,
            purpose: None,
            dry_run: false,
            whole_host: false,
            retention_seconds: RETENTION_SECONDS,
            limit_table: manushya_core::model::LimitTable::Local,
            content: None,
        }
    }

    pub fn step(&mut self) {
        match self.random.below(20) {
            0..=10 => self.batch(),
            11 | 12 => self.sweep(),
            13 | 14 => self.pass(),
            15 => self.lose(),
            16 => self.restart(true),
            17 => self.fail(),
            18 => self.check_tokens(),
            _ => self.check(),
        }
    }

    /// Queues a few commands, and lets the writer take a turn.
    fn batch(&mut self) {
        let decided = Decided::default();
        let count = 1 + self.random.below(6);
        let mut fates = Vec::new();
        for _ in 0..count {
            fates.extend(self.command(&decided));
        }
        self.turn(&decided, fates);
    }

    fn turn(&mut self, decided: &Decided, fates: Vec<oneshot::Receiver<Fate<()>>>) {
        let commands = fates.len() as u64;
        self.running().hand.turn();
        let writes = std::mem::take(&mut *decided.lock());
        let stopped = self.running().hand.stopped();
        if let Some(code) = stopped {
            assert_eq!(code, 75, "the daemon ends so that it is started again");
        }
        let answers: Vec<_> = fates.into_iter().map(|mut fate| fate.try_recv()).collect();
        if stopped.is_some() {
            self.trace.faults += 1;
            let told = answers.iter().any(|answer| matches!(answer, Ok(Ok(_))));
            assert!(!told, "acknowledged by a writer whose disk failed");
            return self.crash(writes, commands);
        }
        for (answer, writes) in answers.into_iter().zip(&writes) {
            match answer {
                Ok(Ok(_)) => self.trace.acknowledged += 1,
                Ok(Err(_)) => {
                    assert!(writes.is_empty(), "refused, and written");
                    self.trace.refused += 1;
                }
                Err(error) => panic!("a command without an answer: {error}"),
            }
        }
        writes
            .iter()
            .flatten()
            .for_each(|write| apply(&mut self.model, write));
        self.audit += commands;
    }

    /// Queues a decision, which leaves its writes in `decided`.
    fn submit<R: Send + 'static>(
        &mut self,
        decided: &Decided,
        context: &Context,
        decide: impl FnOnce(&Txn, &Context) -> Result<Plan<R>, Refusal> + Send + 'static,
    ) -> Option<oneshot::Receiver<Fate<()>>> {
        let (decided, context) = (decided.clone(), context.clone());
        let fallback = draft(&context, Action::Update, Resource::Memory);
        let queued = self.running().writer.submit(fallback, move |txn: &Txn| {
            let plan = decide(txn, &context);
            let writes = plan.as_ref().map(|plan| plan.writes.clone());
            decided.lock().push(writes.unwrap_or_default());
            plan.map(|plan| Plan {
                writes: plan.writes,
                audit: plan.audit,
                reply: (),
            })
        });
        Some(queued.unwrap())
    }

    fn some_memory(&mut self) -> MemoryId {
        let at = self.random.below(self.model.len() + 1);
        let known = self.model.keys().nth(at).copied();
        known.unwrap_or(MemoryId::from_bytes([9; 16]))
    }

    fn content(&mut self) -> (MemoryContent, Embedding) {
        let text = format!("a text of {} words", self.random.below(50));
        let vector = HashEmbedder.embed(&text);
        let by = EmbedderTag::of(HashEmbedder.name());
        let ttl = (self.random.below(3) == 0).then(|| 60 + self.random.below(20_000) as u64);
        let now = self.running().clock.now();
        let content = MemoryContent {
            text,
            kind: Kind::default(),
            tags: Vec::new(),
            metadata: serde_json::Map::new(),
            namespace: Namespace::default(),
            session: None,
            trust: Trust::default(),
            expires_at: ttl.map(|ttl| now.plus_seconds(ttl)),
        };
        (content, Embedding { by, vector })
    }

    fn command(&mut self, decided: &Decided) -> Option<oneshot::Receiver<Fate<()>>> {
        let who = self.random.below(2);
        let context = self.context(who);
        let id = self.some_memory();
        match self.random.below(16) {
            0..=5 => {
                let key = self.random.below(12);
                let (content, embedding) = self.content();
                let add = AddMemory {
                    id: MemoryId::from_bytes(self.id()),
                    key: (key < 6).then(|| MemoryKey::new(format!("k{key}")).unwrap()),
                    content,
                    embedding,
                    created_at: None,
                    on_conflict: [OnConflict::Update, OnConflict::Skip, OnConflict::Fail][key % 3],
                    source: None,
                    canary: false,
                    on_duplicate: OnDuplicate::Keep,
                    alike: Vec::new(),
                };
                self.submit(decided, &context, |txn, context| {
                    memory::add(txn, context, add)
                })
            }
            6 | 7 => {
                let (content, embedding) = self.content();
                let update = UpdateMemory {
                    id,
                    if_version: None,
                    text: Some((content.text, embedding)),
                    kind: None,
                    tags: None,
                    metadata: None,
                    namespace: None,
                    session: None,
                    trust: None,
                    expires_at: None,
                    source: None,
                };
                self.submit(decided, &context, |txn, context| {
                    memory::update(txn, context, update)
                })
            }
            8..=10 => {
                let hard = self.random.below(3) == 0;
                let delete = DeleteMemory { id, hard };
                self.submit(decided, &context, move |txn, context| {
                    memory::delete(txn, context, delete)
                })
            }
            11 => self.submit(decided, &context, move |txn, context| {
                memory::restore(txn, context, id)
            }),
            _ => self.administer(decided, id),
        }
    }

    fn administer(
        &mut self,
        decided: &Decided,
        id: MemoryId,
    ) -> Option<oneshot::Receiver<Fate<()>>> {
        let context = self.context(0);
        let agent = self.people[1].to_string();
        match self.random.below(4) {
            0 => {
                let quarantine = Some(self.random.below(3) == 0);
                let update = UpdateIdentity {
                    identity: agent,
                    quarantine,
                    ..UpdateIdentity::default()
                };
                self.submit(decided, &context, |txn, context| {
                    identity::update(txn, context, update)
                })
            }
            1 => {
                let (approve, if_version) = (self.random.below(3) > 0, None);
                let command = ReviewMemory {
                    id,
                    if_version,
                    approve,
                };
                self.submit(decided, &context, move |txn, context| {
                    review::review(txn, context, command)
                })
            }
            2 => {
                let issue = IssueToken {
                    id: TokenId::from_bytes(self.id()),
                    identity: agent,
                    ttl_seconds: 60 + self.random.below(10_000) as u64,
                    scopes: Vec::new(),
                    label: None,
                    limits: Limits::default(),
                    uses: None,
                    delegate: false,
                    kind: TokenKind::Access,
                };
                self.submit(decided, &context, |txn, context| {
                    token::issue(txn, context, issue)
                })
            }
            _ => {
                let published = self.running().writer.published();
                let tokens: Vec<TokenId> = published
                    .directory
                    .tokens(self.tenant)
                    .map(|token| token.id)
                    .collect();
                let at = self.random.below(tokens.len() + 1);
                let one = tokens
                    .get(at)
                    .copied()
                    .unwrap_or(TokenId::from_bytes([1; 16]));
                let revoke = RevokeToken::One(one);
                self.submit(decided, &context, move |txn, context| {
                    token::revoke(txn, context, &revoke)
                })
            }
        }
    }

    /// Sweeps as the daemon does, and checks that nothing is erased before its time has really come.
    fn sweep(&mut self) {
        let Some(now) = self.running().clock.erasing() else {
            return;
        };
        let context = Context {
            now,
            ..self.context(0)
        };
        let decided = Decided::default();
        let fates = self.submit(&decided, &context, |txn, context| {
            let (found, limit) = (Vec::new(), 100);
            purge::sweep(txn, context, Sweep { found, limit })
        });
        let before = self.model.clone();
        self.turn(&decided, fates.into_iter().collect());
        // No more than what a jump may be that is not told of.
        let real = UnixMillis(START_MS + self.hands.0.lock().1 as i64 + 3_600_000);
        for (id, memory) in before {
            if self.model.contains_key(&id) {
                continue;
            }
            let due = memory::due(&memory, &context).unwrap();
            assert!(due <= real, "erased at {real}, due {due}");
            self.trace.swept += 1;
        }
    }

    fn pass(&mut self) {
        let passed = self.random.below(3_000_000);
        {
            let mut hands = self.hands.0.lock();
            hands.0 += passed as i64;
            hands.1 += passed as u64;
        }
        let set = match self.random.below(6) {
            // A clock that is wrong is set right before a day is over.
            _ if self.wrong_ms != 0 => -self.wrong_ms,
            0 => 10 * YEAR_MS,
            1 => -10 * YEAR_MS,
            2 => -60_000,
            _ => 0,
        };
        self.wrong_ms += set;
        self.hands.0.lock().0 += set;
        let jump = self.running().clock.look();
        assert_eq!(jump.is_some(), !(-5_000..=3_600_000).contains(&set));
        self.trace.jumps += u64::from(jump.is_some());
    }

    fn crash(&mut self, in_doubt: Vec<Vec<Write>>, entries: u64) {
        self.running = None;
        let image = match self.random.below(2) {
            0 => self.disk.after_power_loss(),
            _ => self.disk.after_kill(),
        };
        self.trace.operations += self.disk.operations();
        let seed = self.random.below(1 << 30) as u64;
        self.disk = Disk::holding(image, seed);
        self.cipher = Arc::new(self.cipher.copy());
        self.start();
        let there = self.running().writer.published().head.size();
        if there != self.audit {
            assert_eq!(there, self.audit + entries, "a batch is whole or not there");
            in_doubt
                .iter()
                .flatten()
                .for_each(|write| apply(&mut self.model, write));
            self.audit = there;
            self.trace.in_doubt += 1;
        }
        self.check();
    }

    fn lose(&mut self) {
        self.trace.losses += 1;
        self.crash(Vec::new(), 0);
    }

    fn restart(&mut self, check: bool) {
        let Running {
            store,
            clock,
            writer,
            hand,
        } = self.running.take().unwrap();
        drop((writer, hand));
        let Left { latest, trusted } = clock.left();
        store.note_time(latest, trusted).unwrap();
        store.close().unwrap();
        self.start();
        if check {
            self.check();
        }
    }

    fn fail(&mut self) {
        let fault = Fault::ALL[self.random.below(4)];
        let (at, lasting) = (1 + self.random.below(30) as u64, self.random.below(2) == 0);
        self.disk.fail(at, fault, lasting);
        let before = self.trace.faults;
        for _ in 0..4 {
            self.batch();
            if self.trace.faults > before {
                return;
            }
        }
        self.disk.mend();
    }

    fn check_tokens(&mut self) {
        let running = self.running.as_ref().unwrap();
        let (published, now) = (running.writer.published(), running.clock.now());
        for token in published.directory.tokens(self.tenant) {
            let owner = published
                .directory
                .identity(self.tenant, token.identity)
                .unwrap();
            if token.state(owner, now) == TokenState::Active {
                assert!(!self.ended.contains(&token.id), "a token came back");
            } else if self.ended.insert(token.id) {
                self.trace.ended += 1;
            }
        }
    }

    /// Holds the store, the index and the log to the model.
    fn check(&mut self) {
        self.check_tokens();
        let (tenant, audit) = (self.tenant, self.audit);
        let running = self.running.as_ref().unwrap();
        let report = running.store.verify_content().unwrap();
        assert!(report.is_good(), "{:?}", report.findings);
        let snapshot = running.store.snapshot().unwrap();
        let mut stored = Content::new();
        for row in snapshot.memory_rows(None).unwrap() {
            let memory = row.unwrap().open(&*self.cipher).unwrap();
            stored.insert(memory.id, memory);
        }
        let short = |content: &Content| -> Vec<_> {
            let parts = content.values().map(|memory| {
                let state = (
                    memory.deleted_at,
                    memory.quarantined,
                    memory.provenance.clone(),
                );
                (memory.id, memory.version, memory.content.clone(), state)
            });
            parts.collect()
        };
        assert_eq!(short(&stored), short(&self.model));
        let found = |memory: &&Memory| memory.deleted_at.is_none() && !memory.quarantined;
        let live: BTreeSet<_> = stored
            .values()
            .filter(found)
            .map(|it| (it.id, it.version))
            .collect();
        let indexed: BTreeSet<_> = running.hand.indexes().ids(tenant).into_iter().collect();
        assert_eq!(indexed, live);
        let mut verifier = Verifier::new();
        for (_, entry) in snapshot.audit(AuditSeq(1), usize::MAX, usize::MAX).unwrap() {
            verifier.push(&entry).unwrap();
        }
        assert_eq!(
            (verifier.size(), running.writer.published().head.size()),
            (audit, audit)
        );
    }

    pub fn end(mut self) -> Trace {
        self.check();
        self.trace.operations += self.disk.operations();
        self.trace
    }
}
