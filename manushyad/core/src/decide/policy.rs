//! Policies.

use std::sync::Arc;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::id::PolicyId;
use manushya_protocol::limits;
use manushya_protocol::v1::policy::{PolicySpec, RuleFinding};

use super::access::{Access, Asking};
use super::refusal::Refusal;
use crate::command::{ApplyPolicies, ChangePolicy, Context, PolicyChange, RollBackPolicy};
use crate::directory::Directory;
use crate::model::{
    Action, Effect, Invalid, Policy, PolicyDraft, PolicyEvent, PolicyName, PolicyRevision,
    Redacted, Resource, Role, check_description,
};
use crate::plan::{Plan, Write};
use crate::policy::Rule;
use crate::view::View;

/// What became of one policy.
#[derive(Clone, Debug)]
pub struct Applied {
    /// `created`, `updated` or `unchanged`.
    pub outcome: &'static str,
    /// The policy.
    pub policy: Arc<Policy>,
    /// The policy before; none if it is new.
    pub before: Option<Arc<Policy>>,
}

/// The writes that make a policy what it is from now on, and keep that as a revision.
fn revised(context: &Context, policy: &Arc<Policy>, event: PolicyEvent) -> [Write; 2] {
    let revision = PolicyRevision {
        policy: Policy::clone(policy),
        event,
        by: context.actor.identity.id,
    };
    let first = match event {
        PolicyEvent::Deleted => Write::DropPolicy(policy.tenant, policy.id),
        _ => Write::PutPolicy(policy.clone()),
    };
    [first, Write::PutRevision(Arc::new(revision))]
}

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
        let masks = spec.effect == Effect::Redact;
        for (place, field) in spec
            .fields
            .iter()
            .enumerate()
            .take(limits::METADATA_KEYS_MAX)
        {
            if let Err(invalid) = field.parse::<Redacted>() {
                found(&format!("/fields/{place}"), invalid.reason);
            }
        }
        if spec.fields.len() > limits::METADATA_KEYS_MAX {
            let limit = limits::METADATA_KEYS_MAX;
            found("/fields", format!("has more than {limit} fields"));
        } else if masks && spec.fields.is_empty() {
            let reason = "a redaction names what it masks: text, metadata, metadata.KEY";
            found("/fields", reason.to_owned());
        } else if !masks && !spec.fields.is_empty() {
            found("/fields", "only a redaction has fields".to_owned());
        }
        if let Err(errors) = Rule::parse(&spec.rule) {
            for error in errors {
                found(&format!("/rule{}", error.path), error.reason);
            }
        }
    }
    findings
}

fn read_fields(fields: &[String]) -> Result<Vec<Redacted>, Invalid> {
    fields.iter().map(|field| field.parse()).collect()
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
    let created = applied.iter().filter(|it| it.before.is_none()).count();
    if created > 0 && directory.policies(tenant).count() + created > limits::POLICIES_MAX {
        let reason = format!("the limit is {} a tenant", limits::POLICIES_MAX);
        let error =
            WireError::new(ErrorCode::ResourceExhausted, "too many policies").reason(reason);
        return Err(Refusal::allowed(&access.audit, error));
    }
    let writes: Vec<Write> = applied
        .iter()
        .filter(|it| it.outcome != "unchanged")
        .flat_map(|it| {
            let event = match it.before {
                None => PolicyEvent::Created,
                Some(_) => PolicyEvent::Updated,
            };
            revised(context, &it.policy, event)
        })
        .collect();
    refuse_lockout(directory, context, &access, &writes, command.force)?;
    let count = writes.len() as u64 / 2;
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
        fields: read_fields(&spec.fields)?,
        description: spec.description.filter(|text| !text.is_empty()),
        revision: 1,
        created_at: context.now,
        updated_at: context.now,
    };
    let Some(existing) = existing else {
        return Ok(Applied {
            outcome: "created",
            policy: Arc::new(policy),
            before: None,
        });
    };
    policy.id = existing.id;
    policy.revision = existing.revision;
    policy.created_at = existing.created_at;
    policy.updated_at = existing.updated_at;
    if policy == **existing {
        return Ok(Applied {
            outcome: "unchanged",
            policy: existing.clone(),
            before: Some(existing.clone()),
        });
    }
    policy.revision = existing.revision.saturating_add(1);
    policy.updated_at = context.now;
    Ok(Applied {
        outcome: "updated",
        policy: Arc::new(policy),
        before: Some(existing.clone()),
    })
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
    let event = match command.change {
        PolicyChange::SetActive(is_active) if policy.is_active == is_active => None,
        PolicyChange::Delete => Some(PolicyEvent::Deleted),
        PolicyChange::SetActive(true) => Some(PolicyEvent::Enabled),
        PolicyChange::SetActive(false) => Some(PolicyEvent::Disabled),
    };
    let mut policy = policy.clone();
    let mut writes = Vec::new();
    if let Some(event) = event {
        let mut changed = Policy::clone(&policy);
        if let PolicyChange::SetActive(is_active) = command.change {
            changed.is_active = is_active;
        }
        changed.revision = policy.revision.saturating_add(1);
        changed.updated_at = context.now;
        policy = Arc::new(changed);
        writes.extend(revised(context, &policy, event));
    }
    refuse_lockout(directory, context, &access, &writes, command.force)?;
    let count = u64::from(event.is_some());
    Ok(access.plan(writes, count, policy))
}

/// Gives a policy the content of an earlier revision again: as a new revision, or under its old id
/// if it was removed.
///
/// # Errors
///
/// A refusal, among others `CONFLICT` if the caller would lock itself out, or if the name of a removed
/// policy is taken.
pub fn roll_back(
    view: &impl View,
    context: &Context,
    command: &RollBackPolicy,
) -> Result<Plan<Arc<Policy>>, Refusal> {
    let mut access = begin(view, context)?;
    let directory = view.directory();
    let tenant = context.actor.identity.tenant;
    let Some(id) = directory.policy_id_by_ref(tenant, &command.policy) else {
        return Err(access.missing("policy", &command.policy, "manushyactl policy history"));
    };
    access.audit.resource_id = Some(id.to_bytes());
    let mut revisions = directory.revisions_of(tenant, id);
    let Some(old) = revisions.find(|it| it.policy.revision == command.revision) else {
        let reference = format!("{} {}", command.policy, command.revision);
        let hint = format!("manushyactl policy history {}", command.policy);
        return Err(access.missing("revision", &reference, &hint));
    };
    let last = directory.revisions_of(tenant, id).last();
    let last = last.map_or(command.revision, |it| it.policy.revision);
    // What was accepted once may not be accepted any more.
    if let Err(errors) = Rule::parse(&old.policy.rule) {
        let first = errors.first().map(ToString::to_string).unwrap_or_default();
        let error = WireError::new(ErrorCode::InvalidArgument, "the revision is not accepted")
            .reason(first);
        return Err(Refusal::allowed(&access.audit, error));
    }
    let current = directory.policy(tenant, id);
    if current.is_none() {
        if directory
            .policy_by_ref(tenant, old.policy.name.as_str())
            .is_some()
        {
            let message = format!("there is another policy {}", old.policy.name);
            let hint = "delete or roll back that one";
            return Err(access.conflict(message, "a name stands for one policy", hint));
        }
        if directory.policies(tenant).count() >= limits::POLICIES_MAX {
            let reason = format!("the limit is {} a tenant", limits::POLICIES_MAX);
            let error =
                WireError::new(ErrorCode::ResourceExhausted, "too many policies").reason(reason);
            return Err(Refusal::allowed(&access.audit, error));
        }
    }
    let mut policy = old.policy.clone();
    policy.revision = last.saturating_add(1);
    policy.updated_at = context.now;
    let policy = Arc::new(policy);
    let event = PolicyEvent::RolledBack(command.revision);
    let writes = Vec::from(revised(context, &policy, event));
    refuse_lockout(directory, context, &access, &writes, command.force)?;
    Ok(access.plan(writes, 1, policy))
}

/// The policies of a tenant as they would be after `specs` were applied, for questions about a draft.
/// What is new has an id that is made of its name.
///
/// # Errors
///
/// The first thing that is wrong with `specs`.
pub fn drafted(
    directory: &Directory,
    context: &Context,
    specs: &[PolicySpec],
) -> Result<Vec<Arc<Policy>>, WireError> {
    if let Some(finding) = validate(specs).first() {
        let message = format!("policy {} cannot be applied", finding.policy);
        return Err(WireError::new(ErrorCode::InvalidArgument, message)
            .reason(format!("at {}: {}", finding.path, finding.reason))
            .hint("manushyactl policy validate FILE shows everything that is wrong"));
    }
    let tenant = context.actor.identity.tenant;
    let mut policies: Vec<Arc<Policy>> = directory.policies(tenant).cloned().collect();
    for spec in specs {
        let id = made_id(spec.name.as_deref().unwrap_or_default());
        let applied = revise(directory, context, id, spec.clone())
            .map_err(|invalid| WireError::new(ErrorCode::InvalidArgument, invalid.to_string()))?;
        policies.retain(|policy| policy.id != applied.policy.id);
        policies.push(applied.policy);
    }
    Ok(policies)
}

fn made_id(name: &str) -> PolicyId {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::digest(name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    PolicyId::from_bytes(bytes)
}

/// Lets a draft run beside the live policies, in place of the one before; without policies, stops it.
///
/// # Errors
///
/// A refusal, among others `INVALID_ARGUMENT` for a draft that cannot be applied.
pub fn shadow(
    view: &impl View,
    context: &Context,
    specs: &[PolicySpec],
) -> Result<Plan<Option<Arc<PolicyDraft>>>, Refusal> {
    let access = begin(view, context)?;
    let directory = view.directory();
    let tenant = context.actor.identity.tenant;
    if specs.is_empty() {
        let runs = directory.draft(tenant).is_some();
        let writes = runs.then_some(Write::DropDraft(tenant));
        let count = u64::from(runs);
        return Ok(access.plan(writes.into_iter().collect(), count, None));
    }
    let bytes: usize = specs
        .iter()
        .map(|spec| spec.rule.to_string().len() + 4096)
        .sum();
    if bytes > SHADOW_BYTES_MAX {
        let error = WireError::new(ErrorCode::ResourceExhausted, "the draft is too large").reason(
            format!("a draft that runs has at most {SHADOW_BYTES_MAX} bytes of rules"),
        );
        return Err(Refusal::allowed(&access.audit, error));
    }
    let drafted = drafted(directory, context, specs)
        .map_err(|error| Refusal::allowed(&access.audit, error))?;
    let named = |policy: &&Arc<Policy>| {
        let name = policy.name.as_str();
        specs.iter().any(|spec| spec.name.as_deref() == Some(name))
    };
    let draft = Arc::new(PolicyDraft {
        tenant,
        policies: drafted
            .iter()
            .filter(named)
            .map(|policy| Policy::clone(policy))
            .collect(),
        by: context.actor.identity.id,
        at: context.now,
    });
    let count = draft.policies.len() as u64;
    Ok(access.plan(vec![Write::PutDraft(draft.clone())], count, Some(draft)))
}

/// How large a draft that runs may be, in bytes of its rules and 4 KiB for each policy: it is one
/// record of the store.
const SHADOW_BYTES_MAX: usize = 384 << 10;
