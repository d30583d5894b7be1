//! The residual block that all three networks are built of (DESIGN.md §4, after BigGAN's pre-activation block).
//!
//! `[norm] -> ReLU -> [nearest x2] -> conv3 -> [norm] -> ReLU -> conv3 -> [avgpool2]`, beside it the skip
//! `[nearest x2] -> conv1 -> [avgpool2]`, which is the identity when the shape is unchanged.

/// Name of the singular vector of a spectrally normalised layer: state, not a parameter.
pub const SINGULAR_VECTOR: &str = "u";

/// Height of the map that self-attention follows in down paths (DESIGN.md §4).
pub(super) const DOWN_ATTENTION_SIZE: usize = 32;
/// Height of the map that self-attention follows in the generator's up path (DESIGN.md §4).
pub(super) const UP_ATTENTION_SIZE: usize = 64;

/// How much narrower than the features queries, keys and values are (SAGAN §3: C̄ = C/8).
const REDUCTION: usize = 8;

/// What a block does to height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    /// Nothing.
    Keep,
    /// Doubles them before the first convolution.
    Up,
    /// Halves them behind the second convolution, by averaging: the paper's way.
    Pool,
    /// Halves them in the first convolution, by its stride: a quarter of the work, for real-time presets.
    Stride,
}

/// Which norm stands before the two activations. A block without norm has biases in its 3x3 convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// None.
    None,
    /// Instance norm with learned scale and bias.
    Affine,
    /// Instance norm with scale and bias from ψ.
    Adaptive,
}

/// Everything that tells one block from another.
#[derive(Clone, Copy, Debug)]
pub struct BlockConfig {
    /// Channels in.
    pub input: usize,
    /// Channels out.
    pub output: usize,
    /// What happens to height and width.
    pub resample: Resample,
    /// The norm.
    pub norm: Norm,
    /// Whether an activation stands before the first convolution: not in the first block of a network, whose input is
    /// a picture.
    pub leading_relu: bool,
    /// Whether the convolutions are spectrally normalised.
    pub spectral_norm: bool,
    /// Whether self-attention follows the block.
    pub self_attention: bool,
}

impl BlockConfig {
    /// Whether the skip needs a convolution.
    pub fn has_skip(&self) -> bool {
        self.input != self.output || self.resample != Resample::Keep
    }

    /// How many values of ψ the block consumes.
    pub fn psi_len(&self) -> usize {
        match self.norm {
            Norm::Adaptive => 2 * (self.input + self.output),
            Norm::None | Norm::Affine => 0,
        }
    }

    /// Names and shapes of the block's tensors.
    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (input, output) = (self.input, self.output);
        let (bias, spectral_norm) = (self.norm == Norm::None, self.spectral_norm);
        let mut shapes = Vec::new();
        if self.norm == Norm::Affine {
            for (norm, channels) in [("norm1", input), ("norm2", output)] {
                shapes.extend(["scale", "bias"].map(|name| (format!("{norm}.{name}"), vec![channels])));
            }
        }
        shapes.extend(convolution_shapes("conv1", [output, input, 3], bias, spectral_norm));
        shapes.extend(convolution_shapes("conv2", [output, output, 3], bias, spectral_norm));
        if self.has_skip() {
            shapes.extend(convolution_shapes("skip", [output, input, 1], true, spectral_norm));
        }
        if self.self_attention {
            let inner = attention_width(output);
            for name in ["attention.query", "attention.key", "attention.value"] {
                shapes.extend(convolution_shapes(name, [inner, output, 1], true, true));
            }
            shapes.extend(convolution_shapes("attention.output", [output, inner, 1], true, true));
            shapes.push(("attention.gamma".to_owned(), vec![1]));
        }
        shapes
    }
}

/// Channels of queries, keys and values of self-attention over maps of `channels` channels.
pub fn attention_width(channels: usize) -> usize {
    (channels / REDUCTION).max(1)
}

/// Names and shapes of the tensors of blocks that stand one behind the other in the field `name`.
pub(super) fn block_shapes(name: &str, blocks: &[BlockConfig]) -> impl Iterator<Item = (String, Vec<usize>)> {
    blocks.iter().enumerate().flat_map(move |(at, block)| {
        block.shapes().into_iter().map(move |(tensor, shape)| (format!("{name}.{at}.{tensor}"), shape))
    })
}

/// Names and shapes of the tensors of a square convolution; `sizes`: channels out, channels in, side of the kernel.
pub(super) fn convolution_shapes(
    name: &str,
    [output, input, kernel]: [usize; 3],
    bias: bool,
    spectral_norm: bool,
) -> impl Iterator<Item = (String, Vec<usize>)> {
    let weight = (format!("{name}.weight"), vec![output, input, kernel, kernel]);
    let bias = bias.then(|| (format!("{name}.bias"), vec![output]));
    let vector = spectral_norm.then(|| (format!("{name}.{SINGULAR_VECTOR}"), vec![output]));
    [Some(weight), bias, vector].into_iter().flatten()
}
