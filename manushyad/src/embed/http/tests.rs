//! Addresses, keys and answers; talking to a service is tested end to end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use proptest::prelude::*;

use super::answer::{bytes_max, vectors};
use super::*;

fn options() -> HttpOptions {
    HttpOptions {
        url: "http://127.0.0.1:1".to_owned(),
        model: "m".to_owned(),
        dims: 3,
        revision: "1".to_owned(),
        key_file: None,
        timeout: Duration::from_secs(1),
        batch: 8,
        text_prefix: String::new(),
        question_prefix: String::new(),
        allow_plain: false,
    }
}

#[test]
fn addresses_are_completed_or_refused() {
    let fine = |url: &str| endpoint(url, false).unwrap();
    assert_eq!(
        fine("http://localhost:11434"),
        "http://localhost:11434/v1/embeddings"
    );
    assert_eq!(fine("http://[::1]:80/v1/"), "http://[::1]:80/v1/embeddings");
    assert_eq!(
        fine("http://127.9.9.9/a/embeddings"),
        "http://127.9.9.9/a/embeddings"
    );
    for bad in [
        "",
        "localhost:1",
        "/v1",
        "ftp://localhost",
        "http://user:secret@localhost",
        "http://localhost/?key=secret",
        // Memories do not cross a network in the clear unasked.
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
    ] {
        assert!(endpoint(bad, false).is_err(), "{bad}");
    }
    assert!(endpoint("http://10.0.0.1", true).is_ok());
    assert_eq!(
        endpoint("https://example.com", false).is_ok(),
        cfg!(feature = "tls")
    );
}

#[test]
fn name_changes_with_all_that_changes_the_vectors() {
    let name = |change: fn(&mut HttpOptions)| {
        let mut options = options();
        change(&mut options);
        HttpEmbedder::new(options).unwrap().name
    };
    let plain = name(|_| {});
    assert_eq!(plain, "http:m/3@1");
    let others = [
        name(|it| it.model = "n".to_owned()),
        name(|it| it.dims = 4),
        name(|it| it.revision = "2".to_owned()),
        name(|it| it.text_prefix = "passage: ".to_owned()),
        name(|it| it.question_prefix = "passage: ".to_owned()),
    ];
    let mut all: Vec<&String> = others.iter().chain([&plain]).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6, "{all:?}");
    assert_eq!(
        plain,
        name(|it| it.url = "http://127.0.0.1:2/v1".to_owned())
    );
}

#[test]
fn key_is_read_from_a_private_file_and_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let write = |text: &str, mode: u32| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        ApiKey::read(&path)
    };
    let key = write("sk-abcdef\nmore\n", 0o600).unwrap();
    assert_eq!(key.header().to_str().unwrap(), "Bearer sk-abcdef");
    assert!(!format!("{key:?} {:?}", key.header()).contains("abcdef"));
    assert!(
        write("sk-abcdef\n", 0o640)
            .unwrap_err()
            .contains("chmod 600")
    );
    for bad in ["", "\nsk", "two words", "ümlaut", &"x".repeat(5000)] {
        assert!(write(bad, 0o600).is_err(), "{bad:?}");
    }
    assert!(ApiKey::read(&PathBuf::from("/nowhere/key")).is_err());
}

fn is_unavailable(error: &EmbedError) -> bool {
    matches!(error, EmbedError::Unavailable { .. })
}

#[test]
fn answers_are_checked_number_by_number() {
    let read = |text: &str| vectors(text.as_bytes(), 2, 3);
    let good = r#"{"data":[{"index":1,"embedding":[0,0,2]},{"index":0,"embedding":[3,0,4]}]}"#;
    assert_eq!(
        read(good).unwrap(),
        [vec![0.6, 0.0, 0.8], vec![0.0, 0.0, 1.0]]
    );
    let unnumbered = r#"{"object":"list","data":[{"embedding":[1,0,0]},{"embedding":[0,1,0]}]}"#;
    assert_eq!(read(unnumbered).unwrap()[0], [1.0, 0.0, 0.0]);
    let with = |second: &str| format!(r#"{{"data":[{{"embedding":[1,0,0]}},{second}]}}"#);
    for bad in [
        String::new(),
        good[..good.len() - 9].to_owned(),
        r#"{"data":[]}"#.to_owned(),
        with(r#"{"index":0,"embedding":[1,0,0]}"#),
        with(r#"{"index":9,"embedding":[1,0,0]}"#),
        with(r#"{"embedding":[NaN,0,0]}"#),
        with(r#"{"embedding":[null,0,0]}"#),
        with(r#"{"embedding":[1e300,0,0]}"#),
        with(r#"{"embedding":[0,0,0]}"#),
        with(r#"{"embedding":"AAAA"}"#),
    ] {
        let error = read(&bad).expect_err(&bad);
        assert!(!is_unavailable(&error), "{bad}: {error}");
    }
    for wrong in ["[1,0]", "[]", "[1,0,0,0]"] {
        let error = read(&with(&format!(r#"{{"embedding":{wrong}}}"#))).unwrap_err();
        assert!(is_unavailable(&error) && error.to_string().contains("embedder_dims is 3"));
    }
}

#[test]
fn failures_of_a_text_are_told_from_those_of_the_service() {
    for status in [301, 401, 403, 404, 429, 502, 503] {
        assert!(is_unavailable(&refused(status, None)), "{status}");
    }
    for status in [400, 413, 422, 500, 204] {
        assert!(!is_unavailable(&refused(status, None)), "{status}");
    }
    let mut headers = ureq::http::HeaderMap::new();
    assert_eq!(retry_after(&headers), None);
    for (value, seconds) in [
        ("7", Some(7)),
        ("99999", Some(60)),
        ("-1", None),
        ("soon", None),
    ] {
        headers.insert("retry-after", value.parse().unwrap());
        assert_eq!(
            retry_after(&headers),
            seconds.map(Duration::from_secs),
            "{value}"
        );
    }
}

#[test]
fn service_that_is_not_there_is_unavailable() {
    let embedder = HttpEmbedder::new(options()).unwrap();
    let error = embedder
        .embed_texts(&["secret text".to_owned()])
        .unwrap_err();
    assert!(is_unavailable(&error), "{error}");
    let patience = Duration::from_secs(1);
    let error = embedder
        .embed_question("secret text", patience)
        .unwrap_err();
    assert!(
        is_unavailable(&error) && !error.to_string().contains("secret"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn any_answer_is_vectors_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(vectors(&bytes, 1, 3).is_err());
    }

    #[test]
    fn what_is_taken_is_at_length_one(
        numbers in prop::collection::vec(prop::num::f32::ANY, 1..40),
    ) {
        let text = serde_json::json!({"data": [{"embedding": numbers}]}).to_string();
        prop_assert!(text.len() as u64 <= bytes_max(1, numbers.len()));
        if let Ok(taken) = vectors(text.as_bytes(), 1, numbers.len()) {
            let norm: f32 = taken[0].iter().map(|x| x * x).sum();
            prop_assert!((norm - 1.0).abs() < 1e-3, "{}", norm);
        }
    }
}
