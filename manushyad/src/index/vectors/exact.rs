//! All vectors as rows in memory, compared one by one.

use numkong::bf16;
use roaring::RoaringBitmap;

use super::{NEAREST_MAX, Near, Unit, VectorError, VectorIndex};

/// Rows of one chunk. Chunks never move, so that growing copies nothing.
const CHUNK_ROWS: usize = 1024;

/// Rows of bf16 by slot.
pub struct Exact {
    dims: usize,
    chunks: Vec<Box<[bf16]>>,
    present: RoaringBitmap,
}

impl Exact {
    /// No rows yet, of `dims` numbers each.
    pub fn new(dims: usize) -> Self {
        Self {
            dims,
            chunks: Vec::new(),
            present: RoaringBitmap::new(),
        }
    }

    /// Which slots have a row.
    pub fn present(&self) -> &RoaringBitmap {
        &self.present
    }

    /// Writes the row of `slot`. A vector of other dimensions is not taken.
    pub fn put(&mut self, slot: u32, vector: &[bf16]) {
        if vector.len() != self.dims {
            return;
        }
        let (chunk, from) = self.place(slot);
        while self.chunks.len() <= chunk {
            let rows = vec![bf16::ZERO; CHUNK_ROWS * self.dims];
            self.chunks.push(rows.into_boxed_slice());
        }
        self.chunks[chunk][from..from + self.dims].copy_from_slice(vector);
        self.present.insert(slot);
    }

    /// Overwrites the row of `slot` with zeros.
    pub fn clear(&mut self, slot: u32) {
        if self.present.remove(slot) {
            let (chunk, from) = self.place(slot);
            self.chunks[chunk][from..from + self.dims].fill(bf16::ZERO);
        }
    }

    /// The row of `slot`; `None` if it has none.
    #[inline]
    pub fn row(&self, slot: u32) -> Option<&[bf16]> {
        let (chunk, from) = self.place(slot);
        self.chunks.get(chunk)?.get(from..from + self.dims)
    }

    /// The cosine of `query` to the row of `slot`; 0 if it has none (such rows are zero).
    #[inline]
    pub fn cosine(&self, query: &Unit, slot: u32) -> f32 {
        self.row(slot).map_or(0.0, |row| query.cosine(row))
    }

    fn place(&self, slot: u32) -> (usize, usize) {
        let slot = slot as usize;
        (slot / CHUNK_ROWS, slot % CHUNK_ROWS * self.dims)
    }
}

impl VectorIndex for Exact {
    fn len(&self) -> usize {
        usize::try_from(self.present.len()).unwrap_or(usize::MAX)
    }

    fn nearest(&self, query: &Unit, count: usize) -> Result<Vec<Near>, VectorError> {
        query.check_dims(self.dims)?;
        let near = |slot| Near {
            key: u64::from(slot),
            cosine: self.cosine(query, slot),
        };
        let mut all: Vec<Near> = self.present.iter().map(near).collect();
        let best_first = |a: &Near, b: &Near| b.cosine.total_cmp(&a.cosine);
        let count = count.min(NEAREST_MAX);
        if count < all.len() {
            all.select_nth_unstable_by(count, best_first);
            all.truncate(count);
        }
        all.sort_unstable_by(best_first);
        Ok(all)
    }
}
