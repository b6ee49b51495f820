//! `token`.

use serde_json::{Value, json};

use crate::{add, agent, daemon, found, word};

#[test]
fn revoked_token_fails_on_its_next_request_and_others_go_on() {
    let daemon = daemon();
    let operator = daemon.operator();
    let first = agent(&daemon, "a");
    let issued = operator.json(&["token", "issue", "a", "--label", "ci", "--ttl", "1h"]);
    let second = operator.token(&word(&issued["access_token"]));
    assert_eq!(second.json(&["whoami"])["token"], issued["token"]["id"]);
    operator.json(&["token", "revoke", &word(&issued["token"]["id"])]);
    assert_eq!(second.refused(4, &["whoami"])["code"], "UNAUTHENTICATED");
    assert_eq!(first.json(&["whoami"])["external_id"], "a");
    operator.json(&["token", "revoke", "--identity", "a"]);
    first.refused(4, &["memory", "list"]);
    let third = operator.json(&["token", "issue", "a"]);
    operator
        .token(&word(&third["access_token"]))
        .json(&["whoami"]);
}

#[test]
fn scopes_bound_what_a_token_can_do() {
    let daemon = daemon();
    let operator = daemon.operator();
    let agent = agent(&daemon, "a");
    let id = add(&agent, "tabs, not spaces");
    let issued = operator.json(&[
        "token",
        "issue",
        "a",
        "--scope",
        "memory:read,memory:search",
    ]);
    let narrow = operator.token(&word(&issued["access_token"]));
    assert_eq!(
        narrow.json(&["memory", "get", &id])["text"],
        "tabs, not spaces"
    );
    assert_eq!(found(&narrow, "tabs", &[]), [id.as_str()]);
    assert_eq!(narrow.refused(5, &["memory", "add", "x"])["code"], "DENIED");
    narrow.refused(5, &["memory", "delete", &id, "-y"]);
    assert_eq!(agent.json(&["memory", "list"])["total"], 1);
    // A token cannot widen itself either.
    let wider = narrow.run(&["token", "issue", "a", "--scope", "memory:*", "-o", "json"]);
    assert_ne!(wider.code, 0, "{wider:?}");
}

#[test]
fn forged_tokens_are_refused() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let token = agent.bearer().unwrap().to_owned();
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "a token is a JWT");
    let decode = |part: &str| -> Value {
        let bytes = data_encoding::BASE64URL_NOPAD
            .decode(part.as_bytes())
            .unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let encode =
        |value: &Value| data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let (header, claims) = (decode(parts[0]), decode(parts[1]));
    assert_eq!(header["alg"], "EdDSA");
    assert!(header["kid"].is_string());
    for name in [
        "iss", "aud", "sub", "tenant", "role", "iat", "nbf", "exp", "jti",
    ] {
        assert!(!claims[name].is_null(), "no {name} in {claims}");
    }
    let mut admin = claims.clone();
    admin["role"] = json!("admin");
    let mut flipped = token.clone().into_bytes();
    let middle = parts[0].len() + parts[1].len() + 2 + parts[2].len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let none = json!({"alg": "none", "typ": "JWT", "kid": header["kid"]});
    let hmac = json!({"alg": "HS256", "typ": "JWT", "kid": header["kid"]});
    let forged = [
        format!("{}.{}.{}", parts[0], encode(&admin), parts[2]),
        String::from_utf8(flipped).unwrap(),
        format!("{}.{}.", encode(&none), parts[1]),
        format!("{}.{}.{}", encode(&hmac), parts[1], parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        "x".to_owned(),
        "a".repeat(100_000),
    ];
    for token in &forged {
        let error = daemon.operator().token(token).refused(4, &["whoami"]);
        assert_eq!(error["code"], "UNAUTHENTICATED");
    }
    agent.json(&["whoami"]);
}

#[test]
fn token_of_another_daemon_is_refused() {
    let (one, two) = (daemon(), daemon());
    let stranger = agent(&one, "a");
    agent(&two, "a");
    two.operator()
        .token(stranger.bearer().unwrap())
        .refused(4, &["whoami"]);
}

#[test]
fn list_and_inspect_never_show_a_secret() {
    let daemon = daemon();
    let operator = daemon.operator();
    let agent = agent(&daemon, "a");
    let secret = agent.bearer().unwrap();
    let signature = secret.rsplit('.').next().unwrap();
    let list = operator
        .run(&["token", "list", "--identity", "a", "-o", "json"])
        .ok();
    assert!(!list.stdout.contains(signature), "{list:?}");
    assert_eq!(list.json()["items"][0]["state"], "active");
    let out = operator
        .run_with(&["token", "inspect", "-", "-o", "json"], secret.as_bytes())
        .ok();
    assert_eq!(out.json()["identity"], "a");
    assert!(!out.stdout.contains(signature));
    operator.json(&["token", "revoke", "--identity", "a"]);
    assert_eq!(
        operator.json(&["token", "list", "--identity", "a"])["total"],
        0
    );
    let all = operator.json(&["token", "list", "--identity", "a", "--all-states"]);
    assert_eq!(all["items"][0]["state"], "revoked");
}

#[test]
fn token_file_is_taken_and_arguments_are_not() {
    let daemon = daemon();
    let agent = agent(&daemon, "a");
    let file = daemon
        .home()
        .write("a.token", &format!("{}\n", agent.bearer().unwrap()));
    let me = daemon.operator().json(&["whoami", "--token-file", &file]);
    assert_eq!(me["external_id"], "a");
    daemon.operator().refused(2, &["whoami", "--token", "x"]);
}
