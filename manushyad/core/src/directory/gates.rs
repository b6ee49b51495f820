//! Invitations and the keys that sign tokens, in RAM.

use std::sync::Arc;

use imbl::{HashMap, OrdMap};
use manushya_protocol::id::{InvitationId, TenantId};

use crate::model::{GateKey, GateRecord, Invitation, TokenKey};

/// What lets somebody in. Cheap to clone.
#[derive(Clone, Default)]
pub struct Gates {
    records: OrdMap<(TenantId, GateKey), Arc<GateRecord>>,
    codes: HashMap<[u8; 16], (TenantId, InvitationId)>,
}

impl Gates {
    pub(super) fn put(&mut self, record: &Arc<GateRecord>) {
        let at = (record.tenant(), record.key());
        let old = self.records.insert(at, record.clone());
        self.forget_code(old.as_deref());
        if let GateRecord::Invitation(it) = &**record {
            self.codes.insert(it.tag, (it.tenant, it.id));
        }
    }

    pub(super) fn remove(&mut self, tenant: TenantId, key: GateKey) {
        let old = self.records.remove(&(tenant, key));
        self.forget_code(old.as_deref());
    }

    pub(super) fn forget(&mut self, tenant: TenantId) {
        let gone: Vec<GateKey> = self.of(tenant).map(|record| record.key()).collect();
        for key in gone {
            self.remove(tenant, key);
        }
    }

    fn forget_code(&mut self, old: Option<&GateRecord>) {
        if let Some(GateRecord::Invitation(old)) = old {
            self.codes.remove(&old.tag);
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
            GateRecord::TokenKey(_) => None,
        })
    }

    /// An invitation by its id.
    pub fn invitation(&self, tenant: TenantId, id: InvitationId) -> Option<&Invitation> {
        match &**self.records.get(&(tenant, GateKey::Invitation(id)))? {
            GateRecord::Invitation(it) => Some(it),
            GateRecord::TokenKey(_) => None,
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
            GateRecord::Invitation(_) => None,
        })
    }
}
