//! The table in the program, its words against the tokenizer they come from, and its figures.

use proptest::prelude::*;

use super::*;

/// Texts with the pieces that the tokenizer of the source model cuts them into.
const PIECES: &str = include_str!("../../../assets/embedder/wordpiece.jsonl");

fn cosine(embedder: &StaticEmbedder, a: &str, b: &str) -> f32 {
    let (a, b) = (embedder.embed(a).unwrap(), embedder.embed(b).unwrap());
    a.iter().zip(&b).map(|(x, y)| x * y).sum()
}

fn pieces(vocabulary: &Vocabulary<'_>, text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    vocabulary.for_each(text, |row| {
        pieces.push(vocabulary.piece(row).to_owned());
        true
    });
    pieces
}

#[test]
fn texts_are_cut_as_the_source_model_cuts_them() {
    let table = Table::read(TABLE).unwrap();
    for line in PIECES.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
        let expected: Vec<String> = serde_json::from_value(case["pieces"].clone()).unwrap();
        assert_eq!(pieces(&table.vocabulary, text), expected, "{text:?}");
        // 64 KiB of it are the same again and again.
        if (1..2000).contains(&text.len()) {
            let times = (64 << 10) / (text.len() + 1);
            let all = pieces(&table.vocabulary, &format!("{text} ").repeat(times));
            assert!(
                all.chunks(expected.len().max(1))
                    .all(|chunk| chunk == expected)
            );
            assert_eq!(all.len(), expected.len() * times);
        }
    }
    assert!(PIECES.lines().count() >= 50);
}

#[test]
fn meaning_is_seen_where_no_word_is_shared() {
    let embedder = StaticEmbedder::built_in();
    let pairs = [
        (
            "The customer wants a refund",
            "clients ask for their money back",
            "it rained in spring",
        ),
        (
            "my car broke down",
            "the vehicle has engine trouble",
            "she plays the violin",
        ),
        (
            "allergic to peanuts",
            "nuts make him ill",
            "the invoice was paid late",
        ),
    ];
    for (text, near, far) in pairs {
        let (near, far) = (cosine(&embedder, text, near), cosine(&embedder, text, far));
        assert!(near > far + 0.15, "{text}: {near} {far}");
    }
}

#[test]
fn vectors_are_the_same_for_good() {
    // A change of the table makes every stored vector wrong: then the name must change as well.
    let embedder = StaticEmbedder::built_in();
    let vector = embedder.embed("The user prefers dark mode").unwrap();
    let rounded: Vec<i32> = vector[..6]
        .iter()
        .map(|x| (x * 1e4).round() as i32)
        .collect();
    assert_eq!(embedder.name(), "static-minilm/256@1");
    assert_eq!(rounded, [-1095, -1434, -944, -1204, -998, 269]);
}

#[test]
fn text_without_a_known_token_has_no_vector() {
    let embedder = StaticEmbedder::built_in();
    let long = "x".repeat(64 << 10);
    for text in [
        "",
        " \t\n",
        "\u{202e}\u{200b}",
        "\u{0}",
        "🎉🎊",
        long.as_str(),
    ] {
        assert!(embedder.embed(text).is_none(), "{text:.20}");
    }
}

#[test]
fn what_follows_the_first_tokens_is_not_looked_at() {
    let embedder = StaticEmbedder::built_in();
    let first = "the cat sat here ".repeat(TOKENS_MAX / 4);
    let vector = embedder.embed(&first).unwrap();
    assert_eq!(embedder.embed(&format!("{first} economics")), Some(vector));
    assert_ne!(
        embedder.embed(&format!("economics {first}")),
        embedder.embed(&first)
    );
}

#[test]
fn a_table_that_is_cut_or_altered_is_refused() {
    for end in [0, 7, 8, 19, 20, 1000, TABLE.len() - 1] {
        assert!(Table::read(&TABLE[..end]).is_none(), "{end}");
    }
    let mut longer = TABLE.to_vec();
    longer.push(b'\n');
    assert!(Table::read(&longer).is_none());
    for (at, byte) in [
        (0, b'M'),
        (8, 0xff),
        (11, 0xff),
        (15, 0xff),
        (19, 0xff),
        (23, 0x7f),
    ] {
        let mut bytes = TABLE.to_vec();
        bytes[at] = byte;
        // Byte 23 is the sign and exponent of a scale; with its neighbour it is an infinity.
        bytes[22] = if at == 23 { 0x80 } else { bytes[22] };
        assert!(Table::read(&bytes).is_none(), "{at}");
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_unit_vector_or_none(text in "(\\PC|[a-z ]|\\p{Cc}|\\p{M}){0,200}") {
        let embedder = StaticEmbedder::built_in();
        if let Some(vector) = embedder.embed(&text) {
            prop_assert_eq!(vector.len(), embedder.dims());
            let norm: f32 = vector.iter().map(|x| x * x).sum();
            prop_assert!((norm - 1.0).abs() < 1e-4, "{}", norm);
            prop_assert_eq!(embedder.embed(&text), Some(vector));
        }
    }
}

/// Ranks, the mean of them where values are equal.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for same in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let mean = before as f64 + (same.len() as f64 - 1.0) / 2.0;
        same.iter().for_each(|&at| ranks[at] = mean);
        before += same.len();
    }
    ranks
}

/// Spearman's rank correlation.
fn spearman(a: &[f32], b: &[f32]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let sum = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum()
    };
    sum(&a, &b) / (sum(&a, &a) * sum(&b, &b)).sqrt()
}

#[test]
fn similarity_agrees_with_people() {
    let Some(folder) = std::env::var_os("MANUSHYA_EVAL_DATA") else {
        println!("skipped: MANUSHYA_EVAL_DATA names no folder");
        return;
    };
    let folder = std::path::Path::new(&folder).join("stsb");
    let embedder = StaticEmbedder::built_in();
    for (part, floor) in [("dev", 0.78), ("test", 0.70)] {
        let text = std::fs::read_to_string(folder.join(format!("sts-{part}.csv"))).unwrap();
        let (mut gold, mut ours) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            gold.push(fields[4].parse().unwrap());
            ours.push(cosine(&embedder, fields[5], fields[6]));
        }
        let correlation = spearman(&gold, &ours);
        println!(
            "STS benchmark, {part}: {correlation:.4} over {} pairs",
            gold.len()
        );
        assert!(correlation >= floor, "{part}: {correlation}");
    }
}
