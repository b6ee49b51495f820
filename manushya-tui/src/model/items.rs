//! What stands in the lists.

use manushya_protocol::v1::audit::AuditView;
use manushya_protocol::v1::identity::IdentityView;
use manushya_protocol::v1::memory::{MemoryView, ScoreParts, SearchHit};
use manushya_protocol::v1::policy::{Effect, PolicyView};
use manushya_protocol::v1::purge::PlanView;
use manushya_protocol::v1::system::{Check, Verdict};
use manushya_protocol::v1::token::TokenView;
use serde::Serialize;

use super::list::Item;

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A memory of a list or of a search.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Its score, if it was searched for.
    pub score: Option<f32>,
    /// How the score came about.
    pub parts: Option<ScoreParts>,
    /// The memory.
    pub memory: MemoryView,
}

impl From<MemoryView> for Hit {
    fn from(memory: MemoryView) -> Self {
        Self {
            score: None,
            parts: None,
            memory,
        }
    }
}

impl From<SearchHit> for Hit {
    fn from(hit: SearchHit) -> Self {
        Self {
            score: Some(hit.score),
            parts: hit.explain,
            memory: hit.memory,
        }
    }
}

impl Item for Hit {
    fn id(&self) -> String {
        self.memory.id.to_string()
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        let memory = &self.memory;
        vec![
            ("type", memory.kind.clone()),
            ("owner", memory.owner.clone()),
            ("namespace", memory.namespace.clone()),
            ("tag", memory.tags.join(" ")),
            ("text", memory.text.clone()),
            ("id", memory.id.to_string()),
        ]
    }
    fn json(&self) -> String {
        json(&self.memory)
    }
}

/// A row of the live audit view.
#[derive(Clone, Debug)]
pub enum Event {
    /// An entry.
    Entry(Box<AuditView>),
    /// So many entries before this sequence were not shown, since too much happened at once.
    Gap {
        /// The sequence after the gap.
        before: u64,
        /// How many.
        count: u64,
    },
}

impl Item for Event {
    fn id(&self) -> String {
        match self {
            Self::Entry(entry) => entry.seq.to_string(),
            Self::Gap { before, .. } => format!("gap {before}"),
        }
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        let Self::Entry(entry) = self else {
            return Vec::new();
        };
        vec![
            ("seq", entry.seq.to_string()),
            ("actor", entry.actor.clone()),
            ("action", entry.action.clone()),
            ("resource", entry.resource.clone()),
            ("target", entry.resource_id.clone().unwrap_or_default()),
            ("decision", entry.decision.clone()),
            ("policy", entry.policy.clone().unwrap_or_default()),
            ("outcome", entry.outcome.clone()),
            ("request", entry.request_id.to_string()),
        ]
    }
    fn json(&self) -> String {
        match self {
            Self::Entry(entry) => json(entry),
            Self::Gap { count, .. } => format!("{{\"gap\":{count}}}"),
        }
    }
}

impl Item for IdentityView {
    fn id(&self) -> String {
        self.id.to_string()
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("name", self.external_id.clone()),
            ("role", self.role.clone()),
            (
                "state",
                if self.is_active { "active" } else { "disabled" }.to_owned(),
            ),
            ("display", self.name.clone().unwrap_or_default()),
            ("description", self.description.clone().unwrap_or_default()),
            ("id", self.id.to_string()),
        ]
    }
    fn json(&self) -> String {
        json(self)
    }
}

impl Item for TokenView {
    fn id(&self) -> String {
        self.id.to_string()
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("identity", self.identity.clone()),
            ("state", self.state.clone()),
            ("label", self.label.clone().unwrap_or_default()),
            ("scope", self.scopes.join(" ")),
            ("id", self.id.to_string()),
        ]
    }
    fn json(&self) -> String {
        json(self)
    }
}

impl Item for PolicyView {
    fn id(&self) -> String {
        self.name.clone()
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("name", self.name.clone()),
            ("role", self.role.clone()),
            ("effect", effect(self.effect).to_owned()),
            (
                "state",
                if self.is_active { "active" } else { "disabled" }.to_owned(),
            ),
            ("description", self.description.clone().unwrap_or_default()),
            ("rule", self.rule.to_string()),
        ]
    }
    fn json(&self) -> String {
        json(self)
    }
}

impl Item for PlanView {
    fn id(&self) -> String {
        self.id.to_string()
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("scope", self.scope.clone()),
            ("state", self.state.clone()),
            ("confirm", self.confirm.clone()),
            ("id", self.id.to_string()),
        ]
    }
    fn json(&self) -> String {
        json(self)
    }
}

impl Item for Check {
    fn id(&self) -> String {
        self.id.clone()
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("check", self.id.clone()),
            ("verdict", verdict(self.verdict).to_owned()),
            ("evidence", self.evidence.clone()),
        ]
    }
    fn json(&self) -> String {
        json(self)
    }
}

/// The word for a verdict.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Failure => "failure",
    }
}

/// The word for an effect.
pub fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
        Effect::Redact => "redact",
        Effect::Require => "require",
    }
}
