//! The transforms of minimal filtering. Each acts on one axis and is applied to both.

use super::tiling::{OUTPUTS, kernel_of};
use crate::microkernel::{CHANNELS, gather, scatter};
use crate::simd::{BitOps, Isa, NumOps};

/// The transformed weights of a block of outputs at the points of a tile, row by row; `tap(lane, number)` is a weight.
pub(super) fn transform_weight(side: usize, tap: impl Fn(usize, usize) -> f32) -> [[[f32; CHANNELS]; 6]; 6] {
    let kernel = kernel_of(side);
    let mut rows = [[[0.0; CHANNELS]; 3]; 6];
    for x in 0..kernel {
        let column = std::array::from_fn(|y| {
            std::array::from_fn(|lane| if y < kernel { tap(lane, y * kernel + x) } else { 0.0 })
        });
        weight_line(side, column).into_iter().zip(&mut rows).for_each(|(value, row)| row[x] = value);
    }
    rows.map(|row| weight_line(side, row))
}

/// G·g along one axis: three taps become four or six points, or two taps three.
fn weight_line(side: usize, g: [[f32; CHANNELS]; 3]) -> [[f32; CHANNELS]; 6] {
    let none = [0.0; CHANNELS];
    let sum = |a: f32, b: f32, c: f32| -> [f32; CHANNELS] {
        std::array::from_fn(|lane| a * g[0][lane] + b * g[1][lane] + c * g[2][lane])
    };
    match side {
        3 => [g[0], sum(1.0, 1.0, 0.0), g[1], none, none, none],
        4 => [g[0], sum(0.5, 0.5, 0.5), sum(0.5, -0.5, 0.5), g[2], none, none],
        _ => [
            sum(1.0 / 4.0, 0.0, 0.0),
            sum(-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0),
            sum(-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0),
            sum(1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0),
            sum(1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0),
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
    } else if SIDE == 6 {
        let (two, four, five) = (ops.splat(2.0), ops.splat(4.0), ops.splat(5.0));
        let less = |a, factor, b| ops.sub(a, ops.mul(factor, b));
        points[0] = less(ops.mul_add(four, d[0], d[4]), five, d[2]);
        let (even, odd) = (less(d[4], four, d[2]), less(d[3], four, d[1]));
        points[1] = ops.add(even, odd);
        points[2] = ops.sub(even, odd);
        let (even, odd) = (ops.sub(d[4], d[2]), ops.sub(d[3], d[1]));
        points[3] = ops.mul_add(two, odd, even);
        points[4] = less(even, two, odd);
        points[5] = less(ops.mul_add(four, d[1], d[5]), five, d[3]);
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
pub(super) fn output_line<I: Isa, const SIDE: usize, const OUT: usize>(
    isa: I,
    m: [I::F32; SIDE],
) -> [I::F32; OUT] {
    let ops = isa.f32();
    let mut line = [ops.zero(); OUT];
    if SIDE == 3 {
        line[0] = ops.add(m[0], m[1]);
        line[1] = ops.sub(m[1], m[2]);
    } else if SIDE == 4 {
        line[0] = ops.add(ops.add(m[0], m[1]), m[2]);
        line[1] = ops.sub(ops.sub(m[1], m[2]), m[3]);
    } else {
        let (near, far) = (ops.add(m[1], m[2]), ops.add(m[3], m[4]));
        let (across, beyond) = (ops.sub(m[1], m[2]), ops.sub(m[3], m[4]));
        line[0] = ops.add(ops.add(m[0], near), far);
        line[1] = ops.mul_add(ops.splat(2.0), beyond, across);
        line[2] = ops.mul_add(ops.splat(4.0), far, near);
        line[3] = ops.add(ops.mul_add(ops.splat(8.0), beyond, across), m[5]);
    }
    line
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
