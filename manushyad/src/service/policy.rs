//! Policies, and questions about decisions.

use manushya_core::command::{ApplyPolicies, ChangePolicy, Context, PolicyChange};
use manushya_core::decide;
use manushya_core::decide::Refusal;
use manushya_core::decide::access::{Access, Asking, draft};
use manushya_core::model::{Action, Identity, Memory, Resource, Role};
use manushya_core::policy::{Facts, MemoryFacts, TargetFacts};
use manushya_core::view::View;
use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::limits;
use manushya_protocol::v1::common::{Done, Listed};
use manushya_protocol::v1::policy::{
    DecisionView, Explanation, PolicyApplied, PolicyApply, PolicyChange as WireChange, PolicyList,
    PolicyQuestion, PolicyRef, PolicySetActive, PolicyTest, PolicyValidate, PolicyValidated,
    PolicyView,
};

use super::identity::listed_plan;
use super::permit::bad_rule;
use super::view::ReadView;
use super::{Service, convert, page};

impl Service {
    /// Makes or changes policies, all or none.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn policy_apply(
        &self,
        context: Context,
        request: PolicyApply,
    ) -> Result<PolicyApplied, WireError> {
        if request.policies.is_empty() {
            return Err(WireError::new(
                ErrorCode::InvalidArgument,
                "there is no policy to apply",
            ));
        }
        let items = request
            .policies
            .into_iter()
            .map(|spec| (self.new_policy_id(), spec))
            .collect();
        let command = ApplyPolicies {
            items,
            force: request.force,
        };
        let fallback = draft(&context, Action::Manage, Resource::Policy);
        let applied = self
            .change(fallback, move |txn| {
                decide::policy::apply(txn, &context, command)
            })
            .await?;
        let items = applied
            .iter()
            .map(|applied| WireChange {
                outcome: applied.outcome.to_owned(),
                policy: convert::policy(&applied.policy),
                before: applied.before.as_deref().map(convert::policy),
            })
            .collect();
        Ok(PolicyApplied { items })
    }

    /// Lists policies by falling priority.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn policy_list(
        &self,
        context: Context,
        request: PolicyList,
    ) -> Result<Listed<PolicyView>, WireError> {
        page::limit(&request.page)?;
        self.read(&context, |view, context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Read, Resource::Policy)?;
            access.require()?;
            let mut chosen: Vec<_> = directory
                .policies(context.actor.identity.tenant)
                .map(|policy| convert::policy(policy))
                .filter(|policy| {
                    request
                        .role
                        .as_ref()
                        .is_none_or(|role| *role == policy.role)
                })
                .collect();
            let place = |policy: &PolicyView| {
                let falling = i64::from(i32::MAX) - i64::from(policy.priority);
                format!("{falling:010}{}", policy.id)
            };
            chosen.sort_by_key(place);
            let listed = page::cut(chosen.into_iter(), &request.page, place, Clone::clone);
            Ok(listed_plan(access, listed))
        })
        .await?
    }

    /// Shows a policy.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn policy_show(
        &self,
        context: Context,
        request: PolicyRef,
    ) -> Result<PolicyView, WireError> {
        self.read(&context, |view, context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Read, Resource::Policy)?;
            access.require()?;
            let tenant = context.actor.identity.tenant;
            let Some(policy) = directory.policy_by_ref(tenant, &request.policy) else {
                return Err(access.missing("policy", &request.policy, "manushyactl policy list"));
            };
            access.audit.resource_id = Some(policy.id.to_bytes());
            Ok(access.plan(Vec::new(), 1, convert::policy(policy)))
        })
        .await
    }

    /// Deletes a policy.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn policy_delete(
        &self,
        context: Context,
        request: PolicyRef,
    ) -> Result<Done, WireError> {
        let command = ChangePolicy {
            policy: request.policy,
            change: PolicyChange::Delete,
            force: request.force,
        };
        let policy = self.policy_change(context, command).await?;
        Ok(Done {
            id: policy.name,
            outcome: "deleted".to_owned(),
        })
    }

    /// Enables or disables a policy.
    ///
    /// # Errors
    ///
    /// What the deciding or the writer said.
    pub async fn policy_set_active(
        &self,
        context: Context,
        request: PolicySetActive,
    ) -> Result<PolicyView, WireError> {
        let command = ChangePolicy {
            policy: request.policy,
            change: PolicyChange::SetActive(request.is_active),
            force: request.force,
        };
        self.policy_change(context, command).await
    }

    async fn policy_change(
        &self,
        context: Context,
        command: ChangePolicy,
    ) -> Result<PolicyView, WireError> {
        let fallback = draft(&context, Action::Manage, Resource::Policy);
        let policy = self
            .change(fallback, move |txn| {
                decide::policy::change(txn, &context, &command)
            })
            .await?;
        Ok(convert::policy(&policy))
    }

    /// Checks policies without applying them.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn policy_validate(
        &self,
        context: Context,
        request: PolicyValidate,
    ) -> Result<PolicyValidated, WireError> {
        self.read(&context, |view, context| {
            let mut access =
                Access::begin(view.directory(), context, Action::Read, Resource::Policy)?;
            access.require()?;
            let findings = decide::policy::validate(&request.policies);
            Ok(access.plan(Vec::new(), 0, PolicyValidated { findings }))
        })
        .await
    }

    /// Decides for facts that the caller gives.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for facts that are none, or what the deciding said.
    pub async fn policy_test(
        &self,
        context: Context,
        request: PolicyTest,
    ) -> Result<Explanation, WireError> {
        let invalid = |error| convert::invalid(&error);
        let role = Role::new(request.role).map_err(invalid)?;
        let action: Action = request.action.parse().map_err(invalid)?;
        let resource: Resource = request.resource.parse().map_err(invalid)?;
        self.read(&context, |view, context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Read, Resource::Policy)?;
            access.require()?;
            let facts = match Facts::from_json(action, resource, &role, &request.facts) {
                Ok(facts) => facts,
                Err(errors) => {
                    return Err(Refusal::allowed(&access.audit, bad_rule("facts", &errors)));
                }
            };
            let tenant = context.actor.identity.tenant;
            let explained = directory.policy_set(tenant).explain(&role, &facts);
            Ok(access.plan(Vec::new(), 0, explained))
        })
        .await
    }

    /// Says whether an identity may do something.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn policy_can_i(
        &self,
        context: Context,
        request: PolicyQuestion,
    ) -> Result<DecisionView, WireError> {
        Ok(self.policy_explain(context, request).await?.decision)
    }

    /// Says why an identity may do something, or may not. About oneself anyone may ask; about others,
    /// who may read policies.
    ///
    /// # Errors
    ///
    /// What the deciding said.
    pub async fn policy_explain(
        &self,
        context: Context,
        request: PolicyQuestion,
    ) -> Result<Explanation, WireError> {
        let invalid = |error| convert::invalid(&error);
        let action: Action = request.action.parse().map_err(invalid)?;
        let resource: Resource = request.resource.parse().map_err(invalid)?;
        self.read(&context, |view, context| {
            let directory = view.directory();
            let mut access = Access::begin(directory, context, Action::Read, Resource::Policy)?;
            let tenant = context.actor.identity.tenant;
            let other = request.identity.is_some() || request.memory.is_some();
            if other {
                access.require()?;
            } else {
                access.audit.decision = manushya_core::model::Decision::Allow;
            }
            let subject = match &request.identity {
                None => context.actor.identity.clone(),
                Some(reference) => match directory.identity_by_ref(tenant, reference) {
                    Some(identity) => identity.clone(),
                    None => {
                        let hint = "manushyactl identity list";
                        return Err(access.missing("identity", reference, hint));
                    }
                },
            };
            let Some(asking) = Asking::as_if(directory, context, &subject) else {
                let id = subject.id.to_string();
                return Err(access.missing("identity", &id, "manushyactl identity list"));
            };
            let memory = memory_of(view, &access, &subject, &request)?;
            // An explanation shows the facts of the memory, and so must not go behind a redaction.
            if let Some(memory) = &memory
                && access.mask(memory).hides_metadata()
            {
                let error = WireError::new(ErrorCode::Denied, "the memory is redacted to you")
                    .reason("an explanation shows its metadata, which a policy masks")
                    .hint("ask without --memory, giving facts of it with --fact");
                return Err(Refusal::denied(&access.audit, error));
            }
            let facts = asking.to(action, resource);
            let question = Question {
                view,
                context,
                access: &access,
                subject: &subject,
            };
            let facts = question.complete(facts, memory.as_ref(), &request)?;
            let mut explained = directory.policy_set(tenant).explain(&subject.role, &facts);
            if !subject.is_active {
                explained.decision.allowed = false;
                explained.decision.reason = format!("{} is disabled", subject.external_id);
            }
            Ok(access.plan(Vec::new(), 0, explained))
        })
        .await
    }
}

/// The memory a question is about, if it names one.
fn memory_of(
    view: &ReadView,
    access: &Access<'_>,
    subject: &Identity,
    request: &PolicyQuestion,
) -> Result<Option<Memory>, Refusal> {
    let Some(id) = request.memory else {
        return Ok(None);
    };
    match view.memory(subject.tenant, id) {
        Ok(Some(memory)) => Ok(Some(memory)),
        Ok(None) => Err(access.not_found(id)),
        Err(error) => Err(access.broken(error)),
    }
}

/// A question about one identity.
struct Question<'a> {
    view: &'a ReadView,
    context: &'a Context,
    access: &'a Access<'a>,
    subject: &'a Identity,
}

impl<'a> Question<'a> {
    /// Adds what the question is about: a memory, by default one of the subject's own, or an
    /// identity, by default the subject itself; then the facts the caller gives.
    fn complete(
        &self,
        facts: Facts<'a>,
        memory: Option<&'a Memory>,
        request: &PolicyQuestion,
    ) -> Result<Facts<'a>, Refusal> {
        let directory = self.view.directory();
        let facts = match facts.resource() {
            Resource::Memory => {
                let own = || MemoryFacts::own(self.subject.id);
                let known =
                    memory.map_or_else(own, |memory| MemoryFacts::new(memory, self.context.now));
                facts.with_memory(known)
            }
            Resource::Identity | Resource::Token => {
                let target = match &request.target {
                    None => self.subject,
                    Some(reference) => {
                        let found = directory.identity_by_ref(self.subject.tenant, reference);
                        found.ok_or_else(|| {
                            self.access
                                .missing("identity", reference, "manushyactl identity list")
                        })?
                    }
                };
                facts.with_target(TargetFacts::new(target))
            }
            Resource::Policy | Resource::Audit | Resource::System => facts,
        };
        if request.facts.len() > limits::METADATA_KEYS_MAX {
            let error = WireError::new(ErrorCode::InvalidArgument, "too many facts");
            return Err(Refusal::allowed(&self.access.audit, error));
        }
        facts
            .with_given(&request.facts)
            .map_err(|errors| Refusal::allowed(&self.access.audit, bad_rule("facts", &errors)))
    }
}
