//! Who acts: a credential becomes an actor, on every call anew.

use std::sync::Arc;

use manushya_core::command::Context;
use manushya_core::decide::access::check_credential;
use manushya_core::decide::tenant::DEFAULT_TENANT;
use manushya_core::directory::Directory;
use manushya_core::model::{
    Action, Actor, AuditActor, AuditDraft, Decision, Extensions, Identity, Outcome, Resource,
    Scope, Via,
};
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::RequestId;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::v1::common::Call;

use super::Service;
use crate::auth::PeerCred;

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
    /// What the caller showed.
    pub credential: Credential,
    /// The fact `request.transport`.
    pub transport: &'static str,
}

impl Service {
    /// Finds out who acts, and in which tenant. A failure is audited as a failed login.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED`, `NOT_FOUND` for a tenant that is not there, or `DENIED` for one that is not
    /// the caller's.
    pub async fn authenticate(
        &self,
        caller: &Caller,
        call: &Call,
        request_id: RequestId,
    ) -> Result<Context, WireError> {
        match self.resolve(caller, call, request_id) {
            Ok(context) => Ok(context),
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

    fn failed_login(
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
        let context = Context {
            whole_host: actor.operator && call.tenant.is_none(),
            actor,
            now,
            request_id,
            purpose: call
                .purpose
                .clone()
                .map(|text| text.chars().take(256).collect()),
            dry_run: call.dry_run,
            retention_seconds: self.config.retention_seconds,
        };
        check_credential(&published.directory, &context)?;
        Ok(context)
    }

    fn by_token(&self, directory: &Directory, token: &BearerToken) -> Result<Actor, WireError> {
        let refuse = |reason: String| {
            WireError::new(ErrorCode::Unauthenticated, "the access token is not good")
                .reason(reason)
                .hint("ask for a new one: manushyactl token issue")
        };
        let claims = self
            .tokens
            .verify(token, self.ports.clock.now())
            .map_err(|error| refuse(error.to_string()))?;
        let unknown = || refuse("the daemon does not know it".to_owned());
        let tenant = directory
            .tenant_by_name(claims.tenant.as_str())
            .ok_or_else(unknown)?;
        let record = directory
            .token(tenant.id, claims.token)
            .ok_or_else(unknown)?;
        let identity = directory
            .identity(tenant.id, claims.identity)
            .ok_or_else(unknown)?;
        if record.identity != identity.id {
            return Err(unknown());
        }
        Ok(Actor {
            identity: identity.clone(),
            via: Via::Token(record.id),
            peer_uid: None,
            scopes: record.scopes.clone().into(),
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
                operator: true,
                transport: "daemon",
            },
            now: self.ports.clock.now(),
            request_id: self.new_request_id(),
            purpose: None,
            dry_run: false,
            whole_host: true,
            retention_seconds: self.config.retention_seconds,
        }
    }
}
