//! The layers of the network and how they hang together.

use super::layers::{Depthwise, Matrix};
use crate::simd::PANEL;

/// Side of the input, pixels.
pub const INPUT: usize = 256;

/// The slopes of a `PReLU`, as its matrix has its outputs.
pub type Slope = Vec<[f32; PANEL]>;

/// The network's weights, in the order in which they are used.
pub struct Network {
    /// From the finest to the coarsest.
    pub stages: Vec<Stage>,
    /// The head that gives the landmarks, from all of the last 2x2 pixels.
    pub landmarks: Matrix,
    /// The head that gives the logit of the face's presence.
    pub presence: Matrix,
}

/// The blocks that run at one resolution.
pub struct Stage {
    /// Side of the activations, pixels.
    pub side: usize,
    /// How it gets its activations.
    pub entry: Entry,
    /// The blocks behind the entry.
    pub blocks: Vec<Bottleneck>,
}

/// How a stage gets its activations.
pub enum Entry {
    /// From the picture: a 3x3 convolution of stride 2.
    Stem {
        /// From 27 values, ordered row, column, channel.
        convolution: Matrix,
        /// One a channel.
        slope: Slope,
    },
    /// From the stage before, in its first block: a 2x2 convolution of stride 2 takes the place of the squeeze.
    Halved {
        /// From four pixels, ordered row, column, channel.
        convolution: Matrix,
        /// One a channel.
        slope: Slope,
        /// The second half of the block.
        rest: Expansion,
    },
}

/// A block that keeps the size.
pub struct Bottleneck {
    /// From all channels to few.
    pub squeeze: Matrix,
    /// One a squeezed channel.
    pub slope: Slope,
    /// The second half.
    pub rest: Expansion,
}

/// The second half of a block.
pub struct Expansion {
    /// On the squeezed channels.
    pub depthwise: Depthwise,
    /// Back to all channels.
    pub expand: Matrix,
    /// One a channel.
    pub slope: Slope,
}

/// What a stage computes in; kept between frames.
pub(super) struct Scratch {
    /// `[side, side, channels]`.
    pub(super) x: Vec<f32>,
    /// `[side + 2, side + 2, squeezed]`, its border zero.
    pub(super) squeezed: Vec<f32>,
    /// One row of whatever a matrix is multiplied with.
    pub(super) row: Vec<f32>,
}

impl Network {
    /// Whether every layer takes what the one before it gives.
    pub(super) fn check(&self) -> Result<(), String> {
        let (mut channels, mut side) = (0, INPUT);
        for (number, stage) in self.stages.iter().enumerate() {
            side /= 2;
            if stage.side != side || (number == 0) != matches!(stage.entry, Entry::Stem { .. }) {
                return Err(format!("stage {number} does not halve the one before it"));
            }
            let fits = |expansion: &Expansion, squeezed: usize, channels: usize| {
                expansion.depthwise.channels == squeezed
                    && expansion.expand.inputs == squeezed
                    && expansion.expand.outputs == channels
                    && channels.is_multiple_of(PANEL)
                    && (squeezed == 8 || squeezed.is_multiple_of(PANEL))
            };
            let entered = match &stage.entry {
                Entry::Stem { convolution, .. } => {
                    channels = convolution.outputs;
                    convolution.inputs == 27 && channels.is_multiple_of(PANEL)
                }
                Entry::Halved { convolution, rest, .. } => {
                    let before = std::mem::replace(&mut channels, rest.expand.outputs);
                    convolution.inputs == 4 * before
                        && channels >= before
                        && fits(rest, convolution.outputs, channels)
                }
            };
            let blocks = stage.blocks.iter().all(|block| {
                block.squeeze.inputs == channels
                    && block.squeeze.outputs == stage.squeezed()
                    && fits(&block.rest, stage.squeezed(), channels)
            });
            if !(entered && blocks) {
                return Err(format!("the blocks at {0}x{0} do not fit together", stage.side));
            }
        }
        if side != 2 {
            return Err(format!("the stages end at {side}x{side} instead of 2x2"));
        }
        let heads = [&self.landmarks, &self.presence].iter().all(|head| head.inputs == 4 * channels);
        if heads { Ok(()) } else { Err("the heads do not fit the last block".into()) }
    }
}

impl Stage {
    /// Channels between squeeze and expansion.
    fn squeezed(&self) -> usize {
        match &self.entry {
            Entry::Stem { .. } => self.blocks.first().map_or(0, |block| block.squeeze.outputs),
            Entry::Halved { convolution, .. } => convolution.outputs,
        }
    }

    pub(super) fn channels(&self) -> usize {
        match &self.entry {
            Entry::Stem { convolution, .. } => convolution.outputs,
            Entry::Halved { rest, .. } => rest.expand.outputs,
        }
    }

    /// Values that a row of the entry's convolution reads.
    fn entry_inputs(&self) -> usize {
        match &self.entry {
            Entry::Stem { convolution, .. } | Entry::Halved { convolution, .. } => convolution.inputs,
        }
    }
}

impl Scratch {
    pub(super) fn new(stage: &Stage) -> Self {
        let (side, squeezed) = (stage.side, stage.squeezed());
        Self {
            x: vec![0.0; side * side * stage.channels()],
            squeezed: vec![0.0; (side + 2) * (side + 2) * squeezed],
            row: vec![0.0; side * squeezed.max(stage.entry_inputs())],
        }
    }
}
