//! What the user sees: results on standard output, everything else on standard error.

pub mod color;
pub mod json;
pub mod progress;
pub mod prompt;
pub mod render;
pub mod rows;
pub mod table;
pub mod time;

use std::io::{IsTerminal as _, Write as _};

use manushya_protocol::error::WireError;
use serde::Serialize;

use crate::config::Format;
use crate::error::{self, Outcome, Stop};
use color::{Paint, Tone, tint};
use progress::Progress;
use render::{Human, Row};

/// The way to the user.
#[derive(Clone, Debug)]
pub struct Ui {
    /// How results are written.
    pub format: Format,
    /// Nothing but results and errors.
    pub quiet: bool,
    /// More than usual.
    pub verbose: bool,
    /// Colour.
    pub paint: Paint,
}

impl Ui {
    /// Writes to standard output at once.
    ///
    /// # Errors
    ///
    /// [`Stop::Pipe`] if the reader is gone.
    pub fn emit(&self, text: &str) -> Outcome {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(())
    }

    /// Writes a line to standard output.
    ///
    /// # Errors
    ///
    /// [`Stop::Pipe`] if the reader is gone.
    pub fn line(&self, text: &str) -> Outcome {
        self.emit(&format!("{text}\n"))
    }

    /// Tells something beside the result, unless it is to be quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            progress::eprint_line(text);
        }
    }

    /// Whether results are for people.
    pub fn is_table(&self) -> bool {
        self.format == Format::Table
    }

    /// What rendering for people depends on.
    pub fn human(&self) -> Human {
        let width = std::io::stdout()
            .is_terminal()
            .then(|| console::Term::stdout().size_checked())
            .flatten()
            .map(|(_, columns)| usize::from(columns));
        Human {
            now: time::now(),
            width,
            color: self.paint.out,
        }
    }

    /// Writes one thing.
    ///
    /// # Errors
    ///
    /// As [`Self::emit`].
    pub fn item<T: Row>(&self, item: &T) -> Outcome {
        self.emit(&render::item(self.format, item, &self.human())?)
    }

    /// Writes a list.
    ///
    /// # Errors
    ///
    /// As [`Self::emit`].
    pub fn list<T: Row>(&self, items: &[T], next: Option<&str>, total: u64) -> Outcome {
        self.emit(&render::list(
            self.format,
            items,
            next,
            total,
            &self.human(),
        )?)?;
        self.cut_short(items.len(), next, total);
        Ok(())
    }

    /// Says on standard error that a list was cut.
    pub fn cut_short(&self, shown: usize, next: Option<&str>, total: u64) {
        if let Some(next) = next {
            let (shown, total) = (time::count(shown as u64), time::count(total));
            self.note(&format!(
                "showing {shown} of {total} - add --all or --cursor {next}"
            ));
        }
    }

    /// Writes one thing that is told to people in words of its own.
    ///
    /// # Errors
    ///
    /// As [`Self::emit`].
    pub fn told<T: Row>(&self, item: &T, words: impl FnOnce() -> String) -> Outcome {
        match self.format {
            Format::Table => self.emit(&words()),
            _ => self.item(item),
        }
    }

    /// Writes a document that is no list and has no fixed fields.
    ///
    /// # Errors
    ///
    /// As [`Self::emit`].
    pub fn document<T: Serialize>(&self, value: &T, words: impl FnOnce() -> String) -> Outcome {
        let text = match self.format {
            Format::Table | Format::Name | Format::Csv => words(),
            Format::Json => json::json(value)?,
            Format::Jsonl | Format::Cef => json::json_line(value)?,
            Format::Yaml => json::yaml(value)?,
        };
        self.emit(&text)
    }

    /// Tells an error.
    pub fn error(&self, error: &WireError) {
        let text = match self.format.is_structured() {
            true => error::as_json(error),
            false => error::as_text(error, &tint("error:", Tone::Bad, self.paint.err)),
        };
        progress::eprint_line(&text);
    }

    /// Tells why it stopped, if that is still to be told, and says what to exit with.
    pub fn stop(&self, stop: &Stop) -> u8 {
        if let Stop::Error(error) = stop {
            self.error(error);
        }
        stop.exit()
    }

    /// Shows progress of a long piece of work.
    pub fn progress(&self, what: &'static str, total: Option<u64>) -> Progress {
        Progress::start(what, total, self.quiet, !self.format.is_structured())
    }
}
