//! Commands with what a test does not care about filled in.

use manushya_protocol::id::{IdentityId, MemoryId, PlanId, PolicyId, TokenId};
use manushya_protocol::v1::memory::{OnConflict, OnDuplicate};
use manushya_protocol::v1::policy::PolicySpec;
use serde_json::{Map, Value, json};

use super::command::Command;
use super::world::{World, content, embedding};
use crate::command::{
    AddMemory, ApplyPolicies, ApplyPurge, ChangePolicy, CreateIdentity, DeleteMemory, IssueToken,
    PlanPurge, PolicyChange, UpdateIdentity, UpdateMemory,
};
use crate::model::{Effect, ExternalId, Limits, MemoryKey, PurgeScope, Role, Scope, TokenKind};

pub fn add(world: &mut World, text: &str) -> AddMemory {
    AddMemory {
        id: world.id(MemoryId::from_bytes),
        key: None,
        content: content(text),
        embedding: embedding(text),
        created_at: None,
        on_conflict: OnConflict::Fail,
        source: None,
        canary: false,
        on_duplicate: OnDuplicate::Keep,
        alike: Vec::new(),
    }
}

pub fn add_key(world: &mut World, text: &str, key: &str, on_conflict: OnConflict) -> Command {
    Command::AddMemory(AddMemory {
        key: Some(MemoryKey::new(key).unwrap()),
        on_conflict,
        ..add(world, text)
    })
}

pub fn update(id: MemoryId) -> UpdateMemory {
    UpdateMemory {
        id,
        if_version: None,
        text: None,
        kind: None,
        tags: None,
        metadata: None,
        namespace: None,
        session: None,
        trust: None,
        expires_at: None,
        source: None,
    }
}

pub fn retell(id: MemoryId, text: &str) -> Command {
    Command::UpdateMemory(UpdateMemory {
        text: Some((text.to_owned(), embedding(text))),
        ..update(id)
    })
}

pub fn delete(id: MemoryId) -> Command {
    Command::DeleteMemory(DeleteMemory { id, hard: false })
}

pub fn erase(id: MemoryId) -> Command {
    Command::DeleteMemory(DeleteMemory { id, hard: true })
}

pub fn identity(world: &mut World, external_id: &str, role: &str) -> Command {
    Command::CreateIdentity(CreateIdentity {
        id: world.id(IdentityId::from_bytes),
        external_id: ExternalId::new(external_id).unwrap(),
        role: Role::new(role).unwrap(),
        name: None,
        description: None,
        claims: Map::new(),
        quarantine: false,
        token: world.id(TokenId::from_bytes),
        ttl_seconds: 86_400,
    })
}

pub fn change(id: IdentityId) -> UpdateIdentity {
    UpdateIdentity {
        identity: id.to_string(),
        ..UpdateIdentity::default()
    }
}

pub fn role(id: IdentityId, role: &str) -> Command {
    Command::UpdateIdentity(UpdateIdentity {
        role: Some(Role::new(role).unwrap()),
        ..change(id)
    })
}

pub fn issue(world: &mut World, identity: IdentityId, scopes: &[Scope]) -> Command {
    Command::IssueToken(IssueToken {
        id: world.id(TokenId::from_bytes),
        identity: identity.to_string(),
        ttl_seconds: 86_400,
        scopes: scopes.to_vec(),
        label: None,
        limits: Limits::default(),
        uses: None,
        delegate: false,
        kind: TokenKind::Access,
    })
}

pub fn spec(name: &str, role: &str, rule: Value, effect: Effect, priority: i32) -> PolicySpec {
    PolicySpec {
        fields: Vec::new(),
        name: Some(name.to_owned()),
        role: role.to_owned(),
        rule,
        effect,
        priority,
        is_active: true,
        description: None,
    }
}

/// A policy that tells `role` what it may do to what, at a priority of its own.
pub fn may(role: &str, action: &str, resource: &str) -> PolicySpec {
    let rule = json!({"and": [
        {"==": [{"var": "action"}, action]}, {"==": [{"var": "resource"}, resource]}]});
    spec(
        &format!("{role}-{action}-{resource}"),
        role,
        rule,
        Effect::Allow,
        0,
    )
}

pub fn policies(world: &mut World, specs: Vec<PolicySpec>, force: bool) -> Command {
    let items = specs
        .into_iter()
        .map(|spec| (world.id(PolicyId::from_bytes), spec))
        .collect();
    Command::ApplyPolicies(ApplyPolicies { items, force })
}

pub fn policy(reference: &str, change: PolicyChange) -> Command {
    Command::ChangePolicy(ChangePolicy {
        policy: reference.to_owned(),
        change,
        force: false,
    })
}

pub fn plan(world: &mut World, scope: PurgeScope, matched: Vec<(MemoryId, u32)>) -> Command {
    Command::PlanPurge(PlanPurge {
        id: world.id(PlanId::from_bytes),
        scope,
        filter_json: String::new(),
        matched,
    })
}

pub fn apply(plan: PlanId, confirm: &str, matched: Vec<(MemoryId, u32)>) -> Command {
    Command::ApplyPurge(ApplyPurge {
        plan,
        confirm: confirm.to_owned(),
        matched,
    })
}
