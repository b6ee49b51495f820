//! The files of a model's folder.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// The largest files that are read, in bytes.
const JSON_BYTES_MAX: u64 = 32 << 20;
const WEIGHTS_BYTES_MAX: u64 = 4 << 30;

/// `config.json`, as far as it matters.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Config {
    pub model_type: String,
    #[serde(default, rename = "_name_or_path")]
    pub name_or_path: String,
    pub hidden_act: String,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub layer_norm_eps: f64,
    pub max_position_embeddings: usize,
    pub num_attention_heads: usize,
    pub num_hidden_layers: usize,
    pub type_vocab_size: usize,
    #[serde(default)]
    pub position_embedding_type: Option<String>,
}

/// `sentence_bert_config.json`.
#[derive(Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

/// `1_Pooling/config.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolingConfig {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
}

#[derive(Deserialize)]
struct Tokenizer {
    normalizer: Normalizer,
    model: TokenizerModel,
}

#[derive(Deserialize)]
struct Normalizer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    lowercase: bool,
}

#[derive(Deserialize)]
struct TokenizerModel {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    continuing_subword_prefix: String,
    #[serde(default)]
    unk_token: String,
    vocab: HashMap<String, u32>,
}

/// How the vectors of the tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Their mean.
    Mean,
    /// That of the mark at the start.
    Start,
}

/// What a folder holds.
pub(super) struct Files {
    pub config: Config,
    pub pooling: Pooling,
    pub vocabulary: HashMap<String, u32>,
    pub weights: Vec<u8>,
    sequence_max: usize,
    hash: Sha256,
}

impl Files {
    /// Reads and checks a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let mut hash = Sha256::new();
        let config: Config = json(folder, "config.json", &mut hash)?
            .ok_or_else(|| format!("{} has no config.json", folder.display()))?;
        check(&config)?;
        let tokenizer: Tokenizer = json(folder, "tokenizer.json", &mut hash)?
            .ok_or_else(|| format!("{} has no tokenizer.json", folder.display()))?;
        let is_uncased = tokenizer.normalizer.kind == "BertNormalizer"
            && tokenizer.normalizer.lowercase
            && matches!(tokenizer.model.kind.as_str(), "WordPiece" | "")
            && tokenizer.model.continuing_subword_prefix == "##"
            && tokenizer.model.unk_token == "[UNK]";
        if !is_uncased {
            return Err(
                "tokenizer.json is not WordPiece as BERT's uncased models have it".to_owned(),
            );
        }
        let sentence: Option<SentenceConfig> =
            json(folder, "sentence_bert_config.json", &mut hash)?;
        let pooling: Option<PoolingConfig> = json(folder, "1_Pooling/config.json", &mut hash)?;
        let sequence_max = sentence.and_then(|it| it.max_seq_length);
        let sequence_max = sequence_max
            .unwrap_or(config.max_position_embeddings)
            .min(config.max_position_embeddings);
        if sequence_max < 3 {
            return Err("the model reads no text: max_seq_length is below 3".to_owned());
        }
        let weights = bytes(folder, "model.safetensors", WEIGHTS_BYTES_MAX)?
            .ok_or_else(|| format!("{} has no model.safetensors", folder.display()))?;
        hash.update(&weights);
        Ok(Self {
            config,
            pooling: pooling.map_or(Ok(Pooling::Mean), |it| it.check())?,
            vocabulary: tokenizer.model.vocab,
            weights,
            sequence_max,
            hash,
        })
    }

    /// The vocabulary as lines in the order of their numbers, with how many there are.
    pub(super) fn vocabulary_lines(&self) -> Result<(String, usize), String> {
        let rows = self.vocabulary.len();
        let mut pieces = vec![None; rows];
        for (piece, &row) in &self.vocabulary {
            let slot = pieces.get_mut(row as usize).filter(|slot| slot.is_none());
            let slot = slot.ok_or("the numbers of the vocabulary are not 0, 1, 2 and so on")?;
            *slot = Some(piece.as_str());
        }
        let mut text = String::new();
        for piece in pieces.into_iter().flatten() {
            text.push_str(piece);
            text.push('\n');
        }
        Ok((text, rows))
    }

    /// How many tokens are read of a text.
    pub(super) fn tokens_max(&self) -> usize {
        self.sequence_max
    }

    /// What tells this model from any other: the start of the hash of its files.
    pub(super) fn revision(&self) -> String {
        let digest = self.hash.clone().finalize();
        digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The model's own name, wherever the folder is.
    pub(super) fn model_name(&self) -> String {
        let name = self.config.name_or_path.trim_end_matches('/');
        let last = name.rsplit('/').next().unwrap_or_default();
        let plain = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
        let last: String = last.chars().filter(plain).take(64).collect();
        if last.is_empty() {
            "bert".to_owned()
        } else {
            last
        }
    }
}

impl PoolingConfig {
    fn check(&self) -> Result<Pooling, String> {
        let others = self.pooling_mode_max_tokens || self.pooling_mode_mean_sqrt_len_tokens;
        match (self.pooling_mode_mean_tokens, self.pooling_mode_cls_token) {
            (true, false) if !others => Ok(Pooling::Mean),
            (false, true) if !others => Ok(Pooling::Start),
            _ => {
                Err("1_Pooling/config.json must ask for the mean or for the first token".to_owned())
            }
        }
    }
}

fn check(config: &Config) -> Result<(), String> {
    if config.model_type != "bert" {
        return Err(format!(
            "it is a model of the kind {:?}, not bert",
            config.model_type
        ));
    }
    if config.hidden_act != "gelu" {
        return Err(format!(
            "its activation is {:?}, not gelu",
            config.hidden_act
        ));
    }
    if config
        .position_embedding_type
        .as_deref()
        .unwrap_or("absolute")
        != "absolute"
    {
        return Err("its positions are not absolute".to_owned());
    }
    let fits = (1..=8192).contains(&config.hidden_size)
        && (1..=65_536).contains(&config.intermediate_size)
        && (1..=128).contains(&config.num_hidden_layers)
        && config.num_attention_heads > 0
        && config
            .hidden_size
            .is_multiple_of(config.num_attention_heads)
        && (3..=65_536).contains(&config.max_position_embeddings)
        && (1..=16).contains(&config.type_vocab_size);
    if fits {
        return Ok(());
    }
    Err("the sizes in config.json are out of bounds".to_owned())
}

/// The bytes of a file; `None` if it is not there.
fn bytes(folder: &Path, name: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
    let path = folder.join(name);
    let unread = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unread(error)),
    };
    let mut bytes = Vec::new();
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(unread)?;
    if bytes.len() as u64 > most {
        return Err(format!("{} is above {most} bytes", path.display()));
    }
    Ok(Some(bytes))
}

/// A file of JSON, which is hashed as well; `None` if it is not there.
fn json<T: DeserializeOwned>(
    folder: &Path,
    name: &str,
    hash: &mut Sha256,
) -> Result<Option<T>, String> {
    let Some(bytes) = bytes(folder, name, JSON_BYTES_MAX)? else {
        return Ok(None);
    };
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(&bytes);
    let value = serde_json::from_slice(&bytes);
    value
        .map(Some)
        .map_err(|error| format!("{name} is not as it has to be: {error}"))
}
