//! Partial evaluation: what of a rule remains when everything but the memory is known.

use super::eval::{View, evaluate};
use super::node::Node;
use super::truth::{Outcome, Truth};

/// Evaluates everything of `node` that reads no memory and leaves the rest.
///
/// What remains comes to exactly what `node` comes to, whatever the memory is: parts that cannot
/// change the outcome are left out, and those that are not known stay in their place.
pub(super) fn without_memory(node: &Node, view: View<'_>) -> Node {
    if !node.reads_memory() {
        return Node::Fixed(evaluate(node, view));
    }
    match node {
        Node::And(nodes) => junction(nodes, view, false),
        Node::Or(nodes) => junction(nodes, view, true),
        Node::Not(inner) => Node::Not(Box::new(without_memory(inner, view))),
        // `!!` asks a fact itself whether it is there, and a fact of the memory stays a fact.
        Node::Truthy(inner) => Node::Truthy(Box::new(without_memory(inner, view))),
        Node::If(nodes) => branches(nodes, view),
        other => other.clone(),
    }
    .settled()
}

impl Node {
    /// A node whose parts are all known is known.
    fn settled(self) -> Self {
        match &self {
            Self::Not(inner) | Self::Truthy(inner) if matches!(**inner, Self::Fixed(_)) => {
                Self::Fixed(evaluate(&self, View::default()))
            }
            _ => self,
        }
    }
}

/// `or` if `absorbing` is true, `and` if it is false.
fn junction(nodes: &[Node], view: View<'_>, absorbing: bool) -> Node {
    let mut rest = Vec::with_capacity(nodes.len());
    for node in nodes {
        let node = without_memory(node, view);
        if let Node::Fixed(outcome) = &node {
            match outcome.clone().into_condition() {
                Truth::True if absorbing => return Node::Fixed(Truth::True.into()),
                Truth::False if !absorbing => return Node::Fixed(Truth::False.into()),
                Truth::True | Truth::False => continue,
                Truth::Unknown(_) | Truth::Error(_) => {}
            }
        }
        rest.push(node);
    }
    let whole = if absorbing {
        Node::Or(rest)
    } else {
        Node::And(rest)
    };
    if whole
        .children()
        .into_iter()
        .all(|part| matches!(part, Node::Fixed(_)))
    {
        return Node::Fixed(evaluate(&whole, View::default()));
    }
    whole
}

fn branches(nodes: &[Node], view: View<'_>) -> Node {
    let mut rest = Vec::with_capacity(nodes.len());
    for branch in nodes.chunks(2) {
        let [condition, value] = branch else {
            rest.extend(branch.iter().map(|node| without_memory(node, view)));
            break;
        };
        let condition = without_memory(condition, view);
        let known = match &condition {
            Node::Fixed(outcome) => Some(outcome.clone().into_condition()),
            _ => None,
        };
        match known {
            Some(Truth::False) => {}
            Some(Truth::True) => {
                rest.push(without_memory(value, view));
                break;
            }
            Some(unknown) => {
                rest.push(Node::Fixed(unknown.into()));
                break;
            }
            None => rest.extend([condition, without_memory(value, view)]),
        }
    }
    match rest.as_slice() {
        [] => Node::Fixed(Outcome::from(Truth::False)),
        [Node::Fixed(outcome)] => Node::Fixed(outcome.clone()),
        // What is left of an `if` stays one, even a single fact, which `!!` would take for itself.
        _ => Node::If(rest),
    }
}
