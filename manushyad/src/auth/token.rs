//! Access tokens: JWTs (RFC 7519) of the type `at+jwt` (RFC 9068), signed with Ed25519 (RFC 8037).
//!
//! The only file that names jsonwebtoken, which checks the signature. What it would let pass is
//! checked here: other header fields, other types, absent and unknown claims, times of any size.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use manushya_core::model::{Role, Scope, TenantName, Token};
use manushya_protocol::id::{IdentityId, TokenId};
use manushya_protocol::limits;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::unit::UnixMillis;
use serde::Deserialize;

use super::cache::Cache;
use super::claims::{AUDIENCE, Act, Claims, ISSUER, VerifiedClaims};
use super::error::TokenError;

/// The type of an access token (RFC 9068 section 2.1).
const TYPE: &str = "at+jwt";

/// What a token says beside what the daemon keeps of it.
#[derive(Clone, Copy, Debug)]
pub struct TokenFacts<'a> {
    /// The name of the token's tenant.
    pub tenant: &'a TenantName,
    /// The role of the identity on whose authority it is.
    pub role: &'a Role,
    /// That identity, and after it those who act on it, the token's bearer last. Never empty.
    pub chain: &'a [IdentityId],
    /// The session it is for, if it is one of those that a session renews.
    pub session: Option<TokenId>,
}

/// Issues and verifies access tokens.
pub struct TokenKeys {
    verifying: Vec<(String, DecodingKey)>,
    signing: (String, EncodingKey),
    validation: Validation,
    cache: Cache,
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKeys(..)")
    }
}

/// The header of a token: these fields, each once, and no others. So nothing in it can point to a
/// key (`jwk`, `jku`, `x5u`, `x5c`) or ask for rules of its own (`crit`, `b64`, `zip`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    alg: String,
    typ: String,
    kid: String,
}

impl TokenKeys {
    /// Takes the keys by `kid`. All verify; the last one signs.
    ///
    /// # Errors
    ///
    /// [`TokenError::Keys`] if there is none, or two have the same `kid`.
    pub fn new(keys: Vec<(String, SigningKey)>) -> Result<Self, TokenError> {
        let (kid, last) = keys.last().ok_or(TokenError::Keys("there is no key"))?;
        let der = last
            .to_pkcs8_der()
            .map_err(|_| TokenError::Keys("a key has no PKCS#8 form"))?;
        let signing = (kid.clone(), EncodingKey::from_ed_der(der.as_bytes()));
        let mut verifying: Vec<(String, DecodingKey)> = Vec::with_capacity(keys.len());
        for (kid, key) in keys {
            if verifying.iter().any(|(other, _)| *other == kid) {
                return Err(TokenError::Keys("two keys have the same kid"));
            }
            let public = key.verifying_key();
            verifying.push((kid, DecodingKey::from_ed_der(public.as_bytes())));
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // The times are checked by `check_times`, against the clock the caller has.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.leeway = 0;
        Ok(Self {
            verifying,
            signing,
            validation,
            cache: Cache::default(),
        })
    }

    /// Signs `token`. Times are cut to whole seconds.
    ///
    /// # Errors
    ///
    /// [`TokenError::Claim`] if its own [`TokenKeys::verify`] would not take it: it has no scope or
    /// too many, or a life of no time or of too long; [`TokenError::Length`] if it came out too
    /// long.
    pub fn issue(&self, token: &Token, facts: &TokenFacts<'_>) -> Result<BearerToken, TokenError> {
        let scopes: Vec<String> = token.scopes.iter().map(Scope::to_string).collect();
        let claims = || Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: facts.chain.first().unwrap_or(&token.identity).to_string(),
            tenant: facts.tenant.to_string(),
            role: facts.role.to_string(),
            scope: scopes.join(" "),
            iat: token.issued_at.as_seconds(),
            nbf: token.issued_at.as_seconds(),
            exp: token.expires_at.as_seconds(),
            jti: token.id.to_string(),
            act: Act::of(facts.chain),
            sid: facts.session.map(|id| id.to_string()),
        };
        claims().read()?;
        let (kid, key) = &self.signing;
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(kid.clone());
        let text = jsonwebtoken::encode(&header, &claims(), key)
            .map_err(|_| TokenError::Keys("signing failed"))?;
        check_length(&text)?;
        Ok(BearerToken::new(&text))
    }

    /// Verifies `token` at `now`.
    ///
    /// A signature costs about 30 us the first time; after that it is remembered and the times are
    /// checked anew. The caller goes on to ask whether the token is revoked and its identity
    /// active.
    ///
    /// # Errors
    ///
    /// A [`TokenError`] for everything but a token of this daemon that is valid at `now`.
    pub fn verify(
        &self,
        token: &BearerToken,
        now: UnixMillis,
    ) -> Result<Arc<VerifiedClaims>, TokenError> {
        let text = token.expose();
        check_length(text)?;
        let name = Cache::name(text);
        let claims = match self.cache.get(&name) {
            Some(claims) => claims,
            None => {
                let claims = Arc::new(self.verify_signed(text)?);
                self.cache.put(name, Arc::clone(&claims));
                claims
            }
        };
        claims.check_times(now)?;
        Ok(claims)
    }

    /// Checks everything of an access token but its times, to tell what it is.
    ///
    /// # Errors
    ///
    /// A [`TokenError`] for everything but a token of this daemon.
    pub fn inspect(&self, token: &BearerToken) -> Result<VerifiedClaims, TokenError> {
        check_length(token.expose())?;
        self.verify_signed(token.expose())
    }

    fn verify_signed(&self, text: &str) -> Result<VerifiedClaims, TokenError> {
        let mut parts = text.split('.');
        let (Some(header), Some(_), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        let header = BASE64URL_NOPAD
            .decode(header.as_bytes())
            .map_err(|_| TokenError::Malformed)?;
        let header: StrictHeader =
            serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
        if header.alg != "EdDSA" || header.typ != TYPE {
            return Err(TokenError::Malformed);
        }
        let (_, key) = self
            .verifying
            .iter()
            .find(|(kid, _)| *kid == header.kid)
            .ok_or(TokenError::Signature)?;
        let data = jsonwebtoken::decode::<Claims>(text, key, &self.validation)
            .map_err(|error| reason(error.kind()))?;
        data.claims.read()
    }

    /// How many tokens are remembered.
    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.cache.len()
    }
}

fn reason(kind: &jsonwebtoken::errors::ErrorKind) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => TokenError::Foreign,
        _ => TokenError::Malformed,
    }
}

fn check_length(text: &str) -> Result<(), TokenError> {
    if text.is_empty() || text.len() > limits::TOKEN_BYTES_MAX {
        return Err(TokenError::Length {
            actual_bytes: text.len(),
            limit_bytes: limits::TOKEN_BYTES_MAX,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
