//! The values of the facts. The daemon builds them; a client supplies them for tests only.

use std::borrow::Cow;
use std::collections::BTreeMap;

use manushya_protocol::id::{IdentityId, MemoryId};
use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;
use serde_json::{Map, Value};

use super::error::{ERRORS_MAX, RuleError};
use super::fact::{Fact, IdentityFact, MemoryFact, RequestFact, Shape, TargetFact};
use super::value::{canonical, is_plain};
use crate::model::{Action, Identity, Memory, Namespace, Resource, Role, Tag, TenantName};

/// How many facts a caller may supply.
const GIVEN_MAX: usize = 256;

/// The facts `identity.*`: who acts.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentityFacts {
    /// The id as text.
    pub id: String,
    /// The external id.
    pub external_id: String,
    /// The role.
    pub role: String,
    /// Name of the tenant.
    pub tenant: String,
    /// The claims.
    pub claims: Map<String, Value>,
}

impl IdentityFacts {
    /// The facts of `identity`, whose tenant is named `tenant`.
    pub fn new(identity: &Identity, tenant: &TenantName) -> Self {
        Self {
            id: identity.id.to_string(),
            external_id: identity.external_id.as_str().to_owned(),
            role: identity.role.as_str().to_owned(),
            tenant: tenant.as_str().to_owned(),
            claims: identity.claims.clone(),
        }
    }

    fn get(&self, fact: &IdentityFact) -> Option<Value> {
        match fact {
            IdentityFact::Id => Some(self.id.as_str().into()),
            IdentityFact::ExternalId => Some(self.external_id.as_str().into()),
            IdentityFact::Role => Some(self.role.as_str().into()),
            IdentityFact::Tenant => Some(self.tenant.as_str().into()),
            IdentityFact::Claim(key) => self.claims.get(key).cloned(),
        }
    }
}

/// The facts `memory.*` of one memory. What is not set is missing, so that whoever evaluates many
/// memories sets only what [`super::Candidates::reads`] names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryFacts<'a> {
    /// Its id.
    pub id: Option<MemoryId>,
    /// Its owner.
    pub owner: Option<IdentityId>,
    /// Its type.
    pub kind: Option<&'a str>,
    /// Its namespace; `memory.namespace_path` is made from it.
    pub namespace: Option<&'a str>,
    /// Its tags.
    pub tags: Option<Vec<&'a str>>,
    /// Its session.
    pub session: Option<&'a str>,
    /// How far it is trusted, 0 to 100.
    pub trust: Option<u8>,
    /// Whole seconds since it was made.
    pub age_seconds: Option<i64>,
    /// Who wrote this version.
    pub writer: Option<IdentityId>,
    /// Whether it is held back until it is reviewed.
    pub quarantined: Option<bool>,
    /// Its metadata.
    pub metadata: Option<&'a Map<String, Value>>,
}

impl<'a> MemoryFacts<'a> {
    /// A plain memory that `owner` has just made, to ask about one's own memories at large.
    pub fn own(owner: IdentityId) -> Self {
        Self {
            owner: Some(owner),
            writer: Some(owner),
            quarantined: Some(false),
            kind: Some("note"),
            namespace: Some("/"),
            tags: Some(Vec::new()),
            trust: Some(50),
            age_seconds: Some(0),
            ..Self::default()
        }
    }

    /// All facts of `memory` at `now`.
    pub fn new(memory: &'a Memory, now: UnixMillis) -> Self {
        let content = &memory.content;
        Self {
            id: Some(memory.id),
            owner: Some(memory.owner),
            kind: Some(content.kind.as_str()),
            namespace: Some(content.namespace.as_str()),
            tags: Some(content.tags.iter().map(Tag::as_str).collect()),
            session: content.session.as_ref().map(|session| session.as_str()),
            trust: Some(content.trust.percent()),
            age_seconds: Some(age_seconds(memory.created_at, now)),
            writer: Some(memory.provenance.writer),
            quarantined: Some(memory.quarantined),
            metadata: Some(&content.metadata),
        }
    }

    pub(super) fn get(&self, fact: &MemoryFact) -> Option<Value> {
        match fact {
            MemoryFact::Id => self.id.map(|id| id.to_string().into()),
            MemoryFact::Owner => self.owner.map(|id| id.to_string().into()),
            MemoryFact::Kind => self.kind.map(Value::from),
            MemoryFact::Namespace => self.namespace.map(Value::from),
            MemoryFact::NamespacePath => self.namespace.map(namespace_path),
            MemoryFact::Tags => self
                .tags
                .as_ref()
                .map(|tags| tags.iter().copied().collect()),
            MemoryFact::Session => self.session.map(Value::from),
            MemoryFact::Trust => self.trust.map(Value::from),
            MemoryFact::AgeSeconds => self.age_seconds.map(Value::from),
            MemoryFact::Writer => self.writer.map(|id| id.to_string().into()),
            MemoryFact::Quarantined => self.quarantined.map(Value::from),
            MemoryFact::Metadata(key) => self.metadata?.get(key).cloned(),
        }
    }

    fn all(&self) -> Vec<(Fact, Value)> {
        let fixed = [
            MemoryFact::Id,
            MemoryFact::Owner,
            MemoryFact::Kind,
            MemoryFact::Namespace,
            MemoryFact::NamespacePath,
            MemoryFact::Tags,
            MemoryFact::Session,
            MemoryFact::Trust,
            MemoryFact::AgeSeconds,
            MemoryFact::Writer,
            MemoryFact::Quarantined,
        ];
        let keyed = self.metadata.into_iter().flat_map(Map::keys);
        let facts = fixed
            .into_iter()
            .chain(keyed.cloned().map(MemoryFact::Metadata));
        facts
            .filter_map(|fact| self.get(&fact).map(|value| (Fact::Memory(fact), value)))
            .collect()
    }
}

/// Whole seconds from `created_at` to `now`, never below 0: the fact `memory.age_seconds`.
pub(super) fn age_seconds(created_at: UnixMillis, now: UnixMillis) -> i64 {
    now.0.saturating_sub(created_at.0).max(0) / 1000
}

/// The namespace and all above it, from the root down.
fn namespace_path(namespace: &str) -> Value {
    let mut path = vec![Value::from("/")];
    if namespace != "/" {
        let ends = namespace.match_indices('/').map(|(at, _)| at).skip(1);
        path.extend(ends.map(|end| Value::from(&namespace[..end])));
        path.push(namespace.into());
    }
    Value::Array(path)
}

/// The facts `target.*`: the other identity that is acted on.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetFacts {
    /// Its id.
    pub id: IdentityId,
    /// Its role.
    pub role: Role,
}

impl TargetFacts {
    /// The facts of `identity`.
    pub fn new(identity: &Identity) -> Self {
        Self {
            id: identity.id,
            role: identity.role.clone(),
        }
    }

    fn get(&self, fact: TargetFact) -> Value {
        match fact {
            TargetFact::Id => self.id.to_string().into(),
            TargetFact::Role => self.role.as_str().into(),
        }
    }
}

/// The facts `request.*`.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestFacts {
    /// When the request is decided.
    pub time: UnixMillis,
    /// By which door it came, such as `unix`.
    pub transport: Cow<'static, str>,
    /// User id of the peer process.
    pub peer_uid: Option<u32>,
    /// What the caller says it is for.
    pub purpose: Option<String>,
}

impl RequestFacts {
    fn get(&self, fact: RequestFact) -> Option<Value> {
        match fact {
            RequestFact::Time => Some(self.time.to_string().into()),
            RequestFact::Hour => Some(hour(self.time).into()),
            RequestFact::Weekday => Some(weekday(self.time).into()),
            RequestFact::Transport => Some(self.transport.as_ref().into()),
            RequestFact::PeerUid => self.peer_uid.map(Value::from),
            RequestFact::Purpose => self.purpose.as_deref().map(Value::from),
        }
    }
}

/// The hour in UTC, 0 to 23.
fn hour(time: UnixMillis) -> i64 {
    time.as_seconds().rem_euclid(86_400) / 3600
}

/// The day of the week in UTC, 1 (Monday) to 7.
fn weekday(time: UnixMillis) -> i64 {
    // 1970-01-01 was a Thursday.
    (time.as_seconds().div_euclid(86_400) + 3).rem_euclid(7) + 1
}

/// Everything a rule can read about one request. Facts that do not apply are missing.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    action: Action,
    resource: Resource,
    identity: Option<&'a IdentityFacts>,
    request: Option<&'a RequestFacts>,
    memory: Option<MemoryFacts<'a>>,
    target: Option<TargetFacts>,
    /// Given by a caller who asks what would be; they come before all others.
    given: BTreeMap<Fact, Value>,
}

impl<'a> Facts<'a> {
    /// The facts of a request that acts on nothing in particular. Allocates nothing.
    pub fn new(
        action: Action,
        resource: Resource,
        identity: &'a IdentityFacts,
        request: &'a RequestFacts,
    ) -> Self {
        Self {
            identity: Some(identity),
            request: Some(request),
            ..Self::bare(action, resource)
        }
    }

    fn bare(action: Action, resource: Resource) -> Self {
        Self {
            action,
            resource,
            identity: None,
            request: None,
            memory: None,
            target: None,
            given: BTreeMap::new(),
        }
    }

    /// The same about `memory`.
    #[must_use]
    pub fn with_memory(mut self, memory: MemoryFacts<'a>) -> Self {
        self.memory = Some(memory);
        self
    }

    /// The same about the other identity `target`.
    #[must_use]
    pub fn with_target(mut self, target: TargetFacts) -> Self {
        self.target = Some(target);
        self
    }

    /// The same with facts that a caller gives, as `{"memory": {"type": "note"}}`. They come before
    /// the others; only questions may take them, never a request that does something.
    ///
    /// `memory.namespace_path`, `request.hour` and `request.weekday` follow from what they are made
    /// from. `action` and `resource` cannot be given.
    ///
    /// # Errors
    ///
    /// Every fact that is not known or of another type, at most 16 of them.
    pub fn with_given(mut self, facts: &Map<String, Value>) -> Result<Self, Vec<RuleError>> {
        self.given.append(&mut read_given(facts)?);
        Ok(self)
    }

    /// Facts given by a caller alone, for `policy test`. `identity.role` is `role` unless given.
    ///
    /// # Errors
    ///
    /// As [`Self::with_given`].
    pub fn from_json(
        action: Action,
        resource: Resource,
        role: &Role,
        facts: &Map<String, Value>,
    ) -> Result<Facts<'static>, Vec<RuleError>> {
        let mut built = Facts::bare(action, resource).with_given(facts)?;
        let fact = Fact::Identity(IdentityFact::Role);
        built
            .given
            .entry(fact)
            .or_insert_with(|| role.as_str().into());
        Ok(built)
    }

    /// The action.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The resource.
    pub fn resource(&self) -> Resource {
        self.resource
    }

    pub(super) fn memory(&self) -> Option<&MemoryFacts<'a>> {
        self.memory.as_ref()
    }

    pub(super) fn given(&self, fact: &Fact) -> Option<&Value> {
        // Nearly always there is none, and a look costs comparisons.
        if self.given.is_empty() {
            return None;
        }
        self.given.get(fact)
    }

    /// The value of a fact that is not of a memory.
    pub(super) fn get(&self, fact: &Fact) -> Option<Value> {
        match fact {
            Fact::Action => Some(self.action.as_str().into()),
            Fact::Resource => Some(self.resource.as_str().into()),
            Fact::Identity(fact) => self.identity?.get(fact),
            Fact::Memory(_) => None,
            Fact::Target(fact) => Some(self.target.as_ref()?.get(*fact)),
            Fact::Request(fact) => self.request?.get(*fact),
        }
    }

    /// All facts that are there, as people read them. They may be private.
    pub fn to_json(&self) -> Value {
        let mut fixed = vec![Fact::Action, Fact::Resource];
        let identity = [
            IdentityFact::Id,
            IdentityFact::ExternalId,
            IdentityFact::Role,
            IdentityFact::Tenant,
        ];
        fixed.extend(identity.into_iter().map(Fact::Identity));
        let claims = self
            .identity
            .into_iter()
            .flat_map(|identity| identity.claims.keys());
        fixed.extend(
            claims
                .cloned()
                .map(|key| Fact::Identity(IdentityFact::Claim(key))),
        );
        fixed.extend([TargetFact::Id, TargetFact::Role].map(Fact::Target));
        let request = [
            RequestFact::Time,
            RequestFact::Hour,
            RequestFact::Weekday,
            RequestFact::Transport,
            RequestFact::PeerUid,
            RequestFact::Purpose,
        ];
        fixed.extend(request.map(Fact::Request));
        let fixed = fixed.into_iter().filter_map(|fact| {
            let value = self.get(&fact)?;
            Some((fact, value))
        });
        let memory = self.memory.iter().flat_map(MemoryFacts::all);
        let given = self
            .given
            .iter()
            .map(|(fact, value)| (fact.clone(), value.clone()));
        Value::Object(nested(fixed.chain(memory).chain(given)))
    }
}

/// Facts as one object of groups, as people read them.
fn nested(facts: impl Iterator<Item = (Fact, Value)>) -> Map<String, Value> {
    let mut all = Map::new();
    for (fact, value) in facts {
        let name = fact.to_string();
        let (path, key): (&[&str], &str) = match &fact {
            Fact::Memory(MemoryFact::Metadata(key)) => (&["memory", "metadata"], key),
            Fact::Identity(IdentityFact::Claim(key)) => (&["identity", "claims"], key),
            Fact::Action | Fact::Resource => (&[], name.as_str()),
            Fact::Identity(_) => (&["identity"], last(&name)),
            Fact::Memory(_) => (&["memory"], last(&name)),
            Fact::Target(_) => (&["target"], last(&name)),
            Fact::Request(_) => (&["request"], last(&name)),
        };
        let mut into = &mut all;
        for part in path {
            let group = into
                .entry(*part)
                .or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(group) = group else {
                // No fact has the name of a group, so a group is always an object.
                return all;
            };
            into = group;
        }
        into.insert(key.to_owned(), value);
    }
    all
}

fn last(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

/// Reads facts given as nested objects.
fn read_given(facts: &Map<String, Value>) -> Result<BTreeMap<Fact, Value>, Vec<RuleError>> {
    let mut reader = GivenReader::default();
    for (name, value) in facts {
        reader.group("", name, value);
    }
    if reader.errors.is_empty() {
        Ok(reader.given)
    } else {
        Err(reader.errors)
    }
}

#[derive(Default)]
struct GivenReader {
    given: BTreeMap<Fact, Value>,
    errors: Vec<RuleError>,
}

impl GivenReader {
    /// Reads `value`, which stands under `name` behind `prefix`. Only the known groups nest, so the
    /// recursion is two deep.
    fn group(&mut self, prefix: &str, name: &str, value: &Value) {
        let full = format!("{prefix}{}", name.chars().take(128).collect::<String>());
        let groups = [
            "identity",
            "identity.claims",
            "claims",
            "memory",
            "memory.metadata",
            "target",
            "request",
        ];
        match value {
            Value::Object(inner) if groups.contains(&full.as_str()) => {
                for (name, value) in inner {
                    self.group(&format!("{full}."), name, value);
                }
            }
            _ => {
                let taken = self.fact(&full, value);
                if let Err(reason) = taken {
                    self.refuse(&full, reason);
                }
            }
        }
    }

    fn refuse(&mut self, name: &str, reason: String) {
        if self.errors.len() < ERRORS_MAX {
            let path = format!("/{}", name.replace('.', "/"));
            self.errors.push(RuleError { path, reason });
        }
    }

    fn fact(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let fact = Fact::parse(name)?;
        if self.given.len() >= GIVEN_MAX {
            return Err(format!("more than {GIVEN_MAX} facts are given"));
        }
        check_given(&fact, value)?;
        match (&fact, value) {
            (Fact::Memory(MemoryFact::Namespace), Value::String(text)) => {
                // The path of an unbounded text would be quadratic.
                let namespace = Namespace::new(text.as_str()).map_err(|error| error.reason)?;
                let path = namespace_path(namespace.as_str());
                self.given
                    .insert(Fact::Memory(MemoryFact::NamespacePath), path);
            }
            (Fact::Request(RequestFact::Time), Value::String(text)) => {
                let time: UnixMillis = text.parse().map_err(|_| "is no RFC 3339 time")?;
                let hour = (RequestFact::Hour, Value::from(hour(time)));
                let weekday = (RequestFact::Weekday, Value::from(weekday(time)));
                for (fact, value) in [hour, weekday] {
                    // An hour given beside the time is what the caller wants to try.
                    self.given.entry(Fact::Request(fact)).or_insert(value);
                }
            }
            _ => {}
        }
        self.given.insert(fact, canonical(value.clone()));
        Ok(())
    }
}

fn check_given(fact: &Fact, value: &Value) -> Result<(), String> {
    match fact {
        Fact::Action | Fact::Resource => {
            return Err(format!(
                "`{fact}` is given beside the facts, not among them"
            ));
        }
        Fact::Memory(MemoryFact::NamespacePath) => {
            return Err("it follows from `memory.namespace`; give that".to_owned());
        }
        _ => {}
    }
    let shape = fact.shape();
    let fits = match (shape, value) {
        (_, Value::Null) => true,
        (Shape::Text, value) => value.is_string(),
        (Shape::Number, value) => value.is_number(),
        (Shape::List, value) => value.is_array() && is_plain(value),
        (Shape::Any, value) => is_plain(value),
    };
    if !fits {
        return Err(format!("must be {}", shape.as_str()));
    }
    let too_long = |text: &Value| {
        text.as_str()
            .is_some_and(|text| text.len() > limits::METADATA_BYTES_MAX)
    };
    let too_big = match value {
        Value::Array(items) => items.len() > GIVEN_MAX || items.iter().any(too_long),
        scalar => too_long(scalar),
    };
    if too_big {
        return Err(format!(
            "is too big: {} bytes and {GIVEN_MAX} items are the limit",
            limits::METADATA_BYTES_MAX
        ));
    }
    Ok(())
}
