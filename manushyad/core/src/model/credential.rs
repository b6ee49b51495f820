//! What bounds a credential beside its scopes, and what else a token's record may stand for.

use std::sync::Arc;

use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;

use super::identity::{Identity, Token};
use super::memory::Memory;
use super::text::{Invalid, Kind, Namespace};

/// Which memories a credential reaches at all, whatever policies say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Only those in this namespace and below.
    pub namespace: Option<Namespace>,
    /// Only those of these types; none stands for all.
    pub kinds: Vec<Kind>,
}

impl Limits {
    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        self.namespace.is_none() && self.kinds.is_empty()
    }

    /// Whether a memory of this type and namespace is within them.
    pub fn admit(&self, kind: &Kind, namespace: &Namespace) -> bool {
        let below = |limit: &Namespace| namespace.path().contains(&limit.as_str());
        self.namespace.as_ref().is_none_or(below)
            && (self.kinds.is_empty() || self.kinds.contains(kind))
    }

    /// Whether everything within these is within `wide`, too.
    pub fn are_within(&self, wide: &Self) -> bool {
        let namespace = match (&self.namespace, &wide.namespace) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(wide)) => own.path().contains(&wide.as_str()),
        };
        let kinds = wide.kinds.is_empty()
            || (!self.kinds.is_empty() && self.kinds.iter().all(|kind| wide.kinds.contains(kind)));
        namespace && kinds
    }

    /// The same, with what is not said taken from `wide`.
    #[must_use]
    pub fn or_inherit(self, wide: &Self) -> Self {
        Self {
            namespace: self.namespace.or_else(|| wide.namespace.clone()),
            kinds: match self.kinds.is_empty() {
                true => wide.kinds.clone(),
                false => self.kinds,
            },
        }
    }

    /// Checks that there are not too many.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there are.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.kinds.len() > limits::TOKEN_TYPES_MAX {
            let reason = format!(
                "are {}; the limit is {}",
                self.kinds.len(),
                limits::TOKEN_TYPES_MAX
            );
            return Err(Invalid::new("types", reason));
        }
        Ok(())
    }

    /// The limits in words, for messages.
    pub fn describe(&self) -> String {
        let namespace = self
            .namespace
            .as_ref()
            .map(|namespace| format!("the namespace {namespace}", namespace = namespace.as_str()));
        let kinds: Vec<&str> = self.kinds.iter().map(Kind::as_str).collect();
        let kinds = (!kinds.is_empty()).then(|| format!("the types {}", kinds.join(", ")));
        let parts: Vec<String> = namespace.into_iter().chain(kinds).collect();
        parts.join(" and ")
    }
}

/// How often a credential can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uses {
    /// How many calls it was made for.
    pub max: u32,
    /// How many of them are left.
    pub left: u32,
}

/// What the bearer of a token's record shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TokenKind {
    /// The token itself, a JWT.
    #[default]
    Access,
    /// An API key.
    ApiKey(ApiKey),
    /// Short access tokens, renewed by a refresh token.
    Session(LoginSession),
}

impl TokenKind {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Access => "token",
            Self::ApiKey(_) => "api-key",
            Self::Session(_) => "session",
        }
    }
}

/// What is kept of an API key: never the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The keyed hash (HMAC-SHA256) it is found by.
    pub tag: [u8; 16],
    /// When it was last used, to the minute.
    pub last_used_at: Option<UnixMillis>,
}

/// What is kept of a login session: never its refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSession {
    /// Counts the refresh tokens, from 1.
    pub generation: u32,
    /// The keyed hash (HMAC-SHA256) of the present refresh token.
    pub tag: [u8; 16],
    /// The keyed hash of what the client will show if the reply to its last refresh was lost.
    pub retry_tag: Option<[u8; 16]>,
    /// User id of the process that logged in.
    pub peer_uid: Option<u32>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<UnixMillis>,
}

/// One credential of a chain, with whose it is.
#[derive(Clone, Debug)]
pub struct Link {
    /// The credential's record.
    pub token: Arc<Token>,
    /// Who bears it.
    pub identity: Arc<Identity>,
}

impl Link {
    /// Whether it reaches a memory at all.
    pub fn reaches(&self, memory: &Memory) -> bool {
        let content = &memory.content;
        self.token.limits.admit(&content.kind, &content.namespace)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> impl Strategy<Value = Limits> {
        let namespace = prop::sample::select(vec!["/", "/a", "/a/b", "/b", "/ab"]);
        let kinds = prop::collection::vec(prop::sample::select(vec!["note", "fact", "task"]), 0..3);
        (prop::option::of(namespace), kinds).prop_map(|(namespace, kinds)| Limits {
            namespace: namespace.map(|text| Namespace::new(text).unwrap()),
            kinds: kinds
                .into_iter()
                .map(|kind| Kind::new(kind).unwrap())
                .collect(),
        })
    }

    proptest! {
        #[test]
        fn what_is_within_admits_no_more(
            narrow in limits(), wide in limits(),
            kind in prop::sample::select(vec!["note", "fact", "task", "other"]),
            namespace in prop::sample::select(vec!["/", "/a", "/a/b", "/a/b/c", "/ab", "/b"]),
        ) {
            let (kind, namespace) = (Kind::new(kind).unwrap(), Namespace::new(namespace).unwrap());
            let inherited = narrow.clone().or_inherit(&wide);
            for narrow in [narrow, inherited] {
                if narrow.are_within(&wide) && narrow.admit(&kind, &namespace) {
                    prop_assert!(wide.admit(&kind, &namespace), "{narrow:?} in {wide:?}");
                }
            }
        }
    }
}
