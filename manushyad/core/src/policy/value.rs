//! Values of facts and rules: their kinds, and the one form in which they are compared.

use serde_json::{Number, Value};

/// The largest whole number a double holds together with all below it, 2^53.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Whether `value` is a scalar or a list of scalars.
pub(super) fn is_plain(value: &Value) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(items) => !items.iter().any(|item| item.is_object() || item.is_array()),
        _ => true,
    }
}

/// What kind of value it is, for the messages and to tell kinds apart.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Brings equal numbers into one form, since `in` tells 1 from 1.0.
pub(super) fn canonical(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(canonical_number(number)),
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        other => other,
    }
}

fn canonical_number(number: Number) -> Number {
    match number.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        Some(float) if float.fract() == 0.0 && float.abs() < EXACT_MAX => {
            Number::from(float as i64)
        }
        _ => number,
    }
}

/// Whether `number` is compared as it is, and not rounded to a double first.
pub(super) fn is_exact(number: &Number) -> bool {
    number
        .as_f64()
        .is_some_and(|float| float.is_finite() && (number.is_f64() || float.abs() < EXACT_MAX))
}
