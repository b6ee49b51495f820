//! The copy of the erasure ledger outside the data folder, and what it is there for: an old store
//! that is put in place of a newer one must not bring back what was erased.
//!
//! The file is a head of 26 bytes (`MNSHERAS`, version 1, the id of the home) and the rows of the
//! table, 57 bytes each. It is brought up to date before an erasure is answered, and at the start.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use manushya_core::decide;
use manushya_core::model::{
    Action, AuditActor, AuditDraft, Decision, Extensions, Outcome, Resource, Tenant,
};
use manushya_core::plan::Write;
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{RequestId, TenantId};

use super::writer::{Published, chain};
use crate::port::{Cipher, Ports};
use crate::store::{ErasedKind, ErasedRow, LedgerEnd, Store, StoreError, Txn, erased_tag};

const MAGIC: &[u8; 8] = b"MNSHERAS";
const VERSION: u16 = 1;
const HEAD_BYTES: u64 = 26;
/// How many rows are read or written at once.
const CHUNK_ROWS: usize = 16_384;
/// The longest ledger that is read, in bytes: 18 million erasures.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The open copy.
pub struct LedgerFile {
    file: File,
    end: LedgerEnd,
}

fn head(home: [u8; 16]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&home);
    bytes
}

impl LedgerFile {
    /// Makes a new, empty copy.
    pub(super) fn create(path: &Path, home: [u8; 16]) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).read(true).write(true);
        let mut file = options.mode(0o600).open(path)?;
        file.write_all(&head(home))?;
        file.sync_all()?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self {
            file,
            end: LedgerEnd::default(),
        })
    }

    /// Brings the copy up to what is committed; durable when it returns.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the table cannot be read or the file not written.
    pub fn catch_up(&mut self, store: &Store) -> Result<(), StoreError> {
        let snapshot = store.snapshot()?;
        let mut written = false;
        loop {
            let rows = snapshot.erased(self.end.seq + 1, CHUNK_ROWS)?;
            let Some(last) = rows.last() else { break };
            let mut bytes = Vec::with_capacity(rows.len() * ErasedRow::BYTES);
            for row in &rows {
                bytes.extend_from_slice(&row.to_bytes());
            }
            let at = HEAD_BYTES + self.end.seq * ErasedRow::BYTES as u64;
            self.file
                .seek(SeekFrom::Start(at))
                .and_then(|_| self.file.write_all(&bytes))
                .map_err(StoreError::disk)?;
            self.end = last.end();
            written = true;
        }
        if written {
            self.file.sync_data().map_err(StoreError::disk)?;
        }
        Ok(())
    }
}

/// What a file says.
pub struct Read {
    /// The id of the home it is of.
    pub home: [u8; 16],
    /// Its rows.
    pub rows: Vec<ErasedRow>,
}

/// Reads a copy of the ledger whole. A row that a crash cut off at the end is left out; the MACs are
/// not checked yet.
///
/// # Errors
///
/// What is wrong with it.
pub fn read(path: &Path) -> io::Result<Option<Read>> {
    let wrong = |reason: &'static str| io::Error::new(io::ErrorKind::InvalidData, reason);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(wrong("it is too long"));
    }
    if (bytes.len() as u64) < HEAD_BYTES {
        // A crash while it was made: nothing was erased yet.
        return Ok(None);
    }
    let (head, rest) = bytes.split_at(26);
    if &head[..8] != MAGIC || head[8..10] != VERSION.to_be_bytes() {
        return Err(wrong("it is no erasure ledger of this version"));
    }
    let mut home = [0; 16];
    home.copy_from_slice(&head[10..]);
    let (whole, _) = rest.as_chunks::<{ ErasedRow::BYTES }>();
    let rows = whole
        .iter()
        .map(|row| ErasedRow::from_bytes(row).ok_or_else(|| wrong("a row is of no known kind")))
        .collect::<Result<_, _>>()?;
    Ok(Some(Read { home, rows }))
}

/// Whether there is a ledger of the home `home` at `path`.
pub fn is_of(path: &Path, home: [u8; 16]) -> bool {
    read(path).is_ok_and(|found| found.is_some_and(|found| found.home == home))
}

/// Checks the MACs of rows that start behind `end`.
pub fn is_authentic(cipher: &dyn Cipher, mut end: LedgerEnd, rows: &[ErasedRow]) -> bool {
    rows.iter().all(|row| {
        let follows = row.follows(cipher, end);
        end = row.end();
        follows
    })
}

fn altered(path: &Path) -> WireError {
    let message = format!(
        "the erasure ledger {} is not what was written",
        path.display()
    );
    WireError::new(ErrorCode::Integrity, message)
        .reason("a row was altered, cut out or put in")
        .hint("put back a copy of it, or move it away: what it would re-erase then stays")
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> WireError {
    let message = format!("the erasure ledger {} cannot be used", path.display());
    WireError::new(ErrorCode::Internal, message).reason(chain(error))
}

/// What the copy says that the store does not know.
enum Difference {
    /// Nothing.
    None,
    /// The store is an older one of the same history: these rows follow its last.
    Ahead(Vec<ErasedRow>),
    /// The store went another way since: these rows are not in it.
    Apart(Vec<ErasedRow>),
}

fn compare(
    store: &Store,
    cipher: &dyn Cipher,
    path: &Path,
    rows: Vec<ErasedRow>,
) -> Result<Difference, WireError> {
    let failed = |error: StoreError| unusable(path, &error);
    let snapshot = store.snapshot().map_err(failed)?;
    let end = snapshot.erased_end().map_err(failed)?;
    let common = usize::try_from(end.seq)
        .unwrap_or(usize::MAX)
        .min(rows.len());
    let same = match common.checked_sub(1).and_then(|last| rows.get(last)) {
        None => true,
        Some(row) => snapshot.erased(row.seq, 1).map_err(failed)?.first() == Some(row),
    };
    // A MAC covers all rows before it, so the last one in common speaks for all of them.
    if same && rows.len() <= common {
        return Ok(Difference::None);
    }
    if same {
        let beyond = rows[common..].to_vec();
        if !is_authentic(cipher, end, &beyond) {
            return Err(altered(path));
        }
        return Ok(Difference::Ahead(beyond));
    }
    if !is_authentic(cipher, LedgerEnd::default(), &rows) {
        return Err(altered(path));
    }
    let known: HashSet<[u8; 16]> = snapshot
        .erased(1, usize::MAX)
        .map_err(failed)?
        .iter()
        .map(|row| row.tag)
        .collect();
    let unknown = rows.into_iter().filter(|row| !known.contains(&row.tag));
    Ok(Difference::Apart(unknown.collect()))
}

/// Opens the copy at `path`. Where it knows of erasures that the store does not know of, an older
/// store was put in place: they are done again, before anything else is.
///
/// # Errors
///
/// `INTEGRITY` if the copy was altered, and what the disk says.
pub fn reconcile(
    store: &Store,
    ports: &Ports,
    home: [u8; 16],
    path: &Path,
    published: Published,
) -> Result<(LedgerFile, Published), WireError> {
    let io = |error: io::Error| unusable(path, &error);
    let found = read(path).map_err(io)?;
    let (difference, keep) = match found {
        None => (Difference::None, false),
        Some(found) if found.home != home => {
            let aside = aside(path, &HEXLOWER.encode(&found.home[..4]));
            std::fs::rename(path, &aside).map_err(io)?;
            tracing::warn!(kept = %aside.display(), "The erasure ledger was of another home.");
            (Difference::None, false)
        }
        Some(found) => {
            let difference = compare(store, &*ports.cipher, path, found.rows)?;
            let keep = !matches!(difference, Difference::Apart(_));
            (difference, keep)
        }
    };
    let published = match difference {
        Difference::None => published,
        Difference::Ahead(rows) => reapply(store, ports, published, &rows, true)?,
        Difference::Apart(rows) => {
            let published = reapply(store, ports, published, &rows, false)?;
            let aside = aside(path, &published.head.size().to_string());
            std::fs::rename(path, &aside).map_err(io)?;
            published
        }
    };
    let mut file = match keep {
        true => open_at_end(store, path).map_err(|error| unusable(path, &error))?,
        false => LedgerFile::create(path, home).map_err(io)?,
    };
    file.catch_up(store)
        .map_err(|error| unusable(path, &error))?;
    Ok((file, published))
}

/// Does again what another copy of the ledger of this home knows and the store does not.
///
/// # Errors
///
/// As [`reconcile`].
pub fn reapply_copy(
    store: &Store,
    ports: &Ports,
    home: [u8; 16],
    path: &Path,
    published: Published,
) -> Result<Published, WireError> {
    let found = read(path).map_err(|error| unusable(path, &error))?;
    let Some(found) = found.filter(|found| found.home == home) else {
        return Ok(published);
    };
    match compare(store, &*ports.cipher, path, found.rows)? {
        Difference::None => Ok(published),
        Difference::Ahead(rows) => reapply(store, ports, published, &rows, true),
        Difference::Apart(rows) => reapply(store, ports, published, &rows, false),
    }
}

fn aside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{suffix}"));
    PathBuf::from(name)
}

/// Opens a copy whose rows are those of the store, as far as it goes.
fn open_at_end(store: &Store, path: &Path) -> Result<LedgerFile, StoreError> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).open(path);
    let file = file.map_err(StoreError::disk)?;
    let length = file.metadata().map_err(StoreError::disk)?.len();
    let rows = length.saturating_sub(HEAD_BYTES) / ErasedRow::BYTES as u64;
    let last = match rows {
        0 => None,
        rows => store.snapshot()?.erased(rows, 1)?.first().copied(),
    };
    let end = last.map_or_else(LedgerEnd::default, |row| row.end());
    Ok(LedgerFile { file, end })
}

/// Erases again what `rows` say was erased. With `adopt` they become the store's own rows; else what
/// is found is noted anew.
///
/// # Errors
///
/// What the store says.
pub fn reapply(
    store: &Store,
    ports: &Ports,
    published: Published,
    rows: &[ErasedRow],
    adopt: bool,
) -> Result<Published, WireError> {
    let failed = |error: StoreError| {
        WireError::new(error.code(), "erasures could not be done again").reason(chain(&error))
    };
    let cipher = &*ports.cipher;
    let gone: HashSet<(ErasedKind, [u8; 16])> =
        rows.iter().map(|row| (row.kind, row.tag)).collect();
    let is_gone = |kind, tenant, id| gone.contains(&(kind, erased_tag(cipher, kind, tenant, id)));
    let mut writes: Vec<Write> = Vec::new();
    for row in store
        .snapshot()
        .and_then(|it| it.memory_rows(None))
        .map_err(failed)?
    {
        let row = row.map_err(failed)?;
        if is_gone(ErasedKind::Memory, row.tenant(), row.id().to_bytes()) {
            writes.push(Write::EraseMemory(row.tenant(), row.id()));
        }
    }
    let mut head = published.head.clone();
    let mut txn = store.begin(published.directory.clone()).map_err(failed)?;
    let tenants: Vec<std::sync::Arc<Tenant>> = txn.directory().tenants().cloned().collect();
    for tenant in tenants {
        if is_gone(ErasedKind::Tenant, tenant.id, tenant.id.to_bytes()) {
            writes.extend(decide::tenant::erasing_writes(&txn, tenant.id));
            continue;
        }
        writes.extend(identities(&txn, tenant.id, &is_gone).map_err(|error| {
            WireError::new(ErrorCode::Internal, "the store cannot be read").reason(chain(&error))
        })?);
    }
    txn.apply(&writes).map_err(failed)?;
    let (entry, bytes) = head.append(draft(ports, writes.len() as u64));
    txn.append_audit(entry.seq, &bytes).map_err(failed)?;
    if adopt {
        txn.adopt_erased(rows).map_err(failed)?;
    } else {
        txn.note_erased(entry.seq, entry.draft.time, &writes);
    }
    txn.set_audit_head(&head.to_bytes()).map_err(failed)?;
    let committed = txn.commit().map_err(failed)?;
    store.shred(&committed.doomed).map_err(failed)?;
    tracing::warn!(
        erasures = rows.len(),
        writes = writes.len(),
        "The store was older than the erasure ledger; what was erased since was erased again."
    );
    Ok(Published {
        directory: committed.directory,
        head,
    })
}

/// The writes that erase the identities of a tenant that are gone, with what they own.
fn identities(
    txn: &Txn,
    tenant: TenantId,
    is_gone: &dyn Fn(ErasedKind, TenantId, [u8; 16]) -> bool,
) -> Result<Vec<Write>, manushya_core::view::ViewError> {
    let mut writes = Vec::new();
    for identity in txn.directory().identities(tenant) {
        if is_gone(ErasedKind::Identity, tenant, identity.id.to_bytes()) {
            let owned = txn.memories_of(tenant, identity.id)?;
            writes.extend(owned.iter().map(|(id, _)| Write::EraseMemory(tenant, *id)));
            writes.extend(decide::identity::erasing_writes(txn, identity));
        }
    }
    Ok(writes)
}

/// The entry of what the daemon does by itself at the start.
fn draft(ports: &Ports, count: u64) -> AuditDraft {
    let now = ports.clock.now();
    let mut entropy = [0; 10];
    ports.entropy.fill(&mut entropy);
    AuditDraft {
        time: now,
        tenant: None,
        actor: AuditActor::Daemon,
        peer_uid: None,
        token: None,
        action: Action::Purge,
        resource: Resource::System,
        resource_id: None,
        decision: Decision::Allow,
        policy: None,
        request_id: RequestId::from_parts(now, entropy),
        outcome: Outcome::Ok,
        count,
        extensions: Extensions::default(),
    }
}
