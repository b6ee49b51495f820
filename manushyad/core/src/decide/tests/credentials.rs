//! Identities and tokens: nobody widens their own rights, and what has ended stays ended.

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{IdentityId, TenantId};
use proptest::prelude::*;
use serde_json::{Map, json};

use super::command::{Command, Reply};
use super::make;
use super::world::World;
use crate::command::{Context, RevokeToken, UpdateIdentity};
use crate::model::{Action, ExternalId, Resource, Scope, TokenState};

fn code(world: &mut World, context: &Context, command: Command) -> ErrorCode {
    let refusal = world
        .run(context, command)
        .expect_err("it should be refused");
    refusal.error.code
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let resource = proptest::option::of(proptest::sample::select(Resource::ALL));
    let action = proptest::option::of(proptest::sample::select(Action::ALL));
    (resource, action).prop_map(|(resource, action)| Scope { resource, action })
}

fn covers(scopes: &[Scope], action: Action, resource: Resource) -> bool {
    scopes.iter().any(|scope| scope.covers(action, resource))
}

/// Whether `wide` covers every pair that `narrow` does.
pub fn contains(wide: &[Scope], narrow: &[Scope]) -> bool {
    Resource::ALL.iter().all(|&resource| {
        Action::ALL
            .iter()
            .filter(|&&action| covers(narrow, action, resource))
            .all(|&action| covers(wide, action, resource))
    })
}

fn admin(world: &mut World) -> (TenantId, IdentityId, Context) {
    let here = world.found("default");
    let admin = world.join(here, "anna", "admin");
    let context = world.by(here, admin);
    (here, admin, context)
}

proptest! {
    #[test]
    fn token_covers_no_more_than_the_one_it_is_issued_with(
        held in proptest::collection::vec(any_scope(), 1..4),
        asked in proptest::collection::vec(any_scope(), 0..4),
        with_identity: bool,
    ) {
        let mut world = World::new();
        let here = world.found("default");
        let admin = world.join(here, "anna", "admin");
        let token = world.token(here, admin, &held);
        let context = world.by_token(here, token);
        let command = if with_identity {
            make::identity(&mut world, "bot", "agent")
        } else {
            make::issue(&mut world, admin, &asked)
        };
        let needed = if with_identity { Resource::Identity } else { Resource::Token };
        let may_ask = covers(&held, Action::Create, needed);
        let wanted: Vec<Scope> = if asked.is_empty() { vec![Scope::ALL] } else { asked };
        match world.run(&context, command) {
            Ok(Reply::Credentials((_, token))) => {
                prop_assert!(may_ask);
                prop_assert!(contains(&held, &token.scopes), "{:?} from {held:?}", token.scopes);
            }
            Ok(other) => prop_assert!(false, "{other:?}"),
            Err(refusal) => {
                prop_assert_eq!(refusal.error.code, ErrorCode::Denied);
                let each = |scope: &Scope| held.iter().any(|it| contains(&[*it], &[*scope]));
                prop_assert!(!may_ask || (!with_identity && !wanted.iter().all(each)));
            }
        }
    }
}

#[test]
fn role_change_ends_the_tokens_of_the_old_role() {
    let mut world = World::new();
    let (here, _, context) = admin(&mut world);
    let agent = world.join(here, "bot", "agent");
    let old = world.by(here, agent);
    world.run(&context, make::role(agent, "agent")).unwrap();
    let read = Command::ReadIdentity(Resource::Identity, agent.to_string());
    assert!(
        world.run(&old, read.clone()).is_ok(),
        "the same role ends nothing"
    );

    world.run(&context, make::role(agent, "admin")).unwrap();
    assert_eq!(world.model.identities[&(here, agent)].token_epoch, 1);
    assert_eq!(
        code(&mut world, &old, read.clone()),
        ErrorCode::Unauthenticated
    );
    // Nor does it come back with the role.
    world.run(&context, make::role(agent, "agent")).unwrap();
    assert_eq!(
        code(&mut world, &old, read.clone()),
        ErrorCode::Unauthenticated
    );
    let fresh = world.by(here, agent);
    assert!(world.run(&fresh, read).is_ok());
}

#[test]
fn revoking_all_tokens_ends_them_and_no_later_one() {
    let mut world = World::new();
    let (here, _, context) = admin(&mut world);
    let agent = world.join(here, "bot", "agent");
    let old = world.by(here, agent);
    let all = Command::RevokeToken(RevokeToken::AllOf("bot".to_owned()));
    assert!(matches!(world.run(&context, all), Ok(Reply::Revoked(1))));
    let read = Command::ReadIdentity(Resource::Identity, agent.to_string());
    assert_eq!(
        code(&mut world, &old, read.clone()),
        ErrorCode::Unauthenticated
    );
    let Ok(Reply::Credentials((identity, token))) = ({
        let issue = make::issue(&mut world, agent, &[]);
        world.run(&context, issue)
    }) else {
        panic!("no token");
    };
    assert_eq!(token.state(&identity, world.now), TokenState::Active);
    let fresh = world.by_token(here, token.id);
    assert!(world.run(&fresh, read).is_ok());
}

/// One who may act on no token learns nothing of them: not even whether an id is one.
#[test]
fn token_that_is_hidden_is_refused_like_one_that_does_not_exist() {
    let mut world = World::new();
    let (here, _, context) = admin(&mut world);
    let agent = world.join(here, "bot", "agent");
    let asker = world.by(here, agent);
    let hidden = context_token(&context);
    let absent = world.id(manushya_protocol::id::TokenId::from_bytes);
    let mut ask = |id| {
        let command = Command::RevokeToken(RevokeToken::One(id));
        let error = world.run(&asker, command).unwrap_err().error;
        assert_eq!(error.code, ErrorCode::NotFound);
        format!("{error:?}").replace(&id.to_string(), "ID")
    };
    assert_eq!(ask(hidden), ask(absent));
}

fn context_token(context: &Context) -> manushya_protocol::id::TokenId {
    match context.actor.via {
        crate::model::Via::Token(id) => id,
        other => panic!("no token but {other:?}"),
    }
}

#[test]
fn nobody_changes_their_own_role_claims_or_activity() {
    let mut world = World::new();
    let (here, anna, context) = admin(&mut world);
    let mut claims = Map::new();
    claims.insert("clearance".to_owned(), json!("top"));
    let attempts = [
        make::role(anna, "owner"),
        Command::UpdateIdentity(UpdateIdentity {
            claims: Some(claims),
            ..make::change(anna)
        }),
        Command::UpdateIdentity(UpdateIdentity {
            is_active: Some(false),
            // By the external id it is the same identity.
            identity: "anna".to_owned(),
            ..make::change(anna)
        }),
        Command::DeleteIdentity("anna".to_owned()),
    ];
    for attempt in attempts {
        assert_eq!(code(&mut world, &context, attempt), ErrorCode::Denied);
    }
    assert!(world.model.identities.contains_key(&(here, anna)));
}

/// One who may change agents only may not turn one into an administrator.
#[test]
fn what_an_identity_becomes_must_be_allowed_too() {
    let mut world = World::new();
    let (here, _, context) = admin(&mut world);
    let rule = json!({"and": [
        {"==": [{"var": "resource"}, "identity"]}, {"==": [{"var": "target.role"}, "agent"]}]});
    let specs = vec![make::spec(
        "leads",
        "lead",
        rule,
        crate::model::Effect::Allow,
        0,
    )];
    let specs = make::policies(&mut world, specs, false);
    world.run(&context, specs).unwrap();
    let (lead, agent) = (
        world.join(here, "lead", "lead"),
        world.join(here, "bot", "agent"),
    );
    let lead = world.by(here, lead);
    assert_eq!(
        code(&mut world, &lead, make::role(agent, "admin")),
        ErrorCode::Denied
    );
    assert_eq!(
        world.model.identities[&(here, agent)].role.as_str(),
        "agent"
    );
    let rename = Command::UpdateIdentity(UpdateIdentity {
        name: Some("Bot".to_owned()),
        ..make::change(agent)
    });
    assert!(world.run(&lead, rename).is_ok());
}

/// The operator of the host acts as that identity: without it nobody could mend the tenant.
#[test]
fn operator_of_a_tenant_is_neither_disabled_nor_deleted() {
    let mut world = World::new();
    let (here, _, context) = admin(&mut world);
    let operator = world.model.tenants[&here].operator;
    let disable = Command::UpdateIdentity(UpdateIdentity {
        is_active: Some(false),
        ..make::change(operator)
    });
    assert_eq!(code(&mut world, &context, disable), ErrorCode::Conflict);
    let delete = Command::DeleteIdentity("operator".to_owned());
    assert_eq!(code(&mut world, &context, delete), ErrorCode::Conflict);
    let purge = make::plan(
        &mut world,
        crate::model::PurgeScope::Subject(operator),
        vec![],
    );
    assert_eq!(code(&mut world, &context, purge), ErrorCode::Conflict);
    let peer = world.by_peer(here);
    assert!(world.run(&peer, Command::Host(Action::Read)).is_ok());
}

#[test]
fn external_id_that_is_taken_is_a_conflict_and_leaves_its_owner() {
    let mut world = World::new();
    let (here, anna, context) = admin(&mut world);
    let before = world.model.identities[&(here, anna)].clone();
    let again = make::identity(&mut world, "anna", "agent");
    assert_eq!(code(&mut world, &context, again), ErrorCode::Conflict);
    assert_eq!(world.model.identities[&(here, anna)], before);
    let name = ExternalId::new("anna").unwrap();
    let named = |it: &&std::sync::Arc<crate::model::Identity>| it.external_id == name;
    assert_eq!(world.model.identities.values().filter(named).count(), 1);
}

/// A refusal of malformed input says that the deed was allowed, so it must have been.
#[test]
fn malformed_input_is_not_what_one_who_may_not_is_told() {
    let mut world = World::new();
    let (here, _, _) = admin(&mut world);
    let stranger = world.join(here, "gardener", "gardener");
    let context = world.by(here, stranger);
    let mut blank = make::add(&mut world, "  ");
    blank.content.text = "  ".to_owned();
    let mut early = make::add(&mut world, "early");
    early.created_at = Some(world.now.plus_seconds(3600));
    for bad in [blank, early] {
        let refusal = world.run(&context, Command::AddMemory(bad)).unwrap_err();
        assert_eq!(refusal.error.code, ErrorCode::Denied);
        assert_eq!(refusal.audit.decision, crate::model::Decision::Deny);
    }
}
