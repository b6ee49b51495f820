//! Looking for what should be gone: in the open store, and in old copies of its file.

use std::collections::BTreeSet;
use std::path::Path;

use manushya_core::model::DataKeyId;
use manushya_protocol::id::TenantId;
use redb::{Builder, ReadableDatabase, ReadableTable};

use super::error::StoreError;
use super::ledger::ErasedKind;
use super::open::shielded;
use super::record::MemoryAt;
use super::schema::{
    DELETED, DIRECTORY, DUE, HELD, HISTORY, KEYS, Kind, MEMORIES, OWNERS, SEGMENTS, part,
};
use super::seal::{open_directory, open_memory};
use super::segment::segment_id;
use super::snapshot::Snapshot;
use crate::port::Cipher;

/// Whether a thing was erased, by its kind, tenant and id.
pub type IsErased<'a> = &'a dyn Fn(ErasedKind, TenantId, [u8; 16]) -> bool;

/// What an old copy of the store holds of what was erased since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OldReport {
    /// Rows it has.
    pub rows: u64,
    /// Rows of what was erased.
    pub erased: u64,
    /// How many of those open with one of the keys that were tried.
    pub opened: u64,
}

impl Snapshot {
    /// How many rows of any table still name something that was erased.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the tables cannot be read.
    pub fn survivors(&self, is_erased: IsErased<'_>) -> Result<u64, StoreError> {
        let mut found = 0;
        // Rows of one tenant follow each other.
        let mut last: Option<(TenantId, bool)> = None;
        let mut memory = |tenant: &[u8], id: [u8; 16]| {
            let tenant = TenantId::from_bytes(part(tenant, 0));
            let gone = match last {
                Some((of, gone)) if of == tenant => gone,
                _ => is_erased(ErasedKind::Tenant, tenant, tenant.to_bytes()),
            };
            last = Some((tenant, gone));
            found += u64::from(gone || is_erased(ErasedKind::Memory, tenant, id));
        };
        for row in self.memories.iter()? {
            let key = row?.0;
            memory(key.value(), part(key.value(), 16));
        }
        for row in self.txn.open_table(HISTORY)?.iter()? {
            let key = row?.0;
            memory(key.value(), part(key.value(), 16));
        }
        for row in self.txn.open_table(OWNERS)?.iter()? {
            let key = row?.0;
            memory(key.value(), part(key.value(), 32));
        }
        for row in self.txn.open_table(KEYS)?.iter()? {
            let (key, id) = row?;
            memory(key.value(), *id.value());
        }
        for row in self.txn.open_table(DUE)?.iter()? {
            let key = row?.0;
            memory(key.value(), part(key.value(), 24));
        }
        for row in self.txn.open_table(DELETED)?.iter()? {
            let key = row?.0;
            memory(key.value(), part(key.value(), 16));
        }
        for row in self.txn.open_table(HELD)?.iter()? {
            let key = row?.0;
            memory(key.value(), part(key.value(), 16));
        }
        for row in self.txn.open_table(DIRECTORY)?.iter()? {
            let key = row?.0;
            found += u64::from(is_erased_record(key.value(), is_erased));
        }
        Ok(found)
    }

    /// The data keys that rows of the store are sealed under.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the table cannot be read.
    pub fn used_keys(&self) -> Result<BTreeSet<DataKeyId>, StoreError> {
        let table = self.txn.open_table(SEGMENTS)?;
        table
            .iter()?
            .map(|row| Ok(segment_id(row?.0.value())?.key))
            .collect()
    }
}

fn is_erased_record(key: &[u8; 33], is_erased: IsErased<'_>) -> bool {
    let tenant = TenantId::from_bytes(part(key, 0));
    let identity = key[16] == Kind::Identity as u8;
    is_erased(ErasedKind::Tenant, tenant, tenant.to_bytes())
        || (identity && is_erased(ErasedKind::Identity, tenant, part(key, 17)))
}

/// Tries an old copy of the store's file with keys that there are: what of it is of something that
/// was erased, and whether any of that opens. The copy is opened for writing, as the library wants
/// it, so it must be one that may be changed.
///
/// # Errors
///
/// [`StoreError`] if it is no store that can be read.
pub fn try_old(
    path: &Path,
    ciphers: &[&dyn Cipher],
    is_erased: IsErased<'_>,
) -> Result<OldReport, StoreError> {
    shielded(|| {
        let db = Builder::new().open(path)?;
        let txn = db.begin_read()?;
        let mut report = OldReport::default();
        let opens = |open: &dyn Fn(&dyn Cipher) -> bool| ciphers.iter().any(|one| open(*one));
        for row in txn.open_table(MEMORIES)?.iter()? {
            let (key, value) = row?;
            let at = MemoryAt::of_key(key.value());
            report.rows += 1;
            if is_gone(at, is_erased) {
                report.erased += 1;
                let open = |cipher: &dyn Cipher| open_memory(cipher, at, value.value()).is_ok();
                report.opened += u64::from(opens(&open));
            }
        }
        for row in txn.open_table(HISTORY)?.iter()? {
            let (key, value) = row?;
            let at = MemoryAt::of_key(&part(key.value(), 0));
            report.rows += 1;
            if is_gone(at, is_erased) {
                report.erased += 1;
                let open = |cipher: &dyn Cipher| open_memory(cipher, at, value.value()).is_ok();
                report.opened += u64::from(opens(&open));
            }
        }
        for row in txn.open_table(DIRECTORY)?.iter()? {
            let (key, value) = row?;
            report.rows += 1;
            if is_erased_record(key.value(), is_erased) {
                report.erased += 1;
                let open = |cipher: &dyn Cipher| {
                    open_directory(cipher, key.value(), value.value()).is_ok()
                };
                report.opened += u64::from(opens(&open));
            }
        }
        Ok(report)
    })
}

fn is_gone(at: MemoryAt, is_erased: IsErased<'_>) -> bool {
    is_erased(ErasedKind::Memory, at.tenant, at.id.to_bytes())
        || is_erased(ErasedKind::Tenant, at.tenant, at.tenant.to_bytes())
}
