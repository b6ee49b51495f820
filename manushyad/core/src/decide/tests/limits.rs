//! Limits: nobody keeps more than its own, and only the operator of the host says how much that is.

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{IdentityId, LimitId, MemoryId, TenantId};
use manushya_protocol::v1::memory::OnConflict;
use proptest::prelude::*;

use super::command::{Command, Reply};
use super::make;
use super::world::{World, bytes_of};
use crate::command::Context;
use crate::decide::limit::{self, LimitsOf, ResetLimit, SetLimit};
use crate::model::{LimitName, LimitTable, Outcome, Role};

fn agent(world: &mut World) -> (TenantId, IdentityId, Context) {
    let here = world.found("default");
    let agent = world.join(here, "bot", "agent");
    let context = world.by(here, agent);
    (here, agent, context)
}

fn set(world: &mut World, here: TenantId, name: LimitName, role: Option<&str>, value: u64) {
    let operator = world.by_peer(here);
    let command = SetLimit {
        id: world.id(LimitId::from_bytes),
        name,
        role: role.map(|role| Role::new(role).unwrap()),
        value: Some(value),
    };
    let plan = limit::set(&world.model, &operator, command).unwrap();
    world.model.apply(&plan.writes);
}

fn value(world: &World, here: TenantId, name: LimitName, role: &str) -> Option<u64> {
    let gates = world.model.directory.gates();
    gates.limit(here, name, &Role::new(role).unwrap(), LimitTable::Off)
}

#[derive(Clone, Debug)]
enum Step {
    Add(usize),
    AddKey(u8, usize),
    Retell(usize, usize),
    Delete(usize),
    Erase(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1usize..80).prop_map(Step::Add),
        2 => (0u8..3, 1usize..80).prop_map(|(key, length)| Step::AddKey(key, length)),
        2 => (0usize..20, 1usize..80).prop_map(|(at, length)| Step::Retell(at, length)),
        1 => (0usize..20).prop_map(Step::Delete),
        1 => (0usize..20).prop_map(Step::Erase),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn nobody_keeps_more_than_its_limits(
        steps in steps(),
        (memories, bytes) in (1u64..12, 300u64..2000),
        (all, all_bytes) in (1u64..12, 300u64..2000),
    ) {
        let mut world = World::new();
        let (here, agent, context) = agent(&mut world);
        for (name, most) in [
            (LimitName::Memories, memories),
            (LimitName::Bytes, bytes),
            (LimitName::TenantMemories, all),
            (LimitName::TenantBytes, all_bytes),
        ] {
            set(&mut world, here, name, None, most);
        }
        let mut made: Vec<MemoryId> = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            let at = |at: usize| made.get(at % made.len().max(1)).copied();
            let text = |length| format!("{n:04}{}", "x".repeat(length));
            let command = match step {
                Step::Add(length) => Some(Command::AddMemory(make::add(&mut world, &text(length)))),
                Step::AddKey(key, length) => {
                    let (text, key) = (text(length), format!("k{key}"));
                    Some(make::add_key(&mut world, &text, &key, OnConflict::Update))
                }
                Step::Retell(which, length) => at(which).map(|id| make::retell(id, &text(length))),
                Step::Delete(which) => at(which).map(make::delete),
                Step::Erase(which) => at(which).map(make::erase),
            };
            let Some(command) = command else { continue };
            match world.run(&context, command) {
                Ok(Reply::Added(added)) => made.push(added.id),
                Ok(_) => {}
                Err(refusal) if refusal.error.code == ErrorCode::ResourceExhausted => {
                    prop_assert_eq!(refusal.audit.outcome, Outcome::Error(ErrorCode::ResourceExhausted));
                }
                Err(refusal) => prop_assert_eq!(refusal.error.code, ErrorCode::NotFound),
            }
            // What is counted is what there is, and never more than is allowed.
            let kept: Vec<_> = world.model.memories.values().collect();
            let real: u64 = kept
                .iter()
                .flat_map(|it| it.history.iter().chain([&it.memory]))
                .map(bytes_of)
                .sum();
            let held = world.model.directory.holdings().of(here, agent);
            prop_assert_eq!((held.memories, held.bytes), (kept.len() as u64, real));
            prop_assert_eq!(world.model.directory.holdings().of_tenant(here), held);
            prop_assert!(held.memories <= memories.min(all), "{} of {memories}, {all}", held.memories);
            prop_assert!(held.bytes <= bytes.min(all_bytes), "{} of {bytes}, {all_bytes}", held.bytes);
        }
    }
}

#[test]
fn limit_of_a_role_goes_before_the_one_of_all_and_a_reset_brings_the_table_back() {
    let mut world = World::new();
    let (here, ..) = agent(&mut world);
    assert_eq!(value(&world, here, LimitName::Memory, "agent"), None);
    set(&mut world, here, LimitName::Memory, None, 10);
    set(&mut world, here, LimitName::Memory, Some("agent"), 20);
    set(&mut world, here, LimitName::Memory, Some("agent"), 30);
    assert_eq!(value(&world, here, LimitName::Memory, "agent"), Some(30));
    assert_eq!(value(&world, here, LimitName::Memory, "user"), Some(10));
    assert_eq!(value(&world, here, LimitName::Policy, "agent"), None);
    let set_in = |world: &World| world.model.directory.gates().limits_set(here).len();
    assert_eq!(set_in(&world), 2, "set twice is one limit");
    let operator = world.by_peer(here);
    let one = ResetLimit::One(LimitName::Memory, Some(Role::new("agent").unwrap()));
    let plan = limit::reset(&world.model, &operator, &one).unwrap();
    world.model.apply(&plan.writes);
    assert_eq!(value(&world, here, LimitName::Memory, "agent"), Some(10));
    let again = limit::reset(&world.model, &operator, &one).unwrap_err();
    assert_eq!(again.error.code, ErrorCode::NotFound);
    let plan = limit::reset(&world.model, &operator, &ResetLimit::All).unwrap();
    world.model.apply(&plan.writes);
    assert_eq!((plan.reply, set_in(&world)), (1, 0));
}

#[test]
fn nobody_but_the_operator_sets_limits_and_nobody_limits_the_operator() {
    let mut world = World::new();
    let (here, agent, context) = agent(&mut world);
    let admin = world.join(here, "boss", "admin");
    let admin = world.by(here, admin);
    for who in [&context, &admin] {
        let command = SetLimit {
            id: LimitId::from_bytes([1; 16]),
            name: LimitName::Memories,
            role: None,
            value: None,
        };
        let refused = limit::set(&world.model, who, command).unwrap_err();
        assert_eq!(refused.error.code, ErrorCode::Denied);
        let refused = limit::reset(&world.model, who, &ResetLimit::All).unwrap_err();
        assert_eq!(refused.error.code, ErrorCode::Denied);
    }
    set(&mut world, here, LimitName::Memories, None, 0);
    set(&mut world, here, LimitName::TenantMemories, None, 0);
    let add = make::add(&mut world, "of the agent");
    let refused = world.run(&context, Command::AddMemory(add)).unwrap_err();
    assert_eq!(refused.error.code, ErrorCode::ResourceExhausted);
    let operator = world.by_peer(here);
    let add = make::add(&mut world, "of the operator");
    world.run(&operator, Command::AddMemory(add)).unwrap();
    // An agent may look up what binds itself, and nobody else.
    let own = LimitsOf::Identity("bot".to_owned());
    let listed = limit::list(&world.model, &context, &own).unwrap();
    assert_eq!(listed.reply.unwrap().id, agent);
    for of in [LimitsOf::Everybody, LimitsOf::Identity("boss".to_owned())] {
        let refused = limit::list(&world.model, &context, &of).unwrap_err();
        assert_eq!(refused.error.code, ErrorCode::Denied);
    }
}

#[test]
fn what_bounds_the_tenant_is_of_no_role() {
    let mut world = World::new();
    let (here, ..) = agent(&mut world);
    let operator = world.by_peer(here);
    let command = SetLimit {
        id: LimitId::from_bytes([1; 16]),
        name: LimitName::TenantBytes,
        role: Some(Role::new("agent").unwrap()),
        value: Some(1),
    };
    let refused = limit::set(&world.model, &operator, command).unwrap_err();
    assert_eq!(refused.error.code, ErrorCode::InvalidArgument);
}
