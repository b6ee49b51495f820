//! The one place that shows a new token.

use manushya_protocol::secret::BearerToken;
use ratatui::layout::Rect;

use super::boxes::middle;
use super::pen::Pen;
use crate::text::{Role, Spans, clean, height, line};

/// Draws a new token. Its lines have no border beside them, so that it can be selected.
pub fn draw(pen: &mut Pen<'_>, body: Rect, title: &str, lines: &[Spans], token: &BearerToken) {
    let cells = usize::from(body.width).max(1);
    let text = token.expose();
    let rows = text.len().div_ceil(cells);
    let told = vec![
        line(Role::Title, clean(title)),
        line(
            Role::Warn,
            "This is shown once. y sends it to the terminal's clipboard, esc closes it for good.",
        ),
        Vec::new(),
    ];
    let room = usize::from(body.height).saturating_sub(rows + told.len() + 2);
    let facts = &lines[..lines.len().min(room)];
    let all = height(&told, cells) + rows + 1 + height(facts, cells);
    let area = middle(
        pen,
        body,
        body.width,
        u16::try_from(all).unwrap_or(u16::MAX),
    );
    let mut y = area.y;
    y += u16::try_from(pen.document(area, &told, 0)).unwrap_or(0);
    let mut rest = text;
    while !rest.is_empty() && y < body.bottom() {
        let cut = rest
            .char_indices()
            .nth(cells)
            .map_or(rest.len(), |(at, _)| at);
        pen.text(body.x, y, body.width, Role::Title, &rest[..cut]);
        rest = &rest[cut..];
        y += 1;
    }
    y += 1;
    let left = Rect::new(body.x, y, body.width, body.bottom().saturating_sub(y));
    pen.document(left, facts, 0);
}
