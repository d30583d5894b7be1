//! The arithmetic, on the widest vectors that the machine turns out to have.
//!
//! Everything is inlined into [`Forward::eval`]: only code inside it is compiled for the instruction set that was found.

use super::layers::{Depthwise, Matrix};
use super::network::{Entry, Expansion, INPUT, Network, Scratch};
use crate::simd::{BitOps, NumOps, PANEL, PanelOp};

/// One run of the whole network. The last outputs are filled up to whole panels.
pub(super) struct Forward<'a> {
    pub(super) network: &'a Network,
    pub(super) scratch: &'a mut [Scratch],
    pub(super) picture: &'a [f32],
    pub(super) landmarks: &'a mut [f32],
    pub(super) presence: &'a mut [f32],
}

impl PanelOp for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<O: NumOps<f32>, const VECTORS: usize>(self, ops: O) {
        // Pixels computed together: as many sums as keep the multipliers busy.
        if VECTORS == 1 {
            Lanes::<_, VECTORS, 8>(ops).run(self);
        } else {
            Lanes::<_, VECTORS, 4>(ops).run(self);
        }
    }
}

/// Vector operations with `VECTORS` vectors to a panel, on `PIXELS` pixels at a time.
#[derive(Clone, Copy)]
struct Lanes<O, const VECTORS: usize, const PIXELS: usize>(O);

/// A panel in registers.
type Panel<O, const VECTORS: usize> = [<O as BitOps<f32>>::Simd; VECTORS];

impl<O: NumOps<f32>, const VECTORS: usize, const PIXELS: usize> Lanes<O, VECTORS, PIXELS> {
    #[inline(always)]
    fn run(self, Forward { network, scratch, picture, landmarks, presence }: Forward) {
        for (i, stage) in network.stages.iter().enumerate() {
            let (before, here) = scratch.split_at_mut(i);
            let here = &mut here[0];
            match (&stage.entry, before.last()) {
                (Entry::Halved { convolution, slope, rest }, Some(before)) => {
                    let channels = convolution.inputs / 4;
                    self.halve(stage.side, channels, (convolution, slope), &before.x, here);
                    pool(stage.side, channels, &before.x, &mut here.x, stage.channels());
                    self.expand(stage.side, rest, here);
                }
                (Entry::Stem { convolution, slope }, _) => {
                    self.stem(stage.side, (convolution, slope), picture, here);
                }
                (Entry::Halved { .. }, None) => unreachable!("the first stage is the stem's"),
            }
            for block in &stage.blocks {
                self.squeeze(stage.side, (&block.squeeze, &block.slope), here);
                self.expand(stage.side, &block.rest, here);
            }
        }
        let x = &scratch[scratch.len() - 1].x;
        for (head, out) in [(&network.landmarks, landmarks), (&network.presence, presence)] {
            self.block::<1>(
                head,
                x,
                out,
                0,
                #[inline(always)]
                |sum, _, _| sum,
            );
        }
    }

    /// The 3x3 convolution of stride 2 of the picture, whose padding is to the right and below.
    #[inline(always)]
    fn stem(
        self,
        side: usize,
        (convolution, slope): (&Matrix, &[[f32; PANEL]]),
        picture: &[f32],
        to: &mut Scratch,
    ) {
        const LINE: usize = INPUT * 3;
        let channels = convolution.outputs;
        for y in 0..side {
            for (x, inputs) in to.row.chunks_exact_mut(27).take(side).enumerate() {
                for (line, inputs) in inputs.chunks_exact_mut(9).enumerate() {
                    let (row, start) = (2 * y + line, 6 * x);
                    let width = if row < INPUT { 9.min(LINE - start) } else { 0 };
                    let (inside, padding) = inputs.split_at_mut(width);
                    inside.copy_from_slice(&picture[(row * LINE + start).min(picture.len())..][..width]);
                    padding.fill(0.0);
                }
            }
            let out = &mut to.x[y * side * channels..][..side * channels];
            self.multiply(
                convolution,
                &to.row[..side * 27],
                out,
                channels,
                #[inline(always)]
                |sum, panel, _| self.leaky(sum, &slope[panel]),
            );
        }
    }

    /// The 2x2 convolution of stride 2 of the stage before.
    #[inline(always)]
    fn halve(
        self,
        side: usize,
        channels: usize,
        (convolution, slope): (&Matrix, &[[f32; PANEL]]),
        before: &[f32],
        to: &mut Scratch,
    ) {
        let (line, pair) = (2 * side * channels, 2 * channels);
        for y in 0..side {
            for (x, inputs) in to.row.chunks_exact_mut(2 * pair).take(side).enumerate() {
                for (row, inputs) in inputs.chunks_exact_mut(pair).enumerate() {
                    inputs.copy_from_slice(&before[(2 * y + row) * line + x * pair..][..pair]);
                }
            }
            self.squeeze_row((convolution, slope), &to.row[..side * 2 * pair], y, side, &mut to.squeezed);
        }
    }

    #[inline(always)]
    fn squeeze(self, side: usize, (matrix, slope): (&Matrix, &[[f32; PANEL]]), to: &mut Scratch) {
        for (y, row) in to.x.chunks_exact(side * matrix.inputs).enumerate() {
            self.squeeze_row((matrix, slope), row, y, side, &mut to.squeezed);
        }
    }

    /// Row `y` of the squeezed activations, inside their border: the matrix, then `PReLU`.
    #[inline(always)]
    fn squeeze_row(
        self,
        (matrix, slope): (&Matrix, &[[f32; PANEL]]),
        row: &[f32],
        y: usize,
        side: usize,
        squeezed: &mut [f32],
    ) {
        let out = &mut squeezed[((y + 1) * (side + 2) + 1) * matrix.outputs..];
        self.multiply(
            matrix,
            row,
            out,
            matrix.outputs,
            #[inline(always)]
            |sum, panel, _| self.leaky(sum, &slope[panel]),
        );
    }

    /// Depthwise convolution, expansion, residual and `PReLU`, a row at a time: the depthwise row stays in the cache.
    #[inline(always)]
    fn expand(self, side: usize, block: &Expansion, to: &mut Scratch) {
        let ops = self.0;
        let (squeezed, channels) = (block.depthwise.channels, block.expand.outputs);
        for (y, x) in to.x.chunks_exact_mut(side * channels).enumerate() {
            let row = &mut to.row[..side * squeezed];
            self.depthwise(&block.depthwise, &to.squeezed[y * (side + 2) * squeezed..], side, row);
            self.multiply(
                &block.expand,
                row,
                x,
                channels,
                #[inline(always)]
                |mut sum, panel, out| {
                    let residual: Panel<O, VECTORS> = ops.load_many(out);
                    for (sum, residual) in sum.iter_mut().zip(residual) {
                        *sum = ops.add(*sum, residual);
                    }
                    self.leaky(sum, &block.slope[panel])
                },
            );
        }
    }

    /// One row of `side` pixels from the three padded rows at the start of `rows`.
    #[inline(always)]
    fn depthwise(self, depthwise: &Depthwise, rows: &[f32], side: usize, out: &mut [f32]) {
        let ops = self.0;
        let channels = depthwise.channels;
        let line = (side + 2) * channels;
        let rows: [&[f32]; 3] = std::array::from_fn(|i| &rows[i * line..][..line]);
        for (panel, (taps, bias)) in depthwise.taps.iter().zip(&depthwise.bias).enumerate() {
            let bias: Panel<O, VECTORS> = ops.load_many(bias);
            let taps: [Panel<O, VECTORS>; 9] = std::array::from_fn(
                #[inline(always)]
                |tap| ops.load_many(&taps[tap]),
            );
            for at in (panel * PANEL..side * channels).step_by(channels.max(PANEL)) {
                let mut sum = bias;
                for (tap, weights) in taps.iter().enumerate() {
                    let values: Panel<O, VECTORS> = ops.load_many(&rows[tap / 3][at + tap % 3 * channels..]);
                    for i in 0..VECTORS {
                        sum[i] = ops.mul_add(values[i], weights[i], sum[i]);
                    }
                }
                self.store(sum, &mut out[at..]);
            }
        }
    }

    /// `out = finish(matrix x + bias, panel, out)` for each pixel of `x`, `[pixels, inputs]`; `out` is `[pixels, stride]`.
    ///
    /// Whole panels are written, pixel after pixel. Where a pixel has fewer channels than a panel, the rest is zero:
    /// the next pixel overwrites it, or it falls on padding that is zero anyway.
    #[inline(always)]
    fn multiply(
        self,
        matrix: &Matrix,
        x: &[f32],
        out: &mut [f32],
        stride: usize,
        finish: impl Fn(Panel<O, VECTORS>, usize, &[f32]) -> Panel<O, VECTORS> + Copy,
    ) {
        let inputs = matrix.inputs;
        let mut pixel = 0;
        let mut blocks = x.chunks_exact(PIXELS * inputs);
        for x in &mut blocks {
            self.block::<PIXELS>(matrix, x, &mut out[pixel * stride..], stride, finish);
            pixel += PIXELS;
        }
        for x in blocks.remainder().chunks_exact(inputs) {
            self.block::<1>(matrix, x, &mut out[pixel * stride..], stride, finish);
            pixel += 1;
        }
    }

    #[inline(always)]
    fn block<const COUNT: usize>(
        self,
        matrix: &Matrix,
        x: &[f32],
        out: &mut [f32],
        stride: usize,
        finish: impl Fn(Panel<O, VECTORS>, usize, &[f32]) -> Panel<O, VECTORS>,
    ) {
        let ops = self.0;
        let inputs = matrix.inputs;
        let rows: [&[f32]; COUNT] = std::array::from_fn(|i| &x[i * inputs..][..inputs]);
        for (at, (panel, bias)) in matrix.panels.chunks_exact(inputs).zip(&matrix.bias).enumerate() {
            let bias: Panel<O, VECTORS> = ops.load_many(bias);
            let mut sums = [bias; COUNT];
            for (k, weights) in panel.iter().enumerate() {
                let weights: Panel<O, VECTORS> = ops.load_many(weights);
                for (sum, row) in sums.iter_mut().zip(rows) {
                    let value = ops.splat(row[k]);
                    for i in 0..VECTORS {
                        sum[i] = ops.mul_add(value, weights[i], sum[i]);
                    }
                }
            }
            for (i, &sum) in sums.iter().enumerate() {
                let out = &mut out[i * stride + at * PANEL..][..PANEL];
                self.store(finish(sum, at, out), out);
            }
        }
    }

    #[inline(always)]
    fn store(self, panel: Panel<O, VECTORS>, out: &mut [f32]) {
        let lanes = self.0.len();
        for (i, vector) in panel.into_iter().enumerate() {
            self.0.store(vector, &mut out[i * lanes..]);
        }
    }

    /// `PReLU`.
    #[inline(always)]
    fn leaky(self, mut panel: Panel<O, VECTORS>, slope: &[f32; PANEL]) -> Panel<O, VECTORS> {
        let ops = self.0;
        let slope: Panel<O, VECTORS> = ops.load_many(slope);
        for (value, slope) in panel.iter_mut().zip(slope) {
            *value = ops.mul_add(slope, ops.min(*value, ops.zero()), ops.max(*value, ops.zero()));
        }
        panel
    }
}

/// The larger of each 2x2 pixels of the stage before; its new channels are zero.
fn pool(side: usize, before_channels: usize, before: &[f32], x: &mut [f32], channels: usize) {
    let line = 2 * side * before_channels;
    for (at, pixel) in x.chunks_exact_mut(channels).enumerate() {
        let first = (at / side) * 2 * line + (at % side) * 2 * before_channels;
        let (new, zero) = pixel.split_at_mut(before_channels);
        new.copy_from_slice(&before[first..][..before_channels]);
        for other in [first + before_channels, first + line, first + line + before_channels] {
            for (value, &other) in new.iter_mut().zip(&before[other..][..before_channels]) {
                *value = if other > *value { other } else { *value };
            }
        }
        zero.fill(0.0);
    }
}
