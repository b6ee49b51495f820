//! The settings of searching.

use std::path::Path;

use manushya_core::recall::fuse::Weights;
use manushya_core::recall::language::Language;
use manushya_protocol::error::WireError;

use super::{RawDaemon, layered, one_of};

/// What counts in a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchOptions {
    /// How much words and vectors count together.
    pub weights: Weights,
    /// Whether the best answers have a part in the question.
    pub feedback: bool,
    /// The language that words are stemmed in.
    pub language: Language,
}

/// Takes the settings of searching out of the file's, and checks them.
pub(super) fn resolve(file: &mut RawDaemon, path: &Path) -> Result<SearchOptions, WireError> {
    let at = |key, file| layered(key, None, file, path);
    let weight = file.search_lexical_weight.map(|weight| weight.to_string());
    let feedback = file.search_feedback.map(|feedback| feedback.to_string());
    Ok(SearchOptions {
        weights: at("search_lexical_weight", weight).parse(Weights::default(), weights)?,
        feedback: at("search_feedback", feedback).parse(true, |text| {
            one_of(text, &[("true", true), ("false", false)])
        })?,
        language: at("language", file.language.take())
            .parse(Language::default(), |text| one_of(text, &Language::ALL))?,
    })
}

fn weights(text: &str) -> Result<Weights, String> {
    let lexical: Option<f32> = text.parse().ok();
    let lexical = lexical.filter(|weight| (0.0..=1.0).contains(weight));
    let lexical = lexical.ok_or("it must be a number from 0 to 1")?;
    Ok(Weights {
        lexical,
        semantic: 1.0 - lexical,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SearchOptions, WireError> {
        let mut file: RawDaemon = toml::from_str(text).unwrap();
        resolve(&mut file, Path::new("c.toml"))
    }

    #[test]
    fn what_is_written_holds_and_what_is_not_has_a_default() {
        let default = read("").unwrap();
        assert_eq!(default.weights, Weights::default());
        assert!(default.feedback);
        assert_eq!(default.language, Language::English);
        let text = "language = \"german\"\nsearch_lexical_weight = 0.25\nsearch_feedback = false";
        let own = read(text).unwrap();
        assert_eq!((own.weights.lexical, own.weights.semantic), (0.25, 0.75));
        assert!(!own.feedback);
        assert_eq!(own.language, Language::German);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (text, key) in [
            ("language = \"klingon\"", "daemon.language"),
            (
                "search_lexical_weight = 1.5",
                "daemon.search_lexical_weight",
            ),
            (
                "search_lexical_weight = nan",
                "daemon.search_lexical_weight",
            ),
            (
                "search_lexical_weight = -0.1",
                "daemon.search_lexical_weight",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.message.contains(key), "{text}: {error:?}");
        }
    }
}
