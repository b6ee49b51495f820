//! Values to store.

use manushya_core::model::{
    Action, ApiKey, DELEGATION_STEPS_MAX, DelegationStep, Effect, EmbedderTag, ExternalId,
    Identity, Kind, Limits, LoginSession, Memory, MemoryContent, MemoryKey, Namespace, PlanState,
    Policy, PolicyName, Provenance, PurgePlan, PurgeScope, Resource, Role, Scope, Session, Source,
    Superseded, Tag, Tenant, TenantName, Token, TokenKind, Trust, Uses,
};
use manushya_protocol::id::{IdentityId, MemoryId, PlanId, PolicyId, RequestId, TenantId, TokenId};
use manushya_protocol::unit::UnixMillis;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value};

fn id16(kind: u8, n: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id[0] = kind;
    id[12..].copy_from_slice(&n.to_be_bytes());
    id
}

/// A tenant and an identity of it.
pub(super) fn ids(tenant: u32, identity: u32) -> (TenantId, IdentityId) {
    (
        TenantId::from_bytes(id16(1, tenant)),
        IdentityId::from_bytes(id16(2, identity)),
    )
}

pub(super) fn memory_id(n: u32) -> MemoryId {
    MemoryId::from_bytes(id16(3, n))
}

/// A memory at version 1 without anything that is optional.
pub(super) fn simple_memory(tenant: u32, owner: u32, n: u32, text: &str) -> Memory {
    let (tenant, owner) = ids(tenant, owner);
    Memory {
        id: memory_id(n),
        tenant,
        owner,
        key: None,
        content: MemoryContent {
            text: format!("{text} {n}"),
            kind: Kind::default(),
            tags: Vec::new(),
            metadata: Map::new(),
            namespace: Namespace::default(),
            session: None,
            trust: Trust::default(),
            expires_at: None,
        },
        vector: Some(vec![0.5, -1.0, 0.25]),
        embedder: EmbedderTag::of("test/3@1"),
        version: 1,
        created_at: UnixMillis(1),
        updated_at: UnixMillis(1),
        deleted_at: None,
        provenance: Provenance::plain(owner, RequestId::from_bytes([0; 16]), UnixMillis(0)),
        quarantined: false,
        canary: false,
        superseded: None,
        supersedes: Vec::new(),
    }
}

fn moment() -> impl Strategy<Value = UnixMillis> {
    any::<i64>().prop_map(UnixMillis)
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9._]{0,20}"
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((".{0,6}", inner), 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn map() -> impl Strategy<Value = Map<String, Value>> {
    vec((".{0,6}", value()), 0..4).prop_map(|map| map.into_iter().collect())
}

/// A number that bf16 holds exactly, so that a vector reads back as it was.
fn number() -> impl Strategy<Value = f32> {
    any::<u16>().prop_map(|bits| {
        let number = half::bf16::from_bits(bits).to_f32();
        if number.is_finite() { number } else { 0.0 }
    })
}

fn content() -> impl Strategy<Value = MemoryContent> {
    let texts = ("[a-zé ]{0,200}x", name(), option::of(name()));
    let path = prop_oneof![Just("/".to_owned()), "/[a-z]{1,8}(/[a-z]{1,8}){0,3}"];
    let rest = (map(), path, 0u8..=100, option::of(moment()));
    (texts, btree_set(name(), 0..5), rest).prop_map(|((text, kind, session), tags, rest)| {
        let (metadata, path, trust, expires_at) = rest;
        MemoryContent {
            text,
            kind: Kind::new(kind).unwrap(),
            tags: tags.into_iter().map(|tag| Tag::new(tag).unwrap()).collect(),
            metadata,
            namespace: Namespace::new(path).unwrap(),
            session: session.map(|session| Session::new(session).unwrap()),
            trust: Trust::new(trust).unwrap(),
            expires_at,
        }
    })
}

fn provenance() -> impl Strategy<Value = Provenance> {
    let who = (
        any::<[u8; 16]>(),
        option::of(any::<[u8; 16]>()),
        any::<[u8; 16]>(),
    );
    let step =
        (any::<[u8; 16]>(), any::<[u8; 16]>()).prop_map(|(token, identity)| DelegationStep {
            token: TokenId::from_bytes(token),
            identity: IdentityId::from_bytes(identity),
        });
    let rest = (option::of(any::<u32>()), option::of(name()), moment());
    (who, vec(step, 0..=DELEGATION_STEPS_MAX), rest).prop_map(|(who, chain, rest)| Provenance {
        writer: IdentityId::from_bytes(who.0),
        token: who.1.map(TokenId::from_bytes),
        chain,
        peer_uid: rest.0,
        source: rest.1.map(|source| Source::new(source).unwrap()),
        request_id: RequestId::from_bytes(who.2),
        written_at: rest.2,
    })
}

pub(in crate::store) fn arb_memory() -> impl Strategy<Value = Memory> {
    let who = (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<[u8; 16]>());
    let rest = (
        option::of(name()),
        option::of(vec(number(), 0..20)),
        any::<u32>(),
        any::<u64>(),
    );
    let superseded = (any::<[u8; 16]>(), moment()).prop_map(|(by, at)| Superseded {
        by: MemoryId::from_bytes(by),
        at,
    });
    let supersedes = vec(any::<[u8; 16]>().prop_map(MemoryId::from_bytes), 0..3);
    let times = (
        moment(),
        moment(),
        option::of(moment()),
        option::of(superseded),
        supersedes,
    );
    let more = (provenance(), any::<bool>(), any::<bool>());
    (who, content(), rest, times, more).prop_map(|(who, content, rest, times, more)| Memory {
        id: MemoryId::from_bytes(who.0),
        tenant: TenantId::from_bytes(who.1),
        owner: IdentityId::from_bytes(who.2),
        key: rest.0.map(|key| MemoryKey::new(key).unwrap()),
        content,
        vector: rest.1,
        embedder: EmbedderTag(rest.3),
        version: rest.2,
        created_at: times.0,
        updated_at: times.1,
        deleted_at: times.2,
        provenance: more.0,
        quarantined: more.1,
        canary: more.2,
        superseded: times.3,
        supersedes: times.4,
    })
}

pub(in crate::store) fn arb_tenant() -> impl Strategy<Value = Tenant> {
    (any::<[u8; 16]>(), name(), any::<[u8; 16]>(), moment()).prop_map(|(id, name, operator, at)| {
        Tenant {
            id: TenantId::from_bytes(id),
            name: TenantName::new(name).unwrap(),
            operator: IdentityId::from_bytes(operator),
            created_at: at,
        }
    })
}

pub(in crate::store) fn arb_identity() -> impl Strategy<Value = Identity> {
    let texts = (name(), name(), option::of(".{0,30}"), option::of(".{0,30}"));
    let rest = (any::<[bool; 2]>(), any::<u32>(), moment(), moment());
    let who = (any::<[u8; 16]>(), any::<[u8; 16]>());
    (who, texts, map(), rest).prop_map(|(who, texts, claims, rest)| Identity {
        id: IdentityId::from_bytes(who.0),
        tenant: TenantId::from_bytes(who.1),
        external_id: ExternalId::new(texts.0).unwrap(),
        role: Role::new(texts.1).unwrap(),
        name: texts.2,
        description: texts.3,
        claims,
        is_active: rest.0[0],
        quarantine: rest.0[1],
        token_epoch: rest.1,
        created_at: rest.2,
        updated_at: rest.3,
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    let resource = prop::sample::select(Resource::ALL);
    let action = prop::sample::select(Action::ALL);
    (option::of(resource), option::of(action))
        .prop_map(|(resource, action)| Scope { resource, action })
}

fn token_kind() -> impl Strategy<Value = TokenKind> {
    let key = (any::<[u8; 16]>(), option::of(moment()))
        .prop_map(|(tag, last_used_at)| TokenKind::ApiKey(ApiKey { tag, last_used_at }));
    let session = (
        any::<u32>(),
        any::<[u8; 16]>(),
        option::of(any::<[u8; 16]>()),
        option::of(any::<u32>()),
        option::of(moment()),
    );
    let session = session.prop_map(|(generation, tag, retry_tag, peer_uid, last_used_at)| {
        TokenKind::Session(LoginSession {
            generation,
            tag,
            retry_tag,
            peer_uid,
            last_used_at,
        })
    });
    prop_oneof![Just(TokenKind::Access), key, session]
}

pub(in crate::store) fn arb_token() -> impl Strategy<Value = Token> {
    let who = (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<[u8; 16]>());
    let rest = (vec(scope(), 0..6), option::of(".{0,30}"), any::<u32>());
    let times = (moment(), moment(), option::of(moment()));
    let bounds = (
        option::of(prop::sample::select(vec!["/", "/a", "/a/b"])),
        vec(prop::sample::select(vec!["note", "fact"]), 0..3),
        option::of(any::<(u32, u32)>()),
        option::of(".{0,30}"),
        option::of(any::<[u8; 16]>()),
    );
    (who, rest, times, bounds, token_kind()).prop_map(|(who, rest, times, bounds, kind)| Token {
        id: TokenId::from_bytes(who.0),
        tenant: TenantId::from_bytes(who.1),
        identity: IdentityId::from_bytes(who.2),
        scopes: rest.0,
        label: rest.1,
        epoch: rest.2,
        issued_at: times.0,
        expires_at: times.1,
        revoked_at: times.2,
        limits: Limits {
            namespace: bounds.0.map(|text| Namespace::new(text).unwrap()),
            kinds: bounds
                .1
                .into_iter()
                .map(|text| Kind::new(text).unwrap())
                .collect(),
        },
        uses: bounds.2.map(|(max, left)| Uses { max, left }),
        purpose: bounds.3,
        parent: bounds.4.map(TokenId::from_bytes),
        kind,
    })
}

pub(in crate::store) fn arb_policy() -> impl Strategy<Value = Policy> {
    let who = (any::<[u8; 16]>(), any::<[u8; 16]>());
    let texts = (name(), option::of(name()), option::of(".{0,30}"));
    let effect = prop::sample::select(vec![Effect::Allow, Effect::Deny]);
    let rest = (value(), effect, any::<i32>(), any::<bool>(), any::<u32>());
    (who, texts, rest, (moment(), moment())).prop_map(|(who, texts, rest, times)| Policy {
        fields: Vec::new(),
        id: PolicyId::from_bytes(who.0),
        tenant: TenantId::from_bytes(who.1),
        name: PolicyName::new(texts.0).unwrap(),
        role: texts.1.map(|role| Role::new(role).unwrap()),
        rule: rest.0,
        effect: rest.1,
        priority: rest.2,
        is_active: rest.3,
        description: texts.2,
        revision: rest.4,
        created_at: times.0,
        updated_at: times.1,
    })
}

pub(in crate::store) fn arb_plan() -> impl Strategy<Value = PurgePlan> {
    let who = (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<[u8; 16]>());
    let scope = prop_oneof![
        any::<[u8; 16]>().prop_map(|id| PurgeScope::Subject(IdentityId::from_bytes(id))),
        Just(PurgeScope::Filter),
        Just(PurgeScope::Expired),
    ];
    let state = option::of(moment());
    let rest = (
        scope,
        ".{0,40}",
        ".{0,20}",
        any::<[u64; 4]>(),
        any::<[u8; 32]>(),
        state,
    );
    (who, rest, (moment(), moment())).prop_map(|(who, rest, times)| PurgePlan {
        id: PlanId::from_bytes(who.0),
        tenant: TenantId::from_bytes(who.1),
        planner: IdentityId::from_bytes(who.2),
        scope: rest.0,
        filter_json: rest.1,
        confirm: rest.2,
        memories: rest.3[0],
        versions: rest.3[1],
        tokens: rest.3[2],
        identities: rest.3[3],
        fingerprint: rest.4,
        created_at: times.0,
        expires_at: times.1,
        state: rest.5.map_or(PlanState::Planned, PlanState::Applied),
    })
}
