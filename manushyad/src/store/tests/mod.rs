//! Tests of the store as its callers see it.

mod cases;
pub(crate) mod cipher;
mod damage;
mod erase;
mod faults;
mod model;
mod opening;

pub(in crate::store) use cases::{
    arb_identity, arb_memory, arb_plan, arb_policy, arb_tenant, arb_token,
};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cases::{ids, simple_memory};
use cipher::TestCipher;
use manushya_core::directory::Directory;
use manushya_core::model::Memory;
use manushya_core::plan::Write;

use super::{Committed, Opened, Store};

/// A store in a folder of its own.
struct Home {
    _folder: tempfile::TempDir,
    path: PathBuf,
    cipher: Arc<TestCipher>,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        Self {
            _folder: folder,
            path,
            cipher: Arc::new(TestCipher::default()),
        }
    }

    fn open(&self) -> (Store, Opened) {
        open_at(&self.path, &self.cipher)
    }

    /// What a crash now would leave: the file, and the keystore at this moment.
    fn crash_image(&self, name: &str) -> (PathBuf, Arc<TestCipher>) {
        let image = self.path.with_file_name(name);
        std::fs::copy(&self.path, &image).unwrap();
        (image, Arc::new(self.cipher.copy()))
    }
}

fn open_at(path: &Path, cipher: &Arc<TestCipher>) -> (Store, Opened) {
    Store::open(path, cipher.clone(), false).unwrap()
}

/// Commits `writes` in one transaction.
fn commit(store: &Store, directory: Directory, writes: &[Write]) -> Committed {
    let mut txn = store.begin(directory).unwrap();
    txn.apply(writes).unwrap();
    txn.commit().unwrap()
}

fn put(memory: &Memory) -> Write {
    Write::PutMemory {
        memory: Box::new(memory.clone()),
        due: None,
    }
}

#[test]
fn visiting_all_memories_in_parallel_gives_each_once() {
    let home = Home::new();
    let (store, opened) = home.open();
    let all: Vec<Memory> = (0..700)
        .map(|n| simple_memory(1, n % 3, n, "text"))
        .collect();
    let writes: Vec<Write> = all.iter().map(put).collect();
    commit(&store, opened.directory, &writes);
    let snapshot = store.snapshot().unwrap();
    for threads in [1, 3] {
        let seen = parking_lot::Mutex::new(Vec::new());
        let visit = |memory| seen.lock().push(memory);
        snapshot.for_each_memory(None, threads, visit).unwrap();
        let mut seen = seen.into_inner();
        seen.sort_by_key(|memory: &Memory| memory.id);
        assert_eq!(seen, all);
    }
    assert_eq!(snapshot.memory_count().unwrap(), 700);
    let none = |_| panic!("the tenant has no memories");
    snapshot
        .for_each_memory(Some(ids(9, 0).0), 2, none)
        .unwrap();
}

#[test]
fn visiting_ends_with_the_first_row_that_does_not_open() {
    let home = Home::new();
    let (store, opened) = home.open();
    let writes: Vec<Write> = (0..3000)
        .map(|n| put(&simple_memory(1, 1, n, "text")))
        .collect();
    commit(&store, opened.directory, &writes);
    let snapshot = store.snapshot().unwrap();
    home.cipher.lose_all_keys();
    assert!(snapshot.for_each_memory(None, 2, drop).is_err());
}

#[test]
fn audit_log_takes_no_gaps_and_pages_within_its_bounds() {
    let home = Home::new();
    let (store, opened) = home.open();
    let mut txn = store.begin(opened.directory).unwrap();
    let seq = manushya_protocol::unit::AuditSeq;
    assert!(txn.append_audit(seq(2), b"x").unwrap_err().is_refusal());
    for n in 1..=5 {
        txn.append_audit(seq(n), &[n as u8; 10]).unwrap();
    }
    assert!(txn.append_audit(seq(5), b"x").unwrap_err().is_refusal());
    txn.set_audit_head(b"head").unwrap();
    txn.commit().unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.audit_len().unwrap(), 5);
    assert_eq!(snapshot.audit_one(seq(3)).unwrap(), Some(vec![3; 10]));
    assert_eq!(snapshot.audit_one(seq(6)).unwrap(), None);
    let page = |from, bytes, entries| {
        let page = snapshot.audit(seq(from), bytes, entries).unwrap();
        page.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>()
    };
    assert_eq!(page(2, 1000, 2), [2, 3]);
    assert_eq!(page(2, 25, 100), [2, 3]);
    assert_eq!(page(4, 1, 100), [4]);
    assert!(page(6, 1000, 100).is_empty());
    drop(snapshot);
    store.close().unwrap();
    let (_store, opened) = home.open();
    assert_eq!(opened.audit_head.as_deref(), Some(&b"head"[..]));
    assert_eq!(opened.audit_len, 5);
}
