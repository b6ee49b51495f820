//! Policies and decisions.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{MemoryId, PolicyId};
use crate::unit::UnixMillis;
use crate::v1::common::Page;

/// What a matching policy does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Allows.
    #[default]
    Allow,
    /// Denies; it beats an allow of the same priority.
    Deny,
    /// Masks fields of memories in answers, beside what the others decide.
    Redact,
    /// Denies until somebody who may manage policies grants this very request; it beats an allow of
    /// the same priority.
    Require,
}

/// A policy, as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyView {
    /// Its id.
    pub id: PolicyId,
    /// Its name, unique in the tenant.
    pub name: String,
    /// The role it rules, or `*`.
    pub role: String,
    /// JSON Logic over the facts of `docs/policies.md`.
    pub rule: Value,
    /// What it does when the rule is true.
    pub effect: Effect,
    /// The first priority, from the highest, at which any rule matches decides.
    pub priority: i32,
    /// Whether it is read at all.
    pub is_active: bool,
    /// What a redaction masks: `text`, `metadata` or `metadata.KEY`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Counts its changes, from 1.
    pub revision: u32,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
}

fn yes() -> bool {
    true
}

/// A policy as a file holds it. Unknown fields are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// Its name; without one it is named after its file.
    #[serde(default)]
    pub name: Option<String>,
    /// The role it rules, or `*`.
    pub role: String,
    /// JSON Logic.
    pub rule: Value,
    /// What it does; the default is `allow`.
    #[serde(default)]
    pub effect: Effect,
    /// Its priority; the default is 0.
    #[serde(default)]
    pub priority: i32,
    /// Whether it is read; the default is yes.
    #[serde(default = "yes")]
    pub is_active: bool,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// What a redaction masks: `text`, `metadata` or `metadata.KEY`. None for the other effects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// Makes policies, or new revisions of those that exist by name: all of them, or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyApply {
    /// The policies, each with a name.
    pub policies: Vec<PolicySpec>,
    /// Apply even if the caller could not change policies afterwards.
    #[serde(default)]
    pub force: bool,
}

/// Answers [`PolicyApply`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyApplied {
    /// One a policy, in their order.
    pub items: Vec<PolicyChange>,
}

/// What became of one policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyChange {
    /// `created`, `updated` or `unchanged`.
    pub outcome: String,
    /// The policy.
    pub policy: PolicyView,
    /// The policy before; none if it is new.
    #[serde(default)]
    pub before: Option<PolicyView>,
}

/// Lists policies, by falling priority.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyList {
    /// Only those of this role.
    #[serde(default)]
    pub role: Option<String>,
    /// Which part.
    #[serde(default)]
    pub page: Page,
}

/// Names a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyRef {
    /// Its id or its name.
    pub policy: String,
    /// Go on even if the caller could not change policies afterwards.
    #[serde(default)]
    pub force: bool,
}

/// Enables or disables a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicySetActive {
    /// Its id or its name.
    pub policy: String,
    /// Whether it is read from now on.
    pub is_active: bool,
    /// Go on even if the caller could not change policies afterwards.
    #[serde(default)]
    pub force: bool,
}

/// Asks whether policies are well formed; changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyValidate {
    /// The rules, by name.
    pub policies: Vec<PolicySpec>,
}

/// Answers [`PolicyValidate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyValidated {
    /// What is wrong; nothing means that they can be applied.
    pub findings: Vec<RuleFinding>,
}

/// Something wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFinding {
    /// Name of the policy.
    pub policy: String,
    /// Where in the file, as a JSON Pointer (RFC 6901).
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

/// Asks what would be decided for a role, an action and a resource, with facts given by the caller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyTest {
    /// The role.
    pub role: String,
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// Further facts, as `{"memory": {...}, "identity": {...}}`.
    #[serde(default)]
    pub facts: Map<String, Value>,
}

/// Asks whether an identity may do something now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyQuestion {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// Who; without one, the caller.
    #[serde(default)]
    pub identity: Option<String>,
    /// On this memory. Without one, on a memory of the identity's own.
    #[serde(default)]
    pub memory: Option<MemoryId>,
    /// On this other identity, for the facts `target.*`.
    #[serde(default)]
    pub target: Option<String>,
    /// Further facts `memory.*` that replace those of the memory.
    #[serde(default)]
    pub facts: Map<String, Value>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionView {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The policy that decided; none means that nothing matched.
    pub policy: Option<String>,
    /// The revision of that policy.
    pub revision: Option<u32>,
    /// Why, in one sentence.
    pub reason: String,
}

/// A decision and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The decision.
    pub decision: DecisionView,
    /// Each policy in the order they are read, up to and past the one that decided.
    pub steps: Vec<ExplainStep>,
    /// All the facts that were there to read.
    pub facts: Value,
}

/// One policy of an explanation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainStep {
    /// Its name.
    pub policy: String,
    /// Its revision.
    pub revision: u32,
    /// Its priority.
    pub priority: i32,
    /// Its effect.
    pub effect: Effect,
    /// Whether it was read: those below the deciding priority are not.
    pub read: bool,
    /// `matched`, `not matched`, `unknown: …` or `error: …`; empty if it was not read.
    pub result: String,
    /// Whether it is among those that decided.
    pub decided: bool,
    /// The rule as a tree, with the value of every part.
    pub trace: Option<TraceNode>,
}

/// One part of a rule and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceNode {
    /// The operator, `var NAME`, or the literal.
    pub expression: String,
    /// Its value as JSON, or `missing` or `error: …`.
    pub value: String,
    /// Its parts.
    pub children: Vec<TraceNode>,
}
