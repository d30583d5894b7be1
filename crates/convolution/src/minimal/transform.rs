//! The transforms of minimal filtering. Each acts on one axis and is applied to both.

use rten_simd::Isa;
use rten_simd::ops::{BitOps, NumOps};

use super::OUTPUTS;
use crate::tile::{CHANNELS, gather, scatter};

/// The transformed weights of a block of outputs at the points of a tile, row by row; `tap(lane, number)` is a weight.
pub(super) fn transform_weight(side: usize, tap: impl Fn(usize, usize) -> f32) -> [[[f32; CHANNELS]; 4]; 4] {
    let kernel = side - 1;
    let mut rows = [[[0.0; CHANNELS]; 3]; 4];
    for x in 0..kernel {
        let column = std::array::from_fn(|y| {
            std::array::from_fn(|lane| if y < kernel { tap(lane, y * kernel + x) } else { 0.0 })
        });
        weight_line(side, column).into_iter().zip(&mut rows).for_each(|(value, row)| row[x] = value);
    }
    rows.map(|row| weight_line(side, row))
}

/// G·g along one axis: three taps become four points, or two taps three.
fn weight_line(side: usize, g: [[f32; CHANNELS]; 3]) -> [[f32; CHANNELS]; 4] {
    let lanes = |value: &dyn Fn(usize) -> f32| std::array::from_fn(value);
    match side {
        3 => [g[0], lanes(&|lane| g[0][lane] + g[1][lane]), g[1], [0.0; CHANNELS]],
        _ => [
            g[0],
            lanes(&|lane| 0.5 * (g[0][lane] + g[1][lane] + g[2][lane])),
            lanes(&|lane| 0.5 * (g[0][lane] - g[1][lane] + g[2][lane])),
            g[2],
        ],
    }
}

/// Bᵀ·d along one axis.
#[inline(always)]
fn source_line<I: Isa, const SIDE: usize>(isa: I, d: [I::F32; SIDE]) -> [I::F32; SIDE] {
    let ops = isa.f32();
    let mut points = d;
    if SIDE == 3 {
        points[0] = ops.sub(d[0], d[1]);
        points[2] = ops.sub(d[1], d[2]);
    } else {
        points[0] = ops.sub(d[0], d[2]);
        points[1] = ops.add(d[1], d[2]);
        points[2] = ops.sub(d[2], d[1]);
        points[3] = ops.sub(d[1], d[3]);
    }
    points
}

/// Aᵀ·m along one axis.
#[inline(always)]
pub(super) fn output_line<I: Isa, const SIDE: usize>(isa: I, m: [I::F32; SIDE]) -> [I::F32; OUTPUTS] {
    let ops = isa.f32();
    if SIDE == 3 {
        [ops.add(m[0], m[1]), ops.sub(m[1], m[2])]
    } else {
        [ops.add(ops.add(m[0], m[1]), m[2]), ops.sub(ops.sub(m[1], m[2]), m[3])]
    }
}

/// Rows and columns exchanged.
#[inline(always)]
fn transposed<V: Copy, const SIDE: usize>(rows: [[V; SIDE]; SIDE]) -> [[V; SIDE]; SIDE] {
    let mut columns = rows;
    for y in 0..SIDE {
        for x in 0..SIDE {
            columns[x][y] = rows[y][x];
        }
    }
    columns
}

/// Bᵀ·d·B of vectors of tiles: `points` are the offsets of a tile's points in `source`; the transformed points go to `out`, `pitch` apart.
#[inline(always)]
pub(super) fn transform_source<I: Isa, const SIDE: usize>(
    isa: I,
    source: &[f32],
    points: &[usize],
    out: &mut [f32],
    pitch: usize,
) {
    let mut values: [[I::F32; SIDE]; SIDE] = gather(isa, source, points);
    for _axis in 0..2 {
        for line in 0..SIDE {
            values[line] = source_line(isa, values[line]);
        }
        values = transposed(values);
    }
    scatter(isa, values, out, pitch);
}

/// A·y·Aᵀ, the transpose of what makes outputs: the gradients of a tile's outputs at its points.
#[inline(always)]
pub(super) fn transform_gradient<I: Isa, const SIDE: usize>(
    isa: I,
    gradient: &[f32],
    outputs: &[usize],
    out: &mut [f32],
    pitch: usize,
) {
    let tile: [[I::F32; OUTPUTS]; OUTPUTS] = gather(isa, gradient, outputs);
    let mut columns = [[isa.f32().zero(); SIDE]; OUTPUTS];
    for row in 0..OUTPUTS {
        columns[row] = gradient_line(isa, tile[row]);
    }
    let mut points = [[isa.f32().zero(); SIDE]; SIDE];
    for x in 0..SIDE {
        points[x] = gradient_line(isa, [columns[0][x], columns[1][x]]);
    }
    scatter(isa, transposed(points), out, pitch);
}

/// A·y along one axis.
#[inline(always)]
fn gradient_line<I: Isa, const SIDE: usize>(isa: I, y: [I::F32; OUTPUTS]) -> [I::F32; SIDE] {
    let ops = isa.f32();
    let minus = ops.sub(ops.zero(), y[1]);
    let mut points = [y[0]; SIDE];
    points[1] = ops.add(y[0], y[1]);
    if SIDE == 4 {
        points[2] = ops.sub(y[0], y[1]);
    }
    points[SIDE - 1] = minus;
    points
}

/// Gᵀ·u·G: the gradient of a kernel from that of its transform, both row by row.
pub(super) fn transform_back(side: usize, transformed: &[f32; 16]) -> [f32; 9] {
    let kernel = side - 1;
    let mut rows = [[0.0; 3]; 4];
    for y in 0..side {
        rows[y] = weight_gradient_line(side, &transformed[y * side..][..side]);
    }
    let mut taps = [0.0; 9];
    for x in 0..kernel {
        let column = rows.map(|row| row[x]);
        for (y, value) in weight_gradient_line(side, &column[..side]).into_iter().enumerate().take(kernel) {
            taps[y * kernel + x] = value;
        }
    }
    taps
}

/// Gᵀ·u along one axis.
fn weight_gradient_line(side: usize, u: &[f32]) -> [f32; 3] {
    if side == 3 {
        [u[0] + u[1], u[1] + u[2], 0.0]
    } else {
        [u[0] + 0.5 * (u[1] + u[2]), 0.5 * (u[1] - u[2]), 0.5 * (u[1] + u[2]) + u[3]]
    }
}
