//! Carrying out a [`Plan`], a band at a time, on the widest vectors that the machine turns out to have.
//!
//! Everything is inlined into [`Run::eval`]: only code inside it is compiled for the instruction set that was found.

use std::cell::RefCell;

use rayon::prelude::*;

use crate::correlation::Sizes;
use crate::microkernel::{CHANNELS, Source, VECTORS, correlate};
use crate::pack::{Activation, Picture, Window, reused};
use crate::plan::{Band, Method, Plan};
use crate::simd::{BitOps, Isa, Simd, SimdOp};
use crate::winograd;

/// Channels at a multiple of this distance compete for the same places of the first-level cache.
const ALIAS: usize = 2048;

/// A thread's buffers, kept from one convolution to the next.
#[derive(Default)]
struct Scratch {
    window: Vec<f32>,
    staged: Vec<f32>,
    transformed: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Plan {
    /// `source`: `[batch, inputs, height, width]`; `bias`: one per output or empty; out `[batch, outputs, height, width]`.
    pub(crate) fn run(&self, source: &[f32], bias: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.output_len()];
        self.run_into(source, &[], bias, &mut out);
        out
    }

    /// As [`run`](Self::run), of the activated source if there are `activations`, one for each channel of each picture.
    pub(crate) fn run_into(&self, source: &[f32], activations: &[Activation], bias: &[f32], out: &mut [f32]) {
        if out.is_empty() {
            return;
        }
        self.bands(source, activations, out).into_par_iter().for_each(|band| {
            SCRATCH.with_borrow_mut(|scratch| Run { plan: self, band, bias, scratch }.dispatch());
        });
    }
}

struct Run<'a, 'b> {
    plan: &'a Plan,
    band: Band<'b>,
    bias: &'a [f32],
    scratch: &'a mut Scratch,
}

impl SimdOp for Run<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let plan = self.plan;
        let sizes = &plan.sizes;
        let lanes = isa.f32().len();
        let (rows, columns) = (plan.extent(0), plan.extent(1));
        let [advance_y, advance_x] = sizes.advance;
        let width = sizes.size[1].div_ceil(sizes.step[1]).next_multiple_of(lanes);
        let mut window = Window {
            top: (self.band.rows.start * advance_y) as isize + rows[0],
            left: columns[0],
            rows: (self.band.rows.len() - 1) * advance_y + (rows[1] - rows[0]) as usize + 1,
            step: advance_x,
            columns: width + (columns[1] - columns[0]) as usize / advance_x,
        };
        if (window.plane() * size_of::<f32>()).is_multiple_of(ALIAS) {
            window.columns += lanes;
        }
        let picture = Picture { values: self.band.picture, channels: sizes.inputs, size: sizes.source };
        let Scratch { window: packed, staged, transformed } = self.scratch;
        let packed = reused(packed, sizes.inputs * window.plane());
        window.pack(picture, self.band.activations, packed);

        let offset = |tap: &[isize; 2]| {
            let [down, right] = [tap[0] - rows[0], tap[1] - columns[0]].map(|distance| distance as usize);
            down * window.pitch() + right % advance_x * window.columns + right / advance_x
        };
        for y in 0..plan.passes.len() {
            let offsets: Vec<Vec<usize>> =
                plan.passes[y].iter().map(|pass| pass.taps.iter().map(offset).collect()).collect();
            let passes = Passes { plan, bias: self.bias, y, offsets: &offsets, packed, window, width };
            match plan.method {
                Method::Direct => passes.direct(isa, &mut self.band, staged),
                Method::Tiled(3) => passes.tiled::<I, 3, 2>(isa, &mut self.band, staged, transformed),
                Method::Tiled(4) => passes.tiled::<I, 4, 2>(isa, &mut self.band, staged, transformed),
                Method::Tiled(_) => passes.tiled::<I, 6, 4>(isa, &mut self.band, staged, transformed),
            }
        }
    }
}

/// The passes of one remainder of rows.
struct Passes<'a> {
    plan: &'a Plan,
    bias: &'a [f32],
    y: usize,
    /// Of every pass, where its taps read in the window.
    offsets: &'a [Vec<usize>],
    packed: &'a [f32],
    window: Window,
    /// Outputs or tiles of a row, filled up to whole vectors.
    width: usize,
}

impl Passes<'_> {
    /// Distance in the window of rows of outputs or tiles.
    fn row_pitch(&self) -> usize {
        self.plan.sizes.advance[0] * self.window.pitch()
    }

    #[inline(always)]
    fn direct<I: Isa>(&self, isa: I, band: &mut Band, staged: &mut Vec<f32>) {
        let Self { plan, y, width, .. } = *self;
        let Sizes { size, step, .. } = plan.sizes;
        let rows = band.rows.len();
        for (block, planes) in band.planes.chunks_mut(CHANNELS).enumerate() {
            let tiles = |x: usize, columns: usize| {
                let (weight, bias) = plan.coefficients([y, x], band.first_block + block, self.bias);
                Tiles {
                    weight,
                    bias,
                    source: Source::new(self.packed, self.window.plane(), &self.offsets[x]),
                    row_pitch: self.row_pitch(),
                    size: [rows, columns],
                }
            };
            if step == [1, 1] {
                tiles(0, size[1]).run(isa, &mut Direct { planes, width: size[1] });
                continue;
            }
            let plane = rows * width;
            let staged = reused(staged, step[1] * CHANNELS * plane);
            for (x, values) in staged.chunks_exact_mut(CHANNELS * plane).enumerate() {
                tiles(x, width).run(isa, &mut Staged { values, plane, pitch: width });
            }
            spread(planes, &plan.sizes, y, |x, lane, row| {
                &staged[(x * CHANNELS + lane) * plane + row * width..][..width]
            });
        }
    }

    #[inline(always)]
    fn tiled<I: Isa, const SIDE: usize, const OUT: usize>(
        &self,
        isa: I,
        band: &mut Band,
        staged: &mut Vec<f32>,
        transformed: &mut Vec<f32>,
    ) {
        let Self { plan, y, width, .. } = *self;
        let lanes = isa.f32().len();
        let rows = band.rows.len();
        let tiles = |x: usize| winograd::Tiles {
            points: &self.offsets[x],
            inputs: plan.sizes.inputs,
            plane: self.window.plane(),
            pitch: self.row_pitch(),
            size: [rows, width / lanes],
        };
        let len = tiles(0).len::<SIDE>(lanes);
        let transformed = reused(transformed, self.offsets.len() * len);
        for (x, transformed) in transformed.chunks_exact_mut(len).enumerate() {
            tiles(x).transform::<I, SIDE>(isa, self.packed, transformed);
        }
        let plane = rows * width;
        let [single_y, single_x] = plan.sizes.step.map(|step| step / OUT);
        let place = |row: usize, column: usize, lane: usize| {
            ((row * plan.sizes.step[1] + column) * CHANNELS + lane) * plane
        };
        let staged = reused(staged, place(OUT, 0, 0));
        for (block, planes) in band.planes.chunks_mut(CHANNELS).enumerate() {
            for (x, transformed) in transformed.chunks_exact(len).enumerate() {
                let (weight, bias) = plan.coefficients([y, x], band.first_block + block, self.bias);
                let mut starts = [[0; OUT]; OUT];
                for down in 0..OUT {
                    for right in 0..OUT {
                        starts[down][right] = place(down, x + right * single_x, 0);
                    }
                }
                let mut parts = winograd::Parts { values: &mut *staged, starts, plane };
                tiles(x).convolve::<I, SIDE, OUT>(isa, weight, transformed, bias, &mut parts);
            }
            for down in 0..OUT {
                spread(planes, &plan.sizes, y + down * single_y, |column, lane, row| {
                    &staged[place(down, column, lane) + row * width..][..width]
                });
            }
        }
    }
}

/// Interleaves the columns, one source for each remainder, of one remainder of rows, `source(x, lane, row)`, into the output's `planes`.
#[inline(always)]
fn spread<'a>(
    planes: &mut [&mut [f32]],
    sizes: &Sizes,
    y: usize,
    source: impl Fn(usize, usize, usize) -> &'a [f32],
) {
    for lane in 0..planes.len() {
        for (row, out) in
            planes[lane].chunks_exact_mut(sizes.size[1]).skip(y).step_by(sizes.step[0]).enumerate()
        {
            interleave(out, |x| source(x, lane, row), sizes.step[1]);
        }
    }
}

/// `out[x + step·i] = source(x)[i]`.
#[inline(always)]
fn interleave<'a>(out: &mut [f32], source: impl Fn(usize) -> &'a [f32], step: usize) {
    match step {
        2 => interleave_all(out, [source(0), source(1)]),
        4 => interleave_all(out, [source(0), source(1), source(2), source(3)]),
        _ => {
            for x in 0..step.min(out.len()) {
                let columns = out[x..].iter_mut().step_by(step);
                columns.zip(source(x)).for_each(|(column, &value)| *column = value);
            }
        }
    }
}

#[inline(always)]
fn interleave_all<const N: usize>(out: &mut [f32], sources: [&[f32]; N]) {
    let (groups, rest) = out.as_chunks_mut::<N>();
    let mut whole = sources;
    for x in 0..N {
        whole[x] = &sources[x][..groups.len()];
    }
    for i in 0..groups.len() {
        for x in 0..N {
            groups[i][x] = whole[x][i];
        }
    }
    for x in 0..rest.len() {
        rest[x] = sources[x][groups.len()];
    }
}

/// One block of outputs of one pass over a band.
struct Tiles<'a> {
    weight: &'a [f32],
    bias: [f32; CHANNELS],
    source: Source<'a>,
    /// Distance in the source of the pixels of neighbouring output rows.
    row_pitch: usize,
    /// Output rows and columns.
    size: [usize; 2],
}

impl Tiles<'_> {
    #[inline(always)]
    fn run<I: Isa>(&self, isa: I, out: &mut impl Store) {
        let per_row = self.size[1].div_ceil(isa.f32().len());
        let vectors = self.size[0] * per_row;
        let mut vector = 0;
        while vector + VECTORS <= vectors {
            self.tile::<I, VECTORS>(isa, vector, per_row, out);
            vector += VECTORS;
        }
        if vector < vectors {
            self.tile::<I, 1>(isa, vector, per_row, out);
        }
    }

    #[inline(always)]
    fn tile<I: Isa, const N: usize>(&self, isa: I, first: usize, per_row: usize, out: &mut impl Store) {
        let lanes = isa.f32().len();
        let mut places = [[0; 2]; N];
        let mut pixels = [0; N];
        for n in 0..N {
            places[n] = [(first + n) / per_row, (first + n) % per_row * lanes];
            pixels[n] = places[n][0] * self.row_pitch + places[n][1];
        }
        let sums = correlate(isa, self.weight, self.source, pixels, self.bias);
        for lane in 0..CHANNELS {
            for n in 0..N {
                out.store(isa, lane, places[n], sums[lane][n]);
            }
        }
    }
}

/// Where a tile's sums go.
trait Store {
    fn store<I: Isa>(&mut self, isa: I, lane: usize, place: [usize; 2], sum: I::F32);
}

/// Rows of the output; what hangs over a row's end or the last channel is dropped.
struct Direct<'a, 'b> {
    planes: &'a mut [&'b mut [f32]],
    width: usize,
}

impl Store for Direct<'_, '_> {
    #[inline(always)]
    fn store<I: Isa>(&mut self, isa: I, lane: usize, [row, column]: [usize; 2], sum: I::F32) {
        let ops = isa.f32();
        let Some(plane) = self.planes.get_mut(lane) else { return };
        let out = &mut plane[row * self.width + column..(row + 1) * self.width];
        if out.len() >= ops.len() {
            ops.store(sum, out);
        } else {
            let values = sum.to_array();
            out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
        }
    }
}

/// A buffer of whole vectors, `[CHANNELS, rows, pitch]`.
struct Staged<'a> {
    values: &'a mut [f32],
    plane: usize,
    pitch: usize,
}

impl Store for Staged<'_> {
    #[inline(always)]
    fn store<I: Isa>(&mut self, isa: I, lane: usize, [row, column]: [usize; 2], sum: I::F32) {
        isa.f32().store(sum, &mut self.values[lane * self.plane + row * self.pitch + column..]);
    }
}
