//! Every key, in one table: what keys do, the help, the palette and the documentation read it.

mod table;

use std::fmt::Write as _;

use crate::msg::Key;
use crate::msg::Key::{Char, Ctrl};

pub use table::BINDINGS;

/// The screens, in the order of their keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Screen {
    /// How it is, all in one view.
    #[default]
    Overview,
    /// Who may act.
    Identities,
    /// What they remember.
    Memories,
    /// What they may do.
    Policies,
    /// What they did.
    Audit,
    /// Their credentials.
    Tokens,
    /// The daemon itself.
    System,
}

impl Screen {
    /// Every screen.
    pub const ALL: [Self; 7] = [
        Self::Overview,
        Self::Identities,
        Self::Memories,
        Self::Policies,
        Self::Audit,
        Self::Tokens,
        Self::System,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Identities => "Identities",
            Self::Memories => "Memories",
            Self::Policies => "Policies",
            Self::Audit => "Audit",
            Self::Tokens => "Tokens",
            Self::System => "System",
        }
    }

    /// The command that shows much the same.
    pub fn command(self) -> &'static str {
        match self {
            Self::Overview => "manushyactl status",
            Self::Identities => "manushyactl identity list",
            Self::Memories => "manushyactl memory list",
            Self::Policies => "manushyactl policy list",
            Self::Audit => "manushyactl audit tail -f",
            Self::Tokens => "manushyactl token list",
            Self::System => "manushyactl doctor",
        }
    }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The table says what each of them does.
pub enum Action {
    Go(Screen),
    LastView,
    Up,
    Down,
    Left,
    Right,
    Top,
    Bottom,
    HalfUp,
    HalfDown,
    NextPane,
    PrevPane,
    Open,
    Back,
    Filter,
    Palette,
    Help,
    CopyId,
    CopyRow,
    Mark,
    Wide,
    SortNext,
    SortTurn,
    Theme,
    Mouse,
    Refresh,
    Reconnect,
    WriteMode,
    Redraw,
    Suspend,
    Quit,
    IdentityCreate,
    IdentityEnable,
    IdentityDisable,
    IdentityDelete,
    IdentityPermissions,
    IdentityTokens,
    IdentityAudit,
    MemorySearch,
    MemoryExplain,
    MemoryHistory,
    MemoryEdit,
    MemoryRestore,
    MemoryDelete,
    MemoryErase,
    MemoryDeleted,
    MemoryStats,
    PolicyTry,
    PolicyEdit,
    PolicyEnable,
    PolicyDisable,
    PolicyDelete,
    AuditFollow,
    AuditPause,
    AuditVerify,
    AuditDenials,
    TokenIssue,
    TokenRevoke,
    TokenAll,
    SystemDoctor,
    SystemPlan,
    SystemPurge,
    SystemLog,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The keys, the first of which is shown at the foot.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// Where; everywhere if none.
    pub on: Option<Screen>,
    /// In a word or two.
    pub name: &'static str,
    /// In a sentence.
    pub help: &'static str,
    /// Whether it changes something, and so needs write mode.
    pub writes: bool,
    /// The command that does the same; `{}` is the id of what is selected.
    pub command: &'static str,
}

/// Keys inside boxes, for the help and the documentation.
pub const BOXES: &[(&str, &str)] = &[
    (
        "typing",
        "enter takes it, esc drops it, ctrl-u empties it, ctrl-w takes the last word",
    ),
    (
        "a form",
        "tab and shift-tab go through the fields, enter goes on and at the last field sends",
    ),
    (
        "a dialog",
        "tab, h and l choose; it stands on Cancel, enter does what is chosen, esc cancels",
    ),
    (
        "a text",
        "j k g G ctrl-d ctrl-u scroll, y copies it, esc closes it",
    ),
    (
        "a new token",
        "y sends it to the terminal's clipboard, esc closes it for good",
    ),
];

/// What a key does on a screen.
pub fn lookup(screen: Screen, key: Key) -> Option<&'static Binding> {
    let fits = |binding: &&Binding| binding.keys.contains(&key);
    let own = BINDINGS
        .iter()
        .filter(|binding| binding.on == Some(screen))
        .find(fits);
    own.or_else(|| {
        BINDINGS
            .iter()
            .filter(|binding| binding.on.is_none())
            .find(fits)
    })
}

/// The row of an action on a screen.
pub fn of(screen: Screen, action: Action) -> Option<&'static Binding> {
    BINDINGS
        .iter()
        .find(|binding| binding.action == action && binding.on.is_none_or(|on| on == screen))
}

/// The keys of a screen that are its own.
pub fn own(screen: Screen) -> impl Iterator<Item = &'static Binding> {
    BINDINGS
        .iter()
        .filter(move |binding| binding.on == Some(screen))
}

/// The keys that work everywhere.
pub fn everywhere() -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(|binding| binding.on.is_none())
}

/// A key as it is written.
pub fn written(key: Key) -> String {
    match key {
        Char(' ') => "space".to_owned(),
        Char(c) => c.to_string(),
        Ctrl(c) => format!("ctrl-{c}"),
        Key::Enter => "enter".to_owned(),
        Key::Esc => "esc".to_owned(),
        Key::Tab => "tab".to_owned(),
        Key::BackTab => "shift-tab".to_owned(),
        Key::Backspace => "backspace".to_owned(),
        Key::Delete => "delete".to_owned(),
        Key::Up => "up".to_owned(),
        Key::Down => "down".to_owned(),
        Key::Left => "left".to_owned(),
        Key::Right => "right".to_owned(),
        Key::PageUp => "pgup".to_owned(),
        Key::PageDown => "pgdn".to_owned(),
        Key::Home => "home".to_owned(),
        Key::End => "end".to_owned(),
    }
}

/// All keys of a row as they are written.
pub fn keys(binding: &Binding) -> String {
    let keys: Vec<String> = binding.keys.iter().map(|key| written(*key)).collect();
    keys.join(" ")
}

/// The table as Markdown, for `docs/tui.md`.
pub fn markdown() -> String {
    let mut text = String::new();
    let mut table = |title: &str, rows: Vec<&Binding>| {
        let _ = writeln!(
            text,
            "### {title}\n\n| key | does | the same as |\n|---|---|---|"
        );
        for row in rows {
            let keys: Vec<String> = row
                .keys
                .iter()
                .map(|key| format!("`{}`", written(*key)))
                .collect();
            let command = match row.command {
                "" => String::new(),
                command => format!("`{}`", command.replace("{}", "ID")),
            };
            let needs = if row.writes { " *Write mode.*" } else { "" };
            let _ = writeln!(
                text,
                "| {} | {}{needs} | {command} |",
                keys.join(" "),
                row.help
            );
        }
        text.push('\n');
    };
    table("Everywhere", everywhere().collect());
    for screen in Screen::ALL {
        table(screen.name(), own(screen).collect());
    }
    text.push_str("### In boxes\n\n| where | keys |\n|---|---|\n");
    for (place, keys) in BOXES {
        let _ = writeln!(text, "| {place} | {keys} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_of_a_screen_is_bound_twice() {
        for screen in Screen::ALL {
            let mut seen = std::collections::HashSet::new();
            for key in own(screen).flat_map(|binding| binding.keys) {
                assert!(seen.insert(key), "{screen:?} {key:?}");
            }
        }
        let mut seen = std::collections::HashSet::new();
        for key in everywhere().flat_map(|binding| binding.keys) {
            assert!(seen.insert(key), "{key:?}");
        }
    }

    #[test]
    fn screens_hide_no_key_that_works_everywhere() {
        let shared: Vec<&Key> = everywhere().flat_map(|binding| binding.keys).collect();
        for screen in Screen::ALL {
            for key in own(screen).flat_map(|binding| binding.keys) {
                assert!(!shared.contains(&key), "{screen:?} {key:?}");
            }
        }
    }

    #[test]
    fn what_destroys_is_a_capital() {
        for binding in BINDINGS
            .iter()
            .filter(|binding| binding.name.ends_with('…'))
        {
            assert!(
                matches!(binding.keys, [Char(c)] if c.is_uppercase()),
                "{binding:?}"
            );
            assert!(binding.writes, "{binding:?}");
        }
    }
}
