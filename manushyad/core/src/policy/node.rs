//! A rule as a tree, after the fence.

use std::sync::Arc;

use serde_json::Value;

use super::engine::Leaf;

use super::fact::Fact;
use super::truth::Outcome;
use crate::model::{Action, Resource};

/// An operator the fence admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    StrictEqual,
    NotEqual,
    StrictNotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    In,
    And,
    Or,
    Not,
    Truthy,
    If,
    Var,
    Some,
    All,
    None,
}

impl Operator {
    pub const ALL: [Self; 18] = [
        Self::Equal,
        Self::StrictEqual,
        Self::NotEqual,
        Self::StrictNotEqual,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::In,
        Self::And,
        Self::Or,
        Self::Not,
        Self::Truthy,
        Self::If,
        Self::Var,
        Self::Some,
        Self::All,
        Self::None,
    ];

    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::StrictEqual => "===",
            Self::NotEqual => "!=",
            Self::StrictNotEqual => "!==",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::In => "in",
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "!",
            Self::Truthy => "!!",
            Self::If => "if",
            Self::Var => "var",
            Self::Some => "some",
            Self::All => "all",
            Self::None => "none",
        }
    }

    /// How many operands it takes, both ends included.
    pub fn operands(self) -> (usize, usize) {
        match self {
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual => (2, 3),
            Self::And | Self::Or => (1, usize::MAX),
            Self::If => (2, usize::MAX),
            Self::Not | Self::Truthy | Self::Var => (1, 1),
            Self::Equal | Self::StrictEqual | Self::NotEqual | Self::StrictNotEqual => (2, 2),
            Self::In | Self::Some | Self::All | Self::None => (2, 2),
        }
    }

    /// Whether it puts values in order.
    pub fn is_ordering(self) -> bool {
        matches!(
            self,
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual
        )
    }
}

/// A comparison, together with what asks the engine about it.
#[derive(Debug)]
pub(super) struct Compare {
    pub operator: Operator,
    pub operands: Vec<Node>,
    pub leaf: Leaf,
    /// The answer for each pair, if `action` or `resource` alone decide.
    pub by_pair: Option<Guard>,
}

impl Compare {
    pub fn new(operator: Operator, operands: Vec<Node>) -> Self {
        let parts = operands.iter().map(|operand| match operand {
            Node::Literal(value) => Some(value),
            _ => None,
        });
        let leaf = Leaf::new(operator.symbol(), parts);
        Self {
            by_pair: Guard::of_comparison(operator, &operands),
            operator,
            operands,
            leaf,
        }
    }
}

/// A part of a rule.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A scalar or a list of scalars; never null.
    Literal(Value),
    /// A fact.
    Fact(Fact),
    /// The item that a predicate of `some`, `all` or `none` is asked about.
    Item,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Truthy(Box<Node>),
    /// Condition, value, condition, value and so on, and at the end what holds otherwise.
    If(Vec<Node>),
    Compare(Arc<Compare>),
    /// `some`, `all` or `none` of a list, and the predicate.
    Each(Operator, Arc<(Node, Node)>),
    /// What is already known; only partial evaluation makes these.
    Fixed(Outcome),
}

impl Node {
    /// The parts it is made of.
    pub fn children(&self) -> Vec<&Self> {
        match self {
            Self::Literal(_) | Self::Fact(_) | Self::Item | Self::Fixed(_) => Vec::new(),
            Self::And(nodes) | Self::Or(nodes) | Self::If(nodes) => nodes.iter().collect(),
            Self::Not(node) | Self::Truthy(node) => vec![node],
            Self::Compare(compare) => compare.operands.iter().collect(),
            Self::Each(_, parts) => vec![&parts.0, &parts.1],
        }
    }

    /// Calls `visit` with every fact that is read.
    pub fn each_fact(&self, visit: &mut impl FnMut(&Fact)) {
        if let Self::Fact(fact) = self {
            visit(fact);
        }
        for child in self.children() {
            child.each_fact(visit);
        }
    }

    /// Whether anything of a memory is read.
    pub fn reads_memory(&self) -> bool {
        match self {
            Self::Fact(fact) => matches!(fact, Fact::Memory(_)),
            _ => self.children().into_iter().any(Self::reads_memory),
        }
    }
}

/// For which actions on which resources a rule can be what: a set bit stands for a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guard {
    /// The pairs for which it may be other than false.
    not_false: u128,
    /// The pairs for which it may be other than true.
    not_true: u128,
}

/// How many pairs have a place.
pub(super) const PAIRS: usize = 128;

/// The place of a pair, below [`PAIRS`]; none if there are more pairs than places.
pub(super) fn place(action: Action, resource: Resource) -> Option<usize> {
    let (action, resource) = (usize::from(action.code()), usize::from(resource.code()));
    (action < 16 && resource < 8).then_some(action * 8 + resource)
}

/// The bit of a pair; none if there are more pairs than bits.
fn pair(action: Action, resource: Resource) -> Option<u128> {
    place(action, resource).map(|place| 1 << place)
}

impl Guard {
    const ANY: Self = Self {
        not_false: u128::MAX,
        not_true: u128::MAX,
    };

    /// Finds what `action` and `resource` alone decide; the rest may be anything.
    pub fn of(node: &Node) -> Self {
        match node {
            Node::Literal(Value::Bool(value)) => Self::exactly(if *value { u128::MAX } else { 0 }),
            Node::And(nodes) => {
                nodes
                    .iter()
                    .map(Self::of)
                    .fold(Self::exactly(u128::MAX), |a, b| Self {
                        not_false: a.not_false & b.not_false,
                        not_true: a.not_true | b.not_true,
                    })
            }
            Node::Or(nodes) => nodes
                .iter()
                .map(Self::of)
                .fold(Self::exactly(0), |a, b| Self {
                    not_false: a.not_false | b.not_false,
                    not_true: a.not_true & b.not_true,
                }),
            Node::Not(inner) => {
                let inner = Self::of(inner);
                Self {
                    not_false: inner.not_true,
                    not_true: inner.not_false,
                }
            }
            Node::Compare(compare) => compare.by_pair.unwrap_or(Self::ANY),
            _ => Self::ANY,
        }
    }

    fn exactly(pairs: u128) -> Self {
        Self {
            not_false: pairs,
            not_true: !pairs,
        }
    }

    fn of_comparison(operator: Operator, operands: &[Node]) -> Option<Self> {
        let (fact, literal) = match operands {
            [Node::Fact(fact), Node::Literal(literal)] => (fact, literal),
            [Node::Literal(literal), Node::Fact(fact)] if operator != Operator::In => {
                (fact, literal)
            }
            _ => return None,
        };
        let words: Vec<&str> = match (operator, literal) {
            (Operator::In, Value::Array(items)) => {
                items.iter().map(Value::as_str).collect::<Option<_>>()?
            }
            (_, Value::String(word)) => vec![word],
            _ => return None,
        };
        let mut pairs = 0;
        for action in Action::ALL {
            for resource in Resource::ALL {
                let word = match fact {
                    Fact::Action => action.as_str(),
                    Fact::Resource => resource.as_str(),
                    _ => return None,
                };
                // Without a bit of its own a pair is left to the engine.
                let bit = pair(*action, *resource)?;
                if words.contains(&word) {
                    pairs |= bit;
                }
            }
        }
        match operator {
            Operator::Equal | Operator::StrictEqual | Operator::In => Some(Self::exactly(pairs)),
            Operator::NotEqual | Operator::StrictNotEqual => Some(Self::exactly(!pairs)),
            _ => None,
        }
    }

    /// Whether a rule with this guard may be other than false.
    pub fn admits(self, action: Action, resource: Resource) -> bool {
        pair(action, resource).is_none_or(|bit| self.not_false & bit != 0)
    }
}
