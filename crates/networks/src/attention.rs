//! Self-attention over the pixels of a feature map (SAGAN, Zhang et al. 2019, §3).

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};

use gioconda_model::attention_width;

use crate::layers::Conv2d;

/// `x + γ·v(Σ softmax(f·g) h)`, every 1x1 convolution spectrally normalised. γ starts at 0: a fresh layer changes
/// nothing.
#[derive(Module, Debug)]
pub struct SelfAttention {
    pub(crate) query: Conv2d,
    pub(crate) key: Conv2d,
    pub(crate) value: Conv2d,
    pub(crate) output: Conv2d,
    pub(crate) gamma: Param<Tensor<1>>,
}

impl SelfAttention {
    /// For feature maps of `channels` channels.
    pub fn new(channels: usize, device: &Device) -> Self {
        let inner = attention_width(channels);
        let conv = |input, output| Conv2d::new(input, output, 1, device).bias().spectral_norm();
        Self {
            query: conv(channels, inner),
            key: conv(channels, inner),
            value: conv(channels, inner),
            output: conv(inner, channels),
            gamma: Param::from_tensor(Tensor::zeros([1], device)),
        }
    }

    /// `[B, C, H, W] -> [B, C, H, W]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, _, height, width] = x.dims();
        let flat = |map: Tensor<4>| -> Tensor<3> { map.flatten(2, 3) };
        let query = flat(self.query.forward(x.clone())); // [B, C/8, HW]
        let key = flat(self.key.forward(x.clone())); // [B, C/8, HW]
        let value = flat(self.value.forward(x.clone())); // [B, C/8, HW]

        // Row j: how much pixel j draws from every pixel i.
        let weights = activation::softmax(query.transpose().matmul(key), 2); // [B, HW, HW]
        let drawn = value.matmul(weights.transpose()); // [B, C/8, HW]
        let inner = drawn.dims()[1];
        let out = self.output.forward(drawn.reshape([batch, inner, height, width])); // [B, C, H, W]
        x + out * self.gamma.val().reshape([1, 1, 1, 1])
    }

    pub(crate) fn folded(self) -> Self {
        Self {
            query: self.query.folded(),
            key: self.key.folded(),
            value: self.value.folded(),
            output: self.output.folded(),
            gamma: self.gamma,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn a_fresh_layer_is_the_identity() {
        let device = Device::flex();
        let x = Tensor::random([2, 16, 4, 5], Distribution::Default, &device);
        let out = SelfAttention::new(16, &device).forward(x.clone());
        assert_eq!(out.into_data(), x.into_data());
    }
}
