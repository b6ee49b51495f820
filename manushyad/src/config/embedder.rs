//! What turns text into vectors, as it is set.

use std::path::{Path, PathBuf};
use std::time::Duration;

use manushya_protocol::error::{ErrorCode, WireError};

use super::{RawDaemon, layered, one_of, seconds};

/// The most numbers that a vector may have.
const DIMS_MAX: usize = 8192;
/// The most texts that go into one request.
const BATCH_MAX: usize = 1024;
/// The longest a request may take, in seconds.
const TIMEOUT_SECONDS_MAX: u64 = 600;

/// What turns text into vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbedderChoice {
    /// A table of token vectors that is part of the program.
    Static,
    /// Hashed words and pieces of words.
    Hash,
    /// A folder of a sentence-transformers model, run in this process.
    Model(PathBuf),
    /// A service.
    Http(HttpOptions),
}

/// A service that speaks the embeddings API of OpenAI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// Its address.
    pub url: String,
    /// What it calls the model.
    pub model: String,
    /// How many numbers its vectors have.
    pub dims: usize,
    /// Changed by the operator when the model changes under the same name.
    pub revision: String,
    /// A file whose first line is the key it asks for.
    pub key_file: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How many texts one request holds at the most.
    pub batch: usize,
    /// What is put before each text of a memory.
    pub text_prefix: String,
    /// What is put before each question.
    pub question_prefix: String,
    /// Whether memories may cross a network in the clear.
    pub allow_plain: bool,
}

/// A word of the setting `embedder`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Static,
    Hash,
    Model,
    Http,
}

const WORDS: [(&str, Word); 4] = [
    ("static", Word::Static),
    ("hash", Word::Hash),
    ("model", Word::Model),
    ("http", Word::Http),
];

/// Takes the settings of the embedder out of the file's, and checks them.
pub(super) fn resolve(file: &mut RawDaemon, path: &Path) -> Result<EmbedderChoice, WireError> {
    let at = |key, file| layered(key, None, file, path);
    let text = |text: &str| Ok(text.to_owned());
    let model = at("model", file.model.take()).parse(String::new(), text)?;
    // A model that is named is meant.
    let default = if model.is_empty() {
        Word::Static
    } else {
        Word::Model
    };
    let word = at("embedder", file.embedder.take()).parse(default, |text| one_of(text, &WORDS))?;
    match word {
        Word::Static => Ok(EmbedderChoice::Static),
        Word::Hash => Ok(EmbedderChoice::Hash),
        Word::Model if model.is_empty() => Err(missing("model", "the folder of a model")),
        Word::Model => Ok(EmbedderChoice::Model(model.into())),
        Word::Http => http(model, file, path).map(EmbedderChoice::Http),
    }
}

fn missing(key: &str, what: &str) -> WireError {
    let message = format!("the setting daemon.{key} is missing");
    WireError::new(ErrorCode::InvalidArgument, message)
        .reason(format!("this embedder needs it: {what}"))
        .hint("docs/search.md says what each embedder needs")
}

fn http(model: String, file: &mut RawDaemon, path: &Path) -> Result<HttpOptions, WireError> {
    let at = |key, file| layered(key, None, file, path);
    let text = |text: &str| Ok(text.to_owned());
    let number = |value: Option<usize>| value.map(|value| value.to_string());
    let url = at("embedder_url", file.embedder_url.take()).parse(String::new(), text)?;
    let dims =
        at("embedder_dims", number(file.embedder_dims)).parse(0, |text| bounded(text, DIMS_MAX))?;
    if model.is_empty() {
        return Err(missing("model", "what the service calls the model"));
    }
    if url.is_empty() {
        return Err(missing("embedder_url", "the address of the service"));
    }
    if dims == 0 {
        return Err(missing(
            "embedder_dims",
            "how many numbers its vectors have",
        ));
    }
    let key_file = file.embedder_key_file.take();
    let key_file = key_file.map(|path| path.display().to_string());
    let key_file =
        at("embedder_key_file", key_file).parse(None, |text| Ok(Some(PathBuf::from(text))))?;
    Ok(HttpOptions {
        url,
        model,
        dims,
        revision: at("embedder_revision", file.embedder_revision.take())
            .parse("1".to_owned(), revision)?,
        key_file,
        timeout: at("embedder_timeout", file.embedder_timeout.take())
            .parse(30, timeout)
            .map(Duration::from_secs)?,
        batch: at("embedder_batch", number(file.embedder_batch))
            .parse(32, |text| bounded(text, BATCH_MAX))?,
        text_prefix: file.embedder_text_prefix.take().unwrap_or_default(),
        question_prefix: file.embedder_question_prefix.take().unwrap_or_default(),
        allow_plain: file.embedder_allow_plain.unwrap_or(false),
    })
}

fn bounded(text: &str, most: usize) -> Result<usize, String> {
    let number: Option<usize> = text.parse().ok();
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| format!("it must be a number from 1 to {most}"))
}

fn timeout(text: &str) -> Result<u64, String> {
    let seconds = seconds(text)?;
    if (1..=TIMEOUT_SECONDS_MAX).contains(&seconds) {
        return Ok(seconds);
    }
    Err(format!("it must be 1s to {TIMEOUT_SECONDS_MAX}s"))
}

fn revision(text: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.len() <= 64 && text.chars().all(fine) {
        return Ok(text.to_owned());
    }
    Err("it must be letters, digits, dots and dashes, at most 64".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<EmbedderChoice, WireError> {
        let mut file: RawDaemon = toml::from_str(text).unwrap();
        resolve(&mut file, Path::new("c.toml"))
    }

    const HTTP: &str = "embedder = \"http\"\nmodel = \"m\"\nembedder_url = \"u\"\n";

    #[test]
    fn each_embedder_has_what_it_needs_or_says_what_is_missing() {
        assert_eq!(read("").unwrap(), EmbedderChoice::Static);
        assert_eq!(read("embedder = \"hash\"").unwrap(), EmbedderChoice::Hash);
        let folder = EmbedderChoice::Model("/m".into());
        assert_eq!(read("model = \"/m\"").unwrap(), folder);
        assert_eq!(
            read("embedder = \"model\"\nmodel = \"/m\"").unwrap(),
            folder
        );
        let EmbedderChoice::Http(http) = read(&format!("{HTTP}embedder_dims = 384")).unwrap()
        else {
            panic!("it is an http embedder");
        };
        assert_eq!(
            (http.dims, http.batch, http.timeout.as_secs()),
            (384, 32, 30)
        );
        for (text, key) in [
            ("embedder = \"model\"", "daemon.model"),
            ("embedder = \"http\"", "daemon.model"),
            ("embedder = \"oracle\"", "daemon.embedder"),
            (HTTP, "daemon.embedder_dims"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.message.contains(key), "{text}: {error:?}");
        }
        let bounds = [
            "dims = 0",
            "dims = 9999",
            "batch = 0",
            "timeout = \"11m\"",
            "revision = \"a b\"",
        ];
        for bad in bounds {
            let text = format!("{HTTP}embedder_{bad}\n");
            let dims = if bad.starts_with("dims") {
                ""
            } else {
                "embedder_dims = 3"
            };
            assert!(read(&format!("{text}{dims}")).is_err(), "{bad}");
        }
    }
}
