//! The layers the networks are made of: convolution and linear map with optional spectral norm, instance norm, AdaIN.
//!
//! Field names are the names in weight files. Layouts are PyTorch's: a convolution's weight is `[out, in, k, k]`, a
//! linear map's `[out, in]`.

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor};

use gioconda_model::{AVERAGING_SPREAD, ENLARGING_SPREAD};

use crate::cpu::{convolve, convolve_transposed, normalize};
use crate::spectral::{normalized, singular_vector};

/// PyTorch's default initialisation of convolutions and linear maps: `U(-b, b)`, `b = 1 / sqrt(fan_in)`.
fn uniform<const D: usize>(shape: [usize; D], fan_in: usize, device: &Device) -> Tensor<D> {
    let bound = 1.0 / (fan_in as f64).sqrt();
    Tensor::random(shape, Distribution::Uniform(-bound, bound), device)
}

/// Each slice along `dim` `times`, one behind the other, multiplied by `factor`; a leaf that is trained if it was.
fn repeated<const D: usize>(tensor: Tensor<D>, dim: usize, times: usize, factor: f64) -> Tensor<D> {
    let (trained, device) = (tensor.is_require_grad(), tensor.device());
    let slices = tensor.detach().split(1, dim).into_iter();
    let repeated = slices.flat_map(|slice| std::iter::repeat_n(slice, times)).collect();
    // What autodiff computed is no leaf; numbers are.
    Tensor::from_data((Tensor::cat(repeated, dim) * factor).into_data(), &device).set_require_grad(trained)
}

/// A square convolution with zero padding of half its kernel.
#[derive(Module, Debug)]
pub struct Conv2d {
    weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
    u: Option<Param<Tensor<1>>>,
    stride: usize,
}

impl Conv2d {
    /// `kernel` x `kernel`, stride 1, no bias, no spectral norm: [`bias`](Self::bias) and
    /// [`spectral_norm`](Self::spectral_norm) add them.
    pub fn new(input: usize, output: usize, kernel: usize, device: &Device) -> Self {
        let fan_in = input * kernel * kernel;
        let weight = uniform([output, input, kernel, kernel], fan_in, device);
        Self { weight: Param::from_tensor(weight), bias: None, u: None, stride: 1 }
    }

    /// With a bias per output channel.
    #[must_use]
    pub fn bias(mut self) -> Self {
        let weight = self.weight.val();
        let [output, input, kernel, _] = weight.dims();
        self.bias = Some(Param::from_tensor(uniform([output], input * kernel * kernel, &weight.device())));
        self
    }

    /// With spectral normalisation of the weight.
    #[must_use]
    pub fn spectral_norm(mut self) -> Self {
        let weight = self.weight.val();
        self.u = Some(singular_vector(&weight, &weight.device()));
        self
    }

    /// With this step between output pixels.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// With all weights zero and this bias.
    #[must_use]
    pub(crate) fn zero_with_bias(mut self, bias: &[f32]) -> Self {
        let weight = self.weight.val();
        let device = weight.device();
        let values = Tensor::from_floats(bias, &device);
        self.weight = Param::from_tensor(Tensor::zeros(weight.dims(), &device));
        self.bias = Some(Param::from_tensor(values));
        self
    }

    /// For inputs of which each is there `times`, one behind the other: it takes their mean in its stead.
    #[must_use]
    pub(crate) fn inputs_shared(self, times: usize) -> Self {
        let share = 1.0 / times as f64;
        let weight = self.weight.map(|weight| repeated(weight, 1, times, share));
        Self { weight, ..self }
    }

    /// Gives each output `times`, one behind the other.
    #[must_use]
    pub(crate) fn outputs_repeated(self, times: usize) -> Self {
        let bias = self.bias.map(|bias| bias.map(|bias| repeated(bias, 0, times, 1.0)));
        Self { weight: self.weight.map(|weight| repeated(weight, 0, times, 1.0)), bias, ..self }
    }

    /// `[B, in, H, W] -> [B, out, ceil(H / stride), ceil(W / stride)]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.effective_weight();
        let padding = weight.dims()[2] / 2;
        convolve(x, weight, self.bias_value(), self.stride, padding)
    }

    /// This 3x3 convolution of `x` enlarged twice by nearest-neighbour: `[B, in, H, W] -> [B, out, 2H, 2W]`.
    ///
    /// Both are one transposed 4x4 convolution with stride 2, with 2.25 times fewer products.
    pub(crate) fn forward_upsampled(&self, x: Tensor<4>) -> Tensor<4> {
        let out = convolve_transposed(x, self.upsampled_weight(), 2, 1);
        match self.bias_value() {
            Some(bias) => out + bias.reshape([1, -1, 1, 1]),
            None => out,
        }
    }

    /// The mean of every 2x2 pixels of this 3x3 convolution: `[B, in, H, W] -> [B, out, H / 2, W / 2]`.
    ///
    /// Both are one 4x4 convolution with stride 2, with 2.25 times fewer products.
    pub(crate) fn forward_pooled(&self, x: Tensor<4>) -> Tensor<4> {
        convolve(x, self.pooled_weight(), self.bias_value(), 2, 1)
    }

    /// The weight of the transposed convolution of [`forward_upsampled`](Self::forward_upsampled), `[in, out, 4, 4]`.
    pub(crate) fn upsampled_weight(&self) -> Tensor<4> {
        self.resampling_weight(&ENLARGING_SPREAD).swap_dims(0, 1)
    }

    /// The weight of the convolution of [`forward_pooled`](Self::forward_pooled), `[out, in, 4, 4]`.
    pub(crate) fn pooled_weight(&self) -> Tensor<4> {
        self.resampling_weight(&AVERAGING_SPREAD)
    }

    /// The 3x3 weight as 4x4, `[out, in, 4, 4]`: row (or column) k of the old contributes to row j of the new
    /// `spread[k][j]` times.
    fn resampling_weight(&self, spread: &[[f32; 4]; 3]) -> Tensor<4> {
        let weight = self.effective_weight();
        let [output, input, ..] = weight.dims();
        let matrix: Vec<f32> = (0..9 * 16)
            .map(|at| {
                let (from, to) = (at / 16, at % 16);
                spread[from / 3][to / 4] * spread[from % 3][to % 4]
            })
            .collect();
        let matrix = Tensor::<1>::from_floats(&matrix[..], &weight.device()).reshape([9, 16]);
        weight.reshape([output * input, 9]).matmul(matrix).reshape([output, input, 4, 4])
    }

    /// The weight as it acts, spectral norm applied.
    pub(crate) fn effective_weight(&self) -> Tensor<4> {
        match &self.u {
            Some(u) => normalized(self.weight.val(), u.val()),
            None => self.weight.val(),
        }
    }

    pub(crate) fn bias_value(&self) -> Option<Tensor<1>> {
        self.bias.as_ref().map(Param::val)
    }

    pub(crate) fn stride_value(&self) -> usize {
        self.stride
    }

    /// The running estimate of the first left singular vector, `[out]`, if the weight is normalised.
    pub fn singular_vector(&self) -> Option<Tensor<1>> {
        self.u.as_ref().map(Param::val)
    }

    pub(crate) fn folded(self) -> Self {
        let weight = self.effective_weight().detach();
        Self { weight: self.weight.map(|_| weight), u: None, ..self }
    }
}

/// A linear map with bias.
#[derive(Module, Debug)]
pub struct Linear {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    u: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// `input -> output` values, no spectral norm.
    pub fn new(input: usize, output: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(uniform([output, input], input, device)),
            bias: Param::from_tensor(uniform([output], input, device)),
            u: None,
        }
    }

    /// With spectral normalisation of the weight.
    #[must_use]
    pub fn spectral_norm(mut self) -> Self {
        let weight = self.weight.val();
        self.u = Some(singular_vector(&weight, &weight.device()));
        self
    }

    /// With all weights zero and this bias.
    #[must_use]
    pub(crate) fn zero_with_bias(mut self, bias: &[f32]) -> Self {
        let weight = self.weight.val();
        let device = weight.device();
        self.weight = Param::from_tensor(Tensor::zeros(weight.dims(), &device));
        self.bias = Param::from_tensor(Tensor::from_floats(bias, &device));
        self
    }

    /// `[B, in] -> [B, out]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.effective_weight().transpose()) + self.bias.val().unsqueeze()
    }

    fn effective_weight(&self) -> Tensor<2> {
        match &self.u {
            Some(u) => normalized(self.weight.val(), u.val()),
            None => self.weight.val(),
        }
    }

    pub(crate) fn folded(self) -> Self {
        let weight = self.effective_weight().detach();
        Self { weight: self.weight.map(|_| weight), u: None, ..self }
    }
}

/// Instance norm with a learned scale and bias per channel.
#[derive(Module, Debug)]
pub struct InstanceNorm {
    scale: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
}

impl InstanceNorm {
    /// Scale 1, bias 0.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            scale: Param::from_tensor(Tensor::ones([channels], device)),
            bias: Param::from_tensor(Tensor::zeros([channels], device)),
        }
    }

    /// `[B, C, H, W] -> [B, C, H, W]`, with the `ReLU` behind it where `relu` says so.
    pub fn forward(&self, x: Tensor<4>, relu: bool) -> Tensor<4> {
        normalize(x, self.scale.val().unsqueeze(), self.bias.val().unsqueeze(), relu)
    }

    pub(crate) fn scale_and_bias(&self) -> (Tensor<1>, Tensor<1>) {
        (self.scale.val(), self.bias.val())
    }
}

/// ψ, the values of all AdaIN layers of a generator, handed out layer by layer in the order of the layers.
///
/// Each layer with C channels takes 2·C values: C biases first, then C scales (DESIGN.md §4).
#[derive(Debug)]
pub struct Psi {
    values: Tensor<2>,
    taken: usize,
}

impl Psi {
    /// `values`: `[B, Σ 2·C]`, or `[1, Σ 2·C]` for one person in a whole batch.
    pub fn new(values: Tensor<2>) -> Self {
        Self { values, taken: 0 }
    }

    /// Adaptive instance norm of `x`, `[B, C, H, W]`, with the next 2·C values, and the `ReLU` behind it where `relu`
    /// says so.
    ///
    /// # Panics
    /// When fewer than 2·C values are left.
    pub fn adain(&mut self, x: Tensor<4>, relu: bool) -> Tensor<4> {
        let channels = x.dims()[1];
        let bias = self.next(channels);
        let scale = self.next(channels);
        normalize(x, scale, bias, relu)
    }

    fn next(&mut self, channels: usize) -> Tensor<2> {
        self.taken += channels;
        self.values.clone().narrow(1, self.taken - channels, channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adain_gradient_is_finite_on_a_constant_map() {
        let device = Device::flex().autodiff();
        let x = Tensor::<4>::full([1, 2, 4, 4], 0.5, &device).require_grad();
        let psi = Tensor::<2>::from_floats([[0.1, 0.2, 3.0, 4.0]], &device).require_grad();
        let out = Psi::new(psi.clone()).adain(x.clone(), false);
        let gradients = out.square().sum().backward();
        for finite in
            [x.grad(&gradients).unwrap().is_finite().all(), psi.grad(&gradients).unwrap().is_finite().all()]
        {
            assert!(finite.into_scalar::<bool>());
        }
    }

    #[test]
    fn psi_is_bias_then_scale() {
        let device = Device::flex();
        let x = Tensor::<4>::from_floats([[[[-1.0, 1.0]], [[-1.0, 1.0]]]], &device); // [1, 2, 1, 2]
        let psi = Tensor::<2>::from_floats([[10.0, 20.0, 1.0, 2.0, 7.0]], &device);
        let out = Psi::new(psi).adain(x, false).try_into_vec_as::<f32>().unwrap();
        for (value, expected) in out.iter().zip([9.0, 11.0, 18.0, 22.0]) {
            assert!((value - expected).abs() < 1e-3, "{out:?}");
        }
    }

    #[test]
    fn linear_matches_the_written_out_product() {
        let device = Device::flex();
        let linear = Linear::new(2, 1, &device).zero_with_bias(&[0.25]);
        let out = linear.forward(Tensor::from_floats([[3.0, 4.0]], &device));
        assert_eq!(out.try_into_vec_as::<f32>().unwrap(), [0.25]);
    }
}
