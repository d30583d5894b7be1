//! Sizes of the discriminator.

use serde::{Deserialize, Serialize};

use super::block::{BlockConfig, Norm, Resample, block_shapes};
use super::{EmbedderConfig, NetworkConfig, Shapes};
use crate::Result;

/// Sizes of a discriminator D. The last width must equal the embedder's, for `ê` stands in for a row of W in
/// few-shot learning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscriminatorConfig {
    /// Channels behind each halving.
    pub widths: Vec<usize>,
    /// Height and width of the pictures it is trained on, pixels.
    pub resolution: usize,
    /// Self-attention at 32x32.
    pub self_attention: bool,
}

impl DiscriminatorConfig {
    /// Length of a row of W.
    pub fn embedding(&self) -> usize {
        self.as_embedder().embedding()
    }

    /// The embedder's blocks, and one that keeps the size.
    pub fn blocks(&self) -> Vec<BlockConfig> {
        let last = BlockConfig {
            input: self.embedding(),
            output: self.embedding(),
            resample: Resample::Keep,
            norm: Norm::None,
            leading_relu: true,
            spectral_norm: true,
            self_attention: false,
        };
        self.as_embedder().blocks().into_iter().chain([last]).collect()
    }

    fn as_embedder(&self) -> EmbedderConfig {
        let Self { widths, resolution, self_attention } = self.clone();
        EmbedderConfig { widths, resolution, self_attention }
    }
}

impl NetworkConfig for DiscriminatorConfig {
    const NAME: &'static str = "discriminator";

    fn check(&self) -> Result<()> {
        self.as_embedder().check(Self::NAME)
    }

    fn shapes(&self) -> Shapes {
        let linear = [
            ("linear.weight".to_owned(), vec![1, self.embedding()]),
            ("linear.bias".to_owned(), vec![1]),
            ("linear.u".to_owned(), vec![1]),
        ];
        block_shapes("blocks", &self.blocks()).chain(linear).collect()
    }
}
