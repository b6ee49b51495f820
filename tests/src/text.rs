//! Believable text without a data set: words of a Zipf distribution, always the same for a seed.

use crate::random::Random;

/// How many different words there are.
const WORDS: usize = 20_000;
/// How steeply their frequency falls; English has about one.
const EXPONENT: f64 = 1.0;

const COMMON: &[&str] = &[
    "the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "was", "on", "with", "as",
    "user", "agent", "we", "this", "be", "at", "by", "not", "from", "or", "have", "an", "had",
    "they", "which", "one", "you", "were", "all", "her", "she", "there", "would", "their", "will",
    "when", "who", "him", "been", "has", "more", "if", "no", "out", "do", "so", "can", "what",
    "up", "said", "about", "other", "into", "than", "its", "time", "only", "could", "new", "them",
    "meeting", "deploy", "project", "team", "server", "error", "report", "budget", "week", "plan",
    "release", "customer", "prefers", "decided", "because", "database", "test", "review", "call",
];

const HEADS: &[&str] = &[
    "ba", "be", "bri", "ca", "con", "da", "de", "dis", "e", "fa", "flo", "ga", "gre", "ha", "in",
    "ja", "ka", "la", "le", "ma", "me", "mis", "na", "no", "o", "pa", "per", "pre", "pro", "qua",
    "ra", "re", "sa", "se", "sta", "ta", "te", "tra", "un", "va", "ve", "wa", "ya", "zo",
];
const MIDDLES: &[&str] = &[
    "bil", "cal", "cen", "cor", "dan", "den", "dor", "fer", "gen", "lan", "ler", "lin", "lor",
    "man", "men", "min", "mor", "nal", "nen", "nor", "pen", "pol", "ran", "ren", "rin", "san",
    "sen", "sor", "tan", "ten", "tin", "tor", "van", "ven", "vin", "wen", "zan",
];
const TAILS: &[&str] = &[
    "al", "ance", "ant", "ar", "ed", "ent", "er", "es", "ic", "ing", "ion", "ist", "ity", "ive",
    "le", "ment", "ness", "or", "ous", "y",
];

/// Makes texts.
#[derive(Clone, Debug)]
pub struct Texts {
    words: Vec<String>,
    /// For each word the sum of the frequencies up to it.
    sums: Vec<f64>,
}

impl Default for Texts {
    fn default() -> Self {
        Self::new()
    }
}

fn made_up(rank: usize) -> String {
    let head = HEADS[rank % HEADS.len()];
    let rest = rank / HEADS.len();
    let tail = TAILS[rest % TAILS.len()];
    let rest = rest / TAILS.len();
    let middle = MIDDLES[rest % MIDDLES.len()];
    format!("{head}{middle}{tail}")
}

impl Texts {
    /// Makes the vocabulary.
    pub fn new() -> Self {
        let words: Vec<String> = COMMON
            .iter()
            .map(|word| (*word).to_owned())
            .chain((0..WORDS - COMMON.len()).map(made_up))
            .collect();
        let mut sum = 0.0;
        let sums = (1..=words.len())
            .map(|rank| {
                sum += (rank as f64).powf(-EXPONENT);
                sum
            })
            .collect();
        Self { words, sums }
    }

    /// One word, the frequent ones more often.
    pub fn word(&self, random: &mut Random) -> &str {
        let at = random.unit() * self.sums.last().copied().unwrap_or(0.0);
        let place = self.sums.partition_point(|sum| *sum < at);
        &self.words[place.min(self.words.len() - 1)]
    }

    /// A text of about this many characters.
    pub fn text(&self, random: &mut Random, characters: usize) -> String {
        let mut text = String::with_capacity(characters + 16);
        while text.len() < characters {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(self.word(random));
        }
        text
    }

    /// A question of two to six words that a text has.
    pub fn question(&self, random: &mut Random, about: &str) -> String {
        let words: Vec<&str> = about.split(' ').collect();
        let count = 2 + random.below(5);
        let picked: Vec<&str> = (0..count)
            .filter_map(|_| random.pick(&words).copied())
            .collect();
        picked.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn texts_repeat_for_a_seed_and_follow_zipf() {
        let texts = Texts::new();
        let make = || texts.text(&mut Random::new(7), 200);
        assert_eq!(make(), make());
        assert!((200..230).contains(&make().len()));
        let mut random = Random::new(1);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for _ in 0..100_000 {
            *counts.entry(texts.word(&mut random)).or_default() += 1;
        }
        // Zipf's first word stands about ten times as often as its tenth.
        let ratio = counts["the"] as f64 / counts["for"] as f64;
        assert!((6.0..13.0).contains(&ratio), "{ratio}");
        assert!(counts.len() > 5_000, "{}", counts.len());
    }

    #[test]
    fn vocabulary_has_no_word_twice() {
        let texts = Texts::new();
        let mut words = texts.words.clone();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), WORDS);
    }
}
