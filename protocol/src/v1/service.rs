//! The tarpc service. Methods are added at the end, none is renamed or removed.

use crate::error::WireError;
use crate::v1::api_key::{ApiKeyCreate, ApiKeyCreated, ApiKeyList, ApiKeyRef, ApiKeyView};
use crate::v1::approval::{ApprovalDecide, ApprovalList, ApprovalView};
use crate::v1::audit::{
    AuditBytes, AuditCheckpoints, AuditConsistency, AuditCounts, AuditExport, AuditExported,
    AuditGrowth, AuditHeadView, AuditList, AuditProof, AuditRead, AuditRef, AuditTail, AuditTailed,
    AuditView, CheckpointView,
};
use crate::v1::backup::{BackupChunk, BackupCreate, BackupRef, BackupStarted, BackupView};
use crate::v1::common::{Call, Done, Listed};
use crate::v1::embedding::{MemoryReembed, ReembedView};
use crate::v1::erasure::{
    HoldAdd, HoldRef, HoldView, PurgeVerified, PurgeVerify, ReceiptRef, ReceiptView, RetentionSet,
    RetentionUnset, RetentionView,
};
use crate::v1::hello::{Hello, Welcome};
use crate::v1::identity::{
    IdentityBind, IdentityCreate, IdentityCreated, IdentityExport, IdentityList, IdentityRef,
    IdentityUpdate, IdentityView, TenantRef, TenantView,
};
use crate::v1::invitation::{
    Enroll, InvitationList, InvitationRef, InvitationView, Invite, Invited,
};
use crate::v1::key::{
    JwkSet, KeyDataRotated, KeyPassphrase, KeyRecoverySet, KeyRotateData, KeyRotated, KeyView,
};
use crate::v1::limit::{LimitList, LimitReset, LimitSet, LimitView};
use crate::v1::live::{Events, EventsSeen};
use crate::v1::memory::{
    MemoryAdd, MemoryAddMany, MemoryAdded, MemoryAddedMany, MemoryDelete, MemoryHistory,
    MemoryList, MemoryRef, MemorySearch, MemoryStats, MemoryStatsOf, MemoryUpdate, MemoryView,
    SearchResults,
};
use crate::v1::policy::{
    DecisionView, Explanation, PolicyApplied, PolicyApply, PolicyList, PolicyQuestion, PolicyRef,
    PolicySetActive, PolicyTest, PolicyValidate, PolicyValidated, PolicyView,
};
use crate::v1::provenance::{MemoryCanary, MemoryCanaryList, MemoryReview, MemoryReviewList};
use crate::v1::purge::{PlanView, PurgeApply, PurgeList, PurgePlanCreate, PurgeRun, Purged};
use crate::v1::recall::{MemoryRecall, Recalled};
use crate::v1::review::{
    LintView, PermissionView, PolicyHistory, PolicyLint, PolicyRollback, PolicyShadowSet,
    PolicySimulate, PolicyWhatCan, PolicyWhoCan, RevisionView, ShadowStatus, Simulated,
};
use crate::v1::seal::Unseal;
use crate::v1::session::{
    SessionList, SessionOpen, SessionRef, SessionRefresh, SessionTokens, SessionView,
};
use crate::v1::subject::{SubjectExport, SubjectExported};
use crate::v1::system::{Diagnosis, Status, WhoAmI};
use crate::v1::token::{TokenInspect, TokenIssue, TokenIssued, TokenList, TokenRevoke, TokenView};

/// What every call answers.
pub type Reply<T> = Result<T, WireError>;

/// The socket API. `hello` comes first on every connection; any other call before it fails.
#[tarpc::service]
pub trait Manushya {
    /// Opens the connection.
    async fn hello(request: Hello) -> Reply<Welcome>;
    /// Says who the caller is.
    async fn whoami(call: Call) -> Reply<WhoAmI>;
    /// Says how the daemon is.
    async fn status(call: Call) -> Reply<Status>;
    /// Checks the daemon's files, keys, store, index and audit log.
    async fn doctor(call: Call) -> Reply<Diagnosis>;
    /// Drains, snapshots and stops the daemon.
    async fn shutdown(call: Call) -> Reply<Done>;

    /// Makes a tenant with its first policies.
    async fn tenant_create(call: Call, request: TenantRef) -> Reply<TenantView>;
    /// Lists tenants.
    async fn tenant_list(call: Call) -> Reply<Listed<TenantView>>;
    /// Shows a tenant.
    async fn tenant_show(call: Call, request: TenantRef) -> Reply<TenantView>;
    /// Erases a tenant and everything in it.
    async fn tenant_delete(call: Call, request: TenantRef) -> Reply<Purged>;

    /// Makes an identity and its first token.
    async fn identity_create(call: Call, request: IdentityCreate) -> Reply<IdentityCreated>;
    /// Lists identities.
    async fn identity_list(call: Call, request: IdentityList) -> Reply<Listed<IdentityView>>;
    /// Shows an identity.
    async fn identity_show(call: Call, request: IdentityRef) -> Reply<IdentityView>;
    /// Changes, enables or disables an identity.
    async fn identity_update(call: Call, request: IdentityUpdate) -> Reply<IdentityView>;
    /// Deletes an identity that owns no memories, with its tokens.
    async fn identity_delete(call: Call, request: IdentityRef) -> Reply<Done>;
    /// Shows everything held about an identity.
    async fn identity_export(call: Call, request: IdentityRef) -> Reply<IdentityExport>;

    /// Issues an access token.
    async fn token_issue(call: Call, request: TokenIssue) -> Reply<TokenIssued>;
    /// Lists tokens.
    async fn token_list(call: Call, request: TokenList) -> Reply<Listed<TokenView>>;
    /// Says what a token is.
    async fn token_inspect(call: Call, request: TokenInspect) -> Reply<TokenView>;
    /// Revokes tokens.
    async fn token_revoke(call: Call, request: TokenRevoke) -> Reply<Done>;

    /// Adds a memory.
    async fn memory_add(call: Call, request: MemoryAdd) -> Reply<MemoryAdded>;
    /// Adds a batch of memories.
    async fn memory_add_many(call: Call, request: MemoryAddMany) -> Reply<MemoryAddedMany>;
    /// Shows a memory.
    async fn memory_get(call: Call, request: MemoryRef) -> Reply<MemoryView>;
    /// Lists memories.
    async fn memory_list(call: Call, request: MemoryList) -> Reply<Listed<MemoryView>>;
    /// Searches memories.
    async fn memory_search(call: Call, request: MemorySearch) -> Reply<SearchResults>;
    /// Changes a memory.
    async fn memory_update(call: Call, request: MemoryUpdate) -> Reply<MemoryView>;
    /// Shows the versions of a memory.
    async fn memory_history(call: Call, request: MemoryHistory) -> Reply<Listed<MemoryView>>;
    /// Restores a deleted memory.
    async fn memory_restore(call: Call, request: MemoryRef) -> Reply<MemoryView>;
    /// Deletes or erases a memory.
    async fn memory_delete(call: Call, request: MemoryDelete) -> Reply<Done>;
    /// Reads memories to take them elsewhere; like the list, under the action `export`.
    async fn memory_export(call: Call, request: MemoryList) -> Reply<Listed<MemoryView>>;
    /// Counts memories.
    async fn memory_stats(call: Call, request: MemoryStatsOf) -> Reply<MemoryStats>;

    /// Makes or changes policies, all or none.
    async fn policy_apply(call: Call, request: PolicyApply) -> Reply<PolicyApplied>;
    /// Lists policies.
    async fn policy_list(call: Call, request: PolicyList) -> Reply<Listed<PolicyView>>;
    /// Shows a policy.
    async fn policy_show(call: Call, request: PolicyRef) -> Reply<PolicyView>;
    /// Deletes a policy.
    async fn policy_delete(call: Call, request: PolicyRef) -> Reply<Done>;
    /// Enables or disables a policy.
    async fn policy_set_active(call: Call, request: PolicySetActive) -> Reply<PolicyView>;
    /// Checks policies without applying them.
    async fn policy_validate(call: Call, request: PolicyValidate) -> Reply<PolicyValidated>;
    /// Decides for facts that the caller gives.
    async fn policy_test(call: Call, request: PolicyTest) -> Reply<Explanation>;
    /// Says whether an identity may do something.
    async fn policy_can_i(call: Call, request: PolicyQuestion) -> Reply<DecisionView>;
    /// Says why.
    async fn policy_explain(call: Call, request: PolicyQuestion) -> Reply<Explanation>;

    /// Lists audit entries.
    async fn audit_list(call: Call, request: AuditList) -> Reply<Listed<AuditView>>;
    /// Shows an audit entry.
    async fn audit_show(call: Call, request: AuditRef) -> Reply<AuditView>;
    /// Waits for new audit entries.
    async fn audit_tail(call: Call, request: AuditTail) -> Reply<AuditTailed>;
    /// Reads the bytes of audit entries.
    async fn audit_read(call: Call, request: AuditRead) -> Reply<AuditBytes>;
    /// Signs the head of the audit log.
    async fn audit_head(call: Call) -> Reply<AuditHeadView>;
    /// Waits for what happens next; the newest entries win where the caller is late.
    async fn events(call: Call, request: Events) -> Reply<EventsSeen>;

    /// Plans an erasure.
    async fn purge_plan(call: Call, request: PurgePlanCreate) -> Reply<PlanView>;
    /// Carries a plan out.
    async fn purge_apply(call: Call, request: PurgeApply) -> Reply<Purged>;
    /// Lists plans.
    async fn purge_list(call: Call, request: PurgeList) -> Reply<Listed<PlanView>>;
    /// Sweeps what is due.
    async fn purge_run(call: Call, request: PurgeRun) -> Reply<Purged>;

    /// Says who may do something.
    async fn policy_who_can(call: Call, request: PolicyWhoCan) -> Reply<Listed<PermissionView>>;
    /// Says what an identity may do.
    async fn policy_what_can(call: Call, request: PolicyWhatCan) -> Reply<Listed<PermissionView>>;
    /// Lists the revisions of policies.
    async fn policy_history(call: Call, request: PolicyHistory) -> Reply<Listed<RevisionView>>;
    /// Gives a policy the content of an earlier revision.
    async fn policy_rollback(call: Call, request: PolicyRollback) -> Reply<PolicyView>;
    /// Finds what is hardly meant about the policies.
    async fn policy_lint(call: Call, request: PolicyLint) -> Reply<Listed<LintView>>;
    /// Decides the past anew under a draft.
    async fn policy_simulate(call: Call, request: PolicySimulate) -> Reply<Simulated>;
    /// Shows the signed receipt of an applied plan.
    async fn purge_receipt(call: Call, request: ReceiptRef) -> Reply<ReceiptView>;
    /// Looks for survivors of an applied plan.
    async fn purge_verify(call: Call, request: PurgeVerify) -> Reply<PurgeVerified>;
    /// Sets a hold.
    async fn hold_add(call: Call, request: HoldAdd) -> Reply<HoldView>;
    /// Lists holds.
    async fn hold_list(call: Call) -> Reply<Listed<HoldView>>;
    /// Releases a hold.
    async fn hold_release(call: Call, request: HoldRef) -> Reply<Done>;
    /// Makes an API key.
    async fn api_key_create(call: Call, request: ApiKeyCreate) -> Reply<ApiKeyCreated>;
    /// Lists API keys.
    async fn api_key_list(call: Call, request: ApiKeyList) -> Reply<Listed<ApiKeyView>>;
    /// Revokes an API key.
    async fn api_key_revoke(call: Call, request: ApiKeyRef) -> Reply<Done>;

    /// Opens a login session with the credential of the connection.
    async fn session_open(call: Call, request: SessionOpen) -> Reply<SessionTokens>;
    /// Renews a session by its refresh token, whatever the credential of the connection.
    async fn session_refresh(call: Call, request: SessionRefresh) -> Reply<SessionTokens>;
    /// Lists sessions.
    async fn session_list(call: Call, request: SessionList) -> Reply<Listed<SessionView>>;
    /// Ends a session.
    async fn session_revoke(call: Call, request: SessionRef) -> Reply<Done>;

    /// Invites somebody who becomes an identity.
    async fn identity_invite(call: Call, request: Invite) -> Reply<Invited>;
    /// Turns a code into an identity, whatever the credential of the connection.
    async fn enroll(call: Call, request: Enroll) -> Reply<IdentityCreated>;
    /// Lists invitations.
    async fn invitation_list(call: Call, request: InvitationList) -> Reply<Listed<InvitationView>>;
    /// Shows an invitation.
    async fn invitation_show(call: Call, request: InvitationRef) -> Reply<InvitationView>;
    /// Takes an invitation back.
    async fn invitation_revoke(call: Call, request: InvitationRef) -> Reply<Done>;
    /// Gives an invitation a new code.
    async fn invitation_resend(call: Call, request: InvitationRef) -> Reply<Invited>;

    /// Lists the keys that sign tokens.
    async fn key_list(call: Call) -> Reply<Listed<KeyView>>;
    /// Makes a new key sign tokens.
    async fn key_rotate_jwt(call: Call) -> Reply<KeyRotated>;
    /// Shows the public keys that verify tokens.
    async fn key_jwks(call: Call) -> Reply<JwkSet>;

    /// Says how far the embedding of memories is, and tries again what failed.
    async fn memory_reembed(call: Call, request: MemoryReembed) -> Reply<ReembedView>;
    /// Proves that an audit entry is in the log.
    async fn audit_prove(call: Call, request: AuditRef) -> Reply<AuditProof>;
    /// Proves that the audit log only grew.
    async fn audit_consistency(call: Call, request: AuditGrowth) -> Reply<AuditConsistency>;
    /// Lists the stored checkpoints of the audit log.
    async fn audit_checkpoints(
        call: Call,
        request: AuditCheckpoints,
    ) -> Reply<Listed<CheckpointView>>;
    /// Reads audit entries for an export.
    async fn audit_export(call: Call, request: AuditExport) -> Reply<AuditExported>;
    /// Counts audit entries.
    async fn audit_stats(call: Call, request: AuditList) -> Reply<AuditCounts>;

    /// Starts a backup.
    async fn backup_create(call: Call, request: BackupCreate) -> Reply<BackupStarted>;
    /// Reads the next bytes of a backup.
    async fn backup_read(call: Call, request: BackupRef) -> Reply<BackupChunk>;
    /// Lists the backups that may still exist.
    async fn backup_list(call: Call) -> Reply<Listed<BackupView>>;
    /// Takes a backup off the list.
    async fn backup_forget(call: Call, request: BackupRef) -> Reply<Done>;
    /// Lists memories that are held back.
    async fn memory_review_list(call: Call, request: MemoryReviewList)
    -> Reply<Listed<MemoryView>>;
    /// Approves a memory that is held back, or deletes it.
    async fn memory_review(call: Call, request: MemoryReview) -> Reply<MemoryView>;
    /// Makes a memory a canary, or none.
    async fn memory_canary(call: Call, request: MemoryCanary) -> Reply<MemoryView>;
    /// Lists canaries.
    async fn memory_canary_list(call: Call, request: MemoryCanaryList)
    -> Reply<Listed<MemoryView>>;
    /// Searches memories and makes a block of text of them for a prompt.
    async fn memory_recall(call: Call, request: MemoryRecall) -> Reply<Recalled>;

    /// Lists the limits that hold.
    async fn limit_list(call: Call, request: LimitList) -> Reply<Listed<LimitView>>;
    /// Sets a limit.
    async fn limit_set(call: Call, request: LimitSet) -> Reply<LimitView>;
    /// Takes limits that were set away.
    async fn limit_reset(call: Call, request: LimitReset) -> Reply<Done>;

    /// Binds an identity to processes of a user of the host.
    async fn identity_bind(call: Call, request: IdentityBind) -> Reply<IdentityView>;
    /// Takes such a binding away.
    async fn identity_unbind(call: Call, request: IdentityBind) -> Reply<Done>;
    /// Drops every key from memory and refuses everything but `unseal` from then on.
    async fn seal(call: Call) -> Reply<Done>;
    /// Opens a sealed daemon again.
    async fn unseal(call: Call, request: Unseal) -> Reply<Done>;
    /// Makes a new root and wraps every key under it.
    async fn key_rotate_root(call: Call) -> Reply<KeyRotated>;
    /// Replaces some of the data keys.
    async fn key_rotate_data(call: Call, request: KeyRotateData) -> Reply<KeyDataRotated>;
    /// Locks the identity of the host, or takes the lock away.
    async fn key_passphrase(call: Call, request: KeyPassphrase) -> Reply<Done>;
    /// Lists requests that wait for an approval.
    async fn approval_list(call: Call, request: ApprovalList) -> Reply<Listed<ApprovalView>>;
    /// Grants or refuses one.
    async fn approval_decide(call: Call, request: ApprovalDecide) -> Reply<ApprovalView>;
    /// Lets a draft run beside the live policies, or stops it.
    async fn policy_shadow_set(call: Call, request: PolicyShadowSet) -> Reply<ShadowStatus>;
    /// Says what runs beside the live policies.
    async fn policy_shadow_status(call: Call) -> Reply<ShadowStatus>;
    /// Lets another key sign the log from here on, vouched for by the one that signs now.
    async fn key_rotate_audit(call: Call) -> Reply<KeyRotated>;
    /// Reads everything held about an identity.
    async fn subject_export(call: Call, request: SubjectExport) -> Reply<SubjectExported>;
    /// Lists how long memories are kept.
    async fn retention_list(call: Call) -> Reply<Listed<RetentionView>>;
    /// Sets how long memories of a type are kept.
    async fn retention_set(call: Call, request: RetentionSet) -> Reply<RetentionView>;
    /// Takes such a rule away.
    async fn retention_unset(call: Call, request: RetentionUnset) -> Reply<Done>;
    /// Lets another recovery key open the home.
    async fn key_recovery_set(call: Call, request: KeyRecoverySet) -> Reply<Done>;
}
