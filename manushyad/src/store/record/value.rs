//! JSON values as bytes: exact for every number, and bounded in depth.

use serde_json::{Map, Number, Value};

use super::bytes::{Reader, Writer};
use super::{Malformed, RECORD_BYTES_MAX};

/// The deepest nesting that is written or read.
const DEPTH_MAX: usize = 64;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const POSITIVE: u8 = 3;
const NEGATIVE: u8 = 4;
const FLOAT: u8 = 5;
const TEXT: u8 = 6;
const LIST: u8 = 7;
const OBJECT: u8 = 8;

/// Whether `value` is nested no deeper than can be read back.
pub(super) fn is_shallow(value: &Value) -> bool {
    fn within(value: &Value, depth: usize) -> bool {
        match value {
            Value::Array(items) => depth > 0 && items.iter().all(|item| within(item, depth - 1)),
            Value::Object(map) => depth > 0 && map.values().all(|item| within(item, depth - 1)),
            _ => true,
        }
    }
    within(value, DEPTH_MAX)
}

pub(super) fn write(out: &mut Writer, value: &Value) {
    match value {
        Value::Null => out.u8(NULL),
        Value::Bool(false) => out.u8(FALSE),
        Value::Bool(true) => out.u8(TRUE),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => {
            out.u8(TEXT);
            out.text(text);
        }
        Value::Array(items) => {
            out.u8(LIST);
            out.count(items.len());
            for item in items {
                write(out, item);
            }
        }
        Value::Object(map) => {
            out.u8(OBJECT);
            write_map(out, map);
        }
    }
}

fn write_number(out: &mut Writer, number: &Number) {
    if let Some(value) = number.as_u64() {
        out.u8(POSITIVE);
        out.varint(value);
    } else if let Some(value) = number.as_i64() {
        out.u8(NEGATIVE);
        out.varint(value.unsigned_abs());
    } else {
        out.u8(FLOAT);
        out.u64(number.as_f64().unwrap_or_default().to_bits());
    }
}

pub(super) fn write_map(out: &mut Writer, map: &Map<String, Value>) {
    out.count(map.len());
    for (key, value) in map {
        out.text(key);
        write(out, value);
    }
}

pub(super) fn read(bytes: &mut Reader<'_>) -> Result<Value, Malformed> {
    read_within(bytes, DEPTH_MAX)
}

fn read_within(bytes: &mut Reader<'_>, depth: usize) -> Result<Value, Malformed> {
    Ok(match bytes.u8()? {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        POSITIVE => Value::Number(bytes.varint()?.into()),
        NEGATIVE => Value::Number(read_negative(bytes)?),
        FLOAT => {
            let number = Number::from_f64(f64::from_bits(bytes.u64()?));
            Value::Number(number.ok_or(Malformed("a number is not finite"))?)
        }
        TEXT => Value::String(bytes.text(RECORD_BYTES_MAX)?.to_owned()),
        LIST => {
            let inner = depth
                .checked_sub(1)
                .ok_or(Malformed("a value is too deep"))?;
            let count = bytes.count(RECORD_BYTES_MAX)?;
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(read_within(bytes, inner)?);
            }
            Value::Array(items)
        }
        OBJECT => {
            let inner = depth
                .checked_sub(1)
                .ok_or(Malformed("a value is too deep"))?;
            Value::Object(read_entries(bytes, inner)?)
        }
        _ => return Err(Malformed("a value is of no known type")),
    })
}

fn read_negative(bytes: &mut Reader<'_>) -> Result<Number, Malformed> {
    let magnitude = bytes.varint()?;
    let value = 0i64
        .checked_sub_unsigned(magnitude)
        .filter(|value| *value < 0)
        .ok_or(Malformed("a negative number is out of range"))?;
    Ok(value.into())
}

pub(super) fn read_map(bytes: &mut Reader<'_>) -> Result<Map<String, Value>, Malformed> {
    read_entries(bytes, DEPTH_MAX)
}

fn read_entries(bytes: &mut Reader<'_>, depth: usize) -> Result<Map<String, Value>, Malformed> {
    let count = bytes.count(RECORD_BYTES_MAX)?;
    let mut map = Map::new();
    for _ in 0..count {
        let key = bytes.text(RECORD_BYTES_MAX)?.to_owned();
        let value = read_within(bytes, depth)?;
        if map.insert(key, value).is_some() {
            return Err(Malformed("an object has a key twice"));
        }
    }
    Ok(map)
}
