//! What the keys of a screen do.

use manushya_protocol::v1::common::Page;
use manushya_protocol::v1::memory::{MemoryHistory, MemoryRef};

use super::{Out, ask, dialogs, forms, keys, moving, open, palette, with_list};
use crate::effect::{Ask, Effect};
use crate::keymap::{self, Action, Screen};
use crate::model::list::{Item as _, Load};
use crate::model::overlay::{Input, Overlay, Pane};
use crate::model::{LOG_TITLE, Link, Model, WRITE_SECONDS, Which, document};
use crate::text::Role;

/// Does what a key says, or tells why not.
pub fn perform(model: &mut Model, action: Action, out: &mut Out) {
    if let Some(reason) = model.why_not(action) {
        let name = keymap::of(model.screen, action).map_or("this", |binding| binding.name);
        return model.tell(Role::Warn, format!("{name}: {reason}"));
    }
    match action {
        Action::Go(screen) => go(model, screen, out),
        Action::LastView => go(model, model.previous, out),
        Action::Up => moving::step(model, -1, out),
        Action::Down => moving::step(model, 1, out),
        Action::HalfUp => moving::step(model, -keys::PAGE, out),
        Action::HalfDown => moving::step(model, keys::PAGE, out),
        Action::Top => moving::end(model, true, out),
        Action::Bottom => moving::end(model, false, out),
        Action::Left | Action::PrevPane => moving::pane(model, -1),
        Action::Right | Action::NextPane => moving::pane(model, 1),
        Action::Open => open::open(model, out),
        Action::Back => moving::back(model, out),
        Action::Filter => filter(model),
        Action::Palette => {
            let found = palette::commands(model, "");
            model.overlay = Some(Overlay::Palette {
                input: Input::default(),
                found,
                selected: 0,
            });
        }
        Action::Help => model.overlay = Some(Overlay::Help(palette::help(model))),
        Action::CopyId => {
            let id = model.selected().map(|(id, _)| id);
            copy_if_any(model, id, out);
        }
        Action::CopyRow => {
            let row = with_list!(model, list => list.current().map(|it| it.json()), None);
            copy_if_any(model, row, out);
        }
        Action::Mark => {
            with_list!(model, list => list.mark(), ());
            moving::step(model, 1, out);
        }
        Action::SortNext => moving::sort(model, false),
        Action::SortTurn => moving::sort(model, true),
        Action::Wide => model.wide = !model.wide,
        Action::Theme => {
            model.theme = model.theme.next();
            model.tell(Role::Plain, format!("theme: {}", model.theme.name()));
        }
        Action::Mouse => {
            model.mouse = !model.mouse;
            out.push(Effect::Mouse(model.mouse));
            model.tell(
                Role::Plain,
                if model.mouse {
                    "mouse on; shift-drag selects"
                } else {
                    "mouse off"
                },
            );
        }
        Action::Refresh => refresh(model, out),
        Action::Reconnect => reconnect(model, out),
        Action::WriteMode => write_mode(model),
        Action::Redraw => out.push(Effect::Redraw),
        Action::Suspend => out.push(Effect::Suspend),
        Action::Quit => out.push(Effect::Quit(0)),
        _ => of_screen(model, action, out),
    }
}

fn copy_if_any(model: &mut Model, text: Option<String>, out: &mut Out) {
    match text {
        Some(text) => copy(model, text, out),
        None => model.tell(Role::Warn, "nothing is selected"),
    }
}

fn of_screen(model: &mut Model, action: Action, out: &mut Out) {
    match action {
        Action::IdentityPermissions => open::permissions(model, out),
        Action::IdentityTokens => {
            model.tokens.identity = model.selected();
            model.tokens.list.reset();
            model.tokens.list.set_filter("");
            go(model, Screen::Tokens, out);
        }
        Action::IdentityAudit => {
            let Some((_, name)) = model.selected() else {
                return;
            };
            model.audit.feed.set_filter(&format!("actor={name}"));
            go(model, Screen::Audit, out);
        }
        Action::MemorySearch => {
            model.querying = true;
            model.memories.which = Which::Live;
            model.memories.query.get_or_insert_default();
            model.focus = 1;
        }
        Action::MemoryExplain => {
            let Some(hit) = model.memories.list.current() else {
                return;
            };
            if let (Some(score), Some(parts)) = (hit.score, &hit.parts) {
                let lines = document::score(score, parts);
                model.overlay = Some(Overlay::Pane(Pane::new(
                    format!("score of {}", hit.memory.id),
                    lines,
                )));
            }
        }
        Action::MemoryHistory => {
            let Some(hit) = model.memories.list.current() else {
                return;
            };
            let ask = Ask::History(MemoryHistory {
                id: hit.memory.id,
                page: Page::default(),
            });
            let title = format!("versions of {}", hit.memory.id);
            ask::read(model, title, ask, out);
        }
        Action::MemoryDeleted => {
            model.memories.which = model.memories.which.next();
            model.memories.query = None;
            model.memories.list.reset();
            ask::load(model, Screen::Memories, out);
        }
        Action::MemoryStats => match &model.memories.stats {
            Some(stats) => {
                let lines = document::stats(stats, model.now);
                model.overlay = Some(Overlay::Pane(Pane::new("memories in numbers", lines)));
            }
            None => ask::stats(model, out),
        },
        _ => of_log(model, action, out),
    }
}

/// What the keys of Audit, Tokens and System do.
fn of_log(model: &mut Model, action: Action, out: &mut Out) {
    match action {
        Action::AuditFollow => {
            resume(model);
            model.audit.follow = true;
            model.audit.feed.selected = model.audit.feed.len().saturating_sub(1);
        }
        Action::AuditPause => pause(model),
        Action::AuditDenials => {
            let on = model.audit.feed.filter.text == "decision=deny";
            model
                .audit
                .feed
                .set_filter(if on { "" } else { "decision=deny" });
        }
        Action::AuditVerify => {
            if model.audit.awaited_verify.is_some() {
                return moving::cancel_verify(model, out);
            }
            model.audit.progress = Some((0, 0));
            model.audit.awaited_verify = Some(ask::call(model, Ask::Verify, out));
        }
        Action::TokenAll => {
            model.tokens.all = !model.tokens.all;
            model.tokens.list.reset();
            ask::load(model, Screen::Tokens, out);
        }
        Action::SystemDoctor => ask::doctor(model, out),
        Action::SystemLog => ask::read(model, LOG_TITLE, Ask::Log, out),
        _ => writing(model, action, out),
    }
}

fn writing(model: &mut Model, action: Action, out: &mut Out) {
    match action {
        Action::IdentityCreate | Action::TokenIssue | Action::PolicyTry | Action::SystemPlan => {
            forms::open(model, action)
        }
        Action::IdentityEnable => dialogs::enable(model, out),
        Action::MemoryRestore => {
            let asks: Vec<Ask> = model
                .memories
                .list
                .chosen()
                .iter()
                .map(|hit| Ask::MemoryRestore(MemoryRef { id: hit.memory.id }))
                .collect();
            let done = format!("restored: {}", crate::text::count(asks.len() as u64));
            ask::change(model, asks, done, out);
        }
        Action::MemoryEdit => forms::edit_memory(model, out),
        Action::PolicyEdit => forms::edit_policy(model, out),
        Action::PolicyEnable => dialogs::policy_enable(model, out),
        other => {
            if let Some(dialog) = dialogs::of(model, other) {
                model.overlay = Some(Overlay::Dialog(Box::new(dialog)));
            }
        }
    }
}

/// Goes to a screen and asks for what it shows.
pub fn go(model: &mut Model, screen: Screen, out: &mut Out) {
    if model.screen == screen {
        return;
    }
    model.previous = model.screen;
    model.screen = screen;
    model.focus = usize::from(screen == Screen::Memories);
    model.scroll = 0;
    model.filtering = None;
    model.querying = false;
    model
        .toasts
        .retain(|toast| matches!(toast.role, Role::Bad | Role::Ok));
    if model.is_connected() {
        ask::load(model, screen, out);
    }
}

fn pause(model: &mut Model) {
    if model.audit.held.is_some() {
        resume(model);
    } else {
        model.audit.held = Some(Vec::new());
        model.audit.follow = false;
    }
}

fn resume(model: &mut Model) {
    if let Some(held) = model.audit.held.take() {
        model.audit.feed.push(held, crate::model::FEED_ROWS);
    }
}

fn filter(model: &mut Model) {
    if model.screen == Screen::Overview {
        return model.tell(Role::Warn, "there is nothing to filter here");
    }
    let text = with_list!(model, list => list.filter.text.clone(), String::new());
    if model.screen == Screen::Memories && model.focus == 0 {
        model.focus = 1;
    }
    model.filtering = Some(Input::of(text));
}

fn refresh(model: &mut Model, out: &mut Out) {
    if !model.is_connected() {
        return reconnect(model, out);
    }
    if model.screen == Screen::System {
        model.system.checks.load = Load::Idle;
        model.system.keys.load = Load::Idle;
    }
    if model.screen == Screen::Audit && model.audit.awaited.is_some() {
        return model.tell(Role::Plain, "the log is live");
    }
    let screen = if model.screen == Screen::Overview {
        Screen::Tokens
    } else {
        model.screen
    };
    with_list!(model, list => list.walk_again(), ());
    ask::load(model, screen, out);
}

fn reconnect(model: &mut Model, out: &mut Out) {
    if model.is_connected() {
        return model.tell(Role::Plain, "the daemon answers");
    }
    model.connection.link = Link::Reconnecting;
    model.connection.retry_at = Some(model.now);
    out.push(Effect::Connect(0));
}

fn write_mode(model: &mut Model) {
    if model.can_write() {
        model.write_until = None;
        return model.tell(Role::Plain, "read-only again");
    }
    if model.settings.read_only {
        return model.tell(
            Role::Warn,
            "write mode cannot be armed: started with --read-only",
        );
    }
    model.write_until = Some(model.now.plus_seconds(WRITE_SECONDS));
    model.tell(Role::Warn, "write mode for 10 minutes; ctrl-w ends it");
}

/// Sends a text to the terminal's clipboard.
pub fn copy(model: &mut Model, text: String, out: &mut Out) {
    if model.settings.no_osc52 {
        return model.tell(Role::Warn, "the clipboard is off: started with --no-osc52");
    }
    model.tell(Role::Plain, "sent to the terminal, which may refuse it");
    out.push(Effect::Copy(text));
}
