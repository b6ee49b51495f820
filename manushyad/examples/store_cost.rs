//! Measures what the store costs: adds on the writer thread, reading everything back, erasing.
//!
//! `cargo run --release -p manushyad --example store_cost [MEMORIES]`

#![allow(clippy::unwrap_used, reason = "a measurement stops at the first error")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use manushya_core::model::{
    Kind, Memory, MemoryContent, MemoryKey, Namespace, Provenance, Session, Tag, Trust,
};
use manushya_core::plan::Write;
use manushya_core::view::View;
use manushya_protocol::id::{IdentityId, MemoryId, RequestId, TenantId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};
use manushyad::port;
use manushyad::store::Store;

#[path = "../src/store/tests/cipher.rs"]
mod cipher;

fn memory(n: u64, key: bool) -> Memory {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    Memory {
        id: MemoryId::from_bytes(id),
        tenant: TenantId::from_bytes([1; 16]),
        owner: IdentityId::from_bytes([(n % 20) as u8; 16]),
        key: key.then(|| MemoryKey::new(format!("import/{n}")).unwrap()),
        content: MemoryContent {
            text: format!("{n} the deployment of the search service failed twice. ").repeat(5),
            kind: Kind::default(),
            tags: vec![Tag::new("deploy").unwrap(), Tag::new("search").unwrap()],
            metadata: serde_json::from_str(r#"{"source":"log","severity":3}"#).unwrap(),
            namespace: Namespace::new("/team/search").unwrap(),
            session: Some(Session::new(format!("session-{}", n / 20)).unwrap()),
            trust: Trust::default(),
            expires_at: None,
        },
        vector: Some((0..384).map(|i| ((n + i) % 97) as f32 / 97.0).collect()),
        embedder: Default::default(),
        version: 1,
        created_at: UnixMillis(n as i64),
        updated_at: UnixMillis(n as i64),
        deleted_at: None,
        provenance: Provenance::plain(
            IdentityId::from_bytes([(n % 20) as u8; 16]),
            RequestId::from_bytes([0; 16]),
            UnixMillis(0),
        ),
        quarantined: false,
        canary: false,
        superseded: None,
        supersedes: Vec::new(),
    }
}

fn per(elapsed: Duration, count: u64) -> f64 {
    elapsed.as_secs_f64() * 1e6 / count as f64
}

fn main() {
    let count: u64 = std::env::args()
        .nth(1)
        .map_or(100_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let cipher = Arc::new(cipher::TestCipher::default());
    let (store, opened) = Store::open(&path, cipher.clone(), false).unwrap();
    let mut directory = opened.directory;

    let (mut apply, mut audit, mut commit, mut view) = (
        Duration::ZERO,
        Duration::ZERO,
        Duration::ZERO,
        Duration::ZERO,
    );
    for group in 0..count / 256 {
        let memories: Vec<Memory> = (group * 256..(group + 1) * 256)
            .map(|n| memory(n, n % 2 == 0))
            .collect();
        let mut txn = store.begin(directory).unwrap();
        for (n, memory) in memories.into_iter().enumerate() {
            let start = Instant::now();
            if let Some(key) = &memory.key {
                assert!(
                    txn.memory_by_key(memory.tenant, memory.owner, key)
                        .unwrap()
                        .is_none()
                );
            }
            view += start.elapsed();
            let write = Write::PutMemory {
                memory: Box::new(memory),
                due: None,
            };
            let start = Instant::now();
            txn.apply(&[write]).unwrap();
            apply += start.elapsed();
            let start = Instant::now();
            txn.append_audit(AuditSeq(group * 256 + n as u64 + 1), &[0; 180])
                .unwrap();
            audit += start.elapsed();
        }
        let start = Instant::now();
        directory = txn.commit().unwrap().directory;
        commit += start.elapsed();
    }
    let count = count / 256 * 256;
    println!("{count} memories, 256 a commit, one apply each; microseconds a memory:");
    println!("  view (half have a key) {:.2}", per(view, count));
    println!("  apply                  {:.2}", per(apply, count));
    println!("  append_audit           {:.2}", per(audit, count));
    println!("  commit                 {:.2}", per(commit, count));
    println!(
        "  file bytes a memory    {}",
        store.file_bytes().unwrap() / count
    );

    let snapshot = store.snapshot().unwrap();
    for threads in [1, 2] {
        let (start, seen) = (Instant::now(), AtomicUsize::new(0));
        let visit = |_| {
            seen.fetch_add(1, Ordering::Relaxed);
        };
        snapshot.for_each_memory(None, threads, visit).unwrap();
        println!("  open all, {threads} threads: {:?}", start.elapsed());
        assert_eq!(seen.into_inner() as u64, count);
    }
    drop(snapshot);

    let start = Instant::now();
    for n in 0..10 {
        let erase = Write::EraseMemory(TenantId::from_bytes([1; 16]), memory(n, false).id);
        let mut txn = store.begin(directory).unwrap();
        txn.apply(&[erase]).unwrap();
        let committed = txn.commit().unwrap();
        store.shred(&committed.doomed).unwrap();
        directory = committed.directory;
    }
    println!("  erase one: {:?}", start.elapsed() / 10);
    let start = Instant::now();
    let report = store.verify().unwrap();
    println!(
        "  verify: {:?}, {} findings",
        start.elapsed(),
        report.findings_total
    );
    store.close().unwrap();
    let start = Instant::now();
    let (store, _) = Store::open(&path, cipher, true).unwrap();
    println!(
        "  open: {:?} for {} MB",
        start.elapsed(),
        store.file_bytes().unwrap() >> 20
    );
}
