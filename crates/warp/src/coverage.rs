//! Exact area coverage of polygons: the soft edges of the masks.
//!
//! The signed-area accumulation of font rasterisers (Levien, `font-rs`): each edge leaves its contribution in the
//! pixels it crosses, and a running sum along the row turns them into coverage.

use std::ops::Range;

use nalgebra::Vector2;

use crate::raster::Clip;
use crate::share::to_byte;

/// The accumulator of one band of rows.
pub(crate) struct Coverage<'a> {
    /// The first row.
    pub(crate) top: usize,
    pub(crate) width: usize,
    /// `[rows * stride]`, zero between uses.
    pub(crate) sums: &'a mut [f32],
}

impl Coverage<'_> {
    /// Accumulators per row: an edge at the right border also touches the two cells beyond it.
    pub(crate) fn stride(width: usize) -> usize {
        width + 2
    }

    /// Writes the coverage of the area that the `edges` enclose clockwise (y down) into a mask, 0..=255.
    pub(crate) fn fill(&mut self, edges: impl Iterator<Item = [Vector2<f32>; 2]>, mask: &mut [u8]) {
        mask.fill(0);
        let Some(Extent { rows, columns }) = self.accumulate(edges) else { return };
        let stride = Self::stride(self.width);
        for line in rows {
            let sums = &mut self.sums[line * stride..(line + 1) * stride];
            let mask = &mut mask[line * self.width..(line + 1) * self.width];
            let mut sum = 0.0;
            for (mask, cell) in mask[columns.clone()].iter_mut().zip(&sums[columns.clone()]) {
                sum += cell;
                *mask = to_byte(sum);
            }
            sums.fill(0.0);
        }
    }

    /// Calls `put(index in the band, x, y of the pixel's centre, coverage)` for each covered pixel within `clip`.
    pub(crate) fn for_each(
        &mut self,
        edges: impl Iterator<Item = [Vector2<f32>; 2]>,
        clip: Clip,
        mut put: impl FnMut(usize, f32, f32, f32),
    ) {
        let Some(Extent { rows, columns }) = self.accumulate(edges) else { return };
        let stride = Self::stride(self.width);
        for line in rows {
            let row = self.top + line;
            let sums = &mut self.sums[line * stride..(line + 1) * stride];
            let mut sum = 0.0;
            for column in columns.clone() {
                sum += sums[column];
                let share = sum.clamp(0.0, 1.0);
                let inside =
                    (clip.left..clip.right).contains(&column) && (clip.top..clip.bottom).contains(&row);
                if inside && share > 1.0 / 512.0 {
                    put(line * self.width + column, column as f32 + 0.5, row as f32 + 0.5, share);
                }
            }
            sums.fill(0.0);
        }
    }

    /// Accumulates all edges and says which part of the band they can cover; `None` for nothing.
    fn accumulate(&mut self, edges: impl Iterator<Item = [Vector2<f32>; 2]>) -> Option<Extent> {
        let (mut low, mut high) = (Vector2::repeat(f32::MAX), Vector2::repeat(f32::MIN));
        for [from, to] in edges {
            self.edge(from, to);
            low = low.inf(&from);
            high = high.sup(&from);
        }
        let rows = self.sums.len() / Self::stride(self.width);
        let line = |y: f32| (y - self.top as f32).clamp(0.0, rows as f32) as usize;
        let column = |x: f32| x.clamp(0.0, self.width as f32) as usize;
        let extent = Extent {
            rows: line(low.y.floor())..line(high.y.ceil()),
            columns: column(low.x.floor())..column(high.x.ceil()),
        };
        (!extent.rows.is_empty()).then_some(extent)
    }

    /// Accumulates one edge; what lies left of the picture counts in full, what lies right of it not at all.
    fn edge(&mut self, from: Vector2<f32>, to: Vector2<f32>) {
        let stride = Self::stride(self.width);
        let rows = self.sums.len() / stride;
        // Clockwise with y down: the left side of an area runs up.
        let (sign, upper, lower) = if from.y > to.y { (1.0, to, from) } else { (-1.0, from, to) };
        let start = (upper.y - self.top as f32).max(0.0);
        let end = (lower.y - self.top as f32).min(rows as f32);
        let crossed = start < end;
        if !crossed {
            return;
        }
        let slope = (lower.x - upper.x) / (lower.y - upper.y);
        let x_at = |y: f32| (upper.x + (y + self.top as f32 - upper.y) * slope).clamp(0.0, self.width as f32);
        for row in start as usize..end.ceil() as usize {
            let (y0, y1) = (start.max(row as f32), end.min(row as f32 + 1.0));
            let (x0, x1) = (x_at(y0), x_at(y1));
            let area = sign * (y1 - y0);
            spread_along_row(&mut self.sums[row * stride..(row + 1) * stride], x0.min(x1), x0.max(x1), area);
        }
    }
}

/// Lines of the band and columns.
struct Extent {
    rows: Range<usize>,
    columns: Range<usize>,
}

/// Shares `area` out over the cells between `x0` and `x1` so that the running sum is the exact coverage.
fn spread_along_row(sums: &mut [f32], x0: f32, x1: f32, area: f32) {
    let first = x0 as usize;
    let last = x1.ceil() as usize;
    if last <= first + 1 {
        let right_share = 0.5 * (x0 + x1) - first as f32;
        sums[first] += area * (1.0 - right_share);
        sums[first + 1] += area * right_share;
        return;
    }
    let per_pixel = 1.0 / (x1 - x0);
    // Area to the right of the edge within each cell, as a share; differences go into the sums.
    let mut before = 0.0;
    for (cell, sum) in sums.iter_mut().enumerate().take(last + 1).skip(first) {
        let (a, b) = ((cell as f32).max(x0), ((cell + 1) as f32).min(x1).max(x0));
        let crossed = if b > a {
            let (at_a, at_b) = ((a - x0) * per_pixel, (b - x0) * per_pixel);
            0.5 * (at_a + at_b) * (b - a) + at_b * ((cell + 1) as f32 - b)
        } else {
            1.0
        };
        *sum += area * (crossed - before);
        before = crossed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage_of(polygon: &[[f32; 2]], width: usize, height: usize) -> Vec<u8> {
        let mut sums = vec![0.0; Coverage::stride(width) * height];
        let mut mask = vec![0; width * height];
        let corner = |i: usize| Vector2::from(polygon[i % polygon.len()]);
        Coverage { top: 0, width, sums: &mut sums }
            .fill((0..polygon.len()).map(|i| [corner(i), corner(i + 1)]), &mut mask);
        assert!(sums.iter().all(|&sum| sum == 0.0));
        mask
    }

    #[test]
    fn coverage_is_the_covered_area() {
        let half = 128;
        let cases: [(&[[f32; 2]], [u8; 9]); 5] = [
            (&[[1.0, 1.0], [2.0, 1.0], [2.0, 2.0], [1.0, 2.0]], [0, 0, 0, 0, 255, 0, 0, 0, 0]),
            (&[[0.5, 0.0], [3.0, 0.0], [3.0, 1.0], [0.5, 1.0]], [half, 255, 255, 0, 0, 0, 0, 0, 0]),
            (&[[-9.0, 1.5], [9.0, 1.5], [9.0, 9.0], [-9.0, 9.0]], [0, 0, 0, half, half, half, 255, 255, 255]),
            (&[[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]], [255, 255, half, 255, half, 0, half, 0, 0]),
            // Counter-clockwise: lips that cross enclose nothing.
            (&[[0.0, 0.0], [0.0, 3.0], [3.0, 3.0], [3.0, 0.0]], [0; 9]),
        ];
        for (polygon, expected) in cases {
            assert_eq!(coverage_of(polygon, 3, 3), expected, "{polygon:?}");
        }
    }

    #[test]
    fn a_shallow_triangle_keeps_its_area() {
        let mask = coverage_of(&[[0.3, 0.2], [9.7, 1.1], [2.2, 2.9]], 10, 3);
        let area: f32 = mask.iter().map(|&m| f32::from(m) / 255.0).sum();
        let exact = 0.5 * (9.4 * 2.7 - 1.9 * 0.9);
        assert!((area - exact).abs() < 0.06, "{area} {exact}");
    }
}
