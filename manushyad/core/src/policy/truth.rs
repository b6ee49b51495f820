//! What a rule, or a part of it, comes to: Kleene's three values, the third with its reason.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::engine::{self, EngineError};
use super::fact::Fact;

/// What was not there when a rule was evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A fact is absent or null.
    Fact(Fact),
    /// An item of a list is null.
    Item,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fact(fact) => write!(f, "{fact} is missing"),
            Self::Item => f.write_str("an item of the list is null"),
        }
    }
}

/// What a rule comes to. It names facts and never their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// True.
    True,
    /// False.
    False,
    /// Not known, since something is missing.
    Unknown(Missing),
    /// Not known, since the values do not fit the operator.
    Error(Cow<'static, str>),
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl Truth {
    pub(super) fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            unknown => unknown,
        }
    }
}

impl From<EngineError> for Truth {
    fn from(error: EngineError) -> Self {
        Self::Error(error.to_string().into())
    }
}

/// What a part of a rule comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Value(Value),
    Unknown(Missing),
    Error(Cow<'static, str>),
}

impl From<Truth> for Outcome {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::True => Self::Value(Value::Bool(true)),
            Truth::False => Self::Value(Value::Bool(false)),
            Truth::Unknown(missing) => Self::Unknown(missing),
            Truth::Error(reason) => Self::Error(reason),
        }
    }
}

impl Outcome {
    /// As a condition: what is no true or false is taken by JSON Logic's truthiness.
    pub fn into_condition(self) -> Truth {
        match self {
            Self::Value(Value::Bool(value)) => value.into(),
            Self::Value(other) => engine::truthy(other).map_or_else(Truth::from, Truth::from),
            Self::Unknown(missing) => Truth::Unknown(missing),
            Self::Error(reason) => Truth::Error(reason),
        }
    }

    /// As the value of a whole rule: nothing but true is true.
    pub fn into_verdict(self) -> Truth {
        match self {
            Self::Value(Value::Bool(value)) => value.into(),
            Self::Value(_) => Truth::Error("the rule comes to neither true nor false".into()),
            Self::Unknown(missing) => Truth::Unknown(missing),
            Self::Error(reason) => Truth::Error(reason),
        }
    }
}
