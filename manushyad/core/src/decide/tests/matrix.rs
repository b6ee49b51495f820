//! Who may do what to whose, in every state of a credential, under the policies a tenant starts with.
//!
//! The expectation is the table in [`row`]; a credential that is not good overrules it.

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{IdentityId, PlanId, PolicyId, TenantId};
use serde_json::json;

use super::command::Command;
use super::make;
use super::world::World;
use crate::command::{Context, PolicyChange, RevokeToken, UpdateIdentity};
use crate::model::{Action, Effect, PurgeScope, Resource, Scope, TenantName};

macro_rules! all_of {
    ($name:ident: $($variant:ident),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum $name { $($variant),* }
        impl $name {
            const ALL: &[Self] = &[$(Self::$variant),*];
        }
    };
}

all_of!(Deed: MemoryAdd, MemoryRead, MemoryUpdate, MemoryDelete, MemoryErase, MemoryRestore,
    IdentityCreate, IdentityRead, IdentityUpdate, IdentityDelete, TokenIssue, TokenRead, RevokeOne,
    RevokeAll, PolicyApply, PolicySwitch, PolicyDelete, AuditRead, TenantCreate, TenantDelete,
    HostManage, PlanSubject, PlanFilter, PlanExpired, ApplySubject, ApplyFilter, Sweep);
all_of!(Who: Operator, Admin, Agent, User, Stranger);
all_of!(Whose: Own, Others, OtherTenants);
all_of!(State: Good, Disabled, Revoked, Expired, OlderEpoch, OtherAction, OtherResource);

/// For each of [`Who::ALL`] a word, in which there is a letter for each of [`Whose::ALL`]:
/// `a`llowed, `d`enied, `n`ot found, `c`onflict, `-` for what there is not.
///
/// What an identity creation is about is the external id: free, taken, taken in the other tenant.
fn row(deed: Deed) -> &'static str {
    match deed {
        //                       operator admin agent user stranger
        Deed::MemoryAdd => "      a--     a--   a--   a--  d--",
        Deed::MemoryRead => "     aan     aan   ann   ann  nnn",
        Deed::MemoryUpdate => "   aan     aan   ann   ann  nnn",
        Deed::MemoryDelete => "   aan     aan   ann   ann  nnn",
        Deed::MemoryErase => "    aan     aan   ann   ann  nnn",
        Deed::MemoryRestore => "  aan     aan   ann   ann  nnn",
        Deed::IdentityCreate => " aca     aca   ddd   ddd  ddd",
        Deed::IdentityRead => "   aan     aan   ann   ann  ann",
        Deed::IdentityUpdate => " aan     aan   dnn   dnn  dnn",
        // The other one owns memories.
        Deed::IdentityDelete => " dcn     dcn   dnn   dnn  dnn",
        Deed::TokenIssue => "     aan     aan   dnn   dnn  dnn",
        Deed::TokenRead => "      aan     aan   ann   ann  ann",
        Deed::RevokeOne => "      aan     aan   dnn   dnn  dnn",
        Deed::RevokeAll => "      aan     aan   dnn   dnn  dnn",
        Deed::PolicyApply => "    a--     a--   d--   d--  d--",
        Deed::PolicySwitch => "   a-n     a-n   d-d   d-d  d-d",
        Deed::PolicyDelete => "   a-n     a-n   d-d   d-d  d-d",
        Deed::AuditRead => "      a--     a--   d--   d--  d--",
        Deed::TenantCreate => "   a--     d--   d--   d--  d--",
        // One's own is the tenant that is always there.
        Deed::TenantDelete => "   c-a     d-d   d-d   d-d  d-d",
        Deed::HostManage => "     a--     d--   d--   d--  d--",
        Deed::PlanSubject => "    dan     dan   ddn   ddn  ddn",
        Deed::PlanFilter => "     a--     a--   d--   d--  d--",
        Deed::PlanExpired => "    a--     a--   d--   d--  d--",
        // Nobody can have planned the operator's erasure.
        Deed::ApplySubject => "   nan     dan   ddd   ddd  ddd",
        Deed::ApplyFilter => "    a-n     a-n   d-d   d-d  d-d",
        Deed::Sweep => "          a--     a--   d--   d--  d--",
    }
}

/// What a deed asks for, to make a scope that is too narrow for it.
fn asks(deed: Deed) -> (Action, Resource) {
    use Resource::{Audit, Identity, Memory, Policy, System, Token};
    match deed {
        Deed::MemoryAdd => (Action::Create, Memory),
        Deed::MemoryRead => (Action::Read, Memory),
        Deed::MemoryUpdate => (Action::Update, Memory),
        Deed::MemoryDelete => (Action::Delete, Memory),
        Deed::MemoryErase => (Action::Purge, Memory),
        Deed::MemoryRestore => (Action::Restore, Memory),
        Deed::IdentityCreate => (Action::Create, Identity),
        Deed::IdentityRead => (Action::Read, Identity),
        Deed::IdentityUpdate => (Action::Update, Identity),
        Deed::IdentityDelete => (Action::Delete, Identity),
        Deed::TokenIssue => (Action::Create, Token),
        Deed::TokenRead => (Action::Read, Token),
        Deed::RevokeOne | Deed::RevokeAll => (Action::Delete, Token),
        Deed::PolicyApply | Deed::PolicySwitch | Deed::PolicyDelete => (Action::Manage, Policy),
        Deed::AuditRead => (Action::Read, Audit),
        Deed::TenantCreate => (Action::Create, System),
        Deed::TenantDelete => (Action::Purge, System),
        Deed::HostManage => (Action::Manage, System),
        Deed::PlanSubject | Deed::ApplySubject => (Action::Purge, Identity),
        Deed::PlanFilter | Deed::PlanExpired | Deed::ApplyFilter | Deed::Sweep => {
            (Action::Purge, System)
        }
    }
}

/// What a request should come to; `None` for what there is not.
fn expected(deed: Deed, who: Who, whose: Whose, state: State) -> Option<Result<(), ErrorCode>> {
    let words: Vec<&str> = row(deed).split_whitespace().collect();
    let letter = words[who as usize].as_bytes()[whose as usize];
    let by_policy = match letter {
        b'a' => Ok(()),
        b'd' => Err(ErrorCode::Denied),
        b'n' => Err(ErrorCode::NotFound),
        b'c' => Err(ErrorCode::Conflict),
        _ => return None,
    };
    match state {
        State::Good => Some(by_policy),
        State::Disabled => Some(Err(ErrorCode::Unauthenticated)),
        // The operator comes by its user id, which is neither scoped nor ends.
        _ if who == Who::Operator => None,
        State::Revoked | State::Expired | State::OlderEpoch => {
            Some(Err(ErrorCode::Unauthenticated))
        }
        State::OtherAction | State::OtherResource => Some(Err(ErrorCode::Denied)),
    }
}

/// Two tenants with one who acts, another, and one in the other tenant.
struct Stage {
    world: World,
    here: TenantId,
    there: TenantId,
    actor: IdentityId,
    context: Context,
}

fn scope_of(deed: Deed, state: State) -> Scope {
    let (action, resource) = asks(deed);
    let another = |resource| match resource {
        Resource::Memory => Resource::Audit,
        _ => Resource::Memory,
    };
    match state {
        State::OtherAction => Scope {
            resource: Some(resource),
            action: Action::ALL.iter().copied().find(|it| *it != action),
        },
        State::OtherResource => Scope {
            resource: Some(another(resource)),
            action: None,
        },
        _ => Scope::ALL,
    }
}

fn stage(deed: Deed, who: Who, state: State) -> Stage {
    let mut world = World::new();
    let (here, there) = (world.found("default"), world.found("annex"));
    let role = match who {
        Who::Operator | Who::Admin => "admin",
        Who::Agent => "agent",
        Who::User => "user",
        Who::Stranger => "gardener",
    };
    let actor = match who {
        Who::Operator => world.model.tenants[&here].operator,
        _ => world.join(here, "actor", role),
    };
    let token = world.token(here, actor, &[scope_of(deed, state)]);
    let mut context = world.by_token(here, token);
    if who == Who::Operator {
        context = world.by_peer(here);
    }
    match state {
        State::Disabled => world.edit(here, actor, |it| it.is_active = false),
        State::OlderEpoch => world.edit(here, actor, |it| it.token_epoch += 1),
        State::Revoked => {
            let now = world.now;
            world.edit_token(here, token, |it| it.revoked_at = Some(now));
        }
        State::Expired => {
            let now = world.now;
            world.edit_token(here, token, |it| it.expires_at = now);
        }
        State::Good | State::OtherAction | State::OtherResource => {}
    }
    Stage {
        world,
        here,
        there,
        actor,
        context,
    }
}

/// Whose thing it is: its tenant, and who has it.
fn target(stage: &mut Stage, whose: Whose) -> (TenantId, IdentityId) {
    match whose {
        Whose::Own => (stage.here, stage.actor),
        Whose::Others => (stage.here, stage.world.join(stage.here, "other", "agent")),
        Whose::OtherTenants => (stage.there, stage.world.join(stage.there, "far", "agent")),
    }
}

/// Plants what the deed is about, and makes the command.
fn command(deed: Deed, stage: &mut Stage, whose: Whose) -> Command {
    let (tenant, owner) = target(stage, whose);
    let world = &mut stage.world;
    let memory = world.remember(tenant, owner, "a thing that happened");
    match deed {
        Deed::MemoryAdd => Command::AddMemory(make::add(world, "a new thing")),
        Deed::MemoryRead => Command::ReadMemory(memory),
        Deed::MemoryUpdate => make::retell(memory, "it was otherwise"),
        Deed::MemoryDelete => make::delete(memory),
        Deed::MemoryErase => make::erase(memory),
        Deed::MemoryRestore => {
            let daemon = world.by_daemon(tenant);
            world.run(&daemon, make::delete(memory)).unwrap();
            Command::RestoreMemory(memory)
        }
        Deed::IdentityCreate => {
            let names = ["free", "other", "far"];
            make::identity(world, names[whose as usize], "agent")
        }
        Deed::IdentityRead => Command::ReadIdentity(Resource::Identity, owner.to_string()),
        Deed::IdentityUpdate => Command::UpdateIdentity(UpdateIdentity {
            name: Some("Anna".to_owned()),
            ..make::change(owner)
        }),
        Deed::IdentityDelete => Command::DeleteIdentity(owner.to_string()),
        Deed::TokenIssue => make::issue(world, owner, &[]),
        Deed::TokenRead => Command::ReadIdentity(Resource::Token, owner.to_string()),
        Deed::RevokeOne => {
            Command::RevokeToken(RevokeToken::One(world.token(tenant, owner, &[Scope::ALL])))
        }
        Deed::RevokeAll => Command::RevokeToken(RevokeToken::AllOf(owner.to_string())),
        _ => of_tenant(deed, world, stage.here, tenant, owner),
    }
}

fn of_tenant(
    deed: Deed,
    world: &mut World,
    here: TenantId,
    tenant: TenantId,
    owner: IdentityId,
) -> Command {
    // Something to switch and to delete that nobody needs.
    let daemon = world.by_daemon(tenant);
    let spare = make::policies(world, vec![make::may("nobody", "read", "audit")], false);
    world.run(&daemon, spare).unwrap();
    let named = |policy: &&std::sync::Arc<crate::model::Policy>| {
        policy.tenant == tenant && policy.name.as_str().starts_with("nobody")
    };
    let spare: PolicyId = world.model.policies.values().find(named).unwrap().id;
    let spare = spare.to_string();
    match deed {
        Deed::PolicyApply => {
            let rule = json!(false);
            make::policies(
                world,
                vec![make::spec("p", "*", rule, Effect::Allow, 1)],
                false,
            )
        }
        Deed::PolicySwitch => make::policy(&spare, PolicyChange::SetActive(false)),
        Deed::PolicyDelete => make::policy(&spare, PolicyChange::Delete),
        Deed::AuditRead => Command::AtLarge(Action::Read, Resource::Audit),
        Deed::TenantCreate => Command::CreateTenant(world.create_tenant("third")),
        Deed::TenantDelete => {
            let name = if tenant == here { "default" } else { "annex" };
            Command::DeleteTenant(TenantName::new(name).unwrap())
        }
        Deed::HostManage => Command::Host(Action::Manage),
        Deed::PlanSubject => make::plan(world, PurgeScope::Subject(owner), vec![]),
        Deed::PlanFilter => make::plan(world, PurgeScope::Filter, vec![]),
        Deed::PlanExpired => make::plan(world, PurgeScope::Expired, vec![]),
        Deed::ApplySubject => planned(world, tenant, PurgeScope::Subject(owner)),
        Deed::ApplyFilter => planned(world, tenant, PurgeScope::Filter),
        Deed::Sweep => Command::Sweep(10),
        other => unreachable!("{other:?} is made above"),
    }
}

/// A plan that the daemon made, ready to be applied.
fn planned(world: &mut World, tenant: TenantId, scope: PurgeScope) -> Command {
    let operator = world.model.tenants[&tenant].operator;
    if scope == PurgeScope::Subject(operator) {
        return make::apply(PlanId::from_bytes([9; 16]), "operator", vec![]);
    }
    let planner = world.by_daemon(tenant);
    let command = make::plan(world, scope, vec![]);
    world.run(&planner, command).unwrap();
    let plan = world.model.plans.values().next().unwrap();
    make::apply(plan.id, &plan.confirm, vec![])
}

#[test]
fn everyone_may_do_what_the_table_says_and_nothing_else() {
    let mut wrong = Vec::new();
    let mut cells = 0;
    for &deed in Deed::ALL {
        for &who in Who::ALL {
            for &whose in Whose::ALL {
                for &state in State::ALL {
                    let Some(expected) = expected(deed, who, whose, state) else {
                        continue;
                    };
                    cells += 1;
                    let mut stage = stage(deed, who, state);
                    let command = command(deed, &mut stage, whose);
                    let result = command.decide(&stage.world.model, &stage.context);
                    let found = result.as_ref().map(|_| ()).map_err(|it| it.error.code);
                    if found != expected {
                        wrong.push(format!(
                            "{deed:?} {whose:?} by {who:?}, {state:?}: {found:?}, not {expected:?}"
                        ));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {cells}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(cells > 1500, "the table shrank to {cells} cells");
}

#[test]
fn every_row_has_a_letter_for_everyone() {
    for &deed in Deed::ALL {
        let words: Vec<&str> = row(deed).split_whitespace().collect();
        assert_eq!(words.len(), Who::ALL.len(), "{deed:?}");
        for word in words {
            assert_eq!(word.len(), Whose::ALL.len(), "{deed:?}");
            assert!(
                word.chars().all(|letter| "adnc-".contains(letter)),
                "{deed:?}"
            );
        }
    }
}

#[test]
fn token_of_the_operators_identity_does_not_make_the_operator_of_the_host() {
    let mut world = World::new();
    let here = world.found("default");
    let operator = world.model.tenants[&here].operator;
    let context = world.by(here, operator);
    let refusal = world
        .run(&context, Command::Host(Action::Manage))
        .unwrap_err();
    assert_eq!(refusal.error.code, ErrorCode::Denied);
}
