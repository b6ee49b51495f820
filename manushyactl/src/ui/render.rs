//! One way from any answer to every format: columns and fields are named, not programmed.

use manushya_protocol::unit::UnixMillis;
use serde::Serialize;
use serde_json::Value;

use super::color::{Tone, tint};
use super::{json, table, time};
use crate::config::Format;
use crate::error::Outcome;

/// What rendering for people depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Human {
    /// This moment.
    pub now: UnixMillis,
    /// Width of the terminal; none if it is no terminal.
    pub width: Option<usize>,
    /// Whether to colour.
    pub color: bool,
}

/// How a cell of a table is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text on one line.
    Text,
    /// A moment, as its age.
    Age,
    /// A number with two or three decimals.
    Score,
    /// A count with commas.
    Count,
    /// A word that is good or bad.
    State,
    /// A truth, as yes or no.
    Flag,
    /// The parts of a score.
    Parts,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its title.
    pub title: &'static str,
    /// Where its value stands in the JSON, with dots.
    pub path: &'static str,
    /// How it is told.
    pub kind: Kind,
}

/// Something that lists show.
pub trait Row: Serialize {
    /// The columns of the table. The last is cut to the terminal.
    const COLUMNS: &'static [Column];
    /// The fields of CSV and of the view of one item, as dotted paths.
    const FIELDS: &'static [&'static str];
    /// The field that names it.
    const NAME: &'static str;
}

/// Renders a list.
///
/// # Errors
///
/// If an item does not serialise.
pub fn list<T: Row>(
    format: Format,
    items: &[T],
    next: Option<&str>,
    total: u64,
    human: &Human,
) -> Outcome<String> {
    #[derive(Serialize)]
    struct Listed<'a, T> {
        items: &'a [T],
        next: Option<&'a str>,
        total: u64,
    }
    let listed = Listed { items, next, total };
    match format {
        Format::Json => json::json(&listed),
        Format::Yaml => json::yaml(&listed),
        Format::Table => rows(items, human),
        Format::Csv => {
            let head = json::csv_line(T::FIELDS.iter().map(ToString::to_string));
            Ok(head + &lines(format, items)?)
        }
        Format::Jsonl | Format::Name | Format::Cef => lines(format, items),
    }
}

/// Renders items one a line: JSON Lines, names, or CSV without its header.
///
/// # Errors
///
/// If an item does not serialise.
pub fn lines<T: Row>(format: Format, items: &[T]) -> Outcome<String> {
    let mut text = String::new();
    for item in items {
        match format {
            Format::Csv => {
                let tree = json::tree(item)?;
                let fields = T::FIELDS
                    .iter()
                    .map(|path| json::flat(json::at(&tree, path)));
                text.push_str(&json::csv_line(fields));
            }
            Format::Name => {
                text.push_str(&json::flat(json::at(&json::tree(item)?, T::NAME)));
                text.push('\n');
            }
            _ => text.push_str(&json::json_line(item)?),
        }
    }
    Ok(text)
}

fn rows<T: Row>(items: &[T], human: &Human) -> Outcome<String> {
    let head: Vec<&str> = T::COLUMNS.iter().map(|column| column.title).collect();
    let mut cells = Vec::with_capacity(items.len());
    for item in items {
        let tree = json::tree(item)?;
        cells.push(T::COLUMNS.iter().map(|c| cell(&tree, c, human)).collect());
    }
    Ok(table::render(&head, &cells, human.width))
}

fn cell(tree: &Value, column: &Column, human: &Human) -> String {
    let value = json::at(tree, column.path);
    if value.is_null() {
        return "-".to_owned();
    }
    match column.kind {
        Kind::Text => table::one_line(&json::flat(value)),
        Kind::Age => match moment(value) {
            Some(moment) => time::ago(moment, human.now),
            None => table::one_line(&json::flat(value)),
        },
        Kind::Score => format!("{:.3}", value.as_f64().unwrap_or_default()),
        Kind::Count => value.as_u64().map(time::count).unwrap_or_default(),
        Kind::Flag => if value.as_bool() == Some(true) {
            "yes"
        } else {
            "no"
        }
        .to_owned(),
        Kind::State => {
            let word = table::one_line(&json::flat(value));
            tint(&word, tone(&word), human.color)
        }
        Kind::Parts => parts(value),
    }
}

/// What a word of state says.
fn tone(word: &str) -> Tone {
    match word {
        "ok" | "allow" | "active" | "serving" | "added" | "created" | "OK" => Tone::Good,
        "warning" | "expired" | "lapsed" | "planned" => Tone::Warn,
        "failure" | "deny" | "revoked" | "disabled" => Tone::Bad,
        _ => Tone::Dim,
    }
}

/// What a score is made of, on one line.
fn parts(value: &Value) -> String {
    let number = |key: &str| value[key].as_f64().unwrap_or_default();
    let terms: Vec<String> = value["terms"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|term| {
            let word = table::one_line(term["term"].as_str().unwrap_or_default());
            format!("{word} {:.2}", term["score"].as_f64().unwrap_or_default())
        })
        .collect();
    let factor = |key: &str| value[key].as_f64().map(|by| format!("  {key} x{by:.2}"));
    let factors: String = ["recency", "trust", "importance"]
        .into_iter()
        .filter_map(factor)
        .collect();
    format!(
        "words {:.2}x{:.2} (bm25 {:.2}: {})  meaning {:.2}x{:.2} (cosine {:.2}){factors}",
        number("lexical"),
        number("lexical_weight"),
        number("bm25"),
        if terms.is_empty() {
            "none".to_owned()
        } else {
            terms.join(", ")
        },
        number("semantic"),
        number("semantic_weight"),
        number("cosine"),
    )
}

/// The moment in a value that has the form of one.
fn moment(value: &Value) -> Option<UnixMillis> {
    let text = value.as_str()?;
    (text.ends_with('Z') && text.len() >= 20).then(|| text.parse().ok())?
}

/// Renders one item.
///
/// # Errors
///
/// If the item does not serialise.
pub fn item<T: Row>(format: Format, item: &T, human: &Human) -> Outcome<String> {
    match format {
        Format::Json => json::json(item),
        Format::Yaml => json::yaml(item),
        Format::Jsonl | Format::Name | Format::Cef => lines(format, std::slice::from_ref(item)),
        Format::Csv => list(format, std::slice::from_ref(item), None, 1, human),
        Format::Table => {
            let tree = json::tree(item)?;
            let rows: Vec<(String, String)> = T::FIELDS
                .iter()
                .map(|path| (path, json::at(&tree, path)))
                .filter(|(_, value)| !is_nothing(value))
                .map(|(path, value)| (label(path), detail(path, value, human)))
                .collect();
            Ok(table::pairs(&rows))
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn label(path: &str) -> String {
    path.replace(['_', '.'], " ")
}

fn detail(path: &str, value: &Value, human: &Human) -> String {
    if let Some(moment) = moment(value) {
        return time::full(moment, human.now);
    }
    match value {
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::Number(number) if !path.ends_with("uid") && !path.ends_with("pid") => number
            .as_u64()
            .map_or_else(|| number.to_string(), time::count),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            let items: Vec<String> = items.iter().map(json::flat).collect();
            table::many_lines(&items.join(", "))
        }
        Value::Array(_) | Value::Object(_) => {
            table::many_lines(&serde_json::to_string_pretty(value).unwrap_or_default())
        }
        other => table::many_lines(&json::flat(other)),
    }
}

#[cfg(test)]
mod tests;
