//! How much a word of a question counts by itself, before it is known how rare it is.
//!
//! "When did I go to the lake?" is about a lake. In short texts the other words are not frequent
//! enough for the inverse document frequency to tell, so they count less; they are not removed, as
//! a question may consist of nothing else.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::language::Language;
use super::tokens;

/// What a word counts that only holds a sentence together.
const FUNCTION_WORD: f32 = 0.2;

/// English function words: articles, pronouns, prepositions, conjunctions, auxiliaries, question
/// words and their contractions, the closed classes of the language.
const FUNCTION_WORDS: &str = "\
a about above after again against all am an and any are aren't as at be because been before being \
below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't \
down during each few for from further had hadn't has hasn't have haven't having he he'd he'll he's \
her here here's hers herself him himself his how how's i i'd i'll i'm i've if in into is isn't it \
it's its itself let's me more most mustn't my myself no nor not of off on once only or other ought \
our ours ourselves out over own same shan't she she'd she'll she's should shouldn't so some such \
than that that's the their theirs them themselves then there there's these they they'd they'll \
they're they've this those through to too under until up very was wasn't we we'd we'll we're we've \
were weren't what what's when when's where where's which while who who's whom why why's will with \
won't would wouldn't you you'd you'll you're you've your yours yourself yourselves";

static STEMS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let found = tokens::terms(FUNCTION_WORDS, Language::English).counts;
    found.into_iter().map(|term| term.term).collect()
});

/// How much the stemmed word `stem` counts in a question of `language`, above 0 to 1. Of languages
/// other than English all words count alike, and only how rare each is tells.
pub fn telling(stem: &str, language: Language) -> f32 {
    if language == Language::English && STEMS.contains(stem) {
        FUNCTION_WORD
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_words_count_less_but_count() {
        let found = tokens::terms("When did YOU\u{2019}VE the isn't", Language::English);
        for term in found.counts {
            let weight = telling(&term.term, Language::English);
            assert!(weight > 0.0 && weight < 1.0, "{}", term.term);
        }
    }

    #[test]
    fn other_words_count_whole() {
        let text = "Caroline's lake, 42, 東京都 ärger user_id";
        for term in tokens::terms(text, Language::English).counts {
            assert_eq!(telling(&term.term, Language::English), 1.0, "{}", term.term);
        }
        assert_eq!(telling("the", Language::Danish), 1.0);
    }
}
