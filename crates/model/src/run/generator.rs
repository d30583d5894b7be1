//! One person's generator, ready to run.

use gioconda_kernels::simd::{sigmoid, tanh};

use super::block::{Block, run_all};
use super::layer::{Layer, Norm};
use super::maker::{Maker, effective_weight};
use super::pixel_shuffle::{shuffle, unshuffle};
use crate::composition::FLOW_RANGE;
use crate::config::{GeneratorConfig, Output};
use crate::parameters::Weights;

/// ψ = P·ê, `[psi_len]`, the values of all AdaIN layers of one person.
///
/// # Panics
/// When `embedding` has another length than the generator needs.
pub fn adaptive_values(weights: &Weights<GeneratorConfig>, embedding: &[f32]) -> Vec<f32> {
    assert_eq!(embedding.len(), weights.config().embedding, "the embedding must have the generator's length");
    let weight = effective_weight(weights, "projection");
    let rows = weight.values.chunks_exact(embedding.len()).zip(&weights.tensor("projection.bias").values);
    let product = |row: &[f32]| row.iter().zip(embedding).map(|(weight, value)| weight * value).sum::<f32>();
    rows.map(|(row, bias)| product(row) + bias).collect()
}

/// A generator with ψ baked in, for frames of one size.
pub struct PreparedGenerator {
    config: GeneratorConfig,
    /// Height and width of the pictures.
    size: [usize; 2],
    /// The input with its pixels as channels, if the generator shuffles them.
    unshuffled: Vec<f32>,
    stem: Option<Layer>,
    down: Vec<Block>,
    middle: Vec<Block>,
    up: Vec<Block>,
    last: Norm,
    output: Layer,
    /// The frame, kept from run to run.
    out: Vec<f32>,
}

impl PreparedGenerator {
    /// `psi`: `[psi_len]`; `size`: height and width of the frames, multiples of `pixel_shuffle * 2^halvings`.
    ///
    /// # Panics
    /// When `psi` or `size` do not fit the generator.
    pub fn new(weights: &Weights<GeneratorConfig>, psi: &[f32], size: [usize; 2]) -> Self {
        let config = weights.config().clone();
        assert_eq!(psi.len(), config.psi_len(), "psi must have the generator's length");
        let unit = config.pixel_shuffle << config.halvings();
        assert!(size.iter().all(|side| side % unit == 0), "a size that cannot be halved");
        let mut maker = Maker::new(weights, psi, size.map(|side| side / config.pixel_shuffle));
        let stem = config.skips.then(|| maker.layer("stem", 1));
        let down = maker.blocks("down", &config.down_blocks(), || 0);
        let middle = maker.blocks("middle", &config.middle_blocks(), || 0);
        let mut widths = config.widths.iter().rev().skip(1);
        let beside = || if config.skips { widths.next().copied().unwrap_or(0) } else { 0 };
        let up = maker.blocks("up", &config.up_blocks(), beside);
        let last = maker.adaptive(config.last_width());
        let output = maker.layer("output", 1);
        let numbers = if config.pixel_shuffle == 1 { 0 } else { config.input * size[0] * size[1] };
        let unshuffled = vec![0.0; numbers];
        let out = vec![0.0; output.output_len()];
        Self { config, size, unshuffled, stem, down, middle, up, last, output, out }
    }

    /// The generator's sizes.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// `input`: `[input, H, W]`, see [`GeneratorConfig::input`]; out `[3 or 6, H, W]`, see [`Output`], the caller's until the
    /// next run.
    ///
    /// # Panics
    /// When `input` has another size.
    pub fn run(&mut self, input: &[f32]) -> &mut [f32] {
        let factor = self.config.pixel_shuffle;
        let input = if factor == 1 {
            input
        } else {
            unshuffle(input, self.size, factor, &mut self.unshuffled);
            &self.unshuffled
        };
        let first = match &mut self.stem {
            Some(stem) => &*stem.run(input, &[]),
            None => input,
        };
        run_all(&mut self.down, first);
        let mut x = self.down.last().map_or(first, Block::output);
        run_all(&mut self.middle, x);
        x = self.middle.last().map_or(x, Block::output);
        let mut maps = self.down.iter().map(Block::output).rev().skip(1).chain([first]);
        for block in &mut self.up {
            // With skips, the map that the down path had at this size.
            x = block.run(x, maps.next().filter(|_| self.config.skips));
        }
        let x = self.output.run(x, &self.last.activations(x));
        let out = &mut self.out;
        shuffle(x, self.size, factor, out);
        let pixels = out.len() / self.config.output.channels();
        match self.config.output {
            Output::Rgb => tanh(out),
            Output::Composition => {
                let (flow, rest) = out.split_at_mut(2 * pixels);
                tanh(flow);
                for value in flow {
                    *value *= FLOW_RANGE;
                }
                sigmoid(&mut rest[..pixels]);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;
    use crate::testing::random_weights;

    #[test]
    fn a_run_allocates_no_frame_of_its_own_and_repeats_itself() {
        for preset in Preset::ALL {
            let config = preset.config().generator;
            let widths = config.widths.iter().map(|width| width / 8).collect();
            let config = GeneratorConfig { widths, resolution: 32, embedding: 8, ..config };
            let weights = random_weights(&config, 3);
            let psi = adaptive_values(&weights, &[0.1; 8]);
            let mut generator = PreparedGenerator::new(&weights, &psi, [32, 48]);
            let input: Vec<f32> = (0..config.input * 32 * 48).map(|i| (i as f32 * 0.37).sin()).collect();
            let first = generator.run(&input);
            let (place, first) = (first.as_ptr(), first.to_vec());
            assert_eq!(first.len(), config.output.channels() * 32 * 48);
            let second = generator.run(&input);
            assert_eq!((second.as_ptr(), &*second), (place, &*first), "{preset}");
        }
    }
}
