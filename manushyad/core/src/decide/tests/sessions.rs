//! Refresh tokens in any order, by the client and by whoever copied one.

use std::sync::Arc;

use manushya_protocol::id::{RequestId, TenantId, TokenId};
use proptest::prelude::*;

use super::world::World;
use crate::decide::session::{RefreshSession, refresh};
use crate::model::{AlertKind, LoginSession, Scope, Token, TokenKind, TokenState};
use crate::plan::Write;

/// A refresh token, as far as the deciding knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Secret {
    generation: u32,
    tag: [u8; 16],
}

struct Host {
    world: World,
    tenant: TenantId,
    session: TokenId,
    made: u8,
}

impl Host {
    fn new() -> (Self, Secret) {
        let mut world = World::new();
        let tenant = world.found("default");
        let bot = world.join(tenant, "bot", "agent");
        let session = world.token(tenant, bot, &[Scope::ALL]);
        let first = Secret {
            generation: 1,
            tag: [1; 16],
        };
        world.edit_token(tenant, session, |token| {
            token.kind = TokenKind::Session(LoginSession {
                generation: 1,
                tag: first.tag,
                retry_tag: None,
                peer_uid: Some(1000),
                last_used_at: None,
            });
        });
        let host = Self {
            world,
            tenant,
            session,
            made: 1,
        };
        (host, first)
    }

    fn token(&self) -> Arc<Token> {
        self.world.model.tokens[&(self.tenant, self.session)].clone()
    }

    fn is_alive(&self) -> bool {
        let token = self.token();
        let owner = &self.world.model.identities[&(self.tenant, token.identity)];
        token.state(owner, self.world.now) == TokenState::Active
    }

    fn refresh(&mut self, shown: Secret, retry: Option<[u8; 16]>, uid: u32) -> Option<Secret> {
        self.made += 1;
        let tag = [self.made; 16];
        let request = RefreshSession {
            tenant: self.tenant,
            session: self.session,
            generation: shown.generation,
            tag: shown.tag,
            retry_tag: retry,
            peer_uid: uid,
            now: self.world.now,
            request_id: RequestId::from_bytes([4; 16]),
        };
        let mut next = None;
        let plan = refresh(&self.world.model, &request, |generation| {
            next = Some(Secret { generation, tag });
            tag
        });
        for write in &plan.writes {
            assert!(matches!(write, Write::PutToken(token) if token.id == self.session));
        }
        let alert = plan.audit.extensions.alert() == Some(AlertKind::RefreshReuse);
        self.world.model.apply(&plan.writes);
        assert_eq!(alert, plan.reply.is_err() && !plan.writes.is_empty());
        plan.reply.ok().and(next)
    }
}

/// What happens next: the client renews and hears of it or not, renews again what it did not hear
/// of, or a thief shows one of all tokens there ever were.
#[derive(Clone, Copy, Debug)]
enum Event {
    Renew { heard: bool },
    Steal(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any::<bool>().prop_map(|heard| Event::Renew { heard }),
        1 => (0_usize..64).prop_map(Event::Steal),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn used_up_token_ends_the_session_and_a_lost_answer_does_not(
        events in proptest::collection::vec(event(), 1..12),
    ) {
        let (mut host, first) = Host::new();
        let mut all = vec![first];
        // What the client holds, and the retry key of a call it has not heard of.
        let (mut held, mut pending) = (first, None);
        let mut key = 100_u8;
        for event in events {
            let alive = host.is_alive();
            match event {
                Event::Renew { heard } => {
                    let retry = *pending.get_or_insert_with(|| {
                        key += 1;
                        [key; 16]
                    });
                    let next = host.refresh(held, Some(retry), 1000);
                    prop_assert_eq!(next.is_some(), alive, "an honest client is not locked out");
                    if let Some(next) = next {
                        all.push(next);
                        if heard {
                            (held, pending) = (next, None);
                        }
                    }
                }
                Event::Steal(n) => {
                    // The thief has a copy of a token, but not of the client's retry keys.
                    let stolen = all[n % all.len()];
                    let present = host.token();
                    let TokenKind::Session(session) = &present.kind else { unreachable!() };
                    let is_present = stolen.tag == session.tag;
                    let next = host.refresh(stolen, Some([9; 16]), 1000);
                    prop_assert_eq!(next.is_some(), alive && is_present);
                    if !is_present {
                        prop_assert!(!host.is_alive(), "{stolen:?} was used up");
                    }
                    if let Some(next) = next {
                        // From here on two hold the session; the honest one's next call ends it.
                        all.push(next);
                        prop_assert!(host.refresh(held, Some([8; 16]), 1000).is_none());
                        prop_assert!(!host.is_alive());
                    }
                }
            }
        }
    }
}

#[test]
fn another_user_cannot_renew_and_cannot_end_it_either() {
    let (mut host, first) = Host::new();
    assert_eq!(host.refresh(first, None, 1001), None);
    assert!(host.is_alive());
    let second = host.refresh(first, None, 1000).unwrap();
    assert_eq!(second.generation, 2);
    host.world.wait(super::world::TTL_SECONDS);
    assert_eq!(host.refresh(second, None, 1000), None);
}
