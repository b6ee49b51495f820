//! `key`.

use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use manushya_tests::Caller;
use serde_json::Value;

use crate::{agent, daemon, programs, word};

fn part(text: &str) -> Vec<u8> {
    data_encoding::BASE64URL_NOPAD
        .decode(text.as_bytes())
        .unwrap()
}

/// Verifies a token as another program would: with nothing but the public set.
fn verifies(set: &Value, token: &str) -> bool {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let header: Value = serde_json::from_slice(&part(signed.split('.').next().unwrap())).unwrap();
    let keys = set["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap();
    assert_eq!((&key["kty"], &key["alg"]), (&"OKP".into(), &"EdDSA".into()));
    let public = VerifyingKey::from_bytes(&part(&word(&key["x"])).try_into().unwrap()).unwrap();
    let signature = Signature::from_slice(&part(signature)).unwrap();
    public.verify(signed.as_bytes(), &signature).is_ok()
}

/// How many keys sign or verify tokens.
#[track_caller]
fn of_tokens(by: &Caller) -> usize {
    let list = by.json(&["key", "list"]);
    let items = list["items"].as_array().unwrap();
    items.iter().filter(|it| it["kind"] == "jwt").count()
}

#[test]
fn rotated_key_signs_and_the_one_before_verifies_on() {
    let daemon = daemon();
    let ctl = daemon.operator();
    let old = agent(&daemon, "old");
    let before = ctl.json(&["key", "list"]);
    assert_eq!(of_tokens(&ctl), 1);
    assert_eq!(before["items"][0]["state"], "signing");
    let dry = ctl.json(&["key", "rotate", "jwt", "--dry-run"]);
    assert!(dry["kid"].is_null());
    assert_eq!(of_tokens(&ctl), 1);

    let rotated = ctl.json(&["key", "rotate", "jwt"]);
    assert_eq!(rotated["retired"], before["items"][0]["kid"]);
    let new = agent(&daemon, "new");
    for caller in [&old, &new] {
        caller.json(&["whoami"]);
    }
    let set = new.json(&["key", "jwks"]);
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    for caller in [&old, &new] {
        assert!(verifies(&set, caller.bearer().unwrap()));
    }
    let header: Value =
        serde_json::from_slice(&part(new.bearer().unwrap().split('.').next().unwrap())).unwrap();
    assert_eq!(header["kid"], rotated["kid"]);
    let listed = ctl.json(&["key", "list"]);
    let states: Vec<&Value> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["kind"] == "jwt")
        .map(|it| &it["state"])
        .collect();
    assert_eq!(states, ["verifying", "signing"]);
    assert!(
        listed["items"][0]["retired_at"].is_string()
            && listed["items"][1]["created_at"].is_string()
    );
    let log = ctl.json(&["audit", "list", "--action", "manage"]);
    assert!(log.to_string().contains(r#""key":"token""#), "{log}");

    // Both hold across a restart.
    let daemon = manushya_tests::Daemon::start_in(&programs(), daemon.stop());
    for caller in [&old, &new] {
        daemon
            .operator()
            .token(caller.bearer().unwrap())
            .json(&["whoami"]);
    }
    assert_eq!(of_tokens(&daemon.operator()), 2);
}

#[test]
fn only_the_operator_of_the_host_rotates_keys() {
    let daemon = daemon();
    let admin = crate::identity(&daemon.operator(), "boss", "admin");
    admin.refused(5, &["key", "rotate", "jwt"]);
    admin.refused(5, &["key", "list"]);
    admin.json(&["key", "jwks"]);
    daemon.operator().refused(2, &["key", "rotate", "moon"]);
    assert_eq!(of_tokens(&daemon.operator()), 1);
}
