//! The weight's gradient in tiles.

use std::ops::Range;

use rayon::prelude::*;

use super::tiling::{OUTPUTS, Square, Tiling};
use super::transform::{transform_back, transform_gradient, transform_source};
use crate::geometry::{Convolution, area};
use crate::microkernel::{COLUMNS, GRADIENTS, Steps, inner_products};
use crate::pack::{Picture, Window, reused};
use crate::simd::{BitOps, Isa, SimdOp};

/// Bytes of one point of sources and gradients, which are read again and again and should stay in a core's second-level cache.
const POINT_BYTES: usize = 192 << 10;

/// Tiles over which sums stay in registers, as far as there are so many: fewer, and adding up the lanes would cost too much.
const LEAST_TILES: usize = 128;

/// A thread's buffers.
#[derive(Default)]
pub(crate) struct Scratch {
    window: Vec<f32>,
    source: Vec<f32>,
    gradient: Vec<f32>,
    steps: Steps,
}

/// The bands of one thread, each with an even number of rows unless it is a picture's last.
pub(crate) struct Share<'a> {
    pub(crate) convolution: &'a Convolution,
    pub(crate) tiling: &'a Tiling,
    pub(crate) x: &'a [f32],
    pub(crate) gradient: &'a [f32],
    /// Picture and output rows.
    pub(crate) bands: &'a [(usize, Range<usize>)],
    /// `[outputs, points, squares, inputs]`.
    pub(crate) sums: &'a mut [f32],
    pub(crate) scratch: &'a mut Scratch,
}

/// The bands that are summed together: for each point and channel a row of their tiles.
struct Layout {
    /// Rows of tiles of a band, and tiles of a row, filled up to whole vectors.
    tiles: [usize; 2],
    /// Distance of channels, which hold the tiles of all bands.
    row: usize,
    /// Distances of points.
    source: usize,
    gradient: usize,
}

impl SimdOp for Share<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        match self.tiling.side {
            3 => self.run::<I, 3>(isa),
            _ => self.run::<I, 4>(isa),
        }
    }
}

impl Share<'_> {
    #[inline(always)]
    fn run<I: Isa, const SIDE: usize>(&mut self, isa: I) {
        let lanes = isa.f32().len();
        let Some(rows) = self.bands.iter().map(|(_, rows)| rows.len()).max() else { return };
        let columns = self.convolution.output_size()[1].div_ceil(OUTPUTS).next_multiple_of(lanes);
        let tiles = [rows.div_ceil(OUTPUTS), columns];
        let by_cache = POINT_BYTES / size_of::<f32>() / (self.channels() + self.outputs());
        let together = (by_cache.max(LEAST_TILES) / area(tiles)).max(1);
        // The odd ends keep points from competing for the same places of the first-level cache.
        let row = together * area(tiles) + lanes;
        let layout = Layout {
            tiles,
            row,
            source: self.channels() * row + 2 * lanes,
            gradient: self.outputs() * row + 2 * lanes,
        };
        for bands in self.bands.chunks(together) {
            reused(&mut self.scratch.source, SIDE * SIDE * layout.source);
            reused(&mut self.scratch.gradient, SIDE * SIDE * layout.gradient);
            for (number, (picture, rows)) in bands.iter().enumerate() {
                let start = number * area(tiles);
                self.transform_source::<I, SIDE>(isa, &layout, *picture, rows.start, start);
                self.transform_gradient::<I, SIDE>(isa, &layout, *picture, rows.start, start);
            }
            self.scratch.steps.clear();
            for vector in (0..bands.len() * area(tiles)).step_by(lanes) {
                self.scratch.steps.push(vector, vector);
            }
            self.accumulate::<I, SIDE>(isa, &layout);
        }
    }

    /// Channels of the transformed source: of every square the inputs.
    fn channels(&self) -> usize {
        self.tiling.passes[0][0].len() * self.convolution.inputs
    }

    /// Outputs filled up to whole blocks.
    fn outputs(&self) -> usize {
        self.convolution.outputs.next_multiple_of(GRADIENTS)
    }

    #[inline(always)]
    fn transform_source<I: Isa, const SIDE: usize>(
        &mut self,
        isa: I,
        layout: &Layout,
        picture: usize,
        first_row: usize,
        start: usize,
    ) {
        let Convolution { inputs, size, stride, .. } = *self.convolution;
        let squares = &self.tiling.passes[0][0];
        let places: Vec<Vec<[isize; 2]>> =
            squares.iter().map(|square| square.points(SIDE, stride).collect()).collect();
        let ends = |axis: usize| {
            let all = places.iter().flatten().map(|place| place[axis]);
            all.fold((isize::MAX, isize::MIN), |(low, high), place| (low.min(place), high.max(place)))
        };
        let ((top, bottom), (left, right)) = (ends(0), ends(1));
        let step = stride.map(|stride| OUTPUTS * stride);
        let window = Window {
            top: (first_row * stride[0]).cast_signed() + top,
            left,
            rows: (layout.tiles[0] - 1) * step[0] + (bottom - top).cast_unsigned() + 1,
            step: step[1],
            columns: layout.tiles[1] + (right - left).cast_unsigned() / step[1],
        };
        let values = &self.x[picture * inputs * area(size)..][..inputs * area(size)];
        let Scratch { window: packed, source, .. } = &mut *self.scratch;
        let packed = reused(packed, inputs * window.plane());
        window.pack(Picture { values, channels: inputs, size }, &[], packed);
        let offset = |place: &[isize; 2]| {
            let [down, right] = [place[0] - top, place[1] - left].map(isize::cast_unsigned);
            down * window.pitch() + right % step[1] * window.columns + right / step[1]
        };
        for (number, places) in places.iter().enumerate() {
            let points: Vec<usize> = places.iter().map(offset).collect();
            for input in 0..inputs {
                let mut start = (number * inputs + input) * layout.row + start;
                for row in 0..layout.tiles[0] {
                    let from = input * window.plane() + row * step[0] * window.pitch();
                    for column in (0..layout.tiles[1]).step_by(isa.f32().len()) {
                        let (packed, out) = (&packed[from + column..], &mut source[start..]);
                        transform_source::<I, SIDE>(isa, packed, &points, out, layout.source);
                        start += isa.f32().len();
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn transform_gradient<I: Isa, const SIDE: usize>(
        &mut self,
        isa: I,
        layout: &Layout,
        picture: usize,
        first_row: usize,
        start: usize,
    ) {
        let outputs = self.convolution.outputs;
        let size = self.convolution.output_size();
        let window = Window {
            top: first_row.cast_signed(),
            left: 0,
            rows: OUTPUTS * layout.tiles[0],
            step: OUTPUTS,
            columns: layout.tiles[1],
        };
        let values = &self.gradient[picture * outputs * area(size)..][..outputs * area(size)];
        let Scratch { window: packed, gradient, .. } = &mut *self.scratch;
        let packed = reused(packed, outputs * window.plane());
        window.pack(Picture { values, channels: outputs, size }, &[], packed);
        let points = [0, window.columns, window.pitch(), window.pitch() + window.columns];
        for output in 0..outputs {
            let mut start = output * layout.row + start;
            for row in 0..layout.tiles[0] {
                let from = output * window.plane() + row * OUTPUTS * window.pitch();
                for column in (0..layout.tiles[1]).step_by(isa.f32().len()) {
                    let (packed, out) = (&packed[from + column..], &mut gradient[start..]);
                    transform_gradient::<I, SIDE>(isa, packed, &points, out, layout.gradient);
                    start += isa.f32().len();
                }
            }
        }
    }

    #[inline(always)]
    fn accumulate<I: Isa, const SIDE: usize>(&mut self, isa: I, layout: &Layout) {
        let (channels, outputs) = (self.channels(), self.convolution.outputs);
        let Scratch { source, gradient, steps, .. } = &*self.scratch;
        for point in 0..SIDE * SIDE {
            let source = &source[point * layout.source..][..layout.source];
            for first in (0..outputs).step_by(GRADIENTS) {
                let gradient = &gradient[point * layout.gradient + first * layout.row..];
                let lines = GRADIENTS.min(outputs - first);
                let pitch = SIDE * SIDE * channels;
                let sums = &mut self.sums[first * pitch..][..lines * pitch];
                let start = point * channels;
                let mut channel = 0;
                while channel + COLUMNS <= channels {
                    let columns =
                        [channel * layout.row, (channel + 1) * layout.row, (channel + 2) * layout.row];
                    let products = inner_products(isa, gradient, layout.row, source, columns, steps);
                    add(sums, start + channel, pitch, products);
                    channel += COLUMNS;
                }
                while channel < channels {
                    let columns = [channel * layout.row];
                    let products = inner_products(isa, gradient, layout.row, source, columns, steps);
                    add(sums, start + channel, pitch, products);
                    channel += 1;
                }
            }
        }
    }
}

/// Adds a tile of products to the columns from `first` on of `sums`, `[lines, width]`.
#[inline(always)]
fn add<const N: usize>(sums: &mut [f32], first: usize, width: usize, products: [[f32; N]; GRADIENTS]) {
    for (line, sums) in sums.chunks_exact_mut(width).enumerate() {
        for n in 0..N {
            sums[first + n] += products[line][n];
        }
    }
}

/// The weight's gradient, `[outputs, inputs, kernel height, kernel width]`, from the sums of all shares.
pub(crate) fn weight(convolution: &Convolution, tiling: &Tiling, sums: &[f32]) -> Vec<f32> {
    let Convolution { inputs, kernel, .. } = *convolution;
    let squares = &tiling.passes[0][0];
    let points = tiling.side * tiling.side;
    let mut weight = vec![0.0; convolution.weight_len()];
    let outputs = weight.par_chunks_exact_mut(inputs * area(kernel));
    outputs.zip(sums.par_chunks_exact(points * squares.len() * inputs)).for_each(|(weight, sums)| {
        for (input, weight) in weight.chunks_exact_mut(area(kernel)).enumerate() {
            for (square, Square { taps, .. }) in squares.iter().enumerate() {
                let mut transformed = [0.0; 16];
                for (point, value) in transformed[..points].iter_mut().enumerate() {
                    *value = sums[(point * squares.len() + square) * inputs + input];
                }
                let values = transform_back(tiling.side, &transformed);
                taps.iter().zip(values).for_each(|(&tap, value)| weight[tap] = value);
            }
        }
    });
    weight
}
