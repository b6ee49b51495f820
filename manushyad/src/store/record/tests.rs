use manushya_core::model::{
    Action, Approval, ApprovalState, DataKeyId, Memory, PolicyDraft, PolicyEvent, PolicyRevision,
    Resource,
};
use manushya_protocol::id::{
    ApprovalId, IdentityId, MemoryId, PlanId, PolicyId, TenantId, TokenId,
};
use manushya_protocol::unit::UnixMillis;
use proptest::prelude::*;

use super::*;
use crate::store::tests::{arb_identity, arb_memory, arb_plan, arb_policy, arb_tenant, arb_token};

fn at(memory: &Memory) -> MemoryAt {
    MemoryAt {
        tenant: memory.tenant,
        id: memory.id,
    }
}

fn header_of(memory: &Memory, key: u64, due: Option<i64>) -> MemoryHeader {
    MemoryHeader {
        key: DataKeyId(key),
        owner: memory.owner,
        version: memory.version,
        due: due.map(UnixMillis),
        tag: memory.key.as_ref().map(|_| [7; 16]),
        deleted: memory.deleted_at.is_some(),
        held: memory.quarantined,
    }
}

proptest! {
    #[test]
    fn memory_round_trips(memory in arb_memory(), key in any::<u64>(), due in any::<Option<i64>>()) {
        let header = header_of(&memory, key, due);
        let plaintext = encode_memory(&memory, &header).unwrap();
        prop_assert_eq!(decode_memory(at(&memory), &header, &plaintext), Ok(memory));
        let row = [&header.to_bytes()[..], b"sealed"].concat();
        prop_assert_eq!(MemoryHeader::split(&row), Ok((header, &b"sealed"[..])));
    }

    #[test]
    fn directory_records_round_trip(
        tenant in arb_tenant(), identity in arb_identity(), token in arb_token(),
        policy in arb_policy(), plan in arb_plan(),
    ) {
        let bytes = encode_tenant(&tenant).unwrap();
        prop_assert_eq!(decode_tenant(tenant.id, &bytes), Ok(tenant));
        let bytes = encode_identity(&identity).unwrap();
        prop_assert_eq!(decode_identity(identity.tenant, identity.id, &bytes), Ok(identity));
        let bytes = encode_token(&token).unwrap();
        prop_assert_eq!(decode_token(token.tenant, token.id, &bytes), Ok(token));
        let bytes = encode_policy(&policy).unwrap();
        prop_assert_eq!(decode_policy(policy.tenant, policy.id, &bytes), Ok(policy.clone()));
        let events = [
            PolicyEvent::Created, PolicyEvent::Updated, PolicyEvent::Enabled, PolicyEvent::Disabled,
            PolicyEvent::Deleted, PolicyEvent::RolledBack(policy.revision.wrapping_sub(1)),
        ];
        for event in events {
            let revision = PolicyRevision { policy: policy.clone(), event, by: IdentityId::from_bytes([8; 16]) };
            let bytes = encode_policy_revision(&revision).unwrap();
            let id = revision_id(policy.id, policy.revision);
            prop_assert_eq!(decode_policy_revision(policy.tenant, id, &bytes), Ok(revision));
            let other = revision_id(policy.id, policy.revision.wrapping_add(1));
            prop_assert!(decode_policy_revision(policy.tenant, other, &bytes).is_err());
        }
        let by = IdentityId::from_bytes([9; 16]);
        let draft = PolicyDraft {
            tenant: policy.tenant, policies: vec![policy.clone(), policy.clone()], by, at: policy.created_at,
        };
        let bytes = encode_policy_draft(&draft).unwrap();
        prop_assert_eq!(decode_policy_draft(policy.tenant, &bytes), Ok(draft));
        let states = [
            ApprovalState::Waiting, ApprovalState::Granted(by), ApprovalState::Refused(by), ApprovalState::Used(by),
        ];
        for state in states {
            let approval = Approval {
                id: ApprovalId::from_bytes([1; 16]), tenant: policy.tenant, identity: by, authority: IdentityId::from_bytes([7; 16]), method: "memory_delete".to_owned(),
                action: Action::Delete, resource: Resource::Memory, resource_id: Some([4; 16]),
                policy: policy.stamp(), purpose: policy.description.clone(), state,
                created_at: policy.created_at, expires_at: policy.updated_at,
            };
            let bytes = encode_approval(&approval).unwrap();
            prop_assert!(decode_approval(policy.tenant, approval.id, &bytes[1..]).is_err());
            prop_assert_eq!(decode_approval(policy.tenant, approval.id, &bytes), Ok(approval));
        }
        let bytes = encode_plan(&plan).unwrap();
        prop_assert_eq!(decode_plan(plan.tenant, plan.id, &bytes), Ok(plan));
    }

    /// Every cut is refused, and a changed byte is refused or read as another record of the same
    /// bytes: no two forms of one record.
    #[test]
    fn altered_memory_is_refused_or_another(
        memory in arb_memory(), cut in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(), change in 1u8..,
    ) {
        let header = header_of(&memory, 1, None);
        let plaintext = encode_memory(&memory, &header).unwrap();
        let cut = cut.index(plaintext.len());
        prop_assert!(decode_memory(at(&memory), &header, &plaintext[..cut]).is_err());
        let mut longer = plaintext.to_vec();
        longer.push(0);
        prop_assert!(decode_memory(at(&memory), &header, &longer).is_err());
        let mut altered = plaintext.to_vec();
        altered[place.index(plaintext.len())] ^= change;
        if let Ok(other) = decode_memory(at(&memory), &header, &altered) {
            prop_assert_ne!(&other, &memory);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = MemoryHeader::split(&bytes);
        let _ = DirectoryHeader::split(&bytes);
        let id = [0; 16];
        let tenant = TenantId::from_bytes(id);
        let _ = decode_tenant(tenant, &bytes);
        let _ = decode_identity(tenant, IdentityId::from_bytes(id), &bytes);
        let _ = decode_token(tenant, TokenId::from_bytes(id), &bytes);
        let _ = decode_policy(tenant, PolicyId::from_bytes(id), &bytes);
        let _ = decode_policy_revision(tenant, id, &bytes);
        let _ = decode_approval(tenant, ApprovalId::from_bytes(id), &bytes);
        let _ = decode_policy_draft(tenant, &bytes);
        let _ = decode_plan(tenant, PlanId::from_bytes(id), &bytes);
        let at = MemoryAt { tenant, id: MemoryId::from_bytes(id) };
        let header = MemoryHeader {
            key: DataKeyId(0), owner: IdentityId::from_bytes(id), version: 0, due: None, tag: None,
            deleted: false,
            held: false,
        };
        let mut prefixed = vec![0; 25];
        prefixed.extend_from_slice(&bytes);
        let _ = decode_memory(at, &header, &prefixed);
    }
}

/// A policy whose rule is `bytes`, read back.
fn decode_rule(bytes: &[u8]) -> bool {
    let mut record = vec![1, b'p', 0];
    record.extend_from_slice(bytes);
    record.extend_from_slice(&[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    record.extend_from_slice(&[0; 16]);
    let id = [0; 16];
    decode_policy(TenantId::from_bytes(id), PolicyId::from_bytes(id), &record).is_ok()
}

#[test]
fn nesting_and_lengths_are_bounded_before_anything_is_allocated() {
    assert!(decode_rule(&[2]));
    let nested = |depth| [[7, 1].repeat(depth), vec![0]].concat();
    assert!(decode_rule(&nested(64)));
    assert!(!decode_rule(&nested(65)));
    assert!(!decode_rule(&nested(100_000)));
    // A list that claims 2^40 items, and one number in two forms.
    assert!(!decode_rule(&[7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]));
    assert!(decode_rule(&[3, 5]));
    assert!(!decode_rule(&[3, 0x85, 0]));
}
