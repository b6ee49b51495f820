//! `policy test`: what would be decided for given facts, once or case by case.

use manushya_protocol::client::Client;
use manushya_protocol::exit;
use manushya_protocol::limits;
use manushya_protocol::v1::policy::PolicyTest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::question::draw;
use crate::cli::policy::Test;
use crate::command::memory::json_argument;
use crate::config::Format;
use crate::context::{Context, call, read_text, text_argument};
use crate::error::{Outcome, Stop};
use crate::ui::color::{Tone, tint};
use crate::ui::render::{self, Column, Row};
use crate::ui::table::one_line;

/// The longest file of cases, in bytes.
const CASES_BYTES_MAX: usize = 16 << 20;

/// One line of a file of cases.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    role: String,
    action: String,
    resource: String,
    #[serde(default)]
    facts: Map<String, Value>,
    /// The seed's name for the facts of the identity.
    #[serde(default)]
    identity: Option<Map<String, Value>>,
    expect: Expect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Allow,
    Deny,
}

/// What became of a case.
#[derive(Debug, Serialize)]
struct CaseResult {
    line: usize,
    ok: bool,
    expect: Expect,
    got: Expect,
    role: String,
    action: String,
    resource: String,
    policy: Option<String>,
    reason: String,
}

impl Row for CaseResult {
    const COLUMNS: &'static [Column] = &[];
    const FIELDS: &'static [&'static str] = &[
        "line", "ok", "expect", "got", "role", "action", "resource", "policy", "reason",
    ];
    const NAME: &'static str = "line";
}

/// Decides for given facts.
pub async fn run(arguments: &Test, context: &Context) -> Outcome {
    if let Some(path) = &arguments.cases {
        let text = read_text(path, CASES_BYTES_MAX, "a file of cases")?;
        let cases = parse(&text, &path.display().to_string())?;
        return all(cases, &context.connect().await?, context).await;
    }
    let (Some(role), Some(action), Some(resource)) =
        (&arguments.role, &arguments.action, &arguments.resource)
    else {
        return Err(Stop::usage(
            "a test needs --role, --action and --resource, or a file of cases",
        ));
    };
    let facts = match &arguments.facts {
        None => Map::new(),
        Some(text) => {
            let text = text_argument(text, limits::METADATA_BYTES_MAX, "facts")?;
            match json_argument(&text, "--facts")? {
                Value::Object(facts) => facts,
                _ => return Err(Stop::usage("--facts must be a JSON object")),
            }
        }
    };
    let (role, action, resource) = (role.clone(), action.clone(), resource.clone());
    let client = context.connect().await?;
    let request = PolicyTest {
        role,
        action,
        resource,
        facts,
    };
    let explanation = call!(client, policy_test, request).await?;
    context
        .ui
        .document(&explanation, || draw(&explanation, context.ui.paint.out))
}

fn parse(text: &str, file: &str) -> Outcome<Vec<(usize, Case)>> {
    let mut cases = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let case: Case = serde_json::from_str(line).map_err(|error| {
            let reason = error
                .to_string()
                .replace(" at line 1 column ", " at column ");
            Stop::usage(format!("{file}: line {number} is not a case"))
                .reason(reason)
                .hint(r#"{"role":"agent","action":"read","resource":"memory","expect":"allow"}"#)
        })?;
        cases.push((number, case));
    }
    match cases.is_empty() {
        true => Err(Stop::usage(format!("{file} has no cases"))),
        false => Ok(cases),
    }
}

async fn all(cases: Vec<(usize, Case)>, client: &Client, context: &Context) -> Outcome {
    let mut results = Vec::with_capacity(cases.len());
    for (line, case) in cases {
        let mut facts = case.facts;
        if let Some(identity) = case.identity {
            facts.insert("identity".to_owned(), Value::Object(identity));
        }
        let (role, action, resource) = (case.role, case.action, case.resource);
        let request = PolicyTest {
            role: role.clone(),
            action: action.clone(),
            resource: resource.clone(),
            facts,
        };
        let decision = call!(client, policy_test, request).await?.decision;
        let got = if decision.allowed {
            Expect::Allow
        } else {
            Expect::Deny
        };
        let result = CaseResult {
            line,
            ok: got == case.expect,
            expect: case.expect,
            got,
            role,
            action,
            resource,
            policy: decision.policy,
            reason: decision.reason,
        };
        if context.ui.is_table() {
            context.ui.line(&told(&result, context.ui.paint.out))?;
        } else if context.ui.format == Format::Jsonl {
            context.ui.emit(&render::lines(
                Format::Jsonl,
                std::slice::from_ref(&result),
            )?)?;
        }
        results.push(result);
    }
    let total = results.len();
    if !matches!(context.ui.format, Format::Table | Format::Jsonl) {
        context.ui.list(&results, None, total as u64)?;
    }
    let failed = results.iter().filter(|result| !result.ok).count();
    context
        .ui
        .note(&format!("{} of {total} ok", total - failed));
    match failed {
        0 => Ok(()),
        _ => Err(Stop::Exit(exit::FAILURE)),
    }
}

fn told(result: &CaseResult, color: bool) -> String {
    let word = match result.ok {
        true => tint("ok  ", Tone::Good, color),
        false => tint("FAIL", Tone::Bad, color),
    };
    let by = result.policy.as_deref().unwrap_or("no policy");
    let mut line = format!(
        "{word}  line {}: {} {} {}: {:?} by {by}",
        result.line, result.role, result.action, result.resource, result.got
    );
    if !result.ok {
        line.push_str(&format!(
            ", expected {:?}: {}",
            result.expect, result.reason
        ));
    }
    one_line_keeping_color(&line)
}

/// Cleans everything but the colour that stands at the start.
fn one_line_keeping_color(line: &str) -> String {
    match line
        .strip_prefix('\u{1b}')
        .and_then(|rest| rest.split_once("\u{1b}[0m"))
    {
        Some((start, rest)) => format!("\u{1b}{start}\u{1b}[0m  {}", one_line(rest)),
        None => match line.split_once("  ") {
            Some((word, rest)) => format!("{word}  {}", one_line(rest)),
            None => one_line(line),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read_strictly() {
        let good = r#"{"role":"agent","action":"read","resource":"memory","expect":"allow"}"#;
        let text = format!("{good}\n\n{good}\n");
        let cases = parse(&text, "c").unwrap();
        assert_eq!(
            cases.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [1, 3]
        );
        for bad in [
            "",
            r#"{"role":"agent"}"#,
            r#"{"role":"a","action":"b","resource":"c","expect":"maybe"}"#,
            r#"{"role":"a","action":"b","resource":"c","expect":"deny","x":1}"#,
        ] {
            assert_eq!(parse(bad, "c").unwrap_err().exit(), exit::USAGE, "{bad}");
        }
    }
}
