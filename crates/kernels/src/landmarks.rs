//! The landmark model's network, run by vector code of its own: three times as fast as by a general runtime.
//!
//! A general runtime spends half of its time in the depthwise convolutions, which have little arithmetic to hide behind.
//! `gioconda-face` reads the weights from the model's file; here they only run.
//!
//! The network is a chain of bottleneck blocks at 128, 64, 32, 16, 8, 4 and 2 pixels:
//!
//! ```text
//! x <- PReLU(x + expand(depthwise3x3(PReLU(squeeze(x)))))
//! ```
//!
//! where the first block of a stage halves the picture: its squeeze is a 2x2 convolution of stride 2, and its x is max-pooled and
//! gets new channels of zeros. Activations are channels-last, as the input is, so that every inner loop
//! runs over neighbouring channels.

mod forward;
mod layers;
mod network;

pub use layers::{Depthwise, Matrix, in_panels};
pub use network::{Bottleneck, Entry, Expansion, INPUT, Network, Slope, Stage};

use crate::simd::{PANEL, PanelOp as _};
use forward::Forward;
use network::Scratch;

/// The network and the memory it runs in.
pub struct LandmarkNetwork {
    network: Network,
    scratch: Vec<Scratch>,
}

impl LandmarkNetwork {
    /// Makes memory for `network`.
    ///
    /// # Errors
    /// The reason, when a layer does not take what the one before it gives.
    pub fn new(network: Network) -> Result<Self, String> {
        network.check()?;
        let scratch = network.stages.iter().map(Scratch::new).collect();
        Ok(Self { network, scratch })
    }

    /// How many landmarks it gives.
    pub fn landmarks(&self) -> usize {
        self.network.landmarks.outputs / 3
    }

    /// `landmarks()` x (x, y, z) in input pixels, and the logit of the face's presence, of an RGB picture in 0..1,
    /// `[256, 256, 3]`.
    ///
    /// # Panics
    /// When the picture has another size.
    pub fn run(&mut self, picture: &[f32]) -> (Vec<f32>, f32) {
        self.run_by(picture, |forward| forward.dispatch())
    }

    fn run_by(&mut self, picture: &[f32], run: impl FnOnce(Forward)) -> (Vec<f32>, f32) {
        assert_eq!(picture.len(), INPUT * INPUT * 3, "the landmark network takes 256x256 RGB");
        let count = self.network.landmarks.outputs;
        let mut landmarks = vec![0.0; count.next_multiple_of(PANEL)];
        let mut presence = [0.0; PANEL];
        let Self { network, scratch } = self;
        run(Forward { network, scratch, picture, landmarks: &mut landmarks, presence: &mut presence });
        landmarks.truncate(count);
        (landmarks, presence[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A narrow network with the layers of the real one, and random weights.
    fn network(rng: &mut fastrand::Rng) -> Network {
        const CHANNELS: usize = 16;
        let mut values = |len: usize, size: f32| -> Vec<f32> {
            (0..len).map(|_| size * (2.0 * rng.f32() - 1.0)).collect()
        };
        let mut matrix = |outputs: usize, inputs: usize| {
            let weights = values(outputs * inputs, (1.0 / inputs as f32).sqrt());
            Matrix::new(
                outputs,
                inputs,
                |output, input| weights[output * inputs + input],
                &values(outputs, 0.1),
            )
        };
        // Eight channels make a panel of two pixels, sixteen of one.
        let mut stages = vec![Stage {
            side: INPUT / 2,
            entry: Entry::Stem { convolution: matrix(CHANNELS, 27), slope: in_panels(&[0.2; CHANNELS]) },
            blocks: Vec::new(),
        }];
        let expansion = |matrix: &mut dyn FnMut(usize, usize) -> Matrix, squeezed: usize| Expansion {
            depthwise: Depthwise::new(squeezed, &vec![0.1; 9 * squeezed], &vec![0.05; squeezed]),
            expand: matrix(CHANNELS, squeezed),
            slope: in_panels(&[-0.1; CHANNELS]),
        };
        let squeeze = matrix(8, CHANNELS);
        let rest = expansion(&mut matrix, 8);
        stages[0].blocks.push(Bottleneck { squeeze, slope: in_panels(&[0.3; 8]), rest });
        while let Some(side) = stages.last().map(|stage| stage.side / 2).filter(|&side| side >= 2) {
            let convolution = matrix(16, 4 * CHANNELS);
            let entry =
                Entry::Halved { convolution, slope: in_panels(&[0.3; 16]), rest: expansion(&mut matrix, 16) };
            stages.push(Stage { side, entry, blocks: Vec::new() });
        }
        let (landmarks, presence) = (matrix(6, 4 * CHANNELS), matrix(1, 4 * CHANNELS));
        Network { stages, landmarks, presence }
    }

    #[test]
    fn plain_arrays_answer_as_vectors_do() {
        let mut rng = fastrand::Rng::with_seed(9);
        let mut network = LandmarkNetwork::new(network(&mut rng)).unwrap();
        assert_eq!(network.landmarks(), 2);
        let picture: Vec<f32> = (0..INPUT * INPUT * 3).map(|_| rng.f32()).collect();
        let (landmarks, presence) = network.run(&picture);
        let (portable, portable_presence) = network.run_by(&picture, |forward| forward.portable());
        assert!(landmarks.iter().any(|value| value.abs() > 1e-3), "{landmarks:?}");
        for (a, b) in landmarks.iter().zip(&portable).chain([(&presence, &portable_presence)]) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }

    #[test]
    fn layers_that_do_not_fit_are_refused() {
        let mut network = network(&mut fastrand::Rng::with_seed(1));
        network.presence = Matrix::new(1, 3, |_, _| 0.0, &[0.0]);
        assert!(LandmarkNetwork::new(network).is_err());
    }
}
