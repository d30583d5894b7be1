//! Instance norm with scale and bias, and the activation behind it, in one go.

use rayon::prelude::*;

use crate::pack::Activation;
use crate::simd::{BitOps, Isa, NumOps, SimdOp};

/// Instance norm of pictures in NCHW order: every channel of every picture to mean 0 and variance 1, then scaled and
/// shifted, then cut off at 0 where `relu` says so.
///
/// `y = (x - μ) / sqrt(σ² + ε) · scale + bias`, σ² over a channel's pixels without Bessel's correction. Scale and bias
/// have one value per channel, or one per channel and picture (adaptive instance norm, Huang and Belongie 2017).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InstanceNorm {
    /// Pixels of a channel.
    pub pixels: usize,
    /// ε.
    pub epsilon: f32,
    /// Whether negative outputs become 0.
    pub relu: bool,
}

/// Mean and inverse deviation of a channel of a picture, kept from forward to backward.
pub type Moments = [f32; 2];

/// What [`InstanceNorm::gradient`] finds.
pub struct NormGradient {
    /// With respect to the input.
    pub x: Vec<f32>,
    /// With respect to the scale of each channel of each picture; where a scale is shared the caller adds up.
    pub scale: Vec<f32>,
    /// With respect to the bias, likewise.
    pub bias: Vec<f32>,
}

/// One channel of one picture.
struct Plane {
    moments: Moments,
    scale: f32,
    bias: f32,
    relu: bool,
}

impl InstanceNorm {
    /// The normalised pictures, and the moments of each channel of each.
    ///
    /// # Panics
    /// When `x` is not made of whole channels, or `scale` and `bias` do not divide them.
    pub fn forward(&self, x: &[f32], scale: &[f32], bias: &[f32]) -> (Vec<f32>, Vec<Moments>) {
        self.check(x, scale, bias);
        let mut y = vec![0.0; x.len()];
        let mut moments = vec![[0.0; 2]; x.len() / self.pixels.max(1)];
        let planes =
            x.par_chunks_exact(self.pixels).zip(y.par_chunks_exact_mut(self.pixels)).zip(&mut moments);
        planes.enumerate().for_each(|(number, ((x, y), moments))| {
            *moments = Measure { x, epsilon: self.epsilon }.dispatch();
            let plane = self.plane(number, *moments, scale, bias);
            Apply { plane, x, y }.dispatch();
        });
        (y, moments)
    }

    /// What the norm and a `ReLU` behind it do to each channel of each picture, for
    /// [`Prepared::run`](crate::Prepared::run).
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn activations(&self, x: &[f32], scale: &[f32], bias: &[f32]) -> Vec<Activation> {
        self.check(x, scale, bias);
        let channels = x.par_chunks_exact(self.pixels).enumerate();
        channels
            .map(|(number, x)| {
                let [mean, inverse] = Measure { x, epsilon: self.epsilon }.dispatch();
                let factor = inverse * scale[number % scale.len()];
                Activation { factor, offset: bias[number % bias.len()] - mean * factor }
            })
            .collect()
    }

    /// `x`, `moments`, `scale` and `bias` as in [`forward`](Self::forward); `gradient` with respect to its output.
    ///
    /// # Panics
    /// As `forward`, and when `gradient` or `moments` have another size than `x`.
    pub fn gradient(
        &self,
        x: &[f32],
        moments: &[Moments],
        scale: &[f32],
        bias: &[f32],
        gradient: &[f32],
    ) -> NormGradient {
        self.check(x, scale, bias);
        assert_eq!(x.len(), gradient.len(), "the gradient must have the input's size");
        assert_eq!(x.len(), moments.len() * self.pixels, "there must be moments of each channel");
        let mut of_x = vec![0.0; x.len()];
        let planes = of_x.par_chunks_exact_mut(self.pixels).zip(x.par_chunks_exact(self.pixels));
        let sums: Vec<[f32; 2]> = planes
            .zip(gradient.par_chunks_exact(self.pixels))
            .zip(moments)
            .enumerate()
            .map(|(number, (((of_x, x), gradient), &moments))| {
                let plane = self.plane(number, moments, scale, bias);
                let sums = Reduce { plane: &plane, x, gradient }.dispatch();
                Backward { plane: &plane, x, gradient, sums, of_x }.dispatch();
                sums
            })
            .collect();
        NormGradient {
            x: of_x,
            scale: sums.iter().map(|sums| sums[1]).collect(),
            bias: sums.iter().map(|sums| sums[0]).collect(),
        }
    }

    fn plane(&self, number: usize, moments: Moments, scale: &[f32], bias: &[f32]) -> Plane {
        let (scale, bias) = (scale[number % scale.len()], bias[number % bias.len()]);
        Plane { moments, scale, bias, relu: self.relu }
    }

    fn check(&self, x: &[f32], scale: &[f32], bias: &[f32]) {
        assert!(self.pixels > 0 && x.len().is_multiple_of(self.pixels), "whole channels of {self:?}");
        let channels = x.len() / self.pixels;
        for values in [scale, bias] {
            assert!(
                !values.is_empty() && channels.is_multiple_of(values.len()),
                "one scale and bias per channel"
            );
        }
    }
}

/// Vectors at a time in sums: two chains of additions hide each other's latency.
const CHAINS: usize = 2;

/// Sums `each(at)` over vectors of the pixels, then `rest(at)` over those that do not fill one.
#[inline(always)]
fn summed<I: Isa, const N: usize>(
    isa: I,
    pixels: usize,
    each: impl Fn(usize) -> [I::F32; N],
    rest: impl Fn(usize) -> [f32; N],
) -> [f32; N] {
    let ops = isa.f32();
    let mut sums = [[ops.zero(); N]; CHAINS];
    let vectors = pixels / ops.len();
    for vector in 0..vectors {
        let chain = &mut sums[vector % CHAINS];
        let values = each(vector * ops.len());
        for n in 0..N {
            chain[n] = ops.add(chain[n], values[n]);
        }
    }
    let mut totals: [f32; N] = std::array::from_fn(|n| sums.iter().map(|chain| ops.sum(chain[n])).sum());
    for at in vectors * ops.len()..pixels {
        let values = rest(at);
        for n in 0..N {
            totals[n] += values[n];
        }
    }
    totals
}

struct Measure<'a> {
    x: &'a [f32],
    epsilon: f32,
}

impl SimdOp for Measure<'_> {
    type Output = Moments;

    /// Mean first, then the squares around it: squares around 0 lose the variance of a channel far from 0.
    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> Moments {
        let (ops, x) = (isa.f32(), self.x);
        let pixels = x.len() as f32;
        let [sum] = summed(isa, x.len(), |at| [ops.load(&x[at..])], |at| [x[at]]);
        let mean = sum / pixels;
        let means = ops.splat(mean);
        let [squares] = summed(
            isa,
            x.len(),
            |at| {
                let centred = ops.sub(ops.load(&x[at..]), means);
                [ops.mul(centred, centred)]
            },
            |at| [(x[at] - mean).powi(2)],
        );
        [mean, 1.0 / (squares / pixels + self.epsilon).sqrt()]
    }
}

struct Apply<'a> {
    plane: Plane,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl SimdOp for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let (ops, Plane { moments: [mean, inverse], scale, bias, relu }) = (isa.f32(), self.plane);
        let factor = inverse * scale;
        let (means, factors, biases) = (ops.splat(mean), ops.splat(factor), ops.splat(bias));
        let whole = self.x.len() / ops.len() * ops.len();
        for at in (0..whole).step_by(ops.len()) {
            let y = ops.mul_add(ops.sub(ops.load(&self.x[at..]), means), factors, biases);
            let y = if relu { ops.max(y, ops.zero()) } else { y };
            ops.store(y, &mut self.y[at..]);
        }
        for (x, y) in self.x[whole..].iter().zip(&mut self.y[whole..]) {
            let value = (x - mean).mul_add(factor, bias);
            *y = if relu { value.max(0.0) } else { value };
        }
    }
}

/// Sums over the pixels of the gradient that passes the activation, plain and times the normalised input.
struct Reduce<'a> {
    plane: &'a Plane,
    x: &'a [f32],
    gradient: &'a [f32],
}

impl SimdOp for Reduce<'_> {
    type Output = [f32; 2];

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> [f32; 2] {
        let (ops, plane) = (isa.f32(), self.plane);
        let inverse = ops.splat(plane.moments[1]);
        summed(
            isa,
            self.x.len(),
            |at| {
                let (centred, passed) = plane.passed(isa, &self.x[at..], &self.gradient[at..]);
                [passed, ops.mul(passed, ops.mul(centred, inverse))]
            },
            |at| {
                let (centred, passed) = plane.passed_one(self.x[at], self.gradient[at]);
                [passed, passed * centred * plane.moments[1]]
            },
        )
    }
}

/// `dx = scale / sqrt(σ² + ε) · (g - mean(g) - x̂ · mean(g · x̂))`, g the gradient that passes the activation.
struct Backward<'a> {
    plane: &'a Plane,
    x: &'a [f32],
    gradient: &'a [f32],
    /// Of [`Reduce`].
    sums: [f32; 2],
    of_x: &'a mut [f32],
}

impl SimdOp for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let (ops, plane) = (isa.f32(), self.plane);
        let inverse = plane.moments[1];
        let factor = inverse * plane.scale;
        let [mean, slope] = self.sums.map(|sum| sum / self.x.len() as f32);
        let slope = slope * inverse;
        let (factors, means, slopes) = (ops.splat(factor), ops.splat(mean), ops.splat(slope));
        let whole = self.x.len() / ops.len() * ops.len();
        for at in (0..whole).step_by(ops.len()) {
            let (centred, passed) = plane.passed(isa, &self.x[at..], &self.gradient[at..]);
            let rest = ops.sub(ops.sub(passed, means), ops.mul(centred, slopes));
            ops.store(ops.mul(rest, factors), &mut self.of_x[at..]);
        }
        for at in whole..self.x.len() {
            let (centred, passed) = plane.passed_one(self.x[at], self.gradient[at]);
            self.of_x[at] = (passed - mean - centred * slope) * factor;
        }
    }
}

impl Plane {
    /// The centred input, and the gradient where the activation lets it through.
    #[inline(always)]
    fn passed<I: Isa>(&self, isa: I, x: &[f32], gradient: &[f32]) -> (I::F32, I::F32) {
        let ops = isa.f32();
        let centred = ops.sub(ops.load(x), ops.splat(self.moments[0]));
        let gradient = ops.load(gradient);
        if !self.relu {
            return (centred, gradient);
        }
        let y = ops.mul_add(centred, ops.splat(self.moments[1] * self.scale), ops.splat(self.bias));
        (centred, ops.select(gradient, ops.zero(), ops.gt(y, ops.zero())))
    }

    fn passed_one(&self, x: f32, gradient: f32) -> (f32, f32) {
        let centred = x - self.moments[0];
        let y = centred.mul_add(self.moments[1] * self.scale, self.bias);
        (centred, if self.relu && y <= 0.0 { 0.0 } else { gradient })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scalar loss, in f64: the inner product of the output with `gradient`.
    fn loss(norm: &InstanceNorm, x: &[f64], scale: &[f64], bias: &[f64], gradient: &[f32]) -> f64 {
        let planes = x.chunks(norm.pixels).zip(gradient.chunks(norm.pixels)).enumerate();
        let of_plane = |(number, (x, gradient)): (usize, (&[f64], &[f32]))| -> f64 {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
            let inverse = 1.0 / (variance + f64::from(norm.epsilon)).sqrt();
            let y = x
                .iter()
                .map(|x| (x - mean) * inverse * scale[number % scale.len()] + bias[number % bias.len()]);
            let y = y.map(|y| if norm.relu { y.max(0.0) } else { y });
            y.zip(gradient).map(|(y, &gradient)| y * f64::from(gradient)).sum()
        };
        planes.map(of_plane).sum()
    }

    #[test]
    fn gradients_are_the_finite_differences() {
        let mut rng = fastrand::Rng::with_seed(3);
        for (pixels, planes, scales, relu) in
            [(37, 6, 3, true), (64, 4, 4, false), (5, 2, 1, true), (1, 2, 2, false)]
        {
            let norm = InstanceNorm { pixels, epsilon: 1e-4, relu };
            let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.f32() * 4.0 - 1.0).collect() };
            let (x, scale, bias) = (values(pixels * planes), values(scales), values(scales));
            let gradient = values(pixels * planes);
            let (_, moments) = norm.forward(&x, &scale, &bias);
            let found = norm.gradient(&x, &moments, &scale, &bias, &gradient);
            let shared = |of_planes: &[f32]| -> Vec<f32> {
                (0..scales).map(|at| of_planes.iter().skip(at).step_by(scales).sum()).collect()
            };
            let inputs =
                [&x, &scale, &bias].map(|values| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
            for (which, found) in [found.x, shared(&found.scale), shared(&found.bias)].iter().enumerate() {
                for at in 0..found.len() {
                    let shifted = |by: f64| {
                        let mut inputs = inputs.clone();
                        inputs[which][at] += by;
                        loss(&norm, &inputs[0], &inputs[1], &inputs[2], &gradient)
                    };
                    let expected = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
                    let error = (f64::from(found[at]) - expected).abs();
                    assert!(
                        error < 2e-4 * (1.0 + expected.abs()),
                        "{norm:?} {which} {at}: {} {expected}",
                        found[at]
                    );
                }
            }
        }
    }

    #[test]
    fn outputs_have_the_asked_moments() {
        let norm = InstanceNorm { pixels: 4, epsilon: 0.0, relu: false };
        let (y, moments) = norm.forward(&[1001.0, 1003.0, 1001.0, 1003.0], &[2.0], &[5.0]);
        assert_eq!(moments, [[1002.0, 1.0]]);
        assert_eq!(y, [3.0, 7.0, 3.0, 7.0]);
        let norm = InstanceNorm { relu: true, ..norm };
        assert_eq!(norm.forward(&[1.0, 3.0, 1.0, 3.0], &[2.0], &[0.0]).0, [0.0, 2.0, 0.0, 2.0]);
    }

    #[test]
    fn a_constant_channel_has_a_finite_gradient() {
        let norm = InstanceNorm { pixels: 16, epsilon: 1e-4, relu: false };
        let x = [0.5; 16];
        let (y, moments) = norm.forward(&x, &[3.0], &[1.0]);
        assert_eq!(y, [1.0; 16]);
        assert!(
            norm.gradient(&x, &moments, &[3.0], &[1.0], &[1.0; 16]).x.iter().all(|value| value.is_finite())
        );
    }
}
