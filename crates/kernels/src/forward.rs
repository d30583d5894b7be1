//! The convolution itself.

use crate::correlation::{Sizes, Tap};
use crate::geometry::{Convolution, area};
use crate::pack::Weight;
use crate::plan::Plan;

impl Convolution {
    /// `x`: `[batch, inputs, height, width]`; `weight`: `[outputs, inputs, kernel height, kernel width]`; `bias`: one
    /// value per output, or none at all; out: `[batch, outputs, height', width']`.
    ///
    /// # Panics
    /// When a slice has another length than the sizes say, or the kernel does not fit.
    pub fn forward(&self, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        assert_eq!(x.len(), self.input_len(), "input of {self:?}");
        assert!(bias.is_empty() || bias.len() == self.outputs, "bias of {self:?}");
        self.plan(weight).run(x, bias)
    }

    pub(crate) fn plan(&self, weight: &[f32]) -> Plan {
        assert_eq!(weight.len(), self.weight_len(), "weight of {self:?}");
        let strides = [self.inputs * area(self.kernel), area(self.kernel)];
        Plan::new(self.sizes(), &[vec![self.taps()]], Weight { values: weight, strides })
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let convolution = self.with_long_rows();
        Sizes {
            batch: self.batch,
            inputs: self.inputs,
            outputs: self.outputs,
            source: convolution.size,
            size: convolution.output_size(),
            advance: self.stride,
            step: [1, 1],
        }
    }

    pub(crate) fn taps(&self) -> Vec<Tap> {
        let [top, left] = self.padding.map(usize::cast_signed);
        let taps = (0..area(self.kernel)).map(|at| {
            let [y, x] = [at / self.kernel[1], at % self.kernel[1]].map(usize::cast_signed);
            Tap { place: [y - top, x - left], at }
        });
        taps.collect()
    }
}
