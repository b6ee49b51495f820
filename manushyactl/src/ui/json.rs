//! JSON, JSON Lines, YAML and CSV of anything that serialises.

use serde::Serialize;
use serde_json::Value;

use crate::error::{Outcome, Stop};
use manushya_protocol::error::ErrorCode;

fn broken(error: impl std::fmt::Display) -> Stop {
    Stop::new(ErrorCode::Internal, "the answer cannot be written down").reason(error.to_string())
}

/// One JSON document and a line end.
///
/// # Errors
///
/// If a value does not serialise.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Outcome<String> {
    let mut text = serde_json::to_string_pretty(value).map_err(broken)?;
    text.push('\n');
    Ok(text)
}

/// One object on one line.
///
/// # Errors
///
/// If a value does not serialise.
pub fn json_line<T: Serialize + ?Sized>(value: &T) -> Outcome<String> {
    let mut text = serde_json::to_string(value).map_err(broken)?;
    text.push('\n');
    Ok(text)
}

/// One YAML document.
///
/// # Errors
///
/// If a value does not serialise.
pub fn yaml<T: Serialize + ?Sized>(value: &T) -> Outcome<String> {
    // By way of JSON, so that both say the same of every type.
    let value = tree(value)?;
    let mut text = serde_saphyr::to_string(&value).map_err(broken)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// The value as a JSON tree. It goes by way of text, so that a 32-bit score stays as short as it
/// is.
///
/// # Errors
///
/// If a value does not serialise.
pub fn tree<T: Serialize + ?Sized>(value: &T) -> Outcome<Value> {
    let text = serde_json::to_string(value).map_err(broken)?;
    serde_json::from_str(&text).map_err(broken)
}

/// What stands at a dotted path of a tree; `null` if there is nothing.
pub fn at<'a>(tree: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .fold(tree, |value, key| value.get(key).unwrap_or(&Value::Null))
}

/// A value as one flat field: text bare, lists of scalars joined by `;`, the rest as JSON.
pub fn flat(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items)
            if items
                .iter()
                .all(|item| !item.is_object() && !item.is_array()) =>
        {
            items.iter().map(flat).collect::<Vec<_>>().join(";")
        }
        other => other.to_string(),
    }
}

/// One line of CSV (RFC 4180).
pub fn csv_line(fields: impl IntoIterator<Item = String>) -> String {
    let fields: Vec<String> = fields.into_iter().map(|field| quoted(&field)).collect();
    let mut line = fields.join(",");
    line.push('\n');
    line
}

fn quoted(field: &str) -> String {
    let plain = !field.contains([',', '"', '\n', '\r', '\u{feff}']) && field.trim() == field;
    match plain {
        true => field.to_owned(),
        false => format!("\"{}\"", field.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn csv_reads_back(fields in proptest::collection::vec("(?s).{0,12}", 2..5)) {
            let line = csv_line(fields.clone());
            let mut builder = csv::ReaderBuilder::new();
            let mut reader = builder.has_headers(false).from_reader(line.as_bytes());
            let record = reader.records().next();
            if fields.iter().any(|f| !f.is_empty()) {
                let record = record.unwrap().unwrap();
                prop_assert_eq!(record.iter().map(str::to_owned).collect::<Vec<_>>(), fields);
            }
        }

        #[test]
        fn yaml_reads_back(text in "(?s).{0,40}", n in any::<i64>(), flag in any::<bool>()) {
            let list = serde_json::json!([text, null]);
            let value = serde_json::json!({"text": text, "n": n, "flag": flag, "list": list});
            let written = yaml(&value).unwrap();
            let read: Value = serde_saphyr::from_str(&written).unwrap();
            prop_assert_eq!(read, value);
        }
    }

    #[test]
    fn yaml_keeps_text_that_looks_like_something_else() {
        for text in [
            "yes",
            "null",
            "1e3",
            "- a",
            "# x",
            "a: b",
            "0x1f",
            "~",
            "2026-11-23",
            "",
        ] {
            let value = serde_json::json!({ "t": text });
            let read: Value = serde_saphyr::from_str(&yaml(&value).unwrap()).unwrap();
            assert_eq!(read, value);
        }
    }
}
