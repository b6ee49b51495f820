//! Evaluates a rule in three-valued logic: true, false, or not known.
//!
//! Not known comes in two kinds, a value that is missing and an error, and both stay what they are
//! until a part decides without them: `and` is false if any part is, `or` is true if any part is,
//! and otherwise one unknown part makes the whole unknown. So the order of parts does not matter,
//! and a value that is missing never makes an allow true.

use serde_json::Value;

use super::fact::Fact;
use super::facts::{Facts, MemoryFacts};
use super::node::{Compare, Node, Operator};
use super::truth::{Missing, Outcome, Truth};
use super::value::{canonical, is_exact, is_plain, kind};

/// How many items `some`, `all` and `none` ask about; metadata is the caller's, and time is not.
const ITEMS_MAX: usize = 256;

/// Where a rule finds its facts. What is not set is missing.
#[derive(Clone, Copy, Default)]
pub(super) struct View<'v> {
    pub facts: Option<&'v Facts<'v>>,
    pub memory: Option<&'v MemoryFacts<'v>>,
    pub item: Option<&'v Value>,
}

impl<'v> View<'v> {
    /// The facts, with the memory that is among them.
    pub fn of(facts: &'v Facts<'v>) -> Self {
        Self {
            facts: Some(facts),
            memory: facts.memory(),
            item: None,
        }
    }

    fn fetch(&self, fact: &Fact) -> Outcome {
        let given = self.facts.and_then(|facts| facts.given(fact)).cloned();
        let value = given.or_else(|| match fact {
            Fact::Memory(fact) => self.memory.and_then(|memory| memory.get(fact)),
            other => self.facts.and_then(|facts| facts.get(other)),
        });
        match value {
            None | Some(Value::Null) => Outcome::Unknown(Missing::Fact(fact.clone())),
            Some(value) if is_plain(&value) => Outcome::Value(canonical(value)),
            Some(_) => Outcome::Error(format!("{fact} is nested").into()),
        }
    }
}

/// Evaluates `node`. The fence bounds its depth, so the recursion is bounded too.
pub(super) fn evaluate(node: &Node, view: View<'_>) -> Outcome {
    match node {
        Node::Literal(value) => Outcome::Value(value.clone()),
        Node::Fact(fact) => view.fetch(fact),
        Node::Item => match view.item {
            None | Some(Value::Null) => Outcome::Unknown(Missing::Item),
            Some(item) => Outcome::Value(item.clone()),
        },
        Node::And(nodes) => kleene(conditions(nodes, view), false).into(),
        Node::Or(nodes) => kleene(conditions(nodes, view), true).into(),
        Node::Not(inner) => evaluate(inner, view).into_condition().negated().into(),
        Node::Truthy(inner) => match (&**inner, evaluate(inner, view)) {
            // Asked of a fact itself, it is the one test for being there.
            (Node::Fact(_) | Node::Item, Outcome::Unknown(_)) => Truth::False.into(),
            (_, outcome) => outcome.into_condition().into(),
        },
        Node::If(nodes) => choose(nodes, view),
        Node::Compare(compare) => self::compare(compare, view),
        Node::Each(operator, parts) => each(*operator, &parts.0, &parts.1, view),
        Node::Fixed(outcome) => outcome.clone(),
    }
}

fn conditions<'v>(nodes: &'v [Node], view: View<'v>) -> impl Iterator<Item = Truth> + use<'v> {
    nodes
        .iter()
        .map(move |node| evaluate(node, view).into_condition())
}

/// `or` if `absorbing` is true, `and` if it is false: `absorbing` decides whatever the rest is. Of
/// what is not known, errors come before what is missing and the first before others.
fn kleene(parts: impl Iterator<Item = Truth>, absorbing: bool) -> Truth {
    let mut unknown = None;
    for part in parts {
        match part {
            Truth::True | Truth::False => {
                if (part == Truth::True) == absorbing {
                    return part;
                }
            }
            Truth::Error(_) if !matches!(unknown, Some(Truth::Error(_))) => unknown = Some(part),
            Truth::Unknown(_) if unknown.is_none() => unknown = Some(part),
            Truth::Error(_) | Truth::Unknown(_) => {}
        }
    }
    unknown.unwrap_or(Truth::from(!absorbing))
}

fn choose(nodes: &[Node], view: View<'_>) -> Outcome {
    for branch in nodes.chunks(2) {
        match branch {
            [condition, value] => match evaluate(condition, view).into_condition() {
                Truth::True => return evaluate(value, view),
                Truth::False => {}
                unknown => return unknown.into(),
            },
            otherwise => {
                return otherwise
                    .first()
                    .map_or(Truth::False.into(), |node| evaluate(node, view));
            }
        }
    }
    Truth::False.into()
}

fn each(operator: Operator, list: &Node, predicate: &Node, view: View<'_>) -> Outcome {
    let items = match evaluate(list, view) {
        Outcome::Value(Value::Array(items)) => items,
        Outcome::Value(_) => {
            return Outcome::Error(format!("`{}` needs a list", operator.symbol()).into());
        }
        unknown => return unknown,
    };
    if items.len() > ITEMS_MAX {
        let reason = format!(
            "`{}` asks about {ITEMS_MAX} items at the most",
            operator.symbol()
        );
        return Outcome::Error(reason.into());
    }
    let answers = items.iter().map(|item| {
        let view = View {
            item: Some(item),
            ..view
        };
        evaluate(predicate, view).into_condition()
    });
    match operator {
        // As the JSON Logic suite has it: of an empty list nothing is true, not even `all`.
        Operator::All if items.is_empty() => Truth::False,
        Operator::All => kleene(answers, false),
        Operator::None => kleene(answers, true).negated(),
        _ => kleene(answers, true),
    }
    .into()
}

fn compare(compare: &Compare, view: View<'_>) -> Outcome {
    // Nearly every rule begins with these, and their answers are known since the rule was parsed.
    if let (Some(answers), Some(facts)) = (compare.by_pair, view.facts) {
        return Truth::from(answers.admits(facts.action(), facts.resource())).into();
    }
    let mut slots = Vec::with_capacity(2);
    let mut unknown = None;
    for operand in &compare.operands {
        if matches!(operand, Node::Literal(_)) {
            continue;
        }
        match evaluate(operand, view) {
            Outcome::Value(value) => slots.push(value),
            error @ Outcome::Error(_) => return error,
            missing @ Outcome::Unknown(_) => unknown = unknown.or(Some(missing)),
        }
    }
    if let Some(missing) = unknown {
        return missing;
    }
    let mut values = slots.iter();
    let operands = compare.operands.iter().filter_map(|operand| match operand {
        Node::Literal(value) => Some(value),
        _ => values.next(),
    });
    if let Err(reason) = check(compare.operator, &operands.collect::<Vec<_>>()) {
        return Outcome::Error(reason.into());
    }
    let answer = compare.leaf.ask(slots);
    answer.map_or_else(Truth::from, Truth::from).into()
}

/// Checks that `operator` compares `operands` and does not convert them first.
fn check(operator: Operator, operands: &[&Value]) -> Result<(), String> {
    let symbol = operator.symbol();
    if operator == Operator::In {
        return match operands {
            [needle, Value::Array(items)] => check_in(needle, items),
            [_, other] => Err(format!("`in` looks into {}; it needs a list", kind(other))),
            _ => Err("`in` needs two operands".to_owned()),
        };
    }
    let Some((first, rest)) = operands.split_first() else {
        return Err(format!("`{symbol}` needs operands"));
    };
    for operand in operands {
        check_scalar(symbol, operand)?;
    }
    if operator.is_ordering() && !matches!(first, Value::Number(_) | Value::String(_)) {
        return Err(format!("`{symbol}` puts {} in order", kind(first)));
    }
    match rest.iter().find(|other| kind(other) != kind(first)) {
        Some(other) => Err(format!(
            "`{symbol}` compares {} with {}",
            kind(first),
            kind(other)
        )),
        None => Ok(()),
    }
}

fn check_scalar(symbol: &str, operand: &Value) -> Result<(), String> {
    match operand {
        Value::Number(number) if !is_exact(number) => {
            Err(format!("`{symbol}` compares a number beyond 2^53"))
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        other => Err(format!("`{symbol}` compares {}", kind(other))),
    }
}

fn check_in(needle: &Value, items: &[Value]) -> Result<(), String> {
    check_scalar("in", needle)?;
    let fits = |item: &Value| kind(item) == kind(needle);
    match items.first() {
        Some(other) if !items.iter().any(fits) => Err(format!(
            "`in` looks for {} in a list of {}",
            kind(needle),
            kind(other)
        )),
        _ => Ok(()),
    }
}
