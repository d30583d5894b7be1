//! The landmark model's network, run by our own vector code: three times as fast as a general runtime.
//!
//! Every frame that is tracked runs this network once, and nothing else in the pipeline costs as much. A general
//! runtime spends half of its time in the depthwise convolutions, which have little arithmetic to hide behind;
//! `cargo bench -p gioconda-face --bench landmarks` compares the two. The network is read from the same ONNX file,
//! and a test holds its answers against the runtime's.
//!
//! It is a chain of bottleneck blocks at 128, 64, 32, 16, 8, 4 and 2 pixels:
//!
//! ```text
//! x <- PReLU(x + expand(depthwise3x3(PReLU(squeeze(x)))))
//! ```
//!
//! where the first block of a stage halves the picture: its squeeze is a 2x2 convolution of stride 2, and its x is max-pooled and
//! gets new channels of zeros. Activations are channels-last, as the input is, so that every inner loop
//! runs over neighbouring channels.

mod kernels;
mod onnx;

use kernels::{Depthwise, Forward, Matrix, PANEL};
use onnx::{Graph, Layers};
use rten_simd::SimdOp as _;

/// Side of the input, pixels.
pub(super) const INPUT: usize = 256;

/// The slopes of a `PReLU`, as its matrix has its outputs.
type Slope = Vec<[f32; PANEL]>;

/// The network's weights, in the order in which they are used.
struct Network {
    stages: Vec<Stage>,
    landmarks: Matrix,
    presence: Matrix,
}

/// The blocks that run at one resolution.
struct Stage {
    /// Side of the activations, pixels.
    side: usize,
    entry: Entry,
    blocks: Vec<Bottleneck>,
}

/// How a stage gets its activations.
enum Entry {
    /// From the picture: a 3x3 convolution of stride 2.
    Stem { convolution: Matrix, slope: Slope },
    /// From the stage before, in its first block: a 2x2 convolution of stride 2 takes the place of the squeeze.
    Halved { convolution: Matrix, slope: Slope, rest: Expansion },
}

struct Bottleneck {
    squeeze: Matrix,
    slope: Slope,
    rest: Expansion,
}

/// The second half of a block.
struct Expansion {
    depthwise: Depthwise,
    expand: Matrix,
    slope: Slope,
}

/// What a stage computes in; kept between frames.
struct Scratch {
    /// `[side, side, channels]`.
    x: Vec<f32>,
    /// `[side + 2, side + 2, squeezed]`, its border zero.
    squeezed: Vec<f32>,
    /// One row of whatever a matrix is multiplied with.
    row: Vec<f32>,
}

/// The network and the memory it runs in.
pub(super) struct LandmarkNetwork {
    network: Network,
    scratch: Vec<Scratch>,
}

impl LandmarkNetwork {
    /// Reads the network from the ONNX file; the reason if it is another network than the one above.
    pub(super) fn new(file: &[u8]) -> Result<Self, String> {
        let network = Network::read(&Graph::parse(file)?)?;
        let scratch = network.stages.iter().map(Scratch::new).collect();
        Ok(Self { network, scratch })
    }

    /// How many landmarks it gives.
    pub(super) fn landmarks(&self) -> usize {
        self.network.landmarks.outputs / 3
    }

    /// 478 x (x, y, z) in input pixels, and the logit of the face's presence, of an RGB picture in 0..1, `[256, 256, 3]`.
    ///
    /// # Panics
    /// When the picture has another size.
    pub(super) fn run(&mut self, picture: &[f32]) -> (Vec<f32>, f32) {
        assert_eq!(picture.len(), INPUT * INPUT * 3, "the landmark network takes 256x256 RGB");
        let count = self.network.landmarks.outputs;
        let mut landmarks = vec![0.0; count.next_multiple_of(PANEL)];
        let mut presence = [0.0; PANEL];
        let scratch = &mut self.scratch;
        Forward {
            network: &self.network,
            scratch,
            picture,
            landmarks: &mut landmarks,
            presence: &mut presence,
        }
        .dispatch();
        landmarks.truncate(count);
        (landmarks, presence[0])
    }
}

impl Network {
    fn read(graph: &Graph) -> Result<Self, String> {
        let mut layers = graph.layers();
        layers.expect("Transpose")?;
        let mut stages = vec![Stage {
            side: INPUT / 2,
            entry: Entry::Stem { convolution: layers.convolution(3, 2)?, slope: layers.slope()? },
            blocks: Vec::new(),
        }];
        loop {
            let stage = stages.last_mut().expect("the stem's stage is there from the start");
            if layers.next_kernel() == Some(1) {
                stage.blocks.push(Bottleneck {
                    squeeze: layers.convolution(1, 1)?,
                    slope: layers.slope()?,
                    rest: Expansion::read(&mut layers)?,
                });
            } else if stage.side > 2 {
                let side = stage.side / 2;
                let convolution = layers.convolution(2, 2)?;
                layers.expect("MaxPool")?;
                layers.skip("Pad");
                let (slope, rest) = (layers.slope()?, Expansion::read(&mut layers)?);
                let entry = Entry::Halved { convolution, slope, rest };
                stages.push(Stage { side, entry, blocks: Vec::new() });
            } else {
                break;
            }
        }
        // The first head is a flag that nothing here uses.
        layers.convolution(2, 1)?;
        let (presence, landmarks) = (layers.convolution(2, 1)?, layers.convolution(2, 1)?);
        let network = Self { stages, landmarks, presence };
        network.check()?;
        Ok(network)
    }

    /// Whether every layer takes what the one before it gives.
    fn check(&self) -> Result<(), String> {
        let mut channels = 0;
        for stage in &self.stages {
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
        let heads = [&self.landmarks, &self.presence].iter().all(|head| head.inputs == 4 * channels);
        if heads { Ok(()) } else { Err("the heads do not fit the last block".into()) }
    }
}

impl Expansion {
    fn read(layers: &mut Layers) -> Result<Self, String> {
        let depthwise = layers.depthwise()?;
        let expand = layers.convolution(1, 1)?;
        layers.expect("Add")?;
        Ok(Self { depthwise, expand, slope: layers.slope()? })
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

    fn channels(&self) -> usize {
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
    fn new(stage: &Stage) -> Self {
        let (side, squeezed) = (stage.side, stage.squeezed());
        Self {
            x: vec![0.0; side * side * stage.channels()],
            squeezed: vec![0.0; (side + 2) * (side + 2) * squeezed],
            row: vec![0.0; side * squeezed.max(stage.entry_inputs())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Session, card};

    /// What the general runtime answers to the same picture.
    #[test]
    fn answers_as_the_runtime_does() {
        let session = Session::load("face_landmarks_478", None).unwrap();
        let mut network = LandmarkNetwork::new(card("face_landmarks_478").bytes).unwrap();
        for seed in 0..3_u32 {
            let picture: Vec<f32> = (0..(INPUT * INPUT * 3) as u32)
                .map(|i| {
                    let (x, y) = ((i / 3) % 256, i / 768);
                    let noise = (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 16) % 64;
                    (x * (seed + 1) % 192 + y % (64 + seed)).wrapping_add(noise) as f32 / 320.0
                })
                .collect();
            let [points, presence] = session.run(&[1, INPUT, INPUT, 3], &picture).unwrap();
            for _again in 0..2 {
                let (ours, our_presence) = network.run(&picture);
                assert_eq!(ours.len(), points.len());
                let worst = ours.iter().zip(&points).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < 5e-3, "{worst} pixels apart");
                assert!((our_presence - presence[0]).abs() < 1e-3, "{our_presence} {}", presence[0]);
            }
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert!(LandmarkNetwork::new(b"not a model").is_err());
        let reason = LandmarkNetwork::new(card("face_detector_short_range").bytes).err().unwrap();
        assert!(
            reason.contains("Conv") || reason.contains("Transpose") || reason.contains("PRelu"),
            "{reason}"
        );
    }
}
