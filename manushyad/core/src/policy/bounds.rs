//! Contradictions that can be seen without any fact: what one fact would have to be at once.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fact::{Fact, MemoryFact, RequestFact, Shape};
use super::node::{Compare, Node, Operator};
use super::value::kind;

/// What conditions that hold together leave for one fact.
#[derive(Default)]
struct Left {
    /// It is one of these; none says nothing.
    among: Option<Vec<Value>>,
    /// It is none of these.
    never: Vec<Value>,
    /// Smallest and largest, with whether the end itself is left out.
    low: Option<(f64, bool)>,
    high: Option<(f64, bool)>,
    /// The kinds it is compared with.
    kinds: Vec<&'static str>,
}

/// Whether `conditions` cannot all be true together. What is not understood says nothing.
pub(super) fn contradict(conditions: &[Node]) -> bool {
    let mut facts: BTreeMap<Fact, Left> = BTreeMap::new();
    for condition in conditions {
        collect(condition, true, &mut facts);
    }
    facts.iter().any(|(fact, left)| left.is_empty(fact))
}

fn collect(node: &Node, wanted: bool, facts: &mut BTreeMap<Fact, Left>) {
    match node {
        Node::And(nodes) if wanted => nodes.iter().for_each(|node| collect(node, true, facts)),
        Node::Or(nodes) if !wanted => nodes.iter().for_each(|node| collect(node, false, facts)),
        Node::Not(inner) => collect(inner, !wanted, facts),
        Node::Compare(compare) => compared(compare, wanted, facts),
        _ => {}
    }
}

fn compared(compare: &Compare, wanted: bool, facts: &mut BTreeMap<Fact, Left>) {
    use Operator as O;
    let operator = compare.operator;
    match (operator, compare.operands.as_slice()) {
        (O::In, [Node::Fact(fact), Node::Literal(Value::Array(items))]) => {
            let left = facts.entry(fact.clone()).or_default();
            if wanted {
                left.only(items);
            } else {
                left.never.extend(items.iter().cloned());
            }
        }
        (
            O::Equal | O::StrictEqual | O::NotEqual | O::StrictNotEqual,
            [Node::Fact(fact), Node::Literal(value)] | [Node::Literal(value), Node::Fact(fact)],
        ) => {
            let equal = matches!(operator, O::Equal | O::StrictEqual);
            let left = facts.entry(fact.clone()).or_default();
            left.kinds.push(kind(value));
            if equal == wanted {
                left.only(std::slice::from_ref(value));
            } else {
                left.never.push(value.clone());
            }
        }
        _ if operator.is_ordering() && wanted => {
            for pair in compare.operands.windows(2) {
                ordered(operator, pair, facts);
            }
        }
        _ => {}
    }
}

fn ordered(operator: Operator, pair: &[Node], facts: &mut BTreeMap<Fact, Left>) {
    use Operator as O;
    let open = matches!(operator, O::Less | O::Greater);
    let rising = matches!(operator, O::Less | O::LessOrEqual);
    let (fact, value, fact_first) = match pair {
        [Node::Fact(fact), Node::Literal(value)] => (fact, value, true),
        [Node::Literal(value), Node::Fact(fact)] => (fact, value, false),
        _ => return,
    };
    let left = facts.entry(fact.clone()).or_default();
    left.kinds.push(kind(value));
    if let Some(bound) = value.as_f64() {
        if rising == fact_first {
            left.below(bound, open);
        } else {
            left.above(bound, open);
        }
    }
}

impl Left {
    fn only(&mut self, values: &[Value]) {
        self.among = Some(match self.among.take() {
            None => values.to_vec(),
            Some(among) => among
                .into_iter()
                .filter(|value| values.contains(value))
                .collect(),
        });
    }

    fn below(&mut self, bound: f64, open: bool) {
        let tighter = |(high, was_open): (f64, bool)| bound < high || (bound == high && !was_open);
        if self.high.is_none_or(tighter) {
            self.high = Some((bound, open));
        }
    }

    fn above(&mut self, bound: f64, open: bool) {
        let tighter = |(low, was_open): (f64, bool)| bound > low || (bound == low && !was_open);
        if self.low.is_none_or(tighter) {
            self.low = Some((bound, open));
        }
    }

    fn holds(&self, number: f64, (low, high): (f64, f64)) -> bool {
        let over = self
            .low
            .is_none_or(|(low, open)| number > low || (number == low && !open));
        let under = self
            .high
            .is_none_or(|(high, open)| number < high || (number == high && !open));
        over && under && low <= number && number <= high
    }

    fn is_empty(&self, fact: &Fact) -> bool {
        let shape = fact.shape();
        let own = match shape {
            Shape::Text => Some("text"),
            Shape::Number => Some("a number"),
            Shape::List | Shape::Any => None,
        };
        // A comparison of two kinds is never true, and no fact is of two kinds.
        let first = own.or(self.kinds.first().copied());
        if self.kinds.iter().any(|kind| Some(*kind) != first) {
            return true;
        }
        let range = range(fact);
        if let Some(among) = &self.among {
            let fits = |value: &&Value| {
                let of_kind = own.is_none_or(|own| kind(value) == own);
                let number = value.as_f64();
                let within = number.is_none_or(|number| self.holds(number, range));
                let bounded = self.low.is_some() || self.high.is_some();
                of_kind && within && (number.is_some() || !bounded) && !self.never.contains(value)
            };
            return !among.iter().any(|value| fits(&value));
        }
        let (mut low, mut high) = (self.low, self.high);
        if low.is_none_or(|(low, _)| low < range.0) && range.0.is_finite() && high.is_some() {
            low = Some((range.0, false));
        }
        if high.is_none_or(|(high, _)| high > range.1) && range.1.is_finite() && low.is_some() {
            high = Some((range.1, false));
        }
        match (low, high) {
            (Some((low, a)), Some((high, b))) => low > high || (low == high && (a || b)),
            _ => false,
        }
    }
}

/// What a number can be at all.
fn range(fact: &Fact) -> (f64, f64) {
    match fact {
        Fact::Memory(MemoryFact::Trust) => (0.0, 100.0),
        Fact::Memory(MemoryFact::AgeSeconds) => (0.0, f64::INFINITY),
        Fact::Request(RequestFact::Hour) => (0.0, 23.0),
        Fact::Request(RequestFact::Weekday) => (1.0, 7.0),
        Fact::Request(RequestFact::PeerUid) => (0.0, f64::from(u32::MAX)),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    }
}
