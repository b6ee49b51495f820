//! Embedders: text to vectors. Vectors of different embedders are never compared.

mod hash;
mod http;
#[cfg(feature = "candle")]
mod model;
mod static_table;
mod wordpiece;

pub use hash::HashEmbedder;
pub use http::HttpEmbedder;
#[cfg(feature = "candle")]
pub use model::ModelEmbedder;
pub use static_table::StaticEmbedder;

/// `vector` at length one; `None` if its features cancelled out to nothing.
fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !norm.is_finite() || norm < 1e-6 {
        return None;
    }
    vector.iter_mut().for_each(|x| *x /= norm);
    Some(vector)
}
