//! The embedder E: pictures of a person in, one vector out (paper §3.2; DESIGN.md §4).

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use serde::{Deserialize, Serialize};

use crate::block::{ResidualBlock, down_path};
use crate::{Error, Result};

/// Sizes of an [`Embedder`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedderConfig {
    /// Channels behind each halving; the last one is the length of the embedding.
    pub widths: Vec<usize>,
    /// Height and width of the pictures it is trained on, pixels. Other multiples of `2^widths.len()` run too.
    pub resolution: usize,
    /// Self-attention at 32x32.
    pub self_attention: bool,
}

impl EmbedderConfig {
    /// Length of the embedding.
    pub fn embedding(&self) -> usize {
        self.widths.last().copied().unwrap_or(0)
    }

    /// Parameters of the 3x3 convolutions: the network has at least so many.
    pub(crate) fn least_parameters(&self) -> usize {
        let inputs = std::iter::once(6).chain(self.widths.iter().copied());
        inputs.zip(&self.widths).map(|(input, output)| 9 * output * (input + output)).sum()
    }

    pub(crate) fn check(&self, network: &'static str) -> Result<()> {
        let fail = |reason: String| Err(Error::Config { network, reason });
        check_bounds(network, &self.widths, self.resolution)?;
        if self.widths.is_empty() || self.widths.contains(&0) {
            return fail("widths must be a list of positive numbers".to_owned());
        }
        let unit = 1usize.checked_shl(self.widths.len() as u32).unwrap_or(0);
        if unit == 0 || self.resolution == 0 || !self.resolution.is_multiple_of(unit) {
            let levels = self.widths.len();
            return fail(format!("resolution {} must be a multiple of 2^{levels}", self.resolution));
        }
        Ok(())
    }
}

/// Most widths, and so halvings, of a network: 12 halve 4096 pixels to one.
const MOST_LEVELS: usize = 12;
/// Most channels of a layer; the paper has 512.
pub(crate) const MOST_CHANNELS: usize = 4096;
/// Largest side of the pictures a network is trained on, pixels.
pub(crate) const LARGEST_SIDE: usize = 4096;

/// Refuses sizes that are out of range, before they are multiplied or memory is allocated.
pub(crate) fn check_bounds(network: &'static str, widths: &[usize], resolution: usize) -> Result<()> {
    let fail = |reason: String| Err(Error::Config { network, reason });
    if widths.len() > MOST_LEVELS || widths.iter().any(|width| *width > MOST_CHANNELS) {
        return fail(format!("widths must be at most {MOST_LEVELS} numbers up to {MOST_CHANNELS}"));
    }
    if resolution > LARGEST_SIDE {
        return fail(format!("resolution {resolution} must be at most {LARGEST_SIDE}"));
    }
    Ok(())
}

/// E(frame, landmark picture) -> embedding.
#[derive(Module, Debug)]
pub struct Embedder {
    blocks: Vec<ResidualBlock>,
}

impl Embedder {
    /// An embedder with fresh weights.
    pub fn new(config: &EmbedderConfig, device: &Device) -> Result<Self> {
        config.check("embedder")?;
        let blocks = down_path(6, &config.widths, config.resolution, config.self_attention, device);
        Ok(Self { blocks })
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
    use crate::{Preset, parameter_count};

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

    #[test]
    fn unusable_configurations_are_refused() {
        for (widths, resolution) in [(vec![], 64), (vec![4, 0], 64), (vec![4, 8], 10), (vec![4; 70], 64)] {
            let config = EmbedderConfig { widths, resolution, self_attention: false };
            assert!(
                matches!(Embedder::new(&config, &Device::flex()), Err(Error::Config { .. })),
                "{config:?}"
            );
        }
    }
}
