//! Chains of credentials: whatever is called in whatever order, none can do what the one it was made
//! with cannot.

use manushya_protocol::id::{IdentityId, MemoryId, TenantId, TokenId};
use proptest::prelude::*;
use serde_json::json;

use super::command::{Command, Reply};
use super::credentials::contains;
use super::make;
use super::world::World;
use crate::command::{Context, IssueToken, RevokeToken};
use crate::decide::chain;
use crate::model::{
    Action, Effect, Kind, Limits, Namespace, Resource, Scope, TokenKind, TokenState, Via,
};
use crate::plan::Write;

const NAMES: [&str; 4] = ["anna", "bot", "cara", "ursula"];
const NAMESPACES: [&str; 5] = ["/", "/a", "/a/b", "/ab", "/c"];
const KINDS: [&str; 2] = ["note", "fact"];

/// What is tried next; its numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
struct Step {
    deed: u8,
    actor: usize,
    a: usize,
    b: usize,
    wait: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![8 => 0_u64..30, 1 => 0_u64..40_000];
    (0_u8..12, 0_usize..64, 0_usize..64, 0_usize..64, wait).prop_map(|(deed, actor, a, b, wait)| {
        Step {
            deed,
            actor,
            a,
            b,
            wait,
        }
    })
}

fn world() -> (World, TenantId) {
    let mut world = World::new();
    let here = world.found("default");
    for (name, role) in NAMES.into_iter().zip(["admin", "agent", "agent", "user"]) {
        let id = world.join(here, name, role);
        world.token(here, id, &[Scope::ALL]);
        for (n, namespace) in NAMESPACES.into_iter().enumerate() {
            let memory = world.remember(here, id, "text");
            let kept = world.model.memories.get_mut(&(here, memory)).unwrap();
            kept.memory.content.namespace = Namespace::new(namespace).unwrap();
            kept.memory.content.kind = Kind::new(KINDS[n % 2]).unwrap();
        }
    }
    (world, here)
}

fn some_scopes(n: usize) -> Vec<Scope> {
    let memory = |action| Scope {
        resource: Some(Resource::Memory),
        action,
    };
    match n % 5 {
        0 => vec![],
        1 => vec![memory(None)],
        2 => vec![memory(Some(Action::Read)), memory(Some(Action::Update))],
        3 => vec![memory(Some(Action::Read))],
        _ => vec![Scope::ALL],
    }
}

fn delegation(world: &mut World, step: Step) -> Command {
    let Step { a, b, .. } = step;
    Command::IssueToken(IssueToken {
        id: world.id(TokenId::from_bytes),
        identity: NAMES[a % 4].to_owned(),
        ttl_seconds: 1 + (b as u64) * 1000,
        scopes: some_scopes(a / 4),
        label: None,
        limits: Limits {
            namespace: (b % 3 == 0).then(|| Namespace::new(NAMESPACES[a % 5]).unwrap()),
            kinds: match b % 4 {
                0 => vec![Kind::new(KINDS[a % 2]).unwrap()],
                _ => vec![],
            },
        },
        uses: (b % 7 == 0).then_some(3),
        delegate: true,
        kind: TokenKind::Access,
    })
}

/// Things to try with a credential, of which some are allowed and some are not.
fn probes(world: &mut World) -> Vec<Command> {
    let memories: Vec<MemoryId> = world.model.memories.keys().map(|(_, id)| *id).collect();
    let mut probes = Vec::new();
    for id in memories {
        probes.push(Command::ReadMemory(id));
        probes.push(make::retell(id, "other"));
        probes.push(make::delete(id));
    }
    for namespace in NAMESPACES {
        let mut add = make::add(world, "new");
        add.content.namespace = Namespace::new(namespace).unwrap();
        probes.push(Command::AddMemory(add));
    }
    probes.push(make::identity(world, "newcomer", "admin"));
    probes.push(Command::AtLarge(Action::Manage, Resource::Policy));
    probes.push(Command::AtLarge(Action::Read, Resource::Audit));
    probes
}

/// Everyone who may still be asked: a token, in its present state.
fn tokens(world: &World, here: TenantId) -> Vec<TokenId> {
    let all = world.model.tokens.keys();
    all.filter(|at| at.0 == here).map(|at| at.1).collect()
}

fn check(world: &mut World, here: TenantId) {
    let probes = probes(world);
    for id in tokens(world, here) {
        let token = world.model.tokens[&(here, id)].clone();
        let Some(parent) = token.parent else {
            continue;
        };
        let above = world.model.tokens[&(here, parent)].clone();
        assert!(
            contains(&above.scopes, &token.scopes),
            "{token:?} from {above:?}"
        );
        assert!(token.expires_at <= above.expires_at);
        assert!(
            token.limits.are_within(&above.limits),
            "{token:?} from {above:?}"
        );
        let state = |token| chain::state(&world.model.directory, token, world.now);
        if state(&token) != TokenState::Active {
            let context = world.by_token(here, id);
            let mut refused = |probe: &Command| probe.decide(&world.model, &context).is_err();
            assert!(probes.iter().all(&mut refused), "{token:?} is ended");
            continue;
        }
        assert_eq!(
            state(&above),
            TokenState::Active,
            "{token:?} outlived {above:?}"
        );
        let (below, above) = (world.by_token(here, id), world.by_token(here, parent));
        for probe in &probes {
            if probe.decide(&world.model, &below).is_ok() {
                let wider = probe.decide(&world.model, &above);
                assert!(
                    wider.is_ok(),
                    "{probe:?}: {token:?} can, its parent cannot: {wider:?}"
                );
            }
        }
    }
}

/// What a call with a narrowed credential may leave behind: memories, links below itself, and the end
/// of such links.
fn check_writes(world: &World, context: &Context, writes: &[Write]) {
    if !context.actor.is_narrowed() {
        return;
    }
    let Via::Token(own) = context.actor.via else {
        panic!("only tokens are narrowed");
    };
    for write in writes {
        match write {
            Write::PutMemory { memory, .. } => assert!(context.actor.reaches(memory)),
            Write::EraseMemory(..) => {}
            Write::PutToken(token) if token.revoked_at.is_some() => {
                let below = chain::is_below(&world.model.directory, &context.actor, token);
                assert!(below || token.id == own, "{token:?}");
            }
            Write::PutToken(token) => assert_eq!(token.parent, Some(own)),
            other => panic!("{other:?} by a narrowed credential"),
        }
    }
}

fn act(world: &mut World, here: TenantId, step: Step) {
    let tokens = tokens(world, here);
    let actor = tokens[step.actor % tokens.len()];
    let context = world.by_token(here, actor);
    let identity = |n: usize| -> IdentityId {
        let found = world.model.directory.identity_by_ref(here, NAMES[n % 4]);
        found.unwrap().id
    };
    let command = match step.deed {
        0..=5 => delegation(world, step),
        6 => Command::RevokeToken(RevokeToken::One(tokens[step.a % tokens.len()])),
        7 => {
            let id = identity(step.a);
            make::issue(world, id, &some_scopes(step.b))
        }
        8 => {
            let is_active = Some(!step.b.is_multiple_of(3));
            let change = make::change(identity(step.a));
            Command::UpdateIdentity(crate::command::UpdateIdentity {
                is_active,
                ..change
            })
        }
        9 => {
            let rule = json!({"==": [{"var": "action"}, Action::ALL[step.b % 8].as_str()]});
            let effect = [Effect::Allow, Effect::Deny][step.a % 2];
            let role = ["agent", "user"][step.b % 2];
            let spec = make::spec("changing", role, rule, effect, 1);
            make::policies(world, vec![spec], true)
        }
        10 => Command::RevokeToken(RevokeToken::AllOf(NAMES[step.a % 4].to_owned())),
        _ => {
            let mut add = make::add(world, "new");
            add.content.namespace = Namespace::new(NAMESPACES[step.a % 5]).unwrap();
            Command::AddMemory(add)
        }
    };
    if let Ok(done) = world.decide(&context, command) {
        check_writes(world, &context, &done.writes);
        if let Reply::Credentials((_, token)) = &done.reply {
            let spent = context.actor.links.iter().any(|link| link.token.is_spent());
            assert!(!spent, "{token:?} from a spent one");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_sequence_of_calls_ever_widens_anything(
        steps in proptest::collection::vec(step(), 1..30),
    ) {
        let (mut world, here) = world();
        for step in steps {
            world.wait(step.wait);
            act(&mut world, here, step);
            check(&mut world, here);
        }
    }
}

/// The property would hold of chains that are never made, too.
#[test]
fn random_steps_make_long_chains() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut longest, mut narrowed) = (0, 0);
    for _ in 0..20 {
        let steps = proptest::collection::vec(step(), 60..61);
        let (mut world, here) = world();
        for step in steps.new_tree(&mut runner).unwrap().current() {
            world.wait(step.wait);
            act(&mut world, here, step);
        }
        for id in tokens(&world, here) {
            let links = chain::links(&world.model.directory, here, id).unwrap_or_default();
            longest = longest.max(links.len());
            narrowed += usize::from(links.len() > 2);
        }
    }
    assert_eq!(longest, 6, "a chain has its full length");
    assert!(narrowed > 20, "{narrowed}");
}
