//! Namespaces, memories and what is in them.

use ratatui::layout::Rect;

use super::lists::side;
use super::panes;
use super::pen::{Glyphs, Pen};
use super::table::{self, Column, Table};
use crate::model::items::Hit;
use crate::model::list::Load;
use crate::model::{Model, Which, document, extent};
use crate::text::{Role, Spans, age, bar, clean, count, head, line, pad, pad_left, until, width};

/// No row shows more of a text.
const ROW_CHARS: usize = 512;

/// Draws it.
pub fn draw(pen: &mut Pen<'_>, model: &Model, body: Rect) {
    let areas = panes(
        model,
        body,
        &[
            extent::tree_cells(body.width),
            0,
            extent::preview_cells(body.width),
        ],
    );
    tree(pen, model, areas[0]);
    list(pen, model, areas[1]);
    let current = model.memories.list.current();
    let lines = current.map(|hit| {
        let cells = usize::from(areas[2].width).saturating_sub(2);
        document::preview(&hit.memory, cells, model)
    });
    let title = current.map_or_else(|| "memory".to_owned(), |hit| hit.memory.id.to_string());
    side(
        pen,
        areas[2],
        &title,
        &lines.unwrap_or_default(),
        model.focus == 2,
        model.scroll,
    );
}

fn tree(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let memories = &model.memories;
    let has_focus = model.focus == 0;
    let inner = pen.frame(
        area,
        &line(Role::Title, "Namespaces"),
        &Vec::new(),
        has_focus,
    );
    if inner.height == 0 {
        return;
    }
    if memories.tree.is_empty() {
        pen.document(inner, &[line(Role::Dim, "asking…")], 0);
        return;
    }
    let visible = usize::from(inner.height).max(1);
    let first = memories
        .tree_at
        .saturating_sub(visible / 2)
        .min(memories.tree.len().saturating_sub(visible));
    for (place, (path, many)) in memories.tree.iter().enumerate().skip(first).take(visible) {
        let y = inner.y + u16::try_from(place - first).unwrap_or(0);
        let depth = if path == "/" {
            0
        } else {
            path.matches('/').count()
        };
        let name = path
            .rsplit('/')
            .next()
            .filter(|name| !name.is_empty())
            .unwrap_or("/");
        let is_open = memories.namespace.as_deref().unwrap_or("/") == path;
        let number = count(*many);
        let cells = usize::from(inner.width).saturating_sub(2);
        let label = format!("{}{}", " ".repeat(depth), clean(name));
        let text = pad(&label, cells.saturating_sub(width(&number) + 1)) + " " + &number;
        let here = if place == memories.tree_at {
            pen.glyphs.here
        } else {
            " "
        };
        pen.text(inner.x, y, 1, Role::Accent, here);
        let role = if is_open { Role::Title } else { Role::Plain };
        pen.text(inner.x + 1, y, inner.width.saturating_sub(1), role, &text);
        if has_focus && place == memories.tree_at {
            pen.highlight(Rect::new(inner.x + 1, y, inner.width.saturating_sub(1), 1));
        }
    }
}

fn list(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let memories = &model.memories;
    let list = &memories.list;
    let title = title(model);
    let is_found = memories.query.is_some();
    let columns: &[Column] = match (is_found, area.width >= 56) {
        (true, true) => &[("SCORE", 12), ("OWNER", 10), ("AGE", 4), ("TEXT", 0)],
        (true, false) => &[("SCORE", 9), ("TEXT", 0)],
        (false, true) => &[("TYPE", 10), ("OWNER", 10), ("AGE", 4), ("TEXT", 0)],
        (false, false) => &[("TYPE", 8), ("TEXT", 0)],
    };
    let empty = match (is_found, memories.which) {
        (true, _) => "nothing is found",
        (_, Which::Deleted) => "nothing is deleted that could be restored",
        (_, Which::Expired) => "nothing is expired that is not erased yet, or you may not purge it",
        (_, Which::Live) => "there is no memory here",
    };
    let (area, search) = match &memories.query {
        Some(_) if area.height > 6 => (
            Rect::new(area.x, area.y + 1, area.width, area.height - 1),
            Some(Rect::new(area.x, area.y, area.width, 1)),
        ),
        _ => (area, None),
    };
    if let Some(at) = search {
        query(pen, model, at);
    }
    let table = Table {
        title,
        columns,
        empty,
        has_focus: model.focus == 1,
    };
    let glyphs = pen.glyphs;
    let wide = area.width >= 56;
    table::draw(pen, area, list, &table, |hit| {
        cells(model, glyphs, wide, hit)
    });
}

/// The cells of a row.
fn cells(model: &Model, glyphs: Glyphs, wide: bool, hit: &Hit) -> Vec<(Role, String)> {
    let memory = &hit.memory;
    let text = clean(head(
        memory.text.lines().next().unwrap_or_default(),
        ROW_CHARS,
    ));
    let first = match hit.score {
        Some(score) => {
            let cells = if wide { 7 } else { 4 };
            let bar = bar(f64::from(score), cells, glyphs.full, glyphs.empty);
            (Role::Ok, format!("{score:.2} {bar}"))
        }
        None => (Role::Accent, clean(&memory.kind)),
    };
    let ends = memory.expires_at.is_some_and(|then| then <= model.now);
    let role = if ends || memory.deleted_at.is_some() {
        Role::Dim
    } else {
        Role::Plain
    };
    let text = match memory.expires_at {
        Some(then) if ends => format!(
            "[expired] {text}{}",
            until(model.now, then).replace("ended", "")
        ),
        _ => text,
    };
    if !wide {
        return vec![first, (role, text)];
    }
    vec![
        first,
        (Role::Plain, clean(&memory.owner)),
        (Role::Dim, pad_left(&age(model.now, memory.created_at), 4)),
        (role, text),
    ]
}

/// What is searched for.
fn query(pen: &mut Pen<'_>, model: &Model, at: Rect) {
    let memories = &model.memories;
    if let Some(query) = &memories.query {
        let cursor = if model.querying {
            pen.glyphs.cursor
        } else {
            ""
        };
        let mut spans = vec![
            (Role::Accent, " search: ".to_owned()),
            (Role::Plain, clean(&query.text)),
            (Role::Accent, cursor.to_owned()),
        ];
        if model.memories.awaited.is_some() {
            spans.push((Role::Dim, " …".to_owned()));
        }
        if let Some(note) = &memories.note {
            spans.push((Role::Warn, format!("  {}", clean(note))));
        }
        pen.spans(at.x, at.y, at.width, &spans);
    }
}

fn title(model: &Model) -> Spans {
    let memories = &model.memories;
    let mut title = vec![(
        Role::Title,
        clean(memories.namespace.as_deref().unwrap_or("/")),
    )];
    if matches!(memories.list.load, Load::Ready) {
        title.push((Role::Plain, format!(" {}", count(memories.list.total))));
    }
    if memories.which != Which::Live {
        title.push((Role::Warn, format!(" {}", memories.which.word())));
    }
    if memories.query.is_some() {
        title.push((Role::Accent, " found".to_owned()));
    }
    title
}
