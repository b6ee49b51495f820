//! Login sessions.

use data_encoding::BASE64URL_NOPAD;
use manushya_core::command::{Context, IssueToken, RevokeToken};
use manushya_core::decide;
use manushya_core::decide::access::{Access, draft};
use manushya_core::decide::session::{RefreshSession, refresh, refresh_draft};
use manushya_core::directory::Directory;
use manushya_core::model::{Action, Identity, LoginSession, Resource, Token, TokenKind, Via};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::{RequestId, TenantId, TokenId};
use manushya_protocol::limits;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::session::{
    SessionList, SessionOpen, SessionRef, SessionRefresh, SessionTokens, SessionView,
};
use zeroize::Zeroizing;

use super::identity::{listed_plan, readable};
use super::login::{Caller, not_good};
use super::{Service, convert, page};
use crate::auth::opaque;
use crate::port::{Cipher, Ports};

/// What every refresh token starts with.
const PREFIX: &str = "mr_";
/// Tenant, session, generation, 256 random bits, and a keyed hash of all that.
const BYTES: usize = 16 + 16 + 4 + 32 + 16;
const SEALED: usize = BYTES - 16;

/// A refresh token, taken apart.
struct RefreshToken {
    tenant: TenantId,
    session: TokenId,
    generation: u32,
}

/// Makes a refresh token, and the keyed hash that is kept of it.
fn make_refresh(ports: &Ports, names: &RefreshToken) -> (BearerToken, [u8; 16]) {
    let mut bytes = Zeroizing::new([0; BYTES]);
    bytes[..16].copy_from_slice(&names.tenant.to_bytes());
    bytes[16..32].copy_from_slice(&names.session.to_bytes());
    bytes[32..36].copy_from_slice(&names.generation.to_be_bytes());
    ports.entropy.fill(&mut bytes[36..SEALED]);
    let seal = ports.cipher.blind("refresh-seal", &bytes[..SEALED]);
    bytes[SEALED..].copy_from_slice(&seal);
    let text = Zeroizing::new(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes[..])));
    let secret = BearerToken::new(&text);
    let tag = opaque::tag(&*ports.cipher, "refresh-token", &secret);
    (secret, tag)
}

/// Takes a refresh token apart, if the daemon made it: so that nobody ends a session by guessing.
fn read_refresh(cipher: &dyn Cipher, secret: &BearerToken) -> Option<RefreshToken> {
    let bytes = opaque::decode(secret, PREFIX, BYTES)?;
    let seal = cipher.blind("refresh-seal", &bytes[..SEALED]);
    // What is compared is a keyed hash of what was shown, so that its time tells nothing.
    if bytes[SEALED..] != seal {
        return None;
    }
    let part = |at: usize| -> Option<[u8; 16]> { bytes.get(at..at + 16)?.try_into().ok() };
    Some(RefreshToken {
        tenant: TenantId::from_bytes(part(0)?),
        session: TokenId::from_bytes(part(16)?),
        generation: u32::from_be_bytes(bytes.get(32..36)?.try_into().ok()?),
    })
}

fn show(
    directory: &Directory,
    identity: &Identity,
    token: &Token,
    context: &Context,
) -> SessionView {
    let (peer_uid, last_used_at) = match &token.kind {
        TokenKind::Session(session) => (session.peer_uid, session.last_used_at),
        TokenKind::Access | TokenKind::ApiKey(_) => (None, None),
    };
    let shown = convert::token(directory, identity, token, context.now);
    SessionView {
        id: shown.id,
        identity: shown.identity,
        identity_id: shown.identity_id,
        label: shown.label,
        peer_uid,
        created_at: shown.issued_at,
        last_used_at,
        expires_at: shown.expires_at,
        revoked_at: shown.revoked_at,
        state: shown.state,
        current: context.actor.via == Via::Token(token.id),
    }
}

impl Service {
    /// The tokens of a session, of which the refresh token was just made.
    fn session_tokens(
        &self,
        identity: &Identity,
        session: &Token,
        refresh_token: Option<BearerToken>,
    ) -> Result<SessionTokens, WireError> {
        let now = self.ports.clock.now();
        let end = now.plus_seconds(limits::SESSION_ACCESS_SECONDS);
        let expires_at = end.min(session.expires_at);
        let access_token = match refresh_token {
            None => None,
            Some(_) => {
                let directory = &self.writer.published().directory;
                let times = (now, expires_at);
                Some(self.sign_for_session(directory, identity, session, times)?)
            }
        };
        Ok(SessionTokens {
            id: session.id,
            identity: identity.external_id.to_string(),
            access_token,
            token_type: "bearer".to_owned(),
            expires_at,
            refresh_token,
            session_ends_at: session.expires_at,
        })
    }

    /// Opens a session. With a credential it is made with that one: it can do no more and ends with
    /// it. The operator of the host opens one for any identity.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn session_open(
        &self,
        context: Context,
        request: SessionOpen,
    ) -> Result<SessionTokens, WireError> {
        if request.identity.is_none() && context.actor.operator {
            let error = WireError::new(
                ErrorCode::InvalidArgument,
                "the operator of the host needs no session",
            )
            .reason("a session would have less rights than the operator has without one")
            .hint("manushyactl login --identity NAME, or give --token-file");
            return Err(error);
        }
        let id = self.new_token_id();
        let (refresh_token, tag) = make_refresh(
            &self.ports,
            &RefreshToken {
                tenant: context.actor.identity.tenant,
                session: id,
                generation: 1,
            },
        );
        let own = context.actor.bearer().external_id.to_string();
        let command = IssueToken {
            id,
            // Another's session is a credential made by right; one's own is made with what one has.
            delegate: request.identity.is_none() && !context.actor.operator,
            identity: request.identity.unwrap_or(own),
            ttl_seconds: request
                .ttl_seconds
                .unwrap_or(limits::SESSION_TTL_SECONDS_DEFAULT),
            scopes: Vec::new(),
            label: request.label,
            limits: manushya_core::model::Limits::default(),
            uses: None,
            kind: TokenKind::Session(LoginSession {
                generation: 1,
                tag,
                retry_tag: None,
                peer_uid: context.actor.peer_uid,
                last_used_at: None,
            }),
        };
        let fallback = draft(&context, Action::Create, Resource::Token);
        let dry_run = context.dry_run;
        let (identity, token) = self
            .change(fallback, move |txn| {
                decide::token::issue(txn, &context, command)
            })
            .await?;
        let refresh_token = (!dry_run).then_some(refresh_token);
        self.session_tokens(&identity, &token, refresh_token)
    }

    /// Renews the access token of a session. The refresh token is the credential, and used up.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED` for a refresh token that is not the session's present one; one that was
    /// used before ends the session.
    pub async fn session_refresh(
        &self,
        caller: &Caller,
        request: SessionRefresh,
        request_id: RequestId,
    ) -> Result<SessionTokens, WireError> {
        let Some(shown) = read_refresh(&*self.ports.cipher, &request.refresh_token) else {
            let error = not_good("it is no refresh token of this daemon".to_owned());
            self.audit_durably(self.failed_login(caller, request_id, &error))
                .await?;
            return Err(error);
        };
        let cipher = &*self.ports.cipher;
        let retry_key = request.retry_key.as_ref();
        if retry_key.is_some_and(|key| opaque::length(key) > limits::RETRY_KEY_BYTES_MAX) {
            let message = format!(
                "a retry key has at most {} bytes",
                limits::RETRY_KEY_BYTES_MAX
            );
            return Err(WireError::new(ErrorCode::InvalidArgument, message));
        }
        let refreshing = RefreshSession {
            tenant: shown.tenant,
            session: shown.session,
            generation: shown.generation,
            tag: opaque::tag(cipher, "refresh-token", &request.refresh_token),
            retry_tag: retry_key.map(|key| opaque::tag(cipher, "refresh-retry", key)),
            peer_uid: caller.peer.uid,
            now: self.ports.clock.now(),
            request_id,
        };
        let ports = self.ports.clone();
        let (renewed, secret) = self
            .change(refresh_draft(&refreshing), move |txn| {
                let mut secret = None;
                let plan = refresh(txn, &refreshing, |generation| {
                    let names = RefreshToken {
                        generation,
                        ..shown
                    };
                    let (made, tag) = make_refresh(&ports, &names);
                    secret = Some(made);
                    tag
                });
                Ok(manushya_core::plan::Plan {
                    writes: plan.writes,
                    audit: plan.audit,
                    reply: (plan.reply, secret),
                })
            })
            .await?;
        let (identity, token) = renewed?;
        self.session_tokens(&identity, &token, secret)
    }

    /// Lists the sessions of those the caller may read the tokens of.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn session_list(
        &self,
        context: Context,
        request: SessionList,
    ) -> Result<Listed<SessionView>, WireError> {
        page::limit(&request.page)?;
        self.read(&context, |view, context| {
            let directory = view.directory();
            let access = Access::begin(directory, context, Action::Read, Resource::Token)?;
            let tenant = context.actor.identity.tenant;
            let wanted = request.identity.as_deref().map(|reference| {
                directory
                    .identity_by_ref(tenant, reference)
                    .map(|found| found.id)
            });
            let readable = readable(view, context, Resource::Token);
            let chosen = directory
                .tokens(tenant)
                .filter(|token| matches!(token.kind, TokenKind::Session(_)))
                .filter(|token| wanted.is_none_or(|wanted| wanted == Some(token.identity)))
                .filter_map(|token| Some((directory.identity(tenant, token.identity)?, token)))
                .filter(|(identity, _)| readable(identity))
                .map(|(identity, token)| show(directory, identity, token, context))
                .filter(|session| request.all_states || session.state == "active");
            let listed = page::cut(
                chosen,
                &request.page,
                |session| session.id.to_string(),
                Clone::clone,
            );
            Ok(listed_plan(access, listed))
        })
        .await?
    }

    /// Ends a session: the one that asks, or one by its id.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said, or `INVALID_ARGUMENT` if none is meant.
    pub async fn session_revoke(
        &self,
        context: Context,
        request: SessionRef,
    ) -> Result<Done, WireError> {
        let own = match (context.actor.via, context.actor.links.first()) {
            (Via::Token(id), Some(link)) if matches!(link.token.kind, TokenKind::Session(_)) => {
                Some(id)
            }
            _ => None,
        };
        let Some(id) = request.id.or(own) else {
            return Err(
                WireError::new(ErrorCode::InvalidArgument, "this is no session")
                    .reason("the caller shows another credential, and names no session")
                    .hint("manushyactl session list"),
            );
        };
        let command = RevokeToken::One(id);
        let fallback = draft(&context, Action::Delete, Resource::Token);
        let revoked = self
            .change(fallback, move |txn| {
                decide::token::revoke(txn, &context, &command)
            })
            .await?;
        Ok(Done {
            id: id.to_string(),
            outcome: format!("revoked {revoked}"),
        })
    }
}
