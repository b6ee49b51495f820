//! The `static` embedder: a text is the mean of its tokens' vectors, which were distilled from the
//! sentence encoder all-MiniLM-L6-v2 (Reimers and Gurevych, "Sentence-BERT", 2019) and are part of
//! the program. `assets/embedder/README.md` says how the table was made.

use super::unit;
use super::wordpiece::Vocabulary;
use crate::port::{Embedder, EmbedderParts};

/// The table stays where the program's own bytes are: pages that are read as they are needed.
static TABLE: &[u8] = include_bytes!("../../assets/embedder/table.bin");
const MAGIC: &[u8; 8] = b"mnshtok1";
/// Tokens of one text beyond these are not looked at; they would hardly move the mean, and the cost
/// of a text is so bounded.
const TOKENS_MAX: usize = 4096;

/// Means of token vectors, from a table in the program.
pub struct StaticEmbedder {
    table: Table<'static>,
    name: String,
}

impl StaticEmbedder {
    /// Opens the table in the program, which takes about a millisecond.
    pub fn built_in() -> Self {
        let table = Table::read(TABLE);
        // The bytes are a constant of the program, and a test reads them.
        let table = table.expect("the table in the program is well formed");
        let name = format!("static-minilm/{}@1", table.dims);
        Self { table, name }
    }
}

impl std::fmt::Debug for StaticEmbedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StaticEmbedder({})", self.name)
    }
}

impl Embedder for StaticEmbedder {
    fn name(&self) -> &str {
        &self.name
    }

    fn parts(&self) -> EmbedderParts {
        EmbedderParts {
            provider: "static".to_owned(),
            model: "static-minilm".to_owned(),
            revision: "1".to_owned(),
        }
    }

    fn dims(&self) -> usize {
        self.table.dims
    }

    fn embed(&self, text: &str) -> Option<Vec<f32>> {
        let mut sum = vec![0.0; self.table.dims];
        let mut tokens = 0;
        self.table.vocabulary.for_each(text, |row| {
            self.table.add(row, &mut sum);
            tokens += 1;
            tokens < TOKENS_MAX
        });
        // At length one, the sum is the mean.
        unit(sum)
    }
}

/// The parts of a table:
///
/// ```text
/// magic 8 | rows u32 | dims u32 | bytes of the vocabulary u32
/// | scales: rows x f32 | numbers: rows x dims x i8 | vocabulary: rows x (piece, line feed)
/// ```
///
/// Numbers are little-endian; a vector's are those of its row times its scale.
struct Table<'a> {
    dims: usize,
    scales: &'a [[u8; 4]],
    numbers: &'a [u8],
    vocabulary: Vocabulary<'a>,
}

impl<'a> Table<'a> {
    /// Reads a table; `None` if the bytes are not one.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let mut rest = rest;
        let mut size = || {
            let (head, tail) = rest.split_first_chunk::<4>()?;
            rest = tail;
            usize::try_from(u32::from_le_bytes(*head)).ok()
        };
        let (rows, dims, words) = (size()?, size()?, size()?);
        let (scales, rest) = rest.split_at_checked(rows.checked_mul(4)?)?;
        let (numbers, vocabulary) = rest.split_at_checked(rows.checked_mul(dims)?)?;
        let (scales, _) = scales.as_chunks::<4>();
        let finite = |scale: &[u8; 4]| f32::from_le_bytes(*scale).is_finite();
        if magic != MAGIC || dims == 0 || vocabulary.len() != words || !scales.iter().all(finite) {
            return None;
        }
        Some(Self {
            dims,
            scales,
            numbers,
            vocabulary: Vocabulary::read(vocabulary, rows)?,
        })
    }

    /// Adds the vector of `row` to `sum`.
    fn add(&self, row: usize, sum: &mut [f32]) {
        let scale = f32::from_le_bytes(self.scales[row]);
        let numbers = &self.numbers[row * self.dims..][..self.dims];
        for (sum, &number) in sum.iter_mut().zip(numbers) {
            *sum += scale * f32::from(number as i8);
        }
    }
}

#[cfg(test)]
mod tests;
