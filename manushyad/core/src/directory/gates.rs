//! Invitations, the keys that sign tokens, limits and bindings, in RAM.

use std::sync::Arc;

use imbl::{HashMap, OrdMap};
use manushya_protocol::id::{BindingId, InvitationId, TenantId};

use crate::model::{
    AuditKey, Binding, GateKey, GateRecord, Invitation, LimitName, LimitOverride, LimitTable, Role,
    TokenKey,
};

/// What lets somebody in. Cheap to clone.
#[derive(Clone, Default)]
pub struct Gates {
    records: OrdMap<(TenantId, GateKey), Arc<GateRecord>>,
    codes: HashMap<[u8; 16], (TenantId, InvitationId)>,
    /// Bindings by the user of their processes.
    uids: OrdMap<(u32, TenantId, BindingId), ()>,
    /// Those of a tenant, as every call looks for them.
    limits: HashMap<TenantId, Arc<[LimitOverride]>>,
}

impl Gates {
    pub(super) fn put(&mut self, record: &Arc<GateRecord>) {
        let at = (record.tenant(), record.key());
        let old = self.records.insert(at, record.clone());
        self.forget_lookup(old.as_deref());
        match &**record {
            GateRecord::Invitation(it) => drop(self.codes.insert(it.tag, (it.tenant, it.id))),
            GateRecord::Limit(it) => {
                let mut set = self.limits_set(it.tenant).to_vec();
                set.push(it.clone());
                self.limits.insert(it.tenant, set.into());
            }
            GateRecord::Binding(it) => drop(self.uids.insert((it.uid, it.tenant, it.id), ())),
            GateRecord::TokenKey(_) | GateRecord::AuditKey(_) => {}
        }
    }

    pub(super) fn remove(&mut self, tenant: TenantId, key: GateKey) {
        let old = self.records.remove(&(tenant, key));
        self.forget_lookup(old.as_deref());
    }

    pub(super) fn forget(&mut self, tenant: TenantId) {
        let gone: Vec<GateKey> = self.of(tenant).map(|record| record.key()).collect();
        for key in gone {
            self.remove(tenant, key);
        }
        self.limits.remove(&tenant);
    }

    fn forget_lookup(&mut self, old: Option<&GateRecord>) {
        match old {
            Some(GateRecord::Invitation(old)) => drop(self.codes.remove(&old.tag)),
            Some(GateRecord::Limit(old)) => {
                let mut set = self.limits_set(old.tenant).to_vec();
                set.retain(|it| it.id != old.id);
                self.limits.insert(old.tenant, set.into());
            }
            Some(GateRecord::Binding(old)) => {
                self.uids.remove(&(old.uid, old.tenant, old.id));
            }
            Some(GateRecord::TokenKey(_) | GateRecord::AuditKey(_)) | None => {}
        }
    }

    /// All records of a tenant, invitations first, each kind oldest first.
    pub fn of(&self, tenant: TenantId) -> impl Iterator<Item = &Arc<GateRecord>> {
        let low = GateKey::Invitation(InvitationId::from_bytes([0; 16]));
        self.records
            .range((tenant, low)..)
            .take_while(move |((of, _), _)| *of == tenant)
            .map(|(_, record)| record)
    }

    /// The invitations of a tenant, oldest first.
    pub fn invitations(&self, tenant: TenantId) -> impl Iterator<Item = &Invitation> {
        self.of(tenant).filter_map(|record| match &**record {
            GateRecord::Invitation(it) => Some(it),
            _ => None,
        })
    }

    /// An invitation by its id.
    pub fn invitation(&self, tenant: TenantId, id: InvitationId) -> Option<&Invitation> {
        match &**self.records.get(&(tenant, GateKey::Invitation(id)))? {
            GateRecord::Invitation(it) => Some(it),
            _ => None,
        }
    }

    /// An invitation by the keyed hash of its code.
    pub fn invitation_by_code(&self, tag: &[u8; 16]) -> Option<&Invitation> {
        let (tenant, id) = self.codes.get(tag)?;
        self.invitation(*tenant, *id)
    }

    /// What is known of the keys that sign tokens, oldest first.
    pub fn token_keys(&self, tenant: TenantId) -> impl Iterator<Item = &TokenKey> {
        self.of(tenant).filter_map(|record| match &**record {
            GateRecord::TokenKey(it) => Some(it),
            _ => None,
        })
    }

    /// The keys that took over the signing of the log, oldest first.
    pub fn audit_keys(&self, tenant: TenantId) -> impl DoubleEndedIterator<Item = &AuditKey> {
        let all = (tenant, GateKey::AuditKey(0))..=(tenant, GateKey::AuditKey(u64::MAX));
        self.records
            .range(all)
            .filter_map(|(_, record)| match &**record {
                GateRecord::AuditKey(it) => Some(it),
                _ => None,
            })
    }

    /// The bindings of a tenant, oldest first.
    pub fn bindings(&self, tenant: TenantId) -> impl Iterator<Item = &Binding> {
        self.of(tenant).filter_map(|record| match &**record {
            GateRecord::Binding(it) => Some(it),
            _ => None,
        })
    }

    /// The bindings of processes of a user, of every tenant.
    pub fn bindings_of_uid(&self, uid: u32) -> impl Iterator<Item = &Binding> {
        let low = (
            TenantId::from_bytes([0; 16]),
            BindingId::from_bytes([0; 16]),
        );
        self.uids
            .range((uid, low.0, low.1)..)
            .take_while(move |((of, ..), ())| *of == uid)
            .filter_map(|((_, tenant, id), ())| {
                match &**self.records.get(&(*tenant, GateKey::Binding(*id)))? {
                    GateRecord::Binding(it) => Some(it),
                    _ => None,
                }
            })
    }

    /// The limits that were set in a tenant.
    pub fn limits_set(&self, tenant: TenantId) -> &[LimitOverride] {
        self.limits.get(&tenant).map_or(&[], |set| &**set)
    }

    /// The limit that was set for a role, or else for all roles.
    pub fn limit_set(
        &self,
        tenant: TenantId,
        name: LimitName,
        role: &Role,
    ) -> Option<&LimitOverride> {
        let set = self.limits_set(tenant);
        let of = |it: &&LimitOverride| it.name == name && it.role.as_ref() == Some(role);
        let all = |it: &&LimitOverride| it.name == name && it.role.is_none();
        set.iter().find(of).or_else(|| set.iter().find(all))
    }

    /// How much a role may, in a tenant: what was set, or what the table says.
    pub fn limit(
        &self,
        tenant: TenantId,
        name: LimitName,
        role: &Role,
        table: LimitTable,
    ) -> Option<u64> {
        let set = self.limit_set(tenant, name, role);
        set.map_or_else(|| table.value(name, Some(role)), |it| it.value)
    }
}
