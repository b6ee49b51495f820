//! Tokens whose signature was checked before.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::claims::VerifiedClaims;

/// Tokens remembered at the most.
pub(super) const TOKENS_MAX: usize = 10_000;

/// The claims of verified tokens by the SHA-256 of the token, so that the cache holds no token.
///
/// It saves the signature check and the parsing, and nothing else: times are checked on every call.
/// It is two generations of half the size; the older is dropped when the younger is full, so what
/// is used stays and a flood of tokens costs a bounded amount of memory.
#[derive(Default)]
pub(super) struct Cache(Mutex<Generations>);

type Generation = HashMap<[u8; 32], Arc<VerifiedClaims>>;

#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
}

impl Cache {
    /// The name of `token` in the cache.
    pub(super) fn name(token: &str) -> [u8; 32] {
        Sha256::digest(token.as_bytes()).into()
    }

    /// The claims remembered under `name`.
    pub(super) fn get(&self, name: &[u8; 32]) -> Option<Arc<VerifiedClaims>> {
        let mut generations = self.0.lock();
        if let Some(claims) = generations.young.get(name) {
            return Some(Arc::clone(claims));
        }
        let claims = generations.old.remove(name)?;
        generations.insert(*name, Arc::clone(&claims));
        Some(claims)
    }

    /// Remembers `claims` under `name`.
    pub(super) fn put(&self, name: [u8; 32], claims: Arc<VerifiedClaims>) {
        self.0.lock().insert(name, claims);
    }

    /// How many tokens are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let generations = self.0.lock();
        generations.young.len() + generations.old.len()
    }
}

impl Generations {
    fn insert(&mut self, name: [u8; 32], claims: Arc<VerifiedClaims>) {
        if self.young.len() >= TOKENS_MAX / 2 {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(name, claims);
    }
}
