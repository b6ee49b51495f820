//! How far texts can be scrolled, and the widths that follows from.

use super::overlay::Pane;
use super::{Model, document};
use crate::keymap::Screen;
use crate::text::{Spans, height};

/// Rows above and below the body of a screen.
const AROUND: u16 = 4;
/// The least width in which panes stand side by side.
const SIDE_BY_SIDE: u16 = 80;
/// From this width on there is room for more of everything.
const ROOMY: u16 = 110;
/// The most columns a box with a text takes.
pub const BOX_CELLS: u16 = 112;

/// Columns of the text beside identities and policies.
pub fn detail_cells(width: u16) -> u16 {
    (width / 5 * 2).max(36)
}

/// Columns of the tree of namespaces.
pub fn tree_cells(width: u16) -> u16 {
    if width >= ROOMY { 26 } else { 17 }
}

/// Columns of the text beside memories.
pub fn preview_cells(width: u16) -> u16 {
    if width >= ROOMY { width / 3 } else { 26 }
}

/// How many lines a text in a box can be scrolled by.
pub fn pane(model: &Model, pane: &Pane) -> usize {
    let (columns, rows) = model.size;
    let cells = columns.min(BOX_CELLS).saturating_sub(4);
    let total = height(&pane.lines, usize::from(cells));
    let visible = usize::from(rows.saturating_sub(AROUND + 2));
    total.saturating_sub(visible)
}

/// How many lines the text beside the list can be scrolled by.
pub fn side(model: &Model) -> usize {
    let (columns, rows) = model.size;
    let wanted = match model.screen {
        Screen::Memories => preview_cells(columns),
        _ => detail_cells(columns),
    };
    let is_alone = model.wide || columns < SIDE_BY_SIDE;
    let cells = usize::from(if is_alone { columns } else { wanted }.saturating_sub(2));
    let lines: Vec<Spans> = match model.screen {
        Screen::Identities => {
            let current = model.identities.list.current();
            current.map(|it| document::identity(it, model))
        }
        Screen::Policies => {
            let current = model.policies.list.current();
            current.map(|it| document::policy(it, model))
        }
        Screen::Memories => {
            let current = model.memories.list.current();
            current.map(|it| document::preview(&it.memory, cells, model))
        }
        Screen::Overview | Screen::Audit | Screen::Tokens | Screen::System => None,
    }
    .unwrap_or_default();
    height(&lines, cells).saturating_sub(usize::from(rows.saturating_sub(AROUND + 2)))
}
