//! The fence: what a rule may be made of. Whatever is not named here is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use manushya_protocol::limits;
use serde_json::{Map, Value};

use super::error::{ERRORS_MAX, RuleError};
use super::eval::{View, evaluate};
use super::fact::{Fact, MemoryFact, Shape, unknown};
use super::facts::Facts;
use super::node::{Compare, Guard, Node, Operator};
use super::truth::Truth;
use super::value::{canonical, is_exact, kind};
use crate::model::{Action, Resource};

/// Which facts a rule reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Of the memory.
    pub memory: BTreeSet<MemoryFact>,
    /// Anything of `target.*`.
    pub target: bool,
    /// Anything of `request.*`.
    pub request: bool,
    /// Anything that changes by the clock: `request.time`, `hour`, `weekday`, `memory.age_seconds`.
    pub time: bool,
}

impl Reads {
    pub(super) fn of<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Self {
        let mut reads = Self::default();
        for node in nodes {
            node.each_fact(&mut |fact| reads.add(fact));
        }
        reads
    }

    fn add(&mut self, fact: &Fact) {
        match fact {
            Fact::Memory(fact) => {
                self.time |= *fact == MemoryFact::AgeSeconds;
                self.memory.insert(fact.clone());
            }
            Fact::Target(_) => self.target = true,
            Fact::Request(fact) => {
                self.request = true;
                self.time |= fact.is_time();
            }
            Fact::Action | Fact::Resource | Fact::Identity(_) => {}
        }
    }
}

/// JSON Logic that passed the fence.
#[derive(Clone, Debug)]
pub struct Rule {
    root: Node,
    reads: Reads,
    guard: Guard,
}

impl Rule {
    /// Checks `rule` and takes it apart. Nothing of it is recursed into before its depth is known.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, at most 16 problems, if it is larger than
    /// [`limits::RULE_BYTES_MAX`], [`limits::RULE_NODES_MAX`] or [`limits::RULE_DEPTH_MAX`] or has
    /// anything but the operators and facts of `docs/policies.md`.
    pub fn parse(rule: &Value) -> Result<Self, Vec<RuleError>> {
        let root = Parser::default().root(rule)?;
        Ok(Self {
            reads: Reads::of([&root]),
            guard: Guard::of(&root),
            root,
        })
    }

    /// Which facts it reads.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// What it comes to over `facts`.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Truth {
        evaluate(&self.root, View::of(facts)).into_verdict()
    }

    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// Whether it may be other than false for doing `action` to `resource`.
    pub(super) fn admits(&self, action: Action, resource: Resource) -> bool {
        self.guard.admits(action, resource)
    }
}

/// Checks the size of a rule without recursion.
fn measure(rule: &Value) -> Result<(), String> {
    let (mut nodes, mut bytes) = (0_usize, 0_usize);
    // A value, and how deep it stands. The list of an operator's operands is no depth of its own.
    let mut waiting = vec![(rule, 0_usize)];
    while let Some((value, depth)) = waiting.pop() {
        if depth > limits::RULE_DEPTH_MAX {
            let limit = limits::RULE_DEPTH_MAX;
            return Err(format!("is nested deeper than {limit} operators"));
        }
        match value {
            Value::Object(map) => {
                nodes += 1;
                for (key, value) in map {
                    bytes = bytes.saturating_add(key.len() + 5);
                    match value {
                        Value::Array(items) => {
                            bytes = bytes.saturating_add(items.len() + 2);
                            check_size(nodes + waiting.len() + items.len(), bytes)?;
                            waiting.extend(items.iter().map(|item| (item, depth + 1)));
                        }
                        other => waiting.push((other, depth + 1)),
                    }
                }
            }
            Value::Array(items) => {
                nodes += 1;
                bytes = bytes.saturating_add(items.len() + 2);
                check_size(nodes + waiting.len() + items.len(), bytes)?;
                waiting.extend(items.iter().map(|item| (item, depth + 1)));
            }
            Value::String(text) => {
                nodes += 1;
                bytes = bytes.saturating_add(text.len() + 2);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                nodes += 1;
                bytes = bytes.saturating_add(1);
            }
        }
        check_size(nodes + waiting.len(), bytes)?;
    }
    // The sum above leaves out escapes; from here on the exact size is cheap to have.
    let exact = serde_json::to_vec(rule).map_or(usize::MAX, |json| json.len());
    check_size(nodes, exact)
}

fn check_size(nodes: usize, bytes: usize) -> Result<(), String> {
    if nodes > limits::RULE_NODES_MAX {
        let limit = limits::RULE_NODES_MAX;
        return Err(format!("has more than {limit} operators and values"));
    }
    if bytes > limits::RULE_BYTES_MAX {
        return Err(format!("is more than {} bytes", limits::RULE_BYTES_MAX));
    }
    Ok(())
}

/// Walks a rule of bounded depth and collects what is wrong with it.
#[derive(Default)]
pub(super) struct Parser {
    /// Whether nothing but `memory.*` may be read, as in a filter.
    memory_only: bool,
    errors: Vec<RuleError>,
    path: String,
    in_predicate: bool,
}

impl Parser {
    /// A parser that admits nothing but `memory.*`.
    pub fn for_memory() -> Self {
        Self {
            memory_only: true,
            ..Self::default()
        }
    }

    /// Parses a whole rule.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at most 16 problems.
    pub fn root(mut self, rule: &Value) -> Result<Node, Vec<RuleError>> {
        if let Err(reason) = measure(rule) {
            self.refuse(reason);
            return Err(self.errors);
        }
        let root = match rule {
            Value::Bool(_) | Value::Object(_) => self.node(rule),
            other => {
                self.refuse(format!(
                    "a rule is true, false or an operator, not {}",
                    kind(other)
                ));
                None
            }
        };
        match root {
            Some(root) if self.errors.is_empty() => Ok(root),
            _ => Err(self.errors),
        }
    }

    fn refuse(&mut self, reason: impl Into<String>) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(RuleError {
                path: self.path.clone(),
                reason: reason.into(),
            });
        }
    }

    /// Runs `step` one level down, at `key`.
    fn at<T>(&mut self, key: &str, step: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        self.path.push('/');
        // RFC 6901 section 3.
        self.path
            .push_str(&key.replace('~', "~0").replace('/', "~1"));
        let done = step(self);
        self.path.truncate(length);
        done
    }

    fn node(&mut self, value: &Value) -> Option<Node> {
        match value {
            Value::Object(map) => self.operation(map),
            literal => self.literal(literal).map(Node::Literal),
        }
    }

    fn literal(&mut self, value: &Value) -> Option<Value> {
        match value {
            Value::Null => {
                self.refuse("null equals nothing; ask `!!` of a fact whether it is there");
                return None;
            }
            Value::Number(number) if !is_exact(number) => {
                self.refuse("numbers beyond 2^53 are not compared exactly; use text");
                return None;
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.at(&index.to_string(), |parser| match item {
                        Value::Array(_) | Value::Object(_) => {
                            parser.refuse("a list holds plain values, neither lists nor operators");
                        }
                        scalar => {
                            parser.literal(scalar);
                        }
                    });
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {}
        }
        Some(canonical(value.clone()))
    }

    fn operation(&mut self, map: &Map<String, Value>) -> Option<Node> {
        let mut entries = map.iter();
        let (Some((symbol, operands)), None) = (entries.next(), entries.next()) else {
            let count = map.len();
            self.refuse(format!(
                "an operator is an object of one key; this one has {count}"
            ));
            return None;
        };
        let Some(operator) = Operator::ALL
            .into_iter()
            .find(|known| known.symbol() == symbol)
        else {
            let known = Operator::ALL.into_iter().map(Operator::symbol);
            self.refuse(unknown("operator", symbol, known));
            return None;
        };
        self.at(symbol, |parser| parser.operands(operator, operands))
    }

    fn operands(&mut self, operator: Operator, operands: &Value) -> Option<Node> {
        let symbol = operator.symbol();
        let (least, most) = operator.operands();
        let (operands, is_list) = match operands {
            Value::Array(operands) => (operands.as_slice(), true),
            // JSON Logic lets operators of one operand go without the list.
            single if most == 1 => (std::slice::from_ref(single), false),
            other => {
                self.refuse(format!(
                    "`{symbol}` takes a list of operands, not {}",
                    kind(other)
                ));
                return None;
            }
        };
        if operator == Operator::Var {
            return self.var(operands);
        }
        if operands.len() < least || operands.len() > most {
            let wanted = match (least, most) {
                (least, usize::MAX) => format!("{least} or more operands"),
                (1, 1) => "one operand".to_owned(),
                (least, most) if least == most => format!("{least} operands"),
                (least, most) => format!("{least} or {most} operands"),
            };
            self.refuse(format!(
                "`{symbol}` takes {wanted}; here are {}",
                operands.len()
            ));
            return None;
        }
        if matches!(operator, Operator::Some | Operator::All | Operator::None) {
            return self.each(operator, operands);
        }
        let mut nodes = Vec::with_capacity(operands.len());
        for (index, operand) in operands.iter().enumerate() {
            let node = if is_list {
                self.at(&index.to_string(), |parser| parser.node(operand))
            } else {
                self.node(operand)
            };
            nodes.push(node);
        }
        // All operands are parsed before giving up, so that every problem is reported.
        let nodes: Vec<Node> = nodes.into_iter().collect::<Option<_>>()?;
        match operator {
            Operator::And => Some(Node::And(nodes)),
            Operator::Or => Some(Node::Or(nodes)),
            Operator::If => Some(Node::If(nodes)),
            Operator::Not => nodes
                .into_iter()
                .next()
                .map(|node| Node::Not(Box::new(node))),
            Operator::Truthy => nodes
                .into_iter()
                .next()
                .map(|node| Node::Truthy(Box::new(node))),
            comparison => self.comparison(comparison, nodes),
        }
    }

    fn var(&mut self, operands: &[Value]) -> Option<Node> {
        let name = match operands {
            [Value::String(name)] => name,
            [_, _, ..] => {
                self.refuse("`var` takes a name and no default; ask `!!` whether it is there");
                return None;
            }
            _ => {
                self.refuse("`var` takes the name of a fact as text");
                return None;
            }
        };
        if self.in_predicate {
            if name.is_empty() {
                return Some(Node::Item);
            }
            self.refuse(
                "inside `some`, `all` and `none` only {\"var\":\"\"}, the item, can be read",
            );
            return None;
        }
        if name.is_empty() {
            self.refuse("{\"var\":\"\"} is the item inside `some`, `all` and `none`");
            return None;
        }
        match Fact::parse(name) {
            Ok(fact) if self.memory_only && !matches!(fact, Fact::Memory(_)) => {
                self.refuse(format!("a filter reads `memory.*` only, not `{fact}`"));
                None
            }
            Ok(fact) => Some(Node::Fact(fact)),
            Err(reason) => {
                self.refuse(reason);
                None
            }
        }
    }

    fn each(&mut self, operator: Operator, operands: &[Value]) -> Option<Node> {
        let [list, predicate] = operands else {
            return None;
        };
        if self.in_predicate {
            // Items are plain values, and lists of lists would multiply the work.
            self.refuse("`some`, `all` and `none` cannot stand inside one another");
            return None;
        }
        let list = self.at("0", |parser| {
            let node = parser.node(list)?;
            match &node {
                Node::Literal(Value::Array(_)) => Some(node),
                Node::Fact(fact) if matches!(fact.shape(), Shape::List | Shape::Any) => Some(node),
                _ => {
                    parser.refuse("must be a list of plain values or a fact that is a list");
                    None
                }
            }
        });
        self.in_predicate = true;
        let predicate = self.at("1", |parser| parser.node(predicate));
        self.in_predicate = false;
        Some(Node::Each(operator, Arc::new((list?, predicate?))))
    }

    /// Refuses comparisons that could never be made, as far as that shows without the facts.
    fn comparison(&mut self, operator: Operator, nodes: Vec<Node>) -> Option<Node> {
        let is_list = |node: &Node| match node {
            Node::Literal(value) => value.is_array(),
            Node::Fact(fact) => fact.shape() == Shape::List,
            _ => false,
        };
        if operator == Operator::In {
            let looks_into = |node: &Node| match node {
                Node::Literal(value) => value.is_array(),
                Node::Fact(fact) => matches!(fact.shape(), Shape::List | Shape::Any),
                _ => true,
            };
            if !nodes.get(1).is_some_and(looks_into) {
                self.at("1", |parser| {
                    parser.refuse(
                        "`in` looks into a list and never into text; for a namespace and all \
                         below it look into `memory.namespace_path`",
                    );
                });
                return None;
            }
        }
        let compared = if operator == Operator::In {
            1
        } else {
            nodes.len()
        };
        if let Some(index) = nodes.iter().take(compared).position(is_list) {
            self.at(&index.to_string(), |parser| {
                parser.refuse("lists are not compared; use `in`, `some`, `all` or `none`");
            });
            return None;
        }
        Some(Node::Compare(Arc::new(Compare::new(operator, nodes))))
    }
}
