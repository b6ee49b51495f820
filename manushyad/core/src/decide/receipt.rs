//! Receipts of erasures that nobody planned: of a sweep, a memory, an identity, a tenant.
//!
//! Like that of a plan, the record is written with the erasure itself; it is signed later.

use std::sync::Arc;

use manushya_protocol::id::{IdentityId, MemoryId, PlanId, TenantId};

use super::refusal::Refusal;
use super::tenant::DEFAULT_TENANT;
use crate::command::Context;
use crate::model::{ErasureKey, ErasureRecord, PurgeReceipt};
use crate::plan::{Plan, Write};
use crate::view::{View, ViewError};

/// How many receipts of sweeps a tenant keeps; the log and the ledger tell of older ones.
pub const SWEEPS_KEPT: usize = 1_000;
/// How many receipts of single memories a tenant keeps.
pub const MEMORIES_KEPT: usize = 10_000;

/// What was erased without a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplanned {
    /// What was due.
    Sweep,
    /// One memory.
    Memory(MemoryId),
    /// An identity that owned nothing.
    Identity(IdentityId),
    /// A tenant and everything in it.
    Tenant(TenantId),
}

impl Unplanned {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::Memory(_) => "memory",
            Self::Identity(_) => "identity",
            Self::Tenant(_) => "tenant",
        }
    }

    /// What it erases, in words; none for the scope of a plan.
    pub fn describe(scope: &str) -> Option<&'static str> {
        match scope {
            "sweep" => Some("what was due, by a sweep"),
            "memory" => Some("a memory by itself"),
            "identity" => Some("an identity that owned nothing"),
            "tenant" => Some("a tenant and everything in it"),
            _ => None,
        }
    }

    /// How many receipts of this kind are kept, if there may be any number of erasures.
    fn kept(self) -> Option<usize> {
        match self {
            Self::Sweep => Some(SWEEPS_KEPT),
            Self::Memory(_) => Some(MEMORIES_KEPT),
            Self::Identity(_) | Self::Tenant(_) => None,
        }
    }
}

/// How much a plan's writes erase.
#[derive(Default)]
struct Counts {
    memories: u64,
    versions: u64,
    tokens: u64,
    identities: u64,
}

impl Counts {
    fn memory(&mut self, view: &impl View, of: TenantId, id: MemoryId) -> Result<(), ViewError> {
        self.memories += 1;
        self.versions += view.versions(of, id)?;
        Ok(())
    }

    fn of(view: &impl View, writes: &[Write]) -> Result<Self, ViewError> {
        let mut counts = Self::default();
        for write in writes {
            match write {
                Write::EraseMemory(tenant, id) => counts.memory(view, *tenant, *id)?,
                Write::DropToken(..) => counts.tokens += 1,
                Write::EraseIdentity(..) => counts.identities += 1,
                // The tenant takes the memories with it; nothing names them.
                Write::EraseTenant(tenant) => {
                    for identity in view.directory().identities(*tenant) {
                        for (id, version) in view.memories_of(*tenant, identity.id)? {
                            counts.memories += 1;
                            if version > 1 {
                                counts.versions += view.versions(*tenant, id)?;
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(counts)
    }
}

/// Has what a plan erases put on a receipt called `id`. A plan that erases nothing stays as it is.
///
/// # Errors
///
/// A refusal if the store cannot be read.
pub fn unplanned<R>(
    view: &impl View,
    context: &Context,
    id: PlanId,
    what: Unplanned,
    mut plan: Plan<R>,
) -> Result<Plan<R>, Refusal> {
    let erases = |write: &Write| {
        matches!(
            write,
            Write::EraseMemory(..) | Write::EraseIdentity(..) | Write::EraseTenant(_)
        )
    };
    if !plan.writes.iter().any(erases) {
        return Ok(plan);
    }
    let counts = match Counts::of(view, &plan.writes) {
        Ok(counts) => counts,
        Err(error) => return Err(Refusal::broken(&plan.audit, error)),
    };
    let directory = view.directory();
    let mut tenant = context.actor.identity.tenant;
    if what == Unplanned::Tenant(tenant) {
        // A tenant that is erased keeps nothing, and the first one is never erased.
        let first = directory.tenant_by_name(DEFAULT_TENANT);
        tenant = first.map_or(tenant, |first| first.id);
    }
    let (subject, erased) = match what {
        Unplanned::Sweep => (None, None),
        Unplanned::Memory(id) => (None, Some(id.to_bytes())),
        Unplanned::Identity(id) => (Some(id), None),
        Unplanned::Tenant(id) => (None, Some(id.to_bytes())),
    };
    if let Some(kept) = what.kept() {
        let same = || {
            let all = directory.erasures().receipts(tenant);
            all.filter(|receipt| receipt.scope == what.as_str())
        };
        let many = (same().count() + 1).saturating_sub(kept);
        let old = same().take(many).map(|receipt| receipt.plan);
        plan.writes
            .extend(old.map(|old| Write::DropErasure(tenant, ErasureKey::Receipt(old))));
    }
    let by = context.actor.identity.id;
    let receipt = PurgeReceipt {
        plan: id,
        tenant,
        scope: what.as_str().to_owned(),
        subject,
        erased,
        planned_by: by,
        planned_at: context.now,
        applied_by: by,
        applied_at: context.now,
        request_id: context.request_id,
        memories: counts.memories,
        versions: counts.versions,
        tokens: counts.tokens,
        identities: counts.identities,
        signed: None,
    };
    plan.writes
        .push(Write::PutErasure(Arc::new(ErasureRecord::Receipt(receipt))));
    Ok(plan)
}
