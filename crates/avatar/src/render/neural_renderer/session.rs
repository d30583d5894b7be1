//! A person's generator, ready to run on the CPU.

use gioconda_networks::burn::tensor::{Tensor, TensorData};
use gioconda_networks::{Device, Generator, Inference};

use crate::Error;

/// One person's generator, ψ baked in, for frames of one size.
pub(crate) struct Session {
    engine: Engine,
    size: usize,
    painted_mouth: bool,
}

enum Engine {
    /// Weights and buffers made once.
    Prepared(Box<Inference>),
    /// For generators that [`Inference`] does not know.
    Burn { generator: Box<Generator>, psi: Vec<f32>, out: Vec<f32> },
}

impl Session {
    /// Prepares `generator`, whose spectral norm must be folded, for pictures of its resolution.
    pub(crate) fn new(generator: &Generator, psi: &[f32]) -> Self {
        let config = generator.config();
        let (size, painted_mouth) = (config.resolution, config.painted_mouth);
        let engine = match Inference::new(generator, psi, [size; 2]) {
            Some(inference) => Engine::Prepared(Box::new(inference)),
            None => {
                Engine::Burn { generator: Box::new(generator.clone()), psi: psi.to_vec(), out: Vec::new() }
            }
        };
        Self { engine, size, painted_mouth }
    }

    /// Height and width of the pictures.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Whether the warped photo that it sees, and paints on, has a painted mouth.
    pub(crate) fn painted_mouth(&self) -> bool {
        self.painted_mouth
    }

    /// `[10, size, size]` in, `[6, size, size]` out: residual flow, mask, colour offset; the caller's until the next run.
    pub(crate) fn run(&mut self, channels: &[f32]) -> Result<&mut [f32], Error> {
        let output = match &mut self.engine {
            Engine::Prepared(inference) => inference.run(channels),
            Engine::Burn { generator, psi, out } => {
                let device = Device::flex();
                let pixels = self.size * self.size;
                let shape = [1, channels.len() / pixels, self.size, self.size];
                let input = Tensor::<4>::from_data(TensorData::new(channels.to_vec(), shape), &device);
                let psi = Tensor::<2>::from_data(TensorData::new(psi.clone(), [1, psi.len()]), &device);
                let values = generator.forward(input, psi).try_into_vec_as::<f32>();
                *out = values.map_err(|error| Error::Network { what: error.to_string() })?;
                out.as_mut_slice()
            }
        };
        if output.iter().all(|value| value.is_finite()) {
            Ok(output)
        } else {
            Err(Error::Network { what: "it gives numbers that are not finite".to_owned() })
        }
    }
}
