//! Boxes over the screen.

use ratatui::layout::Rect;

use super::pen::Pen;
use super::secret;
use crate::model::overlay::{Command, Dialog, Form, Input, Overlay, Pane};
use crate::model::{Model, document, extent};
use crate::text::{Role, Spans, clean, fit, height, line, pad};

/// Draws the box that is open.
pub fn draw(pen: &mut Pen<'_>, model: &Model, body: Rect) {
    match &model.overlay {
        None => {}
        Some(Overlay::Help(shown) | Overlay::Pane(shown)) => pane(pen, model, shown, body),
        Some(Overlay::Palette {
            input,
            found,
            selected,
        }) => palette(pen, body, input, found, *selected),
        Some(Overlay::Form(shown)) => form(pen, shown, body),
        Some(Overlay::Dialog(shown)) => dialog(pen, shown, body),
        Some(Overlay::Secret {
            title,
            lines,
            token,
        }) => secret::draw(pen, body, title, lines, token),
    }
}

/// An area in the middle that is emptied for a box.
pub fn middle(pen: &mut Pen<'_>, body: Rect, cells: u16, rows: u16) -> Rect {
    let cells = cells.min(body.width);
    let rows = rows.min(body.height);
    let area = Rect::new(
        body.x + (body.width - cells) / 2,
        body.y + (body.height - rows) / 2,
        cells,
        rows,
    );
    pen.clear(area);
    area
}

fn pane(pen: &mut Pen<'_>, model: &Model, shown: &Pane, body: Rect) {
    let cells = body.width.min(extent::BOX_CELLS);
    let total = height(&shown.lines, usize::from(cells.saturating_sub(4)));
    let rows = u16::try_from(total)
        .unwrap_or(u16::MAX)
        .saturating_add(2)
        .max(5);
    let area = middle(pen, body, cells, rows);
    let visible = usize::from(area.height.saturating_sub(2));
    let last = total.saturating_sub(visible);
    let scroll = shown.scroll.min(last);
    let mut foot = vec![(Role::Dim, "esc closes, y copies".to_owned())];
    if last > 0 {
        let percent = (scroll * 100).checked_div(last).unwrap_or(100);
        foot.push((Role::Dim, format!(", j k scroll, {percent} %")));
    }
    if model.reading.is_some() {
        foot.push((Role::Warn, ", asking for more…".to_owned()));
    }
    let inner = pen.frame(area, &line(Role::Title, clean(&shown.title)), &foot, true);
    let inner = Rect::new(
        inner.x + 1,
        inner.y,
        inner.width.saturating_sub(2),
        inner.height,
    );
    pen.document(inner, &shown.lines, scroll);
}

fn typed(pen: &Pen<'_>, input: &Input, has_focus: bool, cells: usize) -> Spans {
    // What does not fit is left out at the front: the end is where one types.
    let text = clean(&input.text);
    let chars: Vec<char> = text.chars().collect();
    let mut from = 0;
    while from < chars.len()
        && crate::text::width(&chars[from..].iter().collect::<String>()) + 1 > cells
    {
        from += 1;
    }
    let shown: String = chars[from..].iter().collect();
    let mut spans = vec![(Role::Plain, shown)];
    if has_focus {
        spans.push((Role::Accent, pen.glyphs.cursor.to_owned()));
    }
    spans
}

fn palette(pen: &mut Pen<'_>, body: Rect, input: &Input, found: &[Command], selected: usize) {
    let area = middle(pen, body, 100, body.height.min(18));
    let inner = pen.frame(
        area,
        &line(Role::Title, "command"),
        &line(Role::Dim, "enter runs it, esc closes"),
        true,
    );
    let mut spans = line(Role::Accent, ":");
    spans.extend(typed(
        pen,
        input,
        true,
        usize::from(inner.width).saturating_sub(2),
    ));
    pen.spans(inner.x, inner.y, inner.width, &spans);
    if inner.height < 3 {
        return;
    }
    let visible = usize::from(inner.height - 2).max(1);
    let first = selected
        .saturating_sub(visible / 2)
        .min(found.len().saturating_sub(visible));
    for (place, command) in found.iter().enumerate().skip(first).take(visible) {
        let y = inner.y + 1 + u16::try_from(place - first).unwrap_or(0);
        let here = if place == selected {
            pen.glyphs.here
        } else {
            " "
        };
        let mut spans = vec![
            (Role::Accent, format!("{here} {}", pad(&command.key, 12))),
            (Role::Plain, command.title.clone()),
        ];
        if let Some(reason) = &command.why_not {
            spans.push((Role::Warn, format!(" ({reason})")));
        }
        pen.spans(inner.x, y, inner.width, &spans);
        if place == selected {
            pen.highlight(Rect::new(inner.x + 2, y, inner.width.saturating_sub(2), 1));
        }
    }
    let same = match found.get(selected) {
        None => "nothing is found".to_owned(),
        Some(command) if command.command.is_empty() => "only here".to_owned(),
        Some(command) => format!("same as: {}", clean(&command.command)),
    };
    pen.text(inner.x, inner.bottom() - 1, inner.width, Role::Dim, &same);
}

fn form(pen: &mut Pen<'_>, form: &Form, body: Rect) {
    let errors = form.error.as_ref().map(document::error).unwrap_or_default();
    let cells = 76.min(body.width.saturating_sub(2));
    let text = usize::from(cells.saturating_sub(2));
    let rows = form.fields.len() + 4 + height(&errors, text);
    let area = middle(pen, body, cells, u16::try_from(rows).unwrap_or(u16::MAX));
    let foot = if form.is_busy {
        line(Role::Warn, "waiting for the daemon…")
    } else {
        line(
            Role::Dim,
            "tab goes on, enter at the last sends, esc closes",
        )
    };
    let inner = pen.frame(area, &line(Role::Title, form.title), &foot, true);
    let visible = usize::from(inner.height.saturating_sub(1)).max(1);
    let first = (form.focus + 1).saturating_sub(visible);
    let mut y = inner.y;
    for (place, field) in form.fields.iter().enumerate().skip(first) {
        if y >= inner.bottom() {
            return;
        }
        let has_focus = place == form.focus;
        let here = if has_focus { pen.glyphs.here } else { " " };
        let mut spans = vec![(
            if has_focus { Role::Title } else { Role::Dim },
            format!("{here} {}", pad(field.label, 18)),
        )];
        spans.extend(typed(pen, &field.input, has_focus, text.saturating_sub(20)));
        pen.spans(inner.x, y, inner.width, &spans);
        y += 1;
    }
    if let Some(field) = form.fields.get(form.focus)
        && y < inner.bottom()
    {
        pen.text(
            inner.x + 2,
            y,
            inner.width.saturating_sub(2),
            Role::Dim,
            field.hint,
        );
        y += 1;
    }
    let rest = Rect::new(inner.x, y, inner.width, inner.bottom().saturating_sub(y));
    pen.document(rest, &errors, 0);
}

fn dialog(pen: &mut Pen<'_>, dialog: &Dialog, body: Rect) {
    let mut lines = dialog.lines.clone();
    if let Some(error) = &dialog.error {
        lines.push(Vec::new());
        lines.extend(document::error(error));
    }
    let cells = 74.min(body.width.saturating_sub(2));
    let text = usize::from(cells.saturating_sub(4));
    let confirm = usize::from(dialog.confirm.is_some());
    let rows = height(&lines, text) + confirm + 4;
    let area = middle(pen, body, cells, u16::try_from(rows).unwrap_or(u16::MAX));
    let foot = if dialog.command.is_empty() {
        Spans::new()
    } else {
        line(
            Role::Dim,
            fit(&format!("same as: {}", clean(&dialog.command)), text),
        )
    };
    let inner = pen.frame(area, &line(Role::Bad, dialog.title.clone()), &foot, true);
    let inner = Rect::new(
        inner.x + 1,
        inner.y,
        inner.width.saturating_sub(2),
        inner.height,
    );
    let buttons = inner.bottom().saturating_sub(1);
    let below = u16::try_from(confirm).unwrap_or(0) + 1;
    let above = Rect::new(
        inner.x,
        inner.y,
        inner.width,
        inner.height.saturating_sub(below),
    );
    // A long error has the last word.
    let scroll = height(&lines, text).saturating_sub(usize::from(above.height));
    pen.document(above, &lines, scroll);
    if let Some((wanted, input)) = &dialog.confirm {
        let mut spans = vec![(Role::Plain, format!("Type {} to go on: ", clean(wanted)))];
        spans.extend(typed(pen, input, true, text / 2));
        pen.spans(inner.x, buttons.saturating_sub(1), inner.width, &spans);
    }
    let at = Rect::new(inner.x, buttons, inner.width, 1);
    choices(pen, dialog, at);
}

/// The two buttons of a dialog.
fn choices(pen: &mut Pen<'_>, dialog: &Dialog, inner: Rect) {
    let buttons = inner.y;
    let (cancel, verb) = match (dialog.is_busy, dialog.on_verb) {
        (true, _) => {
            pen.text(
                inner.x,
                buttons,
                inner.width,
                Role::Warn,
                "waiting for the daemon…",
            );
            return;
        }
        (false, false) => ("[ Cancel ]".to_owned(), format!("  {}  ", dialog.verb)),
        (false, true) => ("  Cancel  ".to_owned(), format!("[ {} ]", dialog.verb)),
    };
    let verb_role = if dialog.is_confirmed() {
        Role::Bad
    } else {
        Role::Dim
    };
    let cancel_cells = pen.text(inner.x + 2, buttons, inner.width, Role::Title, &cancel);
    let at = inner.x + 2 + cancel_cells + 4;
    let verb_cells = pen.text(
        at,
        buttons,
        inner.width.saturating_sub(cancel_cells + 6),
        verb_role,
        &verb,
    );
    let chosen = if dialog.on_verb {
        Rect::new(at, buttons, verb_cells, 1)
    } else {
        Rect::new(inner.x + 2, buttons, cancel_cells, 1)
    };
    pen.highlight(chosen);
}
