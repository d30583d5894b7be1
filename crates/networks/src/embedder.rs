//! The embedder E: pictures of a person in, one vector out (paper §3.2; DESIGN.md §4).

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use gioconda_model::{EmbedderConfig, NetworkConfig as _, Weights};

use crate::Result;
use crate::block::{ResidualBlock, residual_blocks};
use crate::weights::{load_whole, parameters};

/// E(frame, landmark picture) -> embedding.
#[derive(Module, Debug)]
pub struct Embedder {
    blocks: Vec<ResidualBlock>,
}

impl Embedder {
    /// An embedder with fresh weights.
    pub fn new(config: &EmbedderConfig, device: &Device) -> Result<Self> {
        config.check(EmbedderConfig::NAME)?;
        Ok(Self { blocks: residual_blocks(&config.blocks(), device) })
    }

    /// An embedder with these weights.
    ///
    /// # Errors
    /// When their sizes are out of range.
    pub fn from_weights(weights: &Weights<EmbedderConfig>, device: &Device) -> Result<Self> {
        Ok(load_whole(weights.parameters(), Self::new(weights.config(), device)?))
    }

    /// Its weights; `config` must be what it was built with.
    ///
    /// # Panics
    /// When it was not.
    pub fn weights(&self, config: &EmbedderConfig) -> Weights<EmbedderConfig> {
        Weights::new(config.clone(), parameters(self)).expect("an embedder of these sizes")
    }

    /// One embedding per frame. `frames` and landmark `pictures`: `[N, 3, H, W]`, RGB in -1..1; out `[N, embedding]`.
    pub fn embed(&self, frames: Tensor<4>, pictures: Tensor<4>) -> Tensor<2> {
        let mut x = Tensor::cat(vec![pictures, frames], 1); // [N, 6, H, W]
        for block in &self.blocks {
            x = block.forward(x); // [N, widths[i], H/2^(i+1), W/2^(i+1)]
        }
        sum_pooled(x) // [N, embedding]
    }

    /// ê, the mean over K frames of each person. `frames` and `pictures`: `[B, K, 3, H, W]`; out `[B, embedding]`.
    pub fn forward(&self, frames: Tensor<5>, pictures: Tensor<5>) -> Tensor<2> {
        let [people, shots, ..] = frames.dims();
        let embeddings = self.embed(frames.flatten(0, 1), pictures.flatten(0, 1)); // [B·K, embedding]
        let length = embeddings.dims()[1];
        embeddings.reshape([people, shots, length]).mean_dim(1).reshape([people, length])
    }
}

/// `[N, C, h, w] -> [N, C]`: ReLU, then the **sum** over all pixels (paper §4, not the mean).
pub(crate) fn sum_pooled(x: Tensor<4>) -> Tensor<2> {
    activation::relu(x).sum_dims_squeeze(&[2, 3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter_count;
    use gioconda_model::Preset;

    #[test]
    fn parameter_counts() {
        let device = Device::flex();
        let embedder = Embedder::new(&Preset::Paper.config().embedder, &device).unwrap();
        assert_eq!(parameter_count(&embedder), 14_825_024);
    }

    #[test]
    fn pooling_sums() {
        let x = Tensor::<4>::from_floats([[[[1.0, 2.0], [-3.0, 4.0]]]], &Device::flex());
        assert_eq!(sum_pooled(x).try_into_vec_as::<f32>().unwrap(), [7.0]);
    }

    #[test]
    fn the_embedding_is_the_mean_over_frames() {
        let device = Device::flex();
        let config = EmbedderConfig { widths: vec![4, 8], resolution: 8, self_attention: false };
        let embedder = Embedder::new(&config, &device).unwrap();
        let random =
            || Tensor::<5>::random([1, 2, 3, 8, 8], burn::tensor::Distribution::Uniform(-1.0, 1.0), &device);
        let (frames, pictures) = (random(), random());
        let mean = embedder.forward(frames.clone(), pictures.clone());
        let each = embedder.embed(frames.flatten(0, 1), pictures.flatten(0, 1)); // [2, 8]
        let difference = (each.mean_dim(0) - mean).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-5, "{difference}");
    }
}
