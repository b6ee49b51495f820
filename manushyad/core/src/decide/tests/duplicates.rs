//! Memories that say nearly the same: nothing but the caller's own is left or superseded.

use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::v1::memory::OnDuplicate;
use proptest::prelude::*;

use super::command::{Command, Reply};
use super::make;
use super::world::World;
use crate::command::{AddMemory, Context};
use crate::decide::memory::{AddOutcome, Added};
use crate::model::Namespace;

fn add(world: &mut World, by: &Context, command: AddMemory) -> Added {
    match world.run(by, Command::AddMemory(command)).unwrap() {
        Reply::Added(added) => added,
        other => panic!("not added: {other:?}"),
    }
}

fn world() -> (World, TenantId, [Context; 2]) {
    let mut world = World::new();
    let here = world.found("default");
    let callers: [IdentityId; 2] = [
        world.join(here, "a", "agent"),
        world.join(here, "b", "agent"),
    ];
    let contexts = callers.map(|identity| world.by(here, identity));
    (world, here, contexts)
}

proptest! {
    #[test]
    fn only_what_is_the_callers_own_and_holds_yields(
        what in proptest::sample::select(vec![
            OnDuplicate::Keep, OnDuplicate::Skip, OnDuplicate::Supersede,
        ]),
        own: bool, here_too: bool, current: bool, gone: bool, past: bool,
    ) {
        let (mut world, tenant, [a, b]) = world();
        let old = make::add(&mut world, "text");
        let old = add(&mut world, if own { &a } else { &b }, old);
        if past {
            let newer = AddMemory {
                on_duplicate: OnDuplicate::Supersede,
                alike: vec![(old.id, old.version)],
                ..make::add(&mut world, "text")
            };
            add(&mut world, if own { &a } else { &b }, newer);
        }
        if gone {
            world.run(if own { &a } else { &b }, make::delete(old.id)).unwrap();
        }
        let before = world.model.kept(tenant, old.id).clone();
        let mut command = AddMemory {
            on_duplicate: what,
            alike: vec![
                (MemoryId::from_bytes([9; 16]), 1),
                (old.id, if current { old.version } else { old.version + 1 }),
            ],
            ..make::add(&mut world, "text")
        };
        if !here_too {
            command.content.namespace = Namespace::new("/elsewhere").unwrap();
        }
        let id = command.id;
        let reply = add(&mut world, &a, command);
        let after = world.model.kept(tenant, old.id).clone();
        let yields = own && here_too && current && !gone && !past;
        match what {
            OnDuplicate::Skip if yields => {
                prop_assert_eq!((reply.id, reply.outcome), (old.id, AddOutcome::Duplicate));
                prop_assert_eq!(before, after);
            }
            OnDuplicate::Supersede if yields => {
                prop_assert_eq!((reply.id, reply.outcome), (id, AddOutcome::Added));
                prop_assert_eq!(&reply.supersedes, &vec![old.id]);
                prop_assert_eq!(after.superseded.unwrap().by, id);
                prop_assert_eq!(after.version, before.version);
                prop_assert_eq!(&world.model.kept(tenant, id).supersedes, &vec![old.id]);
            }
            _ => {
                prop_assert_eq!((reply.id, reply.outcome), (id, AddOutcome::Added));
                prop_assert!(reply.supersedes.is_empty());
                prop_assert_eq!(before, after);
            }
        }
    }
}

#[test]
fn superseded_memory_comes_back_when_restored_or_said_again() {
    let (mut world, tenant, [a, _]) = world();
    let old = make::add(&mut world, "text");
    let old = add(&mut world, &a, old);
    let newer = AddMemory {
        on_duplicate: OnDuplicate::Supersede,
        alike: vec![(old.id, old.version)],
        ..make::add(&mut world, "text")
    };
    add(&mut world, &a, newer);
    assert!(world.model.kept(tenant, old.id).superseded.is_some());
    world.run(&a, Command::RestoreMemory(old.id)).unwrap();
    assert_eq!(world.model.kept(tenant, old.id).superseded, None);
}
