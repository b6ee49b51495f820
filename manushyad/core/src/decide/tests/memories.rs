//! Memories: versions, keys, vectors, deletion and what is hidden.

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::v1::memory::OnConflict;
use proptest::prelude::*;
use serde_json::json;

use super::command::{Command, Reply};
use super::make;
use super::world::{RETENTION_SECONDS, World, embedding, vector};
use crate::command::{Context, UpdateMemory};
use crate::decide::memory::{AddOutcome, Added};
use crate::model::{Action, Effect, MemoryContent, Resource, Scope, Tag, Trust};

fn agent(world: &mut World) -> (TenantId, IdentityId, Context) {
    let here = world.found("default");
    let agent = world.join(here, "bot", "agent");
    let context = world.by(here, agent);
    (here, agent, context)
}

fn added(reply: Reply) -> Added {
    match reply {
        Reply::Added(added) => added,
        other => panic!("not added: {other:?}"),
    }
}

fn on_conflict() -> impl Strategy<Value = OnConflict> {
    proptest::sample::select(vec![OnConflict::Fail, OnConflict::Update, OnConflict::Skip])
}

proptest! {
    #[test]
    fn existing_key_is_left_refused_or_taken_as_a_new_version(
        what in on_conflict(), same: bool, retells in 0_u32..3,
    ) {
        let mut world = World::new();
        let (here, _, context) = agent(&mut world);
        let first = make::add_key(&mut world, "text 0", "k", OnConflict::Fail);
        let first = added(world.run(&context, first).unwrap());
        prop_assert_eq!(first.outcome, AddOutcome::Added);
        for n in 1..=retells {
            world.run(&context, make::retell(first.id, &format!("text {n}"))).unwrap();
        }
        let before = world.model.kept(here, first.id).clone();
        prop_assert_eq!(before.version, 1 + retells);
        let text = if same { before.content.text.clone() } else { "another".to_owned() };
        let again = make::add_key(&mut world, &text, "k", what);
        let done = world.decide(&context, again);
        let after = world.model.kept(here, first.id).clone();
        match (same, what) {
            (false, OnConflict::Fail) => {
                prop_assert_eq!(done.unwrap_err().error.code, ErrorCode::Conflict);
                prop_assert_eq!(before, after);
            }
            (false, OnConflict::Update) => {
                let reply = added(done.unwrap().reply);
                prop_assert_eq!((reply.id, reply.version), (first.id, before.version + 1));
                prop_assert_eq!(reply.outcome, AddOutcome::Updated);
                prop_assert_eq!(after.vector, Some(vector("another")));
                prop_assert_eq!(after.created_at, before.created_at);
            }
            (true, _) | (false, OnConflict::Skip) => {
                let done = done.unwrap();
                prop_assert!(done.writes.is_empty());
                prop_assert_eq!(done.audit.count, 0);
                prop_assert_eq!(added(done.reply).outcome, AddOutcome::Unchanged);
                prop_assert_eq!(before, after);
            }
        }
        prop_assert_eq!(world.model.memories.len(), 1);
    }

    #[test]
    fn what_is_deleted_comes_back_as_it_was_until_its_retention_ends(
        waited in 0_u64..2 * RETENTION_SECONDS, text in "[a-z]{1,20}",
    ) {
        let mut world = World::new();
        let (here, _, context) = agent(&mut world);
        let add = make::add(&mut world, &text);
        let id = add.id;
        world.run(&context, Command::AddMemory(add)).unwrap();
        let before = world.model.kept(here, id).clone();
        world.run(&context, make::delete(id)).unwrap();
        world.wait(waited);
        let mut context = context;
        context.now = world.now;
        let restored = world.run(&context, Command::RestoreMemory(id));
        if waited < RETENTION_SECONDS {
            prop_assert!(restored.is_ok());
            let after = world.model.kept(here, id);
            prop_assert_eq!(&after.content, &before.content);
            prop_assert_eq!(&after.vector, &before.vector);
            prop_assert_eq!((after.version, after.deleted_at), (before.version, None));
        } else {
            prop_assert_eq!(restored.unwrap_err().error.code, ErrorCode::NotFound);
        }
    }

    /// What a changed memory holds is what was said, and its vector that of its text.
    #[test]
    fn version_counts_the_changes_of_content(
        changes in proptest::collection::vec((0_u8..3, 0_u8..3), 1..12),
    ) {
        let mut world = World::new();
        let (here, owner, context) = agent(&mut world);
        let id = world.remember(here, owner, "text 0");
        let mut said: Vec<MemoryContent> = vec![world.model.kept(here, id).content.clone()];
        for (what, value) in changes {
            let text = format!("text {value}");
            let mut now = said.last().unwrap().clone();
            let change = match what {
                0 => {
                    now.text.clone_from(&text);
                    UpdateMemory { text: Some((text.clone(), embedding(&text))), ..make::update(id) }
                }
                1 => {
                    now.trust = Trust::new(value).unwrap();
                    UpdateMemory { trust: Some(now.trust), ..make::update(id) }
                }
                _ => {
                    now.tags = vec![Tag::new(text).unwrap()];
                    UpdateMemory { tags: Some(now.tags.clone()), ..make::update(id) }
                }
            };
            world.run(&context, Command::UpdateMemory(change)).unwrap();
            if said.last() != Some(&now) {
                said.push(now);
            }
            let kept = &world.model.memories[&(here, id)];
            prop_assert_eq!(kept.memory.version as usize, said.len());
            prop_assert_eq!(kept.history.len() + 1, said.len());
            prop_assert_eq!(Some(&kept.memory.content), said.last());
            prop_assert_eq!(kept.memory.vector.clone(), Some(vector(&kept.memory.content.text)));
        }
    }
}

/// Every way to ask about one memory that may not be there.
fn ways(id: MemoryId) -> [Command; 4] {
    [
        Command::ReadMemory(id),
        make::retell(id, "changed"),
        make::delete(id),
        Command::RestoreMemory(id),
    ]
}

#[test]
fn hidden_memory_is_refused_in_the_words_for_one_that_does_not_exist() {
    let mut world = World::new();
    let (here, _, context) = agent(&mut world);
    let there = world.found("annex");
    let operator = world.model.tenants[&here].operator;
    let far = world.model.tenants[&there].operator;
    let hidden = world.remember(here, operator, "secret");
    let elsewhere = world.remember(there, far, "secret");
    let absent = world.id(MemoryId::from_bytes);
    for index in 0..4 {
        let mut words = |id: MemoryId| {
            let error = world
                .run(&context, ways(id)[index].clone())
                .unwrap_err()
                .error;
            assert_eq!(error.code, ErrorCode::NotFound);
            format!("{error:?}").replace(&id.to_string(), "ID")
        };
        let told = words(absent);
        assert_eq!(words(hidden), told);
        assert_eq!(words(elsewhere), told);
    }
}

/// Even to one who may read it but not change it: it would be told apart from what never was.
#[test]
fn deleted_or_expired_memory_is_gone_for_reader_and_owner() {
    let mut world = World::new();
    let (here, owner, context) = agent(&mut world);
    let admin = world.by_peer(here);
    let specs = vec![make::may("auditor", "read", "memory")];
    let specs = make::policies(&mut world, specs, false);
    world.run(&admin, specs).unwrap();
    let auditor = world.join(here, "auditor", "auditor");
    let auditor = world.by(here, auditor);
    let deleted = world.remember(here, owner, "deleted");
    world.run(&context, make::delete(deleted)).unwrap();
    let mut soon = make::add(&mut world, "expires");
    soon.content.expires_at = Some(world.now.plus_seconds(5));
    let expired = soon.id;
    world.run(&context, Command::AddMemory(soon)).unwrap();
    world.wait(5);
    for mut context in [context, auditor] {
        context.now = world.now;
        for id in [deleted, expired] {
            for command in ways(id).into_iter().take(3) {
                let error = world.run(&context, command.clone()).unwrap_err().error;
                assert_eq!(error.code, ErrorCode::NotFound, "{command:?}");
            }
        }
    }
}

/// Making is not changing: a token for the one does not do the other by way of a key.
#[test]
fn key_is_no_way_around_a_scope_or_a_policy_for_updates() {
    let mut world = World::new();
    let (here, owner, context) = agent(&mut world);
    let first = make::add_key(&mut world, "first", "k", OnConflict::Fail);
    let first = added(world.run(&context, first).unwrap()).id;
    let create = Scope {
        resource: Some(Resource::Memory),
        action: Some(Action::Create),
    };
    let token = world.token(here, owner, &[create]);
    let narrow = world.by_token(here, token);
    let overwrite = |world: &mut World| make::add_key(world, "second", "k", OnConflict::Update);
    let command = overwrite(&mut world);
    let refusal = world.run(&narrow, command).unwrap_err();
    assert_eq!(refusal.error.code, ErrorCode::Denied);

    let rule = json!({"==": [{"var": "action"}, "update"]});
    let frozen = vec![make::spec("frozen", "agent", rule, Effect::Deny, 10)];
    let admin = world.by_peer(here);
    let frozen = make::policies(&mut world, frozen, false);
    world.run(&admin, frozen).unwrap();
    let command = overwrite(&mut world);
    let refusal = world.run(&context, command).unwrap_err();
    assert_eq!(refusal.error.code, ErrorCode::Denied);
    assert_eq!(world.model.kept(here, first).content.text, "first");
}

#[test]
fn change_that_would_carry_a_memory_out_of_reach_is_refused() {
    let mut world = World::new();
    let (here, owner, context) = agent(&mut world);
    let rule = json!({"==": [{"var": "memory.namespace"}, "/vault"]});
    let vault = vec![make::spec("vault", "agent", rule, Effect::Deny, 10)];
    let admin = world.by_peer(here);
    let vault = make::policies(&mut world, vault, false);
    world.run(&admin, vault).unwrap();
    let id = world.remember(here, owner, "text");
    let change = Command::UpdateMemory(UpdateMemory {
        namespace: Some(crate::model::Namespace::new("/vault").unwrap()),
        ..make::update(id)
    });
    assert!(world.run(&context, change).is_err());
    assert_eq!(world.model.kept(here, id).content.namespace.as_str(), "/");
}
