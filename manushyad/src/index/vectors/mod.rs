//! Vectors: the exact rows, which are the truth, and the graph, which is fast.

mod exact;
mod graph;

use std::fmt;

use numkong::{Dot, bf16};

pub use exact::Exact;
pub use graph::Graph;

/// The most neighbours one question may ask for.
pub const NEAREST_MAX: usize = 1000;

/// Why a vector was not taken, or not searched for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// It has another number of dimensions than the index.
    #[error("the vector has {actual} dimensions; the index has {expected}")]
    Dims {
        /// Dimensions of the index.
        expected: usize,
        /// Dimensions of the vector.
        actual: usize,
    },
    /// One of its numbers is infinite or not a number.
    #[error("the vector holds a number that is not finite")]
    NotFinite,
    /// It points nowhere.
    #[error("the vector is zero")]
    Zero,
    /// The graph refused.
    #[error("the vector graph failed to {doing}: {reason}")]
    Graph {
        /// What was attempted.
        doing: &'static str,
        /// What it says.
        reason: String,
    },
}

/// A vector of length one, rounded to bf16.
#[derive(Clone)]
pub struct Unit(Box<[bf16]>);

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unit({} dims)", self.0.len())
    }
}

impl Unit {
    /// Brings `values` to length one.
    ///
    /// # Errors
    ///
    /// [`VectorError::NotFinite`] or [`VectorError::Zero`].
    pub fn new(values: &[f32]) -> Result<Self, VectorError> {
        if !values.iter().all(|value| value.is_finite()) {
            return Err(VectorError::NotFinite);
        }
        let square: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
        let norm = square.sqrt();
        if norm < f64::from(f32::MIN_POSITIVE) {
            return Err(VectorError::Zero);
        }
        let round = |&value: &f32| bf16::from_f32((f64::from(value) / norm) as f32);
        Ok(Self(values.iter().map(round).collect()))
    }

    /// A row that was written from a vector of length one.
    pub(super) fn of_row(row: &[bf16]) -> Self {
        Self(row.into())
    }

    /// How many numbers it has.
    pub fn dims(&self) -> usize {
        self.0.len()
    }

    /// Refuses it unless it has `dims` dimensions.
    ///
    /// # Errors
    ///
    /// [`VectorError::Dims`].
    pub fn check_dims(&self, dims: usize) -> Result<(), VectorError> {
        if self.dims() == dims {
            return Ok(());
        }
        Err(VectorError::Dims {
            expected: dims,
            actual: self.dims(),
        })
    }

    /// The cosine of the angle to `row`, a vector of length one; 0 if dimensions differ.
    #[inline]
    pub fn cosine(&self, row: &[bf16]) -> f32 {
        bf16::dot(&self.0, row).unwrap_or(0.0)
    }

    /// The numbers.
    pub fn values(&self) -> &[bf16] {
        &self.0
    }

    /// The numbers, widened.
    pub(super) fn widened(&self) -> Vec<f32> {
        self.0.iter().map(|value| value.to_f32()).collect()
    }
}

/// A neighbour of a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// What the index calls it.
    pub key: u64,
    /// The cosine of the angle to the question, -1 to 1.
    pub cosine: f32,
}

/// Finds the nearest of many vectors.
pub trait VectorIndex {
    /// How many vectors there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `count` nearest to `query`, nearest first; at most 1,000.
    ///
    /// # Errors
    ///
    /// [`VectorError`] if the dimensions differ, or the index fails.
    fn nearest(&self, query: &Unit, count: usize) -> Result<Vec<Near>, VectorError>;
}
