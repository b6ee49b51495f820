//! Checking that every row opens and that all tables agree.

use std::collections::{BTreeMap, BTreeSet};

use manushya_core::model::DataKeyId;
use redb::{ReadOnlyTable, ReadableTable, ReadableTableMetadata};

use super::error::StoreError;
use super::record::{MemoryAt, MemoryHeader};
use super::schema::{
    AUDIT, Class, DELETED, DIRECTORY, DUE, Fixed, HELD, HISTORY, KEYS, OWNERS, SEGMENT_ROWS_MAX,
    SEGMENTS, SHRED, due_key, memory_key, owner_key, part, tag_key,
};
use super::seal::{directory_header, memory_header, open_directory, open_memory};
use super::segment::{RowRef, memory_owner, segment_id};
use super::snapshot::Snapshot;

/// How many findings are described; further ones are counted only.
const FINDINGS_MAX: usize = 100;

/// What a check of the store found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreReport {
    /// Tenants, identities, tokens, policies and purge plans.
    pub directory: u64,
    /// Memories, deleted and expired ones included.
    pub memories: u64,
    /// Earlier versions.
    pub versions: u64,
    /// Memories that can be found by a key.
    pub keys: u64,
    /// Memories the sweeper will look at.
    pub due: u64,
    /// Memories that are deleted and can be restored.
    pub deleted: u64,
    /// Memories that are held back until they are reviewed.
    pub held: u64,
    /// Entries of the audit log.
    pub audit: u64,
    /// Data keys in use.
    pub segments: u64,
    /// Data keys that wait to be destroyed.
    pub to_shred: u64,
    /// The size of the file, in bytes.
    pub file_bytes: u64,
    /// What is wrong, without content; at most 100.
    pub findings: Vec<String>,
    /// How much is wrong.
    pub findings_total: u64,
}

impl StoreReport {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.findings_total == 0
    }

    fn find(&mut self, finding: impl FnOnce() -> String) {
        self.findings_total += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding());
        }
    }

    /// Turns damage into a finding; what the disk says stays an error.
    fn take<T>(&mut self, result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error @ (StoreError::Corrupted { .. } | StoreError::Cipher(_))) => {
                self.find(|| match std::error::Error::source(&error) {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn compare(&mut self, what: &str, index: u64, rows: u64) {
        if index != rows {
            self.find(|| format!("{what}: the index has {index}, the memories need {rows}"));
        }
    }
}

/// The tables that follow from the memories.
struct Indexes {
    keys: ReadOnlyTable<Fixed<32>, Fixed<16>>,
    owners: ReadOnlyTable<Fixed<48>, Fixed<4>>,
    due: ReadOnlyTable<Fixed<40>, ()>,
    deleted: ReadOnlyTable<Fixed<32>, ()>,
    held: ReadOnlyTable<Fixed<32>, ()>,
    /// The rows of each segment, sorted.
    segments: BTreeMap<DataKeyId, (super::schema::SegmentOwner, Vec<RowRef>)>,
}

/// Checks everything a snapshot sees.
pub(super) fn verify(snapshot: &Snapshot, file_bytes: u64) -> Result<StoreReport, StoreError> {
    let mut report = StoreReport {
        file_bytes,
        ..StoreReport::default()
    };
    let indexes = Indexes {
        keys: snapshot.txn.open_table(KEYS)?,
        owners: snapshot.txn.open_table(OWNERS)?,
        due: snapshot.txn.open_table(DUE)?,
        deleted: snapshot.txn.open_table(DELETED)?,
        held: snapshot.txn.open_table(HELD)?,
        segments: read_segments(snapshot, &mut report)?,
    };
    verify_directory(snapshot, &indexes, &mut report)?;
    verify_memories(snapshot, &indexes, &mut report)?;
    verify_history(snapshot, &indexes, &mut report)?;
    verify_audit(snapshot, &mut report)?;
    report.to_shred = snapshot.txn.open_table(SHRED)?.len()?;
    Ok(report)
}

fn read_segments(
    snapshot: &Snapshot,
    report: &mut StoreReport,
) -> Result<BTreeMap<DataKeyId, (super::schema::SegmentOwner, Vec<RowRef>)>, StoreError> {
    let existing: BTreeSet<DataKeyId> = snapshot.cipher.keys().into_iter().collect();
    let mut segments = BTreeMap::new();
    for row in snapshot.txn.open_table(SEGMENTS)?.iter()? {
        let (id, list) = row?;
        let read = segment_id(id.value()).and_then(|id| Ok((id, RowRef::list(list.value())?)));
        let Some((id, mut rows)) = report.take(read)? else {
            continue;
        };
        report.segments += 1;
        if !existing.contains(&id.key) {
            report.find(|| format!("data key {} is missing from the keystore", id.key));
        }
        if rows.len() > SEGMENT_ROWS_MAX as usize {
            report.find(|| format!("data key {} has too many rows", id.key));
        }
        rows.sort_unstable();
        if segments.insert(id.key, (id.owner, rows)).is_some() {
            report.find(|| format!("data key {} has two segments", id.key));
        }
    }
    Ok(segments)
}

fn verify_directory(
    snapshot: &Snapshot,
    indexes: &Indexes,
    report: &mut StoreReport,
) -> Result<(), StoreError> {
    for row in snapshot.txn.open_table(DIRECTORY)?.iter()? {
        let (key, row) = row?;
        report.directory += 1;
        let opened = open_directory(&*snapshot.cipher, key.value(), row.value());
        if report.take(opened)?.is_none() {
            continue;
        }
        let header = directory_header(row.value())?;
        let listed = indexes.segments.get(&header.key);
        if !listed.is_some_and(|(owner, _)| {
            owner.class == Class::Directory && owner.subject == header.subject
        }) {
            report.find(|| format!("data key {} is not that of its record", header.key));
        }
    }
    Ok(())
}

fn verify_memories(
    snapshot: &Snapshot,
    indexes: &Indexes,
    report: &mut StoreReport,
) -> Result<(), StoreError> {
    let (mut keys, mut due, mut deleted, mut held) = (0, 0, 0, 0);
    for row in snapshot.memories.iter()? {
        let (key, row) = row?;
        let at = MemoryAt::of_key(key.value());
        report.memories += 1;
        let opened = open_memory(&*snapshot.cipher, at, row.value());
        if report.take(opened)?.is_none() {
            continue;
        }
        let header = memory_header(at, row.value())?;
        keys += u64::from(header.tag.is_some());
        due += u64::from(header.due.is_some());
        deleted += u64::from(header.deleted);
        held += u64::from(header.held);
        verify_indexes(indexes, at, &header, report)?;
        verify_segment(indexes, at, &header, report);
    }
    report.keys = indexes.keys.len()?;
    report.due = indexes.due.len()?;
    report.deleted = indexes.deleted.len()?;
    report.held = indexes.held.len()?;
    report.compare("keys", report.keys, keys);
    report.compare("due", report.due, due);
    report.compare("deleted", report.deleted, deleted);
    report.compare("held", report.held, held);
    report.compare("owners", indexes.owners.len()?, report.memories);
    Ok(())
}

fn verify_indexes(
    indexes: &Indexes,
    at: MemoryAt,
    header: &MemoryHeader,
    report: &mut StoreReport,
) -> Result<(), StoreError> {
    let owner = owner_key(at.tenant, header.owner, at.id);
    let version = indexes.owners.get(&owner)?;
    if version.is_none_or(|version| *version.value() != header.version.to_be_bytes()) {
        report.find(|| format!("memory {} is not listed with its owner", at.id));
    }
    if let Some(tag) = header.tag {
        let id = indexes.keys.get(&tag_key(at.tenant, tag))?;
        if id.is_none_or(|id| *id.value() != at.id.to_bytes()) {
            report.find(|| format!("memory {} is not found by its key", at.id));
        }
    }
    if let Some(due) = header.due
        && indexes.due.get(&due_key(at.tenant, due, at.id))?.is_none()
    {
        report.find(|| format!("memory {} is not listed as due", at.id));
    }
    let deleted = indexes.deleted.get(&memory_key(at.tenant, at.id))?;
    if deleted.is_some() != header.deleted {
        report.find(|| format!("memory {} is listed wrongly as deleted", at.id));
    }
    let held = indexes.held.get(&memory_key(at.tenant, at.id))?;
    if held.is_some() != header.held {
        report.find(|| format!("memory {} is listed wrongly as held back", at.id));
    }
    Ok(())
}

/// Finds a row that erasing another one of its segment would make unreadable.
fn verify_segment(
    indexes: &Indexes,
    at: MemoryAt,
    header: &MemoryHeader,
    report: &mut StoreReport,
) {
    let row = RowRef {
        id: at.id,
        version: header.version,
    };
    let owner = memory_owner(at.tenant, header.owner);
    let listed = indexes.segments.get(&header.key);
    if !listed.is_some_and(|(of, rows)| *of == owner && rows.binary_search(&row).is_ok()) {
        report.find(|| format!("memory {} is not listed with its data key", at.id));
    }
}

fn verify_history(
    snapshot: &Snapshot,
    indexes: &Indexes,
    report: &mut StoreReport,
) -> Result<(), StoreError> {
    for row in snapshot.txn.open_table(HISTORY)?.iter()? {
        let (key, row) = row?;
        let at = MemoryAt::of_key(&part(key.value(), 0));
        let version = u32::from_be_bytes(part(key.value(), 32));
        report.versions += 1;
        let opened = open_memory(&*snapshot.cipher, at, row.value());
        if report.take(opened)?.is_none() {
            continue;
        }
        let header = memory_header(at, row.value())?;
        if header.version != version {
            report.find(|| format!("memory {} has version {version} misplaced", at.id));
        }
        verify_segment(indexes, at, &header, report);
        let current = snapshot.memories.get(&memory_key(at.tenant, at.id))?;
        if current.is_none() {
            report.find(|| format!("memory {} has a history but does not exist", at.id));
        }
    }
    Ok(())
}

/// The entries themselves are checked by who knows what they hold; here only that none is missing.
fn verify_audit(snapshot: &Snapshot, report: &mut StoreReport) -> Result<(), StoreError> {
    let table = snapshot.txn.open_table(AUDIT)?;
    report.audit = table.len()?;
    let last = snapshot.audit_len()?;
    if last != report.audit {
        let there = report.audit;
        report.find(|| format!("the audit log has {there} of {last} entries"));
    }
    Ok(())
}
