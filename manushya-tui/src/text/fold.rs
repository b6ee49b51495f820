//! Lines of pieces, broken where they do not fit.

use super::{Spans, width};

/// How many rows lines take when they are wrapped.
pub fn height(lines: &[Spans], cells: usize) -> usize {
    lines.iter().map(|spans| wrapped(spans, cells).len()).sum()
}

/// A line of pieces broken into lines of at most so many cells.
pub fn wrapped(spans: &Spans, cells: usize) -> Vec<Spans> {
    // Measuring a long text only to see that it does not fit would take as long as breaking it.
    let is_long = spans.iter().any(|(_, text)| text.len() > cells * 8);
    let total = || spans.iter().map(|(_, text)| width(text)).sum::<usize>();
    if cells == 0 || (!is_long && total() <= cells) {
        return vec![spans.clone()];
    }
    let mut rows: Vec<Spans> = vec![Vec::new()];
    let mut used = 0;
    for (role, text) in spans {
        // The first piece goes on where the one before ended.
        let first = cells.saturating_sub(used).max(1);
        let mut rest = text.as_str();
        let mut room = first;
        loop {
            let cut = cut_at(rest, room);
            let (head, tail) = rest.split_at(cut);
            if !head.is_empty() {
                used += width(head);
                if let Some(row) = rows.last_mut() {
                    row.push((*role, head.to_owned()));
                }
            }
            if tail.is_empty() {
                break;
            }
            rows.push(Vec::new());
            used = 0;
            room = cells;
            rest = tail.trim_start_matches(' ');
        }
        if used >= cells {
            rows.push(Vec::new());
            used = 0;
        }
    }
    if rows.last().is_some_and(Vec::is_empty) {
        rows.pop();
    }
    rows
}

/// Where to cut a text so that the first part takes at most so many cells: at a space if there is one.
fn cut_at(text: &str, cells: usize) -> usize {
    let mut used = 0;
    let mut end = 0;
    // It stops where the cells end: a long text has many such lines.
    for (at, c) in text.char_indices() {
        used += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used > cells {
            break;
        }
        end = at + c.len_utf8();
    }
    if end == text.len() {
        return end;
    }
    let space = text[..end].rfind(' ').filter(|at| *at * 2 > end);
    let cut = space.unwrap_or(end);
    // Something has to go, or it would never end.
    if cut == 0 {
        text.chars().next().map_or(text.len(), char::len_utf8)
    } else {
        cut
    }
}
