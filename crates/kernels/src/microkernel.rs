//! The innermost loops: a few channels times a few vectors of pixels, all in registers.
//!
//! The only unsafe reads and writes of the crate. Every function checks once, before its loop, that the furthest of them lies
//! inside the slices it was given.
#![allow(unsafe_code)]

use crate::simd::{BitOps, Isa, NumOps};

// `array::map` and `array::from_fn` are not used: now and then the compiler does not inline their closures, and what is not inlined
// is not compiled for the instruction set that was found.

/// Output channels of a tile. 6 x 2 sums leave AVX2's sixteen registers room for the two vectors and for two weights on
/// their way; with 4 x 3 the compiler keeps one sum in memory, which halves the speed.
pub(crate) const CHANNELS: usize = 6;

/// Vectors of pixels of a tile.
pub(crate) const VECTORS: usize = 2;

/// Output channels of a weight gradient's tile.
pub(crate) const GRADIENTS: usize = 4;

/// Columns of a weight gradient's tile: the width of the most frequent kernel.
pub(crate) const COLUMNS: usize = 3;

/// What one tile reads besides its weights.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The packed window, or a picture that needs no packing.
    pub(crate) values: &'a [f32],
    /// Distance of input channels.
    pub(crate) plane: usize,
    /// Offsets of a kernel's taps from the pixel of an output.
    pub(crate) taps: &'a [usize],
    /// The largest of `taps`.
    reach: usize,
}

impl<'a> Source<'a> {
    #[inline(always)]
    pub(crate) fn new(values: &'a [f32], plane: usize, taps: &'a [usize]) -> Self {
        Self { values, plane, taps, reach: taps.iter().copied().max().unwrap_or(0) }
    }
}

/// Sums of [`CHANNELS`] outputs at the pixels that start at `pixels`, `sums[channel][vector]`: `initial` plus weight times source over all inputs and taps.
///
/// `weight` is one block of [`pack_weight`](crate::pack::pack_weight): `[inputs, taps, CHANNELS]`.
#[inline(always)]
pub(crate) fn correlate<I: Isa, const N: usize>(
    isa: I,
    weight: &[f32],
    source: Source,
    pixels: [usize; N],
    initial: [f32; CHANNELS],
) -> [[I::F32; N]; CHANNELS] {
    let ops = isa.f32();
    let mut sums: [[I::F32; N]; CHANNELS] = initial.map(|value| [ops.splat(value); N]);
    if source.taps.is_empty() {
        return sums;
    }
    let block = source.taps.len() * CHANNELS;
    let inputs = weight.len() / block;
    let furthest = pixels.iter().max().copied().unwrap_or(0) + source.reach + ops.len();
    assert!(inputs > 0 && (inputs - 1) * source.plane + furthest <= source.values.len());
    for (input, weight) in weight.chunks_exact(block).enumerate() {
        let plane = &source.values[input * source.plane..];
        for (weight, &tap) in weight.chunks_exact(CHANNELS).zip(source.taps) {
            let mut vectors = [ops.zero(); N];
            for n in 0..N {
                // SAFETY: input <= inputs - 1 and tap <= reach, so the read ends before `furthest` of the last plane.
                vectors[n] = unsafe { ops.load_ptr(plane.as_ptr().add(pixels[n] + tap)) };
            }
            for channel in 0..CHANNELS {
                let weight = ops.splat(weight[channel]);
                for n in 0..N {
                    sums[channel][n] = ops.mul_add(weight, vectors[n], sums[channel][n]);
                }
            }
        }
    }
    sums
}

/// Vectors of `source` at `SIDE`² offsets.
#[inline(always)]
pub(crate) fn gather<I: Isa, const SIDE: usize>(
    isa: I,
    source: &[f32],
    offsets: &[usize],
) -> [[I::F32; SIDE]; SIDE] {
    let ops = isa.f32();
    assert!(offsets.len() == SIDE * SIDE);
    let mut vectors = [[ops.zero(); SIDE]; SIDE];
    let mut furthest = 0;
    for number in 0..SIDE * SIDE {
        furthest = furthest.max(offsets[number]);
    }
    assert!(furthest + ops.len() <= source.len());
    for y in 0..SIDE {
        for x in 0..SIDE {
            // SAFETY: no offset is beyond `furthest`, from where a vector was found to end inside the source.
            vectors[y][x] = unsafe { ops.load_ptr(source.as_ptr().add(offsets[y * SIDE + x])) };
        }
    }
    vectors
}

/// Writes `vectors` to `out`, `pitch` apart.
#[inline(always)]
pub(crate) fn scatter<I: Isa, const SIDE: usize>(
    isa: I,
    vectors: [[I::F32; SIDE]; SIDE],
    out: &mut [f32],
    pitch: usize,
) {
    let ops = isa.f32();
    assert!((SIDE * SIDE - 1) * pitch + ops.len() <= out.len());
    for y in 0..SIDE {
        for x in 0..SIDE {
            // SAFETY: y · SIDE + x <= SIDE² - 1, for which the write was found to end inside `out`.
            unsafe { ops.store_ptr(vectors[y][x], out.as_mut_ptr().add((y * SIDE + x) * pitch)) };
        }
    }
}

/// The matrix product of `weight`, `[rows, CHANNELS]`, transposed, and the first `N` vectors of each row of `source`, `[rows or more, pitch]`.
#[inline(always)]
pub(crate) fn product<I: Isa, const N: usize>(
    isa: I,
    weight: &[f32],
    source: &[f32],
    pitch: usize,
) -> [[I::F32; N]; CHANNELS] {
    let ops = isa.f32();
    let (weight, _) = weight.as_chunks::<CHANNELS>();
    assert!(N * ops.len() <= pitch && weight.len() * pitch <= source.len());
    let mut sums = [[ops.zero(); N]; CHANNELS];
    for (row, weight) in weight.iter().enumerate() {
        // SAFETY: row < weight.len(), and a row holds N vectors.
        let vectors: [I::F32; N] = std::array::from_fn(|n| unsafe {
            ops.load_ptr(source.as_ptr().add(row * pitch + n * ops.len()))
        });
        for channel in 0..CHANNELS {
            let weight = ops.splat(weight[channel]);
            for n in 0..N {
                sums[channel][n] = ops.mul_add(weight, vectors[n], sums[channel][n]);
            }
        }
    }
    sums
}

/// Inner products over the pixels of a band of [`GRADIENTS`] output gradients with `N` shifted sources,
/// `[channel][column]`.
///
/// `gradient` is `[GRADIENTS, plane]`; `steps` holds for each vector of pixels its place in the gradient's planes and in
/// the source; `columns` the offset of each source.
#[inline(always)]
pub(crate) fn inner_products<I: Isa, const N: usize>(
    isa: I,
    gradient: &[f32],
    plane: usize,
    source: &[f32],
    columns: [usize; N],
    steps: &Steps,
) -> [[f32; N]; GRADIENTS] {
    let ops = isa.f32();
    let mut sums = [[ops.zero(); N]; GRADIENTS];
    let furthest = columns.iter().max().copied().unwrap_or(0);
    assert!((GRADIENTS - 1) * plane + steps.gradient_reach + ops.len() <= gradient.len());
    assert!(furthest + steps.source_reach + ops.len() <= source.len());
    for &(in_gradient, in_source) in &steps.places {
        let mut vectors = [ops.zero(); N];
        for n in 0..N {
            // SAFETY: `Steps` holds no place beyond its reaches, which were checked above for the last channel and column.
            vectors[n] = unsafe { ops.load_ptr(source.as_ptr().add(columns[n] + in_source)) };
        }
        for channel in 0..GRADIENTS {
            // SAFETY: as above.
            let gradient = unsafe { ops.load_ptr(gradient.as_ptr().add(channel * plane + in_gradient)) };
            for n in 0..N {
                sums[channel][n] = ops.mul_add(gradient, vectors[n], sums[channel][n]);
            }
        }
    }
    let mut out = [[0.0; N]; GRADIENTS];
    for channel in 0..GRADIENTS {
        for n in 0..N {
            out[channel][n] = ops.sum(sums[channel][n]);
        }
    }
    out
}

/// Where the vectors of a band stand in a gradient and in its source.
#[derive(Default)]
pub(crate) struct Steps {
    places: Vec<(usize, usize)>,
    gradient_reach: usize,
    source_reach: usize,
}

impl Steps {
    pub(crate) fn clear(&mut self) {
        *self = Self { places: std::mem::take(&mut self.places), ..Self::default() };
        self.places.clear();
    }

    pub(crate) fn push(&mut self, in_gradient: usize, in_source: usize) {
        self.places.push((in_gradient, in_source));
        self.gradient_reach = self.gradient_reach.max(in_gradient);
        self.source_reach = self.source_reach.max(in_source);
    }
}
