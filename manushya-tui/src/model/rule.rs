//! Rules and decisions as lines of text: JSON with its roles, and a decision as a tree.

use manushya_protocol::v1::policy::{Explanation, TraceNode};
use serde_json::Value;

use super::items::effect;
use crate::text::{Role, Spans, clean, line};

/// A value that fits on a line stays on it.
const INLINE_CHARS: usize = 44;

/// JSON over lines, each piece with its role.
pub fn json(value: &Value) -> Vec<Spans> {
    let mut lines = vec![Vec::new()];
    write_json(value, 0, &mut lines);
    lines
}

fn put(lines: &mut [Spans], role: Role, text: impl Into<String>) {
    if let Some(last) = lines.last_mut() {
        last.push((role, text.into()));
    }
}

fn write_json(value: &Value, depth: usize, lines: &mut Vec<Spans>) {
    let is_short = value.to_string().chars().count() <= INLINE_CHARS;
    let indent = |by: usize| "  ".repeat(depth + by);
    match value {
        Value::Array(items) if !items.is_empty() => {
            put(lines, Role::Dim, "[");
            for (place, item) in items.iter().enumerate() {
                if is_short {
                    put(lines, Role::Plain, if place > 0 { " " } else { "" });
                } else {
                    lines.push(vec![(Role::Plain, indent(1))]);
                }
                write_json(item, depth + 1, lines);
                put(
                    lines,
                    Role::Dim,
                    if place + 1 < items.len() { "," } else { "" },
                );
            }
            if !is_short {
                lines.push(vec![(Role::Plain, indent(0))]);
            }
            put(lines, Role::Dim, "]");
        }
        Value::Object(map) if !map.is_empty() => {
            put(lines, Role::Dim, "{");
            for (place, (name, item)) in map.iter().enumerate() {
                if !is_short {
                    lines.push(vec![(Role::Plain, indent(1))]);
                }
                put(
                    lines,
                    Role::Accent,
                    clean(&Value::from(name.as_str()).to_string()),
                );
                put(lines, Role::Dim, ": ");
                write_json(item, depth + 1, lines);
                put(
                    lines,
                    Role::Dim,
                    if place + 1 < map.len() { ", " } else { "" },
                );
            }
            if !is_short {
                lines.push(vec![(Role::Plain, indent(0))]);
            }
            put(lines, Role::Dim, "}");
        }
        Value::String(text) => put(
            lines,
            Role::Quoted,
            clean(&Value::from(text.as_str()).to_string()),
        ),
        Value::Number(_) | Value::Bool(_) | Value::Null => {
            put(lines, Role::Number, value.to_string())
        }
        Value::Array(_) | Value::Object(_) => put(lines, Role::Dim, value.to_string()),
    }
}

/// A decision with the rules that were read, each as a tree of its values.
pub fn explanation(explanation: &Explanation, ascii: bool) -> Vec<Spans> {
    let decision = &explanation.decision;
    let (role, word) = decided(decision.allowed, ascii);
    let by = match (&decision.policy, decision.revision) {
        (Some(policy), Some(revision)) => format!(" by {policy}@r{revision}"),
        (Some(policy), None) => format!(" by {policy}"),
        (None, _) => " since nothing matched".to_owned(),
    };
    let mut lines = vec![
        vec![(role, word.to_owned()), (Role::Plain, clean(&by))],
        line(Role::Plain, clean(&decision.reason)),
        Vec::new(),
    ];
    for step in &explanation.steps {
        let mark = if step.decided { "=> " } else { "   " };
        let result = if step.read {
            step.result.as_str()
        } else {
            "not read"
        };
        lines.push(vec![
            (Role::Accent, format!("{mark}{}", clean(&step.policy))),
            (
                Role::Dim,
                format!(
                    " r{} {} at {}: ",
                    step.revision,
                    effect(step.effect),
                    step.priority
                ),
            ),
            (
                if result == "matched" {
                    Role::Ok
                } else {
                    Role::Dim
                },
                clean(result),
            ),
        ]);
        if let Some(trace) = &step.trace {
            tree(trace, "   ", true, ascii, &mut lines);
        }
    }
    lines.push(Vec::new());
    lines.push(line(Role::Title, "facts"));
    lines.extend(json(&explanation.facts));
    lines
}

/// Allow or deny as role, mark and word.
pub fn decided(allowed: bool, ascii: bool) -> (Role, &'static str) {
    match (allowed, ascii) {
        (true, false) => (Role::Ok, "✓ ALLOW"),
        (true, true) => (Role::Ok, "ok ALLOW"),
        (false, false) => (Role::Bad, "✗ DENY"),
        (false, true) => (Role::Bad, "x DENY"),
    }
}

fn tree(node: &TraceNode, prefix: &str, is_last: bool, ascii: bool, lines: &mut Vec<Spans>) {
    let (corner, side) = match (is_last, ascii) {
        (true, false) => ("└─ ", "   "),
        (false, false) => ("├─ ", "│  "),
        (true, true) => ("`- ", "   "),
        (false, true) => ("|- ", "|  "),
    };
    let role = match node.value.as_str() {
        "true" => Role::Ok,
        "false" | "missing" => Role::Bad,
        _ => Role::Number,
    };
    lines.push(vec![
        (Role::Dim, format!("{prefix}{corner}")),
        (Role::Plain, clean(&node.expression)),
        (Role::Dim, " = ".to_owned()),
        (role, clean(&node.value)),
    ]);
    let prefix = format!("{prefix}{side}");
    for (place, child) in node.children.iter().enumerate() {
        tree(
            child,
            &prefix,
            place + 1 == node.children.len(),
            ascii,
            lines,
        );
    }
}
