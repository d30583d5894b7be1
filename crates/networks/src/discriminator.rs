//! The projection discriminator D: how real a frame looks, how well it fits its landmark picture, and whether it shows
//! the person it should (paper §3.2; DESIGN.md §4).

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Int, Tensor};
use gioconda_model::{DiscriminatorConfig, NetworkConfig as _, Weights};

use crate::Result;
use crate::block::{ResidualBlock, residual_blocks};
use crate::embedder::sum_pooled;
use crate::layers::Linear;
use crate::spectral::{normalized, singular_vector};
use crate::weights::load_whole;

/// Half the width of the uniform distribution that W starts from (DESIGN.md §4).
const EMBEDDING_RANGE: f64 = 0.1;

/// What D says about frames.
#[derive(Debug)]
pub struct Verdict {
    /// Realism score, unbounded (hinge loss, no sigmoid), `[B]`.
    pub score: Tensor<1>,
    /// The outputs of all blocks, for feature matching.
    pub features: Vec<Tensor<4>>,
}

/// D without its embedding rows W ([`VideoEmbeddings`]).
#[derive(Module, Debug)]
pub struct Discriminator {
    blocks: Vec<ResidualBlock>,
    linear: Linear,
}

impl Discriminator {
    /// A discriminator with fresh weights.
    pub fn new(config: &DiscriminatorConfig, device: &Device) -> Result<Self> {
        config.check()?;
        let blocks = residual_blocks(&config.blocks(), device);
        Ok(Self { blocks, linear: Linear::new(config.embedding(), 1, device).spectral_norm() })
    }

    /// A discriminator with these weights.
    ///
    /// # Errors
    /// When their sizes are out of range.
    pub fn from_weights(weights: &Weights<DiscriminatorConfig>, device: &Device) -> Result<Self> {
        Ok(load_whole(weights.parameters(), Self::new(weights.config(), device)?))
    }

    /// `frames` and landmark `pictures`: `[B, 3, H, W]`, RGB in -1..1; `identities`: rows Wᵢ, or ê of a new person,
    /// `[B, width]`.
    ///
    /// The score is `vᵀ(Wᵢ + w₀) + b`. Few-shot learning tunes `w' = w₀ + ê` by making `identities` = ê a parameter.
    pub fn forward(&self, frames: Tensor<4>, pictures: Tensor<4>, identities: Tensor<2>) -> Verdict {
        let mut x = Tensor::cat(vec![pictures, frames], 1); // [B, 6, H, W]
        let mut features = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            x = block.forward(x); // [B, widths[i], H/2^(i+1), W/2^(i+1)]; the last one keeps the size
            features.push(x.clone());
        }
        let v = sum_pooled(x); // [B, width]
        let realism: Tensor<1> = self.linear.forward(v.clone()).squeeze_dim(1); // [B]
        let identity: Tensor<1> = (v * identities).sum_dims_squeeze(&[1]); // [B]
        Verdict { score: identity + realism, features }
    }
}

/// W, a row per training video, spectrally normalised as one matrix.
#[derive(Module, Debug)]
pub struct VideoEmbeddings {
    weight: Param<Tensor<2>>,
    u: Param<Tensor<1>>,
}

impl VideoEmbeddings {
    /// Rows of length `width` for `videos` videos, U(-0.1, 0.1).
    pub fn new(videos: usize, width: usize, device: &Device) -> Self {
        let range = Distribution::Uniform(-EMBEDDING_RANGE, EMBEDDING_RANGE);
        let weight = Tensor::random([videos, width], range, device);
        let u = singular_vector(&weight, device);
        Self { weight: Param::from_tensor(weight), u }
    }

    /// The rows Wᵢ of `videos`, `[B] -> [B, width]`.
    pub fn rows(&self, videos: Tensor<1, Int>) -> Tensor<2> {
        normalized(self.weight.val(), self.u.val()).select(0, videos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter_count;
    use gioconda_model::Preset;

    #[test]
    fn parameter_counts() {
        let config = Preset::Paper.config().discriminator;
        let discriminator = Discriminator::new(&config, &Device::flex()).unwrap();
        assert_eq!(parameter_count(&discriminator), 19_545_153);
    }

    #[test]
    fn seven_features_and_one_score_per_frame() {
        let device = Device::flex();
        let config =
            DiscriminatorConfig { widths: vec![2, 4, 4, 4, 8, 8], resolution: 64, self_attention: true };
        let discriminator = Discriminator::new(&config, &device).unwrap();
        let picture = || Tensor::<4>::random([2, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), &device);
        let verdict = discriminator.forward(picture(), picture(), Tensor::zeros([2, 8], &device));
        assert_eq!(verdict.score.dims(), [2]);
        let sizes: Vec<_> = verdict.features.iter().map(|map| map.dims()[2]).collect();
        assert_eq!(sizes, [32, 16, 8, 4, 2, 1, 1]);
    }

    #[test]
    fn identities_enter_linearly() {
        let device = Device::flex();
        let config = DiscriminatorConfig { widths: vec![4, 8], resolution: 8, self_attention: false };
        let discriminator = Discriminator::new(&config, &device).unwrap();
        let picture = Tensor::<4>::random([1, 3, 8, 8], Distribution::Uniform(-1.0, 1.0), &device);
        let score = |scale: f32| {
            let identity = Tensor::<2>::full([1, 8], scale, &device);
            discriminator.forward(picture.clone(), picture.clone(), identity).score.into_scalar::<f32>()
        };
        let (none, one, two) = (score(0.0), score(1.0), score(2.0));
        assert!(((two - one) - (one - none)).abs() < 1e-3 * (one - none).abs().max(1.0));
    }
}
