//! Embedders: text to vectors. Vectors of different embedders are never compared.

mod hash;

pub use hash::HashEmbedder;
