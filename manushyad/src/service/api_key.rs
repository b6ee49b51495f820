//! API keys. A key stands for a token's record, which it is found by through a keyed hash; what holds
//! of tokens holds of keys.

use data_encoding::BASE64URL_NOPAD;
use manushya_core::command::{Context, IssueToken, RevokeToken};
use manushya_core::decide;
use manushya_core::decide::access::{Access, draft};
use manushya_core::directory::Directory;
use manushya_core::model::{
    Action, Actor, ApiKey, Identity, Resource, Token, TokenKind, TokenState,
};
use manushya_core::view::View;
use manushya_protocol::error::WireError;
use manushya_protocol::limits;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::api_key::{
    ApiKeyCreate, ApiKeyCreated, ApiKeyList, ApiKeyRef, ApiKeyView,
};
use manushya_protocol::v1::common::{Done, Listed};
use zeroize::Zeroizing;

use super::identity::{listed_plan, readable};
use super::login::not_good;
use super::token::{limits_of, scopes_of};
use super::{Service, convert, page};
use crate::auth::opaque;

/// What every key starts with.
const PREFIX: &str = "mk_";

/// Whether a credential is meant as an API key.
pub(super) fn is_api_key(token: &BearerToken) -> bool {
    opaque::has_prefix(token, PREFIX)
}

fn show(directory: &Directory, identity: &Identity, token: &Token, now: UnixMillis) -> ApiKeyView {
    let last_used_at = match &token.kind {
        TokenKind::ApiKey(key) => key.last_used_at,
        TokenKind::Access | TokenKind::Session(_) => None,
    };
    let shown = convert::token(directory, identity, token, now);
    ApiKeyView {
        id: shown.id,
        name: shown.label,
        identity: shown.identity,
        identity_id: shown.identity_id,
        scopes: shown.scopes,
        namespace: shown.namespace,
        types: shown.types,
        created_at: shown.issued_at,
        expires_at: shown.expires_at,
        last_used_at,
        revoked_at: shown.revoked_at,
        state: shown.state,
    }
}

impl Service {
    /// A new secret of 256 bits behind a prefix, and the keyed hash that is kept of it.
    pub(super) fn new_secret(&self, prefix: &str, domain: &str) -> (BearerToken, [u8; 16]) {
        let mut bytes = Zeroizing::new([0; 32]);
        self.ports.entropy.fill(bytes.as_mut());
        let text = Zeroizing::new(format!(
            "{prefix}{}",
            BASE64URL_NOPAD.encode(bytes.as_ref())
        ));
        let secret = BearerToken::new(&text);
        let tag = opaque::tag(&*self.ports.cipher, domain, &secret);
        (secret, tag)
    }

    pub(super) fn by_api_key(
        &self,
        directory: &Directory,
        key: &BearerToken,
    ) -> Result<Actor, WireError> {
        let unknown = || not_good("the daemon does not know this API key".to_owned());
        if !opaque::is_well_formed(key, PREFIX) {
            return Err(unknown());
        }
        let tag = opaque::tag(&*self.ports.cipher, "api-key", key);
        let record = directory.api_key(&tag).ok_or_else(unknown)?;
        self.actor_of(directory, record)
    }

    /// Makes an API key.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn api_key_create(
        &self,
        context: Context,
        request: ApiKeyCreate,
    ) -> Result<ApiKeyCreated, WireError> {
        let (key, tag) = self.new_secret(PREFIX, "api-key");
        let own = || context.actor.identity.external_id.to_string();
        let command = IssueToken {
            id: self.new_token_id(),
            identity: request.identity.unwrap_or_else(own),
            ttl_seconds: request
                .ttl_seconds
                .unwrap_or(limits::API_KEY_TTL_SECONDS_DEFAULT),
            scopes: scopes_of(&request.scopes)?,
            label: request.name,
            limits: limits_of(request.namespace, request.types)?,
            uses: None,
            delegate: false,
            kind: TokenKind::ApiKey(ApiKey {
                tag,
                last_used_at: None,
            }),
        };
        let fallback = draft(&context, Action::Create, Resource::Token);
        let (dry_run, now) = (context.dry_run, context.now);
        let (identity, token) = self
            .change(fallback, move |txn| {
                decide::token::issue(txn, &context, command)
            })
            .await?;
        let directory = &self.writer.published().directory;
        Ok(ApiKeyCreated {
            key: (!dry_run).then_some(key),
            id: token.id,
            expires_at: token.expires_at,
            api_key: ApiKeyView {
                // A dry run left no record, so that its state is not to be looked up.
                state: TokenState::Active.as_str().to_owned(),
                ..show(directory, &identity, &token, now)
            },
        })
    }

    /// Lists the API keys of those the caller may read the tokens of.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn api_key_list(
        &self,
        context: Context,
        request: ApiKeyList,
    ) -> Result<Listed<ApiKeyView>, WireError> {
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
                .filter(|token| matches!(token.kind, TokenKind::ApiKey(_)))
                .filter(|token| wanted.is_none_or(|wanted| wanted == Some(token.identity)))
                .filter_map(|token| Some((directory.identity(tenant, token.identity)?, token)))
                .filter(|(identity, _)| readable(identity))
                .map(|(identity, token)| show(directory, identity, token, context.now))
                .filter(|key| request.all_states || key.state == "active");
            let listed = page::cut(
                chosen,
                &request.page,
                |key| key.id.to_string(),
                Clone::clone,
            );
            Ok(listed_plan(access, listed))
        })
        .await?
    }

    /// Revokes an API key.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn api_key_revoke(
        &self,
        context: Context,
        request: ApiKeyRef,
    ) -> Result<Done, WireError> {
        let command = RevokeToken::One(request.id);
        let fallback = draft(&context, Action::Delete, Resource::Token);
        let revoked = self
            .change(fallback, move |txn| {
                decide::token::revoke(txn, &context, &command)
            })
            .await?;
        Ok(Done {
            id: request.id.to_string(),
            outcome: format!("revoked {revoked}"),
        })
    }
}
