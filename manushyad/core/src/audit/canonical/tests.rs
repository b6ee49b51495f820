use std::collections::HashSet;

use proptest::prelude::*;

use super::super::strategy::entry;
use super::super::{Checkpoint, Head, Origin, VerifierKey, entry_hash};
use super::*;

const DOCS: &str = include_str!("../../../../../docs/formats/audit.md");

proptest! {
    #[test]
    fn every_entry_round_trips(entry in entry()) {
        let bytes = encode(&entry);
        prop_assert!(bytes.len() <= VERSION_1_BYTES_MAX);
        prop_assert_eq!(decode(&bytes), Ok(entry));
    }

    #[test]
    fn mutated_bytes_are_refused_or_are_another_entry(
        entry in entry(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let original = encode(&entry);
        let mut bytes = original.clone();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(decoded) = decode(&bytes) {
            prop_assert_eq!(encode(&decoded), bytes.clone());
            prop_assert_eq!(decoded == entry, bytes == original);
        }
    }

    #[test]
    fn headed_noise_has_one_form(
        head in (0_u8..40, 0_u8..4, 0_u8..12, 0_u8..8, 0_u8..4, 0_u8..20),
        tail in prop::collection::vec(any::<u8>(), 72..165),
    ) {
        let (flags, actor, action, resource, decision, outcome) = head;
        let mut bytes = vec![VERSION, flags, actor, action, resource, decision, outcome];
        bytes.extend(tail);
        // Cut to each length: at most one of them can be an entry.
        let mut accepted = 0;
        for end in 0..=bytes.len() {
            if let Ok(decoded) = decode(&bytes[..end]) {
                prop_assert_eq!(encode(&decoded), &bytes[..end]);
                accepted += 1;
            }
        }
        prop_assert!(accepted <= 1);
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(decoded) = decode(&bytes) {
            prop_assert_eq!(encode(&decoded), bytes);
        }
    }
}

#[test]
fn error_numbers_are_one_to_one_and_documented() {
    let all = ErrorCode::ALL.iter().copied().chain([ErrorCode::Unknown]);
    let mut numbers = HashSet::from([OUTCOME_OK]);
    for code in all {
        let number = error_number(code);
        assert!(numbers.insert(number), "{code} shares its number");
        assert_eq!(error_code(number), Some(code));
        let row = format!("| {number} | `{code}` |");
        assert!(DOCS.contains(&row), "docs/formats/audit.md lacks `{row}`");
    }
    let known = (0..=255).filter(|&number| error_code(number).is_some());
    assert_eq!(known.count() + 1, numbers.len());
}

#[test]
fn actions_and_resources_are_documented() {
    let rows = Action::ALL.iter().map(|a| (a.code(), a.as_str()));
    for (number, word) in rows.chain(Resource::ALL.iter().map(|r| (r.code(), r.as_str()))) {
        let row = format!("| {number} | `{word}` |");
        assert!(DOCS.contains(&row), "docs/formats/audit.md lacks `{row}`");
    }
}

#[track_caller]
fn check_refused(at: usize, value: u8, error: DecodeError) {
    let mut bytes = example().1;
    bytes[at] = value;
    assert_eq!(decode(&bytes), Err(error));
}

#[test]
fn each_wrong_field_is_named() {
    check_refused(0, 0, DecodeError::Version(0));
    check_refused(0, 2, DecodeError::Version(2));
    check_refused(1, 0x3f, DecodeError::Flags(0x3f));
    check_refused(2, 3, DecodeError::Actor(3));
    check_refused(3, 0, DecodeError::Action(0));
    check_refused(4, 7, DecodeError::Resource(7));
    check_refused(5, 0, DecodeError::Decision(0));
    check_refused(6, 16, DecodeError::Outcome(16));
    let bytes = example().1;
    let actual = bytes.len();
    for end in 0..actual {
        let error = DecodeError::Truncated { actual: end };
        assert_eq!(decode(&bytes[..end]), Err(error));
    }
    let mut long = bytes;
    long.push(0);
    assert_eq!(decode(&long), Err(DecodeError::Trailing { extra: 1 }));
    long.resize(ENTRY_BYTES_MAX + 1, 0);
    assert!(matches!(decode(&long), Err(DecodeError::TooLong { .. })));
}

/// The entry that the documentation takes apart.
fn example() -> (AuditEntry, Vec<u8>) {
    Head::new().append(AuditDraft {
        time: UnixMillis(1_795_424_400_123),
        tenant: Some(TenantId::from_bytes([0x11; 16])),
        actor: AuditActor::Identity(IdentityId::from_bytes([0x22; 16])),
        peer_uid: Some(1000),
        token: None,
        action: Action::Search,
        resource: Resource::Memory,
        resource_id: None,
        decision: Decision::Deny,
        policy: Some(PolicyStamp {
            id: PolicyId::from_bytes([0x33; 16]),
            revision: 2,
        }),
        request_id: RequestId::from_bytes([0x44; 16]),
        outcome: Outcome::Error(ErrorCode::Denied),
        count: 0,
    })
}

#[test]
fn documented_example_is_what_is_written() {
    let bytes = example().1;
    // The example stands in the documentation in groups and lines.
    let squeezed: String = DOCS.split_whitespace().collect();
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    assert!(squeezed.contains(&hex), "documented example is not {hex}");
    let hash = entry_hash(&bytes).to_string();
    assert!(squeezed.contains(&hash), "documented hash is not {hash}");
}

#[test]
fn documented_checkpoint_is_what_is_signed() {
    let mut head = Head::new();
    head.append(example().0.draft);
    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let origin = Origin::new("host.example/audit").unwrap();
    let text = head.checkpoint(origin.clone()).sign(&key);
    assert!(DOCS.contains(&text), "documented checkpoint is not {text}");
    let verifier = VerifierKey::new(origin.clone(), key.verifying_key());
    assert!(
        DOCS.contains(&format!("\n{verifier}\n")),
        "documented key is not {verifier}"
    );
    assert_eq!(
        Checkpoint::verify(&text, &verifier),
        Ok(head.checkpoint(origin))
    );
}
