//! Values as people write them: durations, times, `key=value` pairs, lists.

use std::path::PathBuf;

use clap::Args;
use manushya_protocol::unit::{UnixMillis, parse_duration_seconds};
use serde_json::{Map, Value};

/// Which part of a list is wanted.
#[derive(Args, Clone, Debug, Default)]
pub struct Paging {
    /// How many items to show
    #[arg(
        long, value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub limit: u32,
    /// Where to go on: `next` of the list before
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
    /// Show every item
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
}

/// Which memories are meant. All conditions must hold.
#[derive(Args, Clone, Debug, Default)]
pub struct Filter {
    /// Of any of these types
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub kinds: Vec<String>,
    /// With all of these tags
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Owned by this identity
    #[arg(long, value_name = "IDENTITY")]
    pub owner: Option<String>,
    /// In this namespace or below
    #[arg(long, value_name = "PATH")]
    pub namespace: Option<String>,
    /// Of this session
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// Made at or after this time, or this long ago: 2026-11-01, 7d
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<UnixMillis>,
    /// Made before this time, or this long ago
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<UnixMillis>,
    /// Made or last changed by this identity; --since and --until then are about when, by the
    /// daemon's clock
    #[arg(long, value_name = "IDENTITY")]
    pub writer: Option<String>,
    /// JSON Logic over `memory.*`, as JSON or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub filter: Option<String>,
    /// Trusted at least so far, 0 to 100
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub min_trust: Option<u8>,
}

/// A secret or text that goes to a file instead of standard output.
#[derive(Args, Clone, Debug, Default)]
pub struct OutFile {
    /// Write to this file (mode 0600) instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Reads a duration such as `7d` into seconds.
///
/// # Errors
///
/// Says how a duration is written.
pub fn parse_seconds(text: &str) -> Result<u64, String> {
    parse_duration_seconds(text).map_err(|error| error.to_string())
}

/// Reads a moment: RFC 3339, a date, or a duration that counts back from now.
///
/// # Errors
///
/// Says how a time is written.
pub fn parse_time(text: &str) -> Result<UnixMillis, String> {
    let now = UnixMillis(jiff::Timestamp::now().as_millisecond());
    parse_time_at(text, now)
}

fn parse_time_at(text: &str, now: UnixMillis) -> Result<UnixMillis, String> {
    match text.parse::<UnixMillis>() {
        Ok(time) => Ok(time),
        Err(error) => match parse_duration_seconds(text) {
            Ok(seconds) => {
                let millis = i64::try_from(seconds)
                    .unwrap_or(i64::MAX)
                    .saturating_mul(1000);
                Ok(now.plus_millis(-millis))
            }
            Err(_) => Err(format!("{error}, or `7d` for seven days ago")),
        },
    }
}

/// Reads `key=value`; a value that is a JSON scalar is taken as one, anything else as text.
///
/// # Errors
///
/// Says what is missing.
pub fn parse_pair(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{}` has no `=`; write key=value", clip(text)))?;
    if key.is_empty() {
        return Err("the key before `=` is empty".to_owned());
    }
    Ok((key.to_owned(), scalar_or_text(value)))
}

fn scalar_or_text(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(_)) | Err(_) => Value::String(text.to_owned()),
        Ok(value) => value,
    }
}

/// Puts pairs into one object; a key given twice keeps its last value.
pub fn object(pairs: &[(String, Value)]) -> Map<String, Value> {
    pairs.iter().cloned().collect()
}

/// Puts pairs into one object; dots in a key make objects within.
pub fn nested(pairs: &[(String, Value)]) -> Map<String, Value> {
    let mut root = Map::new();
    for (key, value) in pairs {
        insert(&mut root, key, value.clone());
    }
    root
}

fn insert(into: &mut Map<String, Value>, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            into.insert(key.to_owned(), value);
        }
        Some((head, tail)) => {
            let inner = into
                .entry(head)
                .or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                insert(inner, tail, value);
            }
        }
    }
}

fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".{0,80}") {
            let _ = parse_pair(&text);
            let _ = parse_time(&text);
            let _ = parse_seconds(&text);
        }

        #[test]
        fn pair_splits_at_the_first_equals_sign(
            key in "[a-z.]{1,9}", value in "[^0-9\\[{\"]{1,20}"
        ) {
            let (read_key, read) = parse_pair(&format!("{key}={value}")).unwrap();
            prop_assert_eq!(read_key, key);
            prop_assert!(read == Value::String(value.clone()) || read == scalar_or_text(&value));
        }
    }

    #[test]
    fn pair_values_are_scalars_lists_or_text() {
        assert_eq!(parse_pair("a=1").unwrap().1, json!(1));
        assert_eq!(parse_pair("a=true").unwrap().1, json!(true));
        assert_eq!(parse_pair("a=\"1\"").unwrap().1, json!("1"));
        assert_eq!(parse_pair("a=[1,2]").unwrap().1, json!([1, 2]));
        assert_eq!(parse_pair("a=b=c").unwrap().1, json!("b=c"));
        assert_eq!(parse_pair("a=").unwrap().1, json!(""));
        assert!(parse_pair("a").unwrap_err().contains("no `=`"));
        assert!(parse_pair("=a").is_err());
    }

    #[test]
    fn time_reads_moments_dates_and_durations_back() {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        let check = |text, wanted: &str| {
            assert_eq!(parse_time_at(text, now).unwrap().to_string(), wanted);
        };
        check("7d", "2026-11-16T12:00:00.000Z");
        check("90m", "2026-11-23T10:30:00.000Z");
        check("2026-11-01", "2026-11-01T00:00:00.000Z");
        assert!(parse_time_at("soon", now).unwrap_err().contains("7d"));
    }

    #[test]
    fn dots_make_objects() {
        let pairs = [
            parse_pair("memory.type=note").unwrap(),
            parse_pair("memory.metadata.level=3").unwrap(),
            parse_pair("x=1").unwrap(),
        ];
        let wanted = json!({"memory": {"type": "note", "metadata": {"level": 3}}, "x": 1});
        assert_eq!(Value::Object(nested(&pairs)), wanted);
    }
}
