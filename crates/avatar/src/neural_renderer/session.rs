//! A person's generator, ready to run on the CPU.

use rten::{Model, ModelOptions, NodeId, ValueView};

use crate::Error;

/// The inference graph of one person's generator, ψ baked in, run by rten on the threads it shares between models.
pub(crate) struct Session {
    model: Model,
    input: NodeId,
    output: NodeId,
    size: usize,
}

impl Session {
    /// Loads the graph that `gioconda_networks::export_onnx` wrote, for pictures of `size` x `size` pixels.
    pub(crate) fn load(onnx: Vec<u8>, size: usize) -> Result<Self, Error> {
        let failed = |reason: String| Error::Network { what: reason };
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load(onnx)
            .map_err(|error| failed(error.to_string()))?;
        let node = |name: &str| model.node_id(name).map_err(|error| failed(error.to_string()));
        let (input, output) = (node(gioconda_networks::ONNX_INPUT)?, node(gioconda_networks::ONNX_OUTPUT)?);
        Ok(Self { model, input, output, size })
    }

    /// Height and width of the pictures.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// `[10, size, size]` in, `[6, size, size]` out: residual flow, mask, colour offset.
    pub(crate) fn run(&self, channels: &[f32]) -> Result<Vec<f32>, Error> {
        let failed = |reason: String| Error::Network { what: reason };
        let pixels = self.size * self.size;
        let shape = [1, channels.len() / pixels, self.size, self.size];
        let input = ValueView::from_shape(&shape, channels).map_err(|error| failed(error.to_string()))?;
        let [output] = self
            .model
            .run_n(vec![(self.input, input.into())], [self.output], None)
            .map_err(|error| failed(error.to_string()))?;
        let output = output.into_tensor::<f32>().ok_or_else(|| failed("its output is not f32".to_owned()))?;
        let output = output.into_data();
        if output.len() != 6 * pixels {
            return Err(failed(format!("it gives {} numbers instead of {}", output.len(), 6 * pixels)));
        }
        if output.iter().all(|value| value.is_finite()) {
            Ok(output)
        } else {
            Err(failed("it gives numbers that are not finite".to_owned()))
        }
    }
}
