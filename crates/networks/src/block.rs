//! The residual block all three networks are built of: [`gioconda_model::BlockConfig`] says what it does.

use burn::module::Module;
use burn::tensor::module::{avg_pool2d, interpolate};
use burn::tensor::ops::{AvgPoolOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor, activation};

use gioconda_model::{BlockConfig, Norm, Resample};

use crate::attention::SelfAttention;
use crate::layers::{Conv2d, InstanceNorm, Psi};

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
        Self {
            norm1: affine(input),
            conv1: conv3(input, output).stride(stride),
            norm2: affine(output),
            conv2: conv3(output, output),
            skip: config.has_skip().then(|| normalize(Conv2d::new(input, output, 1, device).bias())),
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

/// Blocks with fresh weights, one behind the other.
pub(crate) fn residual_blocks(configs: &[BlockConfig], device: &Device) -> Vec<ResidualBlock> {
    configs.iter().map(|&config| ResidualBlock::new(config, device)).collect()
}

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
                block.forward_adaptive(x, &mut Psi::new(Tensor::ones([2, config.psi_len()], &device)))
            } else {
                block.forward(x)
            };
            assert_eq!(out.dims(), [2, output, size, size], "{config:?}");
        }
    }
}
