//! Policies are changed all or none, and nobody locks themselves out by accident.

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::TenantId;
use manushya_protocol::limits;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

use super::command::{Command, Reply};
use super::make;
use super::world::World;
use crate::command::{ChangePolicy, Context, PolicyChange};
use crate::model::{Action, Effect, Policy, PolicyName, Resource};
use crate::plan::Write;

fn admin(world: &mut World) -> (TenantId, Context) {
    let here = world.found("default");
    let anna = world.join(here, "anna", "admin");
    let context = world.by(here, anna);
    (here, context)
}

fn names(world: &World) -> Vec<(String, u32)> {
    let policies = world.model.policies.values();
    policies
        .map(|it| (it.name.to_string(), it.revision))
        .collect()
}

proptest! {
    #[test]
    fn policies_are_applied_all_or_none(
        rules in proptest::collection::vec(any::<bool>(), 1..8),
    ) {
        let mut world = World::new();
        let (_, context) = admin(&mut world);
        let before = names(&world);
        let specs = rules.iter().enumerate().map(|(n, good)| {
            let rule = if *good { json!(false) } else { json!({"fly": [1]}) };
            make::spec(&format!("p-{n}"), "agent", rule, Effect::Allow, 0)
        });
        let specs = specs.collect();
        let command = make::policies(&mut world, specs, false);
        let result = world.run(&context, command.clone());
        if let Some(first) = rules.iter().position(|good| !good) {
            let error = result.unwrap_err().error;
            prop_assert_eq!(error.code, ErrorCode::InvalidArgument);
            let told = format!("{error:?}");
            let policy = format!("p-{first}");
            prop_assert!(told.contains(&policy) && told.contains("/rule"), "{}", told);
            prop_assert_eq!(names(&world), before);
        } else {
            prop_assert!(result.is_ok());
            prop_assert_eq!(names(&world).len(), before.len() + rules.len());
            // The same once more is no new revision.
            let again = world.decide(&context, command).unwrap();
            prop_assert!(again.writes.is_empty());
        }
    }
}

/// Every way to take the managing of policies from administrators.
fn ways_out(world: &mut World, force: bool) -> Vec<Command> {
    let rule = |name: &str, rule: Value, effect, priority| {
        vec![make::spec(name, "admin", rule, effect, priority)]
    };
    let change = |change| {
        Command::ChangePolicy(ChangePolicy {
            policy: "admin-all".to_owned(),
            change,
            force,
        })
    };
    let replaced = rule("admin-all", json!(false), Effect::Allow, 0);
    let denied = rule(
        "no",
        json!({"==": [{"var": "action"}, "manage"]}),
        Effect::Deny,
        5,
    );
    // A deny that cannot be decided denies.
    let unknown = json!({"==": [{"var": "claims.absent"}, 1]});
    let unknown = rule("unknown", unknown, Effect::Deny, 5);
    vec![
        make::policies(world, replaced, force),
        make::policies(world, denied, force),
        make::policies(world, unknown, force),
        change(PolicyChange::Delete),
        change(PolicyChange::SetActive(false)),
    ]
}

#[test]
fn lockout_needs_force_whether_operator_or_not() {
    for way in 0..5 {
        for force in [false, true] {
            for by_peer in [false, true] {
                let mut world = World::new();
                let (here, mut context) = admin(&mut world);
                if by_peer {
                    context = world.by_peer(here);
                }
                let command = ways_out(&mut world, force)[way].clone();
                let before = names(&world);
                let result = world.run(&context, command);
                if force {
                    assert!(result.is_ok());
                    let manage = Command::AtLarge(Action::Manage, Resource::Policy);
                    // The operator of the host can always mend them.
                    assert_eq!(world.run(&context, manage).is_ok(), by_peer, "way {way}");
                } else {
                    let refusal = result.unwrap_err();
                    assert_eq!(refusal.error.code, ErrorCode::Conflict, "way {way}");
                    assert_eq!(names(&world), before);
                }
            }
        }
    }
}

/// What counts is the role that is decided on, not the one the request came with.
#[test]
fn lockout_is_looked_at_with_the_role_the_caller_has_by_now() {
    let mut world = World::new();
    let (here, _) = admin(&mut world);
    let operator = world.model.tenants[&here].operator;
    let context = world.by_peer(here);
    let may = make::policies(
        &mut world,
        vec![make::may("chief", "manage", "policy")],
        false,
    );
    world.run(&context, may).unwrap();
    let chief = crate::model::Role::new("chief").unwrap();
    world.edit(here, operator, |it| it.role = chief);
    // It came as admin, and is chief: what chiefs may is what it would lose.
    let delete = make::policy("chief-manage-policy", PolicyChange::Delete);
    let refusal = world.run(&context, delete).unwrap_err();
    assert_eq!(refusal.error.code, ErrorCode::Conflict);
}

#[test]
fn revision_counts_and_the_id_stays() {
    let mut world = World::new();
    let (here, context) = admin(&mut world);
    let mut ids = Vec::new();
    for priority in 1..4 {
        let specs = vec![make::spec(
            "p",
            "agent",
            json!(false),
            Effect::Allow,
            priority,
        )];
        let command = make::policies(&mut world, specs, false);
        let Ok(Reply::Policies(applied)) = world.run(&context, command) else {
            panic!("not applied");
        };
        assert_eq!(applied[0].policy.revision, u32::try_from(priority).unwrap());
        ids.push(applied[0].policy.id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(
        world.model.directory.policy_by_ref(here, "p").unwrap().id,
        ids[0]
    );
}

/// The limit is on how many there are; changing one of them makes none.
#[test]
fn full_tenant_can_still_change_its_policies() {
    let mut world = World::new();
    let (here, context) = admin(&mut world);
    let like = world.model.policies.values().next().unwrap().clone();
    let missing = limits::POLICIES_MAX - world.model.policies.len();
    let filler: Vec<Write> = (0..missing)
        .map(|n| {
            let mut policy = Policy::clone(&like);
            policy.id = world.id(manushya_protocol::id::PolicyId::from_bytes);
            policy.name = PolicyName::new(format!("filler-{n}")).unwrap();
            policy.rule = json!(false);
            policy.is_active = false;
            Write::PutPolicy(Arc::new(policy))
        })
        .collect();
    world.model.apply(&filler);
    assert_eq!(
        world.model.directory.policies(here).count(),
        limits::POLICIES_MAX
    );
    let spec = |name| vec![make::spec(name, "agent", json!(true), Effect::Deny, 9)];
    let change = make::policies(&mut world, spec("filler-1"), false);
    assert!(world.run(&context, change).is_ok());
    let more = make::policies(&mut world, spec("one-more"), false);
    let refusal = world.run(&context, more).unwrap_err();
    assert_eq!(refusal.error.code, ErrorCode::ResourceExhausted);
}
