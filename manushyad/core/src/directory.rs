//! Everything but the memories and the audit log: small enough to be held in RAM whole.
//!
//! The maps are persistent (they share what did not change), so that a reader keeps a consistent
//! state for the price of a pointer while the writer prepares the next one.

mod erasures;
mod gates;

use std::sync::Arc;

use imbl::{HashMap, OrdMap};
use manushya_protocol::id::{IdentityId, PlanId, PolicyId, TenantId, TokenId};

use crate::model::{
    ExternalId, Identity, Policy, PolicyName, PolicyRevision, PurgePlan, Role, Tenant, TenantName,
    Token, TokenKind,
};
use crate::plan::Write;
use crate::policy::PolicySet;
pub use erasures::Erasures;

pub use gates::Gates;

/// Tenants, identities, tokens, policies and purge plans.
#[derive(Clone, Default)]
pub struct Directory {
    tenants: OrdMap<TenantId, Arc<Tenant>>,
    tenant_names: HashMap<TenantName, TenantId>,
    identities: OrdMap<(TenantId, IdentityId), Arc<Identity>>,
    external_ids: HashMap<(TenantId, ExternalId), IdentityId>,
    tokens: OrdMap<(TenantId, TokenId), Arc<Token>>,
    api_keys: HashMap<[u8; 16], (TenantId, TokenId)>,
    policies: OrdMap<(TenantId, PolicyId), Arc<Policy>>,
    policy_names: HashMap<(TenantId, PolicyName), PolicyId>,
    policy_sets: HashMap<TenantId, Arc<PolicySet>>,
    plans: OrdMap<(TenantId, PlanId), Arc<PurgePlan>>,
    gates: Gates,
    revisions: OrdMap<(TenantId, (PolicyId, u32)), Arc<PolicyRevision>>,
    erasures: Erasures,
}

/// The records of one tenant: a range of an ordered map whose keys start with the tenant.
fn of_tenant<'a, K, T>(
    map: &'a OrdMap<(TenantId, K), Arc<T>>,
    tenant: TenantId,
    low: K,
    high: K,
) -> impl Iterator<Item = &'a Arc<T>> + use<'a, K, T>
where
    K: Ord + Clone,
{
    map.range((tenant, low)..=(tenant, high))
        .map(|(_, value)| value)
}

impl Directory {
    /// Takes in one change. Writes of memories leave it as it is.
    pub fn apply(&mut self, write: &Write) {
        self.apply_all(std::slice::from_ref(write));
    }

    /// Takes in many changes, building each tenant's policy set once.
    pub fn apply_all(&mut self, writes: &[Write]) {
        let mut stale: Vec<TenantId> = Vec::new();
        for write in writes {
            if let Some(tenant) = self.apply_one(write)
                && !stale.contains(&tenant)
            {
                stale.push(tenant);
            }
        }
        for tenant in stale {
            let set = PolicySet::build(self.policies(tenant).cloned());
            self.policy_sets.insert(tenant, Arc::new(set));
        }
    }

    /// Takes in one change; returns the tenant whose policies it touched.
    fn apply_one(&mut self, write: &Write) -> Option<TenantId> {
        match write {
            Write::PutTenant(tenant) => {
                // The name of the record before goes first: it may be another one.
                if let Some(old) = self.tenants.insert(tenant.id, tenant.clone()) {
                    self.tenant_names.remove(&old.name);
                }
                self.tenant_names.insert(tenant.name.clone(), tenant.id);
            }
            Write::EraseTenant(id) => {
                if let Some(tenant) = self.tenants.remove(id) {
                    self.tenant_names.remove(&tenant.name);
                }
                self.policy_sets.remove(id);
                self.gates.forget(*id);
                self.erasures.forget(*id);
            }
            Write::PutIdentity(identity) => self.put_identity(identity),
            Write::EraseIdentity(tenant, id) => {
                if let Some(identity) = self.identities.remove(&(*tenant, *id)) {
                    self.external_ids
                        .remove(&(*tenant, identity.external_id.clone()));
                }
            }
            Write::PutToken(token) => self.put_token(token),
            Write::DropToken(tenant, id) => {
                if let Some(old) = self.tokens.remove(&(*tenant, *id))
                    && let TokenKind::ApiKey(key) = &old.kind
                {
                    self.api_keys.remove(&key.tag);
                }
            }
            Write::PutPolicy(policy) => {
                let at = (policy.tenant, policy.id);
                if let Some(old) = self.policies.insert(at, policy.clone()) {
                    self.policy_names.remove(&(old.tenant, old.name.clone()));
                }
                self.policy_names
                    .insert((policy.tenant, policy.name.clone()), policy.id);
                return Some(policy.tenant);
            }
            Write::DropPolicy(tenant, id) => {
                if let Some(policy) = self.policies.remove(&(*tenant, *id)) {
                    self.policy_names.remove(&(*tenant, policy.name.clone()));
                }
                return Some(*tenant);
            }
            Write::PutPlan(plan) => {
                self.plans.insert((plan.tenant, plan.id), plan.clone());
            }
            Write::DropPlan(tenant, id) => {
                self.plans.remove(&(*tenant, *id));
            }
            Write::PutGate(record) => self.gates.put(record),
            Write::DropGate(tenant, key) => self.gates.remove(*tenant, *key),
            Write::PutRevision(revision) => {
                let policy = &revision.policy;
                let at = (policy.tenant, (policy.id, policy.revision));
                self.revisions.insert(at, revision.clone());
            }
            Write::DropRevision(tenant, id, revision) => {
                self.revisions.remove(&(*tenant, (*id, *revision)));
            }
            Write::PutMemory { .. } | Write::EraseMemory(..) | Write::RenewKey(_) => {}
            Write::PutErasure(record) => self.erasures.put(record),
            Write::DropErasure(tenant, key) => self.erasures.remove(*tenant, key),
        }
        None
    }

    fn put_identity(&mut self, identity: &Arc<Identity>) {
        let at = (identity.tenant, identity.id);
        if let Some(old) = self.identities.insert(at, identity.clone()) {
            self.external_ids
                .remove(&(old.tenant, old.external_id.clone()));
        }
        self.external_ids
            .insert((identity.tenant, identity.external_id.clone()), identity.id);
    }

    fn put_token(&mut self, token: &Arc<Token>) {
        let at = (token.tenant, token.id);
        if let Some(old) = self.tokens.insert(at, token.clone())
            && let TokenKind::ApiKey(key) = &old.kind
        {
            self.api_keys.remove(&key.tag);
        }
        if let TokenKind::ApiKey(key) = &token.kind {
            self.api_keys.insert(key.tag, at);
        }
    }

    /// All tenants, oldest first.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values()
    }

    /// A tenant by its id.
    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id)
    }

    /// A tenant by its name.
    pub fn tenant_by_name(&self, name: &str) -> Option<&Arc<Tenant>> {
        let name = TenantName::new(name).ok()?;
        self.tenants.get(self.tenant_names.get(&name)?)
    }

    /// The identities of a tenant, oldest first.
    pub fn identities(&self, tenant: TenantId) -> impl Iterator<Item = &Arc<Identity>> {
        let (low, high) = (
            IdentityId::from_bytes([0; 16]),
            IdentityId::from_bytes([255; 16]),
        );
        of_tenant(&self.identities, tenant, low, high)
    }

    /// How many identities there are on the whole host.
    pub fn identity_count(&self) -> usize {
        self.identities.len()
    }

    /// An identity by its id.
    pub fn identity(&self, tenant: TenantId, id: IdentityId) -> Option<&Arc<Identity>> {
        self.identities.get(&(tenant, id))
    }

    /// An identity by its id or external id.
    pub fn identity_by_ref(&self, tenant: TenantId, reference: &str) -> Option<&Arc<Identity>> {
        if let Ok(id) = reference.parse::<IdentityId>() {
            return self.identity(tenant, id);
        }
        let external_id = ExternalId::new(reference).ok()?;
        self.identity(tenant, *self.external_ids.get(&(tenant, external_id))?)
    }

    /// The tokens of a tenant, oldest first.
    pub fn tokens(&self, tenant: TenantId) -> impl Iterator<Item = &Arc<Token>> {
        let (low, high) = (TokenId::from_bytes([0; 16]), TokenId::from_bytes([255; 16]));
        of_tenant(&self.tokens, tenant, low, high)
    }

    /// A token by its id.
    pub fn token(&self, tenant: TenantId, id: TokenId) -> Option<&Arc<Token>> {
        self.tokens.get(&(tenant, id))
    }

    /// The record of an API key, by the keyed hash of the key.
    pub fn api_key(&self, tag: &[u8; 16]) -> Option<&Arc<Token>> {
        let (tenant, id) = self.api_keys.get(tag)?;
        self.token(*tenant, *id)
    }

    /// The policies of a tenant, oldest first.
    pub fn policies(&self, tenant: TenantId) -> impl Iterator<Item = &Arc<Policy>> {
        let (low, high) = (
            PolicyId::from_bytes([0; 16]),
            PolicyId::from_bytes([255; 16]),
        );
        of_tenant(&self.policies, tenant, low, high)
    }

    /// A policy by its id.
    pub fn policy(&self, tenant: TenantId, id: PolicyId) -> Option<&Arc<Policy>> {
        self.policies.get(&(tenant, id))
    }

    /// A policy by its id or name.
    pub fn policy_by_ref(&self, tenant: TenantId, reference: &str) -> Option<&Arc<Policy>> {
        if let Ok(id) = reference.parse::<PolicyId>() {
            return self.policy(tenant, id);
        }
        let name = PolicyName::new(reference).ok()?;
        self.policy(tenant, *self.policy_names.get(&(tenant, name))?)
    }

    /// The compiled policies of a tenant; an unknown tenant has none, and so denies.
    pub fn policy_set(&self, tenant: TenantId) -> Arc<PolicySet> {
        self.policy_sets.get(&tenant).cloned().unwrap_or_default()
    }

    /// The purge plans of a tenant, oldest first.
    pub fn plans(&self, tenant: TenantId) -> impl Iterator<Item = &Arc<PurgePlan>> {
        let (low, high) = (PlanId::from_bytes([0; 16]), PlanId::from_bytes([255; 16]));
        of_tenant(&self.plans, tenant, low, high)
    }

    /// A purge plan by its id.
    pub fn plan(&self, tenant: TenantId, id: PlanId) -> Option<&Arc<PurgePlan>> {
        self.plans.get(&(tenant, id))
    }

    /// Invitations, and the keys that sign tokens.
    pub fn gates(&self) -> &Gates {
        &self.gates
    }

    /// The revisions of all policies of a tenant, removed ones included: by policy, oldest first.
    pub fn revisions(&self, tenant: TenantId) -> impl Iterator<Item = &Arc<PolicyRevision>> {
        let low = (PolicyId::from_bytes([0; 16]), 0);
        let high = (PolicyId::from_bytes([255; 16]), u32::MAX);
        of_tenant(&self.revisions, tenant, low, high)
    }

    /// The revisions of one policy, oldest first.
    pub fn revisions_of(
        &self,
        tenant: TenantId,
        policy: PolicyId,
    ) -> impl Iterator<Item = &Arc<PolicyRevision>> {
        of_tenant(&self.revisions, tenant, (policy, 0), (policy, u32::MAX))
    }

    /// The policy that an id or a name means, or meant last: of a removed one, its last revision.
    pub fn policy_id_by_ref(&self, tenant: TenantId, reference: &str) -> Option<PolicyId> {
        if let Some(policy) = self.policy_by_ref(tenant, reference) {
            return Some(policy.id);
        }
        if let Ok(id) = reference.parse::<PolicyId>() {
            return self.revisions_of(tenant, id).next().map(|_| id);
        }
        let named = self
            .revisions(tenant)
            .filter(|revision| revision.policy.name.as_str() == reference);
        named
            .max_by_key(|revision| (revision.policy.updated_at, revision.policy.id))
            .map(|revision| revision.policy.id)
    }

    /// Receipts, holds, retentions and backups.
    pub fn erasures(&self) -> &Erasures {
        &self.erasures
    }

    /// Whether a role is held by any identity of the tenant that may act.
    pub fn has_active_role(&self, tenant: TenantId, role: &Role) -> bool {
        self.identities(tenant)
            .any(|identity| identity.is_active && identity.role == *role)
    }
}
