//! Opening: what is trusted of a file, and what is checked first.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use manushya_core::directory::Directory;
use manushya_core::plan::Write;
use manushya_protocol::unit::UnixMillis;
use parking_lot::Mutex;
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable};

use super::backend::{Stall, Watched};
use super::error::StoreError;
use super::schema::{
    AUDIT, CHECKPOINTS, DELETED, DIRECTORY, DUE, ERASED, HELD, HISTORY, KEYS, MEMORIES, META,
    META_AUDIT_HEAD, META_CLEAN, META_CLOCK, META_GENESIS, META_SCHEMA, META_TRUSTED, OWNERS,
    SCHEMA, SEGMENTS, SHRED,
};
use super::seal::open_directory;
use super::{
    Inner, Opened, State, Store, begin_durable, erase, ledger, migrate, read, segment, taken,
};
use crate::os::Reserve;
use crate::port::Cipher;

/// How many bytes of pages are kept in RAM.
const CACHE_BYTES: usize = 256 << 20;

/// Files up to this size are checked whole at every start: it takes less than 0.4 s, and a plain
/// open would trust a damaged file.
const CHECK_ALWAYS_BYTES_MAX: u64 = 512 << 20;

/// Runs `work`, in which the database library may panic on a damaged file.
pub(super) fn shielded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(StoreError::corrupted(
            "the database library stopped on what it read",
        ))
    })
}

/// See [`Store::open`].
pub(super) fn open(
    path: &Path,
    cipher: Arc<dyn Cipher>,
    expect_existing: bool,
    reserve: Reserve,
) -> Result<(Store, Opened), StoreError> {
    let created = !is_there(path)?;
    if created {
        if expect_existing || !cipher.keys().is_empty() {
            return Err(StoreError::Missing {
                path: path.to_owned(),
            });
        }
        create(path, None)?;
    }
    shielded(|| open_existing(path, cipher, created, reserve))
}

fn is_there(path: &Path) -> Result<bool, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::from_io(error)),
    }
}

/// Makes a database under another name and renames it, so that a file of the right name is whole.
pub(super) fn create(path: &Path, home: Option<[u8; 16]>) -> Result<(), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StoreError::from_io(error));
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(&fresh).map_err(StoreError::from_io)?;
    let backend = FileBackend::new(file)?;
    let db = builder().create_with_backend(backend)?;
    write_genesis(&db, home)?;
    db.close()?;
    fs::rename(&fresh, path).map_err(StoreError::from_io)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = File::open(folder).map_err(StoreError::from_io)?;
    folder.sync_all().map_err(StoreError::from_io)
}

pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// The first row: the id of the home, random unless it is restored, and the moment.
pub(super) fn write_genesis(db: &Database, home: Option<[u8; 16]>) -> Result<(), StoreError> {
    let mut genesis = [0; 24];
    match home {
        Some(home) => genesis[..16].copy_from_slice(&home),
        None => getrandom::fill(&mut genesis[..16])
            .map_err(|error| StoreError::from_io(io::Error::other(error.to_string())))?,
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0));
    genesis[16..].copy_from_slice(&millis.to_be_bytes());
    let txn = begin_durable(db)?;
    {
        let mut meta = txn.open_table(META)?;
        meta.insert(META_GENESIS, genesis.as_slice())?;
        meta.insert(META_SCHEMA, SCHEMA.to_be_bytes().as_slice())?;
        meta.insert(META_CLEAN, [].as_slice())?;
        txn.open_table(DIRECTORY)?;
        txn.open_table(MEMORIES)?;
        txn.open_table(HISTORY)?;
        txn.open_table(KEYS)?;
        txn.open_table(OWNERS)?;
        txn.open_table(DUE)?;
        txn.open_table(DELETED)?;
        txn.open_table(HELD)?;
        txn.open_table(AUDIT)?;
        txn.open_table(CHECKPOINTS)?;
        txn.open_table(SEGMENTS)?;
        txn.open_table(SHRED)?;
        txn.open_table(ERASED)?;
        txn.open_table(HELD)?;
    }
    txn.commit()?;
    Ok(())
}

fn open_existing(
    path: &Path,
    cipher: Arc<dyn Cipher>,
    created: bool,
    reserve: Reserve,
) -> Result<(Store, Opened), StoreError> {
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(StoreError::from_io)?;
    let length = fs::metadata(path).map_err(StoreError::from_io)?.len();
    let check = !created && length <= CHECK_ALWAYS_BYTES_MAX;
    let stall = Stall::default();
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(StoreError::from_io)?;
    let opened = Watched::file(file, stall.clone(), reserve.clone()).and_then(|backend| {
        let mut builder = builder();
        builder.set_check_integrity_on_open(check);
        builder.create_with_backend(backend)
    });
    let db = opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StoreError::InUse {
                path: path.to_owned(),
            }
        }
        other => other.into(),
    })?;
    take_over(db, path, cipher, (created, check), (stall, reserve))
}

/// Makes a store of an open database. `checked` says that its pages were checked on opening.
pub(super) fn take_over(
    mut db: Database,
    path: &Path,
    cipher: Arc<dyn Cipher>,
    (created, checked): (bool, bool),
    (stall, reserve): (Stall, Reserve),
) -> Result<(Store, Opened), StoreError> {
    let (home, was_clean) = read_genesis(&db, path)?;
    if !was_clean && !checked && !db.check_integrity()? {
        return Err(StoreError::corrupted("its pages are inconsistent"));
    }
    migrate::migrate(&db, migrate::STEPS)?;
    mark_unclean(&db)?;
    let (opened, open, keys, ledger) = load(&db, &*cipher, home, was_clean, created)?;
    erase::finish(&db, &*cipher, &keys)?;
    let state = State {
        open,
        audit_len: opened.audit_len,
        ledger,
    };
    let inner = Arc::new(Inner {
        db,
        path: path.to_owned(),
        cipher,
        state: Mutex::new(state),
        closed: AtomicBool::new(false),
        stall,
        reserve,
        readers: Mutex::default(),
    });
    Ok((Store { inner }, opened))
}

/// The home id, and whether the last run ended cleanly.
fn read_genesis(db: &Database, path: &Path) -> Result<([u8; 16], bool), StoreError> {
    let no_genesis = || StoreError::NoGenesis {
        path: path.to_owned(),
    };
    let txn = db.begin_read()?;
    let meta = match txn.open_table(META) {
        Ok(meta) => meta,
        Err(redb::TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Err(no_genesis()),
    };
    let genesis = meta.get(META_GENESIS)?.ok_or_else(no_genesis)?;
    let genesis: &[u8; 24] = genesis.value().try_into().map_err(|_| no_genesis())?;
    let mut home = [0; 16];
    home.copy_from_slice(&genesis[..16]);
    Ok((home, meta.get(META_CLEAN)?.is_some()))
}

fn mark_unclean(db: &Database) -> Result<(), StoreError> {
    let txn = begin_durable(db)?;
    txn.open_table(META)?.remove(META_CLEAN)?;
    // A file from before there were these has none.
    txn.open_table(CHECKPOINTS)?;
    txn.open_table(ERASED)?;
    txn.commit()?;
    Ok(())
}

/// See [`Store::note_time`].
pub(super) fn note_time(
    db: &Database,
    latest: Option<UnixMillis>,
    trusted: Option<UnixMillis>,
) -> Result<(), StoreError> {
    let txn = begin_durable(db)?;
    {
        let mut meta = txn.open_table(META)?;
        put_time(&mut meta, META_CLOCK, latest)?;
        put_time(&mut meta, META_TRUSTED, trusted)?;
    }
    txn.commit()?;
    Ok(())
}

/// Puts a time in its row, if it is the latest so far.
pub(super) fn put_time(
    meta: &mut redb::Table<'_, &'static str, super::schema::Bytes>,
    row: &'static str,
    time: Option<UnixMillis>,
) -> Result<(), StoreError> {
    let Some(time) = time.filter(|time| time.0 > i64::MIN) else {
        return Ok(());
    };
    if time_of(meta, row)?.is_none_or(|before| before < time) {
        meta.insert(row, time.0.to_be_bytes().as_slice())?;
    }
    Ok(())
}

fn time_of(
    meta: &impl ReadableTable<&'static str, super::schema::Bytes>,
    row: &'static str,
) -> Result<Option<UnixMillis>, StoreError> {
    let Some(row) = meta.get(row)? else {
        return Ok(None);
    };
    let bytes: [u8; 8] = row
        .value()
        .try_into()
        .map_err(|_| StoreError::corrupted("the latest time is no time"))?;
    Ok(Some(UnixMillis(i64::from_be_bytes(bytes))))
}

/// Notes that the run ends cleanly.
pub(super) fn mark_clean(db: &Database) -> Result<(), StoreError> {
    let txn = begin_durable(db)?;
    txn.open_table(META)?.insert(META_CLEAN, [].as_slice())?;
    txn.commit()?;
    Ok(())
}

type Loaded = (
    Opened,
    segment::OpenSegments,
    std::collections::BTreeSet<manushya_core::model::DataKeyId>,
    ledger::End,
);

fn load(
    db: &Database,
    cipher: &dyn Cipher,
    home: [u8; 16],
    was_clean: bool,
    created: bool,
) -> Result<Loaded, StoreError> {
    let txn = db.begin_read()?;
    let (open, keys) = segment::load(&txn.open_table(SEGMENTS)?)?;
    let mut records: Vec<Write> = Vec::new();
    for row in txn.open_table(DIRECTORY)?.iter()? {
        let (key, row) = row?;
        records.push(open_directory(cipher, key.value(), row.value())?);
    }
    let mut directory = Directory::default();
    directory.apply_all(&records);
    directory.count(&taken::taken(
        &txn.open_table(MEMORIES)?,
        &txn.open_table(HISTORY)?,
    )?);
    let meta = txn.open_table(META)?;
    let head = meta.get(META_AUDIT_HEAD)?;
    let opened = Opened {
        directory,
        audit_head: head.map(|head| head.value().to_vec()),
        audit_len: read::audit_len(&txn.open_table(AUDIT)?)?,
        latest: time_of(&meta, META_CLOCK)?,
        trusted: time_of(&meta, META_TRUSTED)?,
        was_clean,
        created,
        home,
    };
    let ledger = ledger::end(&txn.open_table(ERASED)?)?;
    Ok((opened, open, keys, ledger))
}
