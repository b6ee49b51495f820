//! Segments: which rows share which data key.
//!
//! Erasing one row destroys its key, so every other row under that key has to be sealed anew first.
//! Few rows a key make erasing cheap, many make keys few: a segment takes 256 memories of one
//! owner.

use std::collections::{BTreeSet, HashMap};

use manushya_core::model::DataKeyId;
use manushya_core::plan::KeyUse;
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use redb::{ReadableTable, WriteTransaction};

use super::error::StoreError;
use super::schema::{
    Class, SEGMENT_ROWS_MAX, SEGMENTS, SHRED, SegmentId, SegmentOwner, part, prefixed,
};
use crate::port::Cipher;

/// The segments that take further rows, with how many they have. Cheap to clone.
pub(super) type OpenSegments = imbl::HashMap<SegmentOwner, OpenSegment>;

/// A segment that takes further rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenSegment {
    key: DataKeyId,
    rows: u32,
}

/// A row in the list of a segment: a memory's id and version. It is the same whether the version is
/// current or history, so that it stays true when one becomes the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowRef {
    pub(super) id: MemoryId,
    pub(super) version: u32,
}

impl RowRef {
    /// How long a reference is, in bytes.
    pub(super) const BYTES: usize = 20;

    /// Reads the list of a segment.
    pub(super) fn list(bytes: &[u8]) -> Result<Vec<Self>, StoreError> {
        if !bytes.len().is_multiple_of(Self::BYTES) {
            return Err(StoreError::corrupted("the list of a segment is cut"));
        }
        let refs = bytes.chunks_exact(Self::BYTES).map(|chunk| Self {
            id: MemoryId::from_bytes(part(chunk, 0)),
            version: u32::from_be_bytes(part(chunk, 16)),
        });
        Ok(refs.collect())
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_bytes());
        out.extend_from_slice(&self.version.to_be_bytes());
    }
}

/// What one transaction does to segments, until it is committed.
pub(super) struct Segments {
    open: OpenSegments,
    /// Rows that are yet to be added to the lists, in their bytes.
    added: HashMap<SegmentId, Vec<u8>>,
    doomed: BTreeSet<SegmentId>,
    doomed_keys: BTreeSet<DataKeyId>,
    /// Those of them that nothing was erased under: they are only to be replaced.
    renewed: BTreeSet<SegmentId>,
}

/// A memory's owner as the owner of segments.
pub(super) fn memory_owner(tenant: TenantId, owner: IdentityId) -> SegmentOwner {
    SegmentOwner {
        tenant,
        subject: owner.to_bytes(),
        class: Class::Memory,
    }
}

/// The segment of a key.
pub(super) fn segment_of(of: &KeyUse) -> SegmentId {
    let class = match of.memories {
        true => Class::Memory,
        false => Class::Directory,
    };
    SegmentId {
        owner: SegmentOwner {
            tenant: of.tenant,
            subject: of.subject,
            class,
        },
        key: of.key,
    }
}

impl Segments {
    pub(super) fn new(open: OpenSegments) -> Self {
        Self {
            open,
            added: HashMap::new(),
            doomed: BTreeSet::new(),
            doomed_keys: BTreeSet::new(),
            renewed: BTreeSet::new(),
        }
    }

    /// The key to seal a further row of `owner` under.
    pub(super) fn key(
        &mut self,
        cipher: &dyn Cipher,
        owner: SegmentOwner,
        row: Option<RowRef>,
    ) -> Result<DataKeyId, StoreError> {
        let full = |segment: &OpenSegment| {
            owner.class == Class::Memory && segment.rows >= SEGMENT_ROWS_MAX
        };
        let mut segment = match self.open.get(&owner) {
            Some(segment) if !full(segment) => *segment,
            _ => OpenSegment {
                key: cipher.fresh_key()?,
                rows: 0,
            },
        };
        segment.rows = segment.rows.saturating_add(1);
        // The list of a directory segment stays empty: it never has to be sealed anew.
        if row.is_some() || segment.rows == 1 {
            let id = SegmentId {
                owner,
                key: segment.key,
            };
            let list = self.added.entry(id).or_default();
            if let Some(row) = row {
                row.write(list);
            }
        }
        self.open.insert(owner, segment);
        Ok(segment.key)
    }

    /// Whether a key will be destroyed after this transaction, so that nothing more may be sealed
    /// under it.
    pub(super) fn is_doomed(&self, key: DataKeyId) -> bool {
        self.doomed_keys.contains(&key)
    }

    /// Destroys a data key after this transaction. What else is sealed under it is sealed anew when
    /// the transaction is committed.
    pub(super) fn doom(&mut self, id: SegmentId) {
        self.doomed.insert(id);
        self.doomed_keys.insert(id.key);
        self.renewed.remove(&id);
        if self.open.get(&id.owner).is_some_and(|it| it.key == id.key) {
            self.open.remove(&id.owner);
        }
    }

    /// Destroys a data key that is in use, but not before those who read an earlier state have ended:
    /// nothing was erased. What is sealed under it is sealed anew when the transaction is committed.
    pub(super) fn renew(
        &mut self,
        txn: &WriteTransaction,
        id: SegmentId,
    ) -> Result<(), StoreError> {
        let known = self.added.contains_key(&id)
            || txn.open_table(SEGMENTS)?.get(&id.to_bytes())?.is_some();
        if known && !self.doomed.contains(&id) {
            self.doom(id);
            self.renewed.insert(id);
        }
        Ok(())
    }

    /// The segments of the directory that are to be sealed anew.
    pub(super) fn renewed_directories(&self) -> Vec<SegmentId> {
        let all = self.renewed.iter().copied();
        all.filter(|id| id.owner.class == Class::Directory)
            .collect()
    }

    /// Dooms every segment of a tenant.
    pub(super) fn doom_tenant(
        &mut self,
        txn: &WriteTransaction,
        tenant: TenantId,
    ) -> Result<(), StoreError> {
        let mut of_tenant: Vec<SegmentId> = Vec::new();
        let table = txn.open_table(SEGMENTS)?;
        let range = prefixed::<41>(&tenant.to_bytes());
        for row in table.range::<&[u8; 41]>(range.start()..=range.end())? {
            of_tenant.push(segment_id(row?.0.value())?);
        }
        let added = self.added.keys().filter(|id| id.owner.tenant == tenant);
        of_tenant.extend(added);
        for id in of_tenant {
            self.doom(id);
        }
        Ok(())
    }

    /// Takes the doomed segments of memories that have not been sealed anew, with all their rows.
    pub(super) fn take_doomed_rows(
        &mut self,
        txn: &WriteTransaction,
    ) -> Result<Vec<(SegmentId, Vec<RowRef>)>, StoreError> {
        let table = txn.open_table(SEGMENTS)?;
        let mut taken = Vec::new();
        for id in &self.doomed {
            let mut rows = Vec::new();
            if let Some(list) = table.get(&id.to_bytes())? {
                rows = RowRef::list(list.value())?;
            }
            if let Some(added) = self.added.remove(id) {
                rows.extend(RowRef::list(&added)?);
            }
            if id.owner.class == Class::Memory {
                taken.push((*id, rows));
            }
        }
        Ok(taken)
    }

    /// Writes the lists, and the keys to destroy.
    pub(super) fn flush(&mut self, txn: &WriteTransaction) -> Result<(), StoreError> {
        if self.added.is_empty() && self.doomed.is_empty() {
            return Ok(());
        }
        let mut table = txn.open_table(SEGMENTS)?;
        for (id, added) in self.added.drain() {
            let at = id.to_bytes();
            let mut list = match table.get(&at)? {
                Some(list) => list.value().to_vec(),
                None => Vec::new(),
            };
            list.extend_from_slice(&added);
            table.insert(&at, list.as_slice())?;
        }
        if self.doomed.is_empty() {
            return Ok(());
        }
        let mut shred = txn.open_table(SHRED)?;
        for id in &self.doomed {
            table.remove(&id.to_bytes())?;
            shred.insert(&id.key.0.to_be_bytes(), ())?;
        }
        Ok(())
    }

    /// What is open after the commit, the keys to destroy at once, and those to destroy later.
    pub(super) fn finish(self) -> (OpenSegments, Vec<DataKeyId>, Vec<DataKeyId>) {
        let later: Vec<DataKeyId> = self.renewed.iter().map(|id| id.key).collect();
        let mut now = self.doomed_keys;
        for key in &later {
            now.remove(key);
        }
        (self.open, now.into_iter().collect(), later)
    }
}

/// Reads the key of a segment's row.
pub(super) fn segment_id(bytes: &[u8; 41]) -> Result<SegmentId, StoreError> {
    SegmentId::from_bytes(bytes).ok_or_else(|| StoreError::corrupted("a segment is of no class"))
}

/// Finds the open segments and all keys in use.
pub(super) fn load(
    table: &impl ReadableTable<&'static [u8; 41], &'static [u8]>,
) -> Result<(OpenSegments, BTreeSet<DataKeyId>), StoreError> {
    let (mut open, mut keys) = (OpenSegments::new(), BTreeSet::new());
    for row in table.iter()? {
        let (id, list) = row?;
        let id = segment_id(id.value())?;
        keys.insert(id.key);
        let rows = u32::try_from(list.value().len() / RowRef::BYTES).unwrap_or(u32::MAX);
        // The directory's list is empty although its key is in use.
        let rows = rows.max(1);
        if id.owner.class == Class::Directory || rows < SEGMENT_ROWS_MAX {
            open.insert(id.owner, OpenSegment { key: id.key, rows });
        }
    }
    Ok((open, keys))
}
