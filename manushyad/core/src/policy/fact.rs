//! The facts a rule can read, by name.

use std::fmt;

use manushya_protocol::limits;

/// A fact of the identity that acts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentityFact {
    /// `identity.id`, text.
    Id,
    /// `identity.external_id`, text.
    ExternalId,
    /// `identity.role`, text; `role` is another name for it.
    Role,
    /// `identity.tenant`, the tenant's name.
    Tenant,
    /// `identity.claims.KEY`, a scalar or a list of scalars; `claims.KEY` is another name for it.
    Claim(String),
}

/// A fact of the memory that is acted on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemoryFact {
    /// `memory.id`, text.
    Id,
    /// `memory.owner`, the id of an identity.
    Owner,
    /// `memory.type`, text; `memory_type` is another name for it.
    Kind,
    /// `memory.namespace`, text.
    Namespace,
    /// `memory.namespace_path`, a list: the namespace and all above it.
    NamespacePath,
    /// `memory.tags`, a list of text.
    Tags,
    /// `memory.session`, text; missing if it belongs to none.
    Session,
    /// `memory.trust`, a number, 0 to 100.
    Trust,
    /// `memory.age_seconds`, a number: whole seconds since it was made.
    AgeSeconds,
    /// `memory.writer`, the id of the identity that wrote this version.
    Writer,
    /// `memory.quarantined`, a truth value: held back until it is reviewed.
    Quarantined,
    /// `memory.metadata.KEY`, a scalar or a list of scalars.
    Metadata(String),
}

/// A fact of the other identity that is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetFact {
    /// `target.id`, text.
    Id,
    /// `target.role`, text.
    Role,
}

/// A fact of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestFact {
    /// `request.time`, RFC 3339 text in UTC with milliseconds.
    Time,
    /// `request.hour`, a number, 0 to 23, in UTC.
    Hour,
    /// `request.weekday`, a number, 1 (Monday) to 7 (Sunday), in UTC (ISO 8601).
    Weekday,
    /// `request.transport`, text.
    Transport,
    /// `request.peer_uid`, a number.
    PeerUid,
    /// `request.purpose`, text as the caller gave it.
    Purpose,
}

impl RequestFact {
    /// Whether it changes by the clock alone.
    pub fn is_time(self) -> bool {
        matches!(self, Self::Time | Self::Hour | Self::Weekday)
    }
}

/// Anything a rule can read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fact {
    /// `action`, text.
    Action,
    /// `resource`, text.
    Resource,
    /// Of the identity that acts.
    Identity(IdentityFact),
    /// Of the memory that is acted on.
    Memory(MemoryFact),
    /// Of the other identity that is acted on.
    Target(TargetFact),
    /// Of the request.
    Request(RequestFact),
}

/// What kind of value a fact has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Number,
    List,
    /// A scalar or a list of scalars; it shows when the rule is evaluated.
    Any,
}

impl Shape {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::List => "a list of plain values",
            Self::Any => "a plain value or a list of plain values",
        }
    }
}

/// Every fact of a fixed name. The first name of a fact is the one it is shown by.
static FIXED: &[(&str, Fact, Shape)] = &[
    ("action", Fact::Action, Shape::Text),
    ("resource", Fact::Resource, Shape::Text),
    ("identity.id", Fact::Identity(IdentityFact::Id), Shape::Text),
    (
        "identity.external_id",
        Fact::Identity(IdentityFact::ExternalId),
        Shape::Text,
    ),
    (
        "identity.role",
        Fact::Identity(IdentityFact::Role),
        Shape::Text,
    ),
    ("role", Fact::Identity(IdentityFact::Role), Shape::Text),
    (
        "identity.tenant",
        Fact::Identity(IdentityFact::Tenant),
        Shape::Text,
    ),
    ("memory.id", Fact::Memory(MemoryFact::Id), Shape::Text),
    ("memory.owner", Fact::Memory(MemoryFact::Owner), Shape::Text),
    ("memory.type", Fact::Memory(MemoryFact::Kind), Shape::Text),
    ("memory_type", Fact::Memory(MemoryFact::Kind), Shape::Text),
    (
        "memory.namespace",
        Fact::Memory(MemoryFact::Namespace),
        Shape::Text,
    ),
    (
        "memory.namespace_path",
        Fact::Memory(MemoryFact::NamespacePath),
        Shape::List,
    ),
    ("memory.tags", Fact::Memory(MemoryFact::Tags), Shape::List),
    (
        "memory.session",
        Fact::Memory(MemoryFact::Session),
        Shape::Text,
    ),
    (
        "memory.trust",
        Fact::Memory(MemoryFact::Trust),
        Shape::Number,
    ),
    (
        "memory.age_seconds",
        Fact::Memory(MemoryFact::AgeSeconds),
        Shape::Number,
    ),
    (
        "memory.writer",
        Fact::Memory(MemoryFact::Writer),
        Shape::Text,
    ),
    (
        "memory.quarantined",
        Fact::Memory(MemoryFact::Quarantined),
        Shape::Any,
    ),
    ("target.id", Fact::Target(TargetFact::Id), Shape::Text),
    ("target.role", Fact::Target(TargetFact::Role), Shape::Text),
    (
        "request.time",
        Fact::Request(RequestFact::Time),
        Shape::Text,
    ),
    (
        "request.hour",
        Fact::Request(RequestFact::Hour),
        Shape::Number,
    ),
    (
        "request.weekday",
        Fact::Request(RequestFact::Weekday),
        Shape::Number,
    ),
    (
        "request.transport",
        Fact::Request(RequestFact::Transport),
        Shape::Text,
    ),
    (
        "request.peer_uid",
        Fact::Request(RequestFact::PeerUid),
        Shape::Number,
    ),
    (
        "request.purpose",
        Fact::Request(RequestFact::Purpose),
        Shape::Text,
    ),
];

type MakeFact = fn(String) -> Fact;

/// What the facts whose names end in a key of the caller's start with.
const KEYED: [(&str, MakeFact); 3] = [
    ("identity.claims.", |key| {
        Fact::Identity(IdentityFact::Claim(key))
    }),
    ("claims.", |key| Fact::Identity(IdentityFact::Claim(key))),
    ("memory.metadata.", |key| {
        Fact::Memory(MemoryFact::Metadata(key))
    }),
];

impl Fact {
    /// Finds the fact of `name`, or says why there is none and which name is nearest.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        if let Some((_, fact, _)) = FIXED.iter().find(|(known, ..)| *known == name) {
            return Ok(fact.clone());
        }
        for (prefix, build) in KEYED {
            // The rest is one key, even with dots in it: claims and metadata are not nested.
            if let Some(key) = name.strip_prefix(prefix) {
                return match key.len() {
                    0 => Err(format!("`{prefix}` needs a key after it")),
                    1..=limits::LABEL_BYTES_MAX => Ok(build(key.to_owned())),
                    bytes => {
                        let limit = limits::LABEL_BYTES_MAX;
                        Err(format!("the key is {bytes} bytes; the limit is {limit}"))
                    }
                };
            }
        }
        let known = FIXED.iter().map(|(known, ..)| *known);
        let families = ["identity.claims.KEY", "memory.metadata.KEY"];
        Err(unknown("fact", name, known.chain(families)))
    }

    /// What kind of value it has.
    pub(super) fn shape(&self) -> Shape {
        let fixed = FIXED.iter().find(|(_, fact, _)| fact == self);
        fixed.map_or(Shape::Any, |(_, _, shape)| *shape)
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(IdentityFact::Claim(key)) => write!(f, "identity.claims.{key}"),
            Self::Memory(MemoryFact::Metadata(key)) => write!(f, "memory.metadata.{key}"),
            fixed => {
                let row = FIXED.iter().find(|(_, fact, _)| fact == fixed);
                f.write_str(row.map_or("?", |(name, ..)| name))
            }
        }
    }
}

impl fmt::Display for MemoryFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Fact::Memory(self.clone()).fmt(f)
    }
}

/// Says that `name` is not known, and which name it may have been meant to be.
pub(super) fn unknown<'a>(noun: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let shown: String = name.chars().take(64).collect();
    let nearest = known
        .map(|candidate| (distance(&shown, candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        // Far names are no help.
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3));
    match nearest {
        Some((_, nearest)) => format!("unknown {noun} `{shown}`; did you mean `{nearest}`?"),
        None => format!("unknown {noun} `{shown}`"),
    }
}

/// The Levenshtein distance: how many characters differ.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
