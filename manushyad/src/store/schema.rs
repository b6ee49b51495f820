//! Tables and the layout of their keys. Every key starts with the tenant where there is one, so
//! that a tenant is one range of each table. `docs/formats/store.md` has it byte by byte.

use std::ops::RangeInclusive;

use manushya_core::model::DataKeyId;
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::UnixMillis;
use redb::TableDefinition;

/// The newest layout this release reads, and the one it writes.
pub const SCHEMA: u32 = 1;

pub(super) type Bytes = &'static [u8];
pub(super) type Fixed<const N: usize> = &'static [u8; N];

/// Facts about the file itself.
pub(super) const META: TableDefinition<'static, &'static str, Bytes> = TableDefinition::new("meta");
/// tenant | kind | id -> sealed tenant, identity, token, policy, purge plan or another record.
pub(super) const DIRECTORY: TableDefinition<'static, Fixed<33>, Bytes> =
    TableDefinition::new("directory");
/// tenant | memory -> the current version of a memory.
pub(super) const MEMORIES: TableDefinition<'static, Fixed<32>, Bytes> =
    TableDefinition::new("memories");
/// tenant | memory | version -> an earlier version.
pub(super) const HISTORY: TableDefinition<'static, Fixed<36>, Bytes> =
    TableDefinition::new("history");
/// tenant | blind tag of owner and key -> memory.
pub(super) const KEYS: TableDefinition<'static, Fixed<32>, Fixed<16>> =
    TableDefinition::new("keys_by_owner");
/// tenant | owner | memory -> current version.
pub(super) const OWNERS: TableDefinition<'static, Fixed<48>, Fixed<4>> =
    TableDefinition::new("owners");
/// tenant | due | memory.
pub(super) const DUE: TableDefinition<'static, Fixed<40>, ()> = TableDefinition::new("due");
/// tenant | memory, of those that are deleted and can be restored.
pub(super) const DELETED: TableDefinition<'static, Fixed<32>, ()> = TableDefinition::new("deleted");
/// tenant | memory, of those that are held back until they are reviewed.
pub(super) const HELD: TableDefinition<'static, Fixed<32>, ()> = TableDefinition::new("held");
/// sequence -> the bytes of an audit entry.
pub(super) const AUDIT: TableDefinition<'static, Fixed<8>, Bytes> = TableDefinition::new("audit");
/// how many entries there were -> the signed checkpoint of the audit log.
pub(super) const CHECKPOINTS: TableDefinition<'static, Fixed<8>, Bytes> =
    TableDefinition::new("checkpoints");
/// tenant | subject | class | data key -> the rows that were sealed under it.
pub(super) const SEGMENTS: TableDefinition<'static, Fixed<41>, Bytes> =
    TableDefinition::new("segments");
/// data keys that nothing uses since a commit, and that are yet to be destroyed.
pub(super) const SHRED: TableDefinition<'static, Fixed<8>, ()> = TableDefinition::new("shred");

/// ledger sequence -> audit sequence | moment | kind | tag | MAC of what was erased.
pub(super) const ERASED: TableDefinition<'static, Fixed<8>, Fixed<49>> =
    TableDefinition::new("erased");

/// The row every database starts with: 16 bytes of home id, then when it was made.
pub(super) const META_GENESIS: &str = "genesis";
/// The schema, a big-endian `u32`.
pub(super) const META_SCHEMA: &str = "schema";
/// Present from a clean stop to the next start.
pub(super) const META_CLEAN: &str = "clean";
/// The latest time that was shown, 8 bytes: time does not go back over a restart.
pub(super) const META_CLOCK: &str = "clock";
/// The latest time by which was erased, 8 bytes: a clock that is set ahead is noticed over a restart.
pub(super) const META_TRUSTED: &str = "trusted_clock";
/// What the audit log wants remembered with its last entry.
pub(super) const META_AUDIT_HEAD: &str = "audit_head";

/// The kinds of record in the directory table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tenant = 0,
    Identity = 1,
    Token = 2,
    Policy = 3,
    Plan = 4,
    Invitation = 7,
    Binding = 8,
    Limit = 9,
    SigningKey = 10,
    PolicyRevision = 20,
    Approval = 21,
    PolicyDraft = 22,
    Hold = 30,
    Receipt = 31,
    Retention = 32,
    Backup = 33,
    AuditKey = 41,
}

impl Kind {
    pub(super) fn from_code(code: u8) -> Option<Self> {
        [
            Self::Tenant,
            Self::Identity,
            Self::Token,
            Self::Policy,
            Self::Plan,
            Self::Invitation,
            Self::Binding,
            Self::Limit,
            Self::SigningKey,
            Self::PolicyRevision,
            Self::Approval,
            Self::PolicyDraft,
            Self::Hold,
            Self::Receipt,
            Self::Retention,
            Self::Backup,
            Self::AuditKey,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == code)
    }

    /// The table named in the place a record is sealed for.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Identity => "identity",
            Self::Token => "token",
            Self::Policy => "policy",
            Self::Plan => "plan",
            Self::Invitation => "invitation",
            Self::Binding => "binding",
            Self::Limit => "limit",
            Self::SigningKey => "signing_key",
            Self::PolicyRevision => "policy_revision",
            Self::Approval => "approval",
            Self::PolicyDraft => "policy_draft",
            Self::Hold => "hold",
            Self::Receipt => "receipt",
            Self::Retention => "retention",
            Self::Backup => "backup",
            Self::AuditKey => "audit_key",
        }
    }
}

/// What a data key is for: no key seals both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Class {
    /// Records of the directory: unbounded, and gone only with their subject.
    Directory = 0,
    /// Memories of one owner, at most [`SEGMENT_ROWS_MAX`] to a key.
    Memory = 1,
}

/// How many rows share a data key: the most that have to be sealed anew when one of them is erased.
pub(super) const SEGMENT_ROWS_MAX: u32 = 256;

/// Puts `parts` one after the other. Their lengths add up to `N`.
fn join<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut key = [0; N];
    let mut at = 0;
    for part in parts {
        key[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    debug_assert_eq!(at, N);
    key
}

/// The `N` bytes of `bytes` from `at` on. Every caller's key is long enough by its type.
pub(super) fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

/// All keys of `N` bytes that start with `prefix`.
pub(super) fn prefixed<const N: usize>(prefix: &[u8]) -> RangeInclusive<[u8; N]> {
    let (mut low, mut high) = ([0; N], [0xff; N]);
    low[..prefix.len()].copy_from_slice(prefix);
    high[..prefix.len()].copy_from_slice(prefix);
    low..=high
}

pub(super) fn directory_key(tenant: TenantId, kind: Kind, id: [u8; 16]) -> [u8; 33] {
    join(&[&tenant.to_bytes(), &[kind as u8], &id])
}

pub(super) fn memory_key(tenant: TenantId, id: MemoryId) -> [u8; 32] {
    join(&[&tenant.to_bytes(), &id.to_bytes()])
}

pub(super) fn history_key(tenant: TenantId, id: MemoryId, version: u32) -> [u8; 36] {
    join(&[&tenant.to_bytes(), &id.to_bytes(), &version.to_be_bytes()])
}

pub(super) fn tag_key(tenant: TenantId, tag: [u8; 16]) -> [u8; 32] {
    join(&[&tenant.to_bytes(), &tag])
}

pub(super) fn owner_key(tenant: TenantId, owner: IdentityId, id: MemoryId) -> [u8; 48] {
    join(&[&tenant.to_bytes(), &owner.to_bytes(), &id.to_bytes()])
}

/// A moment as 8 bytes that sort as it does, also before 1970.
pub(super) fn moment(at: UnixMillis) -> [u8; 8] {
    (at.0.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

pub(super) fn due_key(tenant: TenantId, due: UnixMillis, id: MemoryId) -> [u8; 40] {
    join(&[&tenant.to_bytes(), &moment(due), &id.to_bytes()])
}

/// Names a segment: one data key, whose it is and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SegmentId {
    pub(super) owner: SegmentOwner,
    pub(super) key: DataKeyId,
}

/// Whose data keys they are, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SegmentOwner {
    pub(super) tenant: TenantId,
    pub(super) subject: [u8; 16],
    pub(super) class: Class,
}

impl SegmentId {
    pub(super) fn to_bytes(self) -> [u8; 41] {
        join(&[
            &self.owner.tenant.to_bytes(),
            &self.owner.subject,
            &[self.owner.class as u8],
            &self.key.0.to_be_bytes(),
        ])
    }

    /// The inverse of [`Self::to_bytes`]; none if the class is unknown.
    pub(super) fn from_bytes(bytes: &[u8; 41]) -> Option<Self> {
        let class = match bytes[32] {
            0 => Class::Directory,
            1 => Class::Memory,
            _ => return None,
        };
        let tenant = TenantId::from_bytes(part(bytes, 0));
        let subject = part(bytes, 16);
        Some(Self {
            owner: SegmentOwner {
                tenant,
                subject,
                class,
            },
            key: DataKeyId(u64::from_be_bytes(part(bytes, 33))),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn moments_sort_as_their_bytes_do(a in any::<i64>(), b in any::<i64>()) {
            let (a, b) = (UnixMillis(a), UnixMillis(b));
            prop_assert_eq!(a.cmp(&b), moment(a).cmp(&moment(b)));
        }

        #[test]
        fn segment_ids_round_trip(tenant in any::<[u8; 16]>(), subject in any::<[u8; 16]>(), key in any::<u64>()) {
            for class in [Class::Directory, Class::Memory] {
                let owner = SegmentOwner { tenant: TenantId::from_bytes(tenant), subject, class };
                let id = SegmentId { owner, key: DataKeyId(key) };
                prop_assert_eq!(SegmentId::from_bytes(&id.to_bytes()), Some(id));
            }
        }
    }
}
