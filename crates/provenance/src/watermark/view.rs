//! How a picture shows the tile: at which size, turned by which angle, mirrored or not; and the picture folded so.

use num_complex::Complex32;

/// Bins across a folded tile: the finest wave has 3.5 of them a cycle.
pub(crate) const BINS: usize = 64;

/// The linear map from a picture's pixels (x right, y down, from its corner) to bins of the folded tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    rows: [[f32; 2]; 2],
}

impl View {
    /// Tiles of `tile` pixels, upright.
    pub(crate) fn upright(tile: f32) -> Self {
        Self::turned(tile, 0.0)
    }

    /// Tiles of `tile` pixels in a picture that was turned clockwise by `angle` radians.
    pub(crate) fn turned(tile: f32, angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        let scale = BINS as f32 / tile;
        Self { rows: [[scale * cos, scale * sin], [-scale * sin, scale * cos]] }
    }

    /// The same picture after a further change: `change` is applied to its pixels first.
    pub(crate) fn after(self, change: [[f32; 2]; 2]) -> Self {
        let product =
            |row: [f32; 2]| [0, 1].map(|column| row[0] * change[0][column] + row[1] * change[1][column]);
        Self { rows: self.rows.map(product) }
    }

    /// The eight ways to see the same lattice of tiles: quarter turns, each of them mirrored too. The first is `self`,
    /// the second mirrored.
    pub(crate) fn orientations(self) -> [Self; 8] {
        let [across, down] = self.rows;
        let minus = |[a, b]: [f32; 2]| [-a, -b];
        [
            [across, down],
            [minus(across), down],
            [minus(across), minus(down)],
            [across, minus(down)],
            [down, minus(across)],
            [minus(down), across],
            [down, across],
            [minus(down), minus(across)],
        ]
        .map(|rows| Self { rows })
    }

    /// Whether the tile is seen from behind.
    pub(crate) fn mirrored(self) -> bool {
        let [[a, b], [c, d]] = self.rows;
        a * d - b * c < 0.0
    }
}

/// What was added up of frames, one complex value a pixel: the first frame as the real part, the sum of all as the
/// imaginary one, so that one transform serves both.
#[derive(Clone, Default)]
pub(crate) struct Sums {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<Complex32>,
    /// One frame was added: both parts are the same.
    pub(crate) single: bool,
}

impl Sums {
    /// Everything added up tile upon tile, `BINS` x `BINS`.
    pub(crate) fn fold(&self, view: View) -> Vec<Complex32> {
        // Positions as fractions of a tile in units of 2^-32, whose overflow is the repetition.
        let fraction = |bins: f32| (f64::from(bins) / BINS as f64 * 4_294_967_296.0) as i64 as u32;
        let [across, down] = view.rows.map(|row| row.map(fraction));
        let mut folded = vec![Complex32::default(); BINS * BINS];
        let shift = u32::BITS - BINS.trailing_zeros();
        // Pixels are taken at their centres.
        let mut start = [across, down].map(|[x, y]| (x as i32 / 2).wrapping_add(y as i32 / 2) as u32);
        for row in self.values.chunks_exact(self.width.max(1)) {
            let [mut u, mut v] = start;
            for value in row {
                folded[(v >> shift) as usize * BINS + (u >> shift) as usize] += value;
                u = u.wrapping_add(across[0]);
                v = v.wrapping_add(down[0]);
            }
            start = [start[0].wrapping_add(across[1]), start[1].wrapping_add(down[1])];
        }
        folded
    }

    /// The rectangle of these sides at (`x`, `y`), as far as the picture reaches.
    pub(crate) fn window(&self, x: usize, y: usize, width: usize, height: usize) -> Self {
        let (right, bottom) = ((x + width).min(self.width), (y + height).min(self.height));
        let rows = self.values.chunks_exact(self.width.max(1)).take(bottom).skip(y);
        Self {
            width: right - x,
            height: bottom - y,
            single: self.single,
            values: rows.flat_map(|row| row[x..right].iter().copied()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where `view` puts a pixel's centre, in bins.
    fn bin(view: View, x: usize, y: usize) -> [usize; 2] {
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        view.rows.map(|[a, b]| (a * x + b * y).floor().rem_euclid(BINS as f32) as usize)
    }

    #[test]
    fn every_pixel_is_added_where_the_view_puts_it() {
        let sums = Sums {
            width: 37,
            height: 23,
            single: true,
            values: (0..37 * 23).map(|i| Complex32::new(i as f32, 1.0)).collect(),
        };
        for view in View::turned(51.3, 0.4).orientations() {
            let mut expected = vec![Complex32::default(); BINS * BINS];
            for (at, value) in sums.values.iter().enumerate() {
                let [across, down] = bin(view, at % 37, at / 37);
                expected[down * BINS + across] += value;
            }
            assert_eq!(sums.fold(view), expected, "{view:?}");
        }
    }

    #[test]
    fn four_of_eight_orientations_are_mirrored() {
        let mirrored: Vec<bool> =
            View::turned(40.0, 0.1).orientations().iter().map(|v| v.mirrored()).collect();
        assert_eq!(mirrored.iter().filter(|&&mirrored| mirrored).count(), 4);
        assert_eq!(mirrored[..2], [false, true]);
    }
}
