//! Why something cannot be done with what is selected.

use super::{Model, Which};
use crate::keymap::Action as A;

/// What an action lacks; none if it can be done.
pub fn lacks(model: &Model, action: A) -> Option<&'static str> {
    identities(model, action)
        .or_else(|| memories(model, action))
        .or_else(|| policies(model, action))
        .or_else(|| others(model, action))
}

fn identities(model: &Model, action: A) -> Option<&'static str> {
    let list = &model.identities.list;
    let is_active = list.current().map(|identity| identity.is_active);
    match action {
        A::IdentityEnable
        | A::IdentityDisable
        | A::IdentityDelete
        | A::IdentityPermissions
        | A::IdentityTokens
        | A::IdentityAudit
            if is_active.is_none() =>
        {
            Some("no identity is selected")
        }
        _ if !list.marks.is_empty() => None,
        A::IdentityEnable if is_active == Some(true) => Some("it is active"),
        A::IdentityDisable if is_active == Some(false) => Some("it is disabled"),
        _ => None,
    }
}

fn memories(model: &Model, action: A) -> Option<&'static str> {
    let hit = model.memories.list.current();
    let which = model.memories.which;
    match action {
        A::MemoryExplain if hit.is_none_or(|hit| hit.parts.is_none()) => {
            Some("no result of a search is selected: s")
        }
        A::MemoryRestore if which != Which::Deleted => Some("only deleted ones can be restored: d"),
        A::MemoryEdit | A::MemoryDelete | A::MemoryHistory if which == Which::Deleted => {
            Some("it is deleted")
        }
        A::MemoryEdit | A::MemoryDelete | A::MemoryHistory if which == Which::Expired => {
            Some("it is expired")
        }
        A::MemoryHistory | A::MemoryEdit | A::MemoryRestore | A::MemoryDelete | A::MemoryErase
            if hit.is_none() =>
        {
            Some("no memory is selected")
        }
        _ => None,
    }
}

fn policies(model: &Model, action: A) -> Option<&'static str> {
    let is_active = model.policies.list.current().map(|policy| policy.is_active);
    match action {
        A::PolicyEnable | A::PolicyDisable | A::PolicyEdit | A::PolicyDelete
            if is_active.is_none() =>
        {
            Some("no policy is selected")
        }
        _ if !model.policies.list.marks.is_empty() => None,
        A::PolicyEnable if is_active == Some(true) => Some("it is active"),
        A::PolicyDisable if is_active == Some(false) => Some("it is disabled"),
        _ => None,
    }
}

fn others(model: &Model, action: A) -> Option<&'static str> {
    let tokens = &model.tokens.list;
    let plan = model.system.plans.current();
    match action {
        A::TokenRevoke if tokens.is_empty() => Some("no token is selected"),
        A::TokenRevoke
            if tokens.marks.is_empty()
                && tokens
                    .current()
                    .is_some_and(|token| token.state == "revoked") =>
        {
            Some("it is revoked")
        }
        A::SystemPurge if plan.is_none_or(|plan| plan.state != "planned") => {
            Some("no open plan is selected: n makes one")
        }
        A::SystemDoctor | A::AuditVerify if model.who.as_ref().is_some_and(|who| !who.operator) => {
            Some("only for the operator of the host")
        }
        _ => None,
    }
}
