//! A list as a table.

use ratatui::layout::Rect;

use super::pen::Pen;
use crate::model::document;
use crate::model::list::{Item, List, Load};
use crate::text::{Role, Spans, count, line, pad};

/// A column: its heading and how many cells it takes; 0 takes what is left.
pub type Column = (&'static str, u16);

/// How a list is shown.
pub struct Table<'a> {
    /// Its title.
    pub title: Spans,
    /// Its columns.
    pub columns: &'a [Column],
    /// What is said when there is nothing.
    pub empty: &'a str,
    /// Whether keys go here.
    pub has_focus: bool,
}

/// Draws a list; `cells` makes the cells of a row.
pub fn draw<T: Item>(
    pen: &mut Pen<'_>,
    area: Rect,
    list: &List<T>,
    table: &Table<'_>,
    cells: impl Fn(&T) -> Vec<(Role, String)>,
) {
    let foot = foot(list, pen);
    let inner = pen.frame(area, &table.title, &foot, table.has_focus);
    if inner.height == 0 || said(pen, inner, list, table) {
        return;
    }
    let widths = widths(table.columns, inner.width);
    let mut x = inner.x + 2;
    for ((heading, _), cells) in table.columns.iter().zip(&widths) {
        match list.sort.filter(|sort| sort.column == *heading) {
            Some(sort) => {
                let way = pen.glyphs.ways[usize::from(sort.is_falling)];
                let text = format!("{heading} {way}");
                pen.text(x, inner.y, *cells, Role::Title, &text);
            }
            None => {
                pen.text(x, inner.y, *cells, Role::Dim, heading);
            }
        }
        x += cells + 1;
    }
    let visible = usize::from(inner.height.saturating_sub(1)).max(1);
    let first = list
        .selected
        .saturating_sub(visible / 2)
        .min(list.len().saturating_sub(visible));
    let y = inner.y + u16::from(inner.height > 1);
    for (row, item) in list.rows().enumerate().skip(first).take(visible) {
        let y = y + u16::try_from(row - first).unwrap_or(0);
        let is_here = row == list.selected;
        if is_here {
            pen.text(inner.x, y, 1, Role::Accent, pen.glyphs.here);
        }
        if list.marks.contains(&item.id()) {
            pen.text(inner.x + 1, y, 1, Role::Warn, pen.glyphs.mark);
        }
        let mut x = inner.x + 2;
        for ((role, text), cells) in cells(item).iter().zip(&widths) {
            if *cells > 0 {
                pen.text(x, y, *cells, *role, &pad(text, usize::from(*cells)));
                x += cells + 1;
            }
        }
        if is_here && table.has_focus {
            pen.highlight(Rect::new(inner.x + 2, y, inner.width.saturating_sub(2), 1));
        }
    }
}

/// Says what there is instead of rows; returns whether that was needed.
fn said<T: Item>(pen: &mut Pen<'_>, inner: Rect, list: &List<T>, table: &Table<'_>) -> bool {
    let lines = match &list.load {
        Load::Failed(error) => document::error(error),
        _ if !list.is_empty() => return false,
        _ if list.is_walking() => vec![line(Role::Dim, "looking through the whole list…")],
        Load::Idle => vec![line(Role::Dim, "not asked for yet")],
        Load::Loading(_) => vec![line(Role::Dim, "asking the daemon…")],
        Load::Ready if !list.filter.text.is_empty() => {
            vec![line(Role::Dim, "nothing passes the filter; esc clears it")]
        }
        Load::Ready => vec![line(Role::Dim, table.empty)],
    };
    pen.document(inner, &lines, 0);
    true
}

fn foot<T: Item>(list: &List<T>, pen: &Pen<'_>) -> Spans {
    let mut parts = Vec::new();
    if !list.is_empty() {
        let shown = list.len() as u64;
        let first = list.first();
        let range = if list.walk.is_some() {
            format!("{} of {}", count(shown), count(list.total))
        } else if list.total > shown {
            format!(
                "{}-{} of {}",
                count(first + 1),
                count(first + shown),
                count(list.total)
            )
        } else {
            count(shown)
        };
        parts.push((Role::Dim, range));
    }
    if !list.filter.text.is_empty() {
        parts.push((
            Role::Warn,
            format!("filter: {}{}", list.filter.text, seen(list)),
        ));
    }
    if let Some(sort) = list.sort {
        let way = pen.glyphs.ways[usize::from(sort.is_falling)];
        parts.push((Role::Dim, format!("by {} {way}", sort.column)));
    }
    if !list.marks.is_empty() {
        parts.push((Role::Warn, format!("{} marked", list.marks.len())));
    }
    let mut spans = Spans::new();
    for part in parts {
        if !spans.is_empty() {
            spans.push((Role::Dim, format!(" {} ", pen.glyphs.between)));
        }
        spans.push(part);
    }
    spans
}

/// How much of a list its filter has seen.
fn seen<T: Item>(list: &List<T>) -> String {
    match &list.walk {
        None => format!(" ({} of {} here)", list.len(), list.items.len()),
        Some(walk) if !walk.is_done => format!(" (looked at {}…)", count(walk.looked)),
        Some(walk) if walk.cut_short => format!(" (in the first {} only)", count(walk.looked)),
        Some(_) => " (in all)".to_owned(),
    }
}

/// How wide each column is. What does not fit is left out from the right.
fn widths(columns: &[Column], cells: u16) -> Vec<u16> {
    let room = cells.saturating_sub(2);
    let fixed: u16 = columns.iter().map(|(_, cells)| cells + 1).sum();
    let flexible = columns.iter().filter(|(_, cells)| *cells == 0).count() as u16;
    let spare = room.saturating_sub(fixed) / flexible.max(1);
    let mut left = room;
    let width = |(_, cells): &Column| {
        let wanted = if *cells == 0 { spare.max(8) } else { *cells };
        let taken = wanted.min(left);
        left = left.saturating_sub(taken + 1);
        if taken * 2 < wanted.min(8) { 0 } else { taken }
    };
    columns.iter().map(width).collect()
}
