//! The generator G: a picture of where the face should be in, the person's face there out (paper §3.2; DESIGN.md §1, §4).

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use gioconda_model::{Error as ModelError, FLOW_RANGE, GeneratorConfig, Output, Weights};

use crate::Result;
use crate::block::{ResidualBlock, residual_blocks};
use crate::layers::{Conv2d, Linear, Psi};
use crate::pixel_shuffle::{shuffled, unshuffled};
use crate::weights::{load_whole, parameters};

/// Bias of the blend mask before the sigmoid in a fresh network: mostly warp (PROTOTYPE.md).
const MASK_BIAS: f32 = 2.0;

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
            down: residual_blocks(&config.down_blocks(), device),
            middle: residual_blocks(&config.middle_blocks(), device),
            up: residual_blocks(&config.up_blocks(), device),
            output,
            projection,
            config: config.clone(),
        })
    }

    /// A generator with these weights.
    ///
    /// # Errors
    /// When their sizes are out of range.
    pub fn from_weights(weights: &Weights<GeneratorConfig>, device: &Device) -> Result<Self> {
        Ok(load_whole(weights.parameters(), Self::new(weights.config(), device)?))
    }

    /// Its weights, to be run or written.
    ///
    /// # Panics
    /// When spectral norms have been [folded](Self::folded) into it.
    pub fn weights(&self) -> Weights<GeneratorConfig> {
        Weights::new(self.config.clone(), parameters(self)).expect("a generator has the tensors of its sizes")
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
            return Err(ModelError::Config { network: "generator", reason }.into());
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
    let flow = x.clone().narrow(1, 0, 2).tanh() * f64::from(FLOW_RANGE);
    let mask = activation::sigmoid(x.clone().narrow(1, 2, 1));
    let colour = x.narrow(1, 3, 3);
    Tensor::cat(vec![flow, mask, colour], 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SpectralNorm, parameter_count};
    use burn::tensor::Distribution;
    use gioconda_model::Preset;

    #[test]
    fn parameter_counts() {
        let device = Device::flex();
        let generator = Generator::new(&Preset::Paper.config().generator, &device).unwrap();
        let projection = parameter_count(generator.projection_layer());
        assert_eq!(projection, 6_697_728);
        assert_eq!(parameter_count(&generator) - projection, 31_211_715);
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
}
