//! How long a decision takes, by the number of policies: 100 in at most 100 us and 1,000 in at most
//! 300 us, at the 99th percentile. `cargo bench -p manushya-core --bench policy`.
// A bench that cannot go on says so by panicking.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use manushya_core::model::{Action, Effect, Policy, PolicyName, Resource, Role};
use manushya_core::policy::{Facts, IdentityFacts, MemoryFacts, PolicySet, RequestFacts};
use manushya_protocol::id::{IdentityId, MemoryId, PolicyId, TenantId};
use manushya_protocol::unit::UnixMillis;
use serde_json::{Map, Value, json};

const ROLES: [&str; 8] = [
    "agent", "user", "admin", "auditor", "planner", "coder", "tester", "writer",
];

/// A rule as policies have them: an action, a resource, then one to three facts.
fn rule(n: usize) -> Value {
    let actions = ["read", "search", "update", "delete", "create", "export"];
    let mut parts = vec![
        json!({"in": [{"var": "action"}, [actions[n % 6], actions[(n / 6) % 6]]]}),
        json!({"==": [{"var": "resource"}, if n.is_multiple_of(5) { "identity" } else { "memory" }]}),
        json!({"in": [format!("/team-{}", n % 97), {"var": "memory.namespace_path"}]}),
    ];
    if n.is_multiple_of(2) {
        parts.push(json!({"==": [{"var": "memory.type"}, "note"]}));
    }
    if n.is_multiple_of(3) {
        parts.push(json!({">=": [{"var": "memory.trust"}, n % 100]}));
    }
    json!({"and": parts})
}

fn policy(n: usize) -> Arc<Policy> {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(n as u64).to_be_bytes());
    // One in ten is for every role.
    let role = (!n.is_multiple_of(10)).then(|| Role::new(ROLES[n % 8]).unwrap());
    Arc::new(Policy {
        id: PolicyId::from_bytes(id),
        tenant: TenantId::from_bytes([1; 16]),
        name: PolicyName::new(format!("policy-{n}")).unwrap(),
        role,
        rule: rule(n),
        effect: if n.is_multiple_of(4) {
            Effect::Deny
        } else {
            Effect::Allow
        },
        priority: i32::try_from(n % 50).unwrap(),
        is_active: true,
        fields: Vec::new(),
        description: None,
        revision: 1,
        created_at: UnixMillis(0),
        updated_at: UnixMillis(0),
    })
}

/// What is asked: every request reads all policies that speak of it, since nothing matches.
struct Asked {
    identity: IdentityFacts,
    request: RequestFacts,
    role: Role,
}

impl Asked {
    fn new() -> Self {
        Self {
            identity: IdentityFacts {
                id: IdentityId::from_bytes([1; 16]).to_string(),
                external_id: "agent-a".into(),
                role: "agent".into(),
                tenant: "default".into(),
                claims: Map::new(),
            },
            request: RequestFacts {
                time: UnixMillis(1_795_426_200_000),
                transport: "unix".into(),
                peer_uid: Some(1000),
                purpose: None,
            },
            role: Role::new("agent").unwrap(),
        }
    }

    fn decide(&self, set: &PolicySet, action: Action) -> bool {
        let memory = MemoryFacts {
            id: Some(MemoryId::from_bytes([5; 16])),
            owner: Some(IdentityId::from_bytes([2; 16])),
            kind: Some("note"),
            namespace: Some("/elsewhere/x"),
            tags: Some(vec!["a", "b"]),
            trust: Some(50),
            age_seconds: Some(3600),
            ..MemoryFacts::default()
        };
        let facts = Facts::new(action, Resource::Memory, &self.identity, &self.request);
        set.decide(&self.role, &facts.with_memory(memory)).allowed
    }
}

/// Prints percentiles.
fn percentiles(name: &str, mut ask: impl FnMut()) {
    let mut times: Vec<Duration> = (0..20_000)
        .map(|_| {
            let start = Instant::now();
            ask();
            start.elapsed()
        })
        .collect();
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    println!(
        "{name}: p50 {:?}, p99 {:?}, p99.9 {:?}",
        at(0.5),
        at(0.99),
        at(0.999)
    );
}

fn main() {
    let asked = Asked::new();
    for count in [100, 1000, 10_000] {
        let set = PolicySet::build((0..count).map(policy));
        percentiles(&format!("decide among {count}"), || {
            black_box(asked.decide(&set, Action::Read));
        });
    }
    // The worst: all of one role, one action and one resource, so that no index helps.
    let alike = (0..1000).map(|n| {
        let mut policy = Policy::clone(&policy(n));
        policy.role = Some(Role::new("agent").unwrap());
        policy.rule = json!({"and": [
            {"==": [{"var": "action"}, "read"]},
            {"==": [{"var": "resource"}, "memory"]},
            {"==": [{"var": "memory.type"}, format!("type-{n}")]}]});
        Arc::new(policy)
    });
    let set = PolicySet::build(alike);
    percentiles("decide among 1000 that all speak of it", || {
        black_box(asked.decide(&set, Action::Read));
    });
}
