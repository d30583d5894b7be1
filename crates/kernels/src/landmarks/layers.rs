//! Weights in the order in which the vector code reads them.

use crate::simd::PANEL;

/// A matrix that turns a pixel's inputs into its outputs, with biases.
pub struct Matrix {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// `[outputs / 16, inputs, 16]`, filled up with zeros.
    pub(super) panels: Vec<[f32; PANEL]>,
    /// `[outputs / 16, 16]`.
    pub(super) bias: Vec<[f32; PANEL]>,
}

impl Matrix {
    /// `weight(output, input)` is the weight of an output for an input; `bias` has one value for each output.
    pub fn new(outputs: usize, inputs: usize, weight: impl Fn(usize, usize) -> f32, bias: &[f32]) -> Self {
        let inputs_of_panels =
            (0..outputs.div_ceil(PANEL)).flat_map(|at| (0..inputs).map(move |input| (at, input)));
        let panels = inputs_of_panels
            .map(|(at, input)| {
                std::array::from_fn(|i| {
                    let output = at * PANEL + i;
                    if output < outputs { weight(output, input) } else { 0.0 }
                })
            })
            .collect();
        Self { inputs, outputs, panels, bias: in_panels(bias) }
    }
}

/// One value for each output, filled up with zeros.
pub fn in_panels(values: &[f32]) -> Vec<[f32; PANEL]> {
    let panel = |values: &[f32]| std::array::from_fn(|i| values.get(i).copied().unwrap_or(0.0));
    values.chunks(PANEL).map(panel).collect()
}

/// A 3x3 convolution of each channel for itself.
pub struct Depthwise {
    pub(super) channels: usize,
    /// Weights of 16 neighbouring values of a row, `[panels, 9, 16]`. Eight channels make a panel of two pixels.
    pub(super) taps: Vec<[[f32; PANEL]; 9]>,
    /// `[panels, 16]`.
    pub(super) bias: Vec<[f32; PANEL]>,
}

impl Depthwise {
    /// `weights` are `[channels, 3, 3]`; `channels` is 8 or a multiple of 16.
    pub fn new(channels: usize, weights: &[f32], bias: &[f32]) -> Self {
        let channel = |panel: usize, i: usize| (panel * PANEL + i) % channels;
        let panels = 0..channels.div_ceil(PANEL);
        let taps = panels.clone().map(|panel| {
            std::array::from_fn(|tap| std::array::from_fn(|i| weights[channel(panel, i) * 9 + tap]))
        });
        let bias = panels.clone().map(|panel| std::array::from_fn(|i| bias[channel(panel, i)]));
        Self { channels, taps: taps.collect(), bias: bias.collect() }
    }
}
