//! Residual blocks, ready to run.

use rayon::prelude::*;

use super::attention::Attention;
use super::layer::{Layer, Norm};
use crate::config::Resample;

/// A residual block ([`BlockConfig`](crate::BlockConfig)).
pub(super) struct Block {
    pub(super) norm1: Norm,
    pub(super) conv1: Layer,
    pub(super) norm2: Norm,
    /// Its output, with room behind it for the map that stands beside.
    pub(super) conv2: Layer,
    pub(super) skip: Option<Layer>,
    pub(super) resample: Resample,
    /// Width of the input, and the input at half the size.
    pub(super) width: usize,
    pub(super) halved: Vec<f32>,
    pub(super) attention: Option<Attention>,
}

impl Block {
    /// `[in, H, W] -> [out (+ beside), H', W']`
    pub(super) fn run(&mut self, x: &[f32], beside: Option<&[f32]>) -> &[f32] {
        let hidden = self.conv1.run(x, &self.norm1.activations(x));
        let activations = self.norm2.activations(hidden);
        let (out, room) = self.conv2.run_beside(hidden, &activations);
        if let Some(beside) = beside {
            room.copy_from_slice(beside);
        }
        let skip = match (&mut self.skip, self.resample) {
            (None, _) => x,
            (Some(layer), Resample::Keep | Resample::Up) => layer.run(x, &[]),
            (Some(layer), Resample::Pool | Resample::Stride) => {
                halve(x, self.width, &mut self.halved);
                layer.run(&self.halved, &[])
            }
        };
        if self.resample == Resample::Up {
            add_enlarged(out, skip, self.width);
        } else {
            let chunk = 1 << 14;
            out.par_chunks_mut(chunk).zip(skip.par_chunks(chunk)).for_each(|(out, skip)| {
                out.iter_mut().zip(skip).for_each(|(out, skip)| *out += skip);
            });
        }
        if let Some(attention) = &mut self.attention {
            attention.add_to(out);
        }
        self.conv2.output()
    }

    /// What the last run gave.
    pub(super) fn output(&self) -> &[f32] {
        self.conv2.output()
    }
}

/// Runs `blocks` one behind the other.
pub(super) fn run_all(blocks: &mut [Block], x: &[f32]) {
    for at in 0..blocks.len() {
        let (before, rest) = blocks.split_at_mut(at);
        rest[0].run(before.last().map_or(x, Block::output), None);
    }
}

/// Means of 2x2 pixels; `x` has rows of `width`, an even number.
fn halve(x: &[f32], width: usize, out: &mut [f32]) {
    let rows = x.par_chunks_exact(2 * width).zip(out.par_chunks_exact_mut(width / 2)).with_min_len(16);
    rows.for_each(|(rows, out)| {
        let (upper, lower) = rows.split_at(width);
        let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
        out.iter_mut().zip(pairs).for_each(|(out, (a, b))| *out = 0.25 * (a[0] + a[1] + b[0] + b[1]));
    });
}

/// Adds every pixel of `x`, whose rows have `width`, to 2x2 pixels of `out`.
fn add_enlarged(out: &mut [f32], x: &[f32], width: usize) {
    let rows = out.par_chunks_exact_mut(4 * width).zip(x.par_chunks_exact(width)).with_min_len(16);
    rows.for_each(|(out, x)| {
        for out in out.chunks_exact_mut(2 * width) {
            out.as_chunks_mut::<2>().0.iter_mut().zip(x).for_each(|(out, x)| {
                out[0] += x;
                out[1] += x;
            });
        }
    });
}
