//! What was erased cannot be read, and everything else can.

use manushya_core::model::{Identity, Memory};
use manushya_core::plan::Write;
use manushya_protocol::unit::UnixMillis;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::cases::{arb_identity, arb_tenant, arb_token, ids, memory_id, simple_memory};
use super::{Home, commit, open_at, put};
use crate::port::Cipher;
use crate::store::{RawRow, Snapshot, Store};

fn rows(store: &Store) -> Vec<RawRow> {
    let snapshot: Snapshot = store.snapshot().unwrap();
    let rows = snapshot.memory_rows(None).unwrap();
    rows.map(Result::unwrap).collect()
}

/// One owner's 300 memories in two segments, and another's 10.
fn filled(home: &Home) -> (Store, manushya_core::directory::Directory) {
    let (store, opened) = home.open();
    let mut writes: Vec<Write> = (0..300)
        .map(|n| put(&simple_memory(1, 1, n, "first")))
        .collect();
    writes.extend((300..310).map(|n| put(&simple_memory(1, 2, n, "other"))));
    let committed = commit(&store, opened.directory, &writes);
    assert!(committed.doomed.is_empty());
    assert_eq!(home.cipher.keys().len(), 3);
    (store, committed.directory)
}

fn next_version(n: u32, text: &str) -> Memory {
    let mut memory = simple_memory(1, 1, n, text);
    memory.version = 2;
    memory
}

#[test]
fn erased_memory_opens_in_none_of_its_versions_and_the_others_do() {
    let home = Home::new();
    let (store, directory) = filled(&home);
    let (tenant, _) = ids(1, 1);
    // Version 1 in place, then version 2, then version 2 in place: four rows in old and live pages.
    let first = rows(&store);
    let mut deleted = simple_memory(1, 1, 5, "deleted");
    deleted.deleted_at = Some(UnixMillis(5));
    let directory = commit(&store, directory, &[put(&deleted)]).directory;
    let second = rows(&store);
    let directory = commit(&store, directory, &[put(&next_version(5, "second"))]).directory;
    let third = rows(&store);
    let directory = commit(&store, directory, &[put(&next_version(5, "third"))]).directory;
    let fourth = rows(&store);
    // A version of another memory that became history lies in the same segment.
    let directory = commit(&store, directory, &[put(&next_version(6, "kept"))]).directory;

    let erased = memory_id(5);
    let committed = commit(&store, directory, &[Write::EraseMemory(tenant, erased)]);
    assert!(!committed.doomed.is_empty());
    store.shred(&committed.doomed).unwrap();
    for old in [first, second, third, fourth] {
        let row = old.iter().find(|row| row.id() == erased).unwrap();
        assert!(row.open(&*home.cipher).is_err());
    }
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.memory(tenant, erased).unwrap(), None);
    assert!(snapshot.versions(tenant, erased).unwrap().is_empty());
    assert_eq!(snapshot.memory_count().unwrap(), 309);
    let earlier = snapshot.memory_version(tenant, memory_id(6), 1).unwrap();
    assert_eq!(earlier, Some(simple_memory(1, 1, 6, "first")));
    let report = store.verify().unwrap();
    assert!(report.is_good(), "{:?}", report.findings);
    assert_eq!(report.segments as usize, home.cipher.keys().len());
    assert_eq!(report.to_shred, 0);
}

#[test]
fn many_erasures_of_one_transaction_seal_the_rest_once() {
    let home = Home::new();
    let (store, directory) = filled(&home);
    let (tenant, _) = ids(1, 1);
    let before = home.cipher.keys();
    let writes: Vec<Write> = (0..200)
        .map(|n| Write::EraseMemory(tenant, memory_id(n)))
        .collect();
    let committed = commit(&store, directory, &writes);
    assert_eq!(committed.doomed.len(), 1);
    store.shred(&committed.doomed).unwrap();
    assert!(home.cipher.keys().len() <= before.len() + 1);
    assert!(store.verify().unwrap().is_good());
    let writes: Vec<Write> = (200..310)
        .map(|n| Write::EraseMemory(tenant, memory_id(n)))
        .collect();
    let committed = commit(&store, committed.directory, &writes);
    store.shred(&committed.doomed).unwrap();
    assert!(home.cipher.keys().is_empty());
    assert_eq!(store.verify().unwrap().segments, 0);
}

#[test]
fn memory_added_and_erased_in_one_transaction_leaves_no_key() {
    let home = Home::new();
    let (store, opened) = home.open();
    let (tenant, _) = ids(1, 1);
    let memory = simple_memory(1, 1, 1, "short");
    let writes = [put(&memory), Write::EraseMemory(tenant, memory.id)];
    let committed = commit(&store, opened.directory, &writes);
    store.shred(&committed.doomed).unwrap();
    assert!(home.cipher.keys().is_empty());
    assert!(store.verify().unwrap().is_good());
}

#[test]
fn row_changed_after_an_erasure_of_the_same_transaction_survives_it() {
    let home = Home::new();
    let (store, directory) = filled(&home);
    let (tenant, _) = ids(1, 1);
    let changed = simple_memory(1, 1, 7, "changed");
    let moved = next_version(8, "moved");
    let writes = [
        Write::EraseMemory(tenant, memory_id(5)),
        put(&changed),
        put(&moved),
        put(&simple_memory(1, 1, 5, "again")),
    ];
    let committed = commit(&store, directory, &writes);
    store.shred(&committed.doomed).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.memory(tenant, changed.id).unwrap(), Some(changed));
    assert_eq!(snapshot.versions(tenant, moved.id).unwrap(), [2, 1]);
    let first = snapshot.memory_version(tenant, moved.id, 1).unwrap();
    assert_eq!(first, Some(simple_memory(1, 1, 8, "first")));
    let report = store.verify().unwrap();
    assert!(report.is_good(), "{:?}", report.findings);
}

#[test]
fn dropped_erasure_erases_nothing() {
    let home = Home::new();
    let (store, directory) = filled(&home);
    let mut txn = store.begin(directory).unwrap();
    let erase = Write::EraseMemory(ids(1, 1).0, memory_id(5));
    txn.apply(&[erase]).unwrap();
    drop(txn);
    assert_eq!(store.snapshot().unwrap().memory_count().unwrap(), 310);
    assert!(store.verify().unwrap().is_good());
}

#[test]
fn crash_between_commit_and_shredding_is_finished_at_the_next_start() {
    let home = Home::new();
    let (store, directory) = filled(&home);
    let old = rows(&store);
    let erase = Write::EraseMemory(ids(1, 1).0, memory_id(5));
    let committed = commit(&store, directory, &[erase]);
    let (image, cipher) = home.crash_image("crashed.redb");
    assert!(old[5].open(&*cipher).is_ok());
    let (reopened, opened) = open_at(&image, &cipher);
    assert!(!opened.was_clean);
    assert!(old[5].open(&*cipher).is_err());
    assert!(
        committed
            .doomed
            .iter()
            .all(|key| !cipher.keys().contains(key))
    );
    let report = reopened.verify().unwrap();
    assert!(report.is_good() && report.to_shred == 0 && report.memories == 309);
}

#[test]
fn crash_before_the_commit_leaves_no_key_behind() {
    let home = Home::new();
    let (store, directory) = filled(&home);
    let mut txn = store.begin(directory).unwrap();
    txn.apply(&[put(&simple_memory(1, 3, 400, "never"))])
        .unwrap();
    let (image, cipher) = home.crash_image("crashed.redb");
    drop(txn);
    assert_eq!(cipher.keys().len(), 4);
    let (reopened, _) = open_at(&image, &cipher);
    assert_eq!(cipher.keys().len(), 3);
    assert!(reopened.verify().unwrap().is_good());
}

fn sample<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> T {
    let mut runner = TestRunner::deterministic();
    strategy.new_tree(&mut runner).unwrap().current()
}

#[test]
fn erased_identity_and_tenant_take_their_keys_with_them() {
    let home = Home::new();
    let (store, directory) = filled(&home);
    let mut writes = Vec::new();
    for n in 1..=2 {
        let (tenant, _) = ids(n, 0);
        let mut record = sample(arb_tenant());
        (record.id, record.name) = (tenant, format!("t{n}").parse_name());
        writes.push(Write::PutTenant(record.into()));
        for m in 0..2 {
            let identity = Identity {
                id: ids(n, m).1,
                tenant,
                external_id: manushya_core::model::ExternalId::new(format!("e{m}")).unwrap(),
                ..sample(arb_identity())
            };
            writes.push(Write::PutIdentity(identity.into()));
        }
        let mut token = sample(arb_token());
        token.tenant = tenant;
        writes.push(Write::PutToken(token.into()));
    }
    let directory = commit(&store, directory, &writes).directory;
    assert_eq!(home.cipher.keys().len(), 3 + 2 * 3);
    let (tenant, identity) = ids(1, 0);
    let committed = commit(&store, directory, &[Write::EraseIdentity(tenant, identity)]);
    assert_eq!(committed.doomed.len(), 1);
    store.shred(&committed.doomed).unwrap();
    assert!(committed.directory.identity(tenant, identity).is_none());
    let committed = commit(&store, committed.directory, &[Write::EraseTenant(tenant)]);
    store.shred(&committed.doomed).unwrap();
    assert_eq!(committed.directory.identity_count(), 2);
    assert_eq!(home.cipher.keys().len(), 3);
    let report = store.verify().unwrap();
    assert!(report.is_good(), "{:?}", report.findings);
    assert_eq!((report.directory, report.memories), (4, 0));
    store.close().unwrap();
    let (_store, opened) = home.open();
    assert_eq!(opened.directory.tenants().count(), 1);
    assert_eq!(opened.directory.identity_count(), 2);
    assert_eq!(opened.directory.tokens(tenant).count(), 0);
}

trait ParseName {
    fn parse_name(self) -> manushya_core::model::TenantName;
}

impl ParseName for String {
    fn parse_name(self) -> manushya_core::model::TenantName {
        manushya_core::model::TenantName::new(self).unwrap()
    }
}
