//! Self-attention over the pixels of a feature map (SAGAN, Zhang et al. 2019, §3), ready to run.

use rayon::prelude::*;

use super::layer::Layer;

/// `x + γ·v(Σ softmax(f·g) h)`: every pixel draws from all pixels.
pub(super) struct Attention {
    query: Layer,
    key: Layer,
    value: Layer,
    output: Layer,
    gamma: f32,
    pixels: usize,
    /// What every pixel drew, `[pixels, inner]`, and the same as planes, `[inner, pixels]`.
    drawn: Vec<f32>,
    planes: Vec<f32>,
}

impl Attention {
    /// `layers`: query, key and value, `[C, H, W] -> [inner, H, W]`, and the output, `[inner, H, W] -> [C, H, W]`, on maps of
    /// so many pixels.
    pub(super) fn new([query, key, value, output]: [Layer; 4], gamma: f32, pixels: usize) -> Self {
        let numbers = query.output_len();
        let (drawn, planes) = (vec![0.0; numbers], vec![0.0; numbers]);
        Self { query, key, value, output, gamma, pixels, drawn, planes }
    }

    /// Adds to `x`, `[C, H, W]`.
    pub(super) fn add_to(&mut self, x: &mut [f32]) {
        let pixels = self.pixels;
        let inner = self.drawn.len() / pixels;
        let query = &*self.query.run(x, &[]);
        let key = &*self.key.run(x, &[]);
        let value = &*self.value.run(x, &[]);
        self.drawn.par_chunks_exact_mut(inner).enumerate().for_each_init(
            || vec![0.0; pixels],
            |scores, (pixel, drawn)| {
                score(scores, pixel, query, key);
                softmax(scores);
                for (drawn, value) in drawn.iter_mut().zip(value.chunks_exact(pixels)) {
                    *drawn = value.iter().zip(&*scores).map(|(value, share)| value * share).sum();
                }
            },
        );
        for (pixel, drawn) in self.drawn.chunks_exact(inner).enumerate() {
            for (channel, &number) in drawn.iter().enumerate() {
                self.planes[channel * pixels + pixel] = number;
            }
        }
        let added = self.output.run(&self.planes, &[]);
        x.iter_mut().zip(added).for_each(|(x, added)| *x += self.gamma * *added);
    }
}

/// The products of `pixel`'s query with every pixel's key.
fn score(scores: &mut [f32], pixel: usize, query: &[f32], key: &[f32]) {
    let pixels = scores.len();
    scores.fill(0.0);
    for (query, key) in query.chunks_exact(pixels).zip(key.chunks_exact(pixels)) {
        scores.iter_mut().zip(key).for_each(|(score, key)| *score += query[pixel] * key);
    }
}

fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in &mut *scores {
        *score = (*score - most).exp();
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
}
