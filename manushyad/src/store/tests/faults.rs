//! Disks that fail and power that is lost: nothing that was acknowledged is lost, nothing that failed
//! is acknowledged, and nothing panics.
//!
//! `MANUSHYA_FAULTS` says how many operations are made to fail in turn; the full run is 2000.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use manushya_core::directory::Directory;
use manushya_core::model::Memory;
use manushya_core::plan::Write;
use manushya_protocol::id::MemoryId;
use manushya_protocol::unit::{AuditSeq, UnixMillis};

use super::cases::{memory_id, simple_memory};
use super::cipher::TestCipher;
use crate::store::danger::{Disk, Fault};
use crate::store::{Opened, Store, StoreError};

/// The writes of one step of a script: a new memory, now and then a new version, an erasure.
fn writes(step: u64) -> Vec<Write> {
    let n = step as u32;
    let put = |memory: Memory| Write::PutMemory {
        due: (memory.version == 1).then_some(UnixMillis(i64::from(n))),
        memory: Box::new(memory),
    };
    let mut writes = vec![put(simple_memory(1, n % 3, n, "some text"))];
    if step % 4 == 3 {
        let mut memory = simple_memory(1, (n - 1) % 3, n - 1, "other text");
        memory.version = 2;
        writes.push(put(memory));
    }
    if step % 6 == 5 {
        let (tenant, _) = super::ids(1, 0);
        writes.push(Write::EraseMemory(tenant, memory_id(n - 3)));
    }
    writes
}

type Content = BTreeMap<MemoryId, (u32, String)>;

/// What the store holds after so many steps.
fn expected(steps: u64) -> Content {
    let mut content = Content::new();
    for write in (1..=steps).flat_map(writes) {
        match write {
            Write::PutMemory { memory, .. } => {
                content.insert(memory.id, (memory.version, memory.content.text.clone()));
            }
            Write::EraseMemory(_, id) => drop(content.remove(&id)),
            _ => unreachable!("a script has no other writes"),
        }
    }
    content
}

/// Runs one step; what comes back was acknowledged.
fn step(store: &Store, directory: Directory, number: u64) -> Result<Directory, StoreError> {
    let mut txn = store.begin(directory)?;
    txn.apply(&writes(number))?;
    txn.append_audit(AuditSeq(number), &[number as u8; 80])?;
    txn.set_audit_head(&number.to_be_bytes())?;
    let committed = txn.commit()?;
    store.shred(&committed.doomed)?;
    Ok(committed.directory)
}

/// Runs steps until one fails or all are done. Returns how many were acknowledged, and the error.
fn run(store: &Store, opened: Opened, steps: u64) -> (u64, Option<StoreError>) {
    let mut directory = opened.directory;
    for number in opened.audit_len + 1..=steps {
        match step(store, directory, number) {
            Ok(next) => directory = next,
            Err(error) => return (number - 1, Some(error)),
        }
    }
    (steps, None)
}

/// Opens what is left, and checks that it is the state after some number of steps, whole, of which
/// none that was acknowledged is missing. Returns that number.
fn check(image: Vec<u8>, cipher: &TestCipher, acknowledged: u64, what: &str) -> u64 {
    let disk = Disk::holding(image, 1);
    let (store, opened) = Store::danger_fault_injection(&disk, Arc::new(cipher.copy()))
        .unwrap_or_else(|error| panic!("{what}: does not open: {error:?}"));
    let steps = opened.audit_len;
    assert!(
        (acknowledged..=acknowledged + 1).contains(&steps),
        "{what}: {acknowledged} steps were acknowledged, {steps} are there"
    );
    let head = (steps > 0).then(|| steps.to_be_bytes().to_vec());
    assert_eq!(opened.audit_head, head, "{what}");
    let report = store.verify_content().unwrap();
    assert!(report.is_good(), "{what}: {:?}", report.findings);
    let snapshot = store.snapshot().unwrap();
    let mut found = Content::new();
    for row in snapshot.memory_rows(None).unwrap() {
        let memory = row.unwrap().open(cipher).unwrap();
        found.insert(memory.id, (memory.version, memory.content.text));
    }
    assert_eq!(found, expected(steps), "{what}");
    steps
}

fn faults() -> u64 {
    let asked = std::env::var("MANUSHYA_FAULTS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(150)
}

/// How many operations, from the opening on, are made to fail in turn.
const OPERATIONS: u64 = 2000;

#[test]
fn every_operation_may_fail_and_nothing_is_lost_or_falsely_acknowledged() {
    // Enough steps that the last of the operations is reached.
    let disk = Disk::default();
    let (store, opened) =
        Store::danger_fault_injection(&disk, Arc::new(TestCipher::default())).unwrap();
    let (mut steps, mut directory) = (0, opened.directory);
    while disk.operations() < OPERATIONS {
        steps += 1;
        directory = step(&store, directory, steps).unwrap();
    }
    drop(store);
    let count = faults().min(OPERATIONS);
    let (mut hits, mut refused) = (0, 0);
    for nth in 1..=count {
        let operation = nth * OPERATIONS / count;
        for (kind, fault) in Fault::ALL.into_iter().enumerate() {
            // Each at each operation in a full run, in turn otherwise.
            if count < OPERATIONS && nth as usize % 4 != kind {
                continue;
            }
            let lasting = (operation + kind as u64).is_multiple_of(2);
            let what = format!("{fault:?} at operation {operation}, lasting: {lasting}");
            let (disk, cipher) = (Disk::holding(Vec::new(), operation), TestCipher::default());
            let cipher = Arc::new(cipher);
            disk.fail(operation, fault, lasting);
            let ran = catch_unwind(AssertUnwindSafe(|| {
                let (store, opened) = Store::danger_fault_injection(&disk, cipher.clone())?;
                let (acknowledged, error) = run(&store, opened, steps);
                if let Some(StoreError::Io(_) | StoreError::Full(_)) = &error
                    && fault == Fault::Sync
                {
                    // After a failed sync nobody knows what is on the disk: no second try.
                    let again = step(&store, Directory::default(), acknowledged + 1);
                    assert!(again.is_err(), "{what}: acknowledged after a failed sync");
                }
                Ok::<_, StoreError>((acknowledged, error))
            }));
            let ran = ran.unwrap_or_else(|_| panic!("{what}: a panic"));
            hits += u64::from(disk.hits() > 0);
            // A disk that failed while the store was made leaves no store: another start makes it.
            let Ok((acknowledged, error)) = ran else {
                continue;
            };
            refused += u64::from(error.is_some());
            assert!(error.is_some() || acknowledged == steps, "{what}");
            disk.mend();
            check(disk.after_power_loss(), &cipher, acknowledged, &what);
            check(disk.after_kill(), &cipher, acknowledged, &what);
        }
    }
    assert!(
        hits * 10 >= count * 9,
        "only {hits} of {count} faults hit anything"
    );
    assert!(refused * 2 > count, "only {refused} faults were noticed");
}

#[test]
fn power_lost_at_any_sync_leaves_what_was_acknowledged() {
    const STEPS: u64 = 200;
    let disk = Disk::holding(Vec::new(), 7);
    let cipher = Arc::new(TestCipher::default());
    let (store, opened) = Store::danger_fault_injection(&disk, cipher.clone()).unwrap();
    let mut directory = opened.directory;
    let (mut images, mut ahead, mut before) = (0, 0, disk.syncs());
    for number in 1..=STEPS {
        // Power is lost at each sync of this step in turn: the disk stops at the sync before it, and
        // what was written since may be there or not.
        let (whole, keys) = (disk.after_kill(), cipher.copy());
        let mut stop = 1;
        loop {
            let lost = Disk::holding(whole.clone(), number * 64 + stop);
            let keys = Arc::new(keys.copy());
            let (store, opened) = Store::danger_fault_injection(&lost, keys.clone()).unwrap();
            lost.lose_power_at_sync(stop);
            let ended = step(&store, opened.directory, number).is_ok();
            let acknowledged = number - 1 + u64::from(ended);
            let what = format!("step {number}, sync {stop}");
            let there = check(lost.after_power_loss(), &keys, acknowledged, &what);
            ahead += u64::from(there > acknowledged);
            images += 1;
            if ended {
                break;
            }
            stop += 1;
        }
        directory = step(&store, directory, number).unwrap();
        assert!(disk.syncs() > before, "a step that is not synced");
        before = disk.syncs();
    }
    assert!(images >= 2 * STEPS, "only {images} images");
    assert!(
        ahead > 0,
        "no image was ahead of what was acknowledged: syncs are not told apart"
    );
}
