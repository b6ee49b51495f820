//! Typed identifiers: one type per noun, each a UUIDv7 with a prefix that tells the noun.
//!
//! The text form is the prefix and 26 characters of base32hex (RFC 4648 section 7, lower case), so
//! that an id has no `-` or `:`, is selected by a double click and sorts by creation time.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_DNSSEC;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::unit::UnixMillis;

/// Says why a text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {noun} id; one looks like `{prefix}` and 26 letters and digits")]
pub struct ParseIdError {
    text: String,
    noun: &'static str,
    prefix: &'static str,
}

/// The longest text any id is parsed from; anything longer is refused unread.
const ID_TEXT_BYTES_MAX: usize = 40;

fn parse(text: &str, noun: &'static str, prefix: &'static str) -> Result<Uuid, ParseIdError> {
    let refuse = || ParseIdError {
        text: text.chars().take(ID_TEXT_BYTES_MAX).collect(),
        noun,
        prefix,
    };
    let body = text.strip_prefix(prefix).ok_or_else(refuse)?;
    if body.len() != 26 {
        return Err(refuse());
    }
    let bytes = BASE32_DNSSEC
        .decode(body.as_bytes())
        .map_err(|_| refuse())?;
    Uuid::from_slice(&bytes).map_err(|_| refuse())
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $noun:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// What every id of this noun starts with.
            pub const PREFIX: &'static str = $prefix;

            /// Builds an id from parts the caller owns, so that pure code needs no clock or
            /// randomness.
            pub fn from_parts(created_at: UnixMillis, entropy: [u8; 10]) -> Self {
                let millis = u64::try_from(created_at.0).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &entropy).into_uuid())
            }

            /// When it was made, in whole milliseconds: the first 48 bits of a UUIDv7 (RFC 9562
            /// section 5.7).
            pub fn created_at(self) -> UnixMillis {
                let millis = self.0.as_u128() >> 80;
                UnixMillis(i64::try_from(millis).unwrap_or(i64::MAX))
            }

            /// The 16 bytes as stored; they sort as the id does.
            pub fn to_bytes(self) -> [u8; 16] {
                *self.0.as_bytes()
            }

            /// The inverse of [`Self::to_bytes`].
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(&BASE32_DNSSEC.encode(self.0.as_bytes()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse(text, $noun, $prefix).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

typed_id!(
    /// Names one tenant, the hard wall between groups of identities.
    TenantId, "tenant", "ten_"
);
typed_id!(
    /// Names one identity for its whole life. Never reused.
    IdentityId, "identity", "idn_"
);
typed_id!(
    /// Names one memory for its whole life. Never reused; sorts by creation time.
    MemoryId, "memory", "mem_"
);
typed_id!(
    /// Names one policy through all its revisions.
    PolicyId, "policy", "pol_"
);
typed_id!(
    /// Names one access token; it is the `jti` claim of the JWT (RFC 7519 section 4.1.7).
    TokenId, "token", "tok_"
);
typed_id!(
    /// Names one invitation.
    InvitationId, "invitation", "inv_"
);
typed_id!(
    /// Names one limit that was set.
    LimitId, "limit", "lim_"
);
typed_id!(
    /// Names one binding of processes to an identity.
    BindingId, "binding", "bnd_"
);
typed_id!(
    /// Names one purge plan.
    PlanId, "purge plan", "prg_"
);
typed_id!(
    /// Names one request that waits for an approval.
    ApprovalId, "approval", "apr_"
);
typed_id!(
    /// Names one request, in errors, logs and the audit log alike.
    RequestId, "request", "req_"
);

typed_id!(
    /// Names one hold, which keeps things from being erased.
    HoldId, "hold", "hld_"
);
typed_id!(
    /// Names one backup; the file carries it too.
    BackupId, "backup", "bkp_"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn id_text_round_trips_and_sorts(a in any::<[u8; 16]>(), b in any::<[u8; 16]>()) {
            let (a, b) = (MemoryId::from_bytes(a), MemoryId::from_bytes(b));
            prop_assert_eq!(a.to_string().parse::<MemoryId>().unwrap(), a);
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn id_tells_when_it_was_made(millis in 0_i64..1 << 48, entropy in any::<[u8; 10]>()) {
            let id = MemoryId::from_parts(UnixMillis(millis), entropy);
            prop_assert_eq!(id.created_at(), UnixMillis(millis));
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,64}") {
            let _ = text.parse::<MemoryId>();
        }
    }

    #[test]
    fn id_of_another_noun_is_refused() {
        let id = PolicyId::from_bytes([7; 16]).to_string();
        assert!(id.parse::<MemoryId>().is_err());
    }
}
