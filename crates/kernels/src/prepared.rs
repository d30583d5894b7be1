//! Convolutions for inference: the weight is packed once, the output goes where the caller says.

use crate::correlation::Sizes;
use crate::geometry::Convolution;
use crate::pack::Activation;
use crate::plan::Plan;

/// A convolution, or a transposed one, with its weight.
pub struct Prepared {
    plan: Plan,
    bias: Vec<f32>,
}

impl Prepared {
    /// See [`Convolution::forward`]; `bias` may be empty.
    ///
    /// # Panics
    /// When a slice has another length than the sizes say, or the kernel does not fit.
    pub fn convolution(sizes: &Convolution, weight: &[f32], bias: Vec<f32>) -> Self {
        assert!(bias.is_empty() || bias.len() == sizes.outputs, "bias of {sizes:?}");
        Self { plan: sizes.plan(weight), bias }
    }

    /// The transposed convolution, see [`Convolution::input_gradient`]: from `sizes`' output to its input; `bias` may be empty.
    ///
    /// # Panics
    /// As [`convolution`](Self::convolution).
    pub fn transposed(sizes: &Convolution, weight: &[f32], bias: Vec<f32>) -> Self {
        assert!(bias.is_empty() || bias.len() == sizes.inputs, "bias of {sizes:?}");
        Self { plan: sizes.transposed_plan(weight), bias }
    }

    /// Values of the output.
    pub fn output_len(&self) -> usize {
        self.plan.output_len()
    }

    /// Convolves `x`, or what `activations` (one for each channel of each picture, or none) make of it, into `out`.
    ///
    /// # Panics
    /// When a slice has another length than the sizes say.
    pub fn run(&self, x: &[f32], activations: &[Activation], out: &mut [f32]) {
        let Sizes { batch, inputs, source: [height, width], .. } = self.plan.sizes;
        assert_eq!(x.len(), batch * inputs * height * width, "input of a prepared convolution");
        assert!(activations.is_empty() || activations.len() == batch * inputs, "one activation per channel");
        assert_eq!(out.len(), self.plan.output_len(), "output of a prepared convolution");
        self.plan.run_into(x, activations, &self.bias, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InstanceNorm;

    #[test]
    fn prepared_is_norm_then_convolution() {
        let mut rng = fastrand::Rng::with_seed(4);
        let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.f32() * 2.0 - 1.0).collect() };
        let sizes = Convolution {
            batch: 2,
            inputs: 5,
            outputs: 7,
            size: [12, 10],
            kernel: [4; 2],
            stride: [2; 2],
            padding: [1; 2],
        };
        let (weight, scale, bias) = (values(sizes.weight_len()), values(7), values(7));
        for (x, prepared, channels) in [
            (values(sizes.input_len()), Prepared::convolution(&sizes, &weight, bias.clone()), 5),
            (values(sizes.output_len()), Prepared::transposed(&sizes, &weight, vec![]), 7),
        ] {
            let (scale, shift) = (&scale[..channels], &bias[..channels]);
            let norm = InstanceNorm { pixels: x.len() / 2 / channels, epsilon: 1e-4, relu: true };
            let mut out = vec![0.0; prepared.output_len()];
            prepared.run(&x, &norm.activations(&x, scale, shift), &mut out);
            let (y, _) = norm.forward(&x, scale, shift);
            let expected = match channels {
                5 => sizes.forward(&y, &weight, &bias),
                _ => sizes.input_gradient(&y, &weight),
            };
            for (value, expected) in out.iter().zip(&expected) {
                assert!((value - expected).abs() < 1e-4, "{value} {expected}");
            }
        }
    }
}
