//! The `model` embedder: a sentence encoder of BERT's kind, from a folder as sentence-transformers
//! writes them (Reimers and Gurevych, "Sentence-BERT", 2019), run in this process by candle.

mod bert;
mod files;

use std::path::Path;
use std::time::Duration;

use self::bert::Bert;
use self::files::{Files, Pooling};
use super::unit;
use super::wordpiece::Vocabulary;
use crate::port::{EmbedError, EmbedderParts, SlowEmbedder};

/// How many texts are embedded between two looks for something else to do.
const BATCH: usize = 16;

/// Runs a model.
pub struct ModelEmbedder {
    bert: Bert,
    vocabulary: Vocabulary<'static>,
    pooling: Pooling,
    /// How many tokens of a text are read, with the marks at both ends.
    tokens_max: usize,
    start: u32,
    end: u32,
    unknown: u32,
    parts: EmbedderParts,
    name: String,
}

impl std::fmt::Debug for ModelEmbedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModelEmbedder({})", self.name)
    }
}

impl ModelEmbedder {
    /// Reads a model from `folder`. Takes some tenths of a second and its size in RAM.
    ///
    /// # Errors
    ///
    /// What about the folder is not as it has to be, for the operator.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let files = Files::read(folder)?;
        let (text, rows) = files.vocabulary_lines()?;
        let vocabulary = Vocabulary::read(text.into_bytes(), rows)
            .ok_or("the vocabulary of tokenizer.json is not one of BERT")?;
        let mark = |name: &str| {
            let row = files.vocabulary.get(name).copied();
            row.ok_or_else(|| format!("the vocabulary of tokenizer.json has no {name}"))
        };
        let (start, end, unknown) = (mark("[CLS]")?, mark("[SEP]")?, mark("[UNK]")?);
        let revision = files.revision();
        let parts = EmbedderParts {
            provider: "model".to_owned(),
            model: files.model_name(),
            revision,
        };
        let name = format!(
            "model:{}/{}@{}",
            parts.model, files.config.hidden_size, parts.revision
        );
        let (pooling, tokens_max) = (files.pooling, files.tokens_max());
        let bert = Bert::load(&files.config, rows, files.weights)
            .map_err(|error| format!("model.safetensors does not fit config.json: {error}"))?;
        Ok(Self {
            bert,
            vocabulary,
            pooling,
            tokens_max,
            start,
            end,
            unknown,
            parts,
            name,
        })
    }

    /// The tokens of `text`, as many as the model reads.
    fn tokens(&self, text: &str) -> Vec<u32> {
        let mut tokens = vec![self.start];
        self.vocabulary.for_each_or(text, |row| {
            tokens.push(row.map_or(self.unknown, |row| row as u32));
            tokens.len() + 1 < self.tokens_max
        });
        tokens.push(self.end);
        tokens
    }

    fn embed(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let refused = |reason: String| EmbedError::Refused { reason };
        let vector = self
            .bert
            .run(&self.tokens(text), self.pooling)
            .map_err(|error| refused(format!("the model failed: {error}")))?;
        unit(vector).ok_or_else(|| refused("the model made a vector of zeros or worse".to_owned()))
    }
}

impl SlowEmbedder for ModelEmbedder {
    fn name(&self) -> &str {
        &self.name
    }

    fn parts(&self) -> EmbedderParts {
        self.parts.clone()
    }

    fn dims(&self) -> usize {
        self.bert.dims()
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn embed_texts(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        texts.iter().map(|text| self.embed(text)).collect()
    }

    fn embed_question(&self, text: &str, _: Duration) -> Result<Vec<f32>, EmbedError> {
        self.embed(text)
    }
}

#[cfg(test)]
mod tests;
