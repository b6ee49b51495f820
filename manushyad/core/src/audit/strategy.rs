//! Random drafts and logs for the property tests of this folder.

use std::ops::Range;

use manushya_protocol::error::ErrorCode;
use manushya_protocol::id::{IdentityId, PolicyId, RequestId, TenantId, TokenId};
use manushya_protocol::unit::UnixMillis;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::{
    Action, AuditActor, AuditDraft, AuditEntry, Decision, Extension, Extensions, Hash, Outcome,
    PolicyStamp, Resource,
};

fn actors() -> impl Strategy<Value = AuditActor> {
    prop_oneof![
        Just(AuditActor::Anonymous),
        any::<[u8; 16]>().prop_map(|id| AuditActor::Identity(IdentityId::from_bytes(id))),
        Just(AuditActor::Daemon),
    ]
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Ok),
        select(ErrorCode::ALL).prop_map(Outcome::Error),
        Just(Outcome::Error(ErrorCode::Unknown)),
    ]
}

/// None for most entries, else known and unknown ones.
fn extensions() -> impl Strategy<Value = Extensions> {
    let some = prop::collection::btree_map(
        prop_oneof![0_u8..9, any::<u8>()],
        prop::collection::vec(any::<u8>(), 0..60),
        1..4,
    );
    let some = some.prop_map(|map| {
        let mut extensions = Extensions::default();
        for (tag, bytes) in map {
            let pushed = extensions.push(Extension { tag, bytes });
            pushed.expect("they ascend and are short");
        }
        extensions
    });
    prop_oneof![3 => Just(Extensions::default()), 1 => some]
}

/// Any draft.
pub fn draft() -> impl Strategy<Value = AuditDraft> {
    let who = (
        any::<i64>(),
        option::of(any::<[u8; 16]>()),
        actors(),
        option::of(any::<u32>()),
        option::of(any::<[u8; 16]>()),
    );
    let what = (
        select(Action::ALL),
        select(Resource::ALL),
        option::of(any::<[u8; 16]>()),
        select(&[Decision::Allow, Decision::Deny][..]),
        option::of((any::<[u8; 16]>(), any::<u32>())),
        any::<[u8; 16]>(),
        outcomes(),
        any::<u64>(),
    );
    (who, what, extensions()).prop_map(|(who, what, extensions)| {
        let (time, tenant, actor, peer_uid, token) = who;
        let (action, resource, resource_id, decision, policy, request_id, outcome, count) = what;
        AuditDraft {
            time: UnixMillis(time),
            tenant: tenant.map(TenantId::from_bytes),
            actor,
            peer_uid,
            token: token.map(TokenId::from_bytes),
            action,
            resource,
            resource_id,
            decision,
            policy: policy.map(|(id, revision)| PolicyStamp {
                id: PolicyId::from_bytes(id),
                revision,
            }),
            request_id: RequestId::from_bytes(request_id),
            outcome,
            count,
            extensions,
        }
    })
}

/// As many drafts as `count` says.
pub fn drafts(count: Range<usize>) -> impl Strategy<Value = Vec<AuditDraft>> {
    prop::collection::vec(draft(), count)
}

/// Any entry, at any place.
pub fn entry() -> impl Strategy<Value = AuditEntry> {
    (any::<u64>(), any::<[u8; 32]>(), draft()).prop_map(|(seq, prev_hash, draft)| AuditEntry {
        seq: manushya_protocol::unit::AuditSeq(seq),
        prev_hash: Hash(prev_hash),
        draft,
    })
}
