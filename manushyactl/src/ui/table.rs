//! Tables for people: aligned columns, no borders, nothing cut off a terminal.

use console::{Alignment, measure_text_width, pad_str};

/// The space between columns.
const GAP: usize = 2;
/// The least width the last column is cut to.
const LAST_WIDTH_MIN: usize = 16;

/// Lays rows out under a heading. With a width, the last column is cut to fit it.
pub fn render(head: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let mut widths: Vec<usize> = head.iter().map(|title| title.len()).collect();
    for row in rows {
        for (column, cell) in row.iter().enumerate().take(widths.len()) {
            widths[column] = widths[column].max(measure_text_width(cell));
        }
    }
    let last = head.len().saturating_sub(1);
    let before: usize = widths[..last].iter().map(|w| w + GAP).sum();
    let room = width.map(|width| width.saturating_sub(before).max(LAST_WIDTH_MIN));
    let mut text = String::new();
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate().take(widths.len()) {
            if column < last {
                line.push_str(&pad_str(cell, widths[column] + GAP, Alignment::Left, None));
            } else {
                line.push_str(&cut(cell, room));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The text cut to a width, with `…` where something is missing.
pub fn cut(text: &str, width: Option<usize>) -> String {
    match width {
        Some(width) if measure_text_width(text) > width => {
            let mut kept = String::new();
            let mut used = 1;
            for c in text.chars() {
                used += measure_text_width(c.encode_utf8(&mut [0; 4]));
                if used > width {
                    break;
                }
                kept.push(c);
            }
            kept.push('…');
            kept
        }
        _ => text.to_owned(),
    }
}

/// Lays out names and values, one a line.
pub fn pairs(rows: &[(String, String)]) -> String {
    let width = rows
        .iter()
        .map(|(name, _)| measure_text_width(name))
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (name, value) in rows {
        let name = pad_str(name, width + GAP, Alignment::Left, None);
        let indent = format!("\n{}", " ".repeat(width + GAP));
        text.push_str(format!("{name}{}", value.replace('\n', &indent)).trim_end());
        text.push('\n');
    }
    text
}

/// The text on one line, without anything that could drive a terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut space = false;
    for c in text.chars() {
        if c.is_whitespace() {
            space = true;
            continue;
        }
        if space && !line.is_empty() {
            line.push(' ');
        }
        space = false;
        line.push(if is_hostile(c) { '\u{fffd}' } else { c });
    }
    line
}

/// The text with its lines, without anything else that could drive a terminal.
pub fn many_lines(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c != '\n' && c != '\t' && is_hostile(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Control characters, and those that turn the direction of text (UAX 9).
fn is_hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_drives_the_terminal(text in "(?s).{0,60}") {
            prop_assert!(one_line(&text).chars().all(|c| !is_hostile(c)));
            let lines = many_lines(&text);
            prop_assert!(lines.chars().all(|c| c == '\n' || c == '\t' || !is_hostile(c)));
        }

        #[test]
        fn cut_keeps_to_the_width(text in "\\PC{0,40}", width in 1usize..30) {
            prop_assert!(measure_text_width(&cut(&text, Some(width))) <= width.max(1));
        }
    }

    #[test]
    fn columns_align_and_only_the_last_is_cut() {
        let rows = vec![
            vec!["a".to_owned(), "x".repeat(40)],
            vec!["longer".to_owned(), "y".to_owned()],
        ];
        let text = render(&["ID", "TEXT"], &rows, Some(30));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "ID      TEXT");
        assert_eq!(lines[2], "longer  y");
        assert!(lines[1].ends_with('…') && measure_text_width(lines[1]) == 30);
        assert!(render(&["ID", "TEXT"], &rows, None).contains(&"x".repeat(40)));
    }
}
