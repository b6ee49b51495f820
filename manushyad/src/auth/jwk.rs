//! Public keys as a JSON Web Key Set (RFC 7517), for those who verify tokens elsewhere.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use manushya_protocol::v1::key::{Jwk, JwkSet};

/// The public halves of `keys`, each under its `kid` (RFC 8037 section 2).
pub fn jwk_set(keys: &[(String, SigningKey)]) -> JwkSet {
    let jwk = |(kid, key): &(String, SigningKey)| Jwk {
        kty: "OKP".to_owned(),
        crv: "Ed25519".to_owned(),
        x: BASE64URL_NOPAD.encode(key.verifying_key().as_bytes()),
        kid: kid.clone(),
        alg: "EdDSA".to_owned(),
        usage: "sig".to_owned(),
    };
    JwkSet {
        keys: keys.iter().map(jwk).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 8037, appendix A.2: this private key has this public one.
    #[test]
    fn public_key_of_rfc_8037_is_as_printed_there() {
        let seed = BASE64URL_NOPAD
            .decode(b"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
            .unwrap();
        let key = SigningKey::from_bytes(&seed.try_into().unwrap());
        let set = jwk_set(&[("k".to_owned(), key)]);
        let json = serde_json::to_value(&set).unwrap();
        let expected = serde_json::json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA", "use": "sig",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }]});
        assert_eq!(json, expected);
    }
}
