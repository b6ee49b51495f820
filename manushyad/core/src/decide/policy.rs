//! Policies.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::PolicyId;
use manushya_protocol::limits;
use manushya_protocol::v1::policy::{PolicySpec, RuleFinding};

use super::access::{Access, Asking};
use super::refusal::Refusal;
use crate::command::{ApplyPolicies, ChangePolicy, Context, PolicyChange};
use crate::directory::Directory;
use crate::model::{Action, Invalid, Policy, PolicyName, Resource, Role, check_description};
use crate::plan::{Plan, Write};
use crate::policy::Rule;
use crate::view::View;

/// What became of one policy: `created`, `updated` or `unchanged`.
pub type Applied = (&'static str, Arc<Policy>);

/// Finds everything that is wrong with policies as files hold them.
pub fn validate(specs: &[PolicySpec]) -> Vec<RuleFinding> {
    let mut findings = Vec::new();
    let mut names = std::collections::HashSet::new();
    for spec in specs {
        let name = spec.name.clone().unwrap_or_default();
        let mut found = |path: &str, reason: String| {
            findings.push(RuleFinding {
                policy: name.clone(),
                path: path.to_owned(),
                reason,
            });
        };
        match PolicyName::new(name.as_str()) {
            Err(invalid) => found("/name", invalid.reason),
            Ok(_) if !names.insert(name.clone()) => found("/name", "stands twice".to_owned()),
            Ok(_) => {}
        }
        if let Err(invalid) = role_of(&spec.role) {
            found("/role", invalid.reason);
        }
        let description = spec.description.as_deref().unwrap_or_default();
        if let Err(invalid) = check_description("description", description) {
            found("/description", invalid.reason);
        }
        if let Err(errors) = Rule::parse(&spec.rule) {
            for error in errors {
                found(&format!("/rule{}", error.path), error.reason);
            }
        }
    }
    findings
}

/// The role a policy rules; none stands for `*`.
fn role_of(text: &str) -> Result<Option<Role>, Invalid> {
    if text == "*" {
        Ok(None)
    } else {
        Role::new(text).map(Some)
    }
}

fn begin<'a>(view: &'a impl View, context: &'a Context) -> Result<Access<'a>, Refusal> {
    let mut access = Access::begin(view.directory(), context, Action::Manage, Resource::Policy)?;
    access.require()?;
    Ok(access)
}

/// Makes policies, or new revisions of those that exist by name: all of them, or none.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if the caller would lock itself out.
pub fn apply(
    view: &impl View,
    context: &Context,
    command: ApplyPolicies,
) -> Result<Plan<Vec<Applied>>, Refusal> {
    let access = begin(view, context)?;
    let directory = view.directory();
    let tenant = context.actor.identity.tenant;
    let specs: Vec<PolicySpec> = command.items.iter().map(|(_, spec)| spec.clone()).collect();
    if let Some(finding) = validate(&specs).first() {
        let message = format!("policy {} cannot be applied", finding.policy);
        let error = WireError::new(ErrorCode::InvalidArgument, message)
            .reason(format!("at {}: {}", finding.path, finding.reason))
            .hint("manushyactl policy validate FILE shows everything that is wrong");
        return Err(Refusal::allowed(&access.audit, error));
    }
    let mut applied = Vec::new();
    for (id, spec) in command.items {
        match revise(directory, context, id, spec) {
            Ok(change) => applied.push(change),
            Err(invalid) => return Err(Refusal::invalid(&access.audit, &invalid)),
        }
    }
    let created = applied.iter().filter(|(outcome, _)| *outcome == "created");
    let created = created.count();
    if created > 0 && directory.policies(tenant).count() + created > limits::POLICIES_MAX {
        let reason = format!("the limit is {} a tenant", limits::POLICIES_MAX);
        let error =
            WireError::new(ErrorCode::ResourceExhausted, "too many policies").reason(reason);
        return Err(Refusal::allowed(&access.audit, error));
    }
    let writes: Vec<Write> = applied
        .iter()
        .filter(|(outcome, _)| *outcome != "unchanged")
        .map(|(_, policy)| Write::PutPolicy(policy.clone()))
        .collect();
    refuse_lockout(directory, context, &access, &writes, command.force)?;
    let count = writes.len() as u64;
    Ok(access.plan(writes, count, applied))
}

fn revise(
    directory: &Directory,
    context: &Context,
    id: PolicyId,
    spec: PolicySpec,
) -> Result<Applied, Invalid> {
    let tenant = context.actor.identity.tenant;
    let name = PolicyName::new(spec.name.unwrap_or_default())?;
    let existing = directory.policy_by_ref(tenant, name.as_str());
    let mut policy = Policy {
        id,
        tenant,
        name,
        role: role_of(&spec.role)?,
        rule: spec.rule,
        effect: spec.effect,
        priority: spec.priority,
        is_active: spec.is_active,
        description: spec.description.filter(|text| !text.is_empty()),
        revision: 1,
        created_at: context.now,
        updated_at: context.now,
    };
    let Some(existing) = existing else {
        return Ok(("created", Arc::new(policy)));
    };
    policy.id = existing.id;
    policy.revision = existing.revision;
    policy.created_at = existing.created_at;
    policy.updated_at = existing.updated_at;
    if policy == **existing {
        return Ok(("unchanged", existing.clone()));
    }
    policy.revision = existing.revision.saturating_add(1);
    policy.updated_at = context.now;
    Ok(("updated", Arc::new(policy)))
}

/// Refuses a change after which the caller could not change policies any more.
fn refuse_lockout(
    directory: &Directory,
    context: &Context,
    access: &Access<'_>,
    writes: &[Write],
    force: bool,
) -> Result<(), Refusal> {
    if force || writes.is_empty() {
        return Ok(());
    }
    let mut after = directory.clone();
    after.apply_all(writes);
    let identity = &context.actor.identity;
    let asking = Asking::of(&after, context);
    // The role is the one of this state, as the deciding takes it.
    let role = directory
        .identity(identity.tenant, identity.id)
        .map_or(&identity.role, |current| &current.role);
    let can_go_on = asking.is_some_and(|asking| {
        let facts = asking.to(Action::Manage, Resource::Policy);
        after
            .policy_set(identity.tenant)
            .decide(role, &facts)
            .allowed
    });
    if can_go_on {
        return Ok(());
    }
    let message = format!(
        "{} could not change policies any more",
        identity.external_id
    );
    let reason = "after this change no policy lets you manage policies";
    Err(access.conflict(
        message,
        reason,
        "repeat it with --force if that is what you want",
    ))
}

/// Deletes, enables or disables a policy.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if the caller would lock itself out.
pub fn change(
    view: &impl View,
    context: &Context,
    command: &ChangePolicy,
) -> Result<Plan<Arc<Policy>>, Refusal> {
    let mut access = begin(view, context)?;
    let directory = view.directory();
    let tenant = context.actor.identity.tenant;
    let Some(policy) = directory.policy_by_ref(tenant, &command.policy) else {
        return Err(access.missing("policy", &command.policy, "manushyactl policy list"));
    };
    access.audit.resource_id = Some(policy.id.to_bytes());
    let (writes, policy) = match command.change {
        PolicyChange::Delete => (vec![Write::DropPolicy(tenant, policy.id)], policy.clone()),
        PolicyChange::SetActive(is_active) if policy.is_active == is_active => {
            (Vec::new(), policy.clone())
        }
        PolicyChange::SetActive(is_active) => {
            let mut changed = Policy::clone(policy);
            changed.is_active = is_active;
            changed.revision = policy.revision.saturating_add(1);
            changed.updated_at = context.now;
            let changed = Arc::new(changed);
            (vec![Write::PutPolicy(changed.clone())], changed)
        }
    };
    refuse_lockout(directory, context, &access, &writes, command.force)?;
    let count = writes.len() as u64;
    Ok(access.plan(writes, count, policy))
}
