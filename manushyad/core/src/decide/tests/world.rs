//! A host in memory: ordered maps, no persistence, no sharing. It is a second implementation of
//! [`View`], so that the deciding and [`Directory`] can be held to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use manushya_protocol::id::{IdentityId, MemoryId, PlanId, PolicyId, RequestId, TenantId, TokenId};
use manushya_protocol::unit::UnixMillis;
use serde_json::Map;

use super::command::{Command, Done, Reply};
use crate::command::{Context, CreateTenant};
use crate::decide::{Refusal, chain, tenant};
use crate::directory::Directory;
use crate::model::{
    Actor, EmbedderTag, Embedding, ExternalId, Identity, Limits, Memory, MemoryContent, MemoryKey,
    Policy, PolicyRevision, Provenance, PurgePlan, Role, Scope, Tenant, TenantName, Token,
    TokenKind, Trust, Via,
};
use crate::plan::Write;
use crate::view::{View, ViewError};

/// A memory with what the store keeps beside it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub memory: Memory,
    pub history: Vec<Memory>,
    pub due: Option<UnixMillis>,
}

/// Everything that is stored.
#[derive(Clone, Default)]
pub struct Model {
    pub directory: Directory,
    pub tenants: BTreeMap<TenantId, Arc<Tenant>>,
    pub identities: BTreeMap<(TenantId, IdentityId), Arc<Identity>>,
    pub tokens: BTreeMap<(TenantId, TokenId), Arc<Token>>,
    pub policies: BTreeMap<(TenantId, PolicyId), Arc<Policy>>,
    pub plans: BTreeMap<(TenantId, PlanId), Arc<PurgePlan>>,
    pub memories: BTreeMap<(TenantId, MemoryId), Kept>,
    pub revisions: BTreeMap<(TenantId, PolicyId, u32), Arc<PolicyRevision>>,
}

impl Model {
    pub fn apply(&mut self, writes: &[Write]) {
        self.directory.apply_all(writes);
        for write in writes {
            self.apply_one(write);
        }
    }

    fn apply_one(&mut self, write: &Write) {
        match write.clone() {
            Write::PutTenant(it) => drop(self.tenants.insert(it.id, it)),
            Write::EraseTenant(id) => {
                self.tenants.remove(&id);
                self.memories.retain(|(tenant, _), _| *tenant != id);
            }
            Write::PutIdentity(it) => drop(self.identities.insert((it.tenant, it.id), it)),
            Write::EraseIdentity(tenant, id) => drop(self.identities.remove(&(tenant, id))),
            Write::PutToken(it) => drop(self.tokens.insert((it.tenant, it.id), it)),
            Write::DropToken(tenant, id) => drop(self.tokens.remove(&(tenant, id))),
            Write::PutPolicy(it) => drop(self.policies.insert((it.tenant, it.id), it)),
            Write::DropPolicy(tenant, id) => drop(self.policies.remove(&(tenant, id))),
            Write::PutPlan(it) => drop(self.plans.insert((it.tenant, it.id), it)),
            Write::DropPlan(tenant, id) => drop(self.plans.remove(&(tenant, id))),
            Write::PutRevision(it) => {
                let at = (it.policy.tenant, it.policy.id, it.policy.revision);
                assert!(
                    self.revisions.insert(at, it).is_none(),
                    "a revision was changed"
                );
            }
            Write::RenewKey(_) => {}
            Write::DropRevision(tenant, id, revision) => {
                drop(self.revisions.remove(&(tenant, id, revision)));
            }
            Write::PutMemory { memory, due } => self.put_memory(*memory, due),
            Write::EraseMemory(tenant, id) => drop(self.memories.remove(&(tenant, id))),
            // Only the directory has these.
            Write::PutGate(_) | Write::DropGate(..) => {}
            // The directory has those.
            Write::PutErasure(_) | Write::DropErasure(..) => {}
        }
    }

    fn put_memory(&mut self, memory: Memory, due: Option<UnixMillis>) {
        let at = (memory.tenant, memory.id);
        let mut history = Vec::new();
        if let Some(old) = self.memories.remove(&at) {
            history = old.history;
            if memory.version > old.memory.version {
                history.push(old.memory);
            }
        }
        let kept = Kept {
            memory,
            history,
            due,
        };
        self.memories.insert(at, kept);
    }

    pub fn kept(&self, tenant: TenantId, id: MemoryId) -> &Memory {
        &self.memories[&(tenant, id)].memory
    }

    pub fn owned(&self, tenant: TenantId, owner: IdentityId) -> Vec<&Memory> {
        let memories = self.memories.values().map(|kept| &kept.memory);
        memories
            .filter(|memory| memory.tenant == tenant && memory.owner == owner)
            .collect()
    }
}

impl View for Model {
    fn directory(&self) -> &Directory {
        &self.directory
    }

    fn memory(&self, tenant: TenantId, id: MemoryId) -> Result<Option<Memory>, ViewError> {
        let kept = self.memories.get(&(tenant, id));
        Ok(kept.map(|kept| kept.memory.clone()))
    }

    fn memory_by_key(
        &self,
        tenant: TenantId,
        owner: IdentityId,
        key: &MemoryKey,
    ) -> Result<Option<MemoryId>, ViewError> {
        let mut owned = self.owned(tenant, owner).into_iter();
        Ok(owned
            .find(|memory| memory.key.as_ref() == Some(key))
            .map(|memory| memory.id))
    }

    fn versions(&self, tenant: TenantId, id: MemoryId) -> Result<u64, ViewError> {
        let kept = self.memories.get(&(tenant, id));
        Ok(kept.map_or(0, |kept| kept.history.len() as u64))
    }

    fn memories_of(
        &self,
        tenant: TenantId,
        owner: IdentityId,
    ) -> Result<Vec<(MemoryId, u32)>, ViewError> {
        let owned = self.owned(tenant, owner).into_iter();
        Ok(owned.map(|memory| (memory.id, memory.version)).collect())
    }

    fn due(
        &self,
        tenant: TenantId,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<(MemoryId, u32)>, ViewError> {
        let mut due: Vec<_> = self
            .memories
            .values()
            .filter(|kept| kept.memory.tenant == tenant)
            .filter_map(|kept| Some((kept.due.filter(|at| *at <= now)?, &kept.memory)))
            .map(|(at, memory)| (at, memory.id, memory.version))
            .collect();
        due.sort_unstable();
        let found = due.into_iter().map(|(_, id, version)| (id, version));
        Ok(found.take(limit).collect())
    }
}

/// A vector that belongs to one text.
pub fn vector(text: &str) -> Vec<f32> {
    let step = |sum: u32, byte: u8| sum.wrapping_mul(31).wrapping_add(u32::from(byte)) % 65_521;
    vec![text.len() as f32, text.bytes().fold(7, step) as f32]
}

/// The same, with what made it.
pub fn embedding(text: &str) -> Embedding {
    Embedding {
        by: EmbedderTag(7),
        vector: Some(vector(text)),
    }
}

/// Plain content with this text.
pub fn content(text: &str) -> MemoryContent {
    MemoryContent {
        text: text.to_owned(),
        kind: crate::model::Kind::default(),
        tags: Vec::new(),
        metadata: Map::new(),
        namespace: crate::model::Namespace::default(),
        session: None,
        trust: Trust::default(),
        expires_at: None,
    }
}

pub const RETENTION_SECONDS: u64 = 30 * 86_400;
/// Life of the tokens that are planted.
pub const TTL_SECONDS: u64 = 80 * 86_400;

/// A host with a clock and a source of ids, both of which only count.
#[derive(Clone)]
pub struct World {
    pub model: Model,
    pub now: UnixMillis,
    made: u64,
}

impl World {
    pub fn new() -> Self {
        Self {
            model: Model::default(),
            now: UnixMillis(1_795_426_200_000),
            made: 0,
        }
    }

    pub fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus_seconds(seconds);
    }

    /// The next id, of any noun.
    pub fn id<T>(&mut self, make: fn([u8; 16]) -> T) -> T {
        self.made += 1;
        make((u128::from(self.made) | 1 << 100).to_be_bytes())
    }

    pub fn found(&mut self, name: &str) -> TenantId {
        let command = self.create_tenant(name);
        let (tenant, writes) = tenant::founding_writes(&command, self.now).unwrap();
        self.model.apply(&writes);
        tenant.id
    }

    pub fn create_tenant(&mut self, name: &str) -> CreateTenant {
        CreateTenant {
            id: self.id(TenantId::from_bytes),
            name: TenantName::new(name).unwrap(),
            operator: self.id(IdentityId::from_bytes),
            policies: tenant::policy_ids(|| self.id(PolicyId::from_bytes)),
        }
    }

    /// Plants an identity.
    pub fn join(&mut self, tenant: TenantId, external_id: &str, role: &str) -> IdentityId {
        let id = self.id(IdentityId::from_bytes);
        let identity = Identity {
            id,
            tenant,
            external_id: ExternalId::new(external_id).unwrap(),
            role: Role::new(role).unwrap(),
            name: None,
            description: None,
            claims: Map::new(),
            is_active: true,
            quarantine: false,
            token_epoch: 0,
            created_at: self.now,
            updated_at: self.now,
        };
        self.model.apply(&[Write::PutIdentity(Arc::new(identity))]);
        id
    }

    /// Plants a token.
    pub fn token(&mut self, tenant: TenantId, identity: IdentityId, scopes: &[Scope]) -> TokenId {
        let id = self.id(TokenId::from_bytes);
        let token = Token {
            id,
            tenant,
            identity,
            scopes: scopes.to_vec(),
            label: None,
            epoch: self.model.identities[&(tenant, identity)].token_epoch,
            issued_at: self.now,
            expires_at: self.now.plus_seconds(TTL_SECONDS),
            revoked_at: None,
            limits: Limits::default(),
            uses: None,
            purpose: None,
            parent: None,
            kind: TokenKind::Access,
        };
        self.model.apply(&[Write::PutToken(Arc::new(token))]);
        id
    }

    /// Plants a memory.
    pub fn remember(&mut self, tenant: TenantId, owner: IdentityId, text: &str) -> MemoryId {
        let id = self.id(MemoryId::from_bytes);
        let memory = Memory {
            id,
            tenant,
            owner,
            key: None,
            content: content(text),
            vector: Some(vector(text)),
            embedder: EmbedderTag(7),
            version: 1,
            created_at: self.now,
            updated_at: self.now,
            deleted_at: None,
            provenance: Provenance::plain(owner, RequestId::from_bytes([0; 16]), self.now),
            quarantined: false,
            canary: false,
            superseded: None,
            supersedes: Vec::new(),
        };
        self.model.put_memory(memory, None);
        id
    }

    /// Changes an identity behind the deciding's back.
    pub fn edit(&mut self, tenant: TenantId, id: IdentityId, change: impl FnOnce(&mut Identity)) {
        let mut identity = Identity::clone(&self.model.identities[&(tenant, id)]);
        change(&mut identity);
        self.model.apply(&[Write::PutIdentity(Arc::new(identity))]);
    }

    /// Changes a token behind the deciding's back.
    pub fn edit_token(&mut self, tenant: TenantId, id: TokenId, change: impl FnOnce(&mut Token)) {
        let mut token = Token::clone(&self.model.tokens[&(tenant, id)]);
        change(&mut token);
        self.model.apply(&[Write::PutToken(Arc::new(token))]);
    }

    /// A request by a token, whatever has become of the token.
    pub fn by_token(&self, tenant: TenantId, token: TokenId) -> Context {
        let record = &self.model.tokens[&(tenant, token)];
        let via = Via::Token(token);
        let directory = &self.model.directory;
        let links = chain::links(directory, tenant, token).unwrap_or_default();
        let root = links.last().map_or(record.identity, |it| it.identity.id);
        let identity = self.model.identities[&(tenant, root)].clone();
        let mut context = self.context(identity, via, record.scopes.clone().into(), false);
        context.purpose = links.iter().find_map(|link| link.token.purpose.clone());
        context.actor.links = links.into();
        context
    }

    /// A request by the operator of the host, in a tenant.
    pub fn by_peer(&self, tenant: TenantId) -> Context {
        let operator = self.model.tenants[&tenant].operator;
        let identity = self.model.identities[&(tenant, operator)].clone();
        self.context(identity, Via::PeerUid, Arc::new([Scope::ALL]), true)
    }

    /// A request of the daemon itself, in a tenant.
    pub fn by_daemon(&self, tenant: TenantId) -> Context {
        let mut context = self.by_peer(tenant);
        context.actor.via = Via::Daemon;
        context
    }

    /// A request by a new token of an identity, with every scope.
    pub fn by(&mut self, tenant: TenantId, identity: IdentityId) -> Context {
        let token = self.token(tenant, identity, &[Scope::ALL]);
        self.by_token(tenant, token)
    }

    fn context(
        &self,
        identity: Arc<Identity>,
        via: Via,
        scopes: Arc<[Scope]>,
        operator: bool,
    ) -> Context {
        Context {
            actor: Actor {
                identity,
                via,
                peer_uid: Some(1000),
                scopes,
                links: Arc::new([]),
                operator,
                transport: "unix",
            },
            now: self.now,
            request_id: RequestId::from_bytes([3; 16]),
            purpose: None,
            dry_run: false,
            whole_host: false,
            retention_seconds: RETENTION_SECONDS,
        }
    }

    /// Decides, and carries out what was decided.
    pub fn run(&mut self, context: &Context, command: Command) -> Result<Reply, Refusal> {
        self.decide(context, command).map(|done| done.reply)
    }

    /// Like [`Self::run`], with the whole plan.
    pub fn decide(&mut self, context: &Context, command: Command) -> Result<Done, Refusal> {
        let done = command.decide(&self.model, context)?;
        self.model.apply(&done.writes);
        Ok(done)
    }
}
