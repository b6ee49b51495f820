//! What a search asks of its caller: which memories are meant, and which may be seen.

use std::ops::BitOr;
use std::sync::Arc;

use manushya_core::model::{Kind, Namespace, Session, Tag};
use manushya_protocol::id::{IdentityId, MemoryId};
use manushya_protocol::unit::UnixMillis;
use serde_json::{Map, Value};

/// A set of the facts of a memory that a decision reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Facts(u16);

impl Facts {
    /// None.
    pub const NONE: Self = Self(0);
    /// Its id.
    pub const ID: Self = Self(1);
    /// Its owner.
    pub const OWNER: Self = Self(1 << 1);
    /// Its type.
    pub const KIND: Self = Self(1 << 2);
    /// Its namespace.
    pub const NAMESPACE: Self = Self(1 << 3);
    /// Its tags.
    pub const TAGS: Self = Self(1 << 4);
    /// Its session.
    pub const SESSION: Self = Self(1 << 5);
    /// How far it is trusted.
    pub const TRUST: Self = Self(1 << 6);
    /// How old it is.
    pub const AGE: Self = Self(1 << 7);
    /// The caller's own attributes.
    pub const METADATA: Self = Self(1 << 8);
    /// Who wrote this version.
    pub const WRITER: Self = Self(1 << 9);

    /// Whether all of `facts` are in it.
    pub fn contains(self, facts: Self) -> bool {
        self.0 & facts.0 == facts.0
    }

    /// Whether any of `facts` is in it.
    pub fn intersects(self, facts: Self) -> bool {
        self.0 & facts.0 != 0
    }
}

impl BitOr for Facts {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The facts of one memory, lent to a decision. Facts that the decision did not say it reads are
/// absent, so that a decision can never rest on what it is not asked again for.
#[derive(Clone, Copy, Debug)]
pub struct SlotFacts<'a> {
    /// Its id.
    pub id: Option<MemoryId>,
    /// Its owner.
    pub owner: Option<IdentityId>,
    /// Its type.
    pub kind: Option<&'a str>,
    /// Its namespace.
    pub namespace: Option<&'a str>,
    /// Its tags.
    pub tags: &'a [Arc<str>],
    /// Its session, if it has one.
    pub session: Option<&'a str>,
    /// How far it is trusted, 0 to 100.
    pub trust: Option<u8>,
    /// How old it is, in seconds.
    pub age_seconds: Option<u64>,
    /// Who wrote this version.
    pub writer: Option<IdentityId>,
    /// The caller's own attributes, if there are any.
    pub metadata: Option<&'a Map<String, Value>>,
}

/// A decision over the facts of a memory, made once for each combination of the facts it reads.
pub struct Rule<'a> {
    /// The facts it reads.
    pub reads: Facts,
    /// Whether the memory passes. It must answer the same for the same facts.
    pub decide: &'a mut dyn FnMut(&SlotFacts<'_>) -> bool,
}

/// Which memories the caller may see.
pub enum Permit<'a> {
    /// All of the tenant.
    All,
    /// Those that pass.
    PerFacts(Rule<'a>),
}

/// Which memories are meant. All conditions must hold; the empty filter means all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttributeFilter {
    /// Any of these types.
    pub kinds: Vec<Kind>,
    /// All of these tags.
    pub tags: Vec<Tag>,
    /// Owned by this identity.
    pub owner: Option<IdentityId>,
    /// In this namespace or below.
    pub namespace: Option<Namespace>,
    /// Of this session.
    pub session: Option<Session>,
    /// Made at or after this moment.
    pub since: Option<UnixMillis>,
    /// Made before this moment.
    pub until: Option<UnixMillis>,
    /// Made or last changed by this identity.
    pub writer: Option<Writer>,
    /// Trusted at least so far.
    pub min_trust: Option<u8>,
}

/// Memories that an identity made, or wrote the present version of, and when: by the clock of the
/// daemon, which no caller can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The identity.
    pub identity: IdentityId,
    /// Written at or after this moment.
    pub since: UnixMillis,
    /// Written before this moment.
    pub until: UnixMillis,
}

impl Writer {
    /// Whether it means a memory of `owner` that was made at `made_at`, the version of which
    /// `writer` wrote at `written_at`.
    pub fn means(
        &self,
        owner: IdentityId,
        made_at: UnixMillis,
        writer: IdentityId,
        written_at: UnixMillis,
    ) -> bool {
        let then = |at| self.since <= at && at < self.until;
        (owner == self.identity && then(made_at)) || (writer == self.identity && then(written_at))
    }
}

/// Which versions of the truth are searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// What holds: superseded memories are passed over.
    #[default]
    Current,
    /// Superseded memories as well.
    All,
    /// What had been made by this moment and was not superseded by then.
    AsOf(UnixMillis),
}
