//! Making erased bytes unreadable: what survives in a doomed segment is sealed anew in the same
//! transaction, and once that is on disk the doomed keys are destroyed.

use std::collections::BTreeSet;

use manushya_core::model::DataKeyId;
use redb::{Database, ReadableDatabase, ReadableTable, WriteTransaction};

use super::apply::{Tables, row_at, surviving_rows};
use super::begin_durable;
use super::error::StoreError;
use super::record::DirectoryHeader;
use super::schema::{
    Kind, SHRED, SegmentId, SegmentOwner, directory_key, history_key, memory_key, part, prefixed,
};
use super::seal::{directory_header, open_directory_bytes, reseal_memory, seal_directory};
use super::segment::Segments;
use crate::port::Cipher;

/// Seals anew whatever is alive under the doomed keys.
pub(super) fn reseal_survivors(
    txn: &WriteTransaction,
    segments: &mut Segments,
    cipher: &dyn Cipher,
) -> Result<(), StoreError> {
    let doomed = segments.take_doomed_rows(txn)?;
    let mut tables = Tables::new(txn);
    for (segment, rows) in doomed {
        for (row, current, bytes) in surviving_rows(&mut tables, segment, &rows)? {
            let at = row_at(segment, row.id);
            let key = segments.key(cipher, segment.owner, Some(row))?;
            let sealed = reseal_memory(cipher, at, &bytes, key)?;
            if current {
                let key = memory_key(at.tenant, at.id);
                tables.memories()?.insert(&key, sealed.as_slice())?;
            } else {
                let key = history_key(at.tenant, at.id, row.version);
                tables.history()?.insert(&key, sealed.as_slice())?;
            }
        }
    }
    for segment in segments.renewed_directories() {
        reseal_directory(&mut tables, segments, segment, cipher)?;
    }
    Ok(())
}

/// Seals anew the records of the directory that are sealed under the key of a segment.
fn reseal_directory(
    tables: &mut Tables<'_>,
    segments: &mut Segments,
    segment: SegmentId,
    cipher: &dyn Cipher,
) -> Result<(), StoreError> {
    let SegmentOwner {
        tenant, subject, ..
    } = segment.owner;
    // What is no identity's own may be any record of the tenant.
    let range = match subject == tenant.to_bytes() {
        true => prefixed::<33>(&tenant.to_bytes()),
        false => {
            let at = directory_key(tenant, Kind::Identity, subject);
            at..=at
        }
    };
    let mut found = Vec::new();
    for row in tables
        .directory()?
        .range::<&[u8; 33]>(range.start()..=range.end())?
    {
        let (at, row) = row?;
        if directory_header(row.value())?.key == segment.key {
            found.push((*at.value(), row.value().to_vec()));
        }
    }
    for (at, row) in found {
        let plaintext = open_directory_bytes(cipher, &at, &row)?;
        let kind = Kind::from_code(at[16]).ok_or_else(|| {
            StoreError::corrupted("a record of the directory is of no known kind")
        })?;
        let key = segments.key(cipher, segment.owner, None)?;
        let header = DirectoryHeader { key, subject };
        let sealed = seal_directory(cipher, (tenant, kind, part(&at, 17)), header, &plaintext)?;
        tables.directory()?.insert(&at, sealed.as_slice())?;
    }
    Ok(())
}

/// Destroys data keys, then forgets that they had to be destroyed. Repeating it does no harm.
pub(super) fn shred(
    db: &Database,
    cipher: &dyn Cipher,
    keys: &[DataKeyId],
) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    cipher.destroy(keys)?;
    let txn = begin_durable(db)?;
    {
        let mut table = txn.open_table(SHRED)?;
        for key in keys {
            table.remove(&key.0.to_be_bytes())?;
        }
    }
    txn.commit()?;
    Ok(())
}

/// The keys that a commit doomed and that may still exist.
fn left_to_shred(db: &Database) -> Result<BTreeSet<DataKeyId>, StoreError> {
    let txn = db.begin_read()?;
    let table = txn.open_table(SHRED)?;
    table
        .iter()?
        .map(|row| Ok(DataKeyId(u64::from_be_bytes(*row?.0.value()))))
        .collect()
}

/// Finishes at start what an earlier run left: doomed keys, and keys that were made for rows that
/// were never committed.
///
/// If keys that are in use are missing, the keystore is of another time than the database, and only
/// what this database doomed itself is destroyed: an unused key may be used by the newer database.
pub(super) fn finish(
    db: &Database,
    cipher: &dyn Cipher,
    used: &BTreeSet<DataKeyId>,
) -> Result<(), StoreError> {
    let mut keys = left_to_shred(db)?;
    let existing: BTreeSet<DataKeyId> = cipher.keys().into_iter().collect();
    if used.is_subset(&existing) {
        keys.extend(existing.difference(used));
    }
    let keys: Vec<DataKeyId> = keys.into_iter().collect();
    shred(db, cipher, &keys)
}
