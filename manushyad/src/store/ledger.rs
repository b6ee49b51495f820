//! The erasure ledger: a keyed tag of every identity, memory and tenant that was ever erased.
//!
//! It is a table of the store, written in the transaction that erases, and each row carries a MAC
//! over the row before it. The service keeps a copy outside the data folder, so that an old copy of
//! the store cannot bring back what was erased. `docs/formats/store.md` has it byte by byte.

use manushya_core::model::Hash;
use manushya_core::plan::Write;
use manushya_protocol::id::TenantId;
use manushya_protocol::unit::{AuditSeq, UnixMillis};
use redb::{ReadableTable, WriteTransaction};

use super::error::StoreError;
use super::schema::{ERASED, Fixed, part};
use crate::port::Cipher;

/// What was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErasedKind {
    /// A memory with all its versions.
    Memory = 1,
    /// An identity.
    Identity = 2,
    /// A tenant with everything in it.
    Tenant = 3,
}

/// One row of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErasedRow {
    /// Its place, from 1, without gaps.
    pub seq: u64,
    /// The audit entry of the erasure.
    pub audit_seq: AuditSeq,
    /// When it was.
    pub at: UnixMillis,
    /// What was erased.
    pub kind: ErasedKind,
    /// A keyed tag of its id.
    pub tag: [u8; 16],
    /// A MAC over this row and the MAC of the row before.
    pub mac: [u8; 16],
}

impl ErasedRow {
    /// How long a row is, in bytes.
    pub const BYTES: usize = 57;

    /// The bytes of a row.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.seq.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.audit_seq.0.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.at.0.to_be_bytes());
        bytes[24] = self.kind as u8;
        bytes[25..41].copy_from_slice(&self.tag);
        bytes[41..].copy_from_slice(&self.mac);
        bytes
    }

    /// The inverse of [`Self::to_bytes`]; none if the kind is unknown.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        Some(Self {
            seq: u64::from_be_bytes(part(bytes, 0)),
            audit_seq: AuditSeq(u64::from_be_bytes(part(bytes, 8))),
            at: UnixMillis(i64::from_be_bytes(part(bytes, 16))),
            kind: match bytes[24] {
                1 => ErasedKind::Memory,
                2 => ErasedKind::Identity,
                3 => ErasedKind::Tenant,
                _ => return None,
            },
            tag: part(bytes, 25),
            mac: part(bytes, 41),
        })
    }

    /// Whether it follows the row that has this place and MAC; the first follows 0 and zeros.
    pub fn follows(&self, cipher: &dyn Cipher, end: End) -> bool {
        self.seq == end.seq + 1 && mac(cipher, end.mac, self) == self.mac
    }

    /// Where the ledger ends with this row.
    pub fn end(&self) -> End {
        End {
            seq: self.seq,
            mac: self.mac,
        }
    }
}

/// Where a ledger ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// How many rows it has.
    pub seq: u64,
    /// The MAC of the last one.
    pub mac: [u8; 16],
}

fn mac(cipher: &dyn Cipher, before: [u8; 16], row: &ErasedRow) -> [u8; 16] {
    let mut bytes = before.to_vec();
    bytes.extend_from_slice(&row.to_bytes()[..41]);
    cipher.blind("erasure-ledger", &bytes)
}

/// The keyed tag of a thing that was erased. For a tenant, `id` is its own.
pub fn erased_tag(
    cipher: &dyn Cipher,
    kind: ErasedKind,
    tenant: TenantId,
    id: [u8; 16],
) -> [u8; 16] {
    let mut bytes = Vec::with_capacity(33);
    bytes.push(kind as u8);
    bytes.extend_from_slice(&tenant.to_bytes());
    bytes.extend_from_slice(&id);
    cipher.blind("erased", &bytes)
}

/// The rows that one transaction adds.
pub(super) struct Ledger {
    end: End,
    added: Vec<ErasedRow>,
}

impl Ledger {
    pub(super) fn new(end: End) -> Self {
        Self {
            end,
            added: Vec::new(),
        }
    }

    /// Notes what `writes` erase, under the audit entry that tells of it.
    pub(super) fn note(
        &mut self,
        cipher: &dyn Cipher,
        audit_seq: AuditSeq,
        at: UnixMillis,
        writes: &[Write],
    ) {
        for write in writes {
            let (kind, tenant, id) = match write {
                Write::EraseMemory(tenant, id) => (ErasedKind::Memory, *tenant, id.to_bytes()),
                Write::EraseIdentity(tenant, id) => (ErasedKind::Identity, *tenant, id.to_bytes()),
                Write::EraseTenant(id) => (ErasedKind::Tenant, *id, id.to_bytes()),
                _ => continue,
            };
            let mut row = ErasedRow {
                seq: self.end.seq + 1,
                audit_seq,
                at,
                kind,
                tag: erased_tag(cipher, kind, tenant, id),
                mac: [0; 16],
            };
            row.mac = mac(cipher, self.end.mac, &row);
            self.end = row.end();
            self.added.push(row);
        }
    }

    /// Takes over rows that another copy of this ledger has, which must follow this one's end.
    pub(super) fn adopt(&mut self, cipher: &dyn Cipher, rows: &[ErasedRow]) -> bool {
        for row in rows {
            if !row.follows(cipher, self.end) {
                return false;
            }
            self.end = row.end();
            self.added.push(*row);
        }
        true
    }

    /// Writes the rows; returns where the ledger ends then.
    pub(super) fn flush(&self, txn: &WriteTransaction) -> Result<End, StoreError> {
        if !self.added.is_empty() {
            let mut table = txn.open_table(ERASED)?;
            for row in &self.added {
                let bytes = row.to_bytes();
                table.insert(&row.seq.to_be_bytes(), &part::<49>(&bytes, 8))?;
            }
        }
        Ok(self.end)
    }
}

fn row(seq: u64, value: &[u8; 49]) -> Result<ErasedRow, StoreError> {
    let mut bytes = [0; ErasedRow::BYTES];
    bytes[..8].copy_from_slice(&seq.to_be_bytes());
    bytes[8..].copy_from_slice(value);
    ErasedRow::from_bytes(&bytes)
        .ok_or_else(|| StoreError::corrupted("a row of the erasure ledger is of no known kind"))
}

/// Where the stored ledger ends.
pub(super) fn end(table: &impl ReadableTable<Fixed<8>, Fixed<49>>) -> Result<End, StoreError> {
    match table.last()? {
        None => Ok(End::default()),
        Some((seq, value)) => Ok(row(u64::from_be_bytes(*seq.value()), value.value())?.end()),
    }
}

/// At most `limit` rows from `from` on.
pub(super) fn rows(
    table: &impl ReadableTable<Fixed<8>, Fixed<49>>,
    from: u64,
    limit: usize,
) -> Result<Vec<ErasedRow>, StoreError> {
    table
        .range::<&[u8; 8]>(&from.to_be_bytes()..)?
        .take(limit)
        .map(|found| {
            let (seq, value) = found?;
            row(u64::from_be_bytes(*seq.value()), value.value())
        })
        .collect()
}

/// SHA-256 over the tags of `rows`, in their order.
pub fn tags_hash(rows: &[ErasedRow]) -> Hash {
    manushya_core::audit::receipt::tags_hash(rows.iter().map(|row| &row.tag))
}
