//! The embedder, ready to run.

use super::block::{Block, run_all};
use super::maker::Maker;
use crate::config::EmbedderConfig;
use crate::parameters::Weights;

/// An embedder for pictures of the size that it was trained on.
pub struct PreparedEmbedder {
    blocks: Vec<Block>,
    /// Landmark picture and frame, one behind the other.
    input: Vec<f32>,
    embedding: usize,
}

impl PreparedEmbedder {
    /// Packs the weights.
    pub fn new(weights: &Weights<EmbedderConfig>) -> Self {
        let config = weights.config();
        let size = [config.resolution; 2];
        let blocks = Maker::new(weights, &[], size).blocks("blocks", &config.blocks(), || 0);
        let input = vec![0.0; 2 * 3 * size[0] * size[1]];
        Self { blocks, input, embedding: config.embedding() }
    }

    /// The embedding of a frame, `[embedding]`. `frame` and its landmark `picture`: `[3, H, W]`, RGB in -1..1.
    ///
    /// # Panics
    /// When they have another size than the embedder was trained on.
    pub fn run(&mut self, frame: &[f32], picture: &[f32]) -> Vec<f32> {
        let (first, second) = self.input.split_at_mut(picture.len());
        first.copy_from_slice(picture);
        second.copy_from_slice(frame);
        run_all(&mut self.blocks, &self.input);
        let last = self.blocks.last().map_or(&self.input[..], Block::output);
        // ReLU, then the sum over all pixels (paper §4, not the mean).
        let maps = last.chunks_exact(last.len() / self.embedding);
        maps.map(|map| map.iter().map(|value| value.max(0.0)).sum()).collect()
    }
}
