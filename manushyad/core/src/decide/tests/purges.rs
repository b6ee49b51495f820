//! Planned erasure: exactly what was planned, or nothing.

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{IdentityId, MemoryId, TenantId};
use manushya_protocol::limits;
use proptest::prelude::*;

use super::command::{Command, Reply};
use super::make;
use super::world::{TTL_SECONDS, World};
use crate::command::Context;
use crate::decide::purge;
use crate::model::{PlanState, PurgePlan, PurgeScope, Scope};
use crate::plan::Write;

struct Stage {
    world: World,
    here: TenantId,
    admin: Context,
    subject: IdentityId,
    memories: Vec<MemoryId>,
}

fn stage(memories: usize) -> Stage {
    let mut world = World::new();
    let here = world.found("default");
    let anna = world.join(here, "anna", "admin");
    let admin = world.by(here, anna);
    let subject = world.join(here, "subject", "agent");
    world.token(here, subject, &[Scope::ALL]);
    world.remember(here, anna, "stays");
    let memories = (0..memories)
        .map(|n| world.remember(here, subject, &format!("text {n}")))
        .collect();
    Stage {
        world,
        here,
        admin,
        subject,
        memories,
    }
}

impl Stage {
    fn plan(&mut self, scope: PurgeScope, matched: Vec<(MemoryId, u32)>) -> PurgePlan {
        let command = make::plan(&mut self.world, scope, matched);
        match self.world.run(&self.admin, command) {
            Ok(Reply::Plan(plan)) => PurgePlan::clone(&plan),
            other => panic!("no plan: {other:?}"),
        }
    }

    fn refused(&mut self, command: Command) -> ErrorCode {
        let before = format!("{:?}", self.world.model.memories);
        let refusal = self.world.run(&self.admin, command).unwrap_err();
        assert_eq!(before, format!("{:?}", self.world.model.memories));
        assert!(
            self.world
                .model
                .identities
                .contains_key(&(self.here, self.subject))
        );
        refusal.error.code
    }
}

/// What may happen between a plan and its application.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Between {
    Nothing,
    Added,
    Changed,
    Erased,
    Token,
    Unrelated,
}

fn between() -> impl Strategy<Value = Between> {
    use Between::{Added, Changed, Erased, Nothing, Token, Unrelated};
    proptest::sample::select(vec![Nothing, Added, Changed, Erased, Token, Unrelated])
}

proptest! {
    #[test]
    fn subject_goes_with_all_it_has_if_that_is_what_was_planned(
        count in 1_usize..6, what in between(),
    ) {
        let mut s = stage(count);
        let plan = s.plan(PurgeScope::Subject(s.subject), vec![]);
        prop_assert_eq!((plan.memories, plan.tokens, plan.identities), (count as u64, 1, 1));
        let (first, here, subject) = (s.memories[0], s.here, s.subject);
        match what {
            Between::Nothing => {}
            Between::Added => drop(s.world.remember(here, subject, "late")),
            Between::Changed => drop(s.world.run(&s.admin, make::retell(first, "x")).unwrap()),
            Between::Erased => drop(s.world.run(&s.admin, make::erase(first)).unwrap()),
            Between::Token => drop(s.world.token(here, subject, &[Scope::ALL])),
            Between::Unrelated => {
                let owner = s.admin.actor.identity.id;
                s.world.remember(here, owner, "another");
            }
        }
        let apply = make::apply(plan.id, "subject", vec![]);
        if !matches!(what, Between::Nothing | Between::Unrelated) {
            prop_assert_eq!(s.refused(apply), ErrorCode::Conflict);
            return Ok(());
        }
        let kept = s.world.model.memories.len() - count;
        let done = s.world.decide(&s.admin, apply.clone()).unwrap();
        let mut erased: Vec<MemoryId> = done.writes.iter().filter_map(|write| match write {
            Write::EraseMemory(_, id) => Some(*id),
            _ => None,
        }).collect();
        erased.sort_unstable();
        prop_assert_eq!(erased, s.memories);
        prop_assert_eq!(s.world.model.memories.len(), kept);
        prop_assert_eq!(done.audit.count, count as u64 + 1);
        let again = s.world.run(&s.admin, apply).unwrap_err();
        prop_assert_eq!(again.error.code, ErrorCode::Conflict);
    }

    #[test]
    fn filter_takes_what_it_selected_at_the_same_versions_only(
        count in 1_usize..6, take in 1_usize..6, changed: bool,
    ) {
        let mut s = stage(count);
        let mut chosen: Vec<(MemoryId, u32)> =
            s.memories.iter().take(take).map(|id| (*id, 1)).collect();
        let plan = s.plan(PurgeScope::Filter, chosen.clone());
        let confirm = plan.id.to_string();
        // The order in which the filter finds them does not matter.
        chosen.reverse();
        if changed {
            chosen[0].1 += 1;
            let apply = make::apply(plan.id, &confirm, chosen);
            prop_assert_eq!(s.refused(apply), ErrorCode::Conflict);
            return Ok(());
        }
        s.world.run(&s.admin, make::apply(plan.id, &confirm, chosen.clone())).unwrap();
        for id in s.memories {
            let gone = chosen.contains(&(id, 1));
            prop_assert_eq!(s.world.model.memories.contains_key(&(s.here, id)), !gone);
        }
        prop_assert!(s.world.model.identities.contains_key(&(s.here, s.subject)));
    }
}

#[test]
fn wrong_word_and_lapsed_plan_do_nothing() {
    let mut s = stage(2);
    let plan = s.plan(PurgeScope::Subject(s.subject), vec![]);
    for word in ["", "Subject", "anna", &plan.id.to_string()] {
        let code = s.refused(make::apply(plan.id, word, vec![]));
        assert_eq!(code, ErrorCode::InvalidArgument, "{word:?}");
    }
    s.world.wait(limits::PLAN_TTL_SECONDS);
    s.admin.now = s.world.now;
    let code = s.refused(make::apply(plan.id, "subject", vec![]));
    assert_eq!(code, ErrorCode::Conflict);
}

#[test]
fn plan_at_the_last_moment_of_its_hour_is_good() {
    let mut s = stage(1);
    let plan = s.plan(PurgeScope::Subject(s.subject), vec![]);
    s.admin.now = plan.expires_at.plus_millis(-1);
    let apply = make::apply(plan.id, "subject", vec![]);
    assert!(s.world.run(&s.admin, apply).is_ok());
}

/// Also what another plan for the same subject remembers of it: its name.
#[test]
fn nothing_of_a_purged_subject_remains() {
    let mut s = stage(3);
    let plan = s.plan(PurgeScope::Subject(s.subject), vec![]);
    s.plan(PurgeScope::Subject(s.subject), vec![]);
    let unrelated = s.plan(PurgeScope::Expired, vec![]);
    s.world
        .run(&s.admin, make::apply(plan.id, "subject", vec![]))
        .unwrap();
    let model = &s.world.model;
    assert!(model.owned(s.here, s.subject).is_empty());
    assert!(!model.identities.contains_key(&(s.here, s.subject)));
    assert!(
        model
            .tokens
            .values()
            .all(|token| token.identity != s.subject)
    );
    assert!(model.directory.identity_by_ref(s.here, "subject").is_none());
    assert!(
        model
            .plans
            .values()
            .all(|plan| !plan.confirm.contains("subject"))
    );
    let states: Vec<_> = model
        .plans
        .values()
        .map(|plan| (plan.id, plan.state))
        .collect();
    let applied = PlanState::Applied(s.world.now);
    assert_eq!(
        states,
        [(plan.id, applied), (unrelated.id, PlanState::Planned)]
    );
}

#[test]
fn deleted_identity_leaves_no_plan_that_names_it() {
    let mut s = stage(0);
    s.plan(PurgeScope::Subject(s.subject), vec![]);
    s.world
        .run(&s.admin, Command::DeleteIdentity("subject".to_owned()))
        .unwrap();
    assert!(s.world.model.plans.is_empty());
}

#[test]
fn nobody_is_the_subject_of_their_own_plan() {
    let mut s = stage(1);
    let own = s.admin.actor.identity.id;
    let command = make::plan(&mut s.world, PurgeScope::Subject(own), vec![]);
    assert_eq!(s.refused(command), ErrorCode::Denied);
    // Nor by a plan that another made.
    let plan = s.plan(PurgeScope::Subject(s.subject), vec![]);
    s.world.edit(s.here, s.subject, |it| {
        it.role = crate::model::Role::new("admin").unwrap()
    });
    s.admin = s.world.by(s.here, s.subject);
    let plan = make::apply(plan.id, "subject", vec![]);
    assert_eq!(s.refused(plan), ErrorCode::Denied);
}

#[test]
fn sweep_takes_what_is_due_and_nothing_else() {
    let mut s = stage(1);
    let mut soon = make::add(&mut s.world, "soon");
    soon.content.expires_at = Some(s.world.now.plus_seconds(60));
    let id = soon.id;
    s.world.run(&s.admin, Command::AddMemory(soon)).unwrap();
    let left = s.world.model.memories.len() - 1;
    for (waited, due) in [(59, false), (1, true)] {
        s.world.wait(waited);
        let daemon = s.world.by_daemon(s.here);
        assert_eq!(purge::is_due(&s.world.model, &daemon, &[]).unwrap(), due);
        s.world.run(&daemon, Command::Sweep(10)).unwrap();
        assert_eq!(s.world.model.memories.contains_key(&(s.here, id)), !due);
    }
    assert_eq!(s.world.model.memories.len(), left);
}

/// Ended tokens and lapsed plans are dropped although no memory ever comes due.
#[test]
fn sweep_is_due_for_ended_tokens_and_lapsed_plans() {
    let mut s = stage(0);
    s.plan(PurgeScope::Expired, vec![]);
    let week = 7 * 86_400;
    for (waited, tokens, plans) in [
        (limits::PLAN_TTL_SECONDS + week, 2, 1),
        (1, 2, 0),
        (TTL_SECONDS - limits::PLAN_TTL_SECONDS - 1, 2, 0),
        (1, 0, 0),
    ] {
        s.world.wait(waited);
        let daemon = s.world.by_daemon(s.here);
        if purge::is_due(&s.world.model, &daemon, &[]).unwrap() {
            s.world.run(&daemon, Command::Sweep(10)).unwrap();
        }
        let model = &s.world.model;
        assert_eq!(
            (model.tokens.len(), model.plans.len()),
            (tokens, plans),
            "{waited}"
        );
    }
    let daemon = s.world.by_daemon(s.here);
    assert!(!purge::is_due(&s.world.model, &daemon, &[]).unwrap());
}
