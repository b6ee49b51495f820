//! Every key, in one table: what keys do, the help, the palette and the documentation read it.

use std::fmt::Write as _;

use crate::msg::Key;

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

const fn global(
    keys: &'static [Key],
    action: Action,
    name: &'static str,
    help: &'static str,
) -> Binding {
    Binding {
        keys,
        action,
        on: None,
        name,
        help,
        writes: false,
        command: "",
    }
}

const fn reads(
    on: Screen,
    keys: &'static [Key],
    action: Action,
    name: &'static str,
    help: &'static str,
    command: &'static str,
) -> Binding {
    Binding {
        keys,
        action,
        on: Some(on),
        name,
        help,
        writes: false,
        command,
    }
}

const fn writes(
    on: Screen,
    keys: &'static [Key],
    action: Action,
    name: &'static str,
    help: &'static str,
    command: &'static str,
) -> Binding {
    Binding {
        keys,
        action,
        on: Some(on),
        name,
        help,
        writes: true,
        command,
    }
}

use Action as A;
use Key::{Char, Ctrl};
use Screen as S;

/// The table.
pub const BINDINGS: &[Binding] = &[
    reads(S::Overview, &[Key::Enter], A::Open, "go there", "Go to what needs attention.", ""),
    reads(S::Identities, &[Key::Enter], A::Open, "detail", "Show everything held about it.", "manushyactl identity show {}"),
    writes(S::Identities, &[Char('c')], A::IdentityCreate, "create", "Create an identity; its token is shown once.", "manushyactl identity create --external-id NAME --role ROLE"),
    writes(S::Identities, &[Char('e')], A::IdentityEnable, "enable", "Enable the identity, or all marked ones.", "manushyactl identity enable {}"),
    writes(S::Identities, &[Char('x')], A::IdentityDisable, "disable", "Disable the identity, or all marked ones, after a question.", "manushyactl identity disable {}"),
    reads(S::Identities, &[Char('p')], A::IdentityPermissions, "permissions", "Show what it may do, and by which policy.", "manushyactl policy can-i read memory --as {}"),
    reads(S::Identities, &[Char('t')], A::IdentityTokens, "tokens", "Show its tokens.", "manushyactl token list --identity {}"),
    reads(S::Identities, &[Char('a')], A::IdentityAudit, "audit", "Show what it did.", "manushyactl audit list --actor {}"),
    writes(S::Identities, &[Char('D')], A::IdentityDelete, "delete…", "Delete the identity and its tokens, after its name was typed.", "manushyactl identity delete {} --confirm={}"),
    reads(S::Memories, &[Key::Enter], A::Open, "open", "Read the whole memory, or open the namespace.", "manushyactl memory get {}"),
    reads(S::Memories, &[Char('s')], A::MemorySearch, "search", "Search as you type.", "manushyactl memory search QUERY"),
    reads(S::Memories, &[Char('E')], A::MemoryExplain, "explain", "Show how the score of the result came about.", "manushyactl memory search QUERY --explain"),
    reads(S::Memories, &[Char('v')], A::MemoryHistory, "versions", "Show its earlier versions.", "manushyactl memory history {}"),
    writes(S::Memories, &[Char('e')], A::MemoryEdit, "edit", "Edit its text in $EDITOR.", "manushyactl memory update {} -m TEXT"),
    writes(S::Memories, &[Char('u')], A::MemoryRestore, "restore", "Restore the deleted memory, or all marked ones.", "manushyactl memory restore {}"),
    writes(S::Memories, &[Char('D')], A::MemoryDelete, "delete…", "Delete the memory, or all marked ones, after a question; it can be restored.", "manushyactl memory delete {}"),
    writes(S::Memories, &[Char('X')], A::MemoryErase, "erase…", "Erase the memory for good, after `erase` was typed.", "manushyactl memory delete {} --hard"),
    reads(S::Memories, &[Char('d')], A::MemoryDeleted, "deleted", "Show the deleted ones instead, or the live ones again.", ""),
    reads(S::Memories, &[Char('i')], A::MemoryStats, "stats", "Count by type, owner, namespace and tag.", "manushyactl memory stats"),
    reads(S::Policies, &[Key::Enter], A::Open, "rule", "Show the policy with its rule.", "manushyactl policy show {}"),
    reads(S::Policies, &[Char('t')], A::PolicyTry, "try", "Ask what would be decided, and why.", "manushyactl policy explain ACTION RESOURCE --as IDENTITY"),
    writes(S::Policies, &[Char('o')], A::PolicyEnable, "enable", "Enable the policy.", "manushyactl policy enable {}"),
    writes(S::Policies, &[Char('x')], A::PolicyDisable, "disable", "Disable the policy, after a question.", "manushyactl policy disable {}"),
    writes(S::Policies, &[Char('e')], A::PolicyEdit, "edit", "Edit it in $EDITOR; it is validated before it is applied.", "manushyactl policy apply FILE"),
    writes(S::Policies, &[Char('D')], A::PolicyDelete, "delete…", "Delete the policy, after its name was typed.", "manushyactl policy delete {}"),
    reads(S::Audit, &[Key::Enter], A::Open, "why?", "Show the entry, the rule, the facts and the chain.", "manushyactl audit show {}"),
    reads(S::Audit, &[Char('f')], A::AuditFollow, "follow", "Follow the newest entry.", "manushyactl audit tail -f"),
    reads(S::Audit, &[Char('p')], A::AuditPause, "pause", "Hold the view; what comes is counted and shown later.", ""),
    reads(S::Audit, &[Char('d')], A::AuditDenials, "denials", "Show denials only, or everything again.", "manushyactl audit list --decision deny"),
    reads(S::Audit, &[Char('V')], A::AuditVerify, "verify", "Read the whole log and verify chain, root and signature.", "manushyactl audit verify"),
    reads(S::Tokens, &[Key::Enter], A::Open, "detail", "Show what is known of it.", ""),
    writes(S::Tokens, &[Char('i')], A::TokenIssue, "issue", "Issue a token; its secret is shown once.", "manushyactl token issue IDENTITY --ttl 1h"),
    writes(S::Tokens, &[Char('K')], A::TokenRevoke, "revoke…", "Revoke the token, or all marked ones, after a question.", "manushyactl token revoke {}"),
    reads(S::Tokens, &[Char('d')], A::TokenAll, "ended too", "Show expired and revoked ones too, or active ones again.", "manushyactl token list --all-states"),
    reads(S::System, &[Key::Enter], A::Open, "open", "Show the finding with its fix, or the plan.", ""),
    reads(S::System, &[Char('d')], A::SystemDoctor, "doctor", "Check files, keys, store, index and log.", "manushyactl doctor"),
    reads(S::System, &[Char('L')], A::SystemLog, "log", "Show the end of the daemon's log.", ""),
    writes(S::System, &[Char('n')], A::SystemPlan, "plan", "Plan a purge: counts what would be erased.", "manushyactl purge plan --subject IDENTITY"),
    writes(S::System, &[Char('P')], A::SystemPurge, "purge…", "Carry the plan out, after its name was typed. It cannot be undone.", "manushyactl purge apply {} --confirm=NAME"),
    global(&[Char('1')], A::Go(S::Overview), "overview", "Go to Overview."),
    global(&[Char('2')], A::Go(S::Identities), "identities", "Go to Identities."),
    global(&[Char('3')], A::Go(S::Memories), "memories", "Go to Memories."),
    global(&[Char('4')], A::Go(S::Policies), "policies", "Go to Policies."),
    global(&[Char('5')], A::Go(S::Audit), "audit", "Go to Audit."),
    global(&[Char('6')], A::Go(S::Tokens), "tokens", "Go to Tokens."),
    global(&[Char('7')], A::Go(S::System), "system", "Go to System."),
    global(&[Char('-')], A::LastView, "last view", "Go back to the screen before."),
    global(&[Char('j'), Key::Down], A::Down, "down", "Move down."),
    global(&[Char('k'), Key::Up], A::Up, "up", "Move up."),
    global(&[Char('h'), Key::Left], A::Left, "left", "Go to the pane at the left."),
    global(&[Char('l'), Key::Right], A::Right, "right", "Go to the pane at the right."),
    global(&[Char('g'), Key::Home], A::Top, "top", "Go to the first; once more for the first page."),
    global(&[Char('G'), Key::End], A::Bottom, "bottom", "Go to the last of the page; once more for the next page."),
    global(&[Ctrl('d'), Key::PageDown], A::HalfDown, "page down", "Move down by ten."),
    global(&[Ctrl('u'), Key::PageUp], A::HalfUp, "page up", "Move up by ten."),
    global(&[Key::Tab], A::NextPane, "next pane", "Go to the next pane."),
    global(&[Key::BackTab], A::PrevPane, "pane before", "Go to the pane before."),
    global(&[Char('/')], A::Filter, "filter", "Filter what is shown: words, field=word, and !word for what is not wanted."),
    global(&[Char(':')], A::Palette, "command", "Find any command by a few letters; shows the same for manushyactl."),
    global(&[Char('?')], A::Help, "help", "Show the keys of this screen."),
    global(&[Char('y')], A::CopyId, "copy id", "Send the id to the terminal's clipboard (OSC 52)."),
    global(&[Char('Y')], A::CopyRow, "copy row", "Send the row as JSON to the terminal's clipboard (OSC 52)."),
    global(&[Char(' ')], A::Mark, "mark", "Mark the row for what is done to several at once."),
    global(&[Char('w')], A::Wide, "wide", "Give the list all the width, or share it again."),
    global(&[Char('T')], A::Theme, "theme", "Take the next theme: terminal, dark, light, high contrast, mono."),
    global(&[Char('m')], A::Mouse, "mouse", "Take the mouse, or leave it to the terminal."),
    global(&[Char('r')], A::Refresh, "refresh", "Ask the daemon again."),
    global(&[Ctrl('r')], A::Reconnect, "reconnect", "Connect now."),
    global(&[Ctrl('w')], A::WriteMode, "write mode", "Allow changes for ten minutes, or forbid them again."),
    global(&[Key::Esc], A::Back, "back", "Close, clear the filter and the marks, or go back."),
    global(&[Ctrl('l')], A::Redraw, "redraw", "Draw everything anew."),
    global(&[Ctrl('z')], A::Suspend, "suspend", "Hand the terminal back to the shell."),
    global(&[Char('q'), Ctrl('c')], A::Quit, "quit", "End."),
];

/// Keys inside boxes, for the help and the documentation.
pub const BOXES: &[(&str, &str)] = &[
    ("typing", "enter takes it, esc drops it, ctrl-u empties it, ctrl-w takes the last word"),
    ("a form", "tab and shift-tab go through the fields, enter goes on and at the last field sends"),
    ("a dialog", "tab, h and l choose; it stands on Cancel, enter does what is chosen, esc cancels"),
    ("a text", "j k g G ctrl-d ctrl-u scroll, y copies it, esc closes it"),
    ("a new token", "y sends it to the terminal's clipboard, esc closes it for good"),
];

/// What a key does on a screen.
pub fn lookup(screen: Screen, key: Key) -> Option<&'static Binding> {
    let fits = |binding: &&Binding| binding.keys.contains(&key);
    let own = BINDINGS.iter().filter(|binding| binding.on == Some(screen)).find(fits);
    own.or_else(|| BINDINGS.iter().filter(|binding| binding.on.is_none()).find(fits))
}

/// The row of an action on a screen.
pub fn of(screen: Screen, action: Action) -> Option<&'static Binding> {
    BINDINGS
        .iter()
        .find(|binding| binding.action == action && binding.on.is_none_or(|on| on == screen))
}

/// The keys of a screen that are its own.
pub fn own(screen: Screen) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |binding| binding.on == Some(screen))
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
        let _ = writeln!(text, "### {title}\n\n| key | does | the same as |\n|---|---|---|");
        for row in rows {
            let keys: Vec<String> = row.keys.iter().map(|key| format!("`{}`", written(*key))).collect();
            let command = match row.command {
                "" => String::new(),
                command => format!("`{}`", command.replace("{}", "ID")),
            };
            let needs = if row.writes { " *Write mode.*" } else { "" };
            let _ = writeln!(text, "| {} | {}{needs} | {command} |", keys.join(" "), row.help);
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
        for binding in BINDINGS.iter().filter(|binding| binding.name.ends_with('…')) {
            assert!(matches!(binding.keys, [Char(c)] if c.is_uppercase()), "{binding:?}");
            assert!(binding.writes, "{binding:?}");
        }
    }
}
