//! Text for a grid of cells: cleaned, measured, cut, and numbers as people read them.

mod fold;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use manushya_protocol::unit::UnixMillis;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

pub use fold::{height, wrapped};

/// What a piece of text is, which the theme gives a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Like any other.
    #[default]
    Plain,
    /// Less important.
    Dim,
    /// As it should be.
    Ok,
    /// To be looked at.
    Warn,
    /// Broken or denied.
    Bad,
    /// A heading.
    Title,
    /// A key to press, or a name that can be followed.
    Accent,
    /// A text in a rule or document.
    Quoted,
    /// A number in a rule or document.
    Number,
}

/// One line made of pieces.
pub type Spans = Vec<(Role, String)>;

/// A line of one piece.
pub fn line(role: Role, text: impl Into<String>) -> Spans {
    vec![(role, text.into())]
}

/// Makes text safe for a cell grid: no control or direction characters, no joined emoji whose width
/// terminals disagree about, one line.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        let mut chars = grapheme.chars();
        let Some(first) = chars.next() else { continue };
        if first.is_control() {
            out.push(' ');
            continue;
        }
        if is_hidden(first) {
            continue;
        }
        if let Some(letter) = flag_letter(first) {
            out.push(letter);
            if let Some(second) = chars.next().and_then(flag_letter) {
                out.push(second);
            }
            continue;
        }
        out.push(first);
        if first.width().unwrap_or(0) == 1 {
            // Marks stay on letters, but not towers of them.
            out.extend(
                chars
                    .filter(|c| c.width() == Some(0) && !is_hidden(*c))
                    .take(2),
            );
        }
    }
    out
}

/// Characters that draw nothing but change what others look like or where they stand.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ad}' | '\u{61c}' | '\u{e0000}'..='\u{e0fff}')
}

fn flag_letter(c: char) -> Option<char> {
    let place = u32::from(c)
        .checked_sub(0x1f1e6)
        .filter(|place| *place < 26)?;
    char::from_u32(u32::from('A') + place)
}

/// How many cells a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Cuts a text to at most so many cells; what is cut ends in `…`.
pub fn fit(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    if cells == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 1;
    for grapheme in text.graphemes(true) {
        let wide = width(grapheme);
        if used + wide > cells {
            break;
        }
        used += wide;
        out.push_str(grapheme);
    }
    out.push('…');
    out
}

/// Cuts or fills a text to exactly so many cells.
pub fn pad(text: &str, cells: usize) -> String {
    let mut out = fit(text, cells);
    let missing = cells.saturating_sub(width(&out));
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// The same with the text at the right.
pub fn pad_left(text: &str, cells: usize) -> String {
    let out = fit(text, cells);
    let missing = cells.saturating_sub(width(&out));
    format!("{}{out}", " ".repeat(missing))
}

/// Breaks a text into lines of at most so many cells, at spaces where there are some.
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let (mut current, mut used) = (String::new(), 0);
        for word in clean(paragraph).split(' ') {
            let mut word = word.to_owned();
            loop {
                let gap = usize::from(used > 0);
                let wanted = width(&word);
                if used + gap + wanted <= cells {
                    if gap == 1 {
                        current.push(' ');
                    }
                    current.push_str(&word);
                    used += gap + wanted;
                    break;
                }
                if used > 0 {
                    lines.push(std::mem::take(&mut current));
                    used = 0;
                    continue;
                }
                let (head, rest) = split_at_width(&word, cells);
                lines.push(head);
                word = rest;
            }
        }
        lines.push(current);
    }
    lines
}

fn split_at_width(word: &str, cells: usize) -> (String, String) {
    let mut used = 0;
    for (at, grapheme) in word.grapheme_indices(true) {
        used += width(grapheme);
        // At least one goes, or it would never end.
        if used > cells && at > 0 {
            return (word[..at].to_owned(), word[at..].to_owned());
        }
    }
    (word.to_owned(), String::new())
}

/// A number with separators: `12,408`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes as people read them: `41.2 MiB`.
pub fn bytes(number: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{number} B"),
        _ => format!("{value:.1} {}", units[unit]),
    }
}

/// Microseconds as people read them: `83 us`, `4.1 ms`, `2.0 s`.
pub fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

/// A length of time, short: `45s`, `12m`, `3h`, `9d`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The first characters of a text, at most so many, to be drawn where there is no room for more.
pub fn head(text: &str, chars: usize) -> &str {
    text.char_indices()
        .nth(chars)
        .map_or(text, |(at, _)| &text[..at])
}

/// How long ago a moment is, short.
pub fn age(now: UnixMillis, then: UnixMillis) -> String {
    span(u64::try_from(now.0.saturating_sub(then.0) / 1000).unwrap_or(0))
}

/// How long until a moment, short; `ended` if it has passed.
pub fn until(now: UnixMillis, then: UnixMillis) -> String {
    match u64::try_from(then.0.saturating_sub(now.0) / 1000) {
        Ok(seconds) if seconds > 0 => span(seconds),
        _ => "ended".to_owned(),
    }
}

/// The time of day of a moment.
pub fn clock(moment: UnixMillis, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(moment.0) {
        Ok(timestamp) => timestamp
            .to_zoned(zone.clone())
            .strftime("%H:%M:%S")
            .to_string(),
        Err(_) => "--:--:--".to_owned(),
    }
}

/// Date and time of a moment.
pub fn date(moment: UnixMillis, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(moment.0) {
        Ok(timestamp) => timestamp
            .to_zoned(zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string(),
        Err(_) => "-".to_owned(),
    }
}

/// A bar of at most so many cells: full, partial and empty ones are told apart by length alone.
pub fn bar(part: f64, cells: usize, full: &str, empty: &str) -> String {
    let part = if part.is_finite() {
        part.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let filled = (part * cells as f64).round() as usize;
    full.repeat(filled) + &empty.repeat(cells.saturating_sub(filled))
}

/// How well a query fits a text as its letters in order, higher is better; none if it does not.
pub fn fuzzy(query: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    // A word as it stands is better than letters here and there.
    let wanted = query.trim().to_lowercase();
    let lower: String = text.iter().collect();
    let starts = |at: usize| !lower[..at].ends_with(char::is_alphanumeric);
    if !wanted.is_empty()
        && let Some((at, _)) = lower.match_indices(&wanted).find(|(at, _)| starts(*at))
    {
        return Some(100 - i32::try_from(at / 4).unwrap_or(100).min(100));
    }
    let mut score = 0;
    let mut at = 0;
    let mut last = None;
    for wanted in query
        .chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
    {
        let found = (at..text.len()).find(|place| text[*place] == wanted)?;
        let starts = found == 0 || !text[found - 1].is_alphanumeric();
        score += if last == Some(found.wrapping_sub(1)) {
            8
        } else {
            0
        };
        score += if starts { 6 } else { 0 };
        score -= i32::try_from(found - at).unwrap_or(0).min(4);
        last = Some(found);
        at = found + 1;
    }
    Some(score - i32::try_from(text.len()).unwrap_or(0) / 16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_cut_fits_and_what_is_filled_is_exact(text in ".{0,40}", cells in 0_usize..40) {
            let text = clean(&text);
            prop_assert!(width(&fit(&text, cells)) <= cells);
            prop_assert_eq!(width(&pad(&text, cells)), cells);
        }

        #[test]
        fn wrapped_lines_fit(text in "(\\PC|\n){0,60}", cells in 2_usize..30) {
            for line in wrap(&text, cells) {
                prop_assert!(width(&line) <= cells, "{line:?}");
            }
        }

        #[test]
        fn clean_text_has_one_width_whoever_measures(text in ".{0,40}") {
            let text = clean(&text);
            let by_chars: usize = text.chars().map(|c| c.width().unwrap_or(0)).sum();
            prop_assert!(!text.chars().any(char::is_control));
            // Arabic and Indic letters may join to fewer cells, but never take more.
            prop_assert!(width(&text) <= by_chars);
        }
    }

    #[test]
    fn emoji_flags_and_directions_are_flattened() {
        assert_eq!(
            clean("a\u{202e}b\u{1f468}\u{200d}\u{1f469}c"),
            "ab\u{1f468}c"
        );
        assert_eq!(clean("\u{1f1ee}\u{1f1f3} x\ny\x1b[31m"), "IN x y [31m");
        assert_eq!(width(&pad(&clean("日本語テキスト"), 9)), 9);
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(43_200_000), "41.2 MiB");
        assert_eq!(
            (micros(83), micros(4_100)),
            ("83 us".into(), "4.1 ms".into())
        );
        assert_eq!(
            (span(59), span(3_599), span(200_000)),
            ("59s".into(), "59m".into(), "2d".into())
        );
        assert_eq!(bar(0.5, 4, "#", "."), "##..");
    }

    #[test]
    fn fuzzy_prefers_starts_of_words() {
        let better = fuzzy("ti", "token issue").unwrap();
        assert!(better > fuzzy("ti", "partition").unwrap());
        assert_eq!(fuzzy("xyz", "token issue"), None);
    }
}
