//! Login sessions: their refresh tokens are good once, and one that is shown again ends the session.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{RequestId, TenantId, TokenId};
use manushya_protocol::unit::UnixMillis;

use super::chain;
use crate::model::{
    Action, AlertKind, AuditActor, AuditDraft, Decision, Extensions, Identity, LoginSession,
    Outcome, Resource, Token, TokenKind,
};
use crate::plan::{Plan, Write};
use crate::view::View;

/// A refresh token that the daemon once made, and what comes with it.
#[derive(Clone, Debug)]
pub struct RefreshSession {
    /// The tenant of the session.
    pub tenant: TenantId,
    /// The session.
    pub session: TokenId,
    /// Which of its refresh tokens this one is.
    pub generation: u32,
    /// Its keyed hash.
    pub tag: [u8; 16],
    /// The keyed hash of what the client shows again if it does not hear of this call.
    pub retry_tag: Option<[u8; 16]>,
    /// User id of the peer process.
    pub peer_uid: u32,
    /// When.
    pub now: UnixMillis,
    /// The request.
    pub request_id: RequestId,
}

/// What a refresh comes to: the session as it is from here on, or why not.
pub type Refreshed = Result<(Arc<Identity>, Arc<Token>), WireError>;

/// The entry of a refresh, before anything is decided.
pub fn refresh_draft(refresh: &RefreshSession) -> AuditDraft {
    let mut extensions = Extensions::default();
    extensions.set_session(refresh.session.to_bytes());
    AuditDraft {
        time: refresh.now,
        tenant: Some(refresh.tenant),
        actor: AuditActor::Anonymous,
        peer_uid: Some(refresh.peer_uid),
        token: Some(refresh.session),
        action: Action::Login,
        resource: Resource::Token,
        resource_id: Some(refresh.session.to_bytes()),
        decision: Decision::Deny,
        policy: None,
        request_id: refresh.request_id,
        outcome: Outcome::Error(ErrorCode::Unauthenticated),
        count: 0,
        extensions,
    }
}

fn ended(reason: &str) -> WireError {
    WireError::new(ErrorCode::Unauthenticated, "the session cannot be renewed")
        .reason(reason)
        .hint("log in again: manushyactl login")
}

fn refused(audit: AuditDraft, error: WireError) -> Plan<Refreshed> {
    Plan {
        writes: Vec::new(),
        audit,
        reply: Err(error),
    }
}

/// What a refresh token is to its session.
enum Shown {
    /// The present one.
    Present,
    /// The one before, by the client that did not hear of its success.
    Again,
    /// One that was used up.
    UsedUp,
}

fn shown(session: &LoginSession, refresh: &RefreshSession) -> Shown {
    if refresh.generation == session.generation && refresh.tag == session.tag {
        return Shown::Present;
    }
    let before = refresh.generation.checked_add(1) == Some(session.generation);
    let same_client = session.retry_tag.is_some() && session.retry_tag == refresh.retry_tag;
    match before && same_client {
        true => Shown::Again,
        false => Shown::UsedUp,
    }
}

/// Renews a session. `next` makes the next refresh token, of the generation it is given, and returns
/// its keyed hash.
///
/// A refresh token that was used up revokes the session and with it all of its access tokens, unless
/// it is the last one and comes with the retry key of the call that used it: then the answer to that
/// call was lost.
pub fn refresh(
    view: &impl View,
    refresh: &RefreshSession,
    next: impl FnOnce(u32) -> [u8; 16],
) -> Plan<Refreshed> {
    let directory = view.directory();
    let mut audit = refresh_draft(refresh);
    let links = chain::check(directory, refresh.tenant, refresh.session, refresh.now);
    let link = match links.as_ref().map(|links| links.first()) {
        Ok(Some(link)) => link,
        Ok(None) => return refused(audit, ended("the daemon does not know it")),
        Err(error) => {
            let reason = error
                .reason
                .clone()
                .unwrap_or_else(|| error.message.clone());
            return refused(audit, ended(&reason));
        }
    };
    let TokenKind::Session(session) = &link.token.kind else {
        return refused(audit, ended("the daemon does not know it"));
    };
    if session.peer_uid.is_some_and(|uid| uid != refresh.peer_uid) {
        return refused(audit, ended("it belongs to another user of this host"));
    }
    audit.actor = AuditActor::Identity(link.identity.id);
    let mut changed = Token::clone(&link.token);
    let generation = match shown(session, refresh) {
        Shown::Present => session.generation.saturating_add(1),
        Shown::Again => session.generation,
        Shown::UsedUp => {
            changed.revoked_at = Some(refresh.now);
            audit.extensions.set_alert(AlertKind::RefreshReuse);
            let reason = "its refresh token was used before, by somebody else or from an old copy; \
                          the session is revoked";
            return Plan {
                writes: vec![Write::PutToken(Arc::new(changed))],
                audit,
                reply: Err(ended(reason)),
            };
        }
    };
    changed.kind = TokenKind::Session(LoginSession {
        generation,
        tag: next(generation),
        retry_tag: refresh.retry_tag,
        peer_uid: session.peer_uid,
        last_used_at: Some(refresh.now),
    });
    let changed = Arc::new(changed);
    audit.decision = Decision::Allow;
    audit.outcome = Outcome::Ok;
    audit.count = 1;
    Plan {
        writes: vec![Write::PutToken(changed.clone())],
        audit,
        reply: Ok((link.identity.clone(), changed)),
    }
}
