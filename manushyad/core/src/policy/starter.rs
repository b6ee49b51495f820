//! The policies a tenant starts with.

use serde_json::{Value, json};

use crate::model::Effect;

/// A policy as data, before it has an id and a tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct StarterPolicy {
    /// Its name.
    pub name: &'static str,
    /// The role it rules; none stands for every role.
    pub role: Option<&'static str>,
    /// JSON Logic.
    pub rule: Value,
    /// What it does when the rule is true.
    pub effect: Effect,
    /// Its priority.
    pub priority: i32,
    /// What it is for.
    pub description: &'static str,
}

/// The first policies of a tenant: admin may all, agent and user may work on their own memories,
/// and everyone may read their own identity and tokens. All have priority 0, so that any policy of
/// a higher priority overrules them.
pub fn starter_policies() -> Vec<StarterPolicy> {
    let own_memories = json!({"and": [
        {"==": [{"var": "resource"}, "memory"]},
        {"==": [{"var": "memory.owner"}, {"var": "identity.id"}]}
    ]});
    let self_read = json!({"and": [
        {"==": [{"var": "action"}, "read"]},
        {"in": [{"var": "resource"}, ["identity", "token"]]},
        {"==": [{"var": "target.id"}, {"var": "identity.id"}]}
    ]});
    let allow = |name, role, rule, description| StarterPolicy {
        name,
        role,
        rule,
        effect: Effect::Allow,
        priority: 0,
        description,
    };
    vec![
        allow(
            "admin-all",
            Some("admin"),
            json!(true),
            "Admins may do everything in the tenant.",
        ),
        allow(
            "agent-own-memories",
            Some("agent"),
            own_memories.clone(),
            "Agents may do everything with their own memories.",
        ),
        allow(
            "user-own-memories",
            Some("user"),
            own_memories,
            "Users may do everything with their own memories.",
        ),
        allow(
            "self-read",
            None,
            self_read,
            "Everyone may read their own identity and tokens.",
        ),
    ]
}
