//! What a loss's gradient with respect to a convolution's output says about its input, weight and bias.

use crate::correlation::{Sizes, Tap};
use crate::geometry::{Convolution, area};
use crate::pack::Weight;
use crate::plan::Plan;

impl Convolution {
    /// Gradient with respect to the input, `[batch, inputs, height, width]`. `gradient` is with respect to the output.
    ///
    /// It is the transposed convolution of `gradient`.
    ///
    /// # Panics
    /// When a slice has another length than the sizes say, or the kernel does not fit.
    pub fn input_gradient(&self, gradient: &[f32], weight: &[f32]) -> Vec<f32> {
        assert_eq!(gradient.len(), self.output_len(), "output gradient of {self:?}");
        self.transposed_plan(weight).run(gradient, &[])
    }

    pub(crate) fn transposed_plan(&self, weight: &[f32]) -> Plan {
        assert_eq!(weight.len(), self.weight_len(), "weight of {self:?}");
        let convolution = self.with_long_rows();
        let row = |y| (0..self.stride[1]).map(|x| self.taps_of([y, x])).collect();
        let passes: Vec<Vec<Vec<Tap>>> = (0..self.stride[0]).map(row).collect();
        let sizes = Sizes {
            batch: self.batch,
            inputs: self.outputs,
            outputs: self.inputs,
            source: convolution.output_size(),
            size: convolution.size,
            advance: [1, 1],
            step: self.stride,
        };
        let strides = [area(self.kernel), self.inputs * area(self.kernel)];
        Plan::new(sizes, &passes, Weight { values: weight, strides })
    }

    /// The taps of the pass for the input rows and columns `first + stride·i`. Kernel row k of output row o reads input row
    /// `o·stride + k - padding`, so input row `first + stride·i` gets something from the kernel rows k that leave the
    /// remainder of `first + padding`, from output row `i + (first + padding - k) / stride`.
    fn taps_of(&self, first: [usize; 2]) -> Vec<Tap> {
        let along = |axis: usize| {
            let (stride, origin) = (self.stride[axis], first[axis] + self.padding[axis]);
            (origin % stride..self.kernel[axis])
                .step_by(stride)
                .map(move |k| (k, (origin as isize - k as isize) / stride as isize))
        };
        let pairs = along(0).flat_map(|y| along(1).map(move |x| (y, x)));
        pairs
            .map(|((y, row), (x, column))| Tap { place: [row, column], at: y * self.kernel[1] + x })
            .collect()
    }

    /// Gradient with respect to the bias, `[outputs]`: the sum of the output's over pictures and pixels.
    ///
    /// # Panics
    /// When the slice has another length than the sizes say, or the kernel does not fit.
    pub fn bias_gradient(&self, gradient: &[f32]) -> Vec<f32> {
        assert_eq!(gradient.len(), self.output_len(), "output gradient of {self:?}");
        let pixels = area(self.output_size());
        let mut sums = vec![0.0; self.outputs];
        for (number, plane) in gradient.chunks_exact(pixels).enumerate() {
            sums[number % self.outputs] += sum(plane);
        }
        sums
    }
}

/// In sixteen partial sums, which run on vectors and err less than one.
fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}
