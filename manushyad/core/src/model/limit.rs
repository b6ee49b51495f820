//! Limits: how often calls of a kind may be made, and how much may be kept.

use std::fmt;
use std::str::FromStr;

use manushya_protocol::id::{IdentityId, LimitId, TenantId};
use manushya_protocol::unit::UnixMillis;

use super::policy::Resource;
use super::text::{Invalid, Role};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitName {
    /// Calls about identities, a minute and identity.
    Identity,
    /// Calls about memories.
    Memory,
    /// Calls about policies.
    Policy,
    /// Calls about tokens, API keys and keys.
    Credential,
    /// Calls about invitations.
    Invitation,
    /// Calls about sessions.
    Session,
    /// Calls that read the audit log, and what happens.
    Audit,
    /// All other calls.
    Other,
    /// Pages of memories that are exported, an hour and identity.
    Exports,
    /// Memories that one identity has.
    Memories,
    /// Bytes that they take.
    Bytes,
    /// Memories of the whole tenant.
    TenantMemories,
    /// Bytes that those take.
    TenantBytes,
}

impl LimitName {
    /// All of them; each one's place is its number in records.
    pub const ALL: [Self; 13] = [
        Self::Identity,
        Self::Memory,
        Self::Policy,
        Self::Credential,
        Self::Invitation,
        Self::Session,
        Self::Audit,
        Self::Other,
        Self::Exports,
        Self::Memories,
        Self::Bytes,
        Self::TenantMemories,
        Self::TenantBytes,
    ];

    /// How many of them, from the first on, bound how often something is done.
    pub const RATES: usize = 9;

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Memory => "memory",
            Self::Policy => "policy",
            Self::Credential => "credential",
            Self::Invitation => "invitation",
            Self::Session => "session",
            Self::Audit => "audit",
            Self::Other => "other",
            Self::Exports => "exports",
            Self::Memories => "memories",
            Self::Bytes => "bytes",
            Self::TenantMemories => "tenant-memories",
            Self::TenantBytes => "tenant-bytes",
        }
    }

    /// What it counts, in words.
    pub fn counts(self) -> &'static str {
        match self {
            Self::Exports => "pages an hour",
            Self::Memories => "memories of an identity",
            Self::Bytes => "bytes of an identity",
            Self::TenantMemories => "memories of the tenant",
            Self::TenantBytes => "bytes of the tenant",
            _ => "calls a minute",
        }
    }

    /// Its number in records, and its place in [`Self::ALL`].
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The inverse of [`Self::code`].
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Whether it bounds how often something is done, rather than how much is kept.
    pub fn is_rate(self) -> bool {
        usize::from(self.code()) < Self::RATES
    }

    /// Whether it bounds the whole tenant, so that roles have no part in it.
    pub fn is_of_tenant(self) -> bool {
        matches!(self, Self::TenantMemories | Self::TenantBytes)
    }

    /// What a call of this kind is about, for the audit log.
    pub fn resource(self) -> Resource {
        match self {
            Self::Identity | Self::Invitation => Resource::Identity,
            Self::Policy => Resource::Policy,
            Self::Credential | Self::Session => Resource::Token,
            Self::Audit => Resource::Audit,
            Self::Other => Resource::System,
            Self::Memory
            | Self::Exports
            | Self::Memories
            | Self::Bytes
            | Self::TenantMemories
            | Self::TenantBytes => Resource::Memory,
        }
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LimitName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|name| name.as_str() == text);
        found.ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|name| name.as_str()).collect();
            Invalid::new("limit", format!("must be one of: {}", all.join(", ")))
        })
    }
}

/// What holds where no limit was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitTable {
    /// Nothing is limited.
    Off,
    /// For agents of this host, whose owner is the operator: far above what they need, so that only
    /// one that runs wild is held up. Nothing that is kept is limited.
    #[default]
    Local,
    /// For many who do not know each other.
    Shared,
}

/// How many times the rates of [`LimitTable::Shared`] those of [`LimitTable::Local`] are: 10,000 calls
/// a second for memories, which is more than one host of a few cores answers.
const LOCAL: u64 = 3000;

impl LimitTable {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Local => "local",
            Self::Shared => "shared",
        }
    }

    /// How much a role may, or one of no role in particular; none for as much as it likes.
    pub fn value(self, name: LimitName, role: Option<&Role>) -> Option<u64> {
        let shared = match name {
            LimitName::Identity | LimitName::Session | LimitName::Other => 100,
            LimitName::Memory => 200,
            LimitName::Policy | LimitName::Audit => 50,
            LimitName::Credential => 30,
            LimitName::Invitation => 20,
            LimitName::Exports => 60,
            LimitName::Memories => 100_000,
            LimitName::Bytes => 1 << 30,
            LimitName::TenantMemories => 1_000_000,
            LimitName::TenantBytes => 10 << 30,
        };
        let often = match role.map(Role::as_str) {
            Some("admin") if name.is_rate() => 2,
            Some("system") if name.is_rate() => 5,
            _ => 1,
        };
        match self {
            Self::Off => None,
            Self::Local => name.is_rate().then_some(shared * often * LOCAL),
            Self::Shared => Some(shared * often),
        }
    }
}

/// A limit that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitOverride {
    /// Its id.
    pub id: LimitId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Which one.
    pub name: LimitName,
    /// The role it is for; none for all.
    pub role: Option<Role>,
    /// How many; none for as many as they like.
    pub value: Option<u64>,
    /// Who set it.
    pub set_by: IdentityId,
    /// When it was set.
    pub set_at: UnixMillis,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_round_trip_and_the_rates_come_first() {
        for (place, name) in LimitName::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(name.code()), place);
            assert_eq!(LimitName::from_code(name.code()), Some(name));
            assert_eq!(name.as_str().parse::<LimitName>().unwrap(), name);
            let by_time = name.counts().ends_with("minute") || name.counts().ends_with("hour");
            assert_eq!(name.is_rate(), by_time, "{name}");
        }
        assert_eq!(LimitName::from_code(13), None);
        assert!("Memory".parse::<LimitName>().is_err());
    }

    #[test]
    fn tables_are_as_documented() {
        let role = |name: &str| Role::new(name).unwrap();
        let (agent, admin) = (role("agent"), role("admin"));
        let value = |table: LimitTable, name, role| table.value(name, Some(role));
        for (name, often) in [
            (LimitName::Identity, 100),
            (LimitName::Memory, 200),
            (LimitName::Policy, 50),
        ] {
            assert_eq!(value(LimitTable::Shared, name, &agent), Some(often));
            assert_eq!(value(LimitTable::Shared, name, &admin), Some(2 * often));
            assert_eq!(value(LimitTable::Local, name, &agent), Some(3000 * often));
            assert_eq!(value(LimitTable::Off, name, &agent), None);
        }
        assert_eq!(value(LimitTable::Local, LimitName::Bytes, &agent), None);
        let kept = value(LimitTable::Shared, LimitName::Memories, &admin);
        assert_eq!(kept, Some(100_000), "an admin keeps no more than others");
    }
}
