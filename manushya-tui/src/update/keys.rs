//! Keys: to the box that is open, to the text that is typed, or to the screen.

use super::{Out, act, ask, close, forms, moving, palette, with_list};
use crate::effect::Effect;
use crate::keymap;
use crate::model::overlay::{Dialog, Input, Overlay, Pane};
use crate::model::{Model, extent};
use crate::msg::Key;
use crate::text::Role;

/// How far a page key goes.
pub const PAGE: isize = 10;

/// What became of a key in a line that is typed.
enum Typed {
    /// The text changed.
    Changed,
    /// It is taken.
    Taken,
    /// It is dropped.
    Dropped,
    /// The key is none of a line.
    Other,
}

fn type_into(input: &mut Input, key: Key) -> Typed {
    match key {
        Key::Char(c) => input.insert(c.encode_utf8(&mut [0; 4])),
        Key::Backspace | Key::Delete => input.backspace(),
        Key::Ctrl('u') => input.text.clear(),
        Key::Ctrl('w') => input.drop_word(),
        Key::Enter => return Typed::Taken,
        Key::Esc => return Typed::Dropped,
        _ => return Typed::Other,
    }
    Typed::Changed
}

/// A key was pressed.
pub fn press(model: &mut Model, key: Key, out: &mut Out) {
    if key == Key::Ctrl('c') {
        return out.push(Effect::Quit(130));
    }
    if key == Key::Ctrl('z') || key == Key::Ctrl('l') {
        let effect = if key == Key::Ctrl('z') {
            Effect::Suspend
        } else {
            Effect::Redraw
        };
        return out.push(effect);
    }
    if let Some(overlay) = model.overlay.take() {
        return boxed(model, overlay, key, out);
    }
    if let Some(mut input) = model.filtering.take() {
        return filter(model, &mut input, key, out);
    }
    if model.querying {
        return query(model, key, out);
    }
    if let Some(binding) = keymap::lookup(model.screen, key) {
        act::perform(model, binding.action, out);
    } else {
        model.tell(
            Role::Dim,
            format!(
                "{} does nothing here; ? shows the keys",
                keymap::written(key)
            ),
        );
    }
}

/// Text was pasted: as if typed, but only where text is typed.
pub fn paste(model: &mut Model, text: &str, out: &mut Out) {
    let changed = match &mut model.overlay {
        Some(Overlay::Palette { input, .. }) => {
            input.insert(text);
            let query = input.text.clone();
            let commands = palette::commands(model, &query);
            if let Some(Overlay::Palette {
                found, selected, ..
            }) = &mut model.overlay
            {
                (*found, *selected) = (commands, 0);
            }
            false
        }
        Some(Overlay::Form(form)) if !form.is_busy => {
            let focus = form.focus;
            if let Some(field) = form.fields.get_mut(focus) {
                field.input.insert(text);
            }
            false
        }
        Some(Overlay::Dialog(dialog)) if !dialog.is_busy => {
            if let Some((_, input)) = &mut dialog.confirm {
                input.insert(text);
            }
            false
        }
        Some(_) => false,
        None => true,
    };
    if !changed {
        return;
    }
    if let Some(mut input) = model.filtering.take() {
        input.insert(text);
        let filter = input.text.clone();
        with_list!(model, list => list.set_filter(&filter), ());
        model.filtering = Some(input);
        ask::filter_soon(model, out);
    } else if model.querying {
        if let Some(input) = &mut model.memories.query {
            input.insert(text);
        }
        ask::search_soon(model, out);
    }
}

fn filter(model: &mut Model, input: &mut Input, key: Key, out: &mut Out) {
    let keep = match type_into(input, key) {
        Typed::Changed => {
            ask::filter_soon(model, out);
            true
        }
        Typed::Taken => false,
        Typed::Dropped => {
            input.text.clear();
            false
        }
        Typed::Other => {
            moved(model, key);
            true
        }
    };
    with_list!(model, list => list.set_filter(&input.text), ());
    model.filtering = keep.then(|| input.clone());
    if !keep {
        moving::filtered(model, out);
    }
}

/// Arrows move the selection while a line is typed.
fn moved(model: &mut Model, key: Key) {
    let by = match key {
        Key::Down => 1,
        Key::Up => -1,
        Key::PageDown => PAGE,
        Key::PageUp => -PAGE,
        _ => return,
    };
    with_list!(model, list => {
        let last = list.len().saturating_sub(1);
        list.selected = list.selected.saturating_add_signed(by).min(last);
    }, ());
}

fn query(model: &mut Model, key: Key, out: &mut Out) {
    let Some(input) = &mut model.memories.query else {
        model.querying = false;
        return;
    };
    match type_into(input, key) {
        Typed::Changed => ask::search_soon(model, out),
        Typed::Taken => model.querying = false,
        Typed::Dropped => moving::leave_search(model, out),
        Typed::Other => moved(model, key),
    }
}

fn boxed(model: &mut Model, overlay: Overlay, key: Key, out: &mut Out) {
    match overlay {
        Overlay::Help(pane) => {
            let is_closing = key == Key::Char('?');
            pane_key(model, pane, key, is_closing, Overlay::Help, out);
        }
        Overlay::Pane(pane) => pane_key(model, pane, key, false, Overlay::Pane, out),
        Overlay::Secret {
            title,
            lines,
            token,
        } => {
            if key == Key::Char('y') {
                out.push(Effect::CopySecret(token.clone()));
                model.tell(Role::Plain, "sent to the terminal, which may refuse it");
            }
            let closes = matches!(key, Key::Esc | Key::Enter | Key::Char('q'));
            model.overlay = Some(Overlay::Secret {
                title,
                lines,
                token,
            });
            if closes {
                close(model);
            }
        }
        Overlay::Palette {
            input,
            found,
            selected,
        } => palette(model, input, found, selected, key, out),
        Overlay::Form(form) => forms::press(model, form, key, out),
        Overlay::Dialog(dialog) => dialog_key(model, *dialog, key, out),
    }
}

fn pane_key(
    model: &mut Model,
    mut pane: Pane,
    key: Key,
    is_closing: bool,
    back: fn(Pane) -> Overlay,
    out: &mut Out,
) {
    let last = extent::pane(model, &pane);
    let by = match key {
        Key::Char('j') | Key::Down => 1,
        Key::Char('k') | Key::Up => -1,
        Key::Ctrl('d') | Key::PageDown | Key::Char(' ') => PAGE,
        Key::Ctrl('u') | Key::PageUp => -PAGE,
        Key::Char('g') | Key::Home => isize::MIN,
        Key::Char('G') | Key::End => isize::MAX,
        Key::Char('y') => {
            act::copy(model, pane.text(), out);
            0
        }
        Key::Esc | Key::Enter | Key::Char('q') => {
            model.reading = None;
            return;
        }
        _ if is_closing => return,
        _ => 0,
    };
    pane.scroll = pane.scroll.min(last).saturating_add_signed(by).min(last);
    model.overlay = Some(back(pane));
}

fn palette(
    model: &mut Model,
    mut input: Input,
    mut found: Vec<crate::model::overlay::Command>,
    mut selected: usize,
    key: Key,
    out: &mut Out,
) {
    match key {
        Key::Down | Key::Tab | Key::Ctrl('n') => {
            selected = (selected + 1).min(found.len().saturating_sub(1))
        }
        Key::Up | Key::BackTab | Key::Ctrl('p') => selected = selected.saturating_sub(1),
        _ => match type_into(&mut input, key) {
            Typed::Changed => {
                found = palette::commands(model, &input.text);
                selected = 0;
            }
            Typed::Taken => {
                if let Some(command) = found.get(selected) {
                    palette::command(model, command.action, out);
                }
                return;
            }
            Typed::Dropped => return,
            Typed::Other => {}
        },
    }
    model.overlay = Some(Overlay::Palette {
        input,
        found,
        selected,
    });
}

fn dialog_key(model: &mut Model, mut dialog: Dialog, key: Key, out: &mut Out) {
    let types = dialog.confirm.is_some();
    match key {
        // What was sent cannot be taken back; the answer closes the box.
        _ if dialog.is_busy => {}
        Key::Esc => return,
        Key::Tab | Key::BackTab | Key::Left | Key::Right => dialog.on_verb = !dialog.on_verb,
        Key::Char('h' | 'l') if !types => dialog.on_verb = !dialog.on_verb,
        Key::Enter if !dialog.on_verb => return,
        Key::Enter if !dialog.is_confirmed() => {
            dialog.on_verb = false;
            model.tell(Role::Warn, "the name is not typed as it stands there");
        }
        Key::Enter if !model.can_write() => {
            model.tell(Role::Warn, "write mode has ended: ctrl-w");
            return;
        }
        Key::Enter => {
            dialog.is_busy = true;
            dialog.error = None;
            let (asks, done) = (dialog.asks.clone(), dialog.done.clone());
            model.overlay = Some(Overlay::Dialog(Box::new(dialog)));
            return ask::change(model, asks, done, out);
        }
        _ => {
            if let Some((_, input)) = &mut dialog.confirm {
                type_into(input, key);
            }
        }
    }
    model.overlay = Some(Overlay::Dialog(Box::new(dialog)));
}
