use proptest::prelude::*;

use super::super::strategy::draft;
use super::super::{Examiner, Head, Origin, Verifier, What, read_notes};
use super::*;
use crate::model::AuditDraft;

fn origin() -> Origin {
    Origin::new("host.example/audit").unwrap()
}

fn secret(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(n: u8) -> VerifierKey {
    VerifierKey::new(origin(), secret(n).verifying_key())
}

fn hand_over(seq: u64, from: u8, to: u8) -> HandOver {
    let next = vouch(&secret(from), &secret(to).verifying_key());
    HandOver {
        seq: AuditSeq(seq),
        from: public(from),
        to: public(to),
        signature: next.signature,
    }
}

/// A log of ten entries of which the fourth hands over from key 1 to 2, and the eighth from 2 to 3.
fn log(plain: &AuditDraft, taking: &[(u64, NextAuditKey)]) -> (Vec<Vec<u8>>, Vec<Head>) {
    let mut head = Head::new();
    let (mut entries, mut heads) = (Vec::new(), vec![head.clone()]);
    for seq in 1..=10 {
        let mut draft = plain.clone();
        draft.extensions = Default::default();
        if let Some((_, next)) = taking.iter().find(|(at, _)| *at == seq) {
            draft.extensions.set_next_audit_key(next);
        }
        entries.push(head.append(draft).1);
        heads.push(head.clone());
    }
    (entries, heads)
}

fn honest() -> Vec<(u64, NextAuditKey)> {
    vec![
        (4, vouch(&secret(1), &secret(2).verifying_key())),
        (8, vouch(&secret(2), &secret(3).verifying_key())),
    ]
}

fn verified(entries: &[Vec<u8>]) -> Result<Verifier, What> {
    let mut verifier = Verifier::new();
    for entry in entries {
        verifier.push(entry).map_err(|broken| broken.what)?;
    }
    Ok(verifier)
}

#[test]
fn told_hand_overs_lead_from_each_key_to_the_newest() {
    let told = [hand_over(4, 1, 2), hand_over(8, 2, 3)];
    for (first, count) in [(1, 3), (2, 2), (3, 1)] {
        let keys = Keys::follow(public(first), &told).unwrap();
        assert_eq!(keys.to_vec().len(), count);
        assert_eq!(*keys.newest(), public(3));
        let views: Vec<_> = told.iter().map(HandOver::show).collect();
        assert_eq!(Keys::follow_told(public(first), &views), Ok(keys));
    }
    // A key that is not among them is followed nowhere.
    let keys = Keys::follow(public(9), &told).unwrap();
    assert_eq!(keys.to_vec(), [public(9)]);
}

#[test]
fn what_is_no_chain_is_refused() {
    let (one, two) = (hand_over(4, 1, 2), hand_over(8, 2, 3));
    let forged = HandOver {
        signature: hand_over(4, 7, 2).signature,
        ..one.clone()
    };
    let other = HandOver {
        to: public(7),
        ..one.clone()
    };
    for told in [vec![forged], vec![other]] {
        let error = Keys::follow(public(1), &told).unwrap_err();
        assert_eq!(error, HandOverError::NotSigned);
    }
    let gaps = [
        vec![one.clone(), hand_over(8, 7, 3)],
        vec![one.clone(), one.clone()],
        // Both by entry 4, or the later one first.
        vec![one.clone(), hand_over(4, 2, 3)],
        vec![hand_over(9, 1, 2), two.clone()],
    ];
    for told in gaps {
        let error = Keys::follow(public(1), &told).unwrap_err();
        assert_eq!(error, HandOverError::Gap);
    }
    let many = vec![one.clone(); HAND_OVERS_MAX + 1];
    assert_eq!(Keys::follow(public(1), &many), Err(HandOverError::TooMany));
    let mut view = one.show();
    view.signature.pop();
    assert!(Keys::follow_told(public(1), &[view]).is_err());
    // A weak key takes over nothing, whoever vouches.
    let mut weak = vouch(&secret(1), &secret(2).verifying_key());
    weak.public = [0; 32];
    weak.public[0] = 1;
    weak.signature = secret(1)
        .sign(&NextAuditKey::signed(&weak.public))
        .to_bytes();
    assert_eq!(
        check(&weak, &secret(1).verifying_key()),
        Err(HandOverError::Unsound)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn log_leads_from_each_of_its_keys_to_the_newest(plain in draft()) {
        let (entries, heads) = log(&plain, &honest());
        let verifier = verified(&entries).unwrap();
        for first in [1, 2, 3] {
            let keys = verifier.keys(public(first)).unwrap();
            prop_assert_eq!(keys.newest(), &public(3));
            let told = Keys::follow(public(first), &[hand_over(4, 1, 2), hand_over(8, 2, 3)]).unwrap();
            prop_assert!(verifier.check_keys(&told).is_ok());
        }
        prop_assert_eq!(verifier.keys(public(9)), Err(HandOverError::NotSigned));
        // What was told of it has to be in it, at its place, and all of it.
        for told in [
            vec![],
            vec![hand_over(4, 1, 2)],
            vec![hand_over(5, 1, 2), hand_over(8, 2, 3)],
            vec![hand_over(4, 1, 2), hand_over(8, 2, 5)],
        ] {
            let told = Keys::follow(public(1), &told).unwrap();
            prop_assert!(verifier.check_keys(&told).is_err());
        }
        // A hand-over that is yet to come is no contradiction.
        let early = verified(&entries[..7]).unwrap();
        let told = Keys::follow(public(1), &[hand_over(4, 1, 2), hand_over(8, 2, 3)]).unwrap();
        prop_assert!(early.check_keys(&told).is_ok());

        // Each key signs up to the entry that replaces it, and a later one whatever was before.
        let keys = verifier.keys(public(1)).unwrap();
        for (size, head) in heads.iter().enumerate() {
            for (key, end) in [(1, 4), (2, 8), (3, usize::MAX), (4, 0)] {
                let note = head.checkpoint(origin()).sign(&secret(key));
                prop_assert_eq!(keys.verify(&note).is_ok(), size < end, "key {} at {}", key, size);
            }
        }
        let anchor: String = [(1, 2), (2, 6), (3, 9), (1, 9), (4, 9)]
            .iter()
            .map(|(key, size)| {
                let head: &Head = &heads[*size];
                format!("{}\n", head.checkpoint(origin()).sign(&secret(*key)))
            })
            .collect();
        let notes = read_notes(&anchor, &keys);
        prop_assert_eq!((notes.good.len(), notes.bad.len()), (3, 2));
        let mut examiner = Examiner::new(notes.good);
        for entry in &entries {
            examiner.push(entry).unwrap();
        }
        prop_assert!(examiner.check_keys(&keys).is_ok());
        prop_assert!(examiner.finish(&heads[10].checkpoint(origin())).is_ok());
    }

    #[test]
    fn forged_hand_over_breaks_the_log(plain in draft(), at in 0_usize..64) {
        // The second is by another key than the one that the first names.
        let mut taking = honest();
        taking[1].1 = vouch(&secret(1), &secret(3).verifying_key());
        let (entries, _) = log(&plain, &taking);
        let refused = verified(&entries).unwrap_err();
        prop_assert_eq!(refused, What::HandOver(HandOverError::NotSigned));
        // The first is by nobody that is trusted.
        let mut taking = honest();
        taking[0].1.signature[at] ^= 1;
        let (entries, _) = log(&plain, &taking);
        let verifier = verified(&entries).unwrap();
        prop_assert_eq!(verifier.keys(public(1)), Err(HandOverError::NotSigned));
        let keys = verifier.keys(public(2)).unwrap();
        prop_assert_eq!(keys.newest(), &public(3));
    }
}
