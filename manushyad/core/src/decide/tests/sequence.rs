//! Random requests by random callers of two tenants, one after the other, and what holds of each.

use std::collections::BTreeSet;

use manushya_protocol::id::{IdentityId, MemoryId, PlanId, TenantId, TokenId};
use manushya_protocol::v1::memory::OnConflict;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, json};

use super::command::Command;
use super::directory::check as check_lookups;
use super::invariant;
use super::make;
use super::world::World;
use crate::command::{AddMemory, Context, PolicyChange, RevokeToken, UpdateIdentity};
use crate::model::{Action, Effect, PurgeScope, Resource, Scope, TenantName};

const NAMES: [&str; 8] = [
    "default", "annex", "third", "operator", "anna", "bot", "ursula", "newcomer",
];
const ROLES: [&str; 4] = ["admin", "agent", "user", "gardener"];

/// Which request; its numbers choose among what there is when its turn comes.
#[derive(Clone, Copy, Debug)]
struct Step {
    deed: u8,
    actor: usize,
    a: usize,
    b: usize,
    wait: u64,
    dry_run: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![16 => 0_u64..60, 1 => 0_u64..86_400, 1 => 0_u64..40 * 86_400];
    (
        0_u8..28,
        0_usize..64,
        0_usize..64,
        0_usize..64,
        wait,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(deed, actor, a, b, wait, dry_run)| Step {
            deed,
            actor,
            a,
            b,
            wait,
            dry_run,
        })
}

fn pick<T: Copy>(from: &[T], n: usize) -> Option<T> {
    from.get(n % from.len().max(1)).copied()
}

fn world() -> World {
    let mut world = World::new();
    for name in ["default", "annex"] {
        let tenant = world.found(name);
        for (name, role) in [("anna", "admin"), ("bot", "agent"), ("ursula", "user")] {
            let id = world.join(tenant, name, role);
            world.token(tenant, id, &[Scope::ALL]);
            world.remember(tenant, id, "text 0");
        }
        let anna = world.model.directory.identity_by_ref(tenant, "anna");
        let anna = anna.unwrap().id;
        let memories = Scope {
            resource: Some(Resource::Memory),
            action: None,
        };
        world.token(tenant, anna, &[memories]);
    }
    world
}

/// By its user id or any token there is, good or not.
fn context(world: &World, step: Step) -> Option<Context> {
    let tenants: Vec<TenantId> = world.model.tenants.keys().copied().collect();
    let tokens: Vec<(TenantId, TokenId)> = world.model.tokens.keys().copied().collect();
    let mut context = if step.actor.is_multiple_of(3) {
        world.by_peer(pick(&tenants, step.actor / 3)?)
    } else {
        let (tenant, token) = pick(&tokens, step.actor)?;
        world.by_token(tenant, token)
    };
    context.dry_run = step.dry_run;
    Some(context)
}

/// The command, about a thing of any tenant.
fn command(world: &mut World, context: &Context, step: Step) -> Option<Command> {
    let Step { a, b, .. } = step;
    // Mostly what the caller's own tenant and the caller itself have, or all would be hidden.
    let at = (context.actor.identity.tenant, context.actor.identity.id);
    let far = step.wait % 8 == 7;
    let model = &world.model;
    let near = |tenant: TenantId| far || tenant == at.0;
    let identities = model.identities.values().filter(|it| near(it.tenant));
    let identities: Vec<IdentityId> = identities
        .filter(|it| step.deed != 14 || b % 2 == 0 || model.owned(it.tenant, it.id).is_empty())
        .map(|it| it.id)
        .collect();
    let memories = model.memories.values().map(|kept| &kept.memory);
    let memories: Vec<MemoryId> = memories
        .filter(|it| near(it.tenant) && (b % 4 == 0 || it.owner == at.1))
        .filter(|it| step.deed != 8 || b % 4 == 0 || it.deleted_at.is_some())
        .map(|it| it.id)
        .collect();
    let tokens = model.tokens.keys().filter(|token| near(token.0));
    let tokens: Vec<TokenId> = tokens.map(|at| at.1).collect();
    let identity = pick(&identities, a).unwrap_or(at.1);
    let memory = pick(&memories, a).unwrap_or(MemoryId::from_bytes([1; 16]));
    let text = format!("text {}", b % 4);
    Some(match step.deed {
        0..=3 => {
            let what = [OnConflict::Fail, OnConflict::Update, OnConflict::Skip];
            let command = make::add_key(world, &text, ["k", "l"][a % 2], what[b % 3]);
            match command {
                Command::AddMemory(add) => {
                    let mut add = add;
                    add.content.expires_at =
                        (a % 5 == 0).then(|| world.now.plus_seconds(b as u64 * 60));
                    let key = add.key.filter(|_| a % 3 != 0);
                    Command::AddMemory(AddMemory { key, ..add })
                }
                other => other,
            }
        }
        4..=6 => make::retell(memory, &text),
        7 => make::delete(memory),
        8 => Command::RestoreMemory(memory),
        9 => make::erase(memory),
        10 => Command::ReadMemory(memory),
        11 => make::identity(world, NAMES[4 + a % 4], ROLES[b % 4]),
        12 => make::role(identity, ROLES[b % 4]),
        13 => change_identity(identity, b),
        14 => Command::DeleteIdentity(identity.to_string()),
        15 => {
            let resource = pick(Resource::ALL, b);
            let action = pick(Action::ALL, b / 2).filter(|_| b % 3 == 0);
            make::issue(world, identity, &[Scope { resource, action }])
        }
        16 => Command::RevokeToken(RevokeToken::One(pick(&tokens, a)?)),
        17 => Command::RevokeToken(RevokeToken::AllOf(identity.to_string())),
        _ => at_large(world, context, step, identity)?,
    })
}

fn change_identity(identity: IdentityId, n: usize) -> Command {
    let mut claims = Map::new();
    claims.insert("level".to_owned(), json!(n % 2));
    Command::UpdateIdentity(UpdateIdentity {
        claims: n.is_multiple_of(2).then_some(claims),
        is_active: n.is_multiple_of(3).then_some(!n.is_multiple_of(4)),
        name: n.is_multiple_of(5).then(|| format!("name {}", n % 2)),
        ..make::change(identity)
    })
}

fn at_large(
    world: &mut World,
    context: &Context,
    step: Step,
    identity: IdentityId,
) -> Option<Command> {
    let Step { a, b, .. } = step;
    Some(match step.deed {
        18 => {
            let effect = [Effect::Allow, Effect::Deny][b % 2];
            let rule = json!({"==": [{"var": "action"}, Action::ALL[b % 9].as_str()]});
            let name = ["bot", "anna", "agent-own-memories"][a % 3];
            let spec = make::spec(name, ROLES[a % 4], rule, effect, 1);
            make::policies(world, vec![spec], b % 7 == 0)
        }
        19 => {
            let change = [PolicyChange::Delete, PolicyChange::SetActive(b % 3 == 0)];
            make::policy(["bot", "anna", "self-read"][a % 3], change[b % 2])
        }
        20 | 24 | 25 => match a % 3 {
            0 => make::plan(world, PurgeScope::Expired, vec![]),
            _ => make::plan(world, PurgeScope::Subject(identity), vec![]),
        },
        21 | 26 | 27 => {
            let tenant = context.actor.identity.tenant;
            let plans = world.model.plans.values();
            let plans = plans.filter(|it| it.tenant == tenant || b % 4 == 0);
            let plans: Vec<PlanId> = plans.map(|it| it.id).collect();
            // Mostly the latest, or most of them would have lapsed.
            let latest = plans.last().copied().filter(|_| a % 4 != 0);
            let id = latest.or(pick(&plans, a))?;
            let plan = world.model.plans.values().find(|plan| plan.id == id)?;
            let confirm = if b % 8 == 0 { "no" } else { &plan.confirm };
            make::apply(id, confirm, vec![])
        }
        22 => Command::Sweep(b % 4),
        _ => match (a % 2, NAMES[b % 3]) {
            (0, name) => Command::CreateTenant(world.create_tenant(name)),
            // Once in a while, or little would ever happen in it.
            (_, name) if b % 2 == 0 => Command::DeleteTenant(TenantName::new(name).ok()?),
            _ => Command::AtLarge(Action::Read, Resource::Audit),
        },
    })
}

/// Sends them all; returns which commands changed something, by name.
fn play(steps: Vec<Step>) -> Vec<String> {
    let mut world = world();
    let mut changed = Vec::new();
    for step in steps {
        world.wait(step.wait);
        let Some(context) = context(&world, step) else {
            continue;
        };
        let Some(command) = command(&mut world, &context, step) else {
            continue;
        };
        let before = world.model.clone();
        let result = world.decide(&context, command.clone());
        invariant::check(&before, &world.model, &context, &command, &result);
        if result.is_ok_and(|done| !done.writes.is_empty()) {
            check_lookups(&world.model, &NAMES);
            let name = format!("{command:?}");
            changed.extend(name.split('(').next().map(str::to_owned));
        }
    }
    changed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn whatever_is_asked_by_whomever_keeps_what_was_promised(
        steps in proptest::collection::vec(step(), 1..100),
    ) {
        play(steps);
    }
}

/// The property above would hold of requests that are all refused, too.
#[test]
fn random_requests_reach_every_change() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..100 {
        let steps = proptest::collection::vec(step(), 100..101);
        reached.extend(play(steps.new_tree(&mut runner).unwrap().current()));
    }
    let expected = [
        "AddMemory",
        "ApplyPolicies",
        "ApplyPurge",
        "ChangePolicy",
        "CreateIdentity",
        "CreateTenant",
        "DeleteIdentity",
        "DeleteMemory",
        "DeleteTenant",
        "IssueToken",
        "PlanPurge",
        "RestoreMemory",
        "RevokeToken",
        "Sweep",
        "UpdateIdentity",
        "UpdateMemory",
    ];
    assert!(reached.iter().eq(expected), "{reached:?}");
}
