//! Vectors that are put to memories later.

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::MemoryId;
use proptest::prelude::*;

use super::make;
use super::world::{World, vector};
use crate::command::{DeleteMemory, StoreEmbeddings};
use crate::decide::embedding::{oversee, store};
use crate::model::{Action, Decision, EmbedderTag, Embedding, Resource};

fn embedding(text: &str) -> Embedding {
    Embedding {
        by: EmbedderTag(9),
        vector: Some(vector(text)),
    }
}

proptest! {
    #[test]
    fn vector_is_put_to_the_version_it_was_made_of_and_to_no_other(
        fates in prop::collection::vec(0_u8..5, 1..12),
    ) {
        let mut world = World::new();
        let here = world.found("default");
        let bot = world.join(here, "bot", "agent");
        let context = world.by(here, bot);
        let ids: Vec<MemoryId> = (0..fates.len())
            .map(|n| world.remember(here, bot, &format!("text {n}")))
            .collect();
        for (&id, fate) in ids.iter().zip(&fates) {
            let command = match fate {
                1 => make::retell(id, "another"),
                2 => super::command::Command::DeleteMemory(DeleteMemory { id, hard: false }),
                3 => super::command::Command::DeleteMemory(DeleteMemory { id, hard: true }),
                _ => continue,
            };
            world.run(&context, command).unwrap();
        }
        let before = world.model.clone();
        let item = |(n, &id): (usize, &MemoryId)| {
            (id, 1, embedding(&format!("text {n}")))
        };
        let items = ids.iter().enumerate().map(item).collect();
        let daemon = world.by_daemon(here);
        let plan = store(&world.model, &daemon, StoreEmbeddings { items }).unwrap();
        world.model.apply(&plan.writes);
        let fresh = fates.iter().filter(|&&fate| fate == 0 || fate == 4).count() as u64;
        prop_assert_eq!((plan.reply, plan.audit.count), (fresh, fresh));
        prop_assert_eq!(plan.audit.decision, Decision::Allow);
        prop_assert_eq!((plan.audit.action, plan.audit.resource), (Action::Manage, Resource::Memory));
        for (n, (&id, &fate)) in ids.iter().zip(&fates).enumerate() {
            match fate {
                0 | 4 => {
                    let old = before.kept(here, id).clone();
                    let mut now = world.model.kept(here, id).clone();
                    prop_assert_eq!(now.embedder, EmbedderTag(9));
                    prop_assert_eq!(&now.vector, &Some(vector(&format!("text {n}"))));
                    // Nothing else has changed.
                    now.embedder = old.embedder;
                    now.vector.clone_from(&old.vector);
                    prop_assert_eq!(now, old);
                }
                1 | 2 => prop_assert_eq!(world.model.kept(here, id), before.kept(here, id)),
                _ => {}
            }
        }
        // Once more changes nothing.
        let items = ids.iter().enumerate().map(item).collect();
        let again = store(&world.model, &daemon, StoreEmbeddings { items }).unwrap();
        prop_assert!(again.writes.is_empty());
    }
}

#[test]
fn only_the_daemon_puts_vectors_and_only_who_administers_looks_on() {
    let mut world = World::new();
    let here = world.found("default");
    let (bot, admin) = (
        world.join(here, "bot", "agent"),
        world.join(here, "root", "admin"),
    );
    let id = world.remember(here, bot, "text");
    for who in [bot, admin] {
        let context = world.by(here, who);
        let items = vec![(id, 1, embedding("text"))];
        let refusal = store(&world.model, &context, StoreEmbeddings { items }).unwrap_err();
        assert_eq!(refusal.error.code, ErrorCode::Denied);
    }
    for manage in [false, true] {
        let context = world.by(here, bot);
        let refusal = oversee(&world.model, &context, manage).unwrap_err();
        assert_eq!(refusal.error.code, ErrorCode::Denied);
        let context = world.by(here, admin);
        let plan = oversee(&world.model, &context, manage).unwrap();
        let action = if manage { Action::Manage } else { Action::Read };
        assert_eq!(
            (plan.audit.action, plan.audit.decision),
            (action, Decision::Allow)
        );
        assert!(oversee(&world.model, &world.by_peer(here), manage).is_ok());
    }
}
