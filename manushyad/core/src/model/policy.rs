//! Who may do what.

use std::fmt;
use std::str::FromStr;

use manushya_protocol::id::{IdentityId, PolicyId, TenantId};
use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;
pub use manushya_protocol::v1::policy::Effect;
use serde_json::Value;

use super::text::{Invalid, PolicyName, Role};

macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident, $field:literal, $($(#[$vdoc:meta])* $variant:ident = $word:literal / $code:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vdoc])* $variant),*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word policies, audit entries and people use.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The stable number it has on disk.
            pub fn code(self) -> u8 {
                match self { $(Self::$variant => $code),* }
            }

            /// The inverse of [`Self::code`].
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(Invalid::new($field, concat!("must be one of:" $(, " ", $word)*))),
                }
            }
        }
    };
}

word_enum!(
    /// What is done.
    Action, "action",
    /// Makes something new.
    Create = "create" / 1,
    /// Looks at one thing or lists things.
    Read = "read" / 2,
    /// Searches memories.
    Search = "search" / 3,
    /// Changes something.
    Update = "update" / 4,
    /// Deletes something; memories can be restored.
    Delete = "delete" / 5,
    /// Restores a deleted memory.
    Restore = "restore" / 6,
    /// Reads in order to take elsewhere.
    Export = "export" / 7,
    /// Erases for good.
    Purge = "purge" / 8,
    /// Administers: policies, tenants, the daemon.
    Manage = "manage" / 9,
    /// Presents a credential. Only in the audit log; no policy is asked.
    Login = "login" / 10,
);

word_enum!(
    /// What it is done to.
    Resource, "resource",
    /// Memories.
    Memory = "memory" / 1,
    /// Identities.
    Identity = "identity" / 2,
    /// Access tokens.
    Token = "token" / 3,
    /// Policies.
    Policy = "policy" / 4,
    /// The audit log.
    Audit = "audit" / 5,
    /// Tenants, purge plans and the daemon itself.
    System = "system" / 6,
);

/// What a redaction masks of a memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Redacted {
    /// The text.
    Text,
    /// All metadata.
    Metadata,
    /// The value of one key of the metadata.
    Key(String),
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Metadata => f.write_str("metadata"),
            Self::Key(key) => write!(f, "metadata.{key}"),
        }
    }
}

impl FromStr for Redacted {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match (text, text.strip_prefix("metadata.")) {
            ("text", _) => Ok(Self::Text),
            ("metadata", _) => Ok(Self::Metadata),
            (_, Some(key)) if (1..=limits::LABEL_BYTES_MAX).contains(&key.len()) => {
                Ok(Self::Key(key.to_owned()))
            }
            _ => Err(Invalid::new(
                "fields",
                "must be among: text, metadata, metadata.KEY",
            )),
        }
    }
}

/// A rule about who may do what.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its id.
    pub id: PolicyId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name, unique in the tenant.
    pub name: PolicyName,
    /// The role it rules; none stands for `*`, every role.
    pub role: Option<Role>,
    /// JSON Logic, as given; it passed the fence of [`crate::policy`].
    pub rule: Value,
    /// What it does when the rule is true.
    pub effect: Effect,
    /// The highest priority at which any rule matches decides.
    pub priority: i32,
    /// Whether it is read at all.
    pub is_active: bool,
    /// What it masks; none unless it redacts.
    pub fields: Vec<Redacted>,
    /// What it is for.
    pub description: Option<String>,
    /// Counts its changes, from 1.
    pub revision: u32,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
}

impl Policy {
    /// The policy and revision, as audit entries name them.
    pub fn stamp(&self) -> PolicyStamp {
        PolicyStamp {
            id: self.id,
            revision: self.revision,
        }
    }
}

/// A policy at one revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyStamp {
    /// The policy.
    pub id: PolicyId,
    /// Its revision.
    pub revision: u32,
}

/// What was done to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyEvent {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It is read again.
    Enabled,
    /// It is not read any more.
    Disabled,
    /// It was removed.
    Deleted,
    /// It has the content of this earlier revision again.
    RolledBack(u32),
}

impl PolicyEvent {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
            Self::RolledBack(_) => "rolled back",
        }
    }
}

/// A policy as it was from one change to the next. It is never changed, and goes with its tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyRevision {
    /// The policy after the change, or before it if it was removed. Its revision and its last change
    /// are those of the change.
    pub policy: Policy,
    /// What was done.
    pub event: PolicyEvent,
    /// Who did it.
    pub by: IdentityId,
}

/// A draft that runs beside the live policies of a tenant: what it would have said is audited, and
/// nothing is decided by it.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyDraft {
    /// The tenant; it has one draft at the most.
    pub tenant: TenantId,
    /// The policies: in place of those of the same ids, or beside them. There is at least one.
    pub policies: Vec<Policy>,
    /// Who set it.
    pub by: IdentityId,
    /// Since when it runs.
    pub at: UnixMillis,
}
