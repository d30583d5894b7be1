//! Forward and input gradient in tiles.

use rayon::prelude::*;

use super::tiling::Square;
use super::transform::{output_line, transform_source, transform_weight};
use crate::correlation::{Pass, Sizes};
use crate::microkernel::{CHANNELS, VECTORS, product};
use crate::pack::Weight;
use crate::simd::{BitOps, Isa, NumOps};

/// The pass with its taps replaced by the points of its tiles, square by square, and its weight transformed:
/// `[outputs / CHANNELS, points, squares, inputs, CHANNELS]`.
pub(crate) fn pass(sizes: &Sizes, squares: &[Square], side: usize, weight: Weight) -> Pass {
    let points = side * side;
    let channels = squares.len() * sizes.inputs;
    let mut packed = vec![0.0; sizes.outputs.div_ceil(CHANNELS) * points * channels * CHANNELS];
    packed.par_chunks_mut(points * channels * CHANNELS).enumerate().for_each(|(block, packed)| {
        for (number, square) in squares.iter().enumerate() {
            for input in 0..sizes.inputs {
                let transformed = transform_weight(side, |lane, tap| {
                    let output = block * CHANNELS + lane;
                    if output < sizes.outputs { weight.at(output, input, square.taps[tap]) } else { 0.0 }
                });
                for point in 0..points {
                    let start = ((point * squares.len() + number) * sizes.inputs + input) * CHANNELS;
                    packed[start..start + CHANNELS].copy_from_slice(&transformed[point / side][point % side]);
                }
            }
        }
    });
    let places = squares.iter().flat_map(|square| square.points(side, sizes.advance));
    Pass { taps: places.collect(), weight: packed }
}

/// Where the tiles of one pass over a band lie in its packed window.
pub(crate) struct Tiles<'a> {
    /// Offsets of the points, square by square.
    pub(crate) points: &'a [usize],
    /// Channels of the window and their distance.
    pub(crate) inputs: usize,
    pub(crate) plane: usize,
    /// Distance of rows of tiles.
    pub(crate) pitch: usize,
    /// Rows of tiles, and vectors of tiles of a row.
    pub(crate) size: [usize; 2],
}

impl Tiles<'_> {
    fn vectors(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Rows of a group: one for each channel of each square, and one more where their number is even, so that points do not compete for the
    /// same places of the first-level cache.
    fn rows<const SIDE: usize>(&self) -> usize {
        (self.points.len() / SIDE / SIDE * self.inputs) | 1
    }

    /// Values that [`transform`](Self::transform) writes: `[groups, SIDE, SIDE, rows, VECTORS·lanes]`.
    pub(crate) fn len<const SIDE: usize>(&self, lanes: usize) -> usize {
        self.vectors().div_ceil(VECTORS) * SIDE * SIDE * self.rows::<SIDE>() * VECTORS * lanes
    }

    /// Row of tiles, and column of the first tile of a vector.
    pub(crate) fn place(&self, vector: usize, lanes: usize) -> [usize; 2] {
        [vector / self.size[1], vector % self.size[1] * lanes]
    }

    /// The source of every tile at its points, as [`convolve`](Self::convolve) reads it.
    #[inline(always)]
    pub(crate) fn transform<I: Isa, const SIDE: usize>(&self, isa: I, window: &[f32], out: &mut [f32]) {
        let lanes = isa.f32().len();
        let pitch = self.rows::<SIDE>() * VECTORS * lanes;
        let group = SIDE * SIDE * pitch;
        for vector in 0..self.vectors() {
            let [row, column] = self.place(vector, lanes);
            let mut start = vector / VECTORS * group + vector % VECTORS * lanes;
            for points in self.points.chunks_exact(SIDE * SIDE) {
                for channel in 0..self.inputs {
                    let source = &window[channel * self.plane + row * self.pitch + column..];
                    transform_source::<I, SIDE>(isa, source, points, &mut out[start..], pitch);
                    start += VECTORS * lanes;
                }
            }
        }
    }

    /// The outputs of a block of channels. `weight`: its part of [`pass`]'s.
    #[inline(always)]
    pub(crate) fn convolve<I: Isa, const SIDE: usize, const OUT: usize>(
        &self,
        isa: I,
        weight: &[f32],
        transformed: &[f32],
        bias: [f32; CHANNELS],
        out: &mut Parts<OUT>,
    ) {
        let pitch = VECTORS * isa.f32().len();
        let group = SIDE * SIDE * self.rows::<SIDE>() * pitch;
        for (number, group) in transformed.chunks_exact(group).enumerate() {
            let first = number * VECTORS;
            if self.vectors() - first >= VECTORS {
                let tiles = outputs::<I, SIDE, OUT, VECTORS>(isa, weight, group, pitch, bias);
                out.store(isa, &tiles, first);
            } else {
                let tiles = outputs::<I, SIDE, OUT, 1>(isa, weight, group, pitch, bias);
                out.store(isa, &tiles, first);
            }
        }
    }
}

/// Where the parts of tiles go: of each part a plane for each channel of the block, of vectors in their order.
pub(crate) struct Parts<'a, const OUT: usize> {
    pub(crate) values: &'a mut [f32],
    /// Starts of the planes of a tile's parts, `[row][column]`.
    pub(crate) starts: [[usize; OUT]; OUT],
    /// Distance of channels.
    pub(crate) plane: usize,
}

impl<const OUT: usize> Parts<'_, OUT> {
    #[inline(always)]
    fn store<I: Isa, const N: usize>(&mut self, isa: I, tiles: &Outputs<I::F32, OUT, N>, first: usize) {
        let ops = isa.f32();
        for y in 0..OUT {
            for x in 0..OUT {
                for lane in 0..CHANNELS {
                    let start = self.starts[y][x] + lane * self.plane + first * ops.len();
                    let out = &mut self.values[start..start + N * ops.len()];
                    for n in 0..N {
                        ops.store(tiles[y][x][lane][n], &mut out[n * ops.len()..]);
                    }
                }
            }
        }
    }
}

/// `[row of the tile][column of the tile][channel][vector]`
type Outputs<V, const OUT: usize, const N: usize> = [[[[V; N]; CHANNELS]; OUT]; OUT];

/// `group`: `[SIDE, SIDE, rows, pitch]`; `weight`: `[SIDE, SIDE, channels, CHANNELS]`.
#[inline(always)]
fn outputs<I: Isa, const SIDE: usize, const OUT: usize, const N: usize>(
    isa: I,
    weight: &[f32],
    group: &[f32],
    pitch: usize,
    bias: [f32; CHANNELS],
) -> Outputs<I::F32, OUT, N> {
    let ops = isa.f32();
    let (weights, sources) = (weight.len() / (SIDE * SIDE), group.len() / (SIDE * SIDE));
    // [column of the tile][channel][vector][row of points]
    let mut columns = [[[[ops.zero(); SIDE]; N]; CHANNELS]; OUT];
    for y in 0..SIDE {
        // [channel][vector][column of points]
        let mut points = [[[ops.zero(); SIDE]; N]; CHANNELS];
        for x in 0..SIDE {
            let point = y * SIDE + x;
            let weight = &weight[point * weights..][..weights];
            let sums: [[I::F32; N]; CHANNELS] =
                product(isa, weight, &group[point * sources..][..sources], pitch);
            for lane in 0..CHANNELS {
                for n in 0..N {
                    points[lane][n][x] = sums[lane][n];
                }
            }
        }
        for lane in 0..CHANNELS {
            for n in 0..N {
                let line: [I::F32; OUT] = output_line(isa, points[lane][n]);
                for x in 0..OUT {
                    columns[x][lane][n][y] = line[x];
                }
            }
        }
    }
    let mut out = [[[[ops.zero(); N]; CHANNELS]; OUT]; OUT];
    for lane in 0..CHANNELS {
        let bias = ops.splat(bias[lane]);
        for x in 0..OUT {
            for n in 0..N {
                let line: [I::F32; OUT] = output_line(isa, columns[x][lane][n]);
                for y in 0..OUT {
                    out[y][x][lane][n] = ops.add(line[y], bias);
                }
            }
        }
    }
    out
}
