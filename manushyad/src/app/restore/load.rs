//! Loading a whole backup into a folder of its own, believing nothing of it before its signature.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::HEXLOWER;
use ed25519_dalek::VerifyingKey;
use manushya_core::audit::{Checkpoint, Head, Verifier, VerifierKey};
use manushya_core::directory::Directory;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::unit::AuditSeq;
use sha2::{Digest, Sha256};

use super::{broken, refused, unsound};
use crate::service::backup::format::{Counts, Frame, FrameReader, Manifest};
use crate::service::writer::chain;
use crate::store::{ErasedRow, Record, Store};
use crate::vault::{StreamIdentity, SystemKeys, Unlock, Vault};

/// How many records go into one transaction.
const BATCH: usize = 4096;

/// Counts what is read.
struct Counting<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(bytes)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A backup, loaded into a folder of its own.
pub(super) struct Loaded {
    pub(super) manifest: Manifest,
    pub(super) counts: Counts,
    pub(super) head: Head,
    pub(super) signed_by: String,
    pub(super) vault: Arc<Vault>,
    pub(super) store: Store,
    /// A digest of each record, in order.
    pub(super) digests: Vec<[u8; 16]>,
}

/// The stream of frames, and how far it was read.
pub(super) struct Source {
    frames: FrameReader<Box<dyn Read>>,
    read: Arc<AtomicU64>,
}

impl Source {
    pub(super) fn open(path: &Path, identity: &StreamIdentity) -> Result<Self, WireError> {
        let file = File::open(path).map_err(|error| {
            let message = format!("the backup {} cannot be read", path.display());
            WireError::new(ErrorCode::InvalidArgument, message).reason(error.to_string())
        })?;
        let read = Arc::new(AtomicU64::new(0));
        let counting = Counting(file, read.clone());
        let stream = identity.open(counting).map_err(|error| unsound(&error))?;
        let stream: Box<dyn Read> = Box::new(stream);
        let frames = FrameReader::new(stream).map_err(|error| unsound(&error))?;
        Ok(Self { frames, read })
    }

    fn next(&mut self) -> Result<Frame, WireError> {
        self.frames.next_frame().map_err(|error| unsound(&error))
    }
}

pub(super) fn digest(record: &Record) -> [u8; 16] {
    let mut hash = Sha256::new();
    match record {
        Record::Directory {
            tenant,
            kind,
            id,
            plaintext,
        } => {
            hash.update(tenant.to_bytes());
            hash.update([*kind]);
            hash.update(id);
            hash.update(plaintext);
        }
        Record::Memory {
            tenant,
            id,
            owner,
            version,
            plaintext,
        } => {
            hash.update(tenant.to_bytes());
            hash.update(id.to_bytes());
            hash.update(owner.to_bytes());
            hash.update(version.to_be_bytes());
            hash.update(plaintext);
        }
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash.finalize()[..16]);
    digest
}

/// The head of the file: what it says of itself, the keys, the head of the log.
struct Opening {
    manifest: Manifest,
    keys: SystemKeys,
    head: Vec<u8>,
    key: VerifyingKey,
    verifier: VerifierKey,
}

fn opening(source: &mut Source) -> Result<Opening, WireError> {
    let order = || refused("the backup is not one", "its frames are out of order");
    let Frame::Manifest(manifest) = source.next()? else {
        return Err(order());
    };
    let Frame::Keys(keys) = source.next()? else {
        return Err(order());
    };
    let Frame::Head(head) = source.next()? else {
        return Err(order());
    };
    if manifest.schema > crate::store::SCHEMA {
        let reason = format!(
            "its records have schema {}; this release knows {}",
            manifest.schema,
            crate::store::SCHEMA
        );
        return Err(WireError::new(
            ErrorCode::VersionMismatch,
            "the backup is of a newer release",
        )
        .reason(reason)
        .hint("restore it with the release that took it, or a later one"));
    }
    let keys = SystemKeys::from_bytes(&keys).ok_or_else(order)?;
    let verifier: VerifierKey = manifest
        .public_key
        .parse()
        .map_err(|_| refused("the backup is not one", "its public key does not read"))?;
    let key = *verifier.key();
    if !keys.audit_keys().contains(&key) {
        return Err(refused(
            "the backup is not one",
            "its public key is not that of its keys",
        ));
    }
    Ok(Opening {
        manifest,
        keys,
        head,
        key,
        verifier,
    })
}

/// The head of the log, if the entries that were read come to it and it is signed.
fn whole_log(
    verifier: Verifier,
    start: &Opening,
    known: &[VerifierKey],
) -> Result<Head, WireError> {
    if !is_of_home(&verifier, start, known) {
        return Err(refused(
            "the backup is of another home",
            format!("it is signed by {}", start.verifier),
        ));
    }
    let head = Head::from_bytes(&start.head)
        .map_err(|error| refused("the backup's audit log is not whole", error.to_string()))?;
    let checkpoint = Checkpoint::verify(&start.manifest.checkpoint, &start.verifier)
        .map_err(|error| refused("the backup's audit log is not signed", error.to_string()))?;
    let summary = verifier
        .finish(&checkpoint)
        .map_err(|error| refused("the backup's audit log does not verify", chain(&error)))?;
    if head.size() != summary.size || head.root() != summary.root {
        return Err(refused(
            "the backup's audit log is not whole",
            "its head is another",
        ));
    }
    Ok(head)
}

/// Whether it is signed by one of the keys that are known of its home, or by one that the log in it
/// leads to from such a key.
fn is_of_home(verifier: &Verifier, start: &Opening, known: &[VerifierKey]) -> bool {
    let signed_by = &start.verifier;
    let leads = |key: &VerifierKey| {
        let keys = verifier.keys(key.clone());
        keys.is_ok_and(|keys| keys.to_vec().contains(signed_by))
    };
    known.is_empty() || known.contains(signed_by) || known.iter().any(leads)
}

/// Loads a whole backup into the folder `draft`, and believes nothing of it before its signature.
pub(super) fn load(
    source: &mut Source,
    draft: &Path,
    unlock: Unlock,
    known: &[VerifierKey],
    progress: &mut dyn FnMut(u64),
) -> Result<Loaded, WireError> {
    let start = opening(source)?;
    let vault = Vault::restore(&draft.join("keys"), unlock, &start.keys).map_err(|error| {
        WireError::new(error.code(), "the keys cannot be restored").reason(chain(&error))
    })?;
    let vault = Arc::new(vault);
    let home: [u8; 16] = HEXLOWER
        .decode(start.manifest.home.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| refused("the backup is not one", "its home has no id"))?;
    let path = draft.join("store.redb");
    let (store, _) = Store::create_for(&path, vault.clone(), home).map_err(broken)?;
    let mut loading = Loading {
        store: &store,
        records: Vec::new(),
        audit: Vec::new(),
        erased: Vec::new(),
        verifier: Verifier::new(),
        entries: 0,
        digests: Vec::new(),
    };
    let (counts, signed) = loop {
        match source.next()? {
            Frame::Record(record) => loading.record(record)?,
            Frame::Audit(entry) => loading.audit(entry)?,
            Frame::Erased(row) => loading.erased(row)?,
            Frame::Trailer(counts, signed) => break (counts, signed),
            _ => {
                return Err(refused(
                    "the backup is not one",
                    "its frames are out of order",
                ));
            }
        }
        if (loading.digests.len() as u64 + loading.entries).is_multiple_of(1024) {
            progress(source.read.load(Ordering::Relaxed));
        }
    };
    if !signed.is_by(&start.key) {
        return Err(refused(
            "the backup is not what was signed",
            "its signature is false",
        ));
    }
    loading.flush()?;
    let head = whole_log(loading.verifier, &start, known)?;
    let digests = loading.digests;
    let mut txn = store.begin(Directory::default()).map_err(broken)?;
    txn.set_audit_head(&start.head).map_err(broken)?;
    txn.commit().map_err(broken)?;
    Ok(Loaded {
        manifest: start.manifest,
        counts,
        head,
        signed_by: start.verifier.to_string(),
        vault,
        store,
        digests,
    })
}

/// What waits for its transaction.
struct Loading<'a> {
    store: &'a Store,
    records: Vec<Record>,
    audit: Vec<Vec<u8>>,
    erased: Vec<ErasedRow>,
    verifier: Verifier,
    entries: u64,
    digests: Vec<[u8; 16]>,
}

impl Loading<'_> {
    fn record(&mut self, record: Record) -> Result<(), WireError> {
        self.digests.push(digest(&record));
        self.records.push(record);
        self.flush_at(self.records.len())
    }

    fn audit(&mut self, entry: Vec<u8>) -> Result<(), WireError> {
        self.verifier
            .push(&entry)
            .map_err(|error| refused("the backup's audit log does not verify", chain(&error)))?;
        self.audit.push(entry);
        self.flush_at(self.audit.len())
    }

    fn erased(&mut self, row: ErasedRow) -> Result<(), WireError> {
        self.erased.push(row);
        self.flush_at(self.erased.len())
    }

    fn flush_at(&mut self, waiting: usize) -> Result<(), WireError> {
        if waiting < BATCH {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), WireError> {
        let mut txn = self.store.begin(Directory::default()).map_err(broken)?;
        txn.put_records(&self.records).map_err(broken)?;
        for entry in &self.audit {
            self.entries += 1;
            txn.append_audit(AuditSeq(self.entries), entry)
                .map_err(broken)?;
        }
        txn.adopt_erased(&self.erased)
            .map_err(|error| refused("the backup's erasure ledger is not whole", chain(&error)))?;
        txn.commit().map_err(broken)?;
        self.records.clear();
        self.audit.clear();
        self.erased.clear();
        Ok(())
    }
}
