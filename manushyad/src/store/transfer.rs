//! Records on their way into a backup and out of one: opened, and sealed anew under other keys.

use std::path::Path;
use std::sync::Arc;

use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use redb::ReadableTable;
use zeroize::Zeroizing;

use super::apply::{Applier, Tables};
use super::error::StoreError;
use super::read;
use super::record::{MemoryAt, MemoryHeader};
use super::schema::{DIRECTORY, HISTORY, Kind, META, META_AUDIT_HEAD, part, prefixed};
use super::seal::{open_directory_bytes, open_memory_bytes};
use super::snapshot::Snapshot;
use super::txn::Txn;
use super::{Opened, Store, open};
use crate::port::Cipher;

/// One record in the clear.
#[derive(Debug)]
pub enum Record {
    /// A row of the directory.
    Directory {
        /// Its tenant.
        tenant: TenantId,
        /// The number of its kind.
        kind: u8,
        /// Its id.
        id: [u8; 16],
        /// What is sealed of it.
        plaintext: Zeroizing<Vec<u8>>,
    },
    /// One version of a memory. The versions of one memory rise.
    Memory {
        /// Its tenant.
        tenant: TenantId,
        /// Its id.
        id: MemoryId,
        /// Its owner.
        owner: IdentityId,
        /// The version.
        version: u32,
        /// What is sealed of it.
        plaintext: Zeroizing<Vec<u8>>,
    },
}

impl Snapshot {
    /// Gives every record to `visit`, in an order that is the same for the same records.
    ///
    /// # Errors
    ///
    /// What the store or `visit` says.
    pub fn records<E: From<StoreError>>(
        &self,
        mut visit: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let directory = self.txn.open_table(DIRECTORY).map_err(StoreError::from)?;
        for row in directory.iter().map_err(StoreError::from)? {
            let (key, value) = row.map_err(StoreError::from)?;
            let plaintext = open_directory_bytes(&*self.cipher, key.value(), value.value())?;
            visit(Record::Directory {
                tenant: TenantId::from_bytes(part(key.value(), 0)),
                kind: key.value()[16],
                id: part(key.value(), 17),
                plaintext,
            })?;
        }
        let history = self.txn.open_table(HISTORY).map_err(StoreError::from)?;
        for row in self.memories.iter().map_err(StoreError::from)? {
            let (key, value) = row.map_err(StoreError::from)?;
            let at = MemoryAt::of_key(key.value());
            let range = prefixed::<36>(key.value());
            let earlier = history
                .range::<&[u8; 36]>(range.start()..=range.end())
                .map_err(StoreError::from)?;
            for row in earlier {
                let (_, value) = row.map_err(StoreError::from)?;
                visit(self.memory_record(at, value.value())?)?;
            }
            visit(self.memory_record(at, value.value())?)?;
        }
        Ok(())
    }

    fn memory_record(&self, at: MemoryAt, row: &[u8]) -> Result<Record, StoreError> {
        let (header, plaintext) = open_memory_bytes(&*self.cipher, at, row)?;
        Ok(Record::Memory {
            tenant: at.tenant,
            id: at.id,
            owner: header.owner,
            version: header.version,
            plaintext,
        })
    }

    /// What the audit log wants kept beside its last entry.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the row cannot be read.
    pub fn audit_head(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let meta = self.txn.open_table(META)?;
        let head = meta.get(META_AUDIT_HEAD)?;
        Ok(head.map(|head| head.value().to_vec()))
    }

    /// How many earlier versions of memories there are on the whole host.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the table cannot be read.
    pub fn version_count(&self) -> Result<u64, StoreError> {
        use redb::ReadableTableMetadata as _;
        Ok(self.txn.open_table(HISTORY)?.len()?)
    }

    /// How many audit entries this snapshot has.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the table cannot be read.
    pub fn audit_count(&self) -> Result<u64, StoreError> {
        read::audit_len(&self.txn.open_table(super::schema::AUDIT)?)
    }
}

impl Txn {
    /// Puts records of a backup into a store that has none of them yet. The directory in RAM does
    /// not follow: open the store anew when all are in.
    ///
    /// # Errors
    ///
    /// [`StoreError`] for a record that is none; then drop the transaction.
    pub fn put_records(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let (cipher, txn, segments) = self.parts();
        let mut applier = Applier {
            cipher,
            tables: Tables::new(txn),
            segments,
            taken: Vec::new(),
        };
        for record in records {
            match record {
                Record::Directory {
                    tenant,
                    kind,
                    id,
                    plaintext,
                } => {
                    let kind = Kind::from_code(*kind).ok_or_else(|| {
                        StoreError::corrupted("a record of the backup is of no known kind")
                    })?;
                    applier.put_directory(kind, *tenant, *id, plaintext)?;
                }
                Record::Memory {
                    tenant,
                    id,
                    owner,
                    version,
                    plaintext,
                } => {
                    let at = MemoryAt {
                        tenant: *tenant,
                        id: *id,
                    };
                    let header = MemoryHeader::of_plaintext(*owner, *version, plaintext)
                        .map_err(|error| error.of("a memory of the backup"))?;
                    applier.put_version(at, header, plaintext)?;
                }
            }
        }
        Ok(())
    }
}

impl Store {
    /// Makes the database of a home that is restored, and opens it. It keeps the id of the home.
    ///
    /// # Errors
    ///
    /// As [`Store::open`]; [`StoreError::Refused`] if there is something at `path`.
    pub fn create_for(
        path: &Path,
        cipher: Arc<dyn Cipher>,
        home: [u8; 16],
    ) -> Result<(Self, Opened), StoreError> {
        if path.exists() {
            return Err(StoreError::Refused {
                what: "there is a database already",
            });
        }
        open::create(path, Some(home))?;
        open::open(path, cipher, true, Default::default())
    }
}
