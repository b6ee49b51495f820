//! Who acts: a credential becomes an actor, on every call anew.

use std::sync::Arc;

use manushya_core::command::Context;
use manushya_core::decide::access::check_credential;
use manushya_core::decide::chain;
use manushya_core::decide::tenant::DEFAULT_TENANT;
use manushya_core::directory::Directory;
use manushya_core::model::{
    Action, Actor, AuditActor, AuditDraft, Decision, Extensions, Identity, Outcome, Resource,
    Scope, Token, TokenKind, Via,
};
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::RequestId;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::v1::common::Call;

use super::Service;
use super::api_key::is_api_key;
use crate::auth::{PeerCred, Process};

/// What a caller showed when it came.
#[derive(Clone)]
pub enum Credential {
    /// Nothing: it is who the kernel says it is.
    Peer,
    /// An access token.
    Token(BearerToken),
}

/// Who is at the other end, before it is known who that is here.
#[derive(Clone)]
pub struct Caller {
    /// What the kernel says.
    pub peer: PeerCred,
    /// The process that connected, where it may be somebody by that.
    pub process: Option<Arc<Process>>,
    /// What the caller showed.
    pub credential: Credential,
    /// The fact `request.transport`.
    pub transport: &'static str,
}

/// The error for a credential that is not good.
pub(super) fn not_good(reason: String) -> WireError {
    WireError::new(ErrorCode::Unauthenticated, "the access token is not good")
        .reason(reason)
        .hint("ask for a new one: manushyactl token issue")
}

impl Service {
    /// Finds out who acts, and in which tenant, and takes a call of `method` into account. A failure
    /// is audited as a failed login.
    ///
    /// # Errors
    ///
    /// `RESOURCE_EXHAUSTED` if calls come too often, `UNAUTHENTICATED`, `NOT_FOUND` for a tenant that is not there, or `DENIED` for one that is not
    /// the caller's.
    pub async fn authenticate(
        &self,
        caller: &Caller,
        call: &Call,
        request_id: RequestId,
        method: &str,
    ) -> Result<Context, WireError> {
        let known = match self.resolve(caller, call, request_id) {
            Ok(context) => {
                // What is refused here costs no use, and its entry is not one of a failed login.
                let directory = &self.writer.published().directory;
                self.take_call(directory, &context, method)?;
                self.spend(&context).await.map(|()| context)
            }
            Err(error) => Err(error),
        };
        match known {
            Ok(context) => {
                self.note_use(&context);
                Ok(context)
            }
            Err(error) => {
                self.audit_durably(self.failed_login(caller, request_id, &error))
                    .await?;
                Err(error)
            }
        }
    }

    /// Like [`Self::authenticate`] in the caller's own tenant, but a failure is nobody's attempt.
    ///
    /// # Errors
    ///
    /// As [`Self::authenticate`].
    pub fn resolve_quietly(
        &self,
        caller: &Caller,
        request_id: RequestId,
    ) -> Result<Context, WireError> {
        self.resolve(caller, &Call::default(), request_id)
    }

    /// Whether the caller administers its tenant: it is the operator, or has the role `admin` that each
    /// tenant starts with. This opens nothing; it only keeps a place free.
    pub fn administers(&self, context: &Context) -> bool {
        context.actor.operator || context.actor.identity.role.as_str() == "admin"
    }

    pub(super) fn failed_login(
        &self,
        caller: &Caller,
        request_id: RequestId,
        error: &WireError,
    ) -> AuditDraft {
        AuditDraft {
            time: self.ports.clock.now(),
            tenant: None,
            actor: AuditActor::Anonymous,
            peer_uid: Some(caller.peer.uid),
            token: None,
            action: Action::Login,
            resource: Resource::Token,
            resource_id: None,
            decision: Decision::Deny,
            policy: None,
            request_id,
            outcome: Outcome::Error(error.code),
            count: 0,
            extensions: Extensions::default(),
        }
    }

    fn resolve(
        &self,
        caller: &Caller,
        call: &Call,
        request_id: RequestId,
    ) -> Result<Context, WireError> {
        let published = self.writer.published();
        let now = self.ports.clock.now();
        let mut actor = match &caller.credential {
            Credential::Token(token) if is_api_key(token) => {
                self.by_api_key(&published.directory, token)?
            }
            Credential::Token(token) => self.by_token(&published.directory, token)?,
            Credential::Peer => self.by_peer(&published.directory, caller, call)?,
        };
        actor.peer_uid = Some(caller.peer.uid);
        actor.transport = caller.transport;
        let own = published
            .directory
            .tenant(actor.identity.tenant)
            .map(|tenant| &tenant.name);
        if let (Some(asked), Some(own)) = (&call.tenant, own)
            && asked != own.as_str()
        {
            return Err(
                WireError::new(ErrorCode::Denied, "this credential is for another tenant")
                    .reason("no call crosses tenants; only the operator of the host works in any")
                    .hint("leave --tenant out, or use a token of that tenant"),
            );
        }
        // What a credential is for is not for its bearer to say.
        let bound = actor.links.iter().rev();
        let bound = bound
            .filter_map(|link| link.token.purpose.as_ref())
            .next()
            .cloned();
        let said = call.purpose.as_ref();
        let purpose = bound.or_else(|| said.map(|text| text.chars().take(256).collect()));
        let context = Context {
            whole_host: actor.operator && call.tenant.is_none(),
            actor,
            now,
            request_id,
            purpose,
            dry_run: call.dry_run,
            retention_seconds: self.config.retention_seconds,
            limit_table: self.config.limits,
            content: None,
        };
        check_credential(&published.directory, &context)?;
        Ok(context)
    }

    fn by_token(&self, directory: &Directory, token: &BearerToken) -> Result<Actor, WireError> {
        let claims = self
            .tokens
            .load()
            .verify(token, self.ports.clock.now())
            .map_err(|error| not_good(error.to_string()))?;
        let unknown = || not_good("the daemon does not know it".to_owned());
        let tenant = directory
            .tenant_by_name(claims.tenant.as_str())
            .ok_or_else(unknown)?;
        let record = directory
            .token(tenant.id, claims.token)
            .ok_or_else(unknown)?;
        // A record of another kind is shown in another way.
        if matches!(record.kind, TokenKind::ApiKey(_)) {
            return Err(unknown());
        }
        let actor = self.actor_of(directory, record)?;
        if chain::identities(&actor.links) != claims.chain {
            return Err(unknown());
        }
        Ok(actor)
    }

    /// Who acts with a credential whose record is found.
    pub(super) fn actor_of(
        &self,
        directory: &Directory,
        record: &Token,
    ) -> Result<Actor, WireError> {
        let now = self.ports.clock.now();
        let links = chain::check(directory, record.tenant, record.id, now)?;
        if links.iter().any(|link| link.token.is_spent()) {
            return Err(not_good("it was used as often as it could be".to_owned()));
        }
        let principal = links.last().map(|link| link.identity.clone());
        let identity = principal.ok_or_else(|| not_good("it is nobody's".to_owned()))?;
        Ok(Actor {
            identity,
            via: Via::Token(record.id),
            peer_uid: None,
            scopes: record.scopes.clone().into(),
            links: links.into(),
            operator: false,
            transport: "",
        })
    }

    fn by_peer(
        &self,
        directory: &Directory,
        caller: &Caller,
        call: &Call,
    ) -> Result<Actor, WireError> {
        if !self.operator_uids.contains(&caller.peer.uid) {
            if let Some(actor) = self.by_binding(directory, caller, call)? {
                return Ok(actor);
            }
            let message = format!("user {} is nobody here", caller.peer.uid);
            return Err(WireError::new(ErrorCode::Unauthenticated, message)
                .reason("no access token was given, and only the daemon's own user needs none")
                .hint("set MANUSHYA_TOKEN or give --token-file"));
        }
        let name = call.tenant.as_deref().unwrap_or(DEFAULT_TENANT);
        let missing = || {
            let name: String = name.chars().take(64).collect();
            WireError::new(ErrorCode::NotFound, format!("there is no tenant {name}"))
                .hint("manushyactl tenant list")
        };
        let tenant = directory.tenant_by_name(name).ok_or_else(missing)?;
        let identity = directory
            .identity(tenant.id, tenant.operator)
            .ok_or_else(missing)?;
        Ok(Actor {
            identity: identity.clone(),
            via: Via::PeerUid,
            peer_uid: None,
            scopes: Arc::new([Scope::ALL]),
            links: Arc::new([]),
            operator: true,
            transport: "",
        })
    }

    /// The daemon's own context in a tenant, for what it does by the clock.
    pub fn daemon_context(&self, operator: &Arc<Identity>) -> Context {
        Context {
            actor: Actor {
                identity: operator.clone(),
                via: Via::Daemon,
                peer_uid: None,
                scopes: Arc::new([Scope::ALL]),
                links: Arc::new([]),
                operator: true,
                transport: "daemon",
            },
            now: self.ports.clock.now(),
            request_id: self.new_request_id(),
            purpose: None,
            dry_run: false,
            whole_host: true,
            retention_seconds: self.config.retention_seconds,
            limit_table: self.config.limits,
            content: None,
        }
    }
}
