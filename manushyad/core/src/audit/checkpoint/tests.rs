use ed25519_dalek::Signer as _;
use proptest::prelude::*;

use super::*;

fn origin(name: &str) -> Origin {
    Origin::new(name).unwrap()
}

fn signer(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn verifier(name: &str, seed: u8) -> VerifierKey {
    VerifierKey::new(origin(name), signer(seed).verifying_key())
}

fn sample() -> Checkpoint {
    Checkpoint {
        origin: origin("host.example/audit"),
        size: 20_852_163,
        root: Hash([0x5a; 32]),
    }
}

/// Signs any text as the log of [`sample`], also one that is no checkpoint.
fn sign_text(text: &str) -> String {
    let key = verifier("host.example/audit", 1);
    let mut bytes = key.id().to_vec();
    bytes.extend_from_slice(&signer(1).sign(text.as_bytes()).to_bytes());
    format!(
        "{text}\n\u{2014} {} {}\n",
        key.origin(),
        BASE64.encode(&bytes)
    )
}

proptest! {
    #[test]
    fn signed_checkpoint_verifies_and_no_changed_one_does(
        size in any::<u64>(),
        root in any::<[u8; 32]>(),
        seed in any::<[u8; 32]>(),
        at in any::<prop::sample::Index>(),
        replacement in any::<char>(),
    ) {
        let key = SigningKey::from_bytes(&seed);
        let checkpoint = Checkpoint { origin: origin("a.example/b"), size, root: Hash(root) };
        let verifier = VerifierKey::new(origin("a.example/b"), key.verifying_key());
        let text = checkpoint.sign(&key);
        prop_assert_eq!(Checkpoint::verify(&text, &verifier), Ok(checkpoint));
        prop_assert_eq!(verifier.to_string().parse::<VerifierKey>(), Ok(verifier.clone()));

        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        if chars[at] != replacement {
            chars[at] = replacement;
            let changed: String = chars.iter().collect();
            prop_assert!(Checkpoint::verify(&changed, &verifier).is_err());
        }
        chars.remove(at);
        let changed: String = chars.iter().collect();
        prop_assert!(Checkpoint::verify(&changed, &verifier).is_err());
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(\\PC|\n|\u{2014} |[+=/ 0-9a-f]){0,200}") {
        let key = verifier("host.example/audit", 1);
        prop_assert!(Checkpoint::verify(&text, &key).is_err());
        prop_assert!(Checkpoint::verify(&sign_text(&text), &key).is_err());
        let _ = text.parse::<VerifierKey>();
        let _ = Origin::new(&text);
    }

    #[test]
    fn verifier_key_has_one_text(at in any::<prop::sample::Index>(), c in any::<char>()) {
        let mut chars: Vec<char> = verifier("a.example/b", 3).to_string().chars().collect();
        let at = at.index(chars.len());
        chars[at] = c;
        let text: String = chars.into_iter().collect();
        if let Ok(key) = text.parse::<VerifierKey>() {
            prop_assert_eq!(key.to_string(), text);
        }
    }
}

#[test]
fn go_note_package_vector_verifies() {
    // The key and note that golang.org/x/mod/sumdb/note shows in its documentation.
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let key: VerifierKey = text.parse().unwrap();
    assert_eq!(key.to_string(), text);
    let body = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    let line = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ\
                SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    assert_eq!(key.verify_lines(body, line), Ok(()));
    let other = body.replace("problem", "question");
    assert!(matches!(
        key.verify_lines(&other, line),
        Err(NoteError::FalseSignature(_))
    ));
}

#[track_caller]
fn check_body(text: &str, ok: bool) {
    let key = verifier("host.example/audit", 1);
    let result = Checkpoint::verify(&sign_text(text), &key);
    assert_eq!(result.is_ok(), ok, "{text:?}: {result:?}");
}

#[test]
fn only_the_one_form_is_a_checkpoint_even_when_signed() {
    let root = BASE64.encode(&[7; 32]);
    let name = "host.example/audit";
    check_body(&format!("{name}\n0\n{root}\n"), true);
    check_body(&format!("{name}\n18446744073709551615\n{root}\n"), true);
    check_body(&format!("{name}\n18446744073709551616\n{root}\n"), false);
    for size in [
        "", "00", "01", "+1", "-1", " 1", "1 ", "0x1", "1e3", "1\r", "\u{0661}",
    ] {
        check_body(&format!("{name}\n{size}\n{root}\n"), false);
    }
    check_body(&format!("{name}\n1\n{root}\nextension\n"), false);
    check_body(&format!("{name}\n1\n{}\n", BASE64.encode(&[7; 31])), false);
    check_body(
        &format!("{name}\n1\n{}\n", root.trim_end_matches('=')),
        false,
    );
    check_body(&format!("{name}\n1\n"), false);
    check_body(&format!("\n1\n{root}\n"), false);
    check_body(&format!("other.example/audit\n1\n{root}\n"), false);
}

#[test]
fn other_keys_signatures_neither_help_nor_harm() {
    let key = verifier("host.example/audit", 1);
    let text = sample().sign(&signer(1));
    let foreign = sample().sign(&signer(2));
    let foreign_line = foreign.rsplit_once("\n\n").unwrap().1;
    assert_eq!(
        Checkpoint::verify(&foreign, &key),
        Err(NoteError::NotSigned(key.origin().clone()))
    );
    assert_eq!(
        Checkpoint::verify(&format!("{text}{foreign_line}"), &key),
        Ok(sample())
    );
    // A line that claims our name and id but was made by another key condemns the text.
    let mut bytes = key.id().to_vec();
    bytes.extend_from_slice(&signer(2).sign(sample().text().as_bytes()).to_bytes());
    let forged = format!("\u{2014} host.example/audit {}\n", BASE64.encode(&bytes));
    assert_eq!(
        Checkpoint::verify(&format!("{text}{forged}"), &key),
        Err(NoteError::FalseSignature(key.origin().clone()))
    );
    let long = format!("{text}{}", foreign_line.repeat(100));
    assert!(matches!(
        Checkpoint::verify(&long, &key),
        Err(NoteError::TooLong { .. })
    ));
    let sixteen = format!("{text}{}", foreign_line.repeat(15));
    assert_eq!(Checkpoint::verify(&sixteen, &key), Ok(sample()));
}

#[test]
fn malformed_signature_lines_are_refused() {
    let key = verifier("host.example/audit", 1);
    let text = sample().sign(&signer(1));
    for line in [
        "\n",
        "- a AAAAAAA=\n",
        "\u{2014} a\n",
        "\u{2014}  AAAAAAA=\n",
        "x",
    ] {
        assert!(
            Checkpoint::verify(&format!("{text}{line}"), &key).is_err(),
            "{line:?}"
        );
    }
    for line in [
        "\u{2014} a AAAA\n",
        "\u{2014} a AAAAAA==\n",
        "\u{2014} a AAAAAAB=\n",
    ] {
        assert!(
            Checkpoint::verify(&format!("{text}{line}"), &key).is_err(),
            "{line:?}"
        );
    }
    assert!(Checkpoint::verify(text.trim_end(), &key).is_err());
    assert!(Checkpoint::verify(&text.replace('\n', "\r\n"), &key).is_err());
}

#[test]
fn weak_or_mislabelled_keys_are_refused() {
    // The neutral point: under it, cofactored verification would accept signatures by anyone.
    let mut weak = [0; 32];
    weak[0] = 1;
    let weak = VerifierKey::new(origin("a"), VerifyingKey::from_bytes(&weak).unwrap());
    assert!(weak.to_string().parse::<VerifierKey>().is_err());
    let text = verifier("a.example/b", 1).to_string();
    assert!(
        text.replacen("a.example", "b.example", 1)
            .parse::<VerifierKey>()
            .is_err()
    );
    assert!(text.to_uppercase().parse::<VerifierKey>().is_err());
    assert!(Origin::new("a b").is_err());
    assert!(Origin::new("a+b").is_err());
    assert!(Origin::new("a\u{2003}b").is_err());
    assert!(Origin::new("").is_err());
    assert!(Origin::new(&"a".repeat(256)).is_err());
}
