use std::collections::HashSet;

use proptest::prelude::*;

use super::super::strategy::entry;
use super::super::{Checkpoint, Head, Origin, VerifierKey, entry_hash};
use super::*;
use crate::model::{AlertKind, EXTENSIONS_BYTES_MAX, KeyKind};

const DOCS: &str = include_str!("../../../../../docs/formats/audit.md");

proptest! {
    #[test]
    fn every_entry_round_trips(entry in entry()) {
        let bytes = encode(&entry);
        let extensions = &entry.draft.extensions;
        let plain = extensions.is_empty();
        prop_assert_eq!(bytes[0], if plain { VERSION_1 } else { VERSION_2 });
        prop_assert!(!plain || bytes.len() <= VERSION_1_BYTES_MAX);
        prop_assert!(bytes.len() <= ENTRY_BYTES_MAX);
        // Version 2 is version 1 with something behind it.
        let mut without = entry.clone();
        without.draft.extensions = Extensions::default();
        let without = encode(&without);
        prop_assert_eq!(&bytes[1..without.len()], &without[1..]);
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
        version in VERSION_1..=VERSION_2,
    ) {
        let (flags, actor, action, resource, decision, outcome) = head;
        let mut bytes = vec![version, flags, actor, action, resource, decision, outcome];
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
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
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
    check_refused(0, 3, DecodeError::Version(3));
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

#[test]
fn extensions_have_one_form() {
    let (mut entry, plain) = example();
    entry.draft.extensions.set_alert(AlertKind::CanaryRead);
    let bytes = encode(&entry);
    let tail = &bytes[plain.len()..];
    assert_eq!(tail, [1, 3, 0, 1, 1]);
    let refused = |tail: &[u8], error| {
        let mut bytes = plain.clone();
        bytes[0] = VERSION_2;
        bytes.extend_from_slice(tail);
        assert_eq!(decode(&bytes), Err(error), "{tail:?}");
    };
    let actual = plain.len();
    refused(&[], DecodeError::Truncated { actual });
    refused(&[0], DecodeError::NoExtensions);
    refused(&[1, 3, 0, 1], DecodeError::Truncated { actual: actual + 4 });
    refused(&[1, 3, 0, 1, 1, 1], DecodeError::Trailing { extra: 1 });
    let order = DecodeError::Extension(ExtensionError::Order { tag: 3 });
    refused(&[2, 3, 0, 0, 3, 0, 0], order);
    refused(&[2, 4, 0, 0, 3, 0, 0], order);
    let mut long = vec![1, 200, 2, 1];
    long.resize(4 + 513, 0);
    refused(
        &long,
        DecodeError::Extension(ExtensionError::Bound { tag: 200 }),
    );
    // An unknown tag is kept as it is.
    let mut bytes = plain.clone();
    bytes[0] = VERSION_2;
    bytes.extend_from_slice(&[1, 250, 0, 2, 8, 9]);
    let decoded = decode(&bytes).unwrap();
    assert_eq!(encode(&decoded), bytes);
    assert_eq!(decoded.draft.extensions.unread().count(), 1);
}

#[test]
fn longest_entry_is_within_the_bound() {
    let mut entry = example().0;
    let draft = &mut entry.draft;
    draft.token = Some(TokenId::from_bytes([1; 16]));
    draft.resource_id = Some([2; 16]);
    for (tag, len) in [(1, 512), (2, EXTENSIONS_BYTES_MAX - 512 - 6)] {
        let bytes = vec![0; len];
        draft.extensions.push(Extension { tag, bytes }).unwrap();
    }
    let bytes = encode(&entry);
    assert_eq!(bytes.len(), VERSION_1_BYTES_MAX + 1 + EXTENSIONS_BYTES_MAX);
    assert!(bytes.len() <= ENTRY_BYTES_MAX);
    assert_eq!(decode(&bytes), Ok(entry));
}

#[test]
fn extensions_are_documented() {
    let alerts = AlertKind::ALL.iter().map(|one| (one.code(), one.as_str()));
    let keys = KeyKind::ALL.iter().map(|one| (one.code(), one.as_str()));
    for (number, word) in alerts.chain(keys) {
        let row = format!("| {number} | `{word}` |");
        assert!(DOCS.contains(&row), "docs/formats/audit.md lacks `{row}`");
    }
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
        extensions: Extensions::default(),
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
