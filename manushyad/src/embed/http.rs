//! The `http` embedder: a service that speaks the embeddings API of OpenAI, as Ollama, llama.cpp,
//! TEI and vLLM do (`POST /v1/embeddings`, "Create embeddings" of the OpenAI API reference).
//!
//! Texts go to the one address of the configuration and nowhere else: redirects are not followed
//! and no proxy is used. What comes back is bounded before it is read and checked before it is
//! used. Neither a text nor an answer is quoted in an error.

mod answer;
mod key;

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use ureq::http::Uri;

use self::key::ApiKey;
use crate::config::HttpOptions;
use crate::port::{EmbedError, EmbedderParts, SlowEmbedder};

/// How long connecting may take at the most.
const CONNECT_SECONDS: u64 = 5;
/// What a provider may ask for as a pause before it is asked again, at the most.
const RETRY_AFTER_SECONDS_MAX: u64 = 60;

/// Embeds by asking a service.
pub struct HttpEmbedder {
    agent: ureq::Agent,
    url: String,
    options: HttpOptions,
    key: Option<ApiKey>,
    name: String,
    revision: String,
}

impl std::fmt::Debug for HttpEmbedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpEmbedder({})", self.name)
    }
}

impl HttpEmbedder {
    /// Takes the settings; asks nobody yet.
    ///
    /// # Errors
    ///
    /// What is wrong with an address or a key file, for the operator.
    pub fn new(options: HttpOptions) -> Result<Self, String> {
        let url = endpoint(&options.url, options.allow_plain)?;
        let key = options.key_file.as_deref().map(ApiKey::read).transpose()?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(Duration::from_secs(CONNECT_SECONDS)))
            .max_response_header_size(32 << 10)
            .user_agent(concat!("manushyad/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let revision = revision(&options);
        let name = format!("http:{}/{}@{revision}", options.model, options.dims);
        Ok(Self {
            agent,
            url,
            options,
            key,
            name,
            revision,
        })
    }

    fn ask(&self, texts: &[String], patience: Duration) -> Result<Vec<Vec<f32>>, EmbedError> {
        let body = serde_json::json!({
            "model": self.options.model,
            "input": texts,
            "encoding_format": "float",
        });
        let body = body.to_string();
        let mut request = self.agent.post(&self.url);
        request = request.header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", key.header());
        }
        let request = request.config().timeout_global(Some(patience)).build();
        let mut response = request.send(body.as_bytes()).map_err(unreachable)?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(refused(status, retry_after(response.headers())));
        }
        let most = answer::bytes_max(texts.len(), self.options.dims);
        let bytes = response
            .body_mut()
            .with_config()
            .limit(most)
            .read_to_vec()
            .map_err(|error| unread(error, most))?;
        answer::vectors(&bytes, texts.len(), self.options.dims)
    }
}

impl SlowEmbedder for HttpEmbedder {
    fn name(&self) -> &str {
        &self.name
    }

    fn parts(&self) -> EmbedderParts {
        EmbedderParts {
            provider: "http".to_owned(),
            model: self.options.model.clone(),
            revision: self.revision.clone(),
        }
    }

    fn dims(&self) -> usize {
        self.options.dims
    }

    fn batch(&self) -> usize {
        self.options.batch
    }

    fn embed_texts(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let prefix = &self.options.text_prefix;
        let texts: Vec<String> = texts.iter().map(|text| format!("{prefix}{text}")).collect();
        self.ask(&texts, self.options.timeout)
    }

    fn embed_question(&self, text: &str, patience: Duration) -> Result<Vec<f32>, EmbedError> {
        let text = [format!("{}{text}", self.options.question_prefix)];
        let start = Instant::now();
        let patience = patience.min(self.options.timeout);
        let first = self.ask(&text, patience);
        // A kept connection may have been closed meanwhile: that is found out in no time.
        let left = patience.saturating_sub(start.elapsed());
        let answered = match first {
            Err(EmbedError::Unavailable {
                retry_after: None, ..
            }) if left > patience / 2 => self.ask(&text, left),
            other => other,
        };
        let mut vectors = answered?;
        vectors.pop().ok_or_else(|| EmbedError::Refused {
            reason: "the embedder sent no vector".to_owned(),
        })
    }
}

/// The revision with what else changes the vectors.
fn revision(options: &HttpOptions) -> String {
    if options.text_prefix.is_empty() && options.question_prefix.is_empty() {
        return options.revision.clone();
    }
    let mut hash = Sha256::new();
    for prefix in [&options.text_prefix, &options.question_prefix] {
        hash.update((prefix.len() as u64).to_be_bytes());
        hash.update(prefix.as_bytes());
    }
    let digest = hash.finalize();
    let start: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}-{start}", options.revision)
}

/// The address that is asked, checked.
fn endpoint(url: &str, allow_plain: bool) -> Result<String, String> {
    let uri: Uri = url
        .parse()
        .map_err(|error| format!("it is no address: {error}"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("it must be like http://127.0.0.1:11434".to_owned());
    };
    if authority.as_str().contains('@') || uri.query().is_some() {
        return Err("it must name no user and no query; a key goes into a file".to_owned());
    }
    match scheme {
        "http" if allow_plain || is_this_host(authority.host()) => {}
        "http" => {
            return Err(
                "memories would cross the network in the clear; use https, or set \
                 embedder_allow_plain = true if the way there is safe"
                    .to_owned(),
            );
        }
        "https" if cfg!(feature = "tls") => {}
        "https" => {
            return Err("this build has no TLS; build it with the feature `tls`".to_owned());
        }
        _ => return Err("it must start with http:// or https://".to_owned()),
    }
    let path = uri.path().trim_end_matches('/');
    let path = match path {
        _ if path.ends_with("/embeddings") => path.to_owned(),
        _ if path.ends_with("/v1") => format!("{path}/embeddings"),
        _ => format!("{path}/v1/embeddings"),
    };
    Ok(format!("{scheme}://{authority}{path}"))
}

fn is_this_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<std::net::IpAddr> = bare.parse().ok();
    address.map_or_else(
        || host.eq_ignore_ascii_case("localhost"),
        |address| address.is_loopback(),
    )
}

fn unavailable(reason: impl Into<String>, retry_after: Option<Duration>) -> EmbedError {
    EmbedError::Unavailable {
        reason: reason.into(),
        retry_after,
    }
}

/// What it means that no answer came.
fn unreachable(error: ureq::Error) -> EmbedError {
    match error {
        ureq::Error::Timeout(_) => unavailable("the embedder did not answer in time", None),
        ureq::Error::HostNotFound => unavailable("the embedder's host is not known", None),
        ureq::Error::Io(error) => unavailable(
            format!("the embedder cannot be reached: {}", error.kind()),
            None,
        ),
        ureq::Error::Tls(_) => unavailable("the embedder's TLS failed", None),
        _ => unavailable("the embedder does not speak HTTP as it should", None),
    }
}

/// What it means that an answer broke off.
fn unread(error: ureq::Error, most: u64) -> EmbedError {
    match error {
        ureq::Error::BodyExceedsLimit(_) => EmbedError::Refused {
            reason: format!("the embedder's answer is longer than {most} bytes"),
        },
        ureq::Error::Timeout(_) => unavailable("the embedder did not answer in time", None),
        _ => unavailable("the embedder's answer broke off", None),
    }
}

/// What an answer means that is not 200.
fn refused(status: u16, retry_after: Option<Duration>) -> EmbedError {
    let told = |why: &str| format!("the embedder answered {status}: {why}");
    match status {
        300..=399 => unavailable(told("it redirects, which is not followed"), None),
        401 | 403 => unavailable(told("it does not take the key"), None),
        404 | 405 => unavailable(told("it knows no such address or model"), None),
        408 | 429 | 502 | 503 | 504 => unavailable(told("it is too busy or starting"), retry_after),
        400 | 413 | 422 => EmbedError::Refused {
            reason: told("it does not take the text, which may be too long for it"),
        },
        // Some fail so at one text that is too long, others at all of them.
        _ => EmbedError::Refused {
            reason: told("it failed"),
        },
    }
}

fn retry_after(headers: &ureq::http::HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers
        .get("retry-after")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_SECONDS_MAX)))
}

#[cfg(test)]
mod tests;
