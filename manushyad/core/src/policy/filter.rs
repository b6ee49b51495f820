//! JSON Logic over the facts of a memory alone, to choose among memories.

use std::collections::BTreeSet;

use serde_json::Value;

use super::error::RuleError;
use super::eval::{View, evaluate};
use super::fact::MemoryFact;
use super::facts::MemoryFacts;
use super::node::Node;
use super::rule::{Parser, Reads};
use super::truth::Truth;

/// A rule that reads `memory.*` and nothing else.
#[derive(Clone, Debug)]
pub struct Filter {
    root: Node,
    reads: Reads,
}

impl Filter {
    /// Checks `rule` by the same fence as the rule of a policy, and that it reads `memory.*` only.
    ///
    /// # Errors
    ///
    /// As [`super::Rule::parse`].
    pub fn parse(rule: &Value) -> Result<Self, Vec<RuleError>> {
        let root = Parser::for_memory().root(rule)?;
        let reads = Reads::of([&root]);
        Ok(Self { root, reads })
    }

    /// Whether it selects `memory`: it must be true, and what is missing or does not fit is not.
    pub fn matches(&self, memory: &MemoryFacts<'_>) -> bool {
        let view = View {
            memory: Some(memory),
            ..View::default()
        };
        evaluate(&self.root, view).into_verdict() == Truth::True
    }

    /// The facts it reads; only these need be set.
    pub fn reads(&self) -> &BTreeSet<MemoryFact> {
        &self.reads.memory
    }

    /// Whether what it selects changes by the clock.
    pub fn depends_on_time(&self) -> bool {
        self.reads.time
    }
}
