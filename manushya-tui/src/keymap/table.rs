//! The rows of the table.

use super::Action as A;
use super::Binding;
use super::Screen as S;
use crate::msg::Key;
use crate::msg::Key::{Char, Ctrl};

const fn global(
    keys: &'static [Key],
    action: A,
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
    on: S,
    keys: &'static [Key],
    action: A,
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
    on: S,
    keys: &'static [Key],
    action: A,
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

/// One row after the other, so that they can be read like a table.
macro_rules! rows {
    ($($row:expr;)*) => {
        &[$($row),*]
    };
}

/// The table.
pub const BINDINGS: &[Binding] = rows! {
    reads(S::Overview, &[Key::Enter], A::Open, "go there", "Go to what needs attention.", "");
    reads(S::Identities, &[Key::Enter], A::Open, "detail", "Show everything held about it.",
        "manushyactl identity show {}");
    writes(S::Identities, &[Char('c')], A::IdentityCreate, "create",
        "Create an identity; its token is shown once.",
        "manushyactl identity create --external-id NAME --role ROLE");
    writes(S::Identities, &[Char('e')], A::IdentityEnable, "enable",
        "Enable the identity, or all marked ones.", "manushyactl identity enable {}");
    writes(S::Identities, &[Char('x')], A::IdentityDisable, "disable",
        "Disable the identity, or all marked ones, after a question.",
        "manushyactl identity disable {}");
    reads(S::Identities, &[Char('p')], A::IdentityPermissions, "permissions",
        "Show what it may do, and by which policy.",
        "manushyactl policy what-can {}");
    reads(S::Identities, &[Char('t')], A::IdentityTokens, "tokens", "Show its tokens.",
        "manushyactl token list --identity {}");
    reads(S::Identities, &[Char('a')], A::IdentityAudit, "audit", "Show what it did.",
        "manushyactl audit list --actor {}");
    writes(S::Identities, &[Char('D')], A::IdentityDelete, "delete…",
        "Delete the identity, or all marked ones, and their tokens, after the name was typed.",
        "manushyactl identity delete {} --confirm={}");
    reads(S::Memories, &[Key::Enter], A::Open, "open",
        "Read the whole memory, or open the namespace.", "manushyactl memory get {}");
    reads(S::Memories, &[Char('s')], A::MemorySearch, "search", "Search as you type.",
        "manushyactl memory search QUERY");
    reads(S::Memories, &[Char('E')], A::MemoryExplain, "explain",
        "Show how the score of the result came about.",
        "manushyactl memory search QUERY --explain");
    reads(S::Memories, &[Char('v')], A::MemoryHistory, "versions", "Show its earlier versions.",
        "manushyactl memory history {}");
    writes(S::Memories, &[Char('e')], A::MemoryEdit, "edit", "Edit its text in $EDITOR.",
        "manushyactl memory update {} -m TEXT");
    writes(S::Memories, &[Char('u')], A::MemoryRestore, "restore",
        "Restore the deleted memory, or all marked ones.", "manushyactl memory restore {}");
    writes(S::Memories, &[Char('D')], A::MemoryDelete, "delete…",
        "Delete the memory, or all marked ones, after a question; it can be restored.",
        "manushyactl memory delete {}");
    writes(S::Memories, &[Char('X')], A::MemoryErase, "erase…",
        "Erase the memory, or all marked ones, for good, after `erase` was typed.",
        "manushyactl memory delete {} --hard");
    reads(S::Memories, &[Char('d')], A::MemoryDeleted, "deleted",
        "Show the deleted ones instead, then the expired ones that are not erased yet, then the live ones.",
        "manushyactl memory list --deleted");
    reads(S::Memories, &[Char('i')], A::MemoryStats, "stats",
        "Count by type, owner, age, namespace and tag.", "manushyactl memory stats");
    reads(S::Policies, &[Key::Enter], A::Open, "rule", "Show the policy with its rule.",
        "manushyactl policy show {}");
    reads(S::Policies, &[Char('t')], A::PolicyTry, "try", "Ask what would be decided, and why.",
        "manushyactl policy explain ACTION RESOURCE --as IDENTITY");
    writes(S::Policies, &[Char('o')], A::PolicyEnable, "enable", "Enable the policy, or all marked ones.",
        "manushyactl policy enable {}");
    writes(S::Policies, &[Char('x')], A::PolicyDisable, "disable",
        "Disable the policy, or all marked ones, after a question.", "manushyactl policy disable {}");
    writes(S::Policies, &[Char('e')], A::PolicyEdit, "edit",
        "Edit it in $EDITOR; it is validated before it is applied.",
        "manushyactl policy apply FILE");
    writes(S::Policies, &[Char('D')], A::PolicyDelete, "delete…",
        "Delete the policy, or all marked ones, after the name was typed.", "manushyactl policy delete {}");
    reads(S::Audit, &[Key::Enter], A::Open, "why?",
        "Show the entry, the rule, the facts and the chain.", "manushyactl audit show {}");
    reads(S::Audit, &[Char('f')], A::AuditFollow, "follow", "Follow the newest entry.",
        "manushyactl audit tail -f");
    reads(S::Audit, &[Char('p')], A::AuditPause, "pause",
        "Hold the view; what comes is counted and shown later.", "");
    reads(S::Audit, &[Char('d')], A::AuditDenials, "denials",
        "Show denials only, or everything again.", "manushyactl audit list --decision deny");
    reads(S::Audit, &[Char('V')], A::AuditVerify, "verify",
        "Read the whole log and verify chain, root and signature; once more cancels it.",
        "manushyactl audit verify");
    reads(S::Tokens, &[Key::Enter], A::Open, "detail", "Show what is known of it.", "");
    writes(S::Tokens, &[Char('i')], A::TokenIssue, "issue",
        "Issue a token; its secret is shown once.", "manushyactl token issue IDENTITY --ttl 1h");
    writes(S::Tokens, &[Char('K')], A::TokenRevoke, "revoke…",
        "Revoke the token, or all marked ones, after a question.", "manushyactl token revoke {}");
    reads(S::Tokens, &[Char('d')], A::TokenAll, "ended too",
        "Show expired and revoked ones too, or active ones again.",
        "manushyactl token list --all-states");
    reads(S::System, &[Key::Enter], A::Open, "open", "Show the finding with its fix, the plan, the job or the key.",
        "");
    reads(S::System, &[Char('d')], A::SystemDoctor, "doctor",
        "Check files, keys, store, index and log.", "manushyactl doctor");
    reads(S::System, &[Char('L')], A::SystemLog, "log", "Show the end of the daemon's log.", "");
    writes(S::System, &[Char('n')], A::SystemPlan, "plan",
        "Plan a purge: counts what would be erased.", "manushyactl purge plan --subject IDENTITY");
    writes(S::System, &[Char('P')], A::SystemPurge, "purge…",
        "Carry the plan out, after its name was typed. It cannot be undone.",
        "manushyactl purge apply {} --confirm=NAME");
    global(&[Char('1')], A::Go(S::Overview), "overview", "Go to Overview.");
    global(&[Char('2')], A::Go(S::Identities), "identities", "Go to Identities.");
    global(&[Char('3')], A::Go(S::Memories), "memories", "Go to Memories.");
    global(&[Char('4')], A::Go(S::Policies), "policies", "Go to Policies.");
    global(&[Char('5')], A::Go(S::Audit), "audit", "Go to Audit.");
    global(&[Char('6')], A::Go(S::Tokens), "tokens", "Go to Tokens.");
    global(&[Char('7')], A::Go(S::System), "system", "Go to System.");
    global(&[Char('-')], A::LastView, "last view", "Go back to the screen before.");
    global(&[Char('j'), Key::Down], A::Down, "down", "Move down.");
    global(&[Char('k'), Key::Up], A::Up, "up", "Move up.");
    global(&[Char('h'), Key::Left], A::Left, "left", "Go to the pane at the left.");
    global(&[Char('l'), Key::Right], A::Right, "right", "Go to the pane at the right.");
    global(&[Char('g'), Key::Home], A::Top, "top",
        "Go to the first; once more for the first page.");
    global(&[Char('G'), Key::End], A::Bottom, "bottom",
        "Go to the last of the page; once more for the next page.");
    global(&[Ctrl('d'), Key::PageDown], A::HalfDown, "page down", "Move down by ten.");
    global(&[Ctrl('u'), Key::PageUp], A::HalfUp, "page up", "Move up by ten.");
    global(&[Key::Tab], A::NextPane, "next pane", "Go to the next pane.");
    global(&[Key::BackTab], A::PrevPane, "pane before", "Go to the pane before.");
    global(&[Char('/')], A::Filter, "filter",
        "Filter what is shown: words, field=word, and !word for what is not wanted.");
    global(&[Char(':')], A::Palette, "command",
        "Find any command by a few letters; shows the same for manushyactl.");
    global(&[Char('?')], A::Help, "help", "Show the keys of this screen.");
    global(&[Char('y')], A::CopyId, "copy id", "Send the id to the terminal's clipboard (OSC 52).");
    global(&[Char('Y')], A::CopyRow, "copy row",
        "Send the row as JSON to the terminal's clipboard (OSC 52).");
    global(&[Char(' ')], A::Mark, "mark", "Mark the row for what is done to several at once.");
    global(&[Char('>')], A::SortNext, "sort",
        "Sort by the next column; after the last as the daemon does.");
    global(&[Char('<')], A::SortTurn, "turn order", "Turn the order around.");
    global(&[Char('w')], A::Wide, "wide", "Give the list all the width, or share it again.");
    global(&[Char('T')], A::Theme, "theme",
        "Take the next theme: terminal, dark, light, high contrast, mono.");
    global(&[Char('m')], A::Mouse, "mouse", "Take the mouse, or leave it to the terminal.");
    global(&[Char('r')], A::Refresh, "refresh", "Ask the daemon again.");
    global(&[Ctrl('r')], A::Reconnect, "reconnect", "Connect now.");
    global(&[Ctrl('w')], A::WriteMode, "write mode",
        "Allow changes for ten minutes, or forbid them again.");
    global(&[Key::Esc], A::Back, "back", "Close, clear the filter and the marks, or go back.");
    global(&[Ctrl('l')], A::Redraw, "redraw", "Draw everything anew.");
    global(&[Ctrl('z')], A::Suspend, "suspend", "Hand the terminal back to the shell.");
    global(&[Char('q'), Ctrl('c')], A::Quit, "quit", "End.");
};
