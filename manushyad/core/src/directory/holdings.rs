//! How many memories there are of whom, and how many bytes they take: what quotas are held against.
//! Counted where the writes are carried out, so that within the one transaction it is always right.

use imbl::OrdMap;
use manushya_protocol::id::{IdentityId, TenantId};

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Memories, deleted and held back ones included.
    pub memories: u64,
    /// Bytes of their rows, those of earlier versions included.
    pub bytes: u64,
}

impl Held {
    fn add(&mut self, memories: i64, bytes: i64) {
        self.memories = self.memories.saturating_add_signed(memories);
        self.bytes = self.bytes.saturating_add_signed(bytes);
    }
}

/// What a write put, or took away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// So many memories and bytes of an owner came; less than none if they went.
    By {
        /// The tenant.
        tenant: TenantId,
        /// The owner.
        owner: IdentityId,
        /// How many memories.
        memories: i64,
        /// How many bytes.
        bytes: i64,
    },
    /// All of a tenant went.
    AllOf(TenantId),
}

/// How much is kept of whom. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holdings {
    owners: OrdMap<(TenantId, IdentityId), Held>,
    tenants: OrdMap<TenantId, Held>,
}

impl Holdings {
    pub(super) fn count(&mut self, taken: &Taken) {
        match *taken {
            Taken::By {
                tenant,
                owner,
                memories,
                bytes,
            } => {
                let held = self.owners.entry((tenant, owner)).or_default();
                held.add(memories, bytes);
                if *held == Held::default() {
                    self.owners.remove(&(tenant, owner));
                }
                let all = self.tenants.entry(tenant).or_default();
                all.add(memories, bytes);
                if *all == Held::default() {
                    self.tenants.remove(&tenant);
                }
            }
            Taken::AllOf(tenant) => {
                let gone: Vec<_> = owners_of(&self.owners, tenant).collect();
                for owner in gone {
                    self.owners.remove(&(tenant, owner));
                }
                self.tenants.remove(&tenant);
            }
        }
    }

    /// How much is kept of one owner.
    pub fn of(&self, tenant: TenantId, owner: IdentityId) -> Held {
        let held = self.owners.get(&(tenant, owner));
        held.copied().unwrap_or_default()
    }

    /// How much is kept of all of a tenant.
    pub fn of_tenant(&self, tenant: TenantId) -> Held {
        self.tenants.get(&tenant).copied().unwrap_or_default()
    }
}

fn owners_of(
    owners: &OrdMap<(TenantId, IdentityId), Held>,
    tenant: TenantId,
) -> impl Iterator<Item = IdentityId> {
    let (low, high) = (
        IdentityId::from_bytes([0; 16]),
        IdentityId::from_bytes([255; 16]),
    );
    owners
        .range((tenant, low)..=(tenant, high))
        .map(|((_, owner), _)| *owner)
}
