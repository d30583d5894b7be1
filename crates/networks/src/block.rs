//! The residual block all three networks are built of (DESIGN.md §4, after BigGAN's pre-activation block).
//!
//! `[norm] -> ReLU -> [nearest x2] -> conv3 -> [norm] -> ReLU -> conv3 -> [avgpool2]`, beside it the skip
//! `[nearest x2] -> conv1 -> [avgpool2]`, which is the identity when the shape is unchanged.

use burn::module::Module;
use burn::tensor::module::{avg_pool2d, interpolate};
use burn::tensor::ops::{AvgPoolOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor, activation};

use crate::attention::SelfAttention;
use crate::layers::{Conv2d, InstanceNorm, Psi};

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

/// One residual block.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    pub(crate) norm1: Option<InstanceNorm>,
    pub(crate) conv1: Conv2d,
    pub(crate) norm2: Option<InstanceNorm>,
    pub(crate) conv2: Conv2d,
    pub(crate) skip: Option<Conv2d>,
    pub(crate) attention: Option<SelfAttention>,
    #[module(skip)]
    pub(crate) config: BlockConfig,
}

impl ResidualBlock {
    /// A block with fresh weights.
    pub fn new(config: BlockConfig, device: &Device) -> Self {
        let BlockConfig { input, output, resample, norm, .. } = config;
        let normalize = |conv: Conv2d| if config.spectral_norm { conv.spectral_norm() } else { conv };
        let conv3 = |input, output| {
            let conv = Conv2d::new(input, output, 3, device);
            normalize(if norm == Norm::None { conv.bias() } else { conv })
        };
        let affine = |channels| (norm == Norm::Affine).then(|| InstanceNorm::new(channels, device));
        let stride = if resample == Resample::Stride { 2 } else { 1 };
        let same_shape = input == output && resample == Resample::Keep;
        Self {
            norm1: affine(input),
            conv1: conv3(input, output).stride(stride),
            norm2: affine(output),
            conv2: conv3(output, output),
            skip: (!same_shape).then(|| normalize(Conv2d::new(input, output, 1, device).bias())),
            attention: config.self_attention.then(|| SelfAttention::new(output, device)),
            config,
        }
    }

    /// `[B, in, H, W] -> [B, out, H', W']`, without AdaIN.
    ///
    /// # Panics
    /// When the block's norm is adaptive: it needs [`forward_adaptive`](Self::forward_adaptive).
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        assert!(self.config.norm != Norm::Adaptive, "an AdaIN block needs psi");
        let activated = |norm: &Option<InstanceNorm>, x, active| match norm {
            Some(norm) => norm.forward(x, active),
            None if active => activation::relu(x),
            None => x,
        };
        let hidden = self.first_half(activated(&self.norm1, x.clone(), self.config.leading_relu));
        let out = self.second_half(activated(&self.norm2, hidden, true));
        self.add_skip(x, out)
    }

    /// `[B, in, H, W] -> [B, out, H', W']`, AdaIN values taken from `psi`: first 2·in, then 2·out.
    pub fn forward_adaptive(&self, x: Tensor<4>, psi: &mut Psi) -> Tensor<4> {
        let hidden = self.first_half(psi.adain(x.clone(), self.config.leading_relu));
        let out = self.second_half(psi.adain(hidden, true));
        self.add_skip(x, out)
    }

    fn first_half(&self, x: Tensor<4>) -> Tensor<4> {
        match self.config.resample {
            Resample::Up => self.conv1.forward_upsampled(x), // [B, out, 2H, 2W]
            _ => self.conv1.forward(x),
        }
    }

    fn second_half(&self, x: Tensor<4>) -> Tensor<4> {
        match self.config.resample {
            Resample::Pool => self.conv2.forward_pooled(x), // [B, out, H / 2, W / 2]
            _ => self.conv2.forward(x),
        }
    }

    /// A 1x1 convolution commutes with nearest upsampling and with averaging, so it runs where the map is small.
    fn add_skip(&self, x: Tensor<4>, out: Tensor<4>) -> Tensor<4> {
        let skip = match (&self.skip, self.config.resample) {
            (None, _) => x,
            (Some(conv), Resample::Keep) => conv.forward(x),
            (Some(conv), Resample::Up) => upsampled(conv.forward(x)),
            (Some(conv), Resample::Pool | Resample::Stride) => conv.forward(pooled(x)),
        };
        match &self.attention {
            Some(attention) => attention.forward(out + skip),
            None => out + skip,
        }
    }

    /// How many values of ψ the block consumes.
    pub fn psi_len(&self) -> usize {
        match self.config.norm {
            Norm::Adaptive => 2 * (self.config.input + self.config.output),
            Norm::None | Norm::Affine => 0,
        }
    }

    pub(crate) fn folded(self) -> Self {
        Self {
            conv1: self.conv1.folded(),
            conv2: self.conv2.folded(),
            skip: self.skip.map(Conv2d::folded),
            attention: self.attention.map(SelfAttention::folded),
            ..self
        }
    }
}

/// The down path of embedder and discriminator: no norm, spectral norm, halving by pooling; self-attention behind the
/// block whose output is 32x32.
pub(crate) fn down_path(
    input: usize,
    widths: &[usize],
    resolution: usize,
    self_attention: bool,
    device: &Device,
) -> Vec<ResidualBlock> {
    let inputs = std::iter::once(input).chain(widths.iter().copied());
    inputs
        .zip(widths)
        .enumerate()
        .map(|(level, (input, &output))| {
            let config = BlockConfig {
                input,
                output,
                resample: Resample::Pool,
                norm: Norm::None,
                leading_relu: level > 0,
                spectral_norm: true,
                self_attention: self_attention && resolution >> (level + 1) == DOWN_ATTENTION_SIZE,
            };
            ResidualBlock::new(config, device)
        })
        .collect()
}

/// Height of the map that self-attention follows in down paths (DESIGN.md §4).
pub(crate) const DOWN_ATTENTION_SIZE: usize = 32;
/// Height of the map that self-attention follows in the generator's up path (DESIGN.md §4).
pub(crate) const UP_ATTENTION_SIZE: usize = 64;

fn pooled(x: Tensor<4>) -> Tensor<4> {
    avg_pool2d(x, AvgPoolOptions::new([2, 2]))
}

fn upsampled(x: Tensor<4>) -> Tensor<4> {
    interpolate(x, InterpolateOptions::new(InterpolateMode::Nearest).with_scale_factor([2.0, 2.0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn shapes() {
        let device = Device::flex();
        for (resample, norm, input, output, size) in [
            (Resample::Keep, Norm::None, 8, 8, 16),
            (Resample::Keep, Norm::Affine, 8, 4, 16),
            (Resample::Up, Norm::Affine, 8, 4, 32),
            (Resample::Up, Norm::Adaptive, 8, 8, 32),
            (Resample::Pool, Norm::None, 3, 8, 8),
            (Resample::Stride, Norm::Affine, 4, 8, 8),
        ] {
            let config = BlockConfig {
                input,
                output,
                resample,
                norm,
                leading_relu: true,
                spectral_norm: true,
                self_attention: false,
            };
            let block = ResidualBlock::new(config, &device);
            let x = Tensor::random([2, input, 16, 16], Distribution::Default, &device);
            let out = if norm == Norm::Adaptive {
                block.forward_adaptive(x, &mut Psi::new(Tensor::ones([2, block.psi_len()], &device)))
            } else {
                block.forward(x)
            };
            assert_eq!(out.dims(), [2, output, size, size], "{config:?}");
        }
    }
}
