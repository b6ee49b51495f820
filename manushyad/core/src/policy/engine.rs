//! `jsonlogic-rs`, and the only file that names it.
//!
//! What reaches the library was built here: one operator over literals and numbered slots, and a
//! list of the slots' values, which are scalars and lists of scalars. So no fact can be taken for
//! code, no path is resolved by the library, and its operators are asked only about values that are
//! there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

/// Says that the library gave no answer. It names no value, since facts may be private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EngineError {
    /// It returned an error.
    #[error("the engine refused the operands")]
    Refused,
    /// It panicked; the panic was caught.
    #[error("the engine panicked")]
    Panicked,
    /// It answered with something that is neither true nor false.
    #[error("the engine gave no true or false")]
    NotBoolean,
}

/// Evaluates `rule` over `data` as the library does, without any fence.
///
/// # Errors
///
/// [`EngineError`] if the library returns an error or panics.
pub(super) fn evaluate(rule: &Value, data: &Value) -> Result<Value, EngineError> {
    // Both are only read, so nothing half-changed can be seen after a panic.
    catch_unwind(AssertUnwindSafe(|| jsonlogic_rs::apply(rule, data)))
        .map_err(|_| EngineError::Panicked)?
        .map_err(|_| EngineError::Refused)
}

fn evaluate_bool(rule: &Value, data: &Value) -> Result<bool, EngineError> {
    match evaluate(rule, data)? {
        Value::Bool(answer) => Ok(answer),
        _ => Err(EngineError::NotBoolean),
    }
}

/// One operator over literals and slots, ready to be asked.
#[derive(Debug)]
pub(super) struct Leaf {
    template: Value,
}

impl Leaf {
    /// Builds `operator` over `operands`; each `None` is a slot, numbered from 0 in order.
    pub fn new<'a>(
        operator: &'static str,
        operands: impl IntoIterator<Item = Option<&'a Value>>,
    ) -> Self {
        let mut slots = 0_u64;
        let operands = operands.into_iter().map(|operand| {
            operand.cloned().unwrap_or_else(|| {
                let slot = json!({"var": slots});
                slots += 1;
                slot
            })
        });
        let operands = Value::Array(operands.collect());
        let template = Value::Object(Map::from_iter([(operator.to_owned(), operands)]));
        Self { template }
    }

    /// Asks the library with the values of the slots.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if there is no answer of true or false.
    pub fn ask(&self, slots: Vec<Value>) -> Result<bool, EngineError> {
        evaluate_bool(&self.template, &Value::Array(slots))
    }
}

/// Whether JSON Logic takes `value` for true: not `false`, `0`, `""` or an empty list.
///
/// # Errors
///
/// [`EngineError`] if there is no answer of true or false.
pub(super) fn truthy(value: Value) -> Result<bool, EngineError> {
    static TRUTHY: LazyLock<Leaf> = LazyLock::new(|| Leaf::new("!!", [None]));
    TRUTHY.ask(vec![value])
}
