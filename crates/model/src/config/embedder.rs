//! Sizes of the embedder.

use serde::{Deserialize, Serialize};

use super::block::{BlockConfig, DOWN_ATTENTION_SIZE, Norm, Resample, block_shapes};
use super::bounds::check_bounds;
use super::{NetworkConfig, Shapes};
use crate::{Error, Result};

/// Channels of its input and of the discriminator's: landmark picture 3, frame 3.
const INPUT: usize = 6;

/// Sizes of an embedder E.
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

    /// Refuses sizes that no network can be built from, or that are out of range. `network` is its name in the message.
    ///
    /// # Errors
    /// [`Error::Config`] says what to change.
    pub fn check(&self, network: &'static str) -> Result<()> {
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

    /// Its blocks, and all but the last of the discriminator's: no norm, spectral norm, halving by pooling; self-attention
    /// behind the block whose output is 32x32.
    pub fn blocks(&self) -> Vec<BlockConfig> {
        let inputs = std::iter::once(INPUT).chain(self.widths.iter().copied());
        let levels = inputs.zip(&self.widths).enumerate();
        let block = |(level, (input, &output))| BlockConfig {
            input,
            output,
            resample: Resample::Pool,
            norm: Norm::None,
            leading_relu: level > 0,
            spectral_norm: true,
            self_attention: self.self_attention && self.resolution >> (level + 1) == DOWN_ATTENTION_SIZE,
        };
        levels.map(block).collect()
    }
}

impl NetworkConfig for EmbedderConfig {
    const NAME: &'static str = "embedder";

    fn check(&self) -> Result<()> {
        Self::check(self, Self::NAME)
    }

    fn shapes(&self) -> Shapes {
        block_shapes("blocks", &self.blocks()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_sizes_are_refused() {
        for (widths, resolution) in [(vec![], 64), (vec![4, 0], 64), (vec![4, 8], 10), (vec![4; 70], 64)] {
            let config = EmbedderConfig { widths, resolution, self_attention: false };
            assert!(matches!(NetworkConfig::check(&config), Err(Error::Config { .. })), "{config:?}");
        }
    }
}
