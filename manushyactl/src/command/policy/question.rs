//! `policy can-i` and `policy explain`.

use manushya_protocol::exit;
use manushya_protocol::id::{MemoryId, ParseIdError};
use manushya_protocol::v1::policy::{
    DecisionView, Effect, ExplainStep, Explanation, PolicyQuestion, TraceNode,
};

use crate::cli::args::nested;
use crate::cli::policy::Question;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::color::{Tone, tint};
use crate::ui::table::one_line;

/// How deep a trace is drawn; rules are not deeper.
const DEPTH_MAX: usize = 32;

fn question(arguments: &Question) -> Outcome<PolicyQuestion> {
    let memory = arguments
        .memory
        .as_deref()
        .map(str::parse::<MemoryId>)
        .transpose()
        .map_err(|error: ParseIdError| Stop::usage(error.to_string()))?;
    Ok(PolicyQuestion {
        action: arguments.action.clone(),
        resource: arguments.resource.clone(),
        identity: arguments.identity.clone(),
        memory,
        target: arguments.target.clone(),
        facts: nested(&arguments.facts),
    })
}

/// Says whether it is allowed.
pub async fn can_i(arguments: &Question, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let decision = call!(client, policy_can_i, question(arguments)?).await?;
    if !context.ui.quiet {
        context.ui.told(&decision, || {
            verdict(&decision, context.ui.paint.out) + "\n"
        })?;
    }
    match decision.allowed {
        true => Ok(()),
        false => Err(Stop::Exit(exit::DENIED)),
    }
}

/// Shows how it is decided.
pub async fn explain(arguments: &Question, context: &Context) -> Outcome {
    let client = context.connect().await?;
    let explanation = call!(client, policy_explain, question(arguments)?).await?;
    let color = context.ui.paint.out;
    context
        .ui
        .document(&explanation, || draw(&explanation, color))
}

/// The decision on one line.
pub fn verdict(decision: &DecisionView, color: bool) -> String {
    let word = match decision.allowed {
        true => tint("yes", Tone::Good, color),
        false => tint("no", Tone::Bad, color),
    };
    let by = match (&decision.policy, decision.revision) {
        (Some(policy), Some(revision)) => format!("  {} r{revision}", one_line(policy)),
        (Some(policy), None) => format!("  {}", one_line(policy)),
        _ => "  no policy matched".to_owned(),
    };
    format!("{word}{by}  {}", one_line(&decision.reason))
}

/// The explanation as a tree.
pub fn draw(explanation: &Explanation, color: bool) -> String {
    let mut text = verdict(&explanation.decision, color) + "\n";
    for step in &explanation.steps {
        text.push_str(&step_line(step, color));
        if let Some(trace) = &step.trace {
            branch(trace, "     ", true, 0, &mut text);
        }
    }
    text
}

fn step_line(step: &ExplainStep, color: bool) -> String {
    let mark = if step.decided { "▸" } else { " " };
    let effect = match step.effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
        Effect::Redact => "redact",
        Effect::Require => "require",
    };
    let result = match (step.read, step.result.as_str()) {
        (false, _) => "not read: a higher priority decided".to_owned(),
        (true, result) => one_line(result),
    };
    let line = format!(
        " {mark} {} r{}  {effect}, priority {}: {result}",
        one_line(&step.policy),
        step.revision,
        step.priority,
    );
    match (step.decided, step.read) {
        (true, _) => tint(&line, Tone::Strong, color) + "\n",
        (false, false) => tint(&line, Tone::Dim, color) + "\n",
        _ => line + "\n",
    }
}

fn branch(node: &TraceNode, indent: &str, is_last: bool, depth: usize, text: &mut String) {
    let (joint, next) = if is_last {
        ("└─ ", "   ")
    } else {
        ("├─ ", "│  ")
    };
    let expression = one_line(&node.expression);
    let value = one_line(&node.value);
    text.push_str(&match node.children.is_empty() && expression == value {
        true => format!("{indent}{joint}{expression}\n"),
        false => format!("{indent}{joint}{expression} = {value}\n"),
    });
    if depth >= DEPTH_MAX {
        return;
    }
    let indent = format!("{indent}{next}");
    let last = node.children.len().saturating_sub(1);
    for (place, child) in node.children.iter().enumerate() {
        branch(child, &indent, place == last, depth + 1, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanation_shows_the_values_that_were_read() {
        let leaf = |expression: &str, value: &str| TraceNode {
            expression: expression.into(),
            value: value.into(),
            children: Vec::new(),
        };
        let trace = TraceNode {
            expression: "==".into(),
            value: "false".into(),
            children: vec![
                leaf("var memory.owner", "\"agent-a\""),
                leaf("\"agent-b\"", "\"agent-b\""),
            ],
        };
        let step = |policy: &str, read, decided| ExplainStep {
            policy: policy.into(),
            revision: 1,
            priority: 0,
            effect: Effect::Allow,
            read,
            result: "not matched".into(),
            decided,
            trace: read.then(|| trace.clone()),
        };
        let explanation = Explanation {
            decision: DecisionView {
                allowed: false,
                policy: None,
                revision: None,
                reason: "nothing matched".into(),
            },
            steps: vec![step("own", true, false), step("low", false, false)],
            facts: serde_json::Value::Null,
        };
        let text = draw(&explanation, false);
        let wanted = [
            "no  no policy matched  nothing matched",
            "   own r1  allow, priority 0: not matched",
            "     └─ == = false",
            "        ├─ var memory.owner = \"agent-a\"",
            "        └─ \"agent-b\"",
            "   low r1  allow, priority 0: not read: a higher priority decided",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), wanted);
    }
}
