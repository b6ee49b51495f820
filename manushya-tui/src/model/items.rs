//! What stands in the lists.

use manushya_protocol::v1::audit::AuditView;
use manushya_protocol::v1::identity::IdentityView;
use manushya_protocol::v1::key::KeyView;
use manushya_protocol::v1::memory::{MemoryView, ScoreParts, SearchHit};
use manushya_protocol::v1::policy::{Effect, PolicyView};
use manushya_protocol::v1::purge::PlanView;
use manushya_protocol::v1::system::{Check, JobStatus, Verdict};
use manushya_protocol::v1::token::TokenView;
use serde::Serialize;

use super::list::{Item, Key};

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
    const COLUMNS: &'static [&'static str] = &["TYPE", "OWNER", "AGE", "TEXT", "SCORE"];
    fn key(&self, column: &str) -> Key {
        match column {
            "TYPE" => Key::text(&self.memory.kind),
            "OWNER" => Key::text(&self.memory.owner),
            // The youngest has the smallest age.
            "AGE" => Key::Number(-(self.memory.created_at.0 as f64)),
            "SCORE" => Key::Number(f64::from(self.score.unwrap_or(0.0))),
            _ => Key::text(&self.memory.text),
        }
    }
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
            ("more", json(&entry.more)),
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
    const COLUMNS: &'static [&'static str] = &["NAME", "ROLE", "STATE", "SEEN"];
    fn key(&self, column: &str) -> Key {
        match column {
            "ROLE" => Key::text(&self.role),
            "STATE" => Key::text(if self.is_active { "active" } else { "disabled" }),
            "SEEN" => Key::moment(self.last_seen_at),
            _ => Key::text(&self.external_id),
        }
    }
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
    const COLUMNS: &'static [&'static str] = &["IDENTITY", "STATE", "TIME LEFT", "SCOPES", "LABEL"];
    fn key(&self, column: &str) -> Key {
        match column {
            "STATE" => Key::text(&self.state),
            "TIME LEFT" => Key::moment(Some(self.expires_at)),
            "SCOPES" => Key::text(&self.scopes.join(",")),
            "LABEL" => Key::text(self.label.as_deref().unwrap_or_default()),
            _ => Key::text(&self.identity),
        }
    }
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
    const COLUMNS: &'static [&'static str] = &["PRIO", "EFFECT", "NAME", "ROLE"];
    fn key(&self, column: &str) -> Key {
        match column {
            "PRIO" => Key::Number(f64::from(self.priority)),
            "EFFECT" => Key::text(effect(self.effect)),
            "ROLE" => Key::text(&self.role),
            _ => Key::text(&self.name),
        }
    }
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
    const COLUMNS: &'static [&'static str] = &["STATE", "MEMORIES", "LAPSES", "ERASES"];
    fn key(&self, column: &str) -> Key {
        match column {
            "STATE" => Key::text(&self.state),
            "MEMORIES" => Key::Number(self.memories as f64),
            "LAPSES" => Key::moment(Some(self.expires_at)),
            _ => Key::text(&self.scope),
        }
    }
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
    const COLUMNS: &'static [&'static str] = &["VERDICT", "CHECK"];
    fn key(&self, column: &str) -> Key {
        match column {
            "VERDICT" => Key::text(verdict(self.verdict)),
            _ => Key::text(&self.id),
        }
    }
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

impl Item for JobStatus {
    const COLUMNS: &'static [&'static str] = &["JOB", "STATE"];
    fn key(&self, column: &str) -> Key {
        match column {
            "STATE" => Key::text(&self.state),
            _ => Key::text(&self.name),
        }
    }
    fn id(&self) -> String {
        let of = self.tenant.as_deref().or(self.note.as_deref());
        of.map_or_else(|| self.name.clone(), |of| format!("{} {of}", self.name))
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("job", self.name.clone()),
            ("tenant", self.tenant.clone().unwrap_or_default()),
            ("state", self.state.clone()),
            ("note", self.note.clone().unwrap_or_default()),
        ]
    }
    fn json(&self) -> String {
        json(self)
    }
}

impl Item for KeyView {
    const COLUMNS: &'static [&'static str] = &["FOR", "KEY", "STATE"];
    fn key(&self, column: &str) -> Key {
        match column {
            "FOR" => Key::text(&self.kind),
            "STATE" => Key::text(&self.state),
            _ => Key::text(&self.kid),
        }
    }
    fn id(&self) -> String {
        format!("{} {}", self.kind, self.kid)
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("key", self.kid.clone()),
            ("kind", self.kind.clone()),
            ("state", self.state.clone()),
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
