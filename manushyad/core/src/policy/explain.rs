//! How a decision came about, for people.

use manushya_protocol::v1::policy::{ExplainStep, Explanation, TraceNode};
use serde_json::Value;

use super::eval::{View, evaluate};
use super::facts::Facts;
use super::node::Node;
use super::set::{Entry, PolicySet};
use super::truth::{Missing, Outcome, Truth};
use crate::model::{Effect, Resource, Role};

/// How many parts of rules one explanation shows. Later policies are shown without their rules, so
/// that the answer fits its frame.
const TRACE_NODES_MAX: usize = 4000;
/// How many policies one explanation shows beside those that decided.
const STEPS_MAX: usize = 1000;
/// How many items of a list are shown with the predicate they were asked about.
const ITEMS_MAX: usize = 8;
/// How much of a value is shown, in characters.
const VALUE_CHARS_MAX: usize = 200;

impl PolicySet {
    /// Decides as [`PolicySet::decide`] does and says how: every policy in the order they are read,
    /// what its rule came to, and the values it read, which may be private.
    pub fn explain(&self, role: &Role, facts: &Facts<'_>) -> Explanation {
        let verdict = self.decide(role, facts);
        let deciding = verdict.policy.as_ref().map(|policy| policy.priority);
        let mut budget = TRACE_NODES_MAX;
        let mut steps = Vec::new();
        for entry in self.entries(role) {
            let read = deciding.is_none_or(|deciding| entry.policy.priority >= deciding);
            let step = if read {
                let decides = deciding == Some(entry.policy.priority);
                read_step(
                    entry,
                    facts,
                    verdict.effect().filter(|_| decides),
                    &mut budget,
                )
            } else {
                step(entry)
            };
            if steps.len() < STEPS_MAX || step.decided {
                steps.push(step);
            }
        }
        if facts.resource() == Resource::Memory {
            // They decide nothing, whatever they come to.
            let masking = self
                .redactions(role)
                .take(STEPS_MAX - steps.len().min(STEPS_MAX));
            let read = |entry| read_step(entry, facts, None, &mut budget);
            steps.extend(masking.map(read));
        }
        Explanation {
            decision: verdict.view(),
            steps,
            facts: facts.to_json(),
        }
    }
}

/// A policy that is not read.
fn step(entry: &Entry) -> ExplainStep {
    let policy = &entry.policy;
    ExplainStep {
        policy: policy.name.to_string(),
        revision: policy.revision,
        priority: policy.priority,
        effect: policy.effect,
        read: false,
        result: String::new(),
        decided: false,
        trace: None,
    }
}

fn read_step(
    entry: &Entry,
    facts: &Facts<'_>,
    decided: Option<Effect>,
    budget: &mut usize,
) -> ExplainStep {
    let truth = entry.evaluate(facts);
    let result = match &truth {
        Truth::True => "matched".to_owned(),
        Truth::False => "not matched".to_owned(),
        Truth::Unknown(missing) => format!("unknown: {missing}"),
        Truth::Error(reason) => format!("error: {reason}"),
    };
    let decided = decided == Some(entry.policy.effect) && entry.decide(truth).is_some();
    let trace = match &entry.rule {
        Ok(rule) if *budget > 0 => Some(trace(rule.root(), View::of(facts), budget)),
        _ => None,
    };
    ExplainStep {
        read: true,
        result,
        decided,
        trace,
        ..step(entry)
    }
}

fn trace(node: &Node, view: View<'_>, budget: &mut usize) -> TraceNode {
    *budget = budget.saturating_sub(1);
    let children = match node {
        Node::Each(_, parts) => {
            let mut children = vec![trace(&parts.0, view, budget)];
            if let Outcome::Value(Value::Array(items)) = evaluate(&parts.0, view) {
                for item in items.iter().take(ITEMS_MAX) {
                    let view = View {
                        item: Some(item),
                        ..view
                    };
                    children.push(trace(&parts.1, view, budget));
                }
            }
            children
        }
        _ => {
            let children = node.children().into_iter();
            children.map(|child| trace(child, view, budget)).collect()
        }
    };
    TraceNode {
        expression: expression(node),
        value: shown(&evaluate(node, view)),
        children,
    }
}

fn expression(node: &Node) -> String {
    match node {
        Node::Literal(value) => shortened(&value.to_string()),
        Node::Fact(fact) => format!("var {fact}"),
        Node::Item => "var (item)".to_owned(),
        Node::And(_) => "and".to_owned(),
        Node::Or(_) => "or".to_owned(),
        Node::Not(_) => "!".to_owned(),
        Node::Truthy(_) => "!!".to_owned(),
        Node::If(_) => "if".to_owned(),
        Node::Compare(compare) => compare.operator.symbol().to_owned(),
        Node::Each(operator, _) => operator.symbol().to_owned(),
        Node::Fixed(outcome) => shown(outcome),
    }
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Value(value) => shortened(&value.to_string()),
        Outcome::Unknown(Missing::Fact(_) | Missing::Item) => "missing".to_owned(),
        Outcome::Error(reason) => format!("error: {reason}"),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
