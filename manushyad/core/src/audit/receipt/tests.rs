//! Receipts hold what was said, and nothing else passes for one.

use manushya_protocol::id::RequestId;
use proptest::prelude::*;

use super::*;
use crate::audit::Head;
use crate::model::{AuditActor, Decision, Extensions};

fn draft(seq: u64, action: Action) -> AuditDraft {
    AuditDraft {
        time: UnixMillis(1_700_000_000_000 + seq.cast_signed()),
        tenant: Some(TenantId::from_bytes([2; 16])),
        actor: AuditActor::Daemon,
        peer_uid: None,
        token: None,
        action,
        resource: Resource::Identity,
        resource_id: None,
        decision: Decision::Allow,
        policy: None,
        request_id: RequestId::from_bytes([7; 16]),
        outcome: Outcome::Ok,
        count: 1,
        extensions: Extensions::default(),
    }
}

fn key(seed: u8) -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let verifier = VerifierKey::new(Origin::new("manushya/audit").unwrap(), key.verifying_key());
    (key, verifier)
}

/// A log of `size` entries, the receipt of its entry `at`, and all of it signed.
fn receipt(size: u64, at: u64, action: Action) -> (Receipt, SignedReceipt, VerifierKey) {
    let (signing, verifier) = key(1);
    let origin = verifier.origin().clone();
    let mut head = Head::new();
    let mut leaves = Vec::new();
    let mut entry_bytes = Vec::new();
    for seq in 1..=size {
        let (entry, bytes) = head.append(draft(seq, action));
        leaves.push(chain::entry_hash(&bytes));
        if entry.seq.0 == at {
            entry_bytes = bytes;
        }
    }
    let made = Receipt {
        home: [9; 16],
        plan: PlanId::from_bytes([1; 16]),
        tenant: TenantId::from_bytes([2; 16]),
        scope: "subject".to_owned(),
        subject: Some(IdentityId::from_bytes([3; 16])),
        erased: None,
        planned_by: IdentityId::from_bytes([4; 16]),
        planned_at: UnixMillis(1_700_000_000_000),
        applied_by: IdentityId::from_bytes([4; 16]),
        applied_at: UnixMillis(1_700_000_000_123),
        memories: 2,
        versions: 1,
        tokens: 1,
        identities: 1,
        tags: 3,
        tags_sha256: tags_hash(&[[5; 16]]),
        keys_destroyed: Some(2),
        root_epoch: 4,
        files_checked: 6,
        checked_at: UnixMillis(1_700_000_000_200),
        audit_seq: at,
        audit_entry: chain::entry_hash(&entry_bytes),
        held_by: vec![HeldBy {
            backup: BackupId::from_bytes([6; 16]),
            taken_at: UnixMillis(1_600_000_000_000),
            keep_until: None,
        }],
    };
    let path = merkle::inclusion_proof(&leaves, usize::try_from(at - 1).unwrap()).unwrap();
    let signed = SignedReceipt {
        note: made.sign(&origin, &signing),
        entry: entry_bytes,
        checkpoint: head.checkpoint(origin).sign(&signing),
        proof: path.iter().map(|hash| hash.0).collect(),
    };
    (made, signed, verifier)
}

#[test]
fn receipt_verifies_with_the_public_key_alone() {
    for (size, at) in [(1, 1), (5, 1), (5, 5), (64, 33)] {
        let (made, signed, verifier) = receipt(size, at, Action::Purge);
        let (_, other) = key(2);
        assert_eq!(Receipt::verify(&signed, &[other, verifier]).unwrap(), made);
    }
}

#[test]
fn receipt_of_another_key_or_of_no_erasure_is_refused() {
    let (_, signed, verifier) = receipt(8, 3, Action::Purge);
    let (_, other) = key(2);
    assert!(Receipt::verify(&signed, &[other]).is_err());
    assert!(Receipt::verify(&signed, &[]).is_err());
    let (_, read, _) = receipt(8, 3, Action::Read);
    assert!(matches!(
        Receipt::verify(&read, std::slice::from_ref(&verifier)),
        Err(ReceiptError::Entry(_))
    ));
    // A signed head is no receipt, and a receipt no head.
    let head = SignedReceipt {
        note: signed.checkpoint.clone(),
        ..signed.clone()
    };
    assert!(Receipt::verify(&head, std::slice::from_ref(&verifier)).is_err());
    assert!(Checkpoint::verify(&signed.note, &verifier).is_err());
}

proptest! {
    #[test]
    fn no_altered_byte_passes(at in 0_usize..4096, by in 1_u8..255, part in 0_usize..4) {
        let (made, mut signed, verifier) = receipt(9, 6, Action::Purge);
        let flip = |bytes: &mut Vec<u8>| {
            let at = at % bytes.len();
            bytes[at] ^= by;
        };
        match part {
            0 | 1 => {
                let text = if part == 0 { &mut signed.note } else { &mut signed.checkpoint };
                let mut bytes = std::mem::take(text).into_bytes();
                flip(&mut bytes);
                let Ok(altered) = String::from_utf8(bytes) else { return Ok(()) };
                *text = altered;
            }
            2 => flip(&mut signed.entry),
            _ => {
                let index = at % signed.proof.len();
                signed.proof[index][at % 32] ^= by;
            }
        }
        // A signature line of another name may be passed over, but then none is left.
        prop_assert_ne!(Receipt::verify(&signed, &[verifier]).ok(), Some(made));
    }
}
