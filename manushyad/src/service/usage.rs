//! What a credential was used for so far: calls that are counted down, and when it was last used.
//!
//! Both are bookkeeping of calls that have their own audit entries, and make none.

use std::collections::HashMap;
use std::sync::Arc;

use manushya_core::command::Context;
use manushya_core::directory::Directory;
use manushya_core::model::{Identity, Token, TokenKind, Uses, Via};
use manushya_core::plan::Write;
use manushya_core::view::View;
use manushya_protocol::error::WireError;
use manushya_protocol::id::{IdentityId, TenantId, TokenId};
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::identity::IdentityView;
use parking_lot::Mutex;

use super::login::not_good;
use super::{Service, convert};

/// How fine the moment of last use is, in milliseconds: it is written no more often.
const GRAIN_MS: i64 = 60_000;
/// How many credentials are remembered at the most.
const REMEMBERED_MAX: usize = 10_000;

/// When credentials were last noted as used, so that most calls write nothing.
#[derive(Default)]
pub struct LastUses(Mutex<HashMap<TokenId, UnixMillis>>);

impl LastUses {
    /// Whether a use at `now` is worth noting; if so it counts as noted.
    fn is_due(&self, token: TokenId, now: UnixMillis) -> bool {
        let mut noted = self.0.lock();
        let fresh = |at: &UnixMillis| now.0.saturating_sub(at.0) < GRAIN_MS;
        if noted.get(&token).is_some_and(fresh) {
            return false;
        }
        if noted.len() >= REMEMBERED_MAX {
            noted.retain(|_, at| fresh(at));
        }
        noted.insert(token, now);
        true
    }
}

/// The same token, last used at `now`; `None` if that is not kept of it.
fn used_at(token: &Token, now: UnixMillis) -> Option<Token> {
    let mut used = token.clone();
    match &mut used.kind {
        TokenKind::Access => return None,
        TokenKind::ApiKey(key) => key.last_used_at = Some(now),
        TokenKind::Session(session) => session.last_used_at = Some(now),
    }
    Some(used)
}

/// The writes that count one use of each of these tokens, or nothing if one has none left.
fn spending(view: &impl View, tenant: TenantId, tokens: &[TokenId]) -> Option<Vec<Write>> {
    let mut writes = Vec::with_capacity(tokens.len());
    for id in tokens {
        let token = view.directory().token(tenant, *id)?;
        let Some(Uses { max, left }) = token.uses else {
            continue;
        };
        let mut spent = Token::clone(token);
        spent.uses = Some(Uses {
            max,
            left: left.checked_sub(1)?,
        });
        writes.push(Write::PutToken(Arc::new(spent)));
    }
    Some(writes)
}

impl Service {
    /// Counts a call for every credential of the chain that is good for so many only. It is on disk
    /// before the call goes on, so that no crash gives one back.
    pub(super) async fn spend(&self, context: &Context) -> Result<(), WireError> {
        let counted: Vec<TokenId> = context
            .actor
            .links
            .iter()
            .filter(|link| link.token.uses.is_some())
            .map(|link| link.token.id)
            .collect();
        if counted.is_empty() {
            return Ok(());
        }
        let tenant = context.actor.identity.tenant;
        let counting = move |txn: &crate::store::Txn| {
            spending(txn, tenant, &counted)
                .ok_or_else(|| not_good("it was used as often as it could be".to_owned()))
        };
        self.writer.keep_books(counting).await
    }

    /// Notes that a credential was used, once a minute at the most. Nobody waits for it.
    pub(super) fn note_use(&self, context: &Context) {
        let (Via::Token(id), Some(link)) = (context.actor.via, context.actor.links.first()) else {
            return;
        };
        if matches!(link.token.kind, TokenKind::Access) || !self.last_uses.is_due(id, context.now) {
            return;
        }
        let (tenant, now) = (context.actor.identity.tenant, context.now);
        self.writer.keep_books_later(move |txn| {
            let token = txn.directory().token(tenant, id);
            let used = token.and_then(|token| used_at(token, now));
            let writes = used.map(|used| Write::PutToken(Arc::new(used)));
            Ok(writes.into_iter().collect())
        });
    }
}

/// When a token was last used, as far as that is kept.
fn last_used(token: &Token) -> Option<UnixMillis> {
    match &token.kind {
        TokenKind::Access => None,
        TokenKind::ApiKey(key) => key.last_used_at,
        TokenKind::Session(session) => session.last_used_at,
    }
}

/// When the identities of a tenant last did something.
pub(super) struct Seen<'a> {
    service: &'a Service,
    directory: &'a Directory,
    by_use: HashMap<IdentityId, UnixMillis>,
}

impl Seen<'_> {
    /// An identity as shown, with when it last did something.
    pub fn show(&self, identity: &Identity) -> IdentityView {
        let tally = self.service.writer.tally();
        let acted = tally.last_seen(identity.tenant, identity.id);
        let mut shown = convert::identity(self.directory, identity);
        shown.last_seen_at = acted.max(self.by_use.get(&identity.id).copied());
        shown
    }
}

impl Service {
    /// When the identities of a tenant last did something, as far as that is kept.
    pub(super) fn seen<'a>(&'a self, directory: &'a Directory, tenant: TenantId) -> Seen<'a> {
        let mut by_use: HashMap<IdentityId, UnixMillis> = HashMap::new();
        for token in directory.tokens(tenant) {
            if let Some(used) = last_used(token) {
                let last = by_use.entry(token.identity).or_insert(used);
                *last = used.max(*last);
            }
        }
        Seen {
            service: self,
            directory,
            by_use,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_noted_once_a_minute_and_the_memory_of_them_is_bounded() {
        let uses = LastUses::default();
        let token = |n: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            TokenId::from_bytes(id)
        };
        assert!(uses.is_due(token(1), UnixMillis(0)));
        assert!(!uses.is_due(token(1), UnixMillis(GRAIN_MS - 1)));
        assert!(uses.is_due(token(1), UnixMillis(GRAIN_MS)));
        for n in 0..30_000 {
            uses.is_due(token(n), UnixMillis(2 * GRAIN_MS + i64::from(n) * 100));
        }
        assert!(uses.0.lock().len() <= REMEMBERED_MAX + 1);
    }
}
