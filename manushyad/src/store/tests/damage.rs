//! Damaged files: an error, or exactly what was stored; never another value, never a panic.
//!
//! `MANUSHYA_DAMAGE` multiplies how often; the full run is 25: 10,000 flipped bits, 1,000 cuts, 1,500
//! swapped pages.

use std::path::Path;
use std::sync::Arc;

use manushya_core::model::Memory;
use manushya_core::plan::Write;
use manushya_protocol::unit::{AuditSeq, UnixMillis};

use super::cases::{ids, simple_memory};
use super::cipher::TestCipher;
use super::{Home, put};
use crate::store::{Store, StoreError};

type Dump = (Vec<Memory>, Vec<Vec<u32>>, Vec<(AuditSeq, Vec<u8>)>, String);

fn dump(path: &Path, cipher: &TestCipher) -> Result<Dump, StoreError> {
    let (store, opened) = Store::open(path, Arc::new(cipher.copy()), true)?;
    let snapshot = store.snapshot()?;
    let (tenant, owner) = ids(1, 1);
    let mut memories = Vec::new();
    let mut versions = Vec::new();
    for row in snapshot.memory_rows(None)? {
        let memory = row?.open(cipher)?;
        versions.push(snapshot.versions(memory.tenant, memory.id)?);
        memories.push(memory);
    }
    for (id, version) in snapshot.memories_of(tenant, owner)? {
        memories.extend(snapshot.memory_version(tenant, id, version)?);
    }
    for (id, version) in snapshot.due(tenant, UnixMillis(i64::MAX), 1000)? {
        memories.extend(snapshot.memory_version(tenant, id, version)?);
    }
    let audit = snapshot.audit(AuditSeq(1), usize::MAX, 1000)?;
    let tenants: Vec<_> = opened.directory.tenants().collect();
    Ok((memories, versions, audit, format!("{tenants:?}")))
}

/// A store with some of everything; the file as it is after a clean or an unclean stop.
fn prepared(home: &Home, clean: bool) -> Vec<u8> {
    let (store, opened) = home.open();
    let mut directory = opened.directory;
    for round in 0..4u32 {
        let mut txn = store.begin(directory).unwrap();
        for n in 0..40 {
            let mut memory = simple_memory(1, n % 2, n, "some text of a memory");
            memory.version = 1 + round;
            let due = (n % 3 == 0).then_some(UnixMillis(i64::from(n)));
            let memory = Box::new(memory);
            txn.apply(&[Write::PutMemory { memory, due }]).unwrap();
        }
        let extra = put(&simple_memory(1, 1, 100 + round, "extra"));
        txn.apply(&[extra]).unwrap();
        txn.append_audit(AuditSeq(u64::from(round) + 1), &[7; 60])
            .unwrap();
        directory = txn.commit().unwrap().directory;
    }
    if clean {
        store.close().unwrap();
        return std::fs::read(&home.path).unwrap();
    }
    std::fs::read(&home.path).unwrap()
}

/// A fixed sequence of numbers that look random (SplitMix64).
fn numbers(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }
}

/// Damages the file `trials` times, each time from whole, and counts the times it was noticed.
fn check(
    clean: bool,
    trials: usize,
    damage: impl Fn(&mut Vec<u8>, &mut dyn FnMut(usize) -> usize),
) {
    let home = Home::new();
    let whole = prepared(&home, clean);
    let path = home.path.with_file_name("damaged.redb");
    std::fs::write(&path, &whole).unwrap();
    let expected = dump(&path, &home.cipher).unwrap();
    assert_eq!(expected.0.len(), 44 + 22 + 14 + 2);
    let mut number = numbers(7);
    let mut noticed = 0;
    let times = std::env::var("MANUSHYA_DAMAGE").ok();
    let times: usize = times.and_then(|n| n.parse().ok()).unwrap_or(1);
    for trial in 0..trials * times {
        let mut bytes = whole.clone();
        damage(&mut bytes, &mut number);
        std::fs::write(&path, &bytes).unwrap();
        match dump(&path, &home.cipher) {
            Ok(found) => assert!(found == expected, "trial {trial} gives another value"),
            Err(_) => noticed += 1,
        }
    }
    assert!(noticed > 0, "no damage hit anything");
}

fn flip_used_bit(bytes: &mut [u8], number: &mut dyn FnMut(usize) -> usize) {
    let at = loop {
        let at = number(bytes.len());
        if bytes[at] != 0 {
            break at;
        }
    };
    bytes[at] ^= 1 << number(8);
}

#[test]
fn flipped_bits_after_a_clean_stop() {
    check(true, 200, |bytes, number| flip_used_bit(bytes, number));
}

#[test]
fn flipped_bits_after_an_unclean_stop() {
    check(false, 200, |bytes, number| flip_used_bit(bytes, number));
}

#[test]
fn truncated_files() {
    check(true, 40, |bytes, number| {
        let length = 1 + number(bytes.len() - 1);
        bytes.truncate(length);
    });
}

#[test]
fn swapped_pages() {
    check(true, 60, |bytes, number| {
        let pages = bytes.len() / 4096;
        let (a, b) = (number(pages), number(pages));
        if a != b {
            for at in 0..4096 {
                bytes.swap(a * 4096 + at, b * 4096 + at);
            }
        }
    });
}
