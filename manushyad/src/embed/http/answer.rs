//! The answer of an embeddings API, which is not trusted.

use serde::Deserialize;

use crate::embed::unit;
use crate::port::EmbedError;

/// The most bytes that one number takes in JSON, with its comma and some space.
const NUMBER_BYTES_MAX: u64 = 40;
/// What an answer may hold beside its numbers, and beside each vector's.
const REST_BYTES_MAX: u64 = 64 << 10;
const ITEM_BYTES_MAX: u64 = 512;

/// How long an answer of `count` vectors may be, in bytes.
pub(super) fn bytes_max(count: usize, dims: usize) -> u64 {
    let (count, dims) = (count as u64, dims as u64);
    REST_BYTES_MAX + count * (dims * NUMBER_BYTES_MAX + ITEM_BYTES_MAX)
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vec<f32>,
}

fn refused<T>(reason: &str) -> Result<T, EmbedError> {
    Err(EmbedError::Refused {
        reason: reason.to_owned(),
    })
}

/// The `count` vectors of an answer in the order of the texts, each of `dims` finite numbers and at
/// length one.
pub(super) fn vectors(
    bytes: &[u8],
    count: usize,
    dims: usize,
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let Ok(answer) = serde_json::from_slice::<Answer>(bytes) else {
        return refused("the embedder's answer is not that of an embeddings API");
    };
    if answer.data.len() != count {
        return refused("the embedder's answer has more or fewer vectors than were asked for");
    }
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; count];
    for (place, item) in answer.data.into_iter().enumerate() {
        let slot = vectors.get_mut(item.index.unwrap_or(place));
        let Some(slot) = slot.filter(|slot| slot.is_none()) else {
            return refused("the embedder's answer counts its vectors wrongly");
        };
        let actual = item.embedding.len();
        if actual != dims {
            // This is so for all texts: the model is another than the configuration says.
            return Err(EmbedError::Unavailable {
                reason: format!(
                    "the embedder's vectors have {actual} dimensions; embedder_dims is {dims}"
                ),
                retry_after: None,
            });
        }
        if !item.embedding.iter().all(|number| number.is_finite()) {
            return refused("the embedder sent a number that is not finite");
        }
        let Some(vector) = unit(item.embedding) else {
            return refused("the embedder sent a vector of zeros");
        };
        *slot = Some(vector);
    }
    // As many as were asked for, none twice: none is missing.
    Ok(vectors.into_iter().flatten().collect())
}
