//! Retention: what a rule ends goes when its time has come, not before, and not under a hold.

use std::sync::Arc;

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{HoldId, MemoryId};
use proptest::option;
use proptest::prelude::*;

use super::world::{RETENTION_SECONDS, World};
use crate::command::Sweep;
use crate::decide::{purge, retention};
use crate::model::{ErasureRecord, Hold, HoldScope, Keep, Kind, Retention};
use crate::plan::Write;
use crate::view::View as _;

fn keep() -> impl Strategy<Value = Option<Keep>> {
    let seconds = || option::of(1_u64..4 * RETENTION_SECONDS);
    option::of((seconds(), seconds()).prop_map(|(live, deleted)| Keep { live, deleted }))
}

proptest! {
    #[test]
    fn sweep_takes_what_a_rule_has_ended_and_nothing_else(
        of_type in keep(), of_all in keep(), other_type in keep(),
        deleted_after in option::of(0_u64..RETENTION_SECONDS),
        waited in 0_u64..6 * RETENTION_SECONDS, held in any::<bool>(),
    ) {
        let mut world = World::new();
        let here = world.found("default");
        let anna = world.join(here, "anna", "admin");
        let id = world.remember(here, anna, "of a type");
        let mut memory = world.model.kept(here, id).clone();
        memory.content.kind = Kind::new("log").unwrap();
        let made = memory.created_at;
        memory.deleted_at = deleted_after.map(|after| made.plus_seconds(after));
        let put = Write::PutMemory { memory: Box::new(memory), due: None };
        let rule = |kind: Option<&str>, keep: Option<Keep>| keep.map(|keep| {
            Write::PutErasure(Arc::new(ErasureRecord::Retention(Retention {
                tenant: here,
                kind: kind.map(|kind| Kind::new(kind).unwrap()),
                keep,
                set_by: anna,
                updated_at: made,
            })))
        });
        let hold = held.then(|| Write::PutErasure(Arc::new(ErasureRecord::Hold(Hold {
            id: HoldId::from_bytes([1; 16]),
            tenant: here,
            scope: HoldScope::Memory(id),
            reason: "case 7".to_owned(),
            set_by: anna,
            created_at: made,
        }))));
        let rules = [rule(Some("log"), of_type), rule(None, of_all), rule(Some("fact"), other_type)];
        let any = rules.iter().any(Option::is_some);
        let writes: Vec<Write> = rules.into_iter().flatten().chain(hold).chain([put]).collect();
        world.model.apply(&writes);
        let mut context = world.by_daemon(here);
        context.now = made.plus_seconds(waited);
        let first = |of: fn(Keep) -> Option<u64>| of_type.and_then(of).or(of_all.and_then(of));
        let lived = first(|keep| keep.live).is_some_and(|most| waited >= most);
        let kept = first(|keep| keep.deleted).unwrap_or(RETENTION_SECONDS);
        let thrown = deleted_after.is_some_and(|after| waited >= after + kept);
        let goes = any && !held && (lived || thrown);
        // What is looked at may be anything; what is erased is decided.
        let found: Vec<MemoryId> = world.model.memories.keys().map(|(_, id)| *id).collect();
        prop_assert_eq!(purge::is_due(&world.model, &context, &found).unwrap(), goes);
        let sweep = Sweep { found, limit: 10 };
        let plan = purge::sweep(&world.model, &context, sweep).unwrap();
        prop_assert_eq!(plan.reply.memories, u64::from(goes));
        let taken = |write: &Write| matches!(write, Write::EraseMemory(_, of) if *of == id);
        prop_assert_eq!(plan.writes.iter().any(taken), goes);
    }
}

#[test]
fn rules_are_for_who_manages_and_say_something() {
    let mut world = World::new();
    let here = world.found("default");
    let (anna, agent) = (
        world.join(here, "anna", "admin"),
        world.join(here, "agent", "agent"),
    );
    let set = |live, deleted| retention::SetRetention {
        kind: None,
        keep: Keep { live, deleted },
    };
    let (by, not) = (world.by(here, anna), world.by(here, agent));
    let refused = |context, command| {
        let refusal = retention::set(&world.model, context, command).unwrap_err();
        refusal.error.code
    };
    assert_eq!(refused(&not, set(Some(1), None)), ErrorCode::Denied);
    for wrong in [
        set(None, None),
        set(Some(0), None),
        set(None, Some(u64::MAX)),
    ] {
        assert_eq!(refused(&by, wrong), ErrorCode::InvalidArgument);
    }
    let plan = retention::set(&world.model, &by, set(Some(1), None)).unwrap();
    world.model.apply(&plan.writes);
    assert!(retention::any(world.model.directory(), here));
    let plan = retention::unset(&world.model, &by, None).unwrap();
    world.model.apply(&plan.writes);
    assert!(!retention::any(world.model.directory(), here));
    let missing = retention::unset(&world.model, &by, None).unwrap_err();
    assert_eq!(missing.error.code, ErrorCode::NotFound);
}
