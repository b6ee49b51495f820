//! WordPiece of BERT's uncased vocabulary (Devlin et al., "BERT: Pre-training of Deep Bidirectional
//! Transformers", 2019; Schuster and Nakajima, "Japanese and Korean Voice Search", 2012): words are
//! lower-cased, lose their accents, and are cut into the longest pieces the vocabulary knows.

use std::borrow::Cow;

use unicode_normalization::char::decompose_canonical;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// A word of more characters than this is not cut but unknown, as in BERT.
const WORD_CHARS_MAX: usize = 100;
/// What a piece that continues a word starts with in the vocabulary.
const CONTINUES: &[u8] = b"##";
/// No row has this number, so that it marks an empty slot.
const EMPTY: u16 = u16::MAX;

/// The pieces there are, each with the number of its row.
pub(super) struct Vocabulary<'a> {
    /// The pieces one after the other, each ended by a line feed.
    text: Cow<'a, [u8]>,
    /// Where each piece ends in `text`, without its line feed, by row.
    ends: Vec<u32>,
    /// Rows by the hash of their piece, with linear probing.
    slots: Vec<u16>,
    /// The longest piece, in bytes.
    longest: usize,
}

impl<'a> Vocabulary<'a> {
    /// Reads a vocabulary of one piece a line, in the order of the rows; `None` if it is not of
    /// `rows` distinct pieces, each of at least one byte.
    pub(super) fn read(text: impl Into<Cow<'a, [u8]>>, rows: usize) -> Option<Self> {
        let text: Cow<'a, [u8]> = text.into();
        if rows >= usize::from(EMPTY) || u32::try_from(text.len()).is_err() {
            return None;
        }
        let mut vocabulary = Self {
            text: text.clone(),
            ends: Vec::with_capacity(rows),
            slots: vec![EMPTY; (rows * 2).next_power_of_two().max(2)],
            longest: 0,
        };
        let lines = text.strip_suffix(b"\n")?.split(|&byte| byte == b'\n');
        let mut end = 0;
        for (row, line) in lines.enumerate() {
            let (continues, piece) = split(line);
            if piece.is_empty() || row >= rows {
                return None;
            }
            vocabulary.ends.push((end + line.len()) as u32);
            end += line.len() + 1;
            vocabulary.longest = vocabulary.longest.max(piece.len());
            let hash = piece.iter().fold(start(continues), step);
            let Err(slot) = vocabulary.find(hash, continues, piece) else {
                return None;
            };
            vocabulary.slots[slot] = row as u16;
        }
        (vocabulary.ends.len() == rows).then_some(vocabulary)
    }

    /// Calls `each` with the row of every known piece of `text`, in order, until it returns false.
    /// Of a word that cannot be cut into known pieces there are none.
    pub(super) fn for_each(&self, text: &str, mut each: impl FnMut(usize) -> bool) {
        let mut rows = Vec::with_capacity(WORD_CHARS_MAX);
        for_each_word(text, |word| {
            rows.clear();
            !self.cut(word.as_bytes(), &mut rows) || rows.iter().all(|&row| each(row))
        });
    }

    /// The same, but a word that cannot be cut calls `each` once with none.
    #[cfg(feature = "candle")]
    pub(super) fn for_each_or(&self, text: &str, mut each: impl FnMut(Option<usize>) -> bool) {
        let mut rows = Vec::with_capacity(WORD_CHARS_MAX);
        for_each_word(text, |word| {
            rows.clear();
            if word.is_empty() || !self.cut(word.as_bytes(), &mut rows) {
                return each(None);
            }
            rows.iter().all(|&row| each(Some(row)))
        });
    }

    /// Cuts `word` into the longest pieces from the left; false if one is not known.
    fn cut(&self, word: &[u8], rows: &mut Vec<usize>) -> bool {
        let mut from = 0;
        while from < word.len() {
            let rest = &word[from..word.len().min(from + self.longest)];
            let mut hash = start(from > 0);
            let mut longest = None;
            for (at, byte) in rest.iter().enumerate() {
                hash = step(hash, byte);
                if let Ok(row) = self.find(hash, from > 0, &rest[..=at]) {
                    longest = Some((row, at + 1));
                }
            }
            // Pieces are whole characters, and so is what is left of the word after one.
            let Some((row, length)) = longest else {
                return false;
            };
            rows.push(row);
            from += length;
        }
        true
    }

    /// The row of a piece, or else the slot where it would be put.
    fn find(&self, hash: u64, continues: bool, piece: &[u8]) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        // The high bits of FNV depend on all bytes; at most half of the slots are taken.
        let mut slot = (hash ^ (hash >> 32)) as usize & mask;
        while self.slots[slot] != EMPTY {
            let row = usize::from(self.slots[slot]);
            if split(self.line(row)) == (continues, piece) {
                return Ok(row);
            }
            slot = (slot + 1) & mask;
        }
        Err(slot)
    }

    fn line(&self, row: usize) -> &[u8] {
        let from = row
            .checked_sub(1)
            .map_or(0, |row| self.ends[row] as usize + 1);
        &self.text[from..self.ends[row] as usize]
    }

    /// The piece of a row, as the vocabulary writes it.
    #[cfg(test)]
    pub(super) fn piece(&self, row: usize) -> &str {
        std::str::from_utf8(self.line(row)).unwrap()
    }
}

/// Whether a line of the vocabulary continues a word, and its piece. The line `##` is itself a piece.
fn split(line: &[u8]) -> (bool, &[u8]) {
    match line.strip_prefix(CONTINUES) {
        Some(piece) if !piece.is_empty() => (true, piece),
        _ => (false, line),
    }
}

/// FNV-1a, 64 bits; pieces that continue a word have a start of their own.
fn start(continues: bool) -> u64 {
    0xcbf2_9ce4_8422_2325 ^ u64::from(continues)
}

fn step(hash: u64, byte: &u8) -> u64 {
    (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
}

/// Calls `each` with the words of `text` as BERT's uncased models see them, until it returns false.
/// Every mark of punctuation and every Chinese character is a word; one that is too long is empty.
fn for_each_word(text: &str, mut each: impl FnMut(&str) -> bool) {
    let mut word = Word::default();
    for c in text.chars() {
        let goes_on = match class(c) {
            Class::Nothing => true,
            Class::Space => word.end(&mut each),
            Class::Letter if c.is_ascii() => {
                word.push(c.to_ascii_lowercase());
                true
            }
            Class::Alone => word.end(&mut each) && word.alone(c, &mut each),
            Class::Letter => word.take(c, &mut each),
        };
        if !goes_on {
            return;
        }
    }
    word.end(&mut each);
}

/// The word that is being read.
#[derive(Default)]
struct Word {
    text: String,
    chars: usize,
}

impl Word {
    fn push(&mut self, c: char) {
        self.chars += 1;
        // What is longer is unknown whatever follows, and need not be kept.
        if self.chars <= WORD_CHARS_MAX {
            self.text.push(c);
        }
    }

    /// Ends the word; returns whether to go on.
    fn end(&mut self, each: &mut impl FnMut(&str) -> bool) -> bool {
        let goes_on = match self.chars {
            0 => true,
            1..=WORD_CHARS_MAX => each(&self.text),
            _ => each(""),
        };
        self.text.clear();
        self.chars = 0;
        goes_on
    }

    /// Takes a character that is not ASCII: without its accents and in lower case.
    fn take(&mut self, c: char, each: &mut impl FnMut(&str) -> bool) -> bool {
        let mut goes_on = true;
        decompose_canonical(c, |part| {
            if part.general_category() == GeneralCategory::NonspacingMark {
                return;
            }
            for lower in part.to_lowercase() {
                if is_punctuation(lower) {
                    goes_on = goes_on && self.end(each) && self.alone(lower, each);
                } else {
                    self.push(lower);
                }
            }
        });
        goes_on
    }

    /// A character that is a word, while no other is being read.
    fn alone(&mut self, c: char, each: &mut impl FnMut(&str) -> bool) -> bool {
        decompose_canonical(c, |part| self.push(part));
        self.end(each)
    }
}

enum Class {
    /// It counts for nothing: controls, and what cannot be text.
    Nothing,
    Space,
    /// It is a word on its own.
    Alone,
    Letter,
}

fn class(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => Class::Letter,
        ' ' | '\t' | '\n' | '\r' => Class::Space,
        _ if c.is_ascii_punctuation() => Class::Alone,
        '\0'..='\x1f' | '\x7f' | '\u{fffd}' => Class::Nothing,
        _ if c.is_whitespace() && !c.is_control() => Class::Space,
        _ if is_chinese(c) => Class::Alone,
        _ => match c.general_category() {
            GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::PrivateUse => {
                Class::Nothing
            }
            _ => Class::Letter,
        },
    }
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || c.general_category_group() == GeneralCategoryGroup::Punctuation
}

/// The blocks of CJK ideographs, as BERT has them.
fn is_chinese(c: char) -> bool {
    matches!(u32::from(c),
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F
        | 0x2B740..=0x2B81F | 0x2B820..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}
