//! Secrets that say nothing by themselves: API keys, refresh tokens and enrolment codes. Each is a
//! prefix that tells what it is and 256 random bits; what is kept of it is a keyed hash.

use data_encoding::BASE64URL_NOPAD;
use manushya_protocol::secret::BearerToken;

use crate::port::Cipher;

/// How many characters 32 bytes take (RFC 4648 section 5).
const CHARS: usize = 43;

/// Whether a secret starts with `prefix`.
pub fn has_prefix(secret: &BearerToken, prefix: &str) -> bool {
    secret.expose().starts_with(prefix)
}

/// Whether a secret is `prefix` and 256 bits, so that it is worth looking for.
pub fn is_well_formed(secret: &BearerToken, prefix: &str) -> bool {
    secret
        .expose()
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == CHARS && BASE64URL_NOPAD.decode(rest.as_bytes()).is_ok())
}

/// The keyed hash of a secret (HMAC-SHA256, RFC 2104, cut to 128 bits). `domain` keeps uses apart.
pub fn tag(cipher: &dyn Cipher, domain: &str, secret: &BearerToken) -> [u8; 16] {
    cipher.blind(domain, secret.expose().as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_a_prefix_and_256_bits_are_well_formed(bytes: [u8; 32], text in ".{0,60}") {
            let good = format!("mk_{}", BASE64URL_NOPAD.encode(&bytes));
            prop_assert!(is_well_formed(&BearerToken::new(&good), "mk_"));
            for bad in [&good[1..], &good[..45], &format!("{good}A"), &good.replace("mk_", "mr_"), &text] {
                prop_assert!(!is_well_formed(&BearerToken::new(bad), "mk_"), "{bad}");
            }
        }
    }
}
