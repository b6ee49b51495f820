//! How a command ends other than well, and how that is told.

use std::io;

use manushya_protocol::error::{ErrorCode, WireError};
use manushya_protocol::exit;
use serde::Serialize;

/// Why a command stopped.
#[derive(Debug)]
pub enum Stop {
    /// Something went wrong that is still to be told.
    Error(Box<WireError>),
    /// All is told; only the exit code is left.
    Exit(u8),
    /// Whoever read standard output has had enough. Not an error.
    Pipe,
}

/// What a command comes to.
pub type Outcome<T = ()> = Result<T, Stop>;

impl Stop {
    /// An error with a code and a message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::from(WireError::new(code, message))
    }

    /// The command line or the input is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidArgument, message)
    }

    /// A local file could not be read.
    pub fn unreadable(path: &std::path::Path, error: &io::Error) -> Self {
        Self::usage(format!("cannot read `{}`", path.display())).reason(error.to_string())
    }

    /// A local file could not be written.
    pub fn unwritable(path: &std::path::Path, error: &io::Error) -> Self {
        Self::new(
            ErrorCode::Internal,
            format!("cannot write `{}`", path.display()),
        )
        .reason(error.to_string())
    }

    /// The user interrupted it.
    pub fn interrupted() -> Self {
        Self::new(ErrorCode::Interrupted, "interrupted")
    }

    /// Says why.
    #[must_use]
    pub fn reason(self, reason: impl Into<String>) -> Self {
        match self {
            Self::Error(error) => Self::Error(Box::new(error.reason(reason))),
            other => other,
        }
    }

    /// Says how to fix it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Error(error) => Self::Error(Box::new(error.hint(hint))),
            other => other,
        }
    }

    /// What the process exits with.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Error(error) => error.code.exit(),
            Self::Exit(code) => *code,
            Self::Pipe => exit::OK,
        }
    }
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Self {
        Self::Error(Box::new(error))
    }
}

/// Only for errors of standard output; files have [`Stop::unreadable`] and [`Stop::unwritable`].
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Pipe,
            _ => Self::new(ErrorCode::Internal, "cannot write to standard output")
                .reason(error.to_string()),
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    code: &'a str,
    message: &'a str,
    reason: Option<&'a str>,
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<std::num::NonZeroU32>,
    request_id: Option<String>,
    exit: u8,
}

/// The error as one line of JSON.
pub fn as_json(error: &WireError) -> String {
    let line = Line {
        code: error.code.as_str(),
        message: &error.message,
        reason: error.reason.as_deref(),
        hint: error.hint.as_deref(),
        retry_after_ms: error.retry_after_ms,
        request_id: error.request_id.map(|id| id.to_string()),
        exit: error.code.exit(),
    };
    serde_json::to_string(&line).unwrap_or_else(|_| format!("{{\"code\":\"{}\"}}", error.code))
}

/// The error for people: what, why, and how to fix it.
pub fn as_text(error: &WireError, label: &str) -> String {
    let mut text = format!("{label} {}", visible(&error.message));
    if let Some(reason) = &error.reason {
        text.push_str(&format!("\n  why: {}", visible(reason)));
    }
    if let Some(hint) = &error.hint {
        text.push_str(&format!("\n  fix: {}", visible(hint)));
    }
    if error.code == ErrorCode::Internal
        && let Some(id) = error.request_id
    {
        text.push_str(&format!("\n  log: {id}"));
    }
    text
}

/// The text with control characters made visible, so that no input can drive a terminal.
fn visible(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\n       "),
            c if c.is_control() => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_error_is_one_line_of_json(message in ".{0,60}", reason in ".{0,60}") {
            let line = as_json(&WireError::new(ErrorCode::Denied, &message).reason(&reason));
            prop_assert_eq!(line.lines().count(), 1);
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&value["message"], &serde_json::json!(message));
            prop_assert_eq!(&value["exit"], &serde_json::json!(exit::DENIED));
            prop_assert!(value["hint"].is_null());
        }

        #[test]
        fn no_message_reaches_the_terminal_raw(message in "\\PC*|[\\x00-\\x1f]{1,9}") {
            let text = as_text(&WireError::new(ErrorCode::Denied, &message), "error:");
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }

    #[test]
    fn broken_pipe_is_quiet() {
        let stop = Stop::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(matches!(stop, Stop::Pipe));
        assert_eq!(stop.exit(), exit::OK);
        assert_eq!(
            Stop::from(io::Error::from(io::ErrorKind::StorageFull)).exit(),
            exit::FAILURE
        );
    }
}
