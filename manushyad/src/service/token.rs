//! Access tokens.

use manushya_core::command::{Context, IssueToken, RevokeToken};
use manushya_core::decide;
use manushya_core::decide::access::{Access, draft};
use manushya_core::decide::chain;
use manushya_core::directory::Directory;
use manushya_core::model::{
    Action, Identity, Invalid, Kind, Limits, Namespace, Resource, Scope, Token, TokenKind,
    TokenState,
};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::TokenId;
use manushya_protocol::limits;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::token::{
    TokenInspect, TokenIssue, TokenIssued, TokenList, TokenRevoke, TokenView,
};

use super::identity::{listed_plan, readable};
use super::{Service, convert, page};
use crate::auth::TokenFacts;

/// Reads scopes as they are written.
pub(super) fn scopes_of(texts: &[String]) -> Result<Vec<Scope>, WireError> {
    texts
        .iter()
        .take(limits::SCOPES_MAX + 1)
        .map(|text| text.parse().map_err(|error| convert::invalid(&error)))
        .collect()
}

/// Reads limits as they are written.
pub(super) fn limits_of(
    namespace: Option<String>,
    types: Vec<String>,
) -> Result<Limits, WireError> {
    let read = || {
        Ok(Limits {
            namespace: namespace.map(Namespace::new).transpose()?,
            kinds: types
                .into_iter()
                .take(limits::TOKEN_TYPES_MAX + 1)
                .map(Kind::new)
                .collect::<Result<_, _>>()?,
        })
    };
    read().map_err(|error: Invalid| convert::invalid(&error))
}

impl Service {
    /// The secret of a token that is on record.
    pub(super) fn sign(
        &self,
        directory: &Directory,
        identity: &Identity,
        token: &Token,
    ) -> Result<BearerToken, WireError> {
        let times = (token.issued_at, token.expires_at);
        self.sign_as(directory, identity, token, (token.id, None), times)
    }

    /// The secret of an access token of a session, from its first moment to its last.
    pub(super) fn sign_for_session(
        &self,
        directory: &Directory,
        identity: &Identity,
        session: &Token,
        times: (UnixMillis, UnixMillis),
    ) -> Result<BearerToken, WireError> {
        let names = (self.new_token_id(), Some(session.id));
        self.sign_as(directory, identity, session, names, times)
    }

    fn sign_as(
        &self,
        directory: &Directory,
        identity: &Identity,
        record: &Token,
        (id, session): (TokenId, Option<TokenId>),
        (issued_at, expires_at): (UnixMillis, UnixMillis),
    ) -> Result<BearerToken, WireError> {
        let unsigned = |reason: String| {
            WireError::new(ErrorCode::Internal, "the access token cannot be signed").reason(reason)
        };
        let Some(tenant) = directory.tenant(record.tenant) else {
            return Err(unsigned("its tenant is gone".to_owned()));
        };
        let links = chain::links(directory, record.tenant, record.id).unwrap_or_default();
        let principal = links.last().map_or(identity, |link| &*link.identity);
        let facts = TokenFacts {
            tenant: &tenant.name,
            role: &principal.role,
            chain: &chain::identities(&links),
            session,
        };
        let token = Token {
            id,
            issued_at,
            expires_at,
            ..record.clone()
        };
        self.tokens
            .load()
            .issue(&token, &facts)
            .map_err(|error| unsigned(error.to_string()))
    }

    /// Issues an access token.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn token_issue(
        &self,
        context: Context,
        request: TokenIssue,
    ) -> Result<TokenIssued, WireError> {
        // The operator of the host shows no credential that it could hand on.
        let delegate = request.delegate && !context.actor.operator;
        let command = IssueToken {
            id: self.new_token_id(),
            identity: request.identity,
            ttl_seconds: request
                .ttl_seconds
                .unwrap_or(limits::TOKEN_TTL_SECONDS_DEFAULT),
            scopes: scopes_of(&request.scopes)?,
            label: request.label,
            limits: limits_of(request.namespace, request.types)?,
            uses: request.uses,
            delegate,
            kind: TokenKind::Access,
        };
        let fallback = draft(&context, Action::Create, Resource::Token);
        let (dry_run, now) = (context.dry_run, context.now);
        let (identity, token) = self
            .change(fallback, move |txn| {
                decide::token::issue(txn, &context, command)
            })
            .await?;
        let directory = &self.writer.published().directory;
        let access_token = if dry_run {
            None
        } else {
            Some(self.sign(directory, &identity, &token)?)
        };
        Ok(TokenIssued {
            access_token,
            token_type: "bearer".to_owned(),
            expires_at: token.expires_at,
            id: token.id,
            token: TokenView {
                // A dry run left no record, so that its state is not to be looked up.
                state: TokenState::Active.as_str().to_owned(),
                ..convert::token(directory, &identity, &token, now)
            },
        })
    }

    /// Lists the tokens of those the caller may read the tokens of.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn token_list(
        &self,
        context: Context,
        request: TokenList,
    ) -> Result<Listed<TokenView>, WireError> {
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
                .filter(|token| wanted.is_none_or(|wanted| wanted == Some(token.identity)))
                .filter_map(|token| Some((directory.identity(tenant, token.identity)?, token)))
                .filter(|(identity, token)| {
                    readable(identity) || chain::is_below(directory, &context.actor, token)
                })
                .map(|(identity, token)| convert::token(directory, identity, token, context.now))
                .filter(|token| request.all_states || token.state == "active");
            let listed = page::cut(
                chosen,
                &request.page,
                |token| token.id.to_string(),
                Clone::clone,
            );
            Ok(listed_plan(access, listed))
        })
        .await?
    }

    /// Says what a token is. Who has its secret may know whose it is.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` if it is not a token of this daemon, or what the deciding said.
    pub async fn token_inspect(
        &self,
        context: Context,
        request: TokenInspect,
    ) -> Result<TokenView, WireError> {
        let claims = self
            .tokens
            .load()
            .inspect(&request.token)
            .map_err(|error| {
                WireError::new(
                    ErrorCode::InvalidArgument,
                    "this is not a token of this daemon",
                )
                .reason(error.to_string())
            })?;
        self.read(&context, |view, context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Read, Resource::Token)?;
            access.audit.resource_id = Some(claims.token.to_bytes());
            let own = context.actor.identity.tenant;
            let found = directory
                .token(own, claims.token)
                .and_then(|token| Some((directory.identity(own, token.identity)?, token)));
            let Some((identity, token)) = found else {
                let id = claims.token.to_string();
                return Err(access.missing("token", &id, "it was issued long ago, or elsewhere"));
            };
            access.audit.decision = manushya_core::model::Decision::Allow;
            let shown = convert::token(directory, identity, token, context.now);
            Ok(access.plan(Vec::new(), 1, shown))
        })
        .await
    }

    /// Revokes tokens.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn token_revoke(
        &self,
        context: Context,
        request: TokenRevoke,
    ) -> Result<Done, WireError> {
        let (command, id) = match (request.id, request.identity) {
            (Some(id), None) => (RevokeToken::One(id), id.to_string()),
            (None, Some(identity)) => (RevokeToken::AllOf(identity.clone()), identity),
            _ => {
                return Err(WireError::new(
                    ErrorCode::InvalidArgument,
                    "give either a token or an identity",
                ));
            }
        };
        let fallback = draft(&context, Action::Delete, Resource::Token);
        let revoked = self
            .change(fallback, move |txn| {
                decide::token::revoke(txn, &context, &command)
            })
            .await?;
        Ok(Done {
            id,
            outcome: format!("revoked {revoked}"),
        })
    }
}
