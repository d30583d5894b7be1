//! One band of a [`Plan`], on the widest vectors that the machine turns out to have.
//!
//! Everything is inlined into [`Run::eval`]: only code inside it is compiled for the instruction set that was found.

use rten_simd::ops::BitOps;
use rten_simd::{Isa, Simd, SimdOp};

use crate::pack::{Picture, Window, reused};
use crate::plan::{Band, Plan};
use crate::tile::{CHANNELS, Source, VECTORS, correlate};

/// Channels at a multiple of this distance compete for the same places of the first-level cache.
const ALIAS: usize = 2048;

/// A thread's buffers, kept from one convolution to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    window: Vec<f32>,
    staged: Vec<f32>,
}

pub(crate) struct Run<'a, 'b> {
    pub(crate) plan: &'a Plan,
    pub(crate) band: Band<'b>,
    pub(crate) bias: &'a [f32],
    pub(crate) scratch: &'a mut Scratch,
}

impl SimdOp for Run<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let plan = self.plan;
        let lanes = isa.f32().len();
        let (rows, columns) = (plan.extent(0), plan.extent(1));
        let [advance_y, advance_x] = plan.advance;
        let width = plan.size[1].div_ceil(plan.step[1]).next_multiple_of(lanes);
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
        let picture = Picture { values: self.band.picture, channels: plan.inputs, size: plan.source };
        let Scratch { window: packed, staged } = self.scratch;
        let packed = reused(packed, plan.inputs * window.plane());
        window.pack(picture, self.band.activations, packed);
        let (source, plane) = (&*packed, window.plane());

        let offset = |tap: &[isize; 2]| {
            let [down, right] = [tap[0] - rows[0], tap[1] - columns[0]].map(|distance| distance as usize);
            down * window.pitch() + right % advance_x * window.columns + right / advance_x
        };
        for (y, passes) in plan.passes.iter().enumerate() {
            let offsets: Vec<Vec<usize>> =
                passes.iter().map(|pass| pass.taps.iter().map(offset).collect()).collect();
            for (block, planes) in self.band.planes.chunks_mut(CHANNELS).enumerate() {
                let tiles = |x: usize, columns: usize| {
                    let (weight, bias) = plan.coefficients([y, x], self.band.first_block + block, self.bias);
                    Tiles {
                        weight,
                        bias,
                        source: Source::new(source, plane, &offsets[x]),
                        row_pitch: advance_y * window.pitch(),
                        size: [self.band.rows.len(), columns],
                    }
                };
                if plan.step == [1, 1] {
                    let columns = plan.size[1];
                    tiles(0, columns).run(isa, &mut Direct { planes, width: columns });
                    continue;
                }
                let plane = self.band.rows.len() * width;
                let staged = reused(staged, plan.step[1] * CHANNELS * plane);
                for (x, values) in staged.chunks_exact_mut(CHANNELS * plane).enumerate() {
                    tiles(x, width).run(isa, &mut Staged { values, plane, pitch: width });
                }
                spread(planes, plan, y, |x, lane, row| {
                    &staged[(x * CHANNELS + lane) * plane + row * width..][..width]
                });
            }
        }
    }
}

/// Interleaves the columns of the passes of one remainder of rows, `source(x, lane, row)`, into the output's `planes`.
#[inline(always)]
fn spread<'a>(
    planes: &mut [&mut [f32]],
    plan: &Plan,
    y: usize,
    source: impl Fn(usize, usize, usize) -> &'a [f32],
) {
    for (lane, out) in planes.iter_mut().enumerate() {
        let rows = out.chunks_exact_mut(plan.size[1]).skip(y).step_by(plan.step[0]);
        rows.enumerate().for_each(|(row, out)| interleave(out, |x| source(x, lane, row), plan.step[1]));
    }
}

/// `out[x + step·i] = source(x)[i]`.
#[inline(always)]
fn interleave<'a>(out: &mut [f32], source: impl Fn(usize) -> &'a [f32], step: usize) {
    if step == 2 {
        let (even, odd) = (source(0), source(1));
        let pairs = out.chunks_exact_mut(2);
        pairs.zip(even.iter().zip(odd)).for_each(|(pair, (&even, &odd))| (pair[0], pair[1]) = (even, odd));
        if out.len() % 2 == 1 {
            out[out.len() - 1] = even[out.len() / 2];
        }
        return;
    }
    for x in 0..step.min(out.len()) {
        let columns = out[x..].iter_mut().step_by(step);
        columns.zip(source(x)).for_each(|(column, &value)| *column = value);
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
