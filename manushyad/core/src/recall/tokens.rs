//! Text to terms: words by Unicode's rules (UAX #29), lower case, stemmed by Snowball's algorithm for
//! a language; scripts that put no space between words as overlapping pairs of characters.

use std::collections::HashMap;

use unicode_segmentation::UnicodeSegmentation;

use super::language::{Language, Stems};

/// The longest term, in characters; the rest of a longer word is not looked at.
pub const TERM_CHARS_MAX: usize = 64;

/// One word of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The word in lower case, as written.
    pub word: &'a str,
    /// Its stem, which is the term it is found by.
    pub stem: &'a str,
}

/// A term and how often it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermCount {
    /// The stemmed word.
    pub term: String,
    /// How often it stands, from 1.
    pub count: u32,
}

/// The distinct terms of a text, in the order in which they first stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The terms.
    pub counts: Vec<TermCount>,
    /// How many words there are in all.
    pub length: u32,
    /// The language they were stemmed in.
    pub language: Language,
}

/// Collects the terms of `text`, stemmed in `language`. Never fails; text without words has none.
pub fn terms(text: &str, language: Language) -> Terms {
    let mut found = Terms {
        language,
        ..Terms::default()
    };
    let mut places: HashMap<String, usize> = HashMap::new();
    for_each(text, language, |token| {
        found.length = found.length.saturating_add(1);
        if let Some(&place) = places.get(token.stem) {
            found.counts[place].count = found.counts[place].count.saturating_add(1);
            return;
        }
        places.insert(token.stem.to_owned(), found.counts.len());
        found.counts.push(TermCount {
            term: token.stem.to_owned(),
            count: 1,
        });
    });
    found
}

/// Calls `each` with every word of `text`, in order, without allocating one by one.
pub fn for_each(text: &str, language: Language, mut each: impl FnMut(Token<'_>)) {
    let stems = language.stems();
    let mut lower = String::new();
    // A run of characters of an unspaced script: where it starts and ends in `text`.
    let mut run = (0, 0);
    for (start, segment) in text.unicode_word_indices() {
        let end = start + segment.len();
        if segment.chars().next().is_some_and(is_unspaced) {
            if run.1 != start || run.0 == run.1 {
                pairs(&text[run.0..run.1], &mut each);
                run.0 = start;
            }
            run.1 = end;
            continue;
        }
        pairs(&text[run.0..run.1], &mut each);
        run = (end, end);
        for part in parts(segment) {
            word(part, &stems, &mut lower, &mut each);
        }
    }
    pairs(&text[run.0..run.1], &mut each);
}

/// Splits what UAX #29 keeps together but people search for apart: `user_id`, `store.rs`. Numbers
/// such as `3.14` and `10:30` stay whole.
fn parts(segment: &str) -> impl Iterator<Item = &str> {
    let number = segment.starts_with(|c: char| c.is_numeric())
        && segment.ends_with(|c: char| c.is_numeric());
    segment
        .split(move |c| c == '_' || (!number && matches!(c, '.' | ':')))
        .filter(|part| part.chars().any(char::is_alphanumeric))
}

fn word(part: &str, stems: &Stems, lower: &mut String, each: &mut impl FnMut(Token<'_>)) {
    lower.clear();
    if part.is_ascii() {
        lower.push_str(&part[..part.len().min(TERM_CHARS_MAX)]);
        lower.make_ascii_lowercase();
    } else {
        let plain = |c| if c == '\u{2019}' { '\'' } else { c };
        let chars = part.chars().map(plain).flat_map(char::to_lowercase);
        lower.extend(chars.take(TERM_CHARS_MAX));
    }
    stems.stem(lower, |stem| each(Token { word: lower, stem }));
}

/// Hands on overlapping pairs of the characters of `run`, or its only character.
fn pairs(run: &str, each: &mut impl FnMut(Token<'_>)) {
    let starts = || run.char_indices().map(|(at, _)| at);
    let mut whole = |from: usize, to: usize| {
        let pair = &run[from..to];
        each(Token {
            word: pair,
            stem: pair,
        });
    };
    if starts().nth(1).is_none() {
        if !run.is_empty() {
            whole(0, run.len());
        }
        return;
    }
    let ends = starts().skip(2).chain(std::iter::once(run.len()));
    for (from, to) in starts().zip(ends) {
        whole(from, to);
    }
}

/// Whether `c` is of a script that puts no space between words, or Hangul, whose spaced units are
/// longer than words: Thai, Lao, Myanmar, Khmer, Hangul, kana, Han and their extensions.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x1100..=0x11FF
        | 0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3021..=0x3029 | 0x3040..=0x30FF
        | 0x3100..=0x312F | 0x3130..=0x318F | 0x31A0..=0x31BF | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xA960..=0xA97F | 0xAC00..=0xD7FF
        | 0xF900..=0xFAFF | 0xFF66..=0xFFDC | 0x1AFF0..=0x1B16F | 0x20000..=0x323AF)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut stems = Vec::new();
        for_each(text, Language::English, |token| {
            stems.push(token.stem.to_owned())
        });
        assert_eq!(stems, expected, "{text:?}");
    }

    #[test]
    fn words_are_lowered_and_stemmed() {
        check(
            "The user PREFERS dark modes.",
            &["the", "user", "prefer", "dark", "mode"],
        );
        check(
            "user_id in store.rs at 3.14",
            &["user", "id", "in", "store", "rs", "at", "3.14"],
        );
        check(
            "the user's, the user\u{2019}s",
            &["the", "user", "the", "user"],
        );
        check("Ärger naïve", &["ärger", "naïve"]);
    }

    #[test]
    fn each_language_has_its_own_stems() {
        let stem = |text, language| terms(text, language).counts.swap_remove(0).term;
        for (language, forms) in [
            (Language::German, ["Häuser", "Häusern"]),
            (Language::French, ["préférée", "préférées"]),
            (Language::Spanish, ["reunión", "reuniones"]),
            (Language::Russian, ["книга", "книги"]),
            (Language::Turkish, ["kitaplar", "kitaplara"]),
        ] {
            assert_eq!(stem(forms[0], language), stem(forms[1], language));
            let plain = forms.map(|form| stem(form, Language::None));
            assert_ne!(plain[0], plain[1]);
            assert_eq!(plain[0], forms[0].to_lowercase());
        }
    }

    #[test]
    fn unspaced_scripts_give_pairs() {
        check("東京都 に", &["東京", "京都", "に"]);
        check("go東京 go", &["go", "東京", "go"]);
        check("한국어", &["한국", "국어"]);
    }

    #[test]
    fn text_without_words_has_no_terms() {
        for text in ["", " ", "🎉🎊", "--- ...", "\u{202e}\u{200d}"] {
            assert_eq!(terms(text, Language::English), Terms::default(), "{text:?}");
        }
    }

    #[test]
    fn long_word_is_cut() {
        let word = "x".repeat(60_000);
        let found = terms(&word, Language::English);
        assert_eq!(found.counts[0].term.len(), TERM_CHARS_MAX);
        let wide = "ß".repeat(30_000);
        assert_eq!(
            terms(&wide, Language::English).counts[0]
                .term
                .chars()
                .count(),
            TERM_CHARS_MAX
        );
    }

    proptest! {
        #[test]
        fn any_text_gives_bounded_terms_that_add_up(
            text in "\\PC{0,200}", language in 0..Language::ALL.len(),
        ) {
            let (_, language) = Language::ALL[language];
            let found = terms(&text, language);
            let sum: u32 = found.counts.iter().map(|term| term.count).sum();
            prop_assert_eq!(sum, found.length);
            for term in &found.counts {
                prop_assert!(!term.term.is_empty());
                prop_assert!(term.term.chars().count() <= TERM_CHARS_MAX);
            }
            // A term stands once, and asking twice says the same.
            let mut names: Vec<_> = found.counts.iter().map(|term| &term.term).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(names.len(), found.counts.len());
            prop_assert_eq!(&terms(&text, language), &found);
        }

        #[test]
        fn case_of_plain_words_does_not_matter(text in "[a-zA-Z' ]{0,80}") {
            let (upper, language) = (text.to_uppercase(), Language::English);
            prop_assert_eq!(terms(&text, language), terms(&upper, language));
        }
    }
}
