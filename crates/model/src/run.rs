//! Networks without a tensor library, for one person on the CPU: weights are packed and buffers made once, norms and
//! activations are applied while a convolution reads its input.

mod attention;
mod block;
mod embedder;
mod generator;
mod layer;
mod maker;
pub mod pixel_shuffle;

pub use embedder::PreparedEmbedder;
pub use generator::{PreparedGenerator, adaptive_values};
pub use layer::NORM_EPSILON;
pub use maker::{AVERAGING_SPREAD, ENLARGING_SPREAD, SPECTRAL_EPSILON};
