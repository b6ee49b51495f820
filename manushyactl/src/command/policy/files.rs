//! Policy files: one policy, a list of them, or `{"policies": [...]}`.

use std::path::{Path, PathBuf};

use manushya_protocol::limits;
use manushya_protocol::v1::policy::{PolicySpec, RuleFinding};
use serde_json::Value;

use super::Finding;
use crate::config::file::nearest;
use crate::context::read_text;
use crate::error::{Outcome, Stop};
use crate::ui::table;

/// The longest policy file, in bytes.
const FILE_BYTES_MAX: usize = 16 << 20;
/// The fields of a policy.
const FIELDS: &[&str] = &[
    "name",
    "role",
    "rule",
    "effect",
    "priority",
    "is_active",
    "description",
    "fields",
];

/// A policy and where it stands.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The file.
    pub file: String,
    /// Where in it, as a JSON Pointer.
    pub pointer: String,
    /// The policy, named.
    pub spec: PolicySpec,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// The policies that have the form of one.
    pub policies: Vec<Placed>,
    /// What is wrong with the others.
    pub findings: Vec<Finding>,
}

impl Read {
    /// The policies alone.
    pub fn specs(&self) -> Vec<PolicySpec> {
        self.policies
            .iter()
            .map(|placed| placed.spec.clone())
            .collect()
    }

    /// Puts the daemon's finding into its file.
    pub fn place(&self, finding: &RuleFinding) -> Finding {
        let placed = self
            .policies
            .iter()
            .find(|placed| placed.spec.name.as_ref() == Some(&finding.policy));
        let (file, pointer) = match placed {
            Some(placed) => (placed.file.clone(), placed.pointer.as_str()),
            None => (finding.policy.clone(), ""),
        };
        Finding {
            file,
            path: format!("{pointer}{}", finding.path),
            reason: finding.reason.clone(),
        }
    }
}

/// One finding on one line: `file: /rule/and/1: reason`.
pub fn line(finding: &Finding) -> String {
    let text = format!("{}: {}: {}", finding.file, finding.path, finding.reason);
    table::one_line(&text) + "\n"
}

/// Fails if anything is wrong.
///
/// # Errors
///
/// A usage error that tells every finding.
pub fn refuse(findings: &[Finding]) -> Outcome {
    if findings.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = findings.iter().map(line).collect();
    Err(
        Stop::usage("the policies are not well formed; none was applied")
            .reason(lines.concat().trim_end().to_owned())
            .hint("manushyactl policy validate FILE"),
    )
}

/// Reads files, folders of `*.json` files, and standard input if one is `-`.
///
/// # Errors
///
/// A usage error if a file cannot be read, or a folder has none.
pub fn read(paths: &[PathBuf]) -> Outcome<Read> {
    let mut read = Read::default();
    for path in paths {
        for file in expand(path)? {
            let text = read_text(&file, FILE_BYTES_MAX, "a policy file")?;
            parse(&text, &file, &mut read);
        }
    }
    Ok(read)
}

fn expand(path: &Path) -> Outcome<Vec<PathBuf>> {
    if path == Path::new("-") || !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let unreadable = |error| Stop::unreadable(path, &error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(file);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(Stop::usage(format!(
            "`{}` has no .json files",
            path.display()
        ))),
        false => Ok(files),
    }
}

fn parse(text: &str, path: &Path, read: &mut Read) {
    let file = path.display().to_string();
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            read.findings.push(Finding {
                file,
                path: "/".into(),
                reason: format!("not JSON: {error}"),
            });
            return;
        }
    };
    let stem = path
        .file_stem()
        .filter(|_| path != Path::new("-"))
        .map(|stem| stem.to_string_lossy().into_owned());
    let (items, base) = match &value {
        Value::Array(items) => (items.as_slice(), ""),
        Value::Object(fields)
            if fields.len() == 1 && fields.get("policies").is_some_and(Value::is_array) =>
        {
            (
                fields["policies"].as_array().map_or(&[][..], Vec::as_slice),
                "/policies",
            )
        }
        single => return take(single, &file, String::new(), stem, read),
    };
    for (place, item) in items.iter().enumerate() {
        take(item, &file, format!("{base}/{place}"), None, read);
    }
}

fn take(value: &Value, file: &str, pointer: String, name: Option<String>, read: &mut Read) {
    let mut finding = |path: String, reason: String| {
        read.findings.push(Finding {
            file: file.to_owned(),
            path,
            reason,
        });
    };
    let Value::Object(fields) = value else {
        return finding(
            or_root(&pointer),
            "a policy must be a JSON object".to_owned(),
        );
    };
    let mut sound = true;
    for key in fields.keys().filter(|key| !FIELDS.contains(&key.as_str())) {
        let hint = nearest(key, FIELDS)
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        finding(
            format!("{pointer}/{}", escaped(key)),
            format!("unknown field{hint}"),
        );
        sound = false;
    }
    if !sound {
        return;
    }
    let size = value.get("rule").map_or(0, |rule| rule.to_string().len());
    if size > limits::RULE_BYTES_MAX {
        let reason = format!(
            "the rule has {size} bytes; the limit is {}",
            limits::RULE_BYTES_MAX
        );
        return finding(format!("{pointer}/rule"), reason);
    }
    match serde_json::from_value::<PolicySpec>(value.clone()) {
        Err(error) => finding(or_root(&pointer), error.to_string()),
        Ok(mut spec) => {
            spec.name = spec.name.or(name);
            if spec.name.is_none() {
                return finding(
                    or_root(&pointer),
                    "a policy of a list needs a `name`".to_owned(),
                );
            }
            read.policies.push(Placed {
                file: file.to_owned(),
                pointer,
                spec,
            });
        }
    }
}

fn or_root(pointer: &str) -> String {
    if pointer.is_empty() {
        "/".to_owned()
    } else {
        pointer.to_owned()
    }
}

/// A key as a segment of a JSON Pointer (RFC 6901 section 3).
fn escaped(key: &str) -> String {
    key.chars()
        .take(64)
        .collect::<String>()
        .replace('~', "~0")
        .replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Read {
        let mut read = Read::default();
        parse(text, Path::new("dir/night-freeze.json"), &mut read);
        read
    }

    #[test]
    fn a_single_policy_is_named_after_its_file() {
        let read = check(r#"{"role": "agent", "rule": true}"#);
        assert_eq!(read.policies[0].spec.name.as_deref(), Some("night-freeze"));
        assert!(read.findings.is_empty());
    }

    #[test]
    fn lists_need_names() {
        let read = check(r#"[{"role":"a","rule":true,"name":"x"},{"role":"a","rule":true}]"#);
        assert_eq!(read.policies.len(), 1);
        assert_eq!(read.findings[0].path, "/1");
        let read = check(r#"{"policies":[{"role":"a","rule":true}]}"#);
        assert_eq!(read.findings[0].path, "/policies/0");
    }

    #[test]
    fn unknown_fields_are_named_by_their_pointer() {
        let read =
            check(r#"{"policies":[{"role":"a","rule":true,"name":"x","efect":"deny","a/b":1}]}"#);
        assert!(read.policies.is_empty());
        let paths: Vec<_> = read.findings.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["/policies/0/a~1b", "/policies/0/efect"]);
        assert!(read.findings[1].reason.contains("did you mean `effect`"));
    }

    #[test]
    fn findings_of_the_daemon_are_put_into_their_file() {
        let read = check(r#"{"policies":[{"role":"a","rule":{"and":[1,{"no":1}]},"name":"x"}]}"#);
        let finding = RuleFinding {
            policy: "x".into(),
            path: "/rule/and/1".into(),
            reason: "no".into(),
        };
        let text = line(&read.place(&finding));
        assert_eq!(text, "dir/night-freeze.json: /policies/0/rule/and/1: no\n");
    }

    #[test]
    fn wrong_types_and_broken_json_are_findings() {
        for text in [
            "{",
            "3",
            r#"{"role":1,"rule":true}"#,
            r#"{"rule":true}"#,
            r#"[3]"#,
        ] {
            let read = check(text);
            assert_eq!((read.policies.len(), read.findings.len()), (0, 1), "{text}");
        }
    }
}
