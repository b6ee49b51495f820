//! What a file must be to be opened.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use manushya_core::plan::Write;
use redb::{Builder, Database, ReadableDatabase, TableDefinition, WriteTransaction};

use super::cases::{ids, simple_memory};
use super::cipher::TestCipher;
use super::{Home, commit, put};
use crate::port::Cipher;
use crate::store::schema::{META, META_SCHEMA};
use crate::store::{Store, StoreError, migrate};

fn refusal(home: &Home, expect_existing: bool) -> StoreError {
    match Store::open(&home.path, home.cipher.clone(), expect_existing) {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[test]
fn missing_or_empty_file_is_refused_where_one_must_be() {
    let home = Home::new();
    assert!(matches!(refusal(&home, true), StoreError::Missing { .. }));
    std::fs::write(&home.path, b"").unwrap();
    assert!(matches!(refusal(&home, true), StoreError::Missing { .. }));
    home.cipher.fresh_key().unwrap();
    assert!(matches!(refusal(&home, false), StoreError::Missing { .. }));
    assert_eq!(home.cipher.keys().len(), 1);
}

#[test]
fn database_of_somebody_else_and_no_database_are_refused() {
    let home = Home::new();
    let db = Database::create(&home.path).unwrap();
    drop(db);
    assert!(matches!(refusal(&home, true), StoreError::NoGenesis { .. }));
    assert!(matches!(
        refusal(&home, false),
        StoreError::NoGenesis { .. }
    ));
    std::fs::write(&home.path, b"not a database at all, but a text").unwrap();
    assert!(matches!(refusal(&home, true), StoreError::Corrupted { .. }));
}

#[test]
fn file_is_private_and_in_use_once() {
    let home = Home::new();
    let (store, opened) = home.open();
    assert!(opened.created && opened.was_clean);
    let mode = std::fs::metadata(&home.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(refusal(&home, true), StoreError::InUse { .. }));
    store.close().unwrap();
    let names: Vec<_> = std::fs::read_dir(home.path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["store.redb"]);
}

#[test]
fn only_a_closed_store_was_clean() {
    let home = Home::new();
    let (store, opened) = home.open();
    let first = opened.home;
    store.close().unwrap();
    let (store, opened) = home.open();
    assert!(opened.was_clean && !opened.created && opened.home == first);
    drop(store);
    let (store, opened) = home.open();
    assert!(!opened.was_clean);
    let clone = store.clone();
    store.close().unwrap();
    assert!(matches!(clone.snapshot(), Err(StoreError::Closed)));
    assert!(matches!(
        clone.begin(opened.directory),
        Err(StoreError::Closed)
    ));
    drop(clone);
    assert!(home.open().1.was_clean);
}

#[test]
fn newer_schema_is_refused_and_left_alone() {
    let home = Home::new();
    home.open().0.close().unwrap();
    let db = Builder::new().open(&home.path).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(META)
        .unwrap()
        .insert(META_SCHEMA, 2u32.to_be_bytes().as_slice())
        .unwrap();
    txn.commit().unwrap();
    drop(db);
    let error = refusal(&home, true);
    assert!(matches!(
        error,
        StoreError::NewerSchema { found: 2, known: 1 }
    ));
    let db = Builder::new().open(&home.path).unwrap();
    assert_eq!(migrate::schema_of(&db).unwrap(), 2);
}

const ADDED: TableDefinition<'static, u32, u32> = TableDefinition::new("added");

fn add_table(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(ADDED)?.insert(1, 1)?;
    Ok(())
}

fn fail(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(ADDED)?.insert(2, 2)?;
    Err(StoreError::corrupted("the step fails"))
}

#[test]
fn migration_steps_are_taken_once_and_whole_or_not_at_all() {
    let home = Home::new();
    home.open().0.close().unwrap();
    let db = Builder::new().open(&home.path).unwrap();
    assert!(migrate::migrate(&db, &[add_table, fail]).is_err());
    assert_eq!(migrate::schema_of(&db).unwrap(), 2);
    let txn = db.begin_read().unwrap();
    let table = txn.open_table(ADDED).unwrap();
    assert!(table.get(1).unwrap().is_some());
    assert!(table.get(2).unwrap().is_none());
    // The first step is not taken again: it is one that would fail.
    migrate::migrate(&db, &[fail, add_table]).unwrap();
    assert_eq!(migrate::schema_of(&db).unwrap(), 3);
}

#[test]
fn keystore_that_cannot_be_written_breaks_the_transaction_and_nothing_else() {
    let home = Home::new();
    let (store, opened) = home.open();
    let first = commit(
        &store,
        opened.directory,
        &[put(&simple_memory(1, 1, 1, "a"))],
    );
    home.cipher.fail(true);
    let mut txn = store.begin(first.directory.clone()).unwrap();
    let other = put(&simple_memory(1, 2, 2, "b"));
    let error = txn.apply(std::slice::from_ref(&other)).unwrap_err();
    assert!(matches!(error, StoreError::Cipher(_)) && txn.broken());
    assert!(matches!(
        txn.apply(std::slice::from_ref(&other)),
        Err(StoreError::Broken)
    ));
    assert!(matches!(txn.commit(), Err(StoreError::Broken)));
    home.cipher.fail(false);
    commit(&store, first.directory, &[other]);
    assert!(store.verify().unwrap().is_good());
    assert_eq!(store.snapshot().unwrap().memory_count().unwrap(), 2);
}

#[test]
fn refused_plan_leaves_no_trace_in_a_transaction_that_goes_on() {
    let home = Home::new();
    let (store, opened) = home.open();
    let good = simple_memory(1, 1, 1, "good");
    let mut wide = simple_memory(1, 1, 3, "wide");
    wide.vector = Some(vec![f32::INFINITY]);
    let mut txn = store.begin(opened.directory).unwrap();
    txn.apply(&[put(&good)]).unwrap();
    let bad: [Write; 2] = [put(&simple_memory(1, 1, 2, "half")), put(&wide)];
    assert!(txn.apply(&bad).unwrap_err().is_refusal());
    assert!(!txn.broken());
    txn.commit().unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.memory_count().unwrap(), 1);
    assert_eq!(snapshot.memory(ids(1, 1).0, good.id).unwrap(), Some(good));
    assert!(store.verify().unwrap().is_good());
}

#[test]
fn keys_are_left_alone_when_the_keystore_is_not_that_of_the_database() {
    let home = Home::new();
    let (store, opened) = home.open();
    commit(
        &store,
        opened.directory,
        &[put(&simple_memory(1, 1, 1, "a"))],
    );
    store.close().unwrap();
    let other = Arc::new(TestCipher::default());
    for _ in 0..3 {
        other.fresh_key().unwrap();
    }
    let wanted = home.cipher.keys()[0];
    other.destroy(&[wanted]).unwrap();
    let (store, _) = super::open_at(&home.path, &other);
    assert_eq!(other.keys().len(), 2);
    assert!(!store.verify().unwrap().is_good());
}

#[test]
fn full_disk_is_told_from_other_errors() {
    let full = redb::StorageError::Io(std::io::ErrorKind::StorageFull.into());
    assert!(matches!(StoreError::from(full), StoreError::Full(_)));
    let other = redb::StorageError::Io(std::io::ErrorKind::Other.into());
    assert!(matches!(StoreError::from(other), StoreError::Io(_)));
}
