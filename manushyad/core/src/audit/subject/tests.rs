//! An export is what was signed, line by line, and nothing else passes for it.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::audit::Head;
use crate::audit::checkpoint::Checkpoint;

fn key(seed: u8) -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let verifier = VerifierKey::new(Origin::new("manushya/audit").unwrap(), key.verifying_key());
    (key, verifier)
}

/// The lines of an export with these counts of its parts, its manifest last.
fn export(counts: &[u64]) -> (Vec<String>, ExportManifest, VerifierKey) {
    let (signing, verifier) = key(1);
    let (mut lines, mut hash) = (Vec::new(), Sha256::new());
    for (n, count) in counts.iter().enumerate() {
        for at in 0..*count {
            let line = json!({"part": format!("part-{n}"), "data": {"at": at}}).to_string();
            hash.update(&line);
            hash.update("\n");
            lines.push(line);
        }
    }
    let head = Head::new();
    let manifest = ExportManifest {
        home: [9; 16],
        tenant: TenantId::from_bytes([2; 16]),
        subject: IdentityId::from_bytes([3; 16]),
        exported_by: IdentityId::from_bytes([4; 16]),
        exported_at: UnixMillis(1_700_000_000_000),
        parts: (0_u64..)
            .zip(counts)
            .map(|(n, lines)| ExportPart {
                name: format!("part-{n}"),
                lines: *lines,
                whole: n != 1,
            })
            .collect(),
        redacted: 0,
        sha256: Hash(hash.finalize().into()),
        audit_size: 0,
        audit_root: head.root(),
    };
    let note = manifest.sign(verifier.origin(), &signing);
    let checkpoint = head.checkpoint(verifier.origin().clone()).sign(&signing);
    lines.push(json!({"part": MANIFEST, "note": note, "checkpoint": checkpoint}).to_string());
    (lines, manifest, verifier)
}

fn check(lines: &[String], key: &VerifierKey) -> Result<ExportManifest, ExportError> {
    let mut check = ExportCheck::default();
    for line in lines {
        check.line(line.as_bytes())?;
    }
    check.finish(key).map(|(manifest, by)| {
        assert_eq!(by, *key);
        manifest
    })
}

proptest! {
    #[test]
    fn what_was_exported_verifies_and_says_what_was_signed(counts in vec(0_u64..5, 1..6)) {
        let (lines, manifest, key) = export(&counts);
        let read = check(&lines, &key).unwrap();
        prop_assert_eq!(read.lines(), counts.iter().sum::<u64>());
        prop_assert_eq!(read.is_whole(), counts.len() < 2);
        prop_assert_eq!(read, manifest);
    }

    #[test]
    fn line_that_is_missing_moved_twice_or_changed_is_noticed(
        counts in vec(1_u64..4, 2..5), at in any::<prop::sample::Index>(), how in 0..5,
    ) {
        let (mut lines, _, key) = export(&counts);
        let before = lines.clone();
        let at = at.index(lines.len());
        match how {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let to = (at + 1) % lines.len();
                lines.swap(at, to);
            }
            3 => lines[at] = lines[at].replacen("\"part\":\"", "\"part\":\"x", 1),
            _ => lines.truncate(at),
        }
        prop_assume!(lines != before);
        prop_assert!(check(&lines, &key).is_err());
    }

    #[test]
    fn flipped_byte_is_noticed(at in any::<prop::sample::Index>(), with in 1_u8..=255) {
        let (lines, manifest, key) = export(&[2, 1]);
        let mut bytes = lines.join("\n").into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        let mut read = ExportCheck::default();
        let taken = bytes.split(|byte| *byte == b'\n').try_for_each(|line| read.line(line));
        // The spelling of the manifest's own line is free; what it says is not.
        if let Ok((read, _)) = taken.and_then(|()| read.finish(&key)) {
            prop_assert_eq!(read, manifest);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(lines in vec(vec(any::<u8>(), 0..60), 0..4), text in ".{0,80}") {
        let mut read = ExportCheck::default();
        for line in &lines {
            let _ = read.line(line);
        }
        prop_assert!(read.finish(&key(1).1).is_err());
        prop_assert!(ExportManifest::parse(&text).is_err());
    }
}

#[test]
fn other_key_and_other_head_are_refused() {
    let (lines, _, key_of_log) = export(&[1, 1]);
    let (_, stranger) = key(2);
    assert!(matches!(
        check(&lines, &stranger),
        Err(ExportError::Note(_))
    ));
    assert!(check(&lines, &key_of_log).is_ok());
    // A head that the same key signed, of another log.
    let (signing, _) = key(1);
    let other = Checkpoint {
        origin: key_of_log.origin().clone(),
        size: 7,
        root: Hash([7; 32]),
    };
    let mut swapped = lines;
    let last = swapped.last_mut().unwrap();
    let mut value: serde_json::Value = serde_json::from_str(last).unwrap();
    value["checkpoint"] = other.sign(&signing).into();
    *last = value.to_string();
    assert!(matches!(
        check(&swapped, &key_of_log),
        Err(ExportError::Head)
    ));
}
