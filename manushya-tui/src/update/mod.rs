//! The reducer: what happens changes the model and comes back as wishes. It does no I/O and reads no
//! clock.

mod act;
mod answer;
mod ask;
mod dialogs;
mod forms;
mod keys;
mod link;
mod moving;
mod open;
mod palette;

use crate::effect::Effect;
use crate::keymap::Screen;
use crate::model::Model;
use crate::model::overlay::Overlay;
use crate::msg::{Key, Msg};
use crate::text::Role;

/// What is wished for.
type Out = Vec<Effect>;

/// Runs something on the list that is shown and has the focus, or else evaluates to the last.
macro_rules! with_list {
    ($model:expr, $list:ident => $body:expr, $none:expr) => {
        match $model.screen {
            $crate::keymap::Screen::Overview => $none,
            $crate::keymap::Screen::Identities => {
                let $list = &mut $model.identities.list;
                $body
            }
            $crate::keymap::Screen::Memories => {
                let $list = &mut $model.memories.list;
                $body
            }
            $crate::keymap::Screen::Policies => {
                let $list = &mut $model.policies.list;
                $body
            }
            $crate::keymap::Screen::Audit => {
                let $list = &mut $model.audit.feed;
                $body
            }
            $crate::keymap::Screen::Tokens => {
                let $list = &mut $model.tokens.list;
                $body
            }
            $crate::keymap::Screen::System if $model.focus == 0 => {
                let $list = &mut $model.system.checks;
                $body
            }
            $crate::keymap::Screen::System if $model.focus == 1 => {
                let $list = &mut $model.system.plans;
                $body
            }
            $crate::keymap::Screen::System if $model.focus == 2 => {
                let $list = &mut $model.system.jobs;
                $body
            }
            $crate::keymap::Screen::System => {
                let $list = &mut $model.system.keys;
                $body
            }
        }
    };
}
use with_list;

/// What is wished for at the start.
pub fn start(model: &mut Model) -> Vec<Effect> {
    model.is_dirty = true;
    vec![Effect::Connect(0)]
}

/// Takes in what happened.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut out = Out::new();
    model.is_dirty = true;
    match msg {
        Msg::Key(key) => keys::press(model, key, &mut out),
        Msg::Paste(text) => keys::paste(model, &text, &mut out),
        Msg::Wheel(by) => {
            let key = if by > 0 { Key::Down } else { Key::Up };
            for _ in 0..by.unsigned_abs().min(10) {
                keys::press(model, key, &mut out);
            }
        }
        Msg::Click(column, row) => click(model, column, row, &mut out),
        Msg::Resize(columns, rows) => model.size = (columns, rows),
        Msg::Tick(now) => link::tick(model, now, &mut out),
        Msg::Timer(tag) => ask::timer(model, tag, &mut out),
        Msg::Connected(welcome) => link::connected(model, *welcome, &mut out),
        Msg::ConnectFailed(error) => link::failed(model, error, &mut out),
        Msg::Answer(tag, answer) => {
            match &*answer {
                Err(error) if crate::model::is_lost(error) => link::lost(model, error, &mut out),
                _ => link::heard(model),
            }
            answer::settle(model, tag, *answer, &mut out);
        }
        Msg::Progress(done, of) if model.audit.awaited_verify.is_some() => {
            model.audit.progress = Some((done, of));
        }
        // It was cancelled meanwhile.
        Msg::Progress(..) => {}
        Msg::Edited(text) => forms::edited(model, text, &mut out),
        Msg::Failed(text) => model.tell(Role::Bad, text),
    }
    model.focus = model.focus.min(model.panes() - 1);
    out
}

/// A click on a name at the top goes to that screen.
fn click(model: &mut Model, column: u16, row: u16, out: &mut Out) {
    if row != 1 || model.overlay.is_some() {
        return;
    }
    if let Some(screen) = tab_at(column) {
        act::go(model, screen, out);
    }
}

fn tab_at(column: u16) -> Option<Screen> {
    let mut from = 1;
    Screen::ALL.into_iter().find(|screen| {
        // A digit, a space, the name, and two spaces between.
        let to = from + 2 + u16::try_from(screen.name().len()).unwrap_or(0);
        let is_here = (from..to).contains(&column);
        from = to + 2;
        is_here
    })
}

/// Closes the box.
fn close(model: &mut Model) {
    if let Some(Overlay::Secret { .. }) = model.overlay {
        model.tell(
            Role::Plain,
            "the token is not kept here; issue another if it was lost",
        );
    }
    model.overlay = None;
    model.reading = None;
}
