//! What the fuzz targets do with bytes: everything of the daemon and the command line that reads what
//! it did not write.
//!
//! Each body is a plain function that panics if something is not as it must be. `tests/fuzz` gives
//! them to libFuzzer; `tests/it/fuzz.rs` replays the corpus through the same functions in every build,
//! and what [`Mutator`] makes of it.

use std::time::{Duration, Instant};

use manushya_core::model::{Action, Resource};
use manushya_core::policy::{Facts, Filter, IdentityFacts, MemoryFacts, RequestFacts, Rule};
use manushya_protocol::id::IdentityId;
use manushya_protocol::limits;
use manushya_protocol::secret::BearerToken;
use manushya_protocol::unit::UnixMillis;
use manushya_protocol::v1::hello::Hello;
use manushya_protocol::v1::service::ManushyaRequest;
use manushya_protocol::version;
use manushyactl::command::memory::import::line;
use manushyad::RunOptions;
use manushyad::auth::TokenKeys;
use manushyad::config::Config;
use serde_json::{Map, Value};

use crate::random::Random;

/// A target: its name, which is also that of its corpus, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("frame", frame),
    ("hello", hello),
    ("policy", policy),
    ("filter", filter),
    ("import_line", import_line),
    ("token", token),
    ("config", config),
    ("snapshot_header", snapshot_header),
];

/// A frame's body: it is a request with a bounded deadline, or it is refused.
pub fn frame(bytes: &[u8]) {
    let now = Instant::now();
    if let Ok(tarpc_message) = manushyad::rpc::decode::<ManushyaRequest>(bytes) {
        let most = Duration::from_secs(limits::DEADLINE_SECONDS_MAX + 5);
        let deadline = manushyad::rpc::deadline_of(&tarpc_message);
        assert!(deadline.is_none_or(|deadline| deadline <= now + most));
    }
}

/// A hello: a version that both ends speak, or none.
pub fn hello(bytes: &[u8]) {
    if let Ok(hello) = serde_json::from_slice::<Hello>(bytes) {
        let api = version::negotiate(hello.api_min, hello.api_max);
        let spoken = version::API_MIN..=version::API;
        assert!(api.is_none_or(|api| spoken.contains(&api)));
        assert!(api.is_none_or(|api| (hello.api_min..=hello.api_max).contains(&api)));
        // A token in it is never told.
        if let Some(token) = &hello.token
            && token.expose().len() > 8
        {
            assert!(!format!("{hello:?}").contains(token.expose()));
        }
    }
}

fn value(bytes: &[u8]) -> Option<Value> {
    (bytes.len() <= 4 * limits::RULE_BYTES_MAX)
        .then(|| serde_json::from_slice(bytes).ok())
        .flatten()
}

/// A policy's rule: refused with a reason, or it evaluates, and to the same twice.
pub fn policy(bytes: &[u8]) {
    let Some(value) = value(bytes) else { return };
    let rule = match Rule::parse(&value) {
        Ok(rule) => rule,
        Err(errors) => return assert!(!errors.is_empty(), "refused without a reason"),
    };
    let me = IdentityId::from_bytes([1; 16]);
    let identity = IdentityFacts {
        id: me.to_string(),
        external_id: "a".to_owned(),
        role: "agent".to_owned(),
        tenant: "default".to_owned(),
        claims: Map::from_iter([("team".to_owned(), Value::from(vec!["x", "y"]))]),
    };
    let request = RequestFacts {
        time: UnixMillis(1_790_000_000_000),
        transport: "unix".into(),
        peer_uid: Some(1000),
        purpose: None,
    };
    for (action, resource) in [
        (Action::Read, Resource::Memory),
        (Action::Manage, Resource::System),
    ] {
        let facts = Facts::new(action, resource, &identity, &request);
        let _ = rule.evaluate(&facts);
        let facts = facts.with_memory(MemoryFacts::own(me));
        let (once, twice) = (rule.evaluate(&facts), rule.evaluate(&facts));
        assert_eq!(once, twice);
    }
}

/// A filter: refused with a reason, or it decides about a memory.
pub fn filter(bytes: &[u8]) {
    let Some(value) = value(bytes) else { return };
    match Filter::parse(&value) {
        Ok(filter) => {
            let memory = MemoryFacts::own(IdentityId::from_bytes([1; 16]));
            assert_eq!(filter.matches(&memory), filter.matches(&memory));
            let _ = filter.matches(&MemoryFacts::default());
        }
        Err(errors) => assert!(!errors.is_empty(), "refused without a reason"),
    }
}

/// A line of an import: refused in words, or a memory within the bounds.
pub fn import_line(bytes: &[u8]) {
    match line::parse(bytes, &line::Defaults::default()) {
        Ok(add) => {
            assert!(!add.text.trim().is_empty() && add.text.len() <= limits::TEXT_BYTES_MAX);
            assert!(add.trust.is_none_or(|trust| trust <= 100));
        }
        Err(reason) => assert!(!reason.is_empty(), "refused without a reason"),
    }
}

thread_local! {
    static KEYS: TokenKeys = {
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        match TokenKeys::new(vec![("k".to_owned(), key)]) {
            Ok(keys) => keys,
            Err(error) => panic!("one key is taken: {error}"),
        }
    };
    static FOLDER: tempfile::TempDir = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => panic!("there is no room for a file: {error}"),
    };
}

/// A token of nobody: whatever it says, it is refused.
pub fn token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let token = BearerToken::new(&text);
    KEYS.with(|keys| {
        for now in [0, 1_790_000_000_000, i64::MAX] {
            assert!(keys.verify(&token, UnixMillis(now)).is_err());
        }
        assert!(keys.inspect(&token).is_err());
    });
}

/// A configuration file: refused with a reason, or settings.
pub fn config(bytes: &[u8]) {
    FOLDER.with(|folder| {
        let file = folder.path().join("config.toml");
        assert!(std::fs::write(&file, bytes).is_ok());
        let options = RunOptions {
            home: Some(folder.path().to_owned()),
            config: Some(file),
            ..RunOptions::default()
        };
        if let Err(error) = Config::resolve(&options) {
            assert!(!error.message.is_empty() && error.reason.is_some());
        }
    });
}

/// The head of a saved graph: refused, or no larger than what it stands before.
pub fn snapshot_header(bytes: &[u8]) {
    for dims in [256, 384] {
        if let Some(vectors) = manushyad::index::vectors_of_snapshot(bytes, dims) {
            assert!(vectors <= bytes.len() as u64);
        }
    }
}

/// Makes new inputs of old ones, as a fuzzer does, from a seed.
#[derive(Debug)]
pub struct Mutator {
    random: Random,
}

/// Pieces that parsers have a special eye for.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"-1",
    b"1e400",
    b"18446744073709551616",
    b"9223372036854775808",
    b"0.1",
    b"NaN",
    b"\xff",
    b"\xc0\x80",
    b"\0",
    b"\n",
    b".",
    b"{\"var\":\"memory.trust\"}",
    b"{\"and\":[",
    b"{\"!\":[",
    b"[[[[[[[[[[[[[[[[[[[[",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
];

impl Mutator {
    /// Mutations that depend on this seed alone.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
        }
    }

    /// Something like one of `corpus`.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.random.pick(corpus).cloned().unwrap_or_default();
        for _ in 0..1 + self.random.below(4) {
            let at = self.random.below(bytes.len() + 1);
            let end = (at + self.random.below(9)).min(bytes.len());
            match self.random.below(7) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.random.below(8),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let piece = self.random.pick(PIECES).copied().unwrap_or_default();
                    bytes.splice(at..at, piece.iter().copied());
                }
                3 => {
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                4 => bytes.truncate(at),
                5 => {
                    let other = self.random.pick(corpus).cloned().unwrap_or_default();
                    let from = self.random.below(other.len() + 1);
                    bytes.splice(at..end, other[from..].iter().copied());
                }
                _ => {
                    let noise = self.random.bytes(1 + end - at);
                    bytes.splice(at..end, noise);
                }
            }
        }
        bytes.truncate(1 << 16);
        bytes
    }
}
