//! Convolutions and norms, ready to run.

use gioconda_kernels::{Activation, InstanceNorm, Prepared};

/// Added to the variance under the root in every norm (DESIGN.md §4).
pub const NORM_EPSILON: f32 = 1e-4;

/// A convolution and where its output goes.
pub(super) struct Layer {
    convolution: Prepared,
    out: Vec<f32>,
}

impl Layer {
    pub(super) fn new(convolution: Prepared) -> Self {
        let out = vec![0.0; convolution.output_len()];
        Self { convolution, out }
    }

    /// The same layer with room behind its output for `numbers` more.
    pub(super) fn with_room(mut self, numbers: usize) -> Self {
        self.out.resize(self.out.len() + numbers, 0.0);
        self
    }

    /// Convolves what `activations` (one for each channel, or none) make of `x`; out its output without the room.
    pub(super) fn run(&mut self, x: &[f32], activations: &[Activation]) -> &mut [f32] {
        self.run_beside(x, activations).0
    }

    /// As [`run`](Self::run); and the room.
    pub(super) fn run_beside(&mut self, x: &[f32], activations: &[Activation]) -> (&mut [f32], &mut [f32]) {
        let (out, room) = self.out.split_at_mut(self.convolution.output_len());
        self.convolution.run(x, activations, out);
        (out, room)
    }

    /// The output of the last run, and what was written into the room.
    pub(super) fn output(&self) -> &[f32] {
        &self.out
    }

    pub(super) fn output_len(&self) -> usize {
        self.convolution.output_len()
    }
}

/// What stands before a convolution.
pub(super) enum Norm {
    /// Nothing, or a `ReLU`.
    None { channels: usize, relu: bool },
    /// Instance norm with these values, and a `ReLU`.
    Instance { scale: Vec<f32>, bias: Vec<f32> },
}

impl Norm {
    pub(super) fn activations(&self, x: &[f32]) -> Vec<Activation> {
        match self {
            Self::None { relu: false, .. } => Vec::new(),
            Self::None { channels, relu: true } => vec![Activation { factor: 1.0, offset: 0.0 }; *channels],
            Self::Instance { scale, bias } => {
                let norm = InstanceNorm { pixels: x.len() / scale.len(), epsilon: NORM_EPSILON, relu: true };
                norm.activations(x, scale, bias)
            }
        }
    }
}
