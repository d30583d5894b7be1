//! The gradient of a convolution's weight: inner products of output gradients with shifted inputs.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use crate::geometry::{Convolution, area};
use crate::microkernel::{COLUMNS, GRADIENTS, Steps, inner_products};
use crate::pack::{Picture, Window, reused};
use crate::simd::{BitOps, Isa, SimdOp};
use crate::winograd::{self, Tiling};

/// Output pixels over which sums stay in registers: enough that adding up the lanes at their end costs little, few
/// enough for the cache. Small pictures are taken together, large ones in bands.
const PIXELS_TOGETHER: usize = 1024;

impl Convolution {
    /// Gradient with respect to the weight, `[outputs, inputs, kernel height, kernel width]`. `x` is the input,
    /// `gradient` is with respect to the output.
    ///
    /// Each thread sums over its share of the batch, and the shares are added in order: the same threads give the same
    /// bits.
    ///
    /// # Panics
    /// When a slice has another length than the sizes say, or the kernel does not fit.
    pub fn weight_gradient(&self, x: &[f32], gradient: &[f32]) -> Vec<f32> {
        assert_eq!(x.len(), self.input_len(), "input of {self:?}");
        assert_eq!(gradient.len(), self.output_len(), "output gradient of {self:?}");
        let bands = self.bands();
        let share = bands.len().div_ceil(rayon::current_num_threads()).max(1);
        let tiling = Tiling::of(&self.sizes(), &[vec![self.taps()]], winograd::SMALL);
        let Some(tiling) = tiling else {
            return sum_of_shares(self.weight_len(), bands.par_chunks(share), |bands, sums| {
                SCRATCH.with_borrow_mut(|scratch| {
                    Share { convolution: self, x, gradient, bands, sums, scratch }.dispatch();
                });
            });
        };
        let transformed = self.weight_len() / (tiling.side - 1).pow(2) * tiling.side.pow(2);
        let sums = sum_of_shares(transformed, bands.par_chunks(share), |bands, sums| {
            TILED_SCRATCH.with_borrow_mut(|scratch| {
                let tiling = &tiling;
                winograd::Share { convolution: self, tiling, x, gradient, bands, sums, scratch }.dispatch();
            });
        });
        winograd::weight(self, &tiling, &sums)
    }

    /// Picture and output rows of every band.
    fn bands(&self) -> Vec<(usize, Range<usize>)> {
        let [height, width] = self.output_size();
        let for_all_threads = (self.batch * height).div_ceil(rayon::current_num_threads());
        let rows = (PIXELS_TOGETHER / width.max(1)).min(for_all_threads).next_multiple_of(winograd::OUTPUTS);
        let rows = rows.clamp(1, height.max(1));
        let of_picture = |picture| {
            (0..height).step_by(rows).map(move |first| (picture, first..(first + rows).min(height)))
        };
        (0..self.batch).flat_map(of_picture).collect()
    }
}

/// What every share of the bands adds to `len` sums, added up in the shares' order.
fn sum_of_shares<'a, B: Sync + 'a>(
    len: usize,
    shares: rayon::slice::Chunks<'a, B>,
    add: impl Fn(&'a [B], &mut [f32]) + Sync + Send,
) -> Vec<f32> {
    let shares: Vec<Vec<f32>> = shares
        .map(|share| {
            let mut sums = vec![0.0; len];
            add(share, &mut sums);
            sums
        })
        .collect();
    let total = shares.into_iter().reduce(|mut total, share| {
        total.iter_mut().zip(share).for_each(|(total, value)| *total += value);
        total
    });
    total.unwrap_or_else(|| vec![0.0; len])
}

#[derive(Default)]
struct Scratch {
    window: Vec<f32>,
    gradient: Vec<f32>,
    steps: Steps,
    columns: Vec<usize>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
    static TILED_SCRATCH: RefCell<winograd::Scratch> = RefCell::default();
}

/// The bands of one thread.
struct Share<'a> {
    convolution: &'a Convolution,
    x: &'a [f32],
    gradient: &'a [f32],
    bands: &'a [(usize, Range<usize>)],
    /// `[outputs, inputs, kernel height, kernel width]`.
    sums: &'a mut [f32],
    scratch: &'a mut Scratch,
}

/// How bands are laid out, all of them with as many rows as the longest.
struct Layout {
    window: Window,
    gradient: Window,
}

impl SimdOp for Share<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let Some(rows) = self.bands.iter().map(|(_, rows)| rows.len()).max() else { return };
        let layout = self.layout(isa.f32().len(), rows);
        for bands in self.bands.chunks((PIXELS_TOGETHER / layout.gradient.plane()).max(1)) {
            self.pack(&layout, bands);
            self.plan(isa.f32().len(), &layout, bands.len());
            self.accumulate(isa, layout.gradient.plane());
        }
    }
}

impl Share<'_> {
    fn layout(&self, lanes: usize, rows: usize) -> Layout {
        let Convolution { kernel, stride, padding, .. } = *self.convolution;
        let columns = self.convolution.output_size()[1].next_multiple_of(lanes);
        Layout {
            window: Window {
                top: -(padding[0] as isize),
                left: -(padding[1] as isize),
                rows: (rows - 1) * stride[0] + kernel[0],
                step: stride[1],
                columns: columns + (kernel[1] - 1) / stride[1],
            },
            gradient: Window { top: 0, left: 0, rows, step: 1, columns },
        }
    }

    /// Lays out inputs and gradients: `[bands, channels, plane]`, zeros where a band or a row is shorter.
    #[inline(always)]
    fn pack(&mut self, layout: &Layout, bands: &[(usize, Range<usize>)]) {
        let Convolution { inputs, outputs, size, stride, .. } = *self.convolution;
        let output = self.convolution.output_size();
        let [window, gradient] = [inputs * layout.window.plane(), padded(outputs) * layout.gradient.plane()];
        let windows = reused(&mut self.scratch.window, bands.len() * window).chunks_exact_mut(window);
        let gradients = reused(&mut self.scratch.gradient, bands.len() * gradient).chunks_exact_mut(gradient);
        for (((picture, rows), window), gradient) in bands.iter().zip(windows).zip(gradients) {
            let values = &self.x[picture * inputs * area(size)..][..inputs * area(size)];
            let top = layout.window.top + (rows.start * stride[0]) as isize;
            Window { top, ..layout.window }.pack(Picture { values, channels: inputs, size }, &[], window);
            let values = &self.gradient[picture * outputs * area(output)..][..outputs * area(output)];
            let picture = Picture { values, channels: outputs, size: output };
            Window { top: rows.start as isize, ..layout.gradient }.pack(picture, &[], gradient);
        }
    }

    /// Where the vectors of the bands' pixels and the columns of the weight's matrix stand.
    #[inline(always)]
    fn plan(&mut self, lanes: usize, layout: &Layout, bands: usize) {
        let Convolution { inputs, outputs, kernel, stride, .. } = *self.convolution;
        let Layout { window, gradient } = layout;
        let Scratch { steps, columns, .. } = &mut *self.scratch;
        steps.clear();
        for band in 0..bands {
            let [in_gradient, in_window] = [padded(outputs) * gradient.plane(), inputs * window.plane()];
            for row in 0..gradient.rows {
                let in_gradient = band * in_gradient + row * gradient.pitch();
                let in_window = band * in_window + row * stride[0] * window.pitch();
                let vectors = (0..gradient.columns).step_by(lanes);
                vectors.for_each(|column| steps.push(in_gradient + column, in_window + column));
            }
        }
        columns.clear();
        for input in 0..inputs {
            for y in 0..kernel[0] {
                let row = input * window.plane() + y * window.pitch();
                columns.extend((0..kernel[1]).map(|x| row + x % stride[1] * window.columns + x / stride[1]));
            }
        }
    }

    #[inline(always)]
    fn accumulate<I: Isa>(&mut self, isa: I, plane: usize) {
        let Scratch { window, gradient, steps, columns } = &*self.scratch;
        let blocks = self.sums.chunks_mut(GRADIENTS * columns.len());
        for (block, sums) in blocks.enumerate() {
            let tiles = Tiles { gradient: &gradient[block * GRADIENTS * plane..], plane, window, steps };
            for first in (0..columns.len()).step_by(COLUMNS) {
                match columns[first..] {
                    [a, b, c, ..] => tiles.add(isa, [a, b, c], first, columns.len(), sums),
                    [a, b] => tiles.add(isa, [a, b], first, columns.len(), sums),
                    [a] => tiles.add(isa, [a], first, columns.len(), sums),
                    [] => {}
                }
            }
        }
    }
}

/// Outputs filled up to whole tiles.
fn padded(outputs: usize) -> usize {
    outputs.next_multiple_of(GRADIENTS)
}

/// One block of outputs.
struct Tiles<'a> {
    gradient: &'a [f32],
    plane: usize,
    window: &'a [f32],
    steps: &'a Steps,
}

impl Tiles<'_> {
    /// Adds the products with `columns` to the columns from `first` on of `sums`, `[channels, width]`.
    #[inline(always)]
    fn add<I: Isa, const N: usize>(
        &self,
        isa: I,
        columns: [usize; N],
        first: usize,
        width: usize,
        sums: &mut [f32],
    ) {
        let products = inner_products(isa, self.gradient, self.plane, self.window, columns, self.steps);
        for (sums, products) in sums.chunks_exact_mut(width).zip(products) {
            sums[first..].iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
        }
    }
}
