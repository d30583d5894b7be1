//! The convolution itself.

use crate::geometry::{Convolution, area};
use crate::pack::pack_weight;
use crate::plan::{Pass, Plan};

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
        let convolution = self.with_long_rows();
        let taps = area(self.kernel);
        let packed = pack_weight(self.outputs, self.inputs, taps, |output, input, tap| {
            weight[(output * self.inputs + input) * taps + tap]
        });
        let [top, left] = self.padding.map(|padding| padding as isize);
        let places = (0..taps).map(|tap| {
            let [y, x] = [tap / self.kernel[1], tap % self.kernel[1]];
            [y as isize - top, x as isize - left]
        });
        Plan {
            batch: self.batch,
            inputs: self.inputs,
            outputs: self.outputs,
            source: convolution.size,
            size: convolution.output_size(),
            advance: self.stride,
            step: [1, 1],
            passes: vec![vec![Pass { taps: places.collect(), weight: packed }]],
        }
    }
}
