//! Secrets that say nothing by themselves: API keys, refresh tokens and enrolment codes. Each is a
//! prefix that tells what it is and 256 random bits; what is kept of it is a keyed hash.

use data_encoding::BASE64URL_NOPAD;
use manushya_protocol::secret::BearerToken;
use zeroize::Zeroizing;

use crate::port::Cipher;

/// Whether a secret starts with `prefix`.
pub fn has_prefix(secret: &BearerToken, prefix: &str) -> bool {
    secret.expose().starts_with(prefix)
}

/// Whether a secret is `prefix` and 256 bits, so that it is worth looking for.
pub fn is_well_formed(secret: &BearerToken, prefix: &str) -> bool {
    decode(secret, prefix, 32).is_some()
}

/// The `length` bytes behind `prefix` (base64url, RFC 4648 section 5), if a secret is that and no
/// more. Longer text is refused unread.
pub fn decode(secret: &BearerToken, prefix: &str, length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let rest = secret.expose().strip_prefix(prefix)?;
    if rest.len() != BASE64URL_NOPAD.encode_len(length) {
        return None;
    }
    BASE64URL_NOPAD
        .decode(rest.as_bytes())
        .ok()
        .map(Zeroizing::new)
}

/// How many bytes a secret has as text.
pub fn length(secret: &BearerToken) -> usize {
    secret.expose().len()
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
