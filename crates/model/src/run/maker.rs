//! Turns weights into layers that are ready to run.

use gioconda_kernels::{Convolution, Prepared};

use super::attention::Attention;
use super::block::Block;
use super::layer::{Layer, Norm};
use crate::config::{BlockConfig, NetworkConfig, Resample, SINGULAR_VECTOR};
use crate::parameters::{Array, Weights};

/// Below this no vector is divided by its length and no weight by its norm (DESIGN.md §4).
pub const SPECTRAL_EPSILON: f32 = 1e-4;

/// How rows (or columns) of a 3x3 kernel spread over those of a 4x4 kernel that does the same and enlarges its input twice.
pub const ENLARGING_SPREAD: [[f32; 4]; 3] =
    [[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]];
/// The same for a kernel that takes the means of its output's 2x2 pixels.
pub const AVERAGING_SPREAD: [[f32; 4]; 3] =
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0], [0.0, 0.0, 0.5, 0.5]];

/// Makes a network's layers in the order in which they run.
pub(super) struct Maker<'a, C> {
    weights: &'a Weights<C>,
    /// What is left of ψ.
    psi: &'a [f32],
    /// Height and width of the next layer's input.
    size: [usize; 2],
}

impl<'a, C: NetworkConfig> Maker<'a, C> {
    /// For inputs of `size`, height and width; `psi` may be empty where no layer is adaptive.
    pub(super) fn new(weights: &'a Weights<C>, psi: &'a [f32], size: [usize; 2]) -> Self {
        Self { weights, psi, size }
    }

    /// The blocks in the field `name`. `beside`: how many channels a map has that will stand behind a block's output.
    pub(super) fn blocks(
        &mut self,
        name: &str,
        configs: &[BlockConfig],
        mut beside: impl FnMut() -> usize,
    ) -> Vec<Block> {
        let blocks = configs.iter().enumerate();
        blocks.map(|(at, config)| self.block(&format!("{name}.{at}"), config, beside())).collect()
    }

    fn block(&mut self, name: &str, config: &BlockConfig, beside: usize) -> Block {
        let [height, width] = self.size;
        let half = [height / 2, width / 2];
        let halves = matches!(config.resample, Resample::Pool | Resample::Stride);
        let norm1 = self.norm(&format!("{name}.norm1"), config, config.input, config.leading_relu);
        let skip = config.has_skip().then(|| {
            let size = if halves { half } else { self.size };
            Self { size, ..*self }.layer(&format!("{name}.skip"), 1)
        });
        let halved = if halves { vec![0.0; config.input * half[0] * half[1]] } else { Vec::new() };
        let conv1 = format!("{name}.conv1");
        let conv1 = match config.resample {
            Resample::Up => self.enlarging(&conv1),
            Resample::Stride => self.layer(&conv1, 2),
            Resample::Keep | Resample::Pool => self.layer(&conv1, 1),
        };
        let norm2 = self.norm(&format!("{name}.norm2"), config, config.output, true);
        let conv2 = format!("{name}.conv2");
        let conv2 = match config.resample {
            Resample::Pool => self.averaging(&conv2),
            _ => self.layer(&conv2, 1),
        };
        let pixels = self.size[0] * self.size[1];
        let attention = config.self_attention.then(|| {
            let mut layer = |part: &str| Self { ..*self }.layer(&format!("{name}.attention.{part}"), 1);
            let layers = ["query", "key", "value", "output"].map(&mut layer);
            let gamma = self.weights.tensor(&format!("{name}.attention.gamma")).values[0];
            Attention::new(layers, gamma, pixels)
        });
        Block {
            norm1,
            conv1,
            norm2,
            conv2: conv2.with_room(beside * pixels),
            skip,
            resample: config.resample,
            width,
            halved,
            attention,
        }
    }

    fn norm(&mut self, name: &str, config: &BlockConfig, channels: usize, relu: bool) -> Norm {
        match config.norm {
            crate::config::Norm::Adaptive => self.adaptive(channels),
            crate::config::Norm::Affine => {
                let values = |field: &str| self.weights.tensor(&format!("{name}.{field}")).values.clone();
                Norm::Instance { scale: values("scale"), bias: values("bias") }
            }
            crate::config::Norm::None => Norm::None { channels, relu },
        }
    }

    /// The next 2·C values of ψ: biases, then scales.
    pub(super) fn adaptive(&mut self, channels: usize) -> Norm {
        let (bias, rest) = self.psi.split_at(channels);
        let (scale, rest) = rest.split_at(channels);
        self.psi = rest;
        Norm::Instance { scale: scale.to_vec(), bias: bias.to_vec() }
    }

    /// The convolution in the field `name`, zero-padded by half its kernel.
    pub(super) fn layer(&mut self, name: &str, stride: usize) -> Layer {
        let Array { shape, values } = self.weight(name);
        let kernel = shape[2];
        self.convolution(name, [shape[0], shape[1]], kernel, &values, stride, kernel / 2)
    }

    /// The mean of every 2x2 pixels of a 3x3 convolution. Both are one 4x4 convolution with stride 2, with 2.25 times fewer
    /// products.
    fn averaging(&mut self, name: &str) -> Layer {
        let Array { shape, values } = self.weight(name);
        self.convolution(name, [shape[0], shape[1]], 4, &spread(&values, &AVERAGING_SPREAD), 2, 1)
    }

    fn convolution(
        &mut self,
        name: &str,
        [outputs, inputs]: [usize; 2],
        kernel: usize,
        weight: &[f32],
        stride: usize,
        padding: usize,
    ) -> Layer {
        let sizes = Convolution {
            batch: 1,
            inputs,
            outputs,
            size: self.size,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
        };
        self.size = sizes.output_size();
        Layer::new(Prepared::convolution(&sizes, weight, self.bias(name)))
    }

    /// A 3x3 convolution of the input enlarged twice by nearest-neighbour. Both are one transposed 4x4 convolution with
    /// stride 2, with 2.25 times fewer products.
    fn enlarging(&mut self, name: &str) -> Layer {
        let Array { shape, values } = self.weight(name);
        let [output, input] = [shape[0], shape[1]];
        let weight = spread(&values, &ENLARGING_SPREAD);
        self.size = self.size.map(|side| 2 * side);
        // A transposed convolution is described by the convolution that it turns round.
        let sizes = Convolution {
            batch: 1,
            inputs: output,
            outputs: input,
            size: self.size,
            kernel: [4; 2],
            stride: [2; 2],
            padding: [1; 2],
        };
        let turned = swapped(&weight, [output, input], 16);
        Layer::new(Prepared::transposed(&sizes, &turned, self.bias(name)))
    }

    fn bias(&self, name: &str) -> Vec<f32> {
        let bias = self.weights.parameters().get(&format!("{name}.bias"));
        bias.map(|bias| bias.values.clone()).unwrap_or_default()
    }

    fn weight(&self, name: &str) -> Array {
        effective_weight(self.weights, name)
    }
}

/// The weight in the field `name` as it acts: divided by the estimate of its largest singular value where it is spectrally
/// normalised (Miyato et al. 2018), `σ = uᵀ W v`, `v = Wᵀu / |Wᵀu|`, a weight of shape `[out, in, k, k]` read as the matrix
/// `[out, in·k·k]`.
pub(super) fn effective_weight<C: NetworkConfig>(weights: &Weights<C>, name: &str) -> Array {
    let mut weight = weights.tensor(&format!("{name}.weight")).clone();
    if let Some(u) = weights.parameters().get(&format!("{name}.{SINGULAR_VECTOR}")) {
        let columns = weight.values.len() / u.values.len();
        let mut projected = vec![0.0_f32; columns];
        for (row, u) in weight.values.chunks_exact(columns).zip(&u.values) {
            projected.iter_mut().zip(row).for_each(|(sum, value)| *sum += u * value);
        }
        let square: f32 = projected.iter().map(|value| value * value).sum();
        let sigma = (square / square.sqrt().max(SPECTRAL_EPSILON)).max(SPECTRAL_EPSILON);
        weight.values.iter_mut().for_each(|value| *value /= sigma);
    }
    weight
}

/// 3x3 kernels as 4x4 ones: row (or column) k of the old contributes to row j of the new `share[k][j]` times.
fn spread(weight: &[f32], share: &[[f32; 4]; 3]) -> Vec<f32> {
    let kernels = weight.as_chunks::<9>().0.iter();
    kernels
        .flat_map(|kernel| {
            let mut large = [0.0_f32; 16];
            for (from, value) in kernel.iter().enumerate() {
                for (to, sum) in large.iter_mut().enumerate() {
                    *sum += value * share[from / 3][to / 4] * share[from % 3][to % 4];
                }
            }
            large
        })
        .collect()
}

/// `[a, b, length] -> [b, a, length]`
fn swapped(values: &[f32], [a, b]: [usize; 2], length: usize) -> Vec<f32> {
    let pairs = (0..b).flat_map(|column| (0..a).map(move |row| row * b + column));
    pairs.flat_map(|at| values[at * length..][..length].iter().copied()).collect()
}
