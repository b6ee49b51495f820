//! One method a message: authenticate, call, translate.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use manushya_core::command::Context as Request;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::RequestId;
use manushya_protocol::limits;
use manushya_protocol::v1::api_key::{
    ApiKeyCreate, ApiKeyCreated, ApiKeyList, ApiKeyRef, ApiKeyView,
};
use manushya_protocol::v1::approval::{ApprovalDecide, ApprovalList, ApprovalView};
use manushya_protocol::v1::audit::{
    AuditBytes, AuditCheckpoints, AuditConsistency, AuditCounts, AuditExport, AuditExported,
    AuditGrowth, AuditHeadView, AuditList, AuditProof, AuditRead, AuditRef, AuditTail, AuditTailed,
    AuditView, CheckpointView,
};
use manushya_protocol::v1::backup::{
    BackupChunk, BackupCreate, BackupRef, BackupStarted, BackupView,
};
use manushya_protocol::v1::common::{Call, Done, Listed};
use manushya_protocol::v1::embedding::{MemoryReembed, ReembedView};
use manushya_protocol::v1::erasure::{
    HoldAdd, HoldRef, HoldView, PurgeVerified, PurgeVerify, ReceiptRef, ReceiptView, RetentionSet,
    RetentionUnset, RetentionView,
};
use manushya_protocol::v1::hello::{Hello, Welcome};
use manushya_protocol::v1::identity::{
    IdentityBind, IdentityCreate, IdentityCreated, IdentityExport, IdentityList, IdentityRef,
    IdentityUpdate, IdentityView, TenantRef, TenantView,
};
use manushya_protocol::v1::invitation::{
    Enroll, InvitationList, InvitationRef, InvitationView, Invite, Invited,
};
use manushya_protocol::v1::key::{
    JwkSet, KeyDataRotated, KeyPassphrase, KeyRecoverySet, KeyRotateData, KeyRotated, KeyView,
};
use manushya_protocol::v1::limit::{LimitList, LimitReset, LimitSet, LimitView};
use manushya_protocol::v1::live::{Events, EventsSeen};
use manushya_protocol::v1::memory::{
    MemoryAdd, MemoryAddMany, MemoryAdded, MemoryAddedMany, MemoryDelete, MemoryHistory,
    MemoryList, MemoryRef, MemorySearch, MemoryStats, MemoryStatsOf, MemoryUpdate, MemoryView,
    SearchResults,
};
use manushya_protocol::v1::policy::{
    DecisionView, Explanation, PolicyApplied, PolicyApply, PolicyList, PolicyQuestion, PolicyRef,
    PolicySetActive, PolicyTest, PolicyValidate, PolicyValidated, PolicyView,
};
use manushya_protocol::v1::provenance::{
    MemoryCanary, MemoryCanaryList, MemoryReview, MemoryReviewList,
};
use manushya_protocol::v1::purge::{
    PlanView, PurgeApply, PurgeList, PurgePlanCreate, PurgeRun, Purged,
};
use manushya_protocol::v1::recall::{MemoryRecall, Recalled};
use manushya_protocol::v1::review::{
    LintView, PermissionView, PolicyHistory, PolicyLint, PolicyRollback, PolicyShadowSet,
    PolicySimulate, PolicyWhatCan, PolicyWhoCan, RevisionView, ShadowStatus, Simulated,
};
use manushya_protocol::v1::seal::Unseal;
use manushya_protocol::v1::service::{Manushya, Reply};
use manushya_protocol::v1::session::{
    SessionList, SessionOpen, SessionRef, SessionRefresh, SessionTokens, SessionView,
};
use manushya_protocol::v1::subject::{SubjectExport, SubjectExported};
use manushya_protocol::v1::system::{Diagnosis, Status, WhoAmI};
use manushya_protocol::v1::token::{
    TokenInspect, TokenIssue, TokenIssued, TokenList, TokenRevoke, TokenView,
};
use manushya_protocol::version;
use tarpc::context::Context;
use tokio::sync::Notify;
use tracing::Instrument;

use super::door::Door;
use crate::auth::{PeerCred, Process};
use crate::service::{Caller, Credential, Service};

/// What this daemon can do beyond the base.
const CAPABILITIES: &[&str] = &[
    "search.hybrid",
    "audit.tail",
    "purge.plan",
    "dry_run",
    "events",
];

/// One connection's state, shared by its requests.
#[derive(Clone)]
pub struct Session {
    door: Door,
    peer: PeerCred,
    process: Option<Arc<Process>>,
    /// The connection is one of those kept for who administers the daemon.
    reserved: bool,
    /// Set once, by the hello.
    caller: Arc<OnceLock<Caller>>,
    greeted: Arc<Notify>,
}

impl Session {
    /// A connection that has not said hello.
    pub fn new(door: Door, peer: PeerCred, process: Option<Arc<Process>>, reserved: bool) -> Self {
        Self {
            door,
            peer,
            process,
            reserved,
            caller: Arc::default(),
            greeted: Arc::default(),
        }
    }

    /// User id of the peer process.
    pub fn peer_uid(&self) -> u32 {
        self.peer.uid
    }

    /// How long the connection may take to say hello.
    pub fn patience(&self) -> Duration {
        if self.reserved {
            Duration::from_millis(limits::RESERVE_HELLO_MS_MAX)
        } else {
            Duration::from_secs(limits::HELLO_SECONDS_MAX)
        }
    }

    /// Told when hello was said.
    pub fn greeted(&self) -> Arc<Notify> {
        self.greeted.clone()
    }

    fn caller(&self) -> Result<&Caller, WireError> {
        self.caller.get().ok_or_else(|| {
            WireError::new(ErrorCode::Unauthenticated, "hello has to come first")
                .reason("every connection opens with hello")
        })
    }

    /// Runs one request under its id: a span, the caller, then the service.
    async fn run<T, F, Fut>(&self, method: &'static str, call: Call, serve: F) -> Reply<T>
    where
        F: FnOnce(Arc<Service>, Request) -> Fut,
        Fut: Future<Output = Reply<T>>,
    {
        let request_id = self.door.new_request_id();
        let span = tracing::info_span!("request", %request_id, method, peer_uid = self.peer.uid);
        let started = Instant::now();
        let outcome = async {
            let caller = self.caller()?;
            let service = self.door.open()?;
            let authenticating = service.authenticate(caller, &call, request_id, method);
            let context = authenticating.await?;
            serve(service.clone(), context).await
        }
        .instrument(span.clone())
        .await;
        let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let Ok(service) = self.door.open() {
            service.writer.tally().took(method, elapsed_us);
        }
        match &outcome {
            Ok(_) => tracing::debug!(parent: &span, elapsed_us, "Served."),
            Err(error) => tracing::info!(parent: &span, elapsed_us, code = %error.code, "Refused."),
        }
        outcome.map_err(|error| named(error, request_id))
    }

    /// Runs one request that brings its own credential, so that it does not matter who calls.
    async fn run_unknown<T, F, Fut>(&self, method: &'static str, serve: F) -> Reply<T>
    where
        F: FnOnce(Arc<Service>, Caller, RequestId) -> Fut,
        Fut: Future<Output = Reply<T>>,
    {
        let request_id = self.door.new_request_id();
        let span = tracing::info_span!("request", %request_id, method, peer_uid = self.peer.uid);
        let outcome = async {
            let caller = self.caller()?.clone();
            serve(self.door.open()?.clone(), caller, request_id).await
        }
        .instrument(span.clone())
        .await;
        if let Err(error) = &outcome {
            tracing::info!(parent: &span, code = %error.code, "Refused.");
        }
        outcome.map_err(|error| named(error, request_id))
    }

    /// Who says hello, if that is known. Without a token a peer may be nobody here; such a one may ask
    /// for the status only. While the daemon is sealed, nobody is known.
    async fn recognise(
        &self,
        caller: &Caller,
        request_id: RequestId,
    ) -> Result<Option<WhoAmI>, WireError> {
        let service = match &self.door {
            Door::Open(service) => service,
            Door::Sealed(sealed) if self.reserved && !sealed.is_operator(self.peer.uid) => {
                return Err(crowded(self.peer.uid));
            }
            Door::Sealed(_) => return Ok(None),
        };
        let known = service.resolve_quietly(caller, request_id);
        let administers = |context| service.administers(context);
        if self.reserved && !known.as_ref().is_ok_and(administers) {
            return Err(crowded(self.peer.uid));
        }
        match known {
            Ok(context) => Ok(Some(service.whoami(&context))),
            Err(_) if matches!(caller.credential, Credential::Peer) => Ok(None),
            Err(_) => {
                let refused = service
                    .authenticate(caller, &Call::default(), request_id, "hello")
                    .await;
                Err(refused.err().unwrap_or_else(|| {
                    WireError::new(ErrorCode::Unauthenticated, "the access token is not good")
                }))
            }
        }
    }

    fn welcome(&self, hello: Hello) -> Result<(Caller, u32), WireError> {
        let client: String = hello
            .client
            .chars()
            .filter(|c| !c.is_control())
            .take(64)
            .collect();
        let Some(api) = version::negotiate(hello.api_min, hello.api_max) else {
            let message = format!(
                "the daemon speaks protocol {} to {}, the client {} to {}",
                version::API_MIN,
                version::API,
                hello.api_min,
                hello.api_max
            );
            return Err(WireError::new(ErrorCode::VersionMismatch, message)
                .hint("bring both to the same version, then: manushyactl down; manushyactl up"));
        };
        let credential = hello.token.map_or(Credential::Peer, Credential::Token);
        tracing::debug!(client, peer_uid = self.peer.uid, "A client said hello.");
        Ok((
            Caller {
                peer: self.peer,
                process: self.process.clone(),
                credential,
                transport: "unix",
            },
            api,
        ))
    }
}

/// What is said to those for whom no connection is left.
fn crowded(uid: u32) -> WireError {
    let ordinary = limits::CONNECTIONS_PER_UID_MAX - limits::CONNECTIONS_ADMIN_RESERVED;
    let message = format!("user {uid} has too many connections");
    WireError::new(ErrorCode::ResourceExhausted, message)
        .reason(format!(
            "{ordinary} are open; further ones are kept for who administers the daemon"
        ))
        .hint("close some, or try again in 1000 ms")
        .retry_after(Duration::from_secs(1))
}

fn named(error: WireError, request_id: RequestId) -> WireError {
    if error.request_id.is_some() {
        error
    } else {
        error.request(request_id)
    }
}

/// Methods that all have the same shape.
macro_rules! forward {
    ($($method:ident($($argument:ident: $kind:ty)?) -> $reply:ty;)*) => {
        $(async fn $method(self, _: Context, call: Call $(, $argument: $kind)?) -> Reply<$reply> {
            self.run(stringify!($method), call, |service, context| async move {
                $(let context = service.with_content(context, stringify!($method), &$argument);)?
                service.$method(context $(, $argument)?).await
            })
            .await
        })*
    };
}

impl Manushya for Session {
    async fn hello(self, _: Context, hello: Hello) -> Reply<Welcome> {
        let request_id = self.door.new_request_id();
        let (caller, api) = self
            .welcome(hello)
            .map_err(|error| named(error, request_id))?;
        let known = self.recognise(&caller, request_id).await;
        let identity = known.map_err(|error| named(error, request_id))?;
        if self.caller.set(caller).is_err() {
            let error = WireError::new(ErrorCode::Conflict, "hello was said already")
                .reason("a connection has one credential for its whole life");
            return Err(named(error, request_id));
        }
        self.greeted.notify_one();
        Ok(Welcome {
            daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
            api,
            capabilities: CAPABILITIES.iter().map(|&name| name.to_owned()).collect(),
            caller: identity,
        })
    }

    async fn whoami(self, _: Context, call: Call) -> Reply<WhoAmI> {
        self.run("whoami", call, |service, context| async move {
            Ok(service.whoami(&context))
        })
        .await
    }

    async fn status(self, _: Context, call: Call) -> Reply<Status> {
        let request_id = self.door.new_request_id();
        let caller = self.caller().map_err(|error| named(error, request_id))?;
        drop(call);
        let service = match &self.door {
            Door::Open(service) => service,
            Door::Sealed(sealed) => return Ok(sealed.status(self.peer.uid)),
        };
        let context = service.resolve_quietly(caller, request_id).ok();
        Ok(service.status(context.as_ref()))
    }

    async fn shutdown(self, _: Context, call: Call) -> Reply<Done> {
        if let (Door::Sealed(sealed), Ok(_)) = (&self.door, self.caller()) {
            return sealed.shutdown(self.peer.uid, call.dry_run);
        }
        self.run("shutdown", call, |service, context| async move {
            service.shutdown(context).await
        })
        .await
    }

    async fn unseal(self, _: Context, call: Call, request: Unseal) -> Reply<Done> {
        if let (Door::Sealed(sealed), Ok(_)) = (&self.door, self.caller()) {
            return sealed.unseal(self.peer, request, call.dry_run).await;
        }
        drop(request);
        self.run("unseal", call, |service, context| async move {
            service.unseal(context).await
        })
        .await
    }

    async fn session_refresh(
        self,
        _: Context,
        call: Call,
        request: SessionRefresh,
    ) -> Reply<SessionTokens> {
        drop(call);
        self.run_unknown(
            "session_refresh",
            |service, caller, request_id| async move {
                service.session_refresh(&caller, request, request_id).await
            },
        )
        .await
    }

    async fn enroll(self, _: Context, call: Call, request: Enroll) -> Reply<IdentityCreated> {
        drop(call);
        self.run_unknown("enroll", |service, caller, request_id| async move {
            service.enroll(&caller, request, request_id).await
        })
        .await
    }

    forward! {
        doctor() -> Diagnosis;
        tenant_create(request: TenantRef) -> TenantView;
        tenant_list() -> Listed<TenantView>;
        tenant_show(request: TenantRef) -> TenantView;
        tenant_delete(request: TenantRef) -> Purged;
        identity_create(request: IdentityCreate) -> IdentityCreated;
        identity_list(request: IdentityList) -> Listed<IdentityView>;
        identity_show(request: IdentityRef) -> IdentityView;
        identity_update(request: IdentityUpdate) -> IdentityView;
        identity_delete(request: IdentityRef) -> Done;
        identity_export(request: IdentityRef) -> IdentityExport;
        token_issue(request: TokenIssue) -> TokenIssued;
        token_list(request: TokenList) -> Listed<TokenView>;
        token_inspect(request: TokenInspect) -> TokenView;
        token_revoke(request: TokenRevoke) -> Done;
        memory_add(request: MemoryAdd) -> MemoryAdded;
        memory_add_many(request: MemoryAddMany) -> MemoryAddedMany;
        memory_get(request: MemoryRef) -> MemoryView;
        memory_list(request: MemoryList) -> Listed<MemoryView>;
        memory_search(request: MemorySearch) -> SearchResults;
        memory_update(request: MemoryUpdate) -> MemoryView;
        memory_history(request: MemoryHistory) -> Listed<MemoryView>;
        memory_restore(request: MemoryRef) -> MemoryView;
        memory_delete(request: MemoryDelete) -> Done;
        memory_export(request: MemoryList) -> Listed<MemoryView>;
        memory_stats(request: MemoryStatsOf) -> MemoryStats;
        policy_apply(request: PolicyApply) -> PolicyApplied;
        policy_list(request: PolicyList) -> Listed<PolicyView>;
        policy_show(request: PolicyRef) -> PolicyView;
        policy_delete(request: PolicyRef) -> Done;
        policy_set_active(request: PolicySetActive) -> PolicyView;
        policy_validate(request: PolicyValidate) -> PolicyValidated;
        policy_test(request: PolicyTest) -> Explanation;
        policy_can_i(request: PolicyQuestion) -> DecisionView;
        policy_explain(request: PolicyQuestion) -> Explanation;
        audit_list(request: AuditList) -> Listed<AuditView>;
        audit_show(request: AuditRef) -> AuditView;
        audit_tail(request: AuditTail) -> AuditTailed;
        audit_read(request: AuditRead) -> AuditBytes;
        audit_head() -> AuditHeadView;
        events(request: Events) -> EventsSeen;
        purge_plan(request: PurgePlanCreate) -> PlanView;
        purge_apply(request: PurgeApply) -> Purged;
        purge_list(request: PurgeList) -> Listed<PlanView>;
        purge_run(request: PurgeRun) -> Purged;
        policy_who_can(request: PolicyWhoCan) -> Listed<PermissionView>;
        policy_what_can(request: PolicyWhatCan) -> Listed<PermissionView>;
        policy_history(request: PolicyHistory) -> Listed<RevisionView>;
        policy_rollback(request: PolicyRollback) -> PolicyView;
        policy_lint(request: PolicyLint) -> Listed<LintView>;
        policy_simulate(request: PolicySimulate) -> Simulated;
        purge_receipt(request: ReceiptRef) -> ReceiptView;
        purge_verify(request: PurgeVerify) -> PurgeVerified;
        hold_add(request: HoldAdd) -> HoldView;
        hold_list() -> Listed<HoldView>;
        hold_release(request: HoldRef) -> Done;
        backup_create(request: BackupCreate) -> BackupStarted;
        backup_read(request: BackupRef) -> BackupChunk;
        backup_list() -> Listed<BackupView>;
        backup_forget(request: BackupRef) -> Done;
        api_key_create(request: ApiKeyCreate) -> ApiKeyCreated;
        api_key_list(request: ApiKeyList) -> Listed<ApiKeyView>;
        api_key_revoke(request: ApiKeyRef) -> Done;
        session_open(request: SessionOpen) -> SessionTokens;
        session_list(request: SessionList) -> Listed<SessionView>;
        session_revoke(request: SessionRef) -> Done;
        identity_invite(request: Invite) -> Invited;
        invitation_list(request: InvitationList) -> Listed<InvitationView>;
        invitation_show(request: InvitationRef) -> InvitationView;
        invitation_revoke(request: InvitationRef) -> Done;
        invitation_resend(request: InvitationRef) -> Invited;
        key_list() -> Listed<KeyView>;
        key_rotate_jwt() -> KeyRotated;
        key_jwks() -> JwkSet;
        memory_reembed(request: MemoryReembed) -> ReembedView;
        audit_prove(request: AuditRef) -> AuditProof;
        audit_consistency(request: AuditGrowth) -> AuditConsistency;
        audit_checkpoints(request: AuditCheckpoints) -> Listed<CheckpointView>;
        audit_export(request: AuditExport) -> AuditExported;
        audit_stats(request: AuditList) -> AuditCounts;
        memory_review_list(request: MemoryReviewList) -> Listed<MemoryView>;
        memory_review(request: MemoryReview) -> MemoryView;
        memory_canary(request: MemoryCanary) -> MemoryView;
        memory_canary_list(request: MemoryCanaryList) -> Listed<MemoryView>;
        memory_recall(request: MemoryRecall) -> Recalled;
        limit_list(request: LimitList) -> Listed<LimitView>;
        limit_set(request: LimitSet) -> LimitView;
        limit_reset(request: LimitReset) -> Done;
        identity_bind(request: IdentityBind) -> IdentityView;
        identity_unbind(request: IdentityBind) -> Done;
        seal() -> Done;
        key_rotate_root() -> KeyRotated;
        key_rotate_data(request: KeyRotateData) -> KeyDataRotated;
        key_passphrase(request: KeyPassphrase) -> Done;
        policy_shadow_set(request: PolicyShadowSet) -> ShadowStatus;
        policy_shadow_status() -> ShadowStatus;
        approval_list(request: ApprovalList) -> Listed<ApprovalView>;
        approval_decide(request: ApprovalDecide) -> ApprovalView;
        key_rotate_audit() -> KeyRotated;
        subject_export(request: SubjectExport) -> SubjectExported;
        retention_list() -> Listed<RetentionView>;
        retention_set(request: RetentionSet) -> RetentionView;
        retention_unset(request: RetentionUnset) -> Done;
        key_recovery_set(request: KeyRecoverySet) -> Done;
    }
}
