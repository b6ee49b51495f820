//! Every action on every resource, for every role, whosever thing it is, by one who is active and by one
//! who is disabled, under the policies a tenant starts with. What deeds come to stands in `matrix`.

use manushya_protocol::error::ErrorCode;

use super::world::World;
use crate::command::Context;
use crate::decide::Refusal;
use crate::decide::access::Access;
use crate::decide::identity;
use crate::model::{Action, Resource};
use crate::policy::pairs;

const ROLES: [&str; 5] = ["operator", "admin", "agent", "user", "gardener"];
const WHOSE: [&str; 3] = ["own", "another's", "another tenant's"];

/// For each of [`ROLES`] a word, in which there is a letter for each of [`WHOSE`]: `a`llowed, `d`enied,
/// `n`ot found, `-` for what there is not.
fn row(action: Action, resource: Resource) -> &'static str {
    match (resource, action) {
        //                                    operator admin agent user gardener
        (Resource::Memory, _) => "             aan      aan   ann   ann  nnn",
        (Resource::Identity, Action::Read) => "aan      aan   ann   ann  ann",
        (Resource::Identity, _) => "           aan      aan   dnn   dnn  dnn",
        (Resource::Token, Action::Read) => "   aan      aan   ann   ann  ann",
        (Resource::Token, _) => "              aan      aan   dnn   dnn  dnn",
        (Resource::Policy, _) => "             a--      a--   d--   d--  d--",
        (Resource::Audit, _) => "              a--      a--   d--   d--  d--",
        (Resource::System, _) => "             a--      a--   d--   d--  d--",
    }
}

/// Asks as each noun does: a memory by its id, another identity by its name, the others at large.
fn asked(
    world: &mut World,
    context: &Context,
    action: Action,
    resource: Resource,
    whose: usize,
) -> Result<(), Refusal> {
    let here = context.actor.identity.tenant;
    let (tenant, owner) = match whose {
        0 => (here, context.actor.identity.id),
        1 => (here, world.join(here, "other", "agent")),
        _ => {
            let there = world.found("annex");
            (there, world.join(there, "far", "agent"))
        }
    };
    match resource {
        Resource::Memory => {
            let memory = world.remember(tenant, owner, "a thing that happened");
            let directory = &world.model.directory;
            let mut access = Access::begin(directory, context, action, resource)?;
            access.require_memory(&world.model, memory).map(drop)
        }
        Resource::Identity | Resource::Token => {
            let reference = owner.to_string();
            identity::require(&world.model, context, action, resource, &reference).map(drop)
        }
        Resource::Policy | Resource::Audit | Resource::System => {
            Access::begin(&world.model.directory, context, action, resource)?.require()
        }
    }
}

#[test]
fn every_pair_is_decided_as_the_table_says() {
    let mut cells = 0;
    for (action, resource) in pairs() {
        let words: Vec<&str> = row(action, resource).split_whitespace().collect();
        for (role, word) in ROLES.iter().zip(&words) {
            for (whose, letter) in word.bytes().enumerate() {
                for active in [true, false] {
                    let expected = match letter {
                        b'-' => continue,
                        _ if !active => Err(ErrorCode::Unauthenticated),
                        b'a' => Ok(()),
                        b'd' => Err(ErrorCode::Denied),
                        _ => Err(ErrorCode::NotFound),
                    };
                    let mut world = World::new();
                    let here = world.found("default");
                    let (actor, context) = if *role == "operator" {
                        (world.model.tenants[&here].operator, world.by_peer(here))
                    } else {
                        let actor = world.join(here, "actor", role);
                        (actor, world.by(here, actor))
                    };
                    if !active {
                        world.edit(here, actor, |it| it.is_active = false);
                    }
                    let found = asked(&mut world, &context, action, resource, whose);
                    let found = found.map_err(|refusal| refusal.error.code);
                    let whose = WHOSE[whose];
                    let told = format!("{role}, active {active}: {action} {whose} {resource}");
                    assert_eq!(found, expected, "{told}");
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, (pairs().count() / 6) * 2 * 5 * (3 * 3 + 3));
}
