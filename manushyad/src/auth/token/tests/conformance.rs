//! Public test vectors, found through `MANUSHYA_CONFORMANCE`.

use super::*;

fn wycheproof(name: &str) -> Option<Value> {
    let Some(dir) = std::env::var_os("MANUSHYA_CONFORMANCE") else {
        println!("skipped: {name} (MANUSHYA_CONFORMANCE is unset)");
        return None;
    };
    // Cargo runs tests in the folder of their crate; the variable counts from the workspace.
    let dir = std::path::PathBuf::from(dir);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let dir = if dir.exists() { dir } else { root.join(dir) };
    let bytes = std::fs::read(dir.join("wycheproof").join(name)).unwrap();
    Some(serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn ed25519_vectors_through_the_token_library() {
    let Some(suite) = wycheproof("ed25519_test.json") else {
        return;
    };
    let hex = |value: &Value| {
        data_encoding::HEXLOWER
            .decode(value.as_str().unwrap().as_bytes())
            .unwrap()
    };
    let mut count = 0;
    for group in suite["testGroups"].as_array().unwrap() {
        let key = DecodingKey::from_ed_der(&hex(&group["publicKey"]["pk"]));
        for test in group["tests"].as_array().unwrap() {
            let signature = base64(&hex(&test["sig"]));
            let message = hex(&test["msg"]);
            let verified =
                jsonwebtoken::crypto::verify(&signature, &message, &key, Algorithm::EdDSA);
            let valid = test["result"] == "valid";
            assert_eq!(verified.unwrap_or(false), valid, "{}", test["tcId"]);
            count += 1;
        }
    }
    println!("ed25519_test.json: {count} vectors");
    assert_eq!(Some(count), suite["numberOfTests"].as_u64());
}

#[test]
fn foreign_jws_vectors_are_refused() {
    let Some(suite) = wycheproof("json_web_signature_test.json") else {
        return;
    };
    let keys = keys();
    let mut count = 0;
    for group in suite["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            // Some are JSON objects, in the other serialisation of a JWS.
            let text = test["jws"]
                .as_str()
                .map_or_else(|| test["jws"].to_string(), str::to_owned);
            check_refused(&keys, &BearerToken::new(&text), &test["tcId"].to_string());
            count += 1;
        }
    }
    println!("json_web_signature_test.json: {count} vectors");
    assert!(count > 0);
}

/// The edge cases of C2SP/CCTV. A signature is compared byte by byte with the one that is computed
/// without the cofactor, so that these are refused whatever the key is.
#[test]
fn ed25519_edge_cases_are_refused() {
    let Some(dir) = std::env::var_os("MANUSHYA_CONFORMANCE") else {
        println!("skipped: ed25519vectors.json (MANUSHYA_CONFORMANCE is unset)");
        return;
    };
    let dir = std::path::PathBuf::from(dir);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let dir = if dir.exists() { dir } else { root.join(dir) };
    let bytes = std::fs::read(dir.join("cctv-ed25519/ed25519vectors.json")).unwrap();
    let vectors: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
    let hex = |value: &Value| {
        data_encoding::HEXLOWER
            .decode(value.as_str().unwrap().as_bytes())
            .unwrap()
    };
    let mut count = 0;
    for vector in &vectors {
        let flags = vector["flags"].to_string();
        if !["non_canonical_R", "low_order_residue"]
            .iter()
            .any(|flag| flags.contains(flag))
        {
            continue;
        }
        let key = DecodingKey::from_ed_der(&hex(&vector["key"]));
        let signature = base64(&hex(&vector["sig"]));
        let message = vector["msg"].as_str().unwrap().as_bytes();
        let verified = jsonwebtoken::crypto::verify(&signature, message, &key, Algorithm::EdDSA);
        assert!(!verified.unwrap_or(false), "{vector}");
        count += 1;
    }
    println!("ed25519vectors.json: {count} of {} vectors", vectors.len());
    assert!(count > 100, "{count}");
}
