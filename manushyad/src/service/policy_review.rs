//! The questions of auditors about policies, and their history.

use std::sync::Arc;

use manushya_core::command::{Context, RollBackPolicy};
use manushya_core::decide;
use manushya_core::decide::Refusal;
use manushya_core::decide::access::{Access, draft};
use manushya_core::directory::Directory;
use manushya_core::model::{Action, Identity, PolicyEvent, PolicyRevision, Resource};
use manushya_core::policy::{
    Answer, Certainty, Fact, Facts, IdentityFacts, PolicySet, RequestFacts, pairs,
};
use manushya_core::view::View;
use manushya_protocol::error::WireError;
use manushya_protocol::v1::common::Listed;
use manushya_protocol::v1::policy::PolicyView;
use manushya_protocol::v1::review::{
    LintView, PermissionView, PolicyHistory, PolicyLint, PolicyRollback, PolicyWhatCan,
    PolicyWhoCan, RevisionView,
};

use super::identity::listed_plan;
use super::view::ReadView;
use super::{Service, convert, page};

/// Starts a question about policies: who may read them may ask.
pub(super) fn begin<'a>(view: &'a ReadView, context: &'a Context) -> Result<Access<'a>, Refusal> {
    let mut access = Access::begin(view.directory(), context, Action::Read, Resource::Policy)?;
    access.require()?;
    Ok(access)
}

impl Service {
    /// Says of every identity of the tenant whether it may do something.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for an action or resource that is none, or what the deciding said.
    pub async fn policy_who_can(
        &self,
        context: Context,
        request: PolicyWhoCan,
    ) -> Result<Listed<PermissionView>, WireError> {
        let invalid = |error| convert::invalid(&error);
        let action: Action = request.action.parse().map_err(invalid)?;
        let resource: Resource = request.resource.parse().map_err(invalid)?;
        page::limit(&request.page)?;
        self.read(&context, |view, context| {
            let access = begin(view, context)?;
            let directory = view.directory();
            let tenant = context.actor.identity.tenant;
            let asked = Asked::new(directory, context);
            let key = |identity: &&Arc<Identity>| identity.id.to_string();
            let listed = page::cut(
                directory.identities(tenant),
                &request.page,
                key,
                |identity| asked.about(identity, action, resource),
            );
            Ok(listed_plan(access, listed))
        })
        .await?
    }

    /// Says of every action on every resource whether an identity may do it.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` for an identity that is none, or what the deciding said.
    pub async fn policy_what_can(
        &self,
        context: Context,
        request: PolicyWhatCan,
    ) -> Result<Listed<PermissionView>, WireError> {
        page::limit(&request.page)?;
        self.read(&context, |view, context| {
            let mut access = begin(view, context)?;
            let directory = view.directory();
            let tenant = context.actor.identity.tenant;
            let Some(identity) = directory.identity_by_ref(tenant, &request.identity) else {
                let hint = "manushyactl identity list";
                return Err(access.missing("identity", &request.identity, hint));
            };
            access.audit.resource_id = Some(identity.id.to_bytes());
            let asked = Asked::new(directory, context);
            let key = |(place, _): &(usize, _)| format!("{place:04}");
            let all = pairs().enumerate();
            let listed = page::cut(all, &request.page, key, |(_, (action, resource))| {
                asked.about(identity, *action, *resource)
            });
            Ok(listed_plan(access, listed))
        })
        .await?
    }

    /// Lists the revisions of one policy or all, newest first.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` for a policy that never was, or what the deciding said.
    pub async fn policy_history(
        &self,
        context: Context,
        request: PolicyHistory,
    ) -> Result<Listed<RevisionView>, WireError> {
        page::limit(&request.page)?;
        self.read(&context, |view, context| {
            let mut access = begin(view, context)?;
            let directory = view.directory();
            let tenant = context.actor.identity.tenant;
            let mut chosen: Vec<&Arc<PolicyRevision>> = match &request.policy {
                None => directory.revisions(tenant).collect(),
                Some(reference) => {
                    let Some(id) = directory.policy_id_by_ref(tenant, reference) else {
                        let hint = "manushyactl policy history";
                        return Err(access.missing("policy", reference, hint));
                    };
                    access.audit.resource_id = Some(id.to_bytes());
                    directory.revisions_of(tenant, id).collect()
                }
            };
            let place = |revision: &&Arc<PolicyRevision>| {
                let policy = &revision.policy;
                let falling = i64::MAX - policy.updated_at.0.max(0);
                let later = u32::MAX - policy.revision;
                format!("{falling:020}{later:010}{}", policy.id)
            };
            chosen.sort_by_cached_key(place);
            let listed = page::cut(chosen.into_iter(), &request.page, place, |revision| {
                shown(directory, revision)
            });
            Ok(listed_plan(access, listed))
        })
        .await?
    }

    /// Gives a policy the content of an earlier revision again.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn policy_rollback(
        &self,
        context: Context,
        request: PolicyRollback,
    ) -> Result<PolicyView, WireError> {
        let command = RollBackPolicy {
            policy: request.policy,
            revision: request.revision,
            force: request.force,
        };
        let fallback = draft(&context, Action::Manage, Resource::Policy);
        let policy = self
            .change(fallback, move |txn| {
                decide::policy::roll_back(txn, &context, &command)
            })
            .await?;
        Ok(convert::policy(&policy))
    }

    /// Finds what is hardly meant about the policies, or about a draft.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for a draft that cannot be applied, or what the deciding said.
    pub async fn policy_lint(
        &self,
        context: Context,
        request: PolicyLint,
    ) -> Result<Listed<LintView>, WireError> {
        page::limit(&request.page)?;
        self.read_apart(context, move |view, context| {
            let access = begin(view, context)?;
            let directory = view.directory();
            let tenant = context.actor.identity.tenant;
            let policies = decide::policy::drafted(directory, context, &request.policies)
                .map_err(|error| Refusal::allowed(&access.audit, error))?;
            let set = PolicySet::build(policies);
            let found = set.lint(directory.identities(tenant).map(AsRef::as_ref));
            let key = |(place, _): &(usize, _)| format!("{place:08}");
            let all = found.into_iter().enumerate();
            let listed = page::cut(all, &request.page, key, |(_, finding)| LintView {
                level: finding.level.as_str().to_owned(),
                kind: finding.kind.to_owned(),
                policy: finding.policy.as_ref().map(|it| it.name.to_string()),
                reason: finding.reason.clone(),
            });
            Ok(listed_plan(access, listed))
        })
        .await?
    }
}

/// What is asked about many identities or pairs.
struct Asked<'a> {
    directory: &'a Directory,
    set: Arc<PolicySet>,
    /// Open, and so not read; it has to be there all the same.
    request: RequestFacts,
}

impl<'a> Asked<'a> {
    fn new(directory: &'a Directory, context: &Context) -> Self {
        Self {
            directory,
            set: directory.policy_set(context.actor.identity.tenant),
            request: RequestFacts {
                time: context.now,
                transport: context.actor.transport.into(),
                peer_uid: None,
                purpose: None,
            },
        }
    }

    /// Whether `identity` may, whatever memory, target or request it is about.
    fn about(&self, identity: &Identity, action: Action, resource: Resource) -> PermissionView {
        let mut view = PermissionView {
            identity: identity.external_id.to_string(),
            identity_id: identity.id,
            role: identity.role.to_string(),
            action: action.as_str().to_owned(),
            resource: resource.as_str().to_owned(),
            answer: Certainty::No.as_str().to_owned(),
            policy: None,
            revision: None,
            condition: None,
            depends_on: Vec::new(),
            with_approval: None,
            reason: format!("{} is disabled", identity.external_id),
        };
        let Some(tenant) = self.directory.tenant(identity.tenant) else {
            return view;
        };
        if !identity.is_active {
            return view;
        }
        let who = IdentityFacts::new(identity, &tenant.name);
        let facts = Facts::new(action, resource, &who, &self.request);
        let open = |fact: &Fact| match fact {
            Fact::Memory(_) => resource == Resource::Memory,
            Fact::Target(_) => matches!(resource, Resource::Identity | Resource::Token),
            Fact::Request(_) => true,
            Fact::Action | Fact::Resource | Fact::Identity(_) => false,
        };
        let answer: Answer = self.set.ask(&identity.role, &facts, &open);
        let mends = matches!(resource, Resource::Policy | Resource::System);
        if answer.certainty != Certainty::Yes && mends && identity.id == tenant.operator {
            view.answer = Certainty::Yes.as_str().to_owned();
            view.reason = "the operator of the host may always do this without a token".to_owned();
            return view;
        }
        if self.set.requires_anything() {
            let beyond = self.set.ask_beyond(&identity.role, &facts, &open);
            let differs =
                (beyond.certainty, &beyond.condition) != (answer.certainty, &answer.condition);
            view.with_approval = (differs && beyond.certainty != Certainty::No)
                .then(|| beyond.certainty.as_str().to_owned());
        }
        view.answer = answer.certainty.as_str().to_owned();
        view.reason = answer.sentence();
        view.policy = answer.policy.as_ref().map(|policy| policy.name.to_string());
        view.revision = answer.policy.as_ref().map(|policy| policy.revision);
        let names = answer.depends_on.iter().take(100);
        view.depends_on = names.map(|policy| policy.name.to_string()).collect();
        view.condition = answer.condition;
        view
    }
}

pub(super) fn shown(directory: &Directory, revision: &PolicyRevision) -> RevisionView {
    let policy = &revision.policy;
    let by = directory.identity(policy.tenant, revision.by);
    RevisionView {
        policy: policy.name.to_string(),
        revision: policy.revision,
        change: revision.event.as_str().to_owned(),
        rolled_back_to: match revision.event {
            PolicyEvent::RolledBack(to) => Some(to),
            _ => None,
        },
        by: by.map_or_else(|| revision.by.to_string(), |by| by.external_id.to_string()),
        by_id: revision.by,
        at: policy.updated_at,
        content: convert::policy(policy),
    }
}
