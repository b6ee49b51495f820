//! One line of an import: strict, with a precise reason for whatever is wrong.

use manushya_protocol::limits;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::memory::{MemoryAdd, OnConflict};
use serde_json::{Map, Value};

use crate::config::file::nearest;

/// What lines get that they do not say themselves.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// The type.
    pub kind: Option<String>,
    /// Tags added to those of the line.
    pub tags: Vec<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// The trust.
    pub trust: Option<u8>,
    /// Where they come from.
    pub source: Option<String>,
    /// What to do when the key exists.
    pub on_conflict: OnConflict,
}

/// Fields that a memory is made of.
const FIELDS: &[&str] = &[
    "text",
    "type",
    "tags",
    "metadata",
    "namespace",
    "session",
    "key",
    "trust",
    "created_at",
    "expires_at",
    "ttl_seconds",
    "on_conflict",
    "source",
];
/// Fields that an export writes and that are not taken over.
const IGNORED: &[&str] = &[
    "id",
    "owner",
    "owner_id",
    "version",
    "updated_at",
    "deleted_at",
    "provenance",
    "quarantined",
    "superseded_by",
    "superseded_at",
    "supersedes",
];

/// Reads one line.
///
/// # Errors
///
/// The reason why it is no memory, in one sentence without a full stop.
pub fn parse(line: &[u8], defaults: &Defaults) -> Result<MemoryAdd, String> {
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to() + 1))?;
    let value: Value = serde_json::from_str(text)
        .map_err(|error| format!("not JSON: {}", without_line(&error.to_string())))?;
    let Value::Object(fields) = value else {
        return Err(format!("must be a JSON object, not {}", kind_of(&value)));
    };
    let mut add = MemoryAdd {
        on_conflict: defaults.on_conflict,
        ..MemoryAdd::default()
    };
    for (field, value) in fields {
        take(&mut add, &field, value)?;
    }
    add.kind = add.kind.or_else(|| defaults.kind.clone());
    add.namespace = add.namespace.or_else(|| defaults.namespace.clone());
    add.session = add.session.or_else(|| defaults.session.clone());
    add.trust = add.trust.or(defaults.trust);
    add.source = add.source.or_else(|| defaults.source.clone());
    for tag in &defaults.tags {
        if !add.tags.contains(tag) {
            add.tags.push(tag.clone());
        }
    }
    check(&add)?;
    Ok(add)
}

fn take(add: &mut MemoryAdd, field: &str, value: Value) -> Result<(), String> {
    if IGNORED.contains(&field) {
        return Ok(());
    }
    if field == "redacted" {
        // What stands in place of a masked text must not be written over it.
        return match value.as_array() {
            Some(masked) if masked.is_empty() => Ok(()),
            _ => Err("it was exported with parts redacted".to_owned()),
        };
    }
    if !FIELDS.contains(&field) {
        let name: String = field.chars().take(64).collect();
        let hint = nearest(field, FIELDS)
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        return Err(format!("unknown field `{name}`{hint}"));
    }
    if value.is_null() {
        return Ok(());
    }
    match field {
        "text" => add.text = text(field, value)?,
        "type" => add.kind = Some(text(field, value)?),
        "namespace" => add.namespace = Some(text(field, value)?),
        "session" => add.session = Some(text(field, value)?),
        "source" => add.source = Some(text(field, value)?),
        "key" => add.key = Some(text(field, value)?),
        "tags" => add.tags = tags(value)?,
        "metadata" => add.metadata = metadata(value)?,
        "trust" => add.trust = Some(trust(&value)?),
        "created_at" => add.created_at = Some(time(field, value)?),
        "expires_at" => add.expires_at = Some(time(field, value)?),
        "ttl_seconds" => add.ttl_seconds = Some(seconds(&value)?),
        _ => add.on_conflict = conflict(&value)?,
    }
    Ok(())
}

fn text(field: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(format!(
            "`{field}` must be a string, not {}",
            kind_of(&other)
        )),
    }
}

fn tags(value: Value) -> Result<Vec<String>, String> {
    let Value::Array(items) = value else {
        return Err(format!(
            "`tags` must be a list of strings, not {}",
            kind_of(&value)
        ));
    };
    items
        .into_iter()
        .enumerate()
        .map(|(place, item)| match item {
            Value::String(tag) => Ok(tag),
            other => Err(format!(
                "`tags[{place}]` must be a string, not {}",
                kind_of(&other)
            )),
        })
        .collect()
}

fn metadata(value: Value) -> Result<Map<String, Value>, String> {
    let Value::Object(fields) = value else {
        return Err(format!(
            "`metadata` must be an object, not {}",
            kind_of(&value)
        ));
    };
    for (key, value) in &fields {
        let flat = match value {
            Value::Object(_) => false,
            Value::Array(items) => items
                .iter()
                .all(|item| !item.is_object() && !item.is_array()),
            _ => true,
        };
        if !flat {
            let key: String = key.chars().take(64).collect();
            return Err(format!(
                "`metadata.{key}` must be a scalar or a list of scalars"
            ));
        }
    }
    Ok(fields)
}

fn trust(value: &Value) -> Result<u8, String> {
    value
        .as_u64()
        .and_then(|n| u8::try_from(n).ok())
        .filter(|n| *n <= 100)
        .ok_or_else(|| "`trust` must be a whole number from 0 to 100".to_owned())
}

fn seconds(value: &Value) -> Result<u64, String> {
    value
        .as_u64()
        .filter(|n| *n > 0)
        .ok_or_else(|| "`ttl_seconds` must be a whole number above 0".to_owned())
}

fn time(field: &str, value: Value) -> Result<UnixMillis, String> {
    let text = text(field, value)?;
    text.parse()
        .map_err(|error: manushya_protocol::unit::ParseUnitError| format!("`{field}`: {error}"))
}

fn conflict(value: &Value) -> Result<OnConflict, String> {
    match value.as_str() {
        Some("fail") => Ok(OnConflict::Fail),
        Some("update") => Ok(OnConflict::Update),
        Some("skip") => Ok(OnConflict::Skip),
        _ => Err("`on_conflict` must be `fail`, `update` or `skip`".to_owned()),
    }
}

/// The bounds that concern one line alone; the daemon checks them all again.
fn check(add: &MemoryAdd) -> Result<(), String> {
    if add.text.trim().is_empty() {
        return Err("`text` is missing or empty".to_owned());
    }
    bound("text", add.text.len(), limits::TEXT_BYTES_MAX, "bytes")?;
    bound("tags", add.tags.len(), limits::TAGS_MAX, "tags")?;
    bound(
        "metadata",
        add.metadata.len(),
        limits::METADATA_KEYS_MAX,
        "keys",
    )?;
    if let Some(key) = &add.key {
        bound("key", key.len(), limits::KEY_BYTES_MAX, "bytes")?;
    }
    if add.expires_at.is_some() && add.ttl_seconds.is_some() {
        return Err("`expires_at` and `ttl_seconds` exclude each other".to_owned());
    }
    Ok(())
}

fn bound(field: &str, actual: usize, most: usize, unit: &str) -> Result<(), String> {
    match actual <= most {
        true => Ok(()),
        false => Err(format!(
            "`{field}` has {actual} {unit}; the limit is {most}"
        )),
    }
}

/// The parser counts lines within the line, which is always the first.
fn without_line(error: &str) -> String {
    error.replace(" at line 1 column ", " at column ")
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check_reason(line: &[u8], wanted: &str) {
        let reason = parse(line, &Defaults::default()).unwrap_err();
        assert!(reason.contains(wanted), "{reason}");
    }

    #[test]
    fn reasons_are_precise() {
        check_reason(b"{\"text\":\"\xff\"}", "not UTF-8 at byte 10");
        check_reason(b"{\"text\": }", "at column 10");
        check_reason(b"[1]", "must be a JSON object, not a list");
        check_reason(b"{}", "`text` is missing");
        check_reason(b"{\"text\":\" \"}", "`text` is missing or empty");
        check_reason(b"{\"text\":1}", "`text` must be a string, not a number");
        check_reason(
            b"{\"text\":\"x\",\"tags\":[\"a\",2]}",
            "`tags[1]` must be a string",
        );
        check_reason(b"{\"text\":\"x\",\"trust\":101}", "0 to 100");
        check_reason(
            b"{\"text\":\"x\",\"metadata\":{\"a\":{\"b\":1}}}",
            "`metadata.a`",
        );
        check_reason(b"{\"text\":\"x\",\"created_at\":\"soon\"}", "`created_at`");
        check_reason(
            b"{\"text\":\"x\",\"sesion\":\"s\"}",
            "did you mean `session`",
        );
        check_reason(
            b"{\"text\":\"x\",\"on_conflict\":\"merge\"}",
            "`on_conflict`",
        );
        let long = format!(
            "{{\"text\":\"{}\"}}",
            "x".repeat(limits::TEXT_BYTES_MAX + 1)
        );
        check_reason(long.as_bytes(), "the limit is 65536");
    }

    #[test]
    fn what_export_writes_is_ignored_and_nothing_else() {
        let line = br#"{"text":"x","id":"mem_1","owner":"a","owner_id":"i","version":3,
            "updated_at":"t","deleted_at":null}"#;
        assert_eq!(parse(line, &Defaults::default()).unwrap().text, "x");
        check_reason(b"{\"text\":\"x\",\"ownr\":\"a\"}", "unknown field `ownr`");
    }

    #[test]
    fn defaults_fill_and_never_override() {
        let defaults = Defaults {
            kind: Some("note".into()),
            tags: vec!["t".into()],
            namespace: Some("/n".into()),
            ..Defaults::default()
        };
        let add = parse(br#"{"text":"x","type":"fact","tags":["u"]}"#, &defaults).unwrap();
        assert_eq!(add.kind.as_deref(), Some("fact"));
        assert_eq!(add.namespace.as_deref(), Some("/n"));
        assert_eq!(add.tags, ["u", "t"]);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::hash_map("[a-z]{1,3}", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&line, &Defaults::default());
        }

        #[test]
        fn wrong_types_never_panic_and_name_the_field(
            place in 0..FIELDS.len(), value in any_json()
        ) {
            let field = FIELDS[place];
            let mut line = json!({"text": "fine"});
            line[field] = value;
            if let Err(reason) = parse(line.to_string().as_bytes(), &Defaults::default()) {
                prop_assert!(reason.contains(&format!("`{field}")), "{reason}");
            }
        }

        #[test]
        fn every_text_is_taken_as_it_is(text in "(?s).{1,60}") {
            let line = json!({"text": text}).to_string();
            match parse(line.as_bytes(), &Defaults::default()) {
                Ok(add) => prop_assert_eq!(add.text, text),
                Err(_) => prop_assert!(text.trim().is_empty()),
            }
        }
    }
}
