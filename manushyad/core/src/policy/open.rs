//! Deciding when only a part of the facts is known: yes, no, or a condition on the rest.
//!
//! A fact is *open* if it may have any value, or none. What remains of the rules over the open facts
//! is the condition, itself a rule: the answer is an allow exactly where it is true.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::eval::{View, evaluate};
use super::fact::Fact;
use super::facts::Facts;
use super::node::{Compare, Node, Operator};
use super::set::{Entry, PolicySet, Verdict, refused};
use super::truth::{Outcome, Truth};
use crate::model::{Effect, Policy, Role};

/// How many operators and values a condition has at the most; a longer one is left out.
const CONDITION_NODES_MAX: usize = 256;
/// How deep a condition is at the most.
const CONDITION_DEPTH_MAX: usize = 24;

/// Says which facts are open.
pub type Open<'o> = &'o dyn Fn(&Fact) -> bool;

/// What is decided whatever the open facts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// It is allowed.
    Yes,
    /// It depends on the open facts.
    Conditional,
    /// It is denied.
    No,
}

impl Certainty {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Conditional => "conditional",
            Self::No => "no",
        }
    }
}

/// What the policies say when only a part of the facts is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Yes, no, or it depends.
    pub certainty: Certainty,
    /// The policy that decides; of a condition the first one that it comes from.
    pub policy: Option<Arc<Policy>>,
    /// The policies the condition comes from, in the order they are read; none for yes and no.
    pub depends_on: Vec<Arc<Policy>>,
    /// The rule that is true exactly where it is allowed; none for yes and no, or if it is too long.
    pub condition: Option<Value>,
    /// What is decided where no rule of the condition matches.
    pub otherwise: Verdict,
}

impl Answer {
    /// Why, in one sentence.
    pub fn sentence(&self) -> String {
        match self.certainty {
            Certainty::Yes | Certainty::No => self.otherwise.sentence(),
            Certainty::Conditional => {
                let names: Vec<String> = self
                    .depends_on
                    .iter()
                    .take(3)
                    .map(|policy| format!("`{}`", policy.name))
                    .collect();
                let more = match self.depends_on.len() {
                    0..=3 => String::new(),
                    many => format!(" and {} more", many - 3),
                };
                format!(
                    "it depends on the facts that {}{more} read",
                    names.join(", ")
                )
            }
        }
    }
}

impl PolicySet {
    /// Decides for `role` over `facts`, of which those that `open` names may be anything.
    ///
    /// Yes and no hold whatever the open facts are. Where the answer is a condition, some values of
    /// them may still be impossible: whether any allows it is not looked for.
    pub fn ask(&self, role: &Role, facts: &Facts<'_>, open: Open<'_>) -> Answer {
        self.ask_of(role, facts, open, |_| true)
    }

    /// Decides the same as if no policy asked for an approval.
    pub fn ask_beyond(&self, role: &Role, facts: &Facts<'_>, open: Open<'_>) -> Answer {
        self.ask_of(role, facts, open, |policy| policy.effect != Effect::Require)
    }

    fn ask_of(
        &self,
        role: &Role,
        facts: &Facts<'_>,
        open: Open<'_>,
        counts: impl Fn(&Policy) -> bool,
    ) -> Answer {
        let view = View::of(facts);
        let (action, resource) = (facts.action(), facts.resource());
        let mut pending: Vec<(&Entry, Node)> = Vec::new();
        let mut otherwise = Verdict::nothing_matched();
        let admitting = self.admitting(role, action, resource);
        for entry in admitting.filter(|entry| counts(&entry.policy)) {
            let truth = match &entry.rule {
                Err(errors) => Some(refused(errors)),
                Ok(rule) if !reads(rule.root(), open) => {
                    Some(evaluate(rule.root(), view).into_verdict())
                }
                Ok(rule) => match residual(rule.root(), view, open) {
                    Node::Literal(value) => Some(Outcome::Value(value).into_verdict()),
                    rest if entry.can_allow() && never_true(&rest, open) => Some(Truth::False),
                    rest => {
                        pending.push((entry, rest));
                        None
                    }
                },
            };
            if let Some(verdict) = truth.and_then(|truth| entry.decide(truth)) {
                otherwise = verdict;
                break;
            }
        }
        answer(&pending, otherwise)
    }
}

fn answer(pending: &[(&Entry, Node)], otherwise: Verdict) -> Answer {
    let mut whole = Node::Literal(Value::Bool(otherwise.allowed));
    for (entry, rest) in pending.iter().rev() {
        let holds = as_condition(rest.clone());
        whole = match (entry.can_allow(), whole) {
            (true, Node::Literal(Value::Bool(false))) => holds,
            (false, Node::Literal(Value::Bool(true))) => Node::Not(Box::new(holds)),
            // Below what is decided anyway nothing changes it.
            (_, literal @ Node::Literal(_)) => literal,
            (true, Node::Or(mut parts)) => {
                parts.insert(0, holds);
                Node::Or(parts)
            }
            (true, below) => Node::Or(vec![holds, below]),
            (false, Node::And(mut parts)) => {
                parts.insert(0, Node::Not(Box::new(holds)));
                Node::And(parts)
            }
            (false, below) => Node::And(vec![Node::Not(Box::new(holds)), below]),
        };
    }
    if let Node::Literal(_) = whole {
        let certainty = if otherwise.allowed {
            Certainty::Yes
        } else {
            Certainty::No
        };
        return Answer {
            certainty,
            policy: otherwise.policy.clone(),
            depends_on: Vec::new(),
            condition: None,
            otherwise,
        };
    }
    let turns = |(entry, _): &&(&Entry, Node)| entry.can_allow() != otherwise.allowed;
    let first = pending.iter().find(turns).or(pending.first());
    let mut budget = CONDITION_NODES_MAX;
    Answer {
        certainty: Certainty::Conditional,
        policy: first.map(|(entry, _)| entry.policy.clone()),
        depends_on: pending
            .iter()
            .map(|(entry, _)| entry.policy.clone())
            .collect(),
        condition: to_json(&whole, CONDITION_DEPTH_MAX, &mut budget),
        otherwise,
    }
}

/// The same as a condition: a rule that comes to a value which is neither true nor false does not
/// match, while JSON Logic would take most such values for true.
fn as_condition(node: Node) -> Node {
    match node {
        Node::And(_) | Node::Or(_) | Node::Not(_) | Node::Truthy(_) => node,
        Node::Compare(_) | Node::Each(..) => node,
        other => {
            let operands = vec![other, Node::Literal(Value::Bool(true))];
            Node::Compare(Arc::new(Compare::new(Operator::StrictEqual, operands)))
        }
    }
}

/// Whether `node` reads anything open.
pub(super) fn reads(node: &Node, open: Open<'_>) -> bool {
    match node {
        Node::Fact(fact) => open(fact),
        _ => node.children().into_iter().any(|child| reads(child, open)),
    }
}

/// What remains of `node` when everything but the open facts is known. It comes to what `node` comes
/// to, whatever they are. What is known becomes a literal; what is not known although it is not open
/// stays as it is.
pub(super) fn residual(node: &Node, view: View<'_>, open: Open<'_>) -> Node {
    if !reads(node, open) {
        return settled(node.clone(), view);
    }
    let rest = part(node, view, open);
    // Where an open fact was in a part that makes no difference, the rest may be known.
    if reads(&rest, open) {
        rest
    } else {
        settled(rest, view)
    }
}

/// The value of a node that reads nothing open, or the node where it has none.
fn settled(node: Node, view: View<'_>) -> Node {
    match evaluate(&node, view) {
        // A list with null in it is no literal.
        Outcome::Value(Value::Array(items)) if items.iter().any(Value::is_null) => {
            Node::Fixed(Outcome::Value(Value::Array(items)))
        }
        Outcome::Value(value) => Node::Literal(value),
        Outcome::Unknown(_) | Outcome::Error(_) => node,
    }
}

fn part(node: &Node, view: View<'_>, open: Open<'_>) -> Node {
    let of = |node: &Node| residual(node, view, open);
    match node {
        Node::And(nodes) => junction(nodes.iter().map(of), false),
        Node::Or(nodes) => junction(nodes.iter().map(of), true),
        Node::Not(inner) => match of(inner) {
            Node::Not(twice) if is_boolean(&twice) => *twice,
            Node::Literal(value) => condition(value).map_or_else(
                |value| Node::Not(Box::new(Node::Literal(value))),
                |truth| Node::Literal(Value::Bool(!truth)),
            ),
            inner => Node::Not(Box::new(inner)),
        },
        // `!!` asks a fact itself whether it is there; an open fact stays a fact.
        Node::Truthy(inner) => match of(inner) {
            Node::Literal(value) => condition(value).map_or_else(
                |value| Node::Truthy(Box::new(Node::Literal(value))),
                |truth| Node::Literal(Value::Bool(truth)),
            ),
            inner => Node::Truthy(Box::new(inner)),
        },
        Node::If(nodes) => branches(nodes, view, open),
        Node::Compare(compare) => {
            let operands = compare.operands.iter().map(of).collect();
            Node::Compare(Arc::new(Compare::new(compare.operator, operands)))
        }
        Node::Each(operator, parts) => {
            Node::Each(*operator, Arc::new((of(&parts.0), parts.1.clone())))
        }
        Node::Literal(_) | Node::Fact(_) | Node::Item | Node::Fixed(_) => node.clone(),
    }
}

/// Whether a node comes to true or false, or is not known, and to no other value.
fn is_boolean(node: &Node) -> bool {
    match node {
        Node::Literal(value) => value.is_boolean(),
        Node::And(_) | Node::Or(_) | Node::Not(_) | Node::Truthy(_) => true,
        Node::Compare(_) | Node::Each(..) => true,
        Node::Fact(_) | Node::Item | Node::If(_) | Node::Fixed(_) => false,
    }
}

/// A literal as a condition, or the literal if the engine has no answer.
fn condition(value: Value) -> Result<bool, Value> {
    match Outcome::Value(value.clone()).into_condition() {
        Truth::True => Ok(true),
        Truth::False => Ok(false),
        Truth::Unknown(_) | Truth::Error(_) => Err(value),
    }
}

/// `or` if `absorbing` is true, `and` if it is false.
fn junction(nodes: impl Iterator<Item = Node>, absorbing: bool) -> Node {
    let mut rest = Vec::new();
    for node in nodes {
        match node {
            Node::Literal(value) => match condition(value) {
                Ok(truth) if truth == absorbing => return Node::Literal(Value::Bool(absorbing)),
                Ok(_) => {}
                Err(value) => rest.push(Node::Literal(value)),
            },
            node => rest.push(node),
        }
    }
    match rest.pop() {
        None => Node::Literal(Value::Bool(!absorbing)),
        Some(only) if rest.is_empty() && is_boolean(&only) => only,
        Some(last) => {
            rest.push(last);
            if absorbing {
                Node::Or(rest)
            } else {
                Node::And(rest)
            }
        }
    }
}

fn branches(nodes: &[Node], view: View<'_>, open: Open<'_>) -> Node {
    let mut rest = Vec::with_capacity(nodes.len());
    for branch in nodes.chunks(2) {
        let [asked, value] = branch else {
            rest.extend(branch.iter().map(|node| residual(node, view, open)));
            break;
        };
        match residual(asked, view, open) {
            Node::Literal(literal) => match condition(literal) {
                Ok(false) => {}
                Ok(true) => {
                    rest.push(residual(value, view, open));
                    break;
                }
                Err(literal) => {
                    rest.extend([Node::Literal(literal), residual(value, view, open)]);
                }
            },
            asked => rest.extend([asked, residual(value, view, open)]),
        }
    }
    match rest.as_slice() {
        [] => Node::Literal(Value::Bool(false)),
        [Node::Literal(value)] => Node::Literal(value.clone()),
        // What is left of an `if` stays one, even a single fact, which `!!` would take for itself.
        _ => Node::If(rest),
    }
}

/// Whether what remains of a rule can be seen never to be true, whatever the open facts are.
pub(super) fn never_true(node: &Node, open: Open<'_>) -> bool {
    match node {
        Node::Literal(value) => *value != Value::Bool(true),
        Node::Fixed(Outcome::Value(_)) => false,
        // What is not open and yet no literal is not known.
        node if !reads(node, open) => true,
        Node::And(nodes) => {
            nodes.iter().any(|node| part_never_true(node, open)) || super::bounds::contradict(nodes)
        }
        Node::Or(nodes) => nodes.iter().all(|node| part_never_true(node, open)),
        Node::Compare(compare) => {
            // An operand that is never known makes all of it not known.
            let known = |node: &Node| matches!(node, Node::Literal(_) | Node::Fixed(_));
            let lost = |node: &Node| !known(node) && !reads(node, open);
            compare.operands.iter().any(lost)
                || super::bounds::contradict(std::slice::from_ref(node))
        }
        _ => false,
    }
}

/// The same of a part, where a value that is neither true nor false may count as true.
fn part_never_true(node: &Node, open: Open<'_>) -> bool {
    match node {
        Node::Literal(value) => condition(value.clone()) == Ok(false),
        Node::Fixed(Outcome::Value(_)) => false,
        Node::And(_) | Node::Or(_) | Node::Compare(_) => never_true(node, open),
        node => !reads(node, open),
    }
}

/// A part of a rule as JSON Logic, or nothing if it is too long or too deep.
pub(super) fn to_json(node: &Node, depth: usize, budget: &mut usize) -> Option<Value> {
    *budget = budget.checked_sub(1)?;
    let below = depth.checked_sub(1)?;
    let mut list = |nodes: &[&Node]| -> Option<Value> {
        let parts: Option<Vec<Value>> = nodes
            .iter()
            .map(|node| to_json(node, below, budget))
            .collect();
        parts.map(Value::Array)
    };
    let operation = |symbol: &str, operands: Value| {
        Value::Object(Map::from_iter([(symbol.to_owned(), operands)]))
    };
    let children = node.children();
    Some(match node {
        Node::Literal(value) => {
            if let Value::Array(items) = value {
                *budget = budget.checked_sub(items.len())?;
            }
            value.clone()
        }
        Node::Fact(fact) => json!({"var": fact.to_string()}),
        Node::Item => json!({"var": ""}),
        Node::And(_) => operation("and", list(&children)?),
        Node::Or(_) => operation("or", list(&children)?),
        Node::Not(_) => operation("!", list(&children)?),
        Node::Truthy(_) => operation("!!", list(&children)?),
        Node::If(nodes) => match nodes.as_slice() {
            [only] => operation("if", list(&[&Node::Literal(Value::Bool(true)), only])?),
            _ => operation("if", list(&children)?),
        },
        Node::Compare(compare) => operation(compare.operator.symbol(), list(&children)?),
        Node::Each(operator, _) => operation(operator.symbol(), list(&children)?),
        Node::Fixed(outcome) => match outcome {
            Outcome::Value(value) => value.clone(),
            Outcome::Unknown(_) | Outcome::Error(_) => return None,
        },
    })
}
