//! How two forms of a policy differ.

use manushya_protocol::v1::common::Page;
use manushya_protocol::v1::policy::{PolicyApplied, PolicySpec, PolicyView};
use manushya_protocol::v1::review::{PolicyHistory, RevisionView};
use serde::Serialize;
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::files;
use crate::cli::policy::Diff as Arguments;
use crate::context::{Context, call};
use crate::error::{Outcome, Stop};
use crate::ui::color::{Tone, tint};
use crate::ui::table::one_line;

/// What differs between two forms of a policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Difference {
    /// Name of the policy.
    policy: String,
    /// What the older form is.
    from: String,
    /// What the newer form is.
    to: String,
    /// The fields that differ.
    changes: Vec<Change>,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Change {
    field: String,
    from: Value,
    to: Value,
}

/// What of a policy can be chosen.
fn content(policy: &PolicyView) -> Value {
    json!({
        "role": policy.role,
        "effect": policy.effect,
        "priority": policy.priority,
        "is_active": policy.is_active,
        "description": policy.description,
        "fields": policy.fields,
        "rule": policy.rule,
    })
}

fn content_of_spec(spec: &PolicySpec) -> Value {
    json!({
        "role": spec.role,
        "effect": spec.effect,
        "priority": spec.priority,
        "is_active": spec.is_active,
        "description": spec.description.as_deref().filter(|text| !text.is_empty()),
        "fields": spec.fields,
        "rule": spec.rule,
    })
}

fn changes(from: &Value, to: &Value) -> Vec<Change> {
    let fields = from.as_object().into_iter().flatten();
    fields
        .filter(|(field, value)| to[field.as_str()] != **value)
        .map(|(field, value)| Change {
            field: field.clone(),
            from: value.clone(),
            to: to[field.as_str()].clone(),
        })
        .collect()
}

/// The lines that differ, as `diff -u` shows them.
fn lines(from: &Value, to: &Value, color: bool) -> String {
    let pretty = |value: &Value| match value {
        Value::Null => String::new(),
        value => serde_json::to_string_pretty(value).unwrap_or_default() + "\n",
    };
    let (from, to) = (pretty(from), pretty(to));
    let diff = TextDiff::from_lines(&from, &to);
    let mut text = String::new();
    for group in diff.grouped_ops(3) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (mark, tone) = match change.tag() {
                ChangeTag::Delete => ("-", Some(Tone::Bad)),
                ChangeTag::Insert => ("+", Some(Tone::Good)),
                ChangeTag::Equal => (" ", None),
            };
            // A policy is the text of others; a terminal is not handed its control characters.
            let line: String = change
                .value()
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            let line = format!("{mark} {}", line.trim_end());
            text += &tone.map_or_else(|| line.clone(), |tone| tint(&line, tone, color));
            text.push('\n');
        }
    }
    text
}

/// Shows what an apply changed, or would change.
///
/// # Errors
///
/// If standard output is gone.
pub fn of_applied(applied: &PolicyApplied, context: &Context) -> Outcome {
    if !context.ui.is_table() || context.ui.quiet {
        return Ok(());
    }
    for item in applied
        .items
        .iter()
        .filter(|item| item.outcome != "unchanged")
    {
        let before = item.before.as_ref().map_or(Value::Null, content);
        let name = one_line(&item.policy.name);
        let text = lines(&before, &content(&item.policy), context.ui.paint.out);
        context.ui.emit(&format!("\n{name}\n{text}"))?;
    }
    Ok(())
}

/// Reads all revisions of a policy, newest first.
async fn revisions(policy: &str, context: &Context) -> Outcome<Vec<RevisionView>> {
    let client = context.connect().await?;
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let request = PolicyHistory {
            policy: Some(policy.to_owned()),
            page: Page {
                limit: Some(100),
                cursor,
            },
        };
        let page = call!(client, policy_history, request).await?;
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

/// Runs `policy diff`.
///
/// # Errors
///
/// A usage error for a revision that is none, or what the daemon answers with.
pub async fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let revisions = revisions(&arguments.policy, context).await?;
    let find = |wanted: u32| {
        let found = revisions.iter().find(|it| it.revision == wanted);
        found.ok_or_else(|| {
            Stop::usage(format!("{} has no revision {wanted}", arguments.policy))
                .hint(format!("manushyactl policy history {}", arguments.policy))
        })
    };
    let last = revisions.first().map_or(0, |last| last.revision);
    let named = |revision: &RevisionView| format!("revision {}", revision.revision);
    let (from, to, older, newer) = match (&arguments.file, arguments.from, arguments.to) {
        (Some(file), from, _) => {
            let read = files::read(std::slice::from_ref(file))?;
            files::refuse(&read.findings)?;
            let older = find(from.unwrap_or(last))?;
            let specs = read.specs();
            let spec = specs
                .iter()
                .find(|spec| spec.name.as_ref() == Some(&older.policy))
                .ok_or_else(|| {
                    let file = file.display();
                    Stop::usage(format!("`{file}` has no policy {}", older.policy))
                })?;
            let to = file.display().to_string();
            (
                named(older),
                to,
                content(&older.content),
                content_of_spec(spec),
            )
        }
        (None, from, to) => {
            let newer = find(to.unwrap_or(last))?;
            let before = newer.revision.saturating_sub(1).max(1);
            let older = find(from.unwrap_or(before))?;
            let (from, to) = (named(older), named(newer));
            (from, to, content(&older.content), content(&newer.content))
        }
    };
    let difference = Difference {
        policy: arguments.policy.clone(),
        changes: changes(&older, &newer),
        from,
        to,
    };
    let color = context.ui.paint.out;
    context.ui.document(&difference, || {
        let head = format!(
            "{}: {} -> {}",
            one_line(&difference.policy),
            one_line(&difference.from),
            one_line(&difference.to)
        );
        match difference.changes.is_empty() {
            true => format!("{head}: no difference\n"),
            false => format!("{head}\n{}", lines(&older, &newer, color)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told() {
        let older = json!({"role": "agent", "priority": 1, "rule": true});
        let newer = json!({"role": "agent", "priority": 2, "rule": true});
        let told = changes(&older, &newer);
        assert_eq!(told.len(), 1);
        assert_eq!((&*told[0].field, &told[0].to), ("priority", &json!(2)));
        let text = lines(&older, &newer, false);
        assert!(
            text.contains("-   \"priority\": 1,\n+   \"priority\": 2,\n"),
            "{text}"
        );
        assert!(changes(&older, &older).is_empty());
        assert_eq!(lines(&older, &older, false), "");
    }
}
