//! Random facts, rules and policies.

use std::sync::Arc;

use manushya_protocol::id::{IdentityId, MemoryId, PolicyId, TenantId};
use manushya_protocol::unit::UnixMillis;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::model::{Action, Effect, Policy, PolicyName, Resource, Role};
use crate::policy::{Facts, IdentityFacts, MemoryFacts, RequestFacts};

/// 2026-11-23 was a Monday.
pub const MONDAY_0930: UnixMillis = UnixMillis(1_795_426_200_000);

pub fn me() -> IdentityId {
    IdentityId::from_bytes([1; 16])
}

pub fn other() -> IdentityId {
    IdentityId::from_bytes([2; 16])
}

pub fn identity(claims: Map<String, Value>) -> IdentityFacts {
    IdentityFacts {
        id: me().to_string(),
        external_id: "agent-a".into(),
        role: "agent".into(),
        tenant: "default".into(),
        claims,
    }
}

pub fn request() -> RequestFacts {
    RequestFacts {
        time: MONDAY_0930,
        transport: "unix".into(),
        peer_uid: Some(1000),
        purpose: None,
    }
}

pub fn policy(name: &str, rule: Value, effect: Effect, priority: i32) -> Policy {
    Policy {
        id: PolicyId::from_bytes([9; 16]),
        tenant: TenantId::from_bytes([3; 16]),
        name: PolicyName::new(name).unwrap(),
        role: Some(Role::new("agent").unwrap()),
        rule,
        effect,
        priority,
        is_active: true,
        fields: Vec::new(),
        description: None,
        revision: 1,
        created_at: MONDAY_0930,
        updated_at: MONDAY_0930,
    }
}

/// A memory, owned, so that facts can be lent from it.
#[derive(Clone, Debug)]
pub struct Remembered {
    pub owner: IdentityId,
    pub kind: &'static str,
    pub namespace: &'static str,
    pub path: &'static [&'static str],
    pub tags: Vec<&'static str>,
    pub session: Option<&'static str>,
    pub trust: u8,
    pub age_seconds: i64,
    pub metadata: Map<String, Value>,
}

impl Remembered {
    pub fn facts(&self) -> MemoryFacts<'_> {
        MemoryFacts {
            id: Some(MemoryId::from_bytes([5; 16])),
            owner: Some(self.owner),
            kind: Some(self.kind),
            namespace: Some(self.namespace),
            tags: Some(self.tags.clone()),
            session: self.session,
            trust: Some(self.trust),
            age_seconds: Some(self.age_seconds),
            writer: Some(self.owner),
            quarantined: Some(false),
            metadata: Some(&self.metadata),
        }
    }
}

/// All that one request is decided from.
#[derive(Clone, Debug)]
pub struct World {
    pub action: Action,
    pub resource: Resource,
    pub identity: IdentityFacts,
    pub request: RequestFacts,
    pub memory: Option<Remembered>,
}

impl World {
    pub fn base(&self) -> Facts<'_> {
        Facts::new(self.action, self.resource, &self.identity, &self.request)
    }

    pub fn facts(&self) -> Facts<'_> {
        match &self.memory {
            Some(memory) => self.base().with_memory(memory.facts()),
            None => self.base(),
        }
    }

    /// The facts for the oracle, put together by other code than the daemon's.
    pub fn json(&self) -> Value {
        let mut all = json!({
            "action": self.action.as_str(),
            "resource": self.resource.as_str(),
            "role": "agent",
            "claims": self.identity.claims,
            "identity": {
                "id": me().to_string(), "external_id": "agent-a", "role": "agent",
                "tenant": "default", "claims": self.identity.claims
            },
            "request": {
                "time": "2026-11-23T09:30:00.000Z", "hour": 9, "weekday": 1,
                "transport": "unix", "peer_uid": 1000
            },
        });
        if let Some(memory) = &self.memory {
            all["memory_type"] = memory.kind.into();
            all["memory"] = json!({
                "id": MemoryId::from_bytes([5; 16]).to_string(),
                "owner": memory.owner.to_string(),
                "type": memory.kind,
                "namespace": memory.namespace,
                "namespace_path": memory.path,
                "tags": memory.tags,
                "session": memory.session,
                "trust": memory.trust,
                "age_seconds": memory.age_seconds,
                "writer": memory.owner.to_string(),
                "quarantined": false,
                "metadata": memory.metadata,
            });
        }
        all
    }
}

pub fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-2..3_i64).prop_map(Value::from),
        prop_oneof![
            Just(json!(1.0)),
            Just(json!(1.5)),
            Just(json!(-0.0)),
            Just(json!(50))
        ],
        prop::sample::select(vec![
            "", "0", "1", "a", "note", "secret", "read", "memory", "/team", "ui", "agent",
        ])
        .prop_map(Value::from),
        prop::sample::select(vec![me().to_string(), other().to_string()]).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ]
}

fn attribute() -> impl Strategy<Value = Value> {
    let nullable = prop_oneof![6 => scalar(), 1 => Just(Value::Null)];
    prop_oneof![
        3 => scalar(),
        1 => Just(Value::Null),
        2 => prop::collection::vec(nullable, 0..4).prop_map(Value::Array),
    ]
}

fn attributes() -> impl Strategy<Value = Map<String, Value>> {
    let key = prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
    prop::collection::btree_map(key, attribute(), 0..3).prop_map(|map| map.into_iter().collect())
}

pub fn remembered() -> impl Strategy<Value = Remembered> {
    let namespaces: [(&str, &[&str]); 3] = [
        ("/", &["/"]),
        ("/team", &["/", "/team"]),
        ("/team/x", &["/", "/team", "/team/x"]),
    ];
    (
        prop::sample::select(vec![me(), other()]),
        prop::sample::select(vec!["note", "secret"]),
        prop::sample::select(namespaces.to_vec()),
        prop::sample::subsequence(vec!["a", "secret", "ui"], 0..4),
        prop::sample::select(vec![None, Some("a")]),
        prop::sample::select(vec![0_u8, 1, 50]),
        0..3_i64,
        attributes(),
    )
        .prop_map(
            |(owner, kind, place, tags, session, trust, age_seconds, metadata)| Remembered {
                owner,
                kind,
                namespace: place.0,
                path: place.1,
                tags,
                session,
                trust,
                age_seconds,
                metadata,
            },
        )
}

pub fn world() -> impl Strategy<Value = World> {
    (
        prop::sample::select(vec![Action::Read, Action::Search, Action::Delete]),
        prop::sample::select(vec![Resource::Memory, Resource::Identity]),
        attributes(),
        prop::option::weighted(0.8, remembered()),
    )
        .prop_map(|(action, resource, claims, memory)| World {
            action,
            resource,
            identity: identity(claims),
            request: request(),
            memory,
        })
}

const SCALAR_FACTS: [&str; 20] = [
    "action",
    "resource",
    "role",
    "identity.id",
    "identity.claims.a",
    "claims.b",
    "claims.c",
    "memory.owner",
    "memory.type",
    "memory_type",
    "memory.namespace",
    "memory.session",
    "memory.trust",
    "memory.age_seconds",
    "memory.metadata.a",
    "memory.metadata.b",
    "request.hour",
    "request.weekday",
    "request.purpose",
    "target.id",
];

const LIST_FACTS: [&str; 5] = [
    "memory.tags",
    "memory.namespace_path",
    "memory.metadata.a",
    "claims.a",
    "claims.b",
];

fn var(names: &[&'static str]) -> BoxedStrategy<Value> {
    let names = names.to_vec();
    (prop::sample::select(names), any::<bool>())
        .prop_map(|(name, listed)| {
            if listed {
                json!({"var": [name]})
            } else {
                json!({"var": name})
            }
        })
        .boxed()
}

fn list() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => var(&LIST_FACTS),
        1 => prop::collection::vec(scalar(), 0..4).prop_map(Value::Array),
    ]
}

fn rule_over(
    operand: BoxedStrategy<Value>,
    in_predicate: bool,
    depth: u32,
) -> BoxedStrategy<Value> {
    let equality = (
        prop::sample::select(vec!["==", "===", "!=", "!=="]),
        operand.clone(),
    )
        .prop_flat_map({
            let operand = operand.clone();
            move |(operator, a)| {
                operand
                    .clone()
                    .prop_map(move |b| json!({operator: [a.clone(), b]}))
            }
        });
    let order = (
        prop::sample::select(vec!["<", "<=", ">", ">="]),
        prop::collection::vec(operand.clone(), 2..4),
    )
        .prop_map(|(operator, operands)| json!({operator: operands}));
    let within = (operand.clone(), list()).prop_map(move |(needle, list)| {
        // The facts cannot be read inside a predicate.
        let list = if in_predicate && list.is_object() {
            json!(["a", 1])
        } else {
            list
        };
        json!({"in": [needle, list]})
    });
    let leaf = if in_predicate {
        prop_oneof![4 => equality, 3 => order, 2 => within, 1 => operand].boxed()
    } else {
        let item = prop_oneof![3 => Just(json!({"var": ""})), 1 => scalar()].boxed();
        let predicate = rule_over(item, true, 1);
        let each = (
            prop::sample::select(vec!["some", "all", "none"]),
            list(),
            predicate,
        )
            .prop_map(|(operator, list, predicate)| json!({operator: [list, predicate]}));
        prop_oneof![4 => equality, 3 => order, 3 => within, 2 => each, 1 => operand].boxed()
    };
    leaf.prop_recursive(depth, 24, 3, |inner| {
        let many = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            (prop::sample::select(vec!["and", "or"]), many.clone())
                .prop_map(|(operator, operands)| json!({operator: operands})),
            (prop::sample::select(vec!["!", "!!"]), inner.clone())
                .prop_map(|(operator, operand)| json!({operator: [operand]})),
            prop::collection::vec(inner.clone(), 2..5).prop_map(|operands| json!({"if": operands})),
            (inner.clone(), inner).prop_map(|(a, b)| json!({"==": [{"!!": [a]}, {"!": [b]}]})),
        ]
    })
    .boxed()
}

/// A rule that passes the fence.
pub fn rule() -> BoxedStrategy<Value> {
    let operand = prop_oneof![3 => var(&SCALAR_FACTS), 2 => scalar()].boxed();
    prop_oneof![
        20 => rule_over(operand, false, 3).prop_filter("a rule is no bare value", |rule| {
            rule.is_object()
        }),
        1 => any::<bool>().prop_map(Value::from),
    ]
    .boxed()
}

/// Up to eight policies for the role `agent` or for all roles.
pub fn policies() -> impl Strategy<Value = Vec<Arc<Policy>>> {
    let one = (
        rule(),
        prop::sample::select(vec![Effect::Allow, Effect::Deny, Effect::Require]),
        -1..2_i32,
        any::<bool>(),
        prop::bool::weighted(0.9),
    );
    prop::collection::vec(one, 0..8).prop_map(|all| {
        let build = |(index, (rule, effect, priority, any_role, is_active))| {
            let mut policy = policy(&format!("p{index}"), rule, effect, priority);
            policy.is_active = is_active;
            if any_role {
                policy.role = None;
            }
            Arc::new(policy)
        };
        all.into_iter().enumerate().map(build).collect()
    })
}
