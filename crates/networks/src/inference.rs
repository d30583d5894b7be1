//! One person's generator for many frames on the CPU: weights packed and buffers made once, norms and activations
//! applied while a convolution reads its input.

use burn::tensor::Tensor;
use gioconda_kernels::simd::{sigmoid, tanh};
use gioconda_kernels::{Activation, Convolution, InstanceNorm, Prepared};
use rayon::prelude::*;

use crate::block::{Resample, ResidualBlock};
use crate::cpu::NORM_EPSILON;
use crate::generator::{FLOW_RANGE, Generator, Output};
use crate::layers::Conv2d;
use crate::pixel_shuffle::{shuffle, unshuffle};

/// A generator with ψ baked in.
pub struct Inference {
    /// Height and width of the pictures.
    size: [usize; 2],
    pixel_shuffle: usize,
    /// The input with its pixels as channels, if the generator shuffles them.
    unshuffled: Vec<f32>,
    stem: Option<Layer>,
    down: Vec<Block>,
    middle: Vec<Block>,
    up: Vec<Block>,
    last: Norm,
    output: Layer,
    /// The frame, kept from run to run.
    out: Vec<f32>,
    /// Whether the outputs of the down path are handed to the up path.
    skips: bool,
    activation: Output,
}

impl Inference {
    /// `generator` with spectral norm [folded](Generator::folded); `psi`: its ψ, `[psi_len]`; `size`: height and width of
    /// the frames, multiples of `pixel_shuffle * 2^halvings`. None when the generator has self-attention, which only
    /// Burn runs.
    ///
    /// # Panics
    /// When `psi` or `size` do not fit the generator.
    pub fn new(generator: &Generator, psi: &[f32], size: [usize; 2]) -> Option<Self> {
        let config = generator.config();
        assert_eq!(psi.len(), config.psi_len(), "psi must have the generator's length");
        let pixel_shuffle = config.pixel_shuffle;
        let unit = pixel_shuffle << config.halvings();
        assert!(size.iter().all(|side| side % unit == 0), "a size that cannot be halved");
        if config.self_attention {
            return None;
        }
        let mut maker = Maker { psi, size: size.map(|side| side / pixel_shuffle) };
        let stem = generator.stem.as_ref().map(|stem| maker.layer(stem));
        let down: Vec<_> = generator.down.iter().map(|block| maker.block(block, 0)).collect();
        let middle = generator.middle.iter().map(|block| maker.block(block, 0)).collect();
        let mut widths = config.widths.iter().rev().skip(1);
        let mut beside = || if config.skips { widths.next().copied().unwrap_or(0) } else { 0 };
        let up = generator.up.iter().map(|block| maker.block(block, beside())).collect();
        let last = maker.adaptive(config.last_width());
        let output = maker.layer(&generator.output);
        let (skips, activation) = (config.skips, config.output);
        let numbers = if pixel_shuffle == 1 { 0 } else { config.input * size[0] * size[1] };
        let unshuffled = vec![0.0; numbers];
        let out = vec![0.0; output.out.len()];
        Some(Self {
            size,
            pixel_shuffle,
            unshuffled,
            stem,
            down,
            middle,
            up,
            last,
            output,
            out,
            skips,
            activation,
        })
    }

    /// `input`: `[input, H, W]`, as [`Generator::forward`]'s; out `[3 or 6, H, W]`, the caller's until the next run.
    ///
    /// # Panics
    /// When `input` has another size.
    pub fn run(&mut self, input: &[f32]) -> &mut [f32] {
        let input = if self.pixel_shuffle == 1 {
            input
        } else {
            unshuffle(input, self.size, self.pixel_shuffle, &mut self.unshuffled);
            &self.unshuffled
        };
        let first = match &mut self.stem {
            Some(stem) => stem.run(input, &[]),
            None => input,
        };
        run_all(&mut self.down, first);
        let mut x = self.down.last().map_or(first, Block::output);
        run_all(&mut self.middle, x);
        x = self.middle.last().map_or(x, Block::output);
        let mut maps = self.down.iter().map(Block::output).rev().skip(1).chain([first]);
        for block in &mut self.up {
            // With skips, the map that the down path had at this size.
            x = block.run(x, maps.next().filter(|_| self.skips));
        }
        let x = self.output.run(x, &self.last.activations(x));
        let out = &mut self.out;
        shuffle(x, self.size, self.pixel_shuffle, out);
        let pixels = out.len() / self.activation.channels();
        let (flow, rest) = out.split_at_mut(match self.activation {
            Output::Rgb => 3 * pixels,
            Output::Composition => 2 * pixels,
        });
        let range = match self.activation {
            Output::Rgb => 1.0,
            Output::Composition => FLOW_RANGE as f32,
        };
        tanh(flow);
        for value in flow {
            *value *= range;
        }
        // The mask. RGB has none.
        let mask = pixels.min(rest.len());
        sigmoid(&mut rest[..mask]);
        out
    }
}

/// Runs `blocks` one behind the other.
fn run_all(blocks: &mut [Block], x: &[f32]) {
    for at in 0..blocks.len() {
        let (before, rest) = blocks.split_at_mut(at);
        rest[0].run(before.last().map_or(x, Block::output), None);
    }
}

/// A convolution and where its output goes.
struct Layer {
    convolution: Prepared,
    out: Vec<f32>,
}

impl Layer {
    fn new(convolution: Prepared) -> Self {
        let out = vec![0.0; convolution.output_len()];
        Self { convolution, out }
    }

    fn run(&mut self, x: &[f32], activations: &[Activation]) -> &[f32] {
        self.convolution.run(x, activations, &mut self.out);
        &self.out
    }
}

/// What stands before a convolution.
enum Norm {
    /// Nothing, or a `ReLU`.
    None { channels: usize, relu: bool },
    /// Instance norm with these values, and a `ReLU`.
    Instance { scale: Vec<f32>, bias: Vec<f32> },
}

impl Norm {
    fn activations(&self, x: &[f32]) -> Vec<Activation> {
        match self {
            Self::None { relu: false, .. } => Vec::new(),
            Self::None { channels, relu: true } => vec![Activation { factor: 1.0, offset: 0.0 }; *channels],
            Self::Instance { scale, bias } => {
                let norm =
                    InstanceNorm { pixels: x.len() / scale.len(), epsilon: NORM_EPSILON as f32, relu: true };
                norm.activations(x, scale, bias)
            }
        }
    }
}

/// A [`ResidualBlock`].
struct Block {
    norm1: Norm,
    conv1: Layer,
    norm2: Norm,
    /// Its output, with room behind it for the map that stands beside.
    conv2: Layer,
    skip: Option<Layer>,
    resample: Resample,
    /// Width of the input, and the input at half the size.
    width: usize,
    halved: Vec<f32>,
}

impl Block {
    /// `[in, H, W] -> [out (+ beside), H', W']`
    fn run(&mut self, x: &[f32], beside: Option<&[f32]>) -> &[f32] {
        let hidden = self.conv1.run(x, &self.norm1.activations(x));
        let activations = self.norm2.activations(hidden);
        let len = self.conv2.convolution.output_len();
        let (out, rest) = self.conv2.out.split_at_mut(len);
        self.conv2.convolution.run(hidden, &activations, out);
        if let Some(beside) = beside {
            rest.copy_from_slice(beside);
        }
        let skip = match (&mut self.skip, self.resample) {
            (None, _) => x,
            (Some(layer), Resample::Keep | Resample::Up) => layer.run(x, &[]),
            (Some(layer), Resample::Pool | Resample::Stride) => {
                halve(x, self.width, &mut self.halved);
                layer.run(&self.halved, &[])
            }
        };
        if self.resample == Resample::Up {
            add_enlarged(out, skip, self.width);
        } else {
            let chunk = 1 << 14;
            out.par_chunks_mut(chunk).zip(skip.par_chunks(chunk)).for_each(|(out, skip)| {
                out.iter_mut().zip(skip).for_each(|(out, skip)| *out += skip);
            });
        }
        &self.conv2.out
    }

    fn output(&self) -> &[f32] {
        &self.conv2.out
    }
}

/// Means of 2x2 pixels; `x` has rows of `width`, an even number.
fn halve(x: &[f32], width: usize, out: &mut [f32]) {
    let rows = x.par_chunks_exact(2 * width).zip(out.par_chunks_exact_mut(width / 2)).with_min_len(16);
    rows.for_each(|(rows, out)| {
        let (upper, lower) = rows.split_at(width);
        let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
        out.iter_mut().zip(pairs).for_each(|(out, (a, b))| *out = 0.25 * (a[0] + a[1] + b[0] + b[1]));
    });
}

/// Adds every pixel of `x`, whose rows have `width`, to 2x2 pixels of `out`.
fn add_enlarged(out: &mut [f32], x: &[f32], width: usize) {
    let rows = out.par_chunks_exact_mut(4 * width).zip(x.par_chunks_exact(width)).with_min_len(16);
    rows.for_each(|(out, x)| {
        for out in out.chunks_exact_mut(2 * width) {
            out.as_chunks_mut::<2>().0.iter_mut().zip(x).for_each(|(out, x)| {
                out[0] += x;
                out[1] += x;
            });
        }
    });
}

/// Turns layers into prepared ones, in the order in which they run.
struct Maker<'a> {
    /// What is left of ψ.
    psi: &'a [f32],
    /// Height and width of the next layer's input.
    size: [usize; 2],
}

impl Maker<'_> {
    fn block(&mut self, block: &ResidualBlock, beside: usize) -> Block {
        let config = &block.config;
        let [_, width] = self.size;
        let norm1 = self.norm(block.norm1.as_ref(), block, config.input, config.leading_relu);
        let skip = block.skip.as_ref().map(|skip| match config.resample {
            Resample::Keep | Resample::Up => layer_at(self.size, skip),
            Resample::Pool | Resample::Stride => layer_at(self.size.map(|side| side / 2), skip),
        });
        let halved = match config.resample {
            Resample::Pool | Resample::Stride => vec![0.0; config.input * self.size[0] * self.size[1] / 4],
            Resample::Keep | Resample::Up => Vec::new(),
        };
        let conv1 = match config.resample {
            Resample::Up => {
                let layer = self.enlarging(&block.conv1);
                self.size = self.size.map(|side| 2 * side);
                layer
            }
            _ => self.layer(&block.conv1),
        };
        let norm2 = self.norm(block.norm2.as_ref(), block, config.output, true);
        let mut conv2 = match config.resample {
            Resample::Pool => self.prepared(&block.conv2, block.conv2.pooled_weight(), 2, 1),
            _ => self.layer(&block.conv2),
        };
        conv2.out.resize(conv2.out.len() + beside * self.size[0] * self.size[1], 0.0);
        Block { norm1, conv1, norm2, conv2, skip, resample: config.resample, width, halved }
    }

    fn norm(
        &mut self,
        affine: Option<&crate::InstanceNorm>,
        block: &ResidualBlock,
        channels: usize,
        relu: bool,
    ) -> Norm {
        if block.config.norm == crate::Norm::Adaptive {
            return self.adaptive(channels);
        }
        match affine {
            Some(norm) => {
                let (scale, bias) = norm.scale_and_bias();
                Norm::Instance { scale: values(scale), bias: values(bias) }
            }
            None => Norm::None { channels, relu },
        }
    }

    /// The next 2·C values of ψ: biases, then scales.
    fn adaptive(&mut self, channels: usize) -> Norm {
        let (bias, rest) = self.psi.split_at(channels);
        let (scale, rest) = rest.split_at(channels);
        self.psi = rest;
        Norm::Instance { scale: scale.to_vec(), bias: bias.to_vec() }
    }

    /// `conv` as it stands.
    fn layer(&mut self, conv: &Conv2d) -> Layer {
        let weight = conv.effective_weight();
        let padding = weight.dims()[2] / 2;
        self.prepared(conv, weight, conv.stride_value(), padding)
    }

    fn prepared(&mut self, conv: &Conv2d, weight: Tensor<4>, stride: usize, padding: usize) -> Layer {
        let [outputs, inputs, height, width] = weight.dims();
        let sizes = Convolution {
            batch: 1,
            inputs,
            outputs,
            size: self.size,
            kernel: [height, width],
            stride: [stride; 2],
            padding: [padding; 2],
        };
        self.size = sizes.output_size();
        let bias = conv.bias_value().map(values).unwrap_or_default();
        Layer::new(Prepared::convolution(&sizes, &values(weight), bias))
    }

    fn enlarging(&self, conv: &Conv2d) -> Layer {
        let weight = conv.upsampled_weight();
        let [inputs, outputs, height, width] = weight.dims();
        let sizes = Convolution {
            batch: 1,
            inputs: outputs,
            outputs: inputs,
            size: self.size.map(|side| 2 * side),
            kernel: [height, width],
            stride: [2; 2],
            padding: [1; 2],
        };
        let bias = conv.bias_value().map(values).unwrap_or_default();
        Layer::new(Prepared::transposed(&sizes, &values(weight), bias))
    }
}

/// `conv` beside the others, on pictures of this size.
fn layer_at(size: [usize; 2], conv: &Conv2d) -> Layer {
    Maker { psi: &[], size }.layer(conv)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.without_autodiff().try_into_vec_as::<f32>().expect("weights are f32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GeneratorConfig, Preset};
    use burn::module::{Module, ModuleMapper, Param};
    use burn::tensor::{Device, Distribution};

    /// So that the last layer's zeros do not hide what comes before.
    struct Shake;

    impl ModuleMapper for Shake {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| value.clone() + value.random_like(Distribution::Normal(0.0, 0.1)))
        }
    }

    #[test]
    fn agrees_with_the_network_it_was_made_of() {
        let device = Device::flex();
        device.seed(3);
        for preset in Preset::ALL {
            let config = preset.config().generator;
            let widths = config.widths.iter().map(|width| width / 8).collect();
            let config = GeneratorConfig { widths, resolution: 32, embedding: 8, ..config };
            let generator = Generator::new(&config, &device).unwrap().map(&mut Shake).folded();
            let random =
                |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
            let psi = Tensor::<2>::random([1, config.psi_len()], Distribution::Normal(0.5, 1.0), &device);
            let mut inference = Inference::new(&generator, &values(psi.clone()), [32, 48]).unwrap();
            let mut frames = Vec::new();
            for _ in 0..2 {
                let input = random([1, config.input, 32, 48]);
                let expected = values(generator.forward(input.clone(), psi.clone()));
                let out = inference.run(&values(input));
                assert_eq!(out.len(), expected.len());
                frames.push(out.as_ptr());
                let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
                for (value, expected) in out.iter().zip(&expected) {
                    assert!((value - expected).abs() < 1e-4 * largest, "{preset}: {value} {expected}");
                }
            }
            assert_eq!(frames[0], frames[1], "a run must allocate no frame of its own");
        }
    }

    #[test]
    fn self_attention_is_left_to_burn() {
        let config = Preset::Portrait.config().generator;
        let config = GeneratorConfig { widths: vec![4, 8], resolution: 64, self_attention: true, ..config };
        let generator = Generator::new(&config, &Device::flex()).unwrap();
        assert!(Inference::new(&generator, &vec![0.0; config.psi_len()], [64, 64]).is_none());
    }
}
