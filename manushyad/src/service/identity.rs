//! Tenants and identities.

use std::sync::Arc;

use manushya_core::command::{Context, CreateIdentity, CreateTenant, UpdateIdentity};
use manushya_core::decide;
use manushya_core::decide::access::{About, Access, Asking, draft};
use manushya_core::decide::receipt::{Unplanned, unplanned};
use manushya_core::model::{Action, ExternalId, Identity, Resource, Role, TenantName, Token};
use manushya_core::policy::TargetFacts;
use manushya_core::view::View;
use manushya_protocol::error::WireError;
use manushya_protocol::limits;
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::identity::{
    IdentityCreate, IdentityCreated, IdentityExport, IdentityList, IdentityRef, IdentityUpdate,
    IdentityView, TenantRef, TenantView,
};
use manushya_protocol::v1::purge::Purged;

use super::view::ReadView;
use super::{Service, convert, page};

impl Service {
    /// Makes a tenant with its first policies.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn tenant_create(
        &self,
        context: Context,
        request: TenantRef,
    ) -> Result<TenantView, WireError> {
        let command = CreateTenant {
            id: self.new_tenant_id(),
            name: TenantName::new(request.name).map_err(|error| convert::invalid(&error))?,
            operator: self.new_identity_id(),
            policies: decide::tenant::policy_ids(|| self.new_policy_id()),
        };
        let fallback = draft(&context, Action::Create, Resource::System);
        let tenant = self
            .change(fallback, move |txn| {
                decide::tenant::create(txn, &context, command)
            })
            .await?;
        Ok(convert::tenant(&self.writer.published().directory, &tenant))
    }

    /// Lists tenants.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn tenant_list(&self, context: Context) -> Result<Listed<TenantView>, WireError> {
        self.read(&context, |view, context| {
            let access = decide::tenant::require_operator(view, context, Action::Read)?;
            let directory = view.directory();
            let items: Vec<TenantView> = directory
                .tenants()
                .map(|tenant| convert::tenant(directory, tenant))
                .collect();
            let total = items.len() as u64;
            Ok(access.plan(
                Vec::new(),
                total,
                Listed {
                    items,
                    next: None,
                    total,
                },
            ))
        })
        .await
    }

    /// Shows a tenant.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn tenant_show(
        &self,
        context: Context,
        request: TenantRef,
    ) -> Result<TenantView, WireError> {
        self.read(&context, |view, context| {
            let mut access = decide::tenant::require_operator(view, context, Action::Read)?;
            let directory = view.directory();
            let Some(tenant) = directory.tenant_by_name(&request.name) else {
                return Err(access.missing("tenant", &request.name, "manushyactl tenant list"));
            };
            access.audit.resource_id = Some(tenant.id.to_bytes());
            let shown = convert::tenant(directory, tenant);
            Ok(access.plan(Vec::new(), 1, shown))
        })
        .await
    }

    /// Erases a tenant and everything in it.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn tenant_delete(
        self: Arc<Self>,
        context: Context,
        request: TenantRef,
    ) -> Result<Purged, WireError> {
        let name = TenantName::new(request.name).map_err(|error| convert::invalid(&error))?;
        let fallback = draft(&context, Action::Purge, Resource::System);
        let (by, id) = (context.clone(), self.new_plan_id());
        let ((_, mut purged), done) = self
            .writer
            .run(fallback, move |txn| {
                let plan = decide::tenant::delete(txn, &context, &name)?;
                let what = Unplanned::Tenant(plan.reply.0);
                unplanned(txn, &context, id, what, plan)
            })
            .await?;
        purged.audit_seq = done.seq.0;
        purged.keys_destroyed = done.keys_destroyed;
        if !by.dry_run {
            self.sign_now(&by, id, done, &mut purged).await;
        }
        Ok(purged)
    }

    /// Makes an identity and its first token.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn identity_create(
        &self,
        context: Context,
        request: IdentityCreate,
    ) -> Result<IdentityCreated, WireError> {
        let invalid = |error| convert::invalid(&error);
        let command = CreateIdentity {
            id: self.new_identity_id(),
            external_id: ExternalId::new(request.external_id).map_err(invalid)?,
            role: Role::new(request.role).map_err(invalid)?,
            name: request.name,
            description: request.description,
            claims: request.claims,
            quarantine: request.quarantine,
            token: self.new_token_id(),
            ttl_seconds: request
                .token_ttl_seconds
                .unwrap_or(limits::TOKEN_TTL_SECONDS_DEFAULT),
        };
        let fallback = draft(&context, Action::Create, Resource::Identity);
        let dry_run = context.dry_run;
        let (identity, token): (Arc<Identity>, Arc<Token>) = self
            .change(fallback, move |txn| {
                decide::identity::create(txn, &context, command)
            })
            .await?;
        let directory = &self.writer.published().directory;
        let access_token = if dry_run {
            None
        } else {
            Some(self.sign(directory, &identity, &token)?)
        };
        Ok(IdentityCreated {
            access_token,
            token_type: "bearer".to_owned(),
            expires_at: (!dry_run).then_some(token.expires_at),
            identity: convert::identity(directory, &identity),
        })
    }

    /// Lists the identities the caller may read.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn identity_list(
        &self,
        context: Context,
        request: IdentityList,
    ) -> Result<Listed<IdentityView>, WireError> {
        page::limit(&request.page)?;
        self.read(&context, |view, context| {
            let directory = view.directory();
            let access = Access::begin(directory, context, Action::Read, Resource::Identity)?;
            let readable = readable(view, context, Resource::Identity);
            let chosen = directory
                .identities(context.actor.identity.tenant)
                .filter(|identity| {
                    request
                        .role
                        .as_deref()
                        .is_none_or(|role| role == identity.role.as_str())
                })
                .filter(|identity| {
                    request
                        .is_active
                        .is_none_or(|active| active == identity.is_active)
                })
                .filter(|identity| readable(identity));
            let seen = self.seen(directory, context.actor.identity.tenant);
            let listed = page::cut(
                chosen,
                &request.page,
                |identity| identity.id.to_string(),
                |identity| seen.show(identity),
            );
            Ok(listed_plan(access, listed))
        })
        .await?
    }

    /// Shows an identity.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn identity_show(
        &self,
        context: Context,
        request: IdentityRef,
    ) -> Result<IdentityView, WireError> {
        self.read(&context, |view, context| {
            let (access, identity) = decide::identity::require(
                view,
                context,
                Action::Read,
                Resource::Identity,
                &request.identity,
            )?;
            let seen = self.seen(view.directory(), identity.tenant);
            let shown = seen.show(&identity);
            Ok(access.plan(Vec::new(), 1, shown))
        })
        .await
    }

    /// Changes, enables or disables an identity.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn identity_update(
        &self,
        context: Context,
        request: IdentityUpdate,
    ) -> Result<IdentityView, WireError> {
        let role = request.role.map(Role::new).transpose();
        let command = UpdateIdentity {
            identity: request.identity,
            role: role.map_err(|error| convert::invalid(&error))?,
            name: request.name,
            description: request.description,
            claims: request.claims,
            is_active: request.is_active,
            quarantine: request.quarantine,
        };
        let fallback = draft(&context, Action::Update, Resource::Identity);
        let identity = self
            .change(fallback, move |txn| {
                decide::identity::update(txn, &context, command)
            })
            .await?;
        let directory = &self.writer.published().directory;
        Ok(self.seen(directory, identity.tenant).show(&identity))
    }

    /// Deletes an identity that owns no memories, with its tokens.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn identity_delete(
        &self,
        context: Context,
        request: IdentityRef,
    ) -> Result<Done, WireError> {
        let fallback = draft(&context, Action::Delete, Resource::Identity);
        let receipt = self.new_plan_id();
        let identity = self
            .change(fallback, move |txn| {
                let plan = decide::identity::delete(txn, &context, &request.identity)?;
                let what = Unplanned::Identity(plan.reply.id);
                unplanned(txn, &context, receipt, what, plan)
            })
            .await?;
        Ok(Done {
            id: identity.external_id.to_string(),
            outcome: "deleted".to_owned(),
        })
    }

    /// Shows everything held about an identity.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn identity_export(
        &self,
        context: Context,
        request: IdentityRef,
    ) -> Result<IdentityExport, WireError> {
        self.read(&context, |view, context| {
            let (access, identity) = decide::identity::require(
                view,
                context,
                Action::Export,
                Resource::Identity,
                &request.identity,
            )?;
            let directory = view.directory();
            let memories = match view.memories_of(identity.tenant, identity.id) {
                Ok(memories) => memories.len() as u64,
                Err(error) => return Err(access.broken(error)),
            };
            let tokens = directory
                .tokens(identity.tenant)
                .filter(|token| token.identity == identity.id)
                .map(|token| convert::token(directory, &identity, token, context.now))
                .collect();
            let identity = self.seen(directory, identity.tenant).show(&identity);
            Ok(access.plan(
                Vec::new(),
                1,
                IdentityExport {
                    identity,
                    tokens,
                    memories,
                },
            ))
        })
        .await
    }
}

/// Whether the caller may read an identity, or what belongs to it: one decision each, with the target
/// as a fact.
pub(super) fn readable<'a>(
    view: &'a ReadView,
    context: &'a Context,
    resource: Resource,
) -> impl Fn(&Identity) -> bool + use<'a> {
    let directory = view.directory();
    let set = directory.policy_set(context.actor.identity.tenant);
    let asking = Asking::of(directory, context);
    move |identity| {
        asking.as_ref().is_some_and(|asking| {
            let about = About::Target(TargetFacts::new(identity));
            asking.decide(&set, Action::Read, resource, &about).allowed
        })
    }
}

/// The plan of a list: it counts what was shown. A list is allowed as such; each item is decided.
pub(super) fn listed_plan<T>(
    mut access: Access<'_>,
    listed: Result<Listed<T>, WireError>,
) -> manushya_core::plan::Plan<Result<Listed<T>, WireError>> {
    access.audit.decision = manushya_core::model::Decision::Allow;
    let count = listed
        .as_ref()
        .map_or(0, |listed| listed.items.len() as u64);
    access.plan(Vec::new(), count, listed)
}
