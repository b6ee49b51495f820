//! The same semantics once more, written plainly and without the engine, to hold the engine to it.

use serde_json::Value;

/// What a part of a rule comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Is(Value),
    Unknown,
    Error,
}

use Answer::{Error, Is, Unknown};

fn boolean(value: bool) -> Answer {
    Is(Value::Bool(value))
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
    }
}

fn condition(answer: Answer) -> Answer {
    match answer {
        Is(value) => boolean(truthy(&value)),
        other => other,
    }
}

fn not(answer: Answer) -> Answer {
    match condition(answer) {
        Is(value) => boolean(value == Value::Bool(false)),
        other => other,
    }
}

fn any(answers: Vec<Answer>) -> Answer {
    let answers: Vec<Answer> = answers.into_iter().map(condition).collect();
    if answers.contains(&boolean(true)) {
        boolean(true)
    } else if answers.contains(&Error) {
        Error
    } else if answers.contains(&Unknown) {
        Unknown
    } else {
        boolean(false)
    }
}

fn all(answers: Vec<Answer>) -> Answer {
    // De Morgan's law holds in Kleene's logic too.
    not(any(answers.into_iter().map(not).collect()))
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

fn compare(operator: &str, values: &[Value]) -> Answer {
    let first = &values[0];
    let is_scalar = |value: &Value| !value.is_array() && !value.is_object();
    if operator == "in" {
        let Value::Array(items) = &values[1] else {
            return Error;
        };
        if !is_scalar(first) {
            return Error;
        }
        if !items.is_empty() && !items.iter().any(|item| same_type(item, first)) {
            return Error;
        }
        return boolean(items.iter().any(|item| same(item, first)));
    }
    if !values
        .iter()
        .all(|value| is_scalar(value) && same_type(value, first))
    {
        return Error;
    }
    match operator {
        "==" | "===" => boolean(same(first, &values[1])),
        "!=" | "!==" => boolean(!same(first, &values[1])),
        _ if first.is_boolean() => Error,
        _ => {
            let holds = |pair: &[Value]| {
                let (a, b) = (&pair[0], &pair[1]);
                let order = match (a.as_str(), b.as_str()) {
                    (Some(a), Some(b)) => a.cmp(b),
                    _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap(),
                };
                match operator {
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    ">=" => order.is_ge(),
                    other => panic!("the oracle does not know {other}"),
                }
            };
            boolean(values.windows(2).all(holds))
        }
    }
}

/// Folds what a predicate says of each item of a list.
fn over_items(operator: &str, list: Answer, asked: impl Fn(&Value) -> Answer) -> Answer {
    let items = match list {
        Is(Value::Array(items)) => items,
        Is(_) => return Error,
        other => return other,
    };
    let answers = items.iter().map(asked).collect();
    match operator {
        "all" if items.is_empty() => boolean(false),
        "all" => all(answers),
        "some" => any(answers),
        _ => not(any(answers)),
    }
}

/// Evaluates `rule` over `facts`, one object of groups, or over `item` inside a predicate.
pub fn answer(rule: &Value, facts: &Value, item: Option<&Value>) -> Answer {
    let Value::Object(map) = rule else {
        return Is(rule.clone());
    };
    let (operator, operands) = map.iter().next().unwrap();
    let operands: Vec<&Value> = match operands {
        Value::Array(operands) => operands.iter().collect(),
        single => vec![single],
    };
    let each = |item| {
        operands
            .iter()
            .map(|rule| answer(rule, facts, item))
            .collect::<Vec<_>>()
    };
    match operator.as_str() {
        "var" => {
            let found = match (operands[0].as_str().unwrap(), item) {
                ("", item) => item,
                (name, _) => facts.pointer(&format!("/{}", name.replace('.', "/"))),
            };
            match found {
                None | Some(Value::Null) => Unknown,
                Some(value) => Is(value.clone()),
            }
        }
        "and" => all(each(item)),
        "or" => any(each(item)),
        "!" => not(answer(operands[0], facts, item)),
        "!!" => {
            let asks_fact = operands[0].get("var").is_some();
            match answer(operands[0], facts, item) {
                Unknown if asks_fact => boolean(false),
                other => condition(other),
            }
        }
        "if" => {
            let mut rest = operands.as_slice();
            while let [test, then, otherwise @ ..] = rest {
                match condition(answer(test, facts, item)) {
                    Is(Value::Bool(true)) => return answer(then, facts, item),
                    Is(_) => rest = otherwise,
                    other => return other,
                }
            }
            rest.first()
                .map_or(boolean(false), |rule| answer(rule, facts, item))
        }
        "some" | "all" | "none" => {
            let asked = |item: &Value| answer(operands[1], facts, Some(item));
            over_items(operator, answer(operands[0], facts, item), asked)
        }
        comparison => {
            let answers = each(item);
            if answers.contains(&Error) {
                return Error;
            }
            let values: Option<Vec<Value>> = answers
                .into_iter()
                .map(|answer| match answer {
                    Is(value) => Some(value),
                    _ => None,
                })
                .collect();
            values.map_or(Unknown, |values| compare(comparison, &values))
        }
    }
}

/// What a whole rule comes to.
pub fn verdict(rule: &Value, facts: &Value) -> Answer {
    match answer(rule, facts, None) {
        Is(Value::Bool(value)) => boolean(value),
        Is(_) => Error,
        other => other,
    }
}
