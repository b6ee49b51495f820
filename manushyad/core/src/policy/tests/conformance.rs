//! The official JSON Logic suites against the bare engine, if `MANUSHYA_CONFORMANCE` names them.

use std::path::Path;

use serde_json::Value;

use crate::policy::node::Operator;
use crate::policy::{Rule, engine};

/// Rows the library answers otherwise than the suite says, and why that does no harm here.
///
/// Both are lists with operators inside. The library leaves such lists as they are; the fence
/// refuses them, so that no rule has one.
const EXCEPTIONS: &[&str] = &[
    r#"[1,{"var":"x"},3]"#,
    r#"{"if":[{"var":"x"},[{"var":"y"}],99]}"#,
];

fn uses_allowed_only(rule: &Value) -> bool {
    match rule {
        Value::Object(map) => {
            let known = |name: &String| Operator::ALL.iter().any(|o| o.symbol() == name);
            map.len() == 1 && map.keys().all(known) && map.values().all(uses_allowed_only)
        }
        Value::Array(items) => items.iter().all(uses_allowed_only),
        _ => true,
    }
}

/// Compares numbers as JSON Logic does, whichever way they are written.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        _ => a == b,
    }
}

/// A row of either suite: rule, data and result.
fn row(row: &Value) -> Option<(Value, Value, Value)> {
    match row {
        Value::Array(parts) => match parts.as_slice() {
            [rule, data, result] => Some((rule.clone(), data.clone(), result.clone())),
            _ => None,
        },
        Value::Object(map) => {
            let data = map.get("data").cloned().unwrap_or(Value::Null);
            Some((map.get("rule")?.clone(), data, map.get("result")?.clone()))
        }
        _ => None,
    }
}

fn run(path: &Path, at_least: usize) {
    let suite = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let suite: Vec<Value> = serde_json::from_str(&suite).unwrap();
    let mut ran = 0;
    let mut failures = Vec::new();
    for (rule, data, expected) in suite.iter().filter_map(row) {
        if !uses_allowed_only(&rule) {
            continue;
        }
        ran += 1;
        let found = engine::evaluate(&rule, &data);
        let agrees = found.as_ref().is_ok_and(|found| same(found, &expected));
        let text = rule.to_string();
        let excepted = EXCEPTIONS.contains(&text.as_str());
        if agrees == excepted {
            failures.push(format!("{text} over {data}: {found:?}, and not {expected}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{}:\n{}",
        path.display(),
        failures.join("\n")
    );
    assert!(
        ran >= at_least,
        "{} has {ran} rows of allowed operators only",
        path.display()
    );
    println!("{}: {ran} rows agree", path.display());
}

#[test]
fn exceptions_do_not_pass_the_fence() {
    for rule in EXCEPTIONS {
        assert!(
            Rule::parse(&serde_json::from_str(rule).unwrap()).is_err(),
            "{rule}"
        );
    }
}

#[test]
fn engine_agrees_with_the_official_suites() {
    let Some(root) = std::env::var_os("MANUSHYA_CONFORMANCE") else {
        println!("skipped: MANUSHYA_CONFORMANCE names no folder with the suites");
        return;
    };
    let suites = Path::new(&root).join("jsonlogic");
    run(&suites.join("tests.json"), 150);
    run(&suites.join("compat-suites/suites/compatible.json"), 150);
}
