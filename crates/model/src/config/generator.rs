//! Sizes of the generator.
//!
//! One configuration covers both presets. Without skips it is the paper's network: four blocks halve the landmark
//! picture, AdaIN blocks of constant size follow, four AdaIN blocks double it again. With skips it is the `portrait`
//! U-Net: a full-size stem before the halving blocks, and what each level looked like on the way down is concatenated
//! to it on the way up.

use serde::{Deserialize, Serialize};

use super::block::{
    BlockConfig, DOWN_ATTENTION_SIZE, Norm, Resample, SINGULAR_VECTOR, UP_ATTENTION_SIZE, block_shapes,
    convolution_shapes,
};
use super::bounds::{MOST_CHANNELS, check_bounds};
use super::{NetworkConfig, Shapes};
use crate::{Error, Result};

/// Most AdaIN blocks at the smallest size.
const MOST_BLOCKS: usize = 64;

/// What the last layer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// 3 channels: the frame, RGB in -1..1 (tanh).
    Rgb,
    /// 6 channels of a composed frame ([`COMPOSITION_VERSION`](crate::COMPOSITION_VERSION)): residual flow x, y; blend
    /// mask; colour offset r, g, b.
    Composition,
}

impl Output {
    /// Number of channels.
    pub fn channels(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Composition => 6,
        }
    }
}

/// Sizes of a generator G and its projection P.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own in a configuration file")]
pub struct GeneratorConfig {
    /// Channels of the input: 3 (landmark picture), or 10 (warped photo 3, landmark picture 3, masks 4).
    pub input: usize,
    /// Channels per level, largest map first. Without skips the first level is already halved; with skips it has the
    /// full size.
    pub widths: Vec<usize>,
    /// AdaIN blocks at the smallest size.
    pub residual_blocks: usize,
    /// U-Net skips, a full-size stem, and halving by stride.
    pub skips: bool,
    /// Spectral norm on every convolution and on P.
    pub spectral_norm: bool,
    /// Self-attention at 32x32 on the way down and 64x64 on the way up.
    pub self_attention: bool,
    /// Length of the embedding that P projects to ψ.
    pub embedding: usize,
    /// What the last layer means.
    pub output: Output,
    /// Height and width it is trained at, pixels. Other multiples of `pixel_shuffle * 2^halvings` run too.
    pub resolution: usize,
    /// Its largest map is so many times smaller than its pictures: squares of so many pixels a side become channels of
    /// the input, and the last layer's channels such squares (Shi et al. 2016). 1 for a map as large as the pictures.
    #[serde(default = "one")]
    pub pixel_shuffle: usize,
    /// Whether the warped photo that it sees and paints on has the inside of the mouth painted where the photo keeps it
    /// shut. Without, lips are stretched over it.
    #[serde(default)]
    pub painted_mouth: bool,
}

/// Weight files from before [`GeneratorConfig::pixel_shuffle`] do without.
fn one() -> usize {
    1
}

impl GeneratorConfig {
    /// Channels of the largest map's input or output for `channels` of its pictures: a square of pixels each.
    pub fn shuffled_channels(&self, channels: usize) -> usize {
        channels * self.pixel_shuffle * self.pixel_shuffle
    }

    /// Height and width of the largest map at [`resolution`](Self::resolution).
    pub fn map_size(&self) -> usize {
        self.resolution / self.pixel_shuffle
    }

    /// How often the largest map's height and width are halved.
    pub fn halvings(&self) -> usize {
        self.widths.len() - usize::from(self.skips)
    }

    /// Floating-point operations of one frame's convolutions at [`resolution`](Self::resolution), as the layers are
    /// written: a multiplication and an addition count two; nothing is folded or moved to a smaller map, norms are left
    /// out.
    pub fn flops(&self) -> u64 {
        let convolution = |size: usize, kernel: usize, input: usize, output: usize| {
            2 * (size * size * kernel * kernel * input * output) as u64
        };
        let mut size = self.map_size();
        let mut total = 0;
        if self.skips {
            total += convolution(size, 3, self.shuffled_channels(self.input), self.widths[0]);
        }
        for block in self.down_blocks().into_iter().chain(self.middle_blocks()).chain(self.up_blocks()) {
            let (input, output) = (block.input, block.output);
            let after = match block.resample {
                Resample::Keep => size,
                Resample::Up => 2 * size,
                Resample::Pool | Resample::Stride => size / 2,
            };
            // Averaging comes behind both convolutions, everything else before or with the first one.
            let inner = if block.resample == Resample::Pool { size } else { after };
            total += convolution(inner, 3, input, output) + convolution(inner, 3, output, output);
            if block.has_skip() {
                let written = if block.resample == Resample::Stride { after } else { size.max(after) };
                total += convolution(written, 1, input, output);
            }
            size = after;
        }
        total + convolution(size, 3, self.last_width(), self.shuffled_channels(self.output.channels()))
    }

    /// Refuses sizes that no generator can be built from, or that are out of range.
    ///
    /// # Errors
    /// [`Error::Config`] says what to change.
    pub fn check(&self) -> Result<()> {
        let fail = |reason: String| Err(Error::Config { network: "generator", reason });
        check_bounds("generator", &self.widths, self.resolution)?;
        if self.residual_blocks > MOST_BLOCKS || self.input > MOST_CHANNELS || self.embedding > MOST_CHANNELS
        {
            return fail(format!(
                "residual_blocks must be at most {MOST_BLOCKS}, input and embedding at most {MOST_CHANNELS}"
            ));
        }
        if self.widths.len() < 1 + usize::from(self.skips) || self.widths.contains(&0) {
            return fail("widths must be a list of positive numbers, two or more with skips".to_owned());
        }
        if self.input == 0 || self.embedding == 0 {
            return fail("input channels and embedding length must be positive".to_owned());
        }
        if self.painted_mouth && self.output != Output::Composition {
            return fail("a generator that makes its frames itself sees no mouth to be painted".to_owned());
        }
        if !(1..=8).contains(&self.pixel_shuffle) {
            return fail(format!("pixel_shuffle must be within 1 and 8, not {}", self.pixel_shuffle));
        }
        if self.pixel_shuffle > 1 && !self.skips {
            return fail("pixel_shuffle needs the stem that comes with skips".to_owned());
        }
        let unit = 1usize.checked_shl(self.halvings() as u32).unwrap_or(0) * self.pixel_shuffle;
        if unit == 0 || self.resolution == 0 || !self.resolution.is_multiple_of(unit) {
            return fail(format!("resolution {} must be a multiple of {unit}", self.resolution));
        }
        Ok(())
    }

    /// Blocks that halve the map, the largest first.
    pub fn down_blocks(&self) -> Vec<BlockConfig> {
        let widths = &self.widths;
        let inputs = std::iter::once(self.input).chain(widths.iter().copied());
        let levels = inputs.zip(widths).enumerate().skip(usize::from(self.skips));
        levels
            .map(|(level, (input, &output))| BlockConfig {
                input,
                output,
                resample: if self.skips { Resample::Stride } else { Resample::Pool },
                norm: if level == 0 { Norm::None } else { Norm::Affine },
                leading_relu: level > 0,
                spectral_norm: self.spectral_norm,
                self_attention: self.self_attention
                    && self.map_size() >> (level + usize::from(!self.skips)) == DOWN_ATTENTION_SIZE,
            })
            .collect()
    }

    /// AdaIN blocks at the smallest size.
    pub fn middle_blocks(&self) -> Vec<BlockConfig> {
        let width = self.deepest();
        let block = BlockConfig {
            input: width,
            output: width,
            resample: Resample::Keep,
            norm: Norm::Adaptive,
            leading_relu: true,
            spectral_norm: self.spectral_norm,
            self_attention: false,
        };
        vec![block; self.residual_blocks]
    }

    /// AdaIN blocks that double the map.
    pub fn up_blocks(&self) -> Vec<BlockConfig> {
        let mut input = self.deepest();
        let mut size = self.map_size() >> self.halvings();
        let outputs = self.widths.iter().rev().skip(usize::from(self.skips));
        outputs
            .map(|&output| {
                size *= 2;
                let block = BlockConfig {
                    input,
                    output,
                    resample: Resample::Up,
                    norm: Norm::Adaptive,
                    leading_relu: true,
                    spectral_norm: self.spectral_norm,
                    self_attention: self.self_attention && size == UP_ATTENTION_SIZE,
                };
                input = if self.skips { 2 * output } else { output };
                block
            })
            .collect()
    }

    fn deepest(&self) -> usize {
        self.widths.last().copied().unwrap_or(0)
    }

    /// Channels that reach the last AdaIN and convolution.
    pub fn last_width(&self) -> usize {
        self.widths[0] * if self.skips { 2 } else { 1 }
    }

    /// Channels of every AdaIN layer in the order in which they take their values from ψ.
    pub fn adain_channels(&self) -> Vec<usize> {
        let blocks = self.middle_blocks().into_iter().chain(self.up_blocks());
        blocks.flat_map(|block| [block.input, block.output]).chain([self.last_width()]).collect()
    }

    /// Length of ψ.
    pub fn psi_len(&self) -> usize {
        2 * self.adain_channels().iter().sum::<usize>()
    }
}

impl NetworkConfig for GeneratorConfig {
    const NAME: &'static str = "generator";

    fn check(&self) -> Result<()> {
        Self::check(self)
    }

    fn shapes(&self) -> Shapes {
        // The last layer and P of a composing generator start at zero, which has no spectral norm.
        let last_norm = self.spectral_norm && self.output == Output::Rgb;
        let stem = [self.widths[0], self.shuffled_channels(self.input), 3];
        let stem = self.skips.then(|| convolution_shapes("stem", stem, true, self.spectral_norm));
        let output = [self.shuffled_channels(self.output.channels()), self.last_width(), 3];
        let psi = self.psi_len();
        let mut shapes: Shapes = stem.into_iter().flatten().collect();
        shapes.extend(block_shapes("down", &self.down_blocks()));
        shapes.extend(block_shapes("middle", &self.middle_blocks()));
        shapes.extend(block_shapes("up", &self.up_blocks()));
        shapes.extend(convolution_shapes("output", output, true, last_norm));
        shapes.insert("projection.weight".to_owned(), vec![psi, self.embedding]);
        shapes.insert("projection.bias".to_owned(), vec![psi]);
        if last_norm {
            shapes.insert(format!("projection.{SINGULAR_VECTOR}"), vec![psi]);
        }
        shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    #[test]
    fn operations_of_a_frame() {
        // DESIGN.md §4: 94 GFLOP.
        let gflop = |preset: Preset| preset.config().generator.flops() as f64 * 1e-9;
        assert!((gflop(Preset::Paper) - 94.0).abs() < 0.5, "{}", gflop(Preset::Paper));
        assert!(gflop(Preset::Portrait) < 5.0, "{}", gflop(Preset::Portrait));
        assert_eq!(Preset::Paper.config().generator.psi_len(), 13_056);
    }

    #[test]
    fn unusable_sizes_are_refused() {
        let [paper, portrait] = [Preset::Paper, Preset::Portrait].map(|preset| preset.config().generator);
        for config in [
            GeneratorConfig { widths: vec![], ..paper.clone() },
            GeneratorConfig { widths: vec![4], ..portrait.clone() },
            GeneratorConfig { resolution: 20, ..paper.clone() },
            GeneratorConfig { embedding: 0, ..paper.clone() },
            GeneratorConfig { painted_mouth: true, ..paper.clone() },
            GeneratorConfig { pixel_shuffle: 0, ..portrait.clone() },
            GeneratorConfig { pixel_shuffle: 3, ..portrait },
            GeneratorConfig { pixel_shuffle: 2, ..paper },
        ] {
            assert!(matches!(config.check(), Err(Error::Config { .. })), "{config:?}");
        }
    }
}
