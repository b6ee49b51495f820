//! Headers that a forger could think of, over claims and a signature that are good.

use super::*;

/// Algorithms that are not the one there is.
const ALGORITHMS: &[&str] = &[
    "none",
    "None",
    "NONE",
    "nOnE",
    "",
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "PS256",
    "ES256",
    "ES384",
    "ES256K",
    "Ed25519",
    "Ed448",
    "eddsa",
    "EDDSA",
    "EdDSA ",
    " EdDSA",
    "EdDSA\u{0}",
];

/// Types of other tokens.
const TYPES: &[&str] = &[
    "JWT",
    "jwt",
    "AT+JWT",
    "application/at+jwt",
    "at+jwt ",
    "",
    "id+jwt",
    "dpop+jwt",
];

/// Names of keys that are not there.
const KIDS: &[&str] = &[
    "",
    "0",
    "1",
    "000000000000000",
    "00000000000000020",
    "0000000000000003",
    "../../dev/null",
    "/dev/null",
    "' OR 1=1 --",
    "http://localhost/key",
    "0000000000000002\u{0}",
];

/// Headers that are whole, but not right.
const TEXTS: &[&str] = &[
    "",
    "{}",
    "[]",
    "null",
    "\"EdDSA\"",
    "{",
    "{\"alg\":\"EdDSA\"}",
    r#"{"typ":"at+jwt","alg":"EdDSA"}"#,
    r#"{"typ":"at+jwt","kid":"0000000000000002"}"#,
    r#"{"alg":"EdDSA","kid":"0000000000000002"}"#,
    r#"{"typ":"at+jwt","alg":"none","alg":"EdDSA","kid":"0000000000000002"}"#,
    r#"{"typ":"at+jwt","alg":"EdDSA","alg":"EdDSA","kid":"0000000000000002"}"#,
    r#"{"typ":"at+jwt","alg":"EdDSA","kid":"0","kid":"0000000000000002"}"#,
    r#"{"typ":"JWT","typ":"at+jwt","alg":"EdDSA","kid":"0000000000000002"}"#,
    r#"{"typ":"at+jwt","Alg":"EdDSA","kid":"0000000000000002"}"#,
    r#"{"typ":"at+jwt","alg":"EdDSA","kid":"0000000000000002"}x"#,
];

#[test]
fn forged_headers_are_refused() {
    let keys = keys();
    let public = signing_key().verifying_key();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64(public.as_bytes())});
    let set = |changes: Value| {
        let mut header = good_header();
        for (name, value) in changes.as_object().unwrap() {
            header[name] = value.clone();
        }
        header.to_string()
    };
    let mut forged: Vec<String> = Vec::new();
    for alg in ALGORITHMS {
        forged.push(set(json!({"alg": alg})));
    }
    for typ in TYPES {
        forged.push(set(json!({"typ": typ})));
    }
    for kid in KIDS {
        forged.push(set(json!({"kid": kid})));
    }
    for value in [json!(null), json!(2), json!([KID]), json!({}), json!(true)] {
        for name in ["kid", "alg", "typ"] {
            forged.push(set(json!({name: value})));
        }
    }
    for extra in [
        json!({"jku": "https://example.com/keys"}),
        json!({"x5u": "https://example.com/cert"}),
        json!({"x5c": ["AAAA"]}),
        json!({"x5t": "AAAA"}),
        json!({"x5t#S256": "AAAA"}),
        json!({"jwk": jwk}),
        json!({"crit": ["exp"]}),
        json!({"crit": []}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"b64": false}),
        json!({"zip": "DEF"}),
        json!({"enc": "A128GCM"}),
        json!({"cty": "JWT"}),
        json!({"url": "https://example.com"}),
        json!({"nonce": "1"}),
        json!({"x": 1}),
    ] {
        forged.push(set(extra));
    }
    for text in TEXTS {
        forged.push((*text).to_owned());
    }
    forged.push("[".repeat(2_000));
    assert!(forged.len() > 80);
    for header in &forged {
        check_refused(&keys, &sign(header, &good_claims().to_string()), header);
    }
}

#[test]
fn public_key_is_no_hmac_secret_and_no_signature_is_none() {
    use hmac::{Hmac, Mac};
    let keys = keys();
    let public = signing_key().verifying_key();
    let claims = base64(good_claims().to_string().as_bytes());
    for alg in ["HS256", "EdDSA", "none"] {
        let header = json!({"typ": "at+jwt", "alg": alg, "kid": KID}).to_string();
        let message = format!("{}.{claims}", base64(header.as_bytes()));
        for secret in [&public.as_bytes()[..], KID.as_bytes(), b""] {
            let mac = <Hmac<sha2::Sha256> as Mac>::new_from_slice(secret).unwrap();
            let tag = mac.chain_update(message.as_bytes()).finalize().into_bytes();
            let twice = [&tag[..], &tag[..]].concat();
            for signature in [
                base64(&tag),
                base64(&twice),
                String::new(),
                base64(&[0; 64]),
            ] {
                let forged = BearerToken::new(&format!("{message}.{signature}"));
                check_refused(&keys, &forged, alg);
            }
        }
    }
}

/// A generator of numbers that is the same in every run.
fn next(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

/// One change of a good token: of a character, of its length, of its order, or of who signed.
fn mutate(good: &str, state: &mut u64) -> String {
    const ALPHABET: &[u8] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ";
    let mut bytes = good.as_bytes().to_vec();
    let at = next(state) % bytes.len();
    let any = ALPHABET[next(state) % ALPHABET.len()];
    match next(state) % 7 {
        0 | 1 => bytes[at] = any,
        2 => bytes.insert(at, any),
        3 => drop(bytes.remove(at)),
        4 => bytes.truncate(at),
        5 => {
            let other = next(state) % bytes.len();
            bytes.swap(at, other);
        }
        _ => {
            let parts: Vec<&str> = good.split('.').collect();
            let mut claims = good_claims();
            claims["exp"] = json!(NOW.as_seconds() + 1 + i64::try_from(at).unwrap());
            let claims = base64(claims.to_string().as_bytes());
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&state.to_be_bytes());
            let message = format!("{}.{claims}", parts[0]);
            let signature = SigningKey::from_bytes(&seed).sign(message.as_bytes());
            return format!("{message}.{}", base64(&signature.to_bytes()));
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn ten_thousand_forged_or_altered_tokens_are_refused() {
    let keys = keys();
    let good = issue(&keys, &token()).unwrap();
    assert!(keys.verify(&good, NOW).is_ok());
    let (mut state, mut refused) = (7, 0);
    while refused < 10_000 {
        let text = mutate(good.expose(), &mut state);
        // White space around a token is cut off, as files have it.
        if text.trim() == good.expose() {
            continue;
        }
        assert!(
            keys.verify(&BearerToken::new(&text), NOW).is_err(),
            "taken: {text}"
        );
        refused += 1;
    }
    assert_eq!(keys.remembered(), 1);
}
