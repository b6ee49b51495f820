//! Masking: what of a memory is left out of answers, by policies of the effect `redact`.
//!
//! They stand beside allowing and denying: every one whose rule is true adds what it names, whatever
//! its priority is. Like a deny, one whose rule is not known counts as true.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::eval::{View, evaluate};
use super::fact::MemoryFact;
use super::facts::{Facts, MemoryFacts};
use super::node::Node;
use super::partial::without_memory;
use super::rule::Reads;
use super::set::{PolicySet, refused};
use super::truth::Truth;
use crate::model::{Redacted, Role};

/// What stands in place of a text or value that is masked.
pub const REDACTED: &str = "[redacted]";

/// What of one memory is masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Its text.
    pub text: bool,
    /// All of its metadata.
    pub metadata: bool,
    /// These keys of its metadata.
    pub keys: BTreeSet<String>,
}

impl Mask {
    /// Whether nothing is masked.
    pub fn is_empty(&self) -> bool {
        !self.text && !self.metadata && self.keys.is_empty()
    }

    /// Whether any of the metadata may be masked.
    pub fn hides_metadata(&self) -> bool {
        self.metadata || !self.keys.is_empty()
    }

    /// Masks this as well.
    pub fn add<'f>(&mut self, fields: impl IntoIterator<Item = &'f Redacted>) {
        for field in fields {
            match field {
                Redacted::Text => self.text = true,
                Redacted::Metadata => self.metadata = true,
                Redacted::Key(key) => {
                    self.keys.insert(key.clone());
                }
            }
        }
    }

    /// Masks what `other` masks as well.
    pub fn join(&mut self, other: Self) {
        self.text |= other.text;
        self.metadata |= other.metadata;
        self.keys.extend(other.keys);
    }

    /// Whether it masks all that `other` masks.
    pub fn covers(&self, other: &Self) -> bool {
        (self.text || !other.text)
            && (self.metadata || (!other.metadata && other.keys.is_subset(&self.keys)))
    }

    fn hides(&self, key: &str) -> bool {
        self.metadata || self.keys.contains(key)
    }

    /// The metadata without what is masked, for whoever asks about it.
    pub fn without(&self, metadata: &Map<String, Value>) -> Map<String, Value> {
        let seen = metadata.iter().filter(|(key, _)| !self.hides(key));
        seen.map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Masks an answer; returns the names of what was masked in it. Keys stay, so that it shows that
    /// there is something.
    pub fn apply(&self, text: &mut String, metadata: &mut Map<String, Value>) -> Vec<String> {
        let mut names = Vec::new();
        if self.text {
            REDACTED.clone_into(text);
            names.push(Redacted::Text.to_string());
        }
        for (key, value) in metadata.iter_mut().filter(|(key, _)| self.hides(key)) {
            *value = REDACTED.into();
            names.push(Redacted::Key(key.clone()).to_string());
        }
        names
    }
}

/// The rules that remain to be asked about each memory.
#[derive(Debug)]
pub struct Masking<'a> {
    facts: Facts<'a>,
    always: Mask,
    pending: Vec<(&'a [Redacted], Node)>,
    reads: Reads,
}

impl PolicySet {
    /// What is masked for `role` over `facts`, as far as that goes without a memory; a memory among
    /// them is not looked at.
    pub fn masking<'a>(&'a self, role: &Role, facts: &Facts<'a>) -> Masking<'a> {
        let view = View {
            facts: Some(facts),
            memory: None,
            item: None,
        };
        let mut always = Mask::default();
        let mut pending: Vec<(&[Redacted], Node)> = Vec::new();
        for entry in self.redactions(role) {
            if !entry.admits(facts.action(), facts.resource()) {
                continue;
            }
            let rest = match &entry.rule {
                Ok(rule) => without_memory(rule.root(), view),
                Err(errors) => Node::Fixed(refused(errors).into()),
            };
            let fields = &entry.policy.fields;
            match rest {
                Node::Fixed(outcome) => {
                    if outcome.into_verdict() != Truth::False {
                        always.add(fields);
                    }
                }
                rest => pending.push((fields, rest)),
            }
        }
        Masking {
            reads: Reads::of(pending.iter().map(|(_, rest)| rest)),
            facts: facts.clone(),
            always,
            pending,
        }
    }
}

impl Masking<'_> {
    /// Whether nothing is ever masked.
    pub fn is_idle(&self) -> bool {
        self.always.is_empty() && self.pending.is_empty()
    }

    /// Whether this key of the metadata may be masked, of some memory.
    pub fn may_hide(&self, key: &str) -> bool {
        let hides = |field: &Redacted| match field {
            Redacted::Text => false,
            Redacted::Metadata => true,
            Redacted::Key(masked) => masked == key,
        };
        let mut pending = self.pending.iter();
        self.always.hides(key) || pending.any(|(fields, _)| fields.iter().any(hides))
    }

    /// What is masked of one memory. Only the facts that [`Self::reads`] names need be set.
    pub fn of(&self, memory: &MemoryFacts<'_>) -> Mask {
        let view = View {
            facts: Some(&self.facts),
            memory: Some(memory),
            item: None,
        };
        let mut mask = self.always.clone();
        for (fields, rest) in &self.pending {
            if evaluate(rest, view).into_verdict() != Truth::False {
                mask.add(*fields);
            }
        }
        mask
    }

    /// The facts of a memory that are read.
    pub fn reads(&self) -> &BTreeSet<MemoryFact> {
        &self.reads.memory
    }
}
