//! Tokens that are taken, and the many that must not be.

mod conformance;
mod forged;

use ed25519_dalek::Signer;
use manushya_core::model::{Limits, TokenKind};
use manushya_protocol::id::{IdentityId, TenantId, TokenId};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: UnixMillis = UnixMillis(1_800_000_000_500);
const KID: &str = "0000000000000002";

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn keys() -> TokenKeys {
    TokenKeys::new(vec![(KID.to_owned(), signing_key())]).unwrap()
}

fn token() -> Token {
    Token {
        id: TokenId::from_bytes([1; 16]),
        tenant: TenantId::from_bytes([2; 16]),
        identity: IdentityId::from_bytes([3; 16]),
        scopes: vec![
            "memory:read".parse().unwrap(),
            "memory:search".parse().unwrap(),
        ],
        label: Some("a note that stays here".to_owned()),
        epoch: 1,
        issued_at: NOW,
        expires_at: NOW.plus_seconds(900),
        revoked_at: None,
        limits: Limits::default(),
        uses: None,
        purpose: None,
        parent: None,
        kind: TokenKind::Access,
    }
}

fn issue(keys: &TokenKeys, token: &Token) -> Result<BearerToken, TokenError> {
    let (tenant, role) = (
        TenantName::new("default").unwrap(),
        Role::new("agent").unwrap(),
    );
    keys.issue(
        token,
        &TokenFacts {
            tenant: &tenant,
            role: &role,
            chain: &[token.identity],
            session: None,
        },
    )
}

fn base64(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Signs any header and claims with the daemon's own key, as only a careless issuer could.
fn sign(header: &str, claims: &str) -> BearerToken {
    let message = format!(
        "{}.{}",
        base64(header.as_bytes()),
        base64(claims.as_bytes())
    );
    let signature = signing_key().sign(message.as_bytes());
    BearerToken::new(&format!("{message}.{}", base64(&signature.to_bytes())))
}

fn good_header() -> Value {
    json!({"typ": "at+jwt", "alg": "EdDSA", "kid": KID})
}

fn good_claims() -> Value {
    let now = NOW.as_seconds();
    json!({
        "iss": "manushyad", "aud": "manushya", "sub": IdentityId::from_bytes([3; 16]).to_string(),
        "tenant": "default", "role": "agent", "scope": "memory:read", "iat": now, "nbf": now,
        "exp": now + 900, "jti": TokenId::from_bytes([1; 16]).to_string(),
    })
}

#[track_caller]
fn check_refused(keys: &TokenKeys, token: &BearerToken, what: &str) {
    // Twice, since nothing refused may be remembered as good.
    for _ in 0..2 {
        assert!(keys.verify(token, NOW).is_err(), "taken: {what}");
    }
    assert_eq!(keys.remembered(), 0, "remembered: {what}");
}

#[test]
fn issued_token_says_what_was_put_in() {
    let keys = keys();
    let bearer = issue(&keys, &token()).unwrap();
    let claims = keys.verify(&bearer, NOW).unwrap();
    assert_eq!(claims.token, token().id);
    assert_eq!(claims.chain, [token().identity]);
    assert_eq!(claims.scopes, token().scopes);
    assert_eq!(
        (claims.tenant.as_str(), claims.role.as_str()),
        ("default", "agent")
    );
    assert_eq!(claims.issued_at, UnixMillis(1_800_000_000_000));
    assert_eq!(claims.expires_at, UnixMillis(1_800_000_900_000));
    // The header and the claims are those documented, and no more: no label, no epoch.
    let part = |index| -> Value {
        let part = bearer.expose().split('.').nth(index).unwrap();
        serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
    };
    assert_eq!(part(0), good_header());
    let mut names: Vec<String> = part(1).as_object().unwrap().keys().cloned().collect();
    names.sort();
    let all = [
        "aud", "exp", "iat", "iss", "jti", "nbf", "role", "scope", "sub", "tenant",
    ];
    assert_eq!(names, all);
}

#[test]
fn helper_signs_what_is_taken() {
    // Every refusal below is for its own reason only if this one is taken.
    let bearer = sign(&good_header().to_string(), &good_claims().to_string());
    keys().verify(&bearer, NOW).unwrap();
}

#[test]
fn times_are_checked_on_every_call_also_of_a_remembered_token() {
    let keys = keys();
    let bearer = issue(&keys, &token()).unwrap();
    let (begin, end) = (UnixMillis(1_800_000_000_000), UnixMillis(1_800_000_900_000));
    for _ in 0..2 {
        assert!(keys.verify(&bearer, begin).is_ok());
        assert!(keys.verify(&bearer, end.plus_millis(-1)).is_ok());
        assert_eq!(keys.verify(&bearer, end), Err(TokenError::Expired(end)));
        assert_eq!(
            keys.verify(&bearer, UnixMillis(i64::MAX)),
            Err(TokenError::Expired(end))
        );
        assert!(keys.verify(&bearer, begin.plus_millis(-5_000)).is_ok());
        let early = keys.verify(&bearer, begin.plus_millis(-5_001));
        assert_eq!(early, Err(TokenError::NotYet(begin)));
        assert!(keys.verify(&bearer, UnixMillis(i64::MIN)).is_err());
    }
    assert_eq!(keys.remembered(), 1);
}

#[test]
fn tokens_that_could_not_be_verified_are_not_issued() {
    let keys = keys();
    let life = |seconds| Token {
        expires_at: NOW.plus_seconds(seconds),
        ..token()
    };
    assert!(issue(&keys, &life(limits::TOKEN_TTL_SECONDS_MAX)).is_ok());
    assert!(issue(&keys, &life(limits::TOKEN_TTL_SECONDS_MAX + 1)).is_err());
    assert!(issue(&keys, &life(0)).is_err());
    let scopes = |count| Token {
        scopes: vec![Scope::ALL; count],
        ..token()
    };
    assert!(issue(&keys, &scopes(limits::SCOPES_MAX)).is_ok());
    assert!(issue(&keys, &scopes(limits::SCOPES_MAX + 1)).is_err());
    assert!(issue(&keys, &scopes(0)).is_err());
    let negative = Token {
        issued_at: UnixMillis(-9_000),
        ..token()
    };
    assert!(issue(&keys, &negative).is_err());
}

#[test]
fn keys_without_a_name_of_their_own_are_refused() {
    assert!(TokenKeys::new(Vec::new()).is_err());
    let twice = vec![
        (KID.to_owned(), signing_key()),
        (KID.to_owned(), signing_key()),
    ];
    assert!(TokenKeys::new(twice).is_err());
}

#[test]
fn older_key_still_verifies_and_the_last_one_signs() {
    let old = issue(&keys(), &token()).unwrap();
    let newer = SigningKey::from_bytes(&[8; 32]);
    let both = TokenKeys::new(vec![
        (KID.to_owned(), signing_key()),
        ("b".to_owned(), newer.clone()),
    ])
    .unwrap();
    assert!(both.verify(&old, NOW).is_ok());
    let new = issue(&both, &token()).unwrap();
    assert!(both.verify(&new, NOW).is_ok());
    check_refused(&keys(), &new, "signed by a key that is not there");
    // The same kid, another key.
    let other = TokenKeys::new(vec![(KID.to_owned(), newer)]).unwrap();
    check_refused(&other, &old, "signed by another key of the same kid");
}

#[test]
fn claims_missing_or_of_another_type_are_refused() {
    let keys = keys();
    let header = good_header().to_string();
    let good = good_claims();
    for (name, value) in good.as_object().unwrap() {
        let mut missing = good.clone();
        missing.as_object_mut().unwrap().remove(name);
        check_refused(&keys, &sign(&header, &missing.to_string()), name);
        let mut wrong = vec![
            json!(null),
            json!([value]),
            json!({}),
            json!(true),
            json!(""),
        ];
        wrong.push(if value.is_string() {
            json!(7)
        } else {
            json!(value.to_string())
        });
        wrong.push(if value.is_string() {
            json!("x y")
        } else {
            json!(1.5)
        });
        for value in wrong {
            let mut bad = good.clone();
            bad[name] = value;
            check_refused(&keys, &sign(&header, &bad.to_string()), &bad.to_string());
        }
        // The same claim twice, first the good one and first a bad one.
        let (text, twice) = (
            good.to_string(),
            json!({ name.as_str(): value }).to_string(),
        );
        let twice = format!("{},{}", &twice[..twice.len() - 1], &text[1..]);
        check_refused(&keys, &sign(&header, &twice), &twice);
    }
    let mut unknown = good.clone();
    unknown["admin"] = json!(true);
    check_refused(
        &keys,
        &sign(&header, &unknown.to_string()),
        "a claim never issued",
    );
}

#[test]
fn claims_with_other_values_are_refused() {
    let keys = keys();
    let now = NOW.as_seconds();
    let max = i64::try_from(limits::TOKEN_TTL_SECONDS_MAX).unwrap();
    let changes = [
        json!({"iss": "manushyad "}),
        json!({"iss": "https://example.com"}),
        json!({"aud": "other"}),
        json!({"aud": ["manushya"]}),
        json!({"aud": ["manushya", "other"]}),
        json!({"sub": "agent-a"}),
        json!({"sub": TokenId::from_bytes([3; 16]).to_string()}),
        json!({"jti": IdentityId::from_bytes([3; 16]).to_string()}),
        json!({"scope": "memory:fly"}),
        json!({"scope": "memory:read  memory:search"}),
        json!({"scope": " memory:read"}),
        json!({"scope": vec!["*"; limits::SCOPES_MAX + 1].join(" ")}),
        json!({"role": "a".repeat(65)}),
        json!({"exp": now}),
        json!({"exp": now - 1}),
        json!({"exp": 0}),
        json!({"exp": -1}),
        json!({"exp": now + max + 1}),
        json!({"exp": 9_000_000_000_000_000_000_i64}),
        json!({"exp": i64::MAX, "iat": i64::MAX - 1, "nbf": i64::MAX - 1}),
        json!({"exp": i64::MIN}),
        json!({"exp": u64::MAX}),
        json!({"iat": now + 6}),
        json!({"iat": -1}),
        json!({"iat": i64::MIN}),
        json!({"iat": now + 901, "exp": now + 900}),
        json!({"nbf": now + 6}),
        json!({"nbf": now + 900}),
        json!({"nbf": -1}),
        json!({"nbf": i64::MIN}),
        json!({"iat": now - 100, "nbf": now - 100, "exp": now - 1}),
        json!({"iat": now - max, "nbf": now - max, "exp": now + 1}),
    ];
    for change in changes {
        let mut claims = good_claims();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let bearer = sign(&good_header().to_string(), &claims.to_string());
        assert!(keys.verify(&bearer, NOW).is_err(), "taken: {change}");
    }
}

#[test]
fn shapes_that_are_no_token_are_refused() {
    let keys = keys();
    let good = issue(&keys, &token()).unwrap();
    let good = good.expose();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let long = "a".repeat(limits::TOKEN_BYTES_MAX - good.len() + 1);
    let giant = "a".repeat(10 << 20);
    for bad in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        message,
        signature,
        &format!("{message}."),
        &format!(".{message}.{signature}"),
        &format!("{good}."),
        &format!("{good}.x"),
        &format!("{good}="),
        &format!("{good}{long}"),
        &format!("{good} x"),
        &giant,
        &good.replace('.', ". "),
        &format!("{message}.{}", base64(&[0; 64])),
        &format!("{message}.{signature}{signature}"),
        "\u{0}",
        "\u{1F600}.\u{1F600}.\u{1F600}",
    ] {
        check_refused(&keys, &BearerToken::new(bad), &bad[..bad.len().min(60)]);
    }
    let at_limit = BearerToken::new(&"a".repeat(limits::TOKEN_BYTES_MAX));
    assert_eq!(keys.verify(&at_limit, NOW), Err(TokenError::Malformed));
    let above = BearerToken::new(&"a".repeat(limits::TOKEN_BYTES_MAX + 1));
    assert!(matches!(
        keys.verify(&above, NOW),
        Err(TokenError::Length { .. })
    ));
}

#[test]
fn mutated_tokens_are_refused() {
    let keys = keys();
    let good = issue(&keys, &token()).unwrap().expose().as_bytes().to_vec();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        // xorshift64: the same mutations on every run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let (mut tried, mut by_byte) = (0, vec![0u32; good.len()]);
    while tried < 10_000 {
        let mut bad = good.clone();
        let at = random(bad.len());
        // Bytes above 127 alone are no text, and so no token; any other byte may come.
        bad[at] = u8::try_from(random(128)).unwrap();
        if bad == good {
            continue;
        }
        let text = String::from_utf8(bad).unwrap();
        // Taken as it is: `new` would trim.
        let bearer: BearerToken = serde_json::from_value(json!(text)).unwrap();
        assert!(
            keys.verify(&bearer, NOW).is_err(),
            "byte {at} may be changed"
        );
        by_byte[at] += 1;
        tried += 1;
    }
    assert!(
        by_byte.iter().all(|&count| count > 0),
        "every byte was changed"
    );
    assert_eq!(keys.remembered(), 0);
}

#[test]
fn cache_is_bounded_and_keeps_what_is_used() {
    use super::super::cache::TOKENS_MAX;
    let cache = Cache::default();
    let claims = keys()
        .verify(&issue(&keys(), &token()).unwrap(), NOW)
        .unwrap();
    let used = Cache::name("used");
    cache.put(used, Arc::clone(&claims));
    for index in 0..3 * TOKENS_MAX {
        cache.put(Cache::name(&index.to_string()), Arc::clone(&claims));
        assert!(cache.get(&used).is_some());
        assert!(cache.len() <= TOKENS_MAX);
    }
    assert!(cache.get(&Cache::name("0")).is_none());
}

proptest! {
    #[test]
    fn arbitrary_text_is_never_taken(text in "[ -~]{0,80}(\\.[ -~]{0,80}){0,3}") {
        prop_assert!(keys().verify(&BearerToken::new(&text), NOW).is_err());
    }

    #[test]
    fn arbitrary_signed_claims_never_panic(claims in "[ -~]{0,200}") {
        let bearer = sign(&good_header().to_string(), &claims);
        prop_assert!(keys().verify(&bearer, NOW).is_err());
    }
}
