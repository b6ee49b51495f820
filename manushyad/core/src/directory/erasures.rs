//! Receipts, holds, retentions and backups, in RAM.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;
use manushya_protocol::id::{BackupId, HoldId, IdentityId, MemoryId, PlanId, TenantId};
use manushya_protocol::unit::UnixMillis;

use crate::model::{
    Backup, ErasureKey, ErasureRecord, Hold, HoldScope, Keep, Kind, PurgeReceipt, Retention,
};

/// What is kept about erasures. Cheap to clone.
#[derive(Clone, Default)]
pub struct Erasures {
    records: OrdMap<(TenantId, ErasureKey), Arc<ErasureRecord>>,
}

impl Erasures {
    pub(super) fn put(&mut self, record: &Arc<ErasureRecord>) {
        let at = (record.tenant(), record.key());
        self.records.insert(at, record.clone());
    }

    pub(super) fn remove(&mut self, tenant: TenantId, key: &ErasureKey) {
        self.records.remove(&(tenant, key.clone()));
    }

    pub(super) fn forget(&mut self, tenant: TenantId) {
        let gone: Vec<ErasureKey> = self.of(tenant).map(|record| record.key()).collect();
        for key in gone {
            self.remove(tenant, &key);
        }
    }

    fn of(&self, tenant: TenantId) -> impl Iterator<Item = &Arc<ErasureRecord>> {
        let low = (tenant, ErasureKey::Hold(HoldId::from_bytes([0; 16])));
        let range = (Bound::Included(low), Bound::Unbounded);
        self.records
            .range(range)
            .take_while(move |((of, _), _)| *of == tenant)
            .map(|(_, record)| record)
    }

    fn get(&self, tenant: TenantId, key: ErasureKey) -> Option<&ErasureRecord> {
        self.records.get(&(tenant, key)).map(|record| &**record)
    }

    /// The receipts of a tenant, oldest first.
    pub fn receipts(&self, tenant: TenantId) -> impl Iterator<Item = &PurgeReceipt> {
        self.of(tenant).filter_map(|record| match &**record {
            ErasureRecord::Receipt(receipt) => Some(receipt),
            _ => None,
        })
    }

    /// The receipt of a plan.
    pub fn receipt(&self, tenant: TenantId, plan: PlanId) -> Option<&PurgeReceipt> {
        match self.get(tenant, ErasureKey::Receipt(plan))? {
            ErasureRecord::Receipt(receipt) => Some(receipt),
            _ => None,
        }
    }

    /// The holds of a tenant, oldest first.
    pub fn holds(&self, tenant: TenantId) -> impl Iterator<Item = &Hold> {
        self.of(tenant).filter_map(|record| match &**record {
            ErasureRecord::Hold(hold) => Some(hold),
            _ => None,
        })
    }

    /// A hold by its id.
    pub fn hold(&self, tenant: TenantId, id: HoldId) -> Option<&Hold> {
        match self.get(tenant, ErasureKey::Hold(id))? {
            ErasureRecord::Hold(hold) => Some(hold),
            _ => None,
        }
    }

    /// The hold that keeps a memory of this owner, if one does.
    pub fn hold_on(&self, tenant: TenantId, owner: IdentityId, memory: MemoryId) -> Option<&Hold> {
        self.holds(tenant).find(|hold| match &hold.scope {
            HoldScope::Tenant => true,
            HoldScope::Subject(subject) => *subject == owner,
            HoldScope::Memory(held) => *held == memory,
        })
    }

    /// The retentions of a tenant.
    pub fn retentions(&self, tenant: TenantId) -> impl Iterator<Item = &Retention> {
        self.of(tenant).filter_map(|record| match &**record {
            ErasureRecord::Retention(retention) => Some(retention),
            _ => None,
        })
    }

    /// The retention of a type, or of all types.
    pub fn retention(&self, tenant: TenantId, kind: Option<&Kind>) -> Option<&Retention> {
        match self.get(tenant, ErasureKey::Retention(kind.cloned()))? {
            ErasureRecord::Retention(retention) => Some(retention),
            _ => None,
        }
    }

    /// How long memories of this type are kept in a tenant, as far as a rule says.
    pub fn keep(&self, tenant: TenantId, kind: &Kind) -> Keep {
        let of = |kind| self.retention(tenant, kind).map(|it| it.keep);
        of(Some(kind))
            .unwrap_or_default()
            .or(of(None).unwrap_or_default())
    }

    /// The backups filed under a tenant, oldest first.
    pub fn backups(&self, tenant: TenantId) -> impl Iterator<Item = &Backup> {
        self.of(tenant).filter_map(|record| match &**record {
            ErasureRecord::Backup(backup) => Some(backup),
            _ => None,
        })
    }

    /// A backup by its id.
    pub fn backup(&self, tenant: TenantId, id: BackupId) -> Option<&Backup> {
        match self.get(tenant, ErasureKey::Backup(id))? {
            ErasureRecord::Backup(backup) => Some(backup),
            _ => None,
        }
    }

    /// The backups filed under a tenant that were taken before `moment` and may still exist then.
    pub fn backups_at(
        &self,
        tenant: TenantId,
        moment: UnixMillis,
    ) -> impl Iterator<Item = &Backup> {
        self.backups(tenant).filter(move |backup| {
            backup.created_at <= moment && backup.keep_until.is_none_or(|until| until > moment)
        })
    }
}
