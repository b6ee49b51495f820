//! The store against a naive model, over random transactions.

use std::collections::BTreeMap;

use manushya_core::directory::Directory;
use manushya_core::model::{Memory, MemoryKey};
use manushya_core::plan::Write;
use manushya_core::view::View;
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::unit::{AuditSeq, UnixMillis};
use proptest::prelude::*;

use super::Home;
use super::cases::{arb_identity, arb_policy, arb_tenant, ids, memory_id, simple_memory};
use crate::port::Cipher;
use crate::store::{Snapshot, Store};

/// One step, before it is made to fit the state.
#[derive(Clone, Debug)]
enum Step {
    Put {
        n: u32,
        change: Change,
        key: Option<u8>,
        due: Option<i8>,
        deleted: bool,
        held: bool,
        text: String,
    },
    Erase(u32),
    PutTenant(Box<manushya_core::model::Tenant>, u32),
    PutIdentity(Box<manushya_core::model::Identity>, u32, u32),
    EraseIdentity(u32, u32),
    PutPolicy(Box<manushya_core::model::Policy>, u32),
    EraseTenant(u32),
}

#[derive(Clone, Copy, Debug)]
enum Change {
    InPlace,
    Next,
    /// A version that is no longer possible.
    Back,
    /// An owner that is not the memory's.
    Owner,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Commit,
    Drop,
    CommitAndReopen,
    CommitAndCrash,
}

/// A tenant, its memory number and owner: fixed by `n`.
fn place(n: u32) -> (u32, u32) {
    (1 + n % 2, 1 + n % 3)
}

fn steps() -> impl Strategy<Value = Vec<(Vec<Step>, End)>> {
    let change = prop::sample::select(vec![
        Change::InPlace,
        Change::Next,
        Change::Next,
        Change::Back,
        Change::Owner,
    ]);
    let put = (
        0u32..12,
        change,
        any::<Option<u8>>(),
        any::<Option<i8>>(),
        any::<[bool; 2]>(),
        "[a-z]{1,9}",
    )
        .prop_map(|(n, change, key, due, [deleted, held], text)| {
            let key = key.map(|key| key % 3);
            Step::Put {
                n,
                change,
                key,
                due,
                deleted,
                held,
                text,
            }
        });
    let step = prop_oneof![
        12 => put,
        4 => (0u32..12).prop_map(Step::Erase),
        1 => (arb_tenant(), 1u32..3).prop_map(|(it, t)| Step::PutTenant(Box::new(it), t)),
        2 => (arb_identity(), 1u32..3, 1u32..4)
            .prop_map(|(it, t, i)| Step::PutIdentity(Box::new(it), t, i)),
        1 => (1u32..3, 1u32..4).prop_map(|(t, i)| Step::EraseIdentity(t, i)),
        1 => (arb_policy(), 1u32..3).prop_map(|(it, t)| Step::PutPolicy(Box::new(it), t)),
        1 => (1u32..3).prop_map(Step::EraseTenant),
    ];
    let end = prop::sample::select(vec![
        End::Commit,
        End::Commit,
        End::Drop,
        End::CommitAndReopen,
        End::CommitAndCrash,
    ]);
    prop::collection::vec((prop::collection::vec(step, 1..12), end), 1..6)
}

/// What the store should hold: all versions of each memory, the last of them current.
#[derive(Clone, Default)]
struct Model {
    memories: BTreeMap<(TenantId, MemoryId), (Vec<Memory>, Option<UnixMillis>)>,
    keys: BTreeMap<(TenantId, IdentityId, MemoryKey), MemoryId>,
    identities: BTreeMap<(TenantId, IdentityId), manushya_core::model::Identity>,
    tenants: BTreeMap<TenantId, manushya_core::model::Tenant>,
    policies: BTreeMap<(TenantId, manushya_protocol::id::PolicyId), manushya_core::model::Policy>,
    audit: u64,
}

impl Model {
    /// The write a step stands for, and whether it must be refused.
    fn write(&self, step: &Step) -> (Write, bool) {
        match step {
            Step::Put { .. } => self.put(step),
            Step::Erase(n) => {
                let (tenant, _) = ids(place(*n).0, 0);
                (Write::EraseMemory(tenant, memory_id(*n)), false)
            }
            Step::PutTenant(it, t) => {
                let mut it = it.clone();
                it.id = ids(*t, 0).0;
                (Write::PutTenant((*it).into()), false)
            }
            Step::PutIdentity(it, t, i) => {
                let mut it = it.clone();
                (it.tenant, it.id) = ids(*t, *i);
                (Write::PutIdentity((*it).into()), false)
            }
            Step::EraseIdentity(t, i) => {
                let (tenant, identity) = ids(*t, *i);
                (Write::EraseIdentity(tenant, identity), false)
            }
            Step::PutPolicy(it, t) => {
                let mut it = it.clone();
                it.tenant = ids(*t, 0).0;
                (Write::PutPolicy((*it).into()), false)
            }
            Step::EraseTenant(t) => (Write::EraseTenant(ids(*t, 0).0), false),
        }
    }

    fn put(&self, step: &Step) -> (Write, bool) {
        let Step::Put {
            n,
            change,
            key,
            due,
            deleted,
            held,
            text,
        } = step
        else {
            unreachable!("only called for a put")
        };
        let (tenant, owner) = place(*n);
        let mut memory = simple_memory(tenant, owner, *n, text);
        memory.key = key.map(|key| MemoryKey::new(format!("k{key}")).unwrap());
        memory.deleted_at = deleted.then_some(UnixMillis(9));
        memory.quarantined = *held;
        let stored = self.memories.get(&(memory.tenant, memory.id));
        let current = stored.and_then(|(versions, _)| versions.last());
        // A key that another memory has would be a conflict above the store.
        if let Some(key) = &memory.key {
            let holder = self.keys.get(&(memory.tenant, memory.owner, key.clone()));
            if holder.is_some_and(|id| *id != memory.id) {
                memory.key = None;
            }
        }
        let mut refused = false;
        if let Some(current) = current {
            memory.version = current.version;
            match change {
                Change::InPlace => {}
                Change::Next => memory.version += 1,
                Change::Back => {
                    memory.version -= 1;
                    refused = true;
                }
                Change::Owner => {
                    memory.owner = ids(tenant, 77).1;
                    refused = true;
                }
            }
        }
        let due = due.map(|due| UnixMillis(i64::from(due)));
        let memory = Box::new(memory);
        (Write::PutMemory { memory, due }, refused)
    }

    fn apply(&mut self, write: &Write) {
        match write {
            Write::PutMemory { memory, due } => {
                self.forget_key(memory.tenant, memory.id);
                if let Some(key) = &memory.key {
                    let at = (memory.tenant, memory.owner, key.clone());
                    self.keys.insert(at, memory.id);
                }
                let at = (memory.tenant, memory.id);
                let (versions, stored_due) = self.memories.entry(at).or_default();
                *stored_due = *due;
                if versions
                    .last()
                    .is_some_and(|last| last.version == memory.version)
                {
                    versions.pop();
                }
                versions.push((**memory).clone());
            }
            Write::EraseMemory(tenant, id) => {
                self.forget_key(*tenant, *id);
                self.memories.remove(&(*tenant, *id));
            }
            Write::PutTenant(it) => drop(self.tenants.insert(it.id, (**it).clone())),
            Write::PutIdentity(it) => {
                self.identities.insert((it.tenant, it.id), (**it).clone());
            }
            Write::EraseIdentity(tenant, id) => drop(self.identities.remove(&(*tenant, *id))),
            Write::PutPolicy(it) => drop(self.policies.insert((it.tenant, it.id), (**it).clone())),
            Write::EraseTenant(id) => {
                self.tenants.remove(id);
                self.identities.retain(|at, _| at.0 != *id);
                self.policies.retain(|at, _| at.0 != *id);
                self.memories.retain(|at, _| at.0 != *id);
                self.keys.retain(|at, _| at.0 != *id);
            }
            other => panic!("not made here: {other:?}"),
        }
    }

    fn forget_key(&mut self, tenant: TenantId, id: MemoryId) {
        self.keys
            .retain(|at, holder| at.0 != tenant || *holder != id);
    }

    fn check_directory(&self, directory: &Directory) {
        let tenants: Vec<_> = directory.tenants().map(|it| (**it).clone()).collect();
        assert_eq!(tenants, self.tenants.values().cloned().collect::<Vec<_>>());
        for t in 1..3 {
            let (tenant, _) = ids(t, 0);
            let identities: Vec<_> = directory
                .identities(tenant)
                .map(|it| (**it).clone())
                .collect();
            let of = |at: &TenantId| *at == tenant;
            let expected = self.identities.iter().filter(|(at, _)| of(&at.0));
            assert_eq!(
                identities,
                expected.map(|(_, it)| it.clone()).collect::<Vec<_>>()
            );
            let policies: Vec<_> = directory
                .policies(tenant)
                .map(|it| (**it).clone())
                .collect();
            let expected = self.policies.iter().filter(|(at, _)| of(&at.0));
            assert_eq!(
                policies,
                expected.map(|(_, it)| it.clone()).collect::<Vec<_>>()
            );
        }
    }

    fn due(&self, tenant: TenantId, now: i64) -> Vec<(MemoryId, u32)> {
        let mut due: Vec<_> = (self.memories.iter())
            .filter(|((of, _), _)| *of == tenant)
            .filter_map(|((_, id), (versions, due))| Some(((*due)?, *id, versions.last()?.version)))
            .filter(|(due, ..)| due.0 <= now)
            .collect();
        due.sort_unstable();
        due.into_iter()
            .map(|(_, id, version)| (id, version))
            .collect()
    }

    fn check_view(&self, view: &dyn View) {
        self.check_directory(view.directory());
        for n in 0..12 {
            let (tenant, owner) = place(n);
            let (tenant, owner) = ids(tenant, owner);
            let stored = self.memories.get(&(tenant, memory_id(n)));
            let current = stored.and_then(|(versions, _)| versions.last().cloned());
            assert_eq!(view.memory(tenant, memory_id(n)).unwrap(), current);
            let earlier = stored.map_or(0, |(versions, _)| versions.len() as u64 - 1);
            assert_eq!(view.versions(tenant, memory_id(n)).unwrap(), earlier);
            let expected: Vec<_> = (self.memories.iter())
                .filter(|((of, _), (versions, _))| *of == tenant && versions[0].owner == owner)
                .map(|((_, id), (versions, _))| (*id, versions[versions.len() - 1].version))
                .collect();
            assert_eq!(view.memories_of(tenant, owner).unwrap(), expected);
            for key in 0..3 {
                let key = MemoryKey::new(format!("k{key}")).unwrap();
                let expected = self.keys.get(&(tenant, owner, key.clone())).copied();
                assert_eq!(view.memory_by_key(tenant, owner, &key).unwrap(), expected);
            }
            for now in [-50, 0, 50, 200] {
                let due = view.due(tenant, UnixMillis(now), 100).unwrap();
                assert_eq!(due, self.due(tenant, now));
            }
        }
    }

    fn check_snapshot(&self, snapshot: &Snapshot) {
        assert_eq!(snapshot.memory_count().unwrap(), self.memories.len() as u64);
        assert_eq!(snapshot.audit_len().unwrap(), self.audit);
        for ((tenant, id), (versions, _)) in &self.memories {
            let numbers: Vec<u32> = versions.iter().rev().map(|it| it.version).collect();
            assert_eq!(snapshot.versions(*tenant, *id).unwrap(), numbers);
            for memory in versions {
                let read = snapshot
                    .memory_version(*tenant, *id, memory.version)
                    .unwrap();
                assert_eq!(read.as_ref(), Some(memory));
            }
        }
        for t in 1..3 {
            let (tenant, _) = ids(t, 0);
            let deleted: Vec<MemoryId> = (self.memories.iter())
                .filter(|((of, _), _)| *of == tenant)
                .filter(|(_, (versions, _))| versions[versions.len() - 1].deleted_at.is_some())
                .map(|((_, id), _)| *id)
                .collect();
            assert_eq!(snapshot.deleted(tenant).unwrap(), deleted);
            let held: Vec<MemoryId> = (self.memories.iter())
                .filter(|((of, _), _)| *of == tenant)
                .filter(|(_, (versions, _))| versions[versions.len() - 1].quarantined)
                .map(|((_, id), _)| *id)
                .collect();
            assert_eq!(snapshot.held(tenant).unwrap(), held);
            let due = snapshot.due(tenant, UnixMillis(0), 3).unwrap();
            let expected: Vec<_> = self.due(tenant, 0).into_iter().take(3).collect();
            assert_eq!(due, expected);
        }
    }
}

/// Runs one transaction on the store and, if it is committed, on the model.
fn run(store: &Store, directory: &mut Directory, model: &mut Model, steps: &[Step], end: End) {
    let mut txn = store.begin(directory.clone()).unwrap();
    let mut next = model.clone();
    for step in steps {
        let (write, refused) = next.write(step);
        let result = txn.apply(std::slice::from_ref(&write));
        assert_eq!(result.is_err(), refused, "{write:?}: {result:?}");
        if !refused {
            next.apply(&write);
        }
    }
    next.audit += 1;
    txn.append_audit(AuditSeq(next.audit), b"entry").unwrap();
    next.check_view(&txn);
    if matches!(end, End::Drop) {
        return;
    }
    let committed = txn.commit().unwrap();
    // After a crash, the next start has to do it.
    if !matches!(end, End::CommitAndCrash) {
        store.shred(&committed.doomed).unwrap();
    }
    (*directory, *model) = (committed.directory, next);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn store_does_what_the_model_does(transactions in steps()) {
        let home = Home::new();
        let (mut store, opened) = home.open();
        let (mut directory, mut model) = (opened.directory, Model::default());
        for (steps, end) in transactions {
            run(&store, &mut directory, &mut model, &steps, end);
            if let End::CommitAndReopen | End::CommitAndCrash = end {
                if let End::CommitAndReopen = end {
                    store.close().unwrap();
                } else {
                    drop(store);
                }
                let (again, opened) = home.open();
                prop_assert_eq!(opened.was_clean, matches!(end, End::CommitAndReopen));
                prop_assert_eq!(opened.audit_len, model.audit);
                // What was counted write by write is what is there.
                prop_assert_eq!(opened.directory.holdings(), directory.holdings());
                (store, directory) = (again, opened.directory);
                let report = store.verify().unwrap();
                prop_assert_eq!(report.segments as usize, home.cipher.keys().len());
            }
            model.check_directory(&directory);
            model.check_snapshot(&store.snapshot().unwrap());
            let report = store.verify().unwrap();
            prop_assert!(report.is_good(), "{:?}", report.findings);
        }
    }
}
