//! The generator G: a picture of where the face should be in, the person's face there out (paper §3.2; DESIGN.md §1, §4).
//!
//! One configuration covers both presets. Without skips it is the paper's network: four blocks halve the landmark
//! picture, AdaIN blocks of constant size follow, four AdaIN blocks double it again. With skips it is the `portrait`
//! U-Net: a full-size stem before the halving blocks, and what each level looked like on the way down is concatenated
//! to it on the way up.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use serde::{Deserialize, Serialize};

use crate::block::DOWN_ATTENTION_SIZE;
use crate::block::{BlockConfig, Norm, Resample, ResidualBlock, UP_ATTENTION_SIZE};
use crate::embedder::{MOST_CHANNELS, check_bounds};
use crate::layers::{Conv2d, Linear, Psi};
use crate::pixel_shuffle::{shuffled, unshuffled};
use crate::{Error, Result};

/// Largest residual flow, in the sampling grid's -1..1 coordinates (PROTOTYPE.md: `tanh x 0.25`).
pub(crate) const FLOW_RANGE: f64 = 0.25;
/// Bias of the blend mask before the sigmoid in a fresh network: mostly warp (PROTOTYPE.md).
const MASK_BIAS: f32 = 2.0;

/// Most AdaIN blocks at the smallest size.
const MOST_BLOCKS: usize = 64;

/// What the last layer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// 3 channels: the frame, RGB in -1..1 (tanh).
    Rgb,
    /// 6 channels for [`compose`](crate::compose): residual flow x, y; blend mask; colour offset r, g, b.
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

/// Sizes of a [`Generator`].
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
    /// Channels of the largest map's input and output: a square of pixels each.
    fn shuffled_channels(&self, channels: usize) -> usize {
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
            if input != output || block.resample != Resample::Keep {
                let written = if block.resample == Resample::Stride { after } else { size.max(after) };
                total += convolution(written, 1, input, output);
            }
            size = after;
        }
        total + convolution(size, 3, self.last_width(), self.shuffled_channels(self.output.channels()))
    }

    /// Parameters of the blocks' 3x3 convolutions and of P: the network has at least so many.
    pub(crate) fn least_parameters(&self) -> usize {
        let blocks = self.down_blocks().into_iter().chain(self.middle_blocks()).chain(self.up_blocks());
        let convolutions: usize = blocks.map(|block| 9 * block.output * (block.input + block.output)).sum();
        convolutions + self.embedding * self.psi_len()
    }

    pub(crate) fn check(&self) -> Result<()> {
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

    fn down_blocks(&self) -> Vec<BlockConfig> {
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

    fn middle_blocks(&self) -> Vec<BlockConfig> {
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

    fn up_blocks(&self) -> Vec<BlockConfig> {
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
    pub(crate) fn last_width(&self) -> usize {
        self.widths[0] * if self.skips { 2 } else { 1 }
    }

    /// Channels of every AdaIN layer in the order in which they take their values from ψ.
    pub(crate) fn adain_channels(&self) -> Vec<usize> {
        let blocks = self.middle_blocks().into_iter().chain(self.up_blocks());
        blocks.flat_map(|block| [block.input, block.output]).chain([self.last_width()]).collect()
    }

    /// Length of ψ.
    pub fn psi_len(&self) -> usize {
        2 * self.adain_channels().iter().sum::<usize>()
    }
}

/// G and its projection P.
#[derive(Module, Debug)]
pub struct Generator {
    pub(crate) stem: Option<Conv2d>,
    pub(crate) down: Vec<ResidualBlock>,
    pub(crate) middle: Vec<ResidualBlock>,
    pub(crate) up: Vec<ResidualBlock>,
    pub(crate) output: Conv2d,
    /// P: embedding -> ψ.
    pub(crate) projection: Linear,
    #[module(skip)]
    pub(crate) config: GeneratorConfig,
}

impl Generator {
    /// A generator with fresh weights. With [`Output::Composition`] its frame is the mesh warp, untouched.
    pub fn new(config: &GeneratorConfig, device: &Device) -> Result<Self> {
        config.check()?;
        let normalize = |conv: Conv2d| if config.spectral_norm { conv.spectral_norm() } else { conv };
        let blocks = |configs: Vec<BlockConfig>| -> Vec<ResidualBlock> {
            configs.into_iter().map(|block| ResidualBlock::new(block, device)).collect()
        };
        let input = config.shuffled_channels(config.input);
        let stem = config.skips.then(|| normalize(Conv2d::new(input, config.widths[0], 3, device).bias()));
        let channels = config.shuffled_channels(config.output.channels());
        let output = Conv2d::new(config.last_width(), channels, 3, device);
        let (output, projection) = match config.output {
            Output::Rgb => (normalize(output.bias()), Self::projection(config, device)),
            // A zero weight has no singular vector to divide by: these two stay unnormalised.
            Output::Composition => (
                output.zero_with_bias(&composition_bias(config.shuffled_channels(1))),
                Linear::new(config.embedding, config.psi_len(), device).zero_with_bias(&plain_psi(config)),
            ),
        };
        Ok(Self {
            stem,
            down: blocks(config.down_blocks()),
            middle: blocks(config.middle_blocks()),
            up: blocks(config.up_blocks()),
            output,
            projection,
            config: config.clone(),
        })
    }

    fn projection(config: &GeneratorConfig, device: &Device) -> Linear {
        let linear = Linear::new(config.embedding, config.psi_len(), device);
        if config.spectral_norm { linear.spectral_norm() } else { linear }
    }

    /// ψ = P·ê: `[B, embedding] -> [B, psi_len]`.
    pub fn project(&self, embedding: Tensor<2>) -> Tensor<2> {
        self.projection.forward(embedding)
    }

    /// `input`: `[B, input, H, W]`; `psi`: `[B, psi_len]` or `[1, psi_len]`; out `[B, 3 or 6, H, W]`, see [`Output`].
    ///
    /// # Panics
    /// When `input` or `psi` have other sizes than the configuration says.
    pub fn forward(&self, input: Tensor<4>, psi: Tensor<2>) -> Tensor<4> {
        assert_eq!(psi.dims()[1], self.config.psi_len(), "psi must have the generator's length");
        let mut psi = Psi::new(psi);
        let mut skips = Vec::with_capacity(self.down.len());
        let input = unshuffled(input, self.config.pixel_shuffle);
        let mut x = match &self.stem {
            Some(stem) => stem.forward(input), // [B, widths[0], h, w], h = H / pixel_shuffle
            None => input,
        };
        for block in &self.down {
            if self.config.skips {
                skips.push(x.clone());
            }
            x = block.forward(x); // halved
        }
        for block in &self.middle {
            x = block.forward_adaptive(x, &mut psi); // [B, widths[last], h/2^halvings, w/2^halvings]
        }
        for block in &self.up {
            x = block.forward_adaptive(x, &mut psi); // doubled
            if let Some(skip) = skips.pop() {
                x = Tensor::cat(vec![x, skip], 1); // [B, 2·widths[i], ..]
            }
        }
        let x = self.output.forward(psi.adain(x, true)); // [B, (3 or 6) · pixel_shuffle², h, w]
        let x = shuffled(x, self.config.pixel_shuffle); // [B, 3 or 6, H, W]
        match self.config.output {
            Output::Rgb => x.tanh(),
            Output::Composition => composition_channels(x),
        }
    }

    /// The sizes it was built with.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// P, for counting its parameters apart.
    pub fn projection_layer(&self) -> &Linear {
        &self.projection
    }

    /// The same generator for pictures `factor` times as large on maps as large as before: its pixel shuffle and its
    /// resolution are multiplied. What it answers is what it answered to the means of `factor` x `factor` pixels, for all
    /// of them alike: where it has been trained on small pictures, training on large ones can begin.
    ///
    /// # Errors
    /// When it has no stem, spectral norms, which depend on the shape of weights, or shuffles pixels already.
    pub fn refined(self, factor: usize) -> Result<Self> {
        let resolution = self.config.resolution * factor;
        let pixel_shuffle = self.config.pixel_shuffle * factor;
        let config = GeneratorConfig { resolution, pixel_shuffle, ..self.config.clone() };
        config.check()?;
        if config.spectral_norm || self.config.pixel_shuffle > 1 {
            let reason = "with spectral norm or pixel shuffle it cannot be refined".to_owned();
            return Err(Error::Config { network: "generator", reason });
        }
        let square = factor * factor;
        let stem = self.stem.map(|stem| stem.inputs_shared(square));
        Ok(Self { stem, output: self.output.outputs_repeated(square), config, ..self })
    }

    /// The same generator for inference: spectral norms divided into the weights.
    #[must_use]
    pub fn folded(self) -> Self {
        let fold = |blocks: Vec<ResidualBlock>| blocks.into_iter().map(ResidualBlock::folded).collect();
        Self {
            stem: self.stem.map(Conv2d::folded),
            down: fold(self.down),
            middle: fold(self.middle),
            up: fold(self.up),
            output: self.output.folded(),
            projection: self.projection.folded(),
            config: self.config,
        }
    }
}

/// The last layer's bias in a fresh network, for each of `pixels` of a square: neither flow nor colour, mostly warp.
fn composition_bias(pixels: usize) -> Vec<f32> {
    let channels = [0.0, 0.0, MASK_BIAS, 0.0, 0.0, 0.0];
    channels.into_iter().flat_map(|bias| std::iter::repeat_n(bias, pixels)).collect()
}

/// ψ with which every AdaIN layer is a plain instance norm: biases 0, scales 1.
fn plain_psi(config: &GeneratorConfig) -> Vec<f32> {
    let layers = config.adain_channels().into_iter();
    layers.flat_map(|channels| [0.0, 1.0].into_iter().flat_map(move |value| vec![value; channels])).collect()
}

/// Activations of the six channels: flow `tanh x 0.25`, mask sigmoid, colour as it is (an offset in atanh space).
fn composition_channels(x: Tensor<4>) -> Tensor<4> {
    let flow = x.clone().narrow(1, 0, 2).tanh() * FLOW_RANGE;
    let mask = activation::sigmoid(x.clone().narrow(1, 2, 1));
    let colour = x.narrow(1, 3, 3);
    Tensor::cat(vec![flow, mask, colour], 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Preset, SpectralNorm, parameter_count};
    use burn::tensor::Distribution;

    #[test]
    fn parameter_counts() {
        let device = Device::flex();
        let generator = Generator::new(&Preset::Paper.config().generator, &device).unwrap();
        let projection = parameter_count(generator.projection_layer());
        assert_eq!(projection, 6_697_728);
        assert_eq!(parameter_count(&generator) - projection, 31_211_715);
        assert_eq!(generator.config().psi_len(), 13_056);
    }

    #[test]
    fn operations_of_a_frame() {
        // DESIGN.md §4: 94 GFLOP.
        let gflop = |preset: Preset| preset.config().generator.flops() as f64 * 1e-9;
        assert!((gflop(Preset::Paper) - 94.0).abs() < 0.5, "{}", gflop(Preset::Paper));
        assert!(gflop(Preset::Portrait) < 5.0, "{}", gflop(Preset::Portrait));
    }

    fn tiny(preset: Preset) -> GeneratorConfig {
        let config = preset.config().generator;
        let widths = config.widths.iter().map(|width| width / 8).collect();
        GeneratorConfig { widths, resolution: 32, embedding: 8, ..config }
    }

    #[test]
    fn output_shapes() {
        let device = Device::flex();
        for preset in Preset::ALL {
            for self_attention in [false, true] {
                let config = GeneratorConfig { self_attention, resolution: 64, ..tiny(preset) };
                let generator = Generator::new(&config, &device).unwrap();
                let input = Tensor::random([2, config.input, 64, 96], Distribution::Default, &device);
                let out = generator.forward(input, Tensor::ones([1, config.psi_len()], &device));
                assert_eq!(out.dims(), [2, config.output.channels(), 64, 96], "{preset}");
            }
        }
    }

    #[test]
    fn folding_changes_nothing_but_the_work() {
        let device = Device::flex();
        let config = tiny(Preset::Paper);
        let generator = Generator::new(&config, &device).unwrap().power_iteration();
        let input = Tensor::random([1, 3, 32, 32], Distribution::Uniform(-1.0, 1.0), &device);
        let psi = generator.project(Tensor::random([1, 8], Distribution::Default, &device));
        let before = generator.forward(input.clone(), psi.clone());
        let folded = generator.folded();
        assert!(folded.output.singular_vector().is_none());
        let difference = (folded.forward(input, psi) - before).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn refined_it_answers_as_before() {
        let device = Device::flex();
        device.seed(4);
        let config = GeneratorConfig { resolution: 32, pixel_shuffle: 1, ..tiny(Preset::Portrait) };
        let mut generator = Generator::new(&config, &device).unwrap();
        // A fresh last layer is zero and would hide everything before it.
        generator.output = Conv2d::new(config.last_width(), 6, 3, &device).bias();
        let psi = Tensor::random([1, config.psi_len()], Distribution::Normal(0.5, 1.0), &device);
        let small = Tensor::<4>::random([2, 10, 32, 32], Distribution::Uniform(-1.0, 1.0), &device);
        let enlarged = |x: Tensor<4>| {
            let [batch, channels, height, width] = x.dims();
            let x = x.reshape([batch, channels, height, 1, width, 1]).repeat(&[1, 1, 1, 2, 1, 2]);
            x.reshape([batch, channels, 2 * height, 2 * width])
        };
        // Pixels that differ, but not in their mean over each square.
        let noise = Tensor::<4>::random([2, 10, 32, 32], Distribution::Uniform(-1.0, 1.0), &device);
        let zero = Tensor::zeros_like(&noise);
        let noise = Tensor::stack::<5>(vec![noise.clone(), zero.clone(), zero, -noise], 2);
        let large = enlarged(small.clone()) + shuffled(noise.reshape([2, 40, 32, 32]), 2);
        let expected = enlarged(generator.forward(small, psi.clone()));
        let refined = generator.refined(2).unwrap();
        assert_eq!((refined.config().resolution, refined.config().map_size()), (64, 32));
        let difference = (refined.forward(large, psi) - expected).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-4, "{difference}");
        assert!(Generator::new(&tiny(Preset::Paper), &device).unwrap().refined(2).is_err());
    }

    #[test]
    fn unusable_configurations_are_refused() {
        for config in [
            GeneratorConfig { widths: vec![], ..tiny(Preset::Paper) },
            GeneratorConfig { widths: vec![4], ..tiny(Preset::Portrait) },
            GeneratorConfig { resolution: 20, ..tiny(Preset::Paper) },
            GeneratorConfig { embedding: 0, ..tiny(Preset::Paper) },
            GeneratorConfig { painted_mouth: true, ..tiny(Preset::Paper) },
            GeneratorConfig { pixel_shuffle: 0, ..tiny(Preset::Portrait) },
            GeneratorConfig { pixel_shuffle: 3, ..tiny(Preset::Portrait) },
            GeneratorConfig { pixel_shuffle: 2, ..tiny(Preset::Paper) },
        ] {
            assert!(
                matches!(Generator::new(&config, &Device::flex()), Err(Error::Config { .. })),
                "{config:?}"
            );
        }
    }
}
