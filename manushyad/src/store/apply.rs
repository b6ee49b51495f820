//! Applying writes: first everything that can be refused is checked, then everything is written.

use std::collections::HashMap;

use manushya_core::model::{DataKeyId, ErasureKey, GateRecord, Memory, PolicyRevision};
use manushya_core::plan::Write;
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::UnixMillis;
use redb::{Key, ReadableTable, Table, TableDefinition, Value, WriteTransaction};
use zeroize::Zeroizing;

use super::error::StoreError;
use super::record::{
    DirectoryHeader, MemoryAt, MemoryHeader, encode_erasure, encode_gate, encode_identity,
    encode_memory, encode_plan, encode_policy, encode_policy_revision, encode_tenant, encode_token,
    gate_kind, revision_id,
};
use super::schema::{
    Bytes, Class, DELETED, DIRECTORY, DUE, Fixed, HELD, HISTORY, KEYS, Kind, MEMORIES, OWNERS,
    SegmentId, SegmentOwner, directory_key, due_key, history_key, memory_key, owner_key, prefixed,
    tag_key,
};
use super::seal::{directory_header, memory_header, seal_directory, seal_memory};
use super::segment::{RowRef, Segments, memory_owner, segment_of};
use crate::port::Cipher;

/// The tables of one call, each opened when it is first needed: opening costs more than an insert.
pub(super) struct Tables<'t> {
    txn: &'t WriteTransaction,
    directory: Option<Table<'t, Fixed<33>, Bytes>>,
    memories: Option<Table<'t, Fixed<32>, Bytes>>,
    history: Option<Table<'t, Fixed<36>, Bytes>>,
    keys: Option<Table<'t, Fixed<32>, Fixed<16>>>,
    owners: Option<Table<'t, Fixed<48>, Fixed<4>>>,
    due: Option<Table<'t, Fixed<40>, ()>>,
    deleted: Option<Table<'t, Fixed<32>, ()>>,
    held: Option<Table<'t, Fixed<32>, ()>>,
}

fn lazy<'a, 't, K: Key, V: Value>(
    slot: &'a mut Option<Table<'t, K, V>>,
    txn: &'t WriteTransaction,
    definition: TableDefinition<'_, K, V>,
) -> Result<&'a mut Table<'t, K, V>, StoreError> {
    match slot {
        Some(table) => Ok(table),
        None => Ok(slot.insert(txn.open_table(definition)?)),
    }
}

macro_rules! lazy_tables {
    ($($name:ident: $definition:ident, $key:ty, $value:ty;)*) => {$(
        pub(super) fn $name(&mut self) -> Result<&mut Table<'t, $key, $value>, StoreError> {
            lazy(&mut self.$name, self.txn, $definition)
        }
    )*};
}

impl<'t> Tables<'t> {
    pub(super) fn new(txn: &'t WriteTransaction) -> Self {
        Self {
            txn,
            directory: None,
            memories: None,
            history: None,
            keys: None,
            owners: None,
            due: None,
            deleted: None,
            held: None,
        }
    }

    lazy_tables! {
        directory: DIRECTORY, Fixed<33>, Bytes;
        memories: MEMORIES, Fixed<32>, Bytes;
        history: HISTORY, Fixed<36>, Bytes;
        keys: KEYS, Fixed<32>, Fixed<16>;
        owners: OWNERS, Fixed<48>, Fixed<4>;
        due: DUE, Fixed<40>, ();
        deleted: DELETED, Fixed<32>, ();
        held: HELD, Fixed<32>, ();
    }

    /// The header of the current version of a memory.
    fn header(&mut self, at: MemoryAt) -> Result<Option<MemoryHeader>, StoreError> {
        let row = self.memories()?.get(&memory_key(at.tenant, at.id))?;
        row.map(|row| memory_header(at, row.value())).transpose()
    }

    /// Removes the index entry of a blind tag, if it is `id` that has it.
    fn remove_tag(&mut self, at: MemoryAt, tag: [u8; 16]) -> Result<(), StoreError> {
        let key = tag_key(at.tenant, tag);
        let table = self.keys()?;
        let mine = match table.get(&key)? {
            Some(id) => *id.value() == at.id.to_bytes(),
            None => false,
        };
        if mine {
            table.remove(&key)?;
        }
        Ok(())
    }
}

/// A write that was checked: nothing about it can be refused any more.
enum Prepared {
    Put(Kind, TenantId, [u8; 16], Zeroizing<Vec<u8>>),
    Drop(Kind, TenantId, [u8; 16]),
    EraseTenant(TenantId),
    Memory(MemoryAt, Stored, MemoryHeader, Zeroizing<Vec<u8>>),
    EraseMemory(MemoryAt),
    Renew(SegmentId),
}

fn put_gate(it: &GateRecord) -> Result<Prepared, StoreError> {
    let (key, sealed) = (it.key(), encode_gate(it)?);
    Ok(Prepared::Put(
        gate_kind(key),
        it.tenant(),
        key.to_bytes(),
        sealed,
    ))
}

fn put_revision(it: &PolicyRevision) -> Result<Prepared, StoreError> {
    let id = revision_id(it.policy.id, it.policy.revision);
    let plaintext = encode_policy_revision(it)?;
    Ok(Prepared::Put(
        Kind::PolicyRevision,
        it.policy.tenant,
        id,
        plaintext,
    ))
}

/// What is stored of a memory before a write.
enum Stored {
    /// This, or nothing; no earlier write of the same call touches it.
    Known(Option<MemoryHeader>),
    /// What earlier writes of the same call leave of it.
    AfterEarlierWrites,
}

/// The blind tag under which a memory's key is found.
pub(super) fn blind_key(
    cipher: &dyn Cipher,
    tenant: TenantId,
    owner: IdentityId,
    key: &str,
) -> [u8; 16] {
    let mut bytes = Zeroizing::new(Vec::with_capacity(32 + key.len()));
    bytes.extend_from_slice(&tenant.to_bytes());
    bytes.extend_from_slice(&owner.to_bytes());
    bytes.extend_from_slice(key.as_bytes());
    cipher.blind("memory-key", &bytes)
}

/// Where the record of an erasure stands in the directory. A type of memory is text, so that its
/// retention stands under a tag.
fn erasure_id(cipher: &dyn Cipher, tenant: TenantId, key: &ErasureKey) -> (Kind, [u8; 16]) {
    match key {
        ErasureKey::Hold(id) => (Kind::Hold, id.to_bytes()),
        ErasureKey::Receipt(id) => (Kind::Receipt, id.to_bytes()),
        ErasureKey::Backup(id) => (Kind::Backup, id.to_bytes()),
        ErasureKey::Retention(kind) => {
            let mut bytes = tenant.to_bytes().to_vec();
            if let Some(kind) = kind {
                bytes.extend_from_slice(kind.as_str().as_bytes());
            }
            (Kind::Retention, cipher.blind("retention", &bytes))
        }
    }
}

/// What earlier writes of the same call leave of a memory: its version and owner, or nothing.
type Overlay = HashMap<MemoryAt, Option<(u32, IdentityId)>>;

/// Applies writes to a transaction.
pub(super) struct Applier<'a, 't> {
    pub(super) cipher: &'a dyn Cipher,
    pub(super) tables: Tables<'t>,
    pub(super) segments: &'a mut Segments,
}

impl Applier<'_, '_> {
    /// Checks all `writes`, then applies them.
    pub(super) fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let (mut prepared, mut overlay) = (Vec::with_capacity(writes.len()), Overlay::new());
        let mut erased: Vec<TenantId> = Vec::new();
        for write in writes {
            prepared.push(self.prepare(write, &mut overlay, &mut erased)?);
        }
        for write in prepared {
            self.write(write)?;
        }
        Ok(())
    }

    fn prepare(
        &mut self,
        write: &Write,
        overlay: &mut Overlay,
        erased: &mut Vec<TenantId>,
    ) -> Result<Prepared, StoreError> {
        Ok(match write {
            Write::PutTenant(it) => {
                Prepared::Put(Kind::Tenant, it.id, it.id.to_bytes(), encode_tenant(it)?)
            }
            Write::EraseTenant(id) => {
                overlay.retain(|at, _| at.tenant != *id);
                erased.push(*id);
                Prepared::EraseTenant(*id)
            }
            Write::PutIdentity(it) => Prepared::Put(
                Kind::Identity,
                it.tenant,
                it.id.to_bytes(),
                encode_identity(it)?,
            ),
            Write::EraseIdentity(tenant, id) => {
                Prepared::Drop(Kind::Identity, *tenant, id.to_bytes())
            }
            Write::PutToken(it) => {
                Prepared::Put(Kind::Token, it.tenant, it.id.to_bytes(), encode_token(it)?)
            }
            Write::DropToken(tenant, id) => Prepared::Drop(Kind::Token, *tenant, id.to_bytes()),
            Write::PutPolicy(it) => Prepared::Put(
                Kind::Policy,
                it.tenant,
                it.id.to_bytes(),
                encode_policy(it)?,
            ),
            Write::DropPolicy(tenant, id) => Prepared::Drop(Kind::Policy, *tenant, id.to_bytes()),
            Write::PutPlan(it) => {
                Prepared::Put(Kind::Plan, it.tenant, it.id.to_bytes(), encode_plan(it)?)
            }
            Write::DropPlan(tenant, id) => Prepared::Drop(Kind::Plan, *tenant, id.to_bytes()),
            Write::PutGate(it) => put_gate(it)?,
            Write::DropGate(tenant, key) => {
                Prepared::Drop(gate_kind(*key), *tenant, key.to_bytes())
            }
            Write::PutRevision(it) => put_revision(it)?,
            Write::DropRevision(tenant, id, revision) => {
                Prepared::Drop(Kind::PolicyRevision, *tenant, revision_id(*id, *revision))
            }
            Write::PutMemory { memory, due } => {
                self.prepare_memory(memory, *due, overlay, erased)?
            }
            Write::EraseMemory(tenant, id) => {
                let at = MemoryAt {
                    tenant: *tenant,
                    id: *id,
                };
                overlay.insert(at, None);
                Prepared::EraseMemory(at)
            }
            Write::PutErasure(record) => {
                let tenant = record.tenant();
                let (kind, id) = erasure_id(self.cipher, tenant, &record.key());
                Prepared::Put(kind, tenant, id, encode_erasure(record)?)
            }
            Write::DropErasure(tenant, key) => {
                let (kind, id) = erasure_id(self.cipher, *tenant, key);
                Prepared::Drop(kind, *tenant, id)
            }
            Write::RenewKey(of) => Prepared::Renew(segment_of(of)),
        })
    }

    fn prepare_memory(
        &mut self,
        memory: &Memory,
        due: Option<UnixMillis>,
        overlay: &mut Overlay,
        erased: &[TenantId],
    ) -> Result<Prepared, StoreError> {
        let at = MemoryAt {
            tenant: memory.tenant,
            id: memory.id,
        };
        let (known, before) = match overlay.get(&at) {
            Some(before) => (Stored::AfterEarlierWrites, *before),
            None if erased.contains(&at.tenant) => (Stored::AfterEarlierWrites, None),
            None => {
                let header = self.tables.header(at)?;
                let before = header.map(|it| (it.version, it.owner));
                (Stored::Known(header), before)
            }
        };
        if let Some((version, owner)) = before {
            let what = if owner != memory.owner {
                Some("a memory cannot change its owner")
            } else if memory.version < version {
                Some("a memory's version cannot go back")
            } else {
                None
            };
            if let Some(what) = what {
                return Err(StoreError::Refused { what });
            }
        }
        overlay.insert(at, Some((memory.version, memory.owner)));
        let blind = |key: &str| blind_key(self.cipher, at.tenant, memory.owner, key);
        let header = MemoryHeader {
            key: DataKeyId(0),
            owner: memory.owner,
            version: memory.version,
            due,
            tag: memory.key.as_ref().map(|key| blind(key.as_str())),
            deleted: memory.deleted_at.is_some(),
            held: memory.quarantined,
        };
        let plaintext = encode_memory(memory, &header)?;
        Ok(Prepared::Memory(at, known, header, plaintext))
    }

    fn write(&mut self, write: Prepared) -> Result<(), StoreError> {
        match write {
            Prepared::Put(kind, tenant, id, plaintext) => {
                self.put_directory(kind, tenant, id, &plaintext)
            }
            Prepared::Drop(kind, tenant, id) => self.drop_directory(kind, tenant, id),
            Prepared::EraseTenant(tenant) => self.erase_tenant(tenant),
            Prepared::Memory(at, stored, header, plaintext) => {
                let old = match stored {
                    Stored::Known(header) => header,
                    Stored::AfterEarlierWrites => self.tables.header(at)?,
                };
                self.put_memory(at, old, header, &plaintext)
            }
            Prepared::EraseMemory(at) => self.erase_memory(at),
            Prepared::Renew(id) => self.segments.renew(self.tables.txn, id),
        }
    }

    /// Seals a record of the directory into its row.
    pub(super) fn put_directory(
        &mut self,
        kind: Kind,
        tenant: TenantId,
        id: [u8; 16],
        plaintext: &[u8],
    ) -> Result<(), StoreError> {
        let at = directory_key(tenant, kind, id);
        let subject = match kind {
            Kind::Identity => id,
            _ => tenant.to_bytes(),
        };
        let owner = SegmentOwner {
            tenant,
            subject,
            class: Class::Directory,
        };
        let key = self.segments.key(self.cipher, owner, None)?;
        let header = DirectoryHeader { key, subject };
        let row = seal_directory(self.cipher, (tenant, kind, id), header, plaintext)?;
        self.tables.directory()?.insert(&at, row.as_slice())?;
        Ok(())
    }

    /// Removes a record of the directory; with an identity goes its key.
    fn drop_directory(
        &mut self,
        kind: Kind,
        tenant: TenantId,
        id: [u8; 16],
    ) -> Result<(), StoreError> {
        let at = directory_key(tenant, kind, id);
        let header = match self.tables.directory()?.remove(&at)? {
            Some(row) => directory_header(row.value())?,
            None => return Ok(()),
        };
        if kind == Kind::Identity {
            let owner = SegmentOwner {
                tenant,
                subject: header.subject,
                class: Class::Directory,
            };
            self.segments.doom(SegmentId {
                owner,
                key: header.key,
            });
        }
        Ok(())
    }

    /// Puts a version of a memory after those that are there.
    pub(super) fn put_version(
        &mut self,
        at: MemoryAt,
        header: MemoryHeader,
        plaintext: &[u8],
    ) -> Result<(), StoreError> {
        let old = self.tables.header(at)?;
        self.put_memory(at, old, header, plaintext)
    }

    fn put_memory(
        &mut self,
        at: MemoryAt,
        old: Option<MemoryHeader>,
        mut header: MemoryHeader,
        plaintext: &[u8],
    ) -> Result<(), StoreError> {
        let key = memory_key(at.tenant, at.id);
        // A row changed in place keeps its data key: so all that was ever written of a version goes
        // with that key, wherever old pages still have it.
        let in_place = |old: &MemoryHeader| old.version == header.version;
        header.key = match old.filter(in_place) {
            Some(old) if !self.segments.is_doomed(old.key) => old.key,
            _ => {
                let row = RowRef {
                    id: at.id,
                    version: header.version,
                };
                let owner = memory_owner(at.tenant, header.owner);
                self.segments.key(self.cipher, owner, Some(row))?
            }
        };
        let row = seal_memory(self.cipher, at, &header, plaintext)?;
        let replaced = self.tables.memories()?.insert(&key, row.as_slice())?;
        let history = match (old, replaced) {
            (Some(old), Some(row)) if old.version < header.version => {
                Some((old.version, row.value().to_vec()))
            }
            _ => None,
        };
        if let Some((version, row)) = history {
            let key = history_key(at.tenant, at.id, version);
            self.tables.history()?.insert(&key, row.as_slice())?;
        }
        self.index_memory(at, old, header)
    }

    /// Makes the indexes follow a change of a memory's header.
    fn index_memory(
        &mut self,
        at: MemoryAt,
        old: Option<MemoryHeader>,
        header: MemoryHeader,
    ) -> Result<(), StoreError> {
        if old.is_none_or(|old| old.version != header.version) {
            let key = owner_key(at.tenant, header.owner, at.id);
            let version = header.version.to_be_bytes();
            self.tables.owners()?.insert(&key, &version)?;
        }
        let old_tag = old.and_then(|old| old.tag);
        if old_tag != header.tag {
            if let Some(tag) = old_tag {
                self.tables.remove_tag(at, tag)?;
            }
            if let Some(tag) = header.tag {
                let key = tag_key(at.tenant, tag);
                self.tables.keys()?.insert(&key, &at.id.to_bytes())?;
            }
        }
        let old_due = old.and_then(|old| old.due);
        if old_due != header.due {
            if let Some(due) = old_due {
                self.tables.due()?.remove(&due_key(at.tenant, due, at.id))?;
            }
            if let Some(due) = header.due {
                let key = due_key(at.tenant, due, at.id);
                self.tables.due()?.insert(&key, ())?;
            }
        }
        let key = memory_key(at.tenant, at.id);
        match (old.is_some_and(|old| old.deleted), header.deleted) {
            (false, true) => drop(self.tables.deleted()?.insert(&key, ())?),
            (true, false) => drop(self.tables.deleted()?.remove(&key)?),
            _ => {}
        }
        match (old.is_some_and(|old| old.held), header.held) {
            (false, true) => drop(self.tables.held()?.insert(&key, ())?),
            (true, false) => drop(self.tables.held()?.remove(&key)?),
            _ => {}
        }
        Ok(())
    }

    /// Removes a memory, its history and its index entries, and dooms every key that sealed any of
    /// it.
    fn erase_memory(&mut self, at: MemoryAt) -> Result<(), StoreError> {
        let key = memory_key(at.tenant, at.id);
        let Some(header) = self.tables.header(at)? else {
            return Ok(());
        };
        self.tables.memories()?.remove(&key)?;
        let mut gone = vec![header];
        let range = prefixed::<36>(&key);
        for row in self
            .tables
            .history()?
            .range::<&[u8; 36]>(range.start()..=range.end())?
        {
            gone.push(memory_header(at, row?.1.value())?);
        }
        if gone.len() > 1 {
            let history = self.tables.history()?;
            history.retain_in::<&[u8; 36], _>(range.start()..=range.end(), |_, _| false)?;
        }
        for header in gone {
            self.segments.doom(SegmentId {
                owner: memory_owner(at.tenant, header.owner),
                key: header.key,
            });
        }
        let owner = owner_key(at.tenant, header.owner, at.id);
        self.tables.owners()?.remove(&owner)?;
        if let Some(tag) = header.tag {
            self.tables.remove_tag(at, tag)?;
        }
        if let Some(due) = header.due {
            self.tables.due()?.remove(&due_key(at.tenant, due, at.id))?;
        }
        if header.deleted {
            self.tables.deleted()?.remove(&key)?;
        }
        if header.held {
            self.tables.held()?.remove(&key)?;
        }
        Ok(())
    }

    /// Removes every row of a tenant from every table, and dooms all its keys.
    fn erase_tenant(&mut self, tenant: TenantId) -> Result<(), StoreError> {
        let prefix = tenant.to_bytes();
        self.segments.doom_tenant(self.tables.txn, tenant)?;
        clear(self.tables.directory()?, prefix)?;
        clear(self.tables.memories()?, prefix)?;
        clear(self.tables.history()?, prefix)?;
        clear(self.tables.keys()?, prefix)?;
        clear(self.tables.owners()?, prefix)?;
        clear(self.tables.due()?, prefix)?;
        clear(self.tables.deleted()?, prefix)?;
        clear(self.tables.held()?, prefix)
    }
}

/// Removes every row whose key starts with `prefix`.
fn clear<const N: usize, V: Value>(
    table: &mut Table<'_, Fixed<N>, V>,
    prefix: [u8; 16],
) -> Result<(), StoreError> {
    let range = prefixed::<N>(&prefix);
    table.retain_in::<&[u8; N], _>(range.start()..=range.end(), |_, _| false)?;
    Ok(())
}

/// The rows a doomed segment leaves behind: those that are still sealed under its key.
pub(super) fn surviving_rows(
    tables: &mut Tables<'_>,
    segment: SegmentId,
    rows: &[RowRef],
) -> Result<Vec<(RowRef, bool, Vec<u8>)>, StoreError> {
    let mut found = Vec::new();
    for row in rows {
        let at = MemoryAt {
            tenant: segment.owner.tenant,
            id: row.id,
        };
        let is_it = |bytes: &[u8]| -> Result<bool, StoreError> {
            let header = memory_header(at, bytes)?;
            Ok(header.version == row.version && header.key == segment.key)
        };
        let key = memory_key(at.tenant, row.id);
        if let Some(current) = tables.memories()?.get(&key)?
            && is_it(current.value())?
        {
            found.push((*row, true, current.value().to_vec()));
            continue;
        }
        let key = history_key(at.tenant, row.id, row.version);
        if let Some(earlier) = tables.history()?.get(&key)?
            && is_it(earlier.value())?
        {
            found.push((*row, false, earlier.value().to_vec()));
        }
    }
    Ok(found)
}

/// The memory a row of a segment belongs to.
pub(super) fn row_at(segment: SegmentId, id: MemoryId) -> MemoryAt {
    MemoryAt {
        tenant: segment.owner.tenant,
        id,
    }
}
