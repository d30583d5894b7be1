//! How pictures are correlated with a packed weight: what forward and input gradient have in common.
//!
//! Forward is one [`Pass`]. The input gradient of a convolution with stride s falls apart into s·s passes, each with
//! the taps that reach the rows and columns of one remainder, each writing every s-th row and column.
//!
//! A pass makes one output per place, or a tile of 2x2 or 4x4 of them where [that saves products](crate::winograd).

use crate::correlation::{Pass, Sizes, Tap};
use crate::geometry::area;
use crate::microkernel::{CHANNELS, VECTORS};
use crate::pack::{Activation, Weight, pack_weight};
use crate::simd::lanes;
use crate::winograd::{self, Square, Tiling};

/// Bytes of a packed band: it is read once per block of outputs and should stay in a core's second-level cache.
const BAND_BYTES: usize = 192 << 10;

/// Tasks for each thread, at least, so that a thread that is held up does not keep the others waiting for long.
const TASKS_PER_THREAD: usize = 2;

/// How a pass makes its outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// One by one.
    Direct,
    /// In tiles with so many points along an axis, one of [`winograd::ALL`].
    Tiled(usize),
}

/// Everything about a correlation but the pictures.
pub(crate) struct Plan {
    pub(crate) sizes: Sizes,
    pub(crate) method: Method,
    /// Pass `[y][x]` begins with row y and column x; there is one for every remainder by the distance of single outputs.
    pub(crate) passes: Vec<Vec<Pass>>,
}

/// The rows of some channels of one picture that one task writes.
pub(crate) struct Band<'a> {
    pub(crate) picture: &'a [f32],
    /// One per channel, or none.
    pub(crate) activations: &'a [Activation],
    /// In rows of a pass.
    pub(crate) rows: std::ops::Range<usize>,
    pub(crate) first_block: usize,
    /// `[channels, rows·step, width]`; the picture's last band may be shorter.
    pub(crate) planes: Vec<&'a mut [f32]>,
}

impl Plan {
    /// `sizes` and `passes` as of single outputs.
    pub(crate) fn new(sizes: Sizes, passes: &[Vec<Vec<Tap>>], weight: Weight) -> Self {
        match Tiling::of(&sizes, passes, winograd::ALL) {
            Some(tiling) => Self::tiled(sizes, &tiling, weight),
            None => Self::direct(sizes, passes, weight),
        }
    }

    fn tiled(sizes: Sizes, tiling: &Tiling, weight: Weight) -> Self {
        let pass = |squares: &Vec<Square>| winograd::pass(&sizes, squares, tiling.side, weight);
        let passes = tiling.passes.iter().map(|row| row.iter().map(pass).collect()).collect();
        let outputs = winograd::outputs_of(tiling.side);
        let [advance, step] =
            [sizes.advance, sizes.step].map(|distance| distance.map(|distance| outputs * distance));
        Self { sizes: Sizes { advance, step, ..sizes }, method: Method::Tiled(tiling.side), passes }
    }

    fn direct(sizes: Sizes, passes: &[Vec<Vec<Tap>>], weight: Weight) -> Self {
        let pass = |taps: &Vec<Tap>| Pass {
            taps: taps.iter().map(|tap| tap.place).collect(),
            weight: pack_weight(sizes.outputs, sizes.inputs, taps.len(), |output, input, tap| {
                weight.at(output, input, taps[tap].at)
            }),
        };
        let passes = passes.iter().map(|row| row.iter().map(pass).collect()).collect();
        Self { sizes, method: Method::Direct, passes }
    }

    pub(crate) fn output_len(&self) -> usize {
        self.sizes.batch * self.sizes.outputs * area(self.sizes.size)
    }

    /// Rows of the pass that has most.
    fn rows(&self) -> usize {
        self.sizes.size[0].div_ceil(self.sizes.step[0])
    }

    /// Bytes that are laid out for a row of a pass, and the fewest rows that are worth the rows around them, or that have tiles for
    /// all the vectors that are summed at once: one vector alone waits for its own sums.
    fn layout(&self) -> (usize, usize) {
        let Sizes { inputs, source, size, advance, step, .. } = self.sizes;
        match self.method {
            Method::Direct => (size_of::<f32>() * inputs * source[1] * advance[0], 4),
            Method::Tiled(_) => {
                let points: usize = self.passes[0].iter().map(|pass| pass.taps.len()).sum();
                let columns = size[1].div_ceil(step[1]);
                let whole = (VECTORS * lanes()).div_ceil(columns.max(1));
                (size_of::<f32>() * inputs * points * columns, whole)
            }
        }
    }

    pub(crate) fn bands<'a>(
        &self,
        source: &'a [f32],
        activations: &'a [Activation],
        out: &'a mut [f32],
    ) -> Vec<Band<'a>> {
        let Sizes { batch, inputs, outputs, size, step, .. } = self.sizes;
        let tasks = rayon::current_num_threads() * TASKS_PER_THREAD;
        let (row_bytes, fewest) = self.layout();
        let by_cache = (BAND_BYTES / row_bytes.max(1)).max(fewest);
        let by_tasks = self.rows().div_ceil(tasks.div_ceil(batch)).max(fewest);
        let rows = self.rows().min(by_cache).min(by_tasks);
        let bands = batch * self.rows().div_ceil(rows);
        let blocks = outputs.div_ceil(CHANNELS);
        let blocks_per_task = blocks.div_ceil(tasks.div_ceil(bands)).max(1);

        let mut all = Vec::with_capacity(bands * blocks.div_ceil(blocks_per_task));
        let pictures = source.chunks_exact(source.len() / batch);
        let pictures = pictures.zip(out.chunks_exact_mut(outputs * area(size)));
        for (number, (picture, out)) in pictures.enumerate() {
            let activations = activations.get(number * inputs..).unwrap_or(&[]);
            let groups = out.chunks_mut(blocks_per_task * CHANNELS * area(size));
            for (group, out) in groups.enumerate() {
                let start = all.len();
                all.extend((0..self.rows()).step_by(rows).map(|first| Band {
                    picture,
                    activations,
                    rows: first..(first + rows).min(self.rows()),
                    first_block: group * blocks_per_task,
                    planes: Vec::with_capacity(blocks_per_task * CHANNELS),
                }));
                for plane in out.chunks_exact_mut(area(size)) {
                    let parts = plane.chunks_mut(rows * step[0] * size[1]);
                    all[start..].iter_mut().zip(parts).for_each(|(band, part)| band.planes.push(part));
                }
            }
        }
        all
    }

    /// Smallest and largest source row (axis 0) or column (axis 1) that a tap reads for output 0.
    pub(crate) fn extent(&self, axis: usize) -> [isize; 2] {
        let taps = || self.passes.iter().flatten().flat_map(|pass| &pass.taps).map(|tap| tap[axis]);
        [taps().min().unwrap_or(0), taps().max().unwrap_or(0)]
    }

    /// Weights and biases of one block of outputs in pass `[y][x]`.
    pub(crate) fn coefficients(
        &self,
        [y, x]: [usize; 2],
        block: usize,
        bias: &[f32],
    ) -> (&[f32], [f32; CHANNELS]) {
        let weight = &self.passes[y][x].weight;
        let len = weight.len() / self.sizes.outputs.div_ceil(CHANNELS);
        let bias = |lane| bias.get(block * CHANNELS + lane).copied().unwrap_or(0.0);
        (&weight[block * len..][..len], std::array::from_fn(bias))
    }
}
