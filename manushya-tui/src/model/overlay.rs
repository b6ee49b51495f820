//! Boxes over the screen: help, palette, forms, dialogs, texts, and a new token.

use manushya_protocol::error::WireError;
use manushya_protocol::secret::BearerToken;

use crate::effect::Ask;
use crate::keymap::Action;
use crate::text::Spans;

/// A line of text that is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// What was typed; the cursor stands at its end.
    pub text: String,
}

/// The longest text that can be typed, in bytes.
const INPUT_BYTES_MAX: usize = 4096;

impl Input {
    /// An input that holds a text.
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Adds text, without what cannot stand in a line.
    pub fn insert(&mut self, text: &str) {
        let room = INPUT_BYTES_MAX.saturating_sub(self.text.len());
        let mut taken = 0;
        for c in text.chars().filter(|c| !c.is_control()) {
            taken += c.len_utf8();
            if taken > room {
                break;
            }
            self.text.push(c);
        }
    }

    /// Takes the last character.
    pub fn backspace(&mut self) {
        self.text.pop();
    }

    /// Takes the last word.
    pub fn drop_word(&mut self) {
        let end = self.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
        self.text.truncate(end);
    }
}

/// What a form is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormKind {
    /// A new identity.
    Identity,
    /// A new token.
    Token,
    /// A question to the policies.
    Question,
    /// A purge plan.
    Plan,
}

/// One field of a form.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub label: &'static str,
    /// What can stand in it.
    pub hint: &'static str,
    /// What stands in it.
    pub input: Input,
}

/// A form.
#[derive(Clone, Debug)]
pub struct Form {
    /// What it is for.
    pub kind: FormKind,
    /// Its title.
    pub title: &'static str,
    /// Its fields, at least one.
    pub fields: Vec<Field>,
    /// The field that is typed into.
    pub focus: usize,
    /// Whether it was sent and the daemon has not answered yet.
    pub is_busy: bool,
    /// What is wrong with it.
    pub error: Option<WireError>,
}

impl Form {
    /// The text of a field.
    pub fn value(&self, label: &str) -> String {
        let field = self.fields.iter().find(|field| field.label == label);
        field
            .map(|field| field.input.text.trim().to_owned())
            .unwrap_or_default()
    }

    /// The same, if there is one.
    pub fn given(&self, label: &str) -> Option<String> {
        Some(self.value(label)).filter(|text| !text.is_empty())
    }
}

/// A question before something is done.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Its title.
    pub title: String,
    /// What will happen.
    pub lines: Vec<Spans>,
    /// The command that does the same.
    pub command: String,
    /// What has to be typed, and what was.
    pub confirm: Option<(String, Input)>,
    /// What the button says.
    pub verb: &'static str,
    /// Whether the button is chosen, rather than Cancel.
    pub on_verb: bool,
    /// What is asked then.
    pub asks: Vec<Ask>,
    /// What it is called when it is done.
    pub done: String,
    /// Whether it was sent and the daemon has not answered yet.
    pub is_busy: bool,
    /// Why it was not done.
    pub error: Option<WireError>,
}

impl Dialog {
    /// Whether what has to be typed was typed.
    pub fn is_confirmed(&self) -> bool {
        self.confirm
            .as_ref()
            .is_none_or(|(wanted, input)| input.text == *wanted)
    }
}

/// A text to read.
#[derive(Clone, Debug, Default)]
pub struct Pane {
    /// Its title.
    pub title: String,
    /// Its lines.
    pub lines: Vec<Spans>,
    /// How many lines it is scrolled by.
    pub scroll: usize,
}

impl Pane {
    /// A text from its start.
    pub fn new(title: impl Into<String>, lines: Vec<Spans>) -> Self {
        Self {
            title: title.into(),
            lines,
            scroll: 0,
        }
    }

    /// The whole text.
    pub fn text(&self) -> String {
        let line = |spans: &Spans| {
            spans
                .iter()
                .map(|(_, text)| text.as_str())
                .collect::<String>()
        };
        self.lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A command of the palette.
#[derive(Clone, Debug)]
pub struct Command {
    /// What it does.
    pub action: Action,
    /// How it is found.
    pub title: String,
    /// The key, as written.
    pub key: String,
    /// The command that does the same.
    pub command: String,
    /// Why it cannot be done now.
    pub why_not: Option<String>,
}

/// A box over the screen.
#[derive(Debug)]
pub enum Overlay {
    /// The keys of this screen.
    Help(Pane),
    /// All commands.
    Palette {
        /// What is looked for.
        input: Input,
        /// What is found, best first.
        found: Vec<Command>,
        /// Which is chosen.
        selected: usize,
    },
    /// A form.
    Form(Form),
    /// A question.
    Dialog(Box<Dialog>),
    /// A text.
    Pane(Pane),
    /// A new token, shown this once.
    Secret {
        /// What it is for.
        title: String,
        /// What is known of it.
        lines: Vec<Spans>,
        /// The token.
        token: BearerToken,
    },
}
