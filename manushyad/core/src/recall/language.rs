//! The language that words are stemmed in, by the algorithms of Snowball (Porter 2001,
//! <https://snowballstem.org>).

use rust_stemmers::{Algorithm, Stemmer};

/// What words are stemmed by. One for all texts of a daemon: a question finds what was stemmed alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// Not at all: words are found as they are written, in lower case.
    None,
    /// Arabic.
    Arabic,
    /// Danish.
    Danish,
    /// Dutch.
    Dutch,
    /// English, and the words of other languages that have none but its letters.
    #[default]
    English,
    /// Finnish.
    Finnish,
    /// French.
    French,
    /// German.
    German,
    /// Greek.
    Greek,
    /// Hungarian.
    Hungarian,
    /// Italian.
    Italian,
    /// Norwegian.
    Norwegian,
    /// Portuguese.
    Portuguese,
    /// Romanian.
    Romanian,
    /// Russian.
    Russian,
    /// Spanish.
    Spanish,
    /// Swedish.
    Swedish,
    /// Tamil.
    Tamil,
    /// Turkish.
    Turkish,
}

impl Language {
    /// Every language with its name in a configuration.
    pub const ALL: [(&'static str, Self); 19] = [
        ("none", Self::None),
        ("arabic", Self::Arabic),
        ("danish", Self::Danish),
        ("dutch", Self::Dutch),
        ("english", Self::English),
        ("finnish", Self::Finnish),
        ("french", Self::French),
        ("german", Self::German),
        ("greek", Self::Greek),
        ("hungarian", Self::Hungarian),
        ("italian", Self::Italian),
        ("norwegian", Self::Norwegian),
        ("portuguese", Self::Portuguese),
        ("romanian", Self::Romanian),
        ("russian", Self::Russian),
        ("spanish", Self::Spanish),
        ("swedish", Self::Swedish),
        ("tamil", Self::Tamil),
        ("turkish", Self::Turkish),
    ];

    fn algorithm(self) -> Option<Algorithm> {
        Some(match self {
            Self::None => return None,
            Self::Arabic => Algorithm::Arabic,
            Self::Danish => Algorithm::Danish,
            Self::Dutch => Algorithm::Dutch,
            Self::English => Algorithm::English,
            Self::Finnish => Algorithm::Finnish,
            Self::French => Algorithm::French,
            Self::German => Algorithm::German,
            Self::Greek => Algorithm::Greek,
            Self::Hungarian => Algorithm::Hungarian,
            Self::Italian => Algorithm::Italian,
            Self::Norwegian => Algorithm::Norwegian,
            Self::Portuguese => Algorithm::Portuguese,
            Self::Romanian => Algorithm::Romanian,
            Self::Russian => Algorithm::Russian,
            Self::Spanish => Algorithm::Spanish,
            Self::Swedish => Algorithm::Swedish,
            Self::Tamil => Algorithm::Tamil,
            Self::Turkish => Algorithm::Turkish,
        })
    }

    /// Prepares to stem words.
    pub(super) fn stems(self) -> Stems {
        Stems {
            stemmer: self.algorithm().map(Stemmer::create),
            ascii_only: self == Self::English,
        }
    }
}

/// Stems words of one language.
pub(super) struct Stems {
    stemmer: Option<Stemmer>,
    /// Whether the algorithm is defined on the letters of ASCII only; other words stay as they are.
    ascii_only: bool,
}

impl Stems {
    /// Calls `each` with the stem of `word`, which is in lower case; never an empty one.
    pub(super) fn stem(&self, word: &str, each: impl FnOnce(&str)) {
        match &self.stemmer {
            Some(stemmer) if word.is_ascii() || !self.ascii_only => {
                let stem = stemmer.stem(word);
                each(if stem.is_empty() { word } else { &stem });
            }
            _ => each(word),
        }
    }
}
