//! Moving about on a screen: rows, panes, pages, the order of a list, and back.

use super::{Out, act, ask, with_list};
use crate::effect::Effect;
use crate::keymap::Screen;
use crate::model::list::Sort;
use crate::model::{Model, Which, attention, extent};
use crate::text::Role;

/// Goes to another pane.
pub fn pane(model: &mut Model, by: isize) {
    let panes = model.panes();
    model.focus = (model.focus + panes).saturating_add_signed(by) % panes;
    model.scroll = 0;
}

/// Whether the pane that has the focus is a text beside the list.
fn is_side(model: &Model) -> bool {
    match model.screen {
        Screen::Identities | Screen::Policies => model.focus == 1,
        Screen::Memories => model.focus == 2,
        _ => false,
    }
}

/// Moves by so many rows or lines.
pub fn step(model: &mut Model, by: isize, out: &mut Out) {
    if is_side(model) {
        let last = extent::side(model);
        model.scroll = model.scroll.min(last).saturating_add_signed(by).min(last);
        return;
    }
    if model.screen == Screen::Overview {
        let last = attention::of(model).len().saturating_sub(1);
        model.attention = model.attention.saturating_add_signed(by).min(last);
        return;
    }
    if model.screen == Screen::Memories && model.focus == 0 {
        let last = model.memories.tree.len().saturating_sub(1);
        model.memories.tree_at = model.memories.tree_at.saturating_add_signed(by).min(last);
        return;
    }
    model.scroll = 0;
    let wants_page = with_list!(model, list => list.step(by), false);
    after_move(model, wants_page, out);
}

/// Goes to the first row, or to the last.
pub fn end(model: &mut Model, is_top: bool, out: &mut Out) {
    if is_side(model) {
        model.scroll = if is_top { 0 } else { extent::side(model) };
        return;
    }
    match model.screen {
        Screen::Overview => step(model, if is_top { isize::MIN } else { isize::MAX }, out),
        Screen::Memories if model.focus == 0 => {
            step(model, if is_top { isize::MIN } else { isize::MAX }, out)
        }
        _ => {
            let wants_page =
                with_list!(model, list => if is_top { list.top() } else { list.bottom() }, false);
            after_move(model, wants_page, out);
        }
    }
}

fn after_move(model: &mut Model, wants_page: bool, out: &mut Out) {
    if wants_page {
        ask::load(model, model.screen, out);
    }
    if model.screen == Screen::Audit {
        model.audit.follow =
            model.audit.held.is_none() && model.audit.feed.selected + 1 >= model.audit.feed.len();
    }
}

/// Leaves a search and shows the list again.
pub fn leave_search(model: &mut Model, out: &mut Out) {
    model.querying = false;
    model.memories.query = None;
    model.memories.awaited = None;
    model.memories.list.reset();
    ask::load(model, Screen::Memories, out);
}

/// Sorts by the next column, or turns the order around.
pub fn sort(model: &mut Model, turn: bool) {
    let sort: Option<(Option<Sort>, bool)> = with_list!(model, list => {
        let sort = if turn { list.turn_around() } else { list.sort_by_next() };
        Some((sort, list.total > list.items.len() as u64))
    }, None);
    let text = match sort {
        None => return model.tell(Role::Warn, "there is nothing to sort here"),
        Some((None, _)) if turn => "sorted as the daemon does; > sorts by a column".to_owned(),
        Some((None, _)) => "sorted as the daemon does".to_owned(),
        Some((Some(sort), is_part)) => {
            let way = if sort.is_falling {
                ", largest first"
            } else {
                ""
            };
            let part = if is_part {
                ", within what is loaded"
            } else {
                ""
            };
            format!("sorted by {}{way}{part}", sort.column)
        }
    };
    model.tell(Role::Plain, text);
}

/// Ends a verification that is under way.
pub fn cancel_verify(model: &mut Model, out: &mut Out) {
    if let Some(tag) = model.audit.awaited_verify.take() {
        let (done, of) = model.audit.progress.take().unwrap_or_default();
        out.push(Effect::Cancel(tag));
        let text = format!(
            "cancelled after {} of {} entries; nothing is known of the rest",
            crate::text::count(done),
            crate::text::count(of)
        );
        model.tell(Role::Warn, text);
    }
}

/// Shows the filtered rows of the whole list, or all of them again if there is no filter.
pub fn filtered(model: &mut Model, out: &mut Out) {
    if with_list!(model, list => list.start_walk(), false) {
        ask::load(model, model.screen, out);
    }
}

/// Closes, clears, or goes back.
pub fn back(model: &mut Model, out: &mut Out) {
    let had_filter = with_list!(model, list => {
        let had = !list.filter.text.is_empty() || !list.marks.is_empty();
        list.marks.clear();
        list.set_filter("");
        had
    }, false);
    if had_filter {
        return filtered(model, out);
    }
    match model.screen {
        Screen::Memories if model.memories.query.is_some() => leave_search(model, out),
        Screen::Audit if model.audit.awaited_verify.is_some() => cancel_verify(model, out),
        Screen::Memories
            if model.memories.which != Which::Live || model.memories.namespace.is_some() =>
        {
            model.memories.which = Which::Live;
            model.memories.namespace = None;
            model.memories.tree_at = 0;
            model.memories.list.reset();
            ask::load(model, Screen::Memories, out);
        }
        Screen::Tokens if model.tokens.identity.is_some() => {
            model.tokens.identity = None;
            model.tokens.list.reset();
            ask::load(model, Screen::Tokens, out);
        }
        Screen::Overview => model.tell(Role::Dim, "q ends"),
        _ => act::go(model, Screen::Overview, out),
    }
}
