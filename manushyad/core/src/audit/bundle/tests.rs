use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use super::super::strategy::drafts;
use super::super::{Head, Origin};
use super::*;
use crate::model::AuditDraft;

const DOCS: &str = include_str!("../../../../../docs/formats/audit.md");

struct Log {
    entries: Vec<Vec<u8>>,
    leaves: Vec<Hash>,
    heads: Vec<Head>,
    key: SigningKey,
}

impl Log {
    fn new(drafts: &[AuditDraft]) -> Self {
        let mut head = Head::new();
        let mut log = Self {
            entries: Vec::new(),
            leaves: Vec::new(),
            heads: vec![head.clone()],
            key: SigningKey::from_bytes(&[7; 32]),
        };
        for draft in drafts {
            let (_, bytes) = head.append(draft.clone());
            log.leaves.push(chain::entry_hash(&bytes));
            log.entries.push(bytes);
            log.heads.push(head.clone());
        }
        log
    }

    fn key(&self) -> VerifierKey {
        VerifierKey::new(origin(), self.key.verifying_key())
    }

    fn note(&self, size: usize) -> String {
        self.heads[size].checkpoint(origin()).sign(&self.key)
    }

    fn inclusion(&self, index: usize) -> String {
        let size = self.entries.len();
        let path = merkle::inclusion_proof(&self.leaves, index).unwrap();
        let seq = AuditSeq(index as u64 + 1);
        let proof = inclusion(seq, &self.entries[index], &path, self.note(size));
        serde_json::to_string_pretty(&proof).unwrap()
    }

    fn consistency(&self, old: usize) -> String {
        let size = self.entries.len();
        let path = merkle::consistency_proof(&self.leaves, old).unwrap_or_default();
        let proof = consistency(self.note(old), self.note(size), &path);
        serde_json::to_string_pretty(&proof).unwrap()
    }
}

fn origin() -> Origin {
    Origin::new("host.example/audit").unwrap()
}

fn check(text: &[u8], key: &VerifierKey) -> Result<Proved, BundleError> {
    Bundle::parse(text)?.verify(key)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn proofs_verify_and_whatever_is_changed_in_them_is_noticed(
        drafts in drafts(1..40),
        at in any::<Index>(),
        edits in prop::collection::vec((any::<Index>(), 0_u8..8), 1..30),
    ) {
        let log = Log::new(&drafts);
        let key = log.key();
        let index = at.index(drafts.len());
        for text in [log.inclusion(index), log.consistency(index), log.consistency(index + 1)] {
            let honest: Value = serde_json::from_str(&text).unwrap();
            let proved = check(text.as_bytes(), &key).unwrap();
            if let Proved::Inclusion { entry, .. } = &proved {
                prop_assert_eq!(&entry.draft, &drafts[index]);
            }
            // One bit at a time, anywhere in the file.
            for (at, bit) in &edits {
                let mut changed = text.clone().into_bytes();
                let at = at.index(changed.len());
                changed[at] ^= 1 << bit;
                let verdict = check(&changed, &key);
                // White space may become other white space; then the file says the same.
                let same = serde_json::from_slice::<Value>(&changed).is_ok_and(|it| it == honest);
                if same {
                    prop_assert_eq!(verdict, Ok(proved.clone()));
                } else {
                    prop_assert!(verdict.is_err(), "{}", String::from_utf8_lossy(&changed));
                }
            }
            let other = SigningKey::from_bytes(&[8; 32]);
            let other = VerifierKey::new(origin(), other.verifying_key());
            prop_assert!(check(text.as_bytes(), &other).is_err());
        }
    }

    #[test]
    fn a_proof_serves_its_own_entry_and_log_only(
        drafts in drafts(2..30),
        at in any::<Index>(),
        other in any::<Index>(),
    ) {
        let log = Log::new(&drafts);
        let (a, b) = (at.index(drafts.len()), other.index(drafts.len()));
        prop_assume!(a != b);
        let mut forged: Value = serde_json::from_str(&log.inclusion(a)).unwrap();
        let honest: Value = serde_json::from_str(&log.inclusion(b)).unwrap();
        // The entry of one under the proof of the other, with and without its number.
        forged["entry"] = honest["entry"].clone();
        prop_assert!(check(forged.to_string().as_bytes(), &log.key()).is_err());
        forged["seq"] = honest["seq"].clone();
        prop_assert!(check(forged.to_string().as_bytes(), &log.key()).is_err());
        // A rewritten log, signed with the same key, is no growth of the honest one.
        let mut rewritten = drafts.clone();
        rewritten[a].count = rewritten[a].count.wrapping_add(1);
        let rewritten = Log::new(&rewritten);
        let old = log.note(a + 1);
        let path = merkle::consistency_proof(&rewritten.leaves, a + 1).unwrap();
        let claim = consistency(old, rewritten.note(drafts.len()), &path);
        let claim = serde_json::to_string(&claim).unwrap();
        let refused = matches!(
            check(claim.as_bytes(), &log.key()),
            Err(BundleError::NotConsistent { .. })
        );
        prop_assert!(refused);
    }

    #[test]
    fn noise_is_refused(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let log = Log::new(&[]);
        prop_assert!(check(&noise, &log.key()).is_err());
    }
}

#[test]
fn what_is_beyond_the_bounds_is_refused() {
    let long = vec![b' '; BUNDLE_BYTES_MAX + 1];
    assert!(matches!(
        Bundle::parse(&long),
        Err(BundleError::TooLong { .. })
    ));
    assert!(hashes(&vec![BASE64.encode(&[0; 32]); PROOF_HASHES_MAX]).is_ok());
    assert!(hashes(&vec![BASE64.encode(&[0; 32]); PROOF_HASHES_MAX + 1]).is_err());
    assert!(hashes(&[BASE64.encode(&[0; 33])]).is_err());
    assert!(hashes(&[BASE64.encode(&[0; 31])]).is_err());
    assert!(hashes(&["A".repeat(1 << 16)]).is_err());
    let other = br#"{"format":"manushya-audit-inclusion/2"}"#;
    assert!(matches!(Bundle::parse(other), Err(BundleError::Format(_))));
}

#[test]
fn unknown_and_repeated_fields_are_refused() {
    let log = Log::new(&[]);
    let text = log.consistency(0);
    assert!(check(text.as_bytes(), &log.key()).is_ok());
    let more = text.replacen('{', "{\"more\": 1,", 1);
    let twice = text.replacen('{', "{\"proof\": [],", 1);
    for text in [more, twice] {
        let refused = check(text.as_bytes(), &log.key());
        assert!(
            matches!(refused, Err(BundleError::Malformed(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn formats_are_documented() {
    for format in [INCLUSION_FORMAT, CONSISTENCY_FORMAT] {
        assert!(DOCS.contains(&format!("`{format}`")), "{format}");
    }
}
