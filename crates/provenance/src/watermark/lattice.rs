//! Finding the size and the angle of tiles from the power of their waves alone.
//!
//! The tile repeats, so all its waves lie on a square lattice of frequencies, whose spacing tells the tile's size and
//! whose direction its angle. Their phases depend on where the tile lies and on what it says; their powers do not. The
//! picture is transformed once, its power divided by that of the neighbourhood, and for each size and angle what is
//! found at the places of the waves is added up: no more than some hundred look-ups for each. Mirrored, or turned by a
//! quarter, the lattice is the same.

use num_complex::Complex32;

use super::parallel::in_parallel;
use super::residual::{Plane, box_mean};
use super::spectrum::Transform;
use super::view::Sums;
use super::wave::Wave;

/// Sides of transforms. Larger pictures are wrapped around, which loses nothing at the frequencies that are kept.
const SMALLEST_SIDE: usize = 256;
const LARGEST_SIDE: usize = 1024;
/// No wave counts for more than this many times the power around it: what stands out more is no mark.
const MOST_POWER: f32 = 5.0;
/// Between two sizes, and two angles in radians: at the far edge, half of it turns the finest wave by half a radian.
pub(crate) const STEP: f32 = 0.004;

/// A size and an angle, and how far the power of the waves there is above chance, in deviations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) score: f32,
    /// Pixels.
    pub(crate) tile: f32,
    /// Radians, clockwise.
    pub(crate) angle: f32,
}

/// The power of a picture in each frequency, relative to those around it: about 1. The frequency 0 is in the middle.
pub(crate) struct Powers {
    side: usize,
    values: Vec<f32>,
}

impl Powers {
    pub(crate) fn of(sums: &Sums) -> Self {
        let longest = sums.width.max(sums.height);
        let side = (3 * longest / 2).next_power_of_two().clamp(SMALLEST_SIDE, LARGEST_SIDE);
        let mut spectrum = vec![Complex32::default(); side * side];
        for (y, row) in sums.values.chunks_exact(sums.width.max(1)).enumerate() {
            for (x, value) in row.iter().enumerate() {
                spectrum[y % side * side + x % side] += value;
            }
        }
        Transform::forward(side).run(&mut spectrum);
        let (mut first, mut all) = (Vec::with_capacity(side * side), Vec::with_capacity(side * side));
        let wrap = |position: usize| position % side;
        for y in 0..side {
            for x in 0..side {
                let value = spectrum[wrap(y + side / 2) * side + wrap(x + side / 2)];
                // At the opposite frequency: `side / 2 - x` from the middle on the other side.
                let opposite = spectrum[wrap(3 * side / 2 - y) * side + wrap(3 * side / 2 - x)].conj();
                first.push((value + opposite).norm_sqr());
                all.push((value - opposite).norm_sqr());
            }
        }
        let [mut first, all] = [first, all].map(|powers| relative(powers, side));
        first.iter_mut().zip(all).for_each(|(first, all)| *first = 0.5 * (*first + all));
        Self { side, values: first }
    }

    /// The power of `waves` in tiles of `tile` pixels turned by `angle`, in deviations above chance.
    fn score(&self, turned: &[[f32; 2]], tile: f32) -> f32 {
        let scale = self.side as f32 / tile;
        let middle = (self.side / 2) as f32 + 0.5;
        let mask = self.side - 1;
        let sum: f32 = turned
            .iter()
            .map(|[across, down]| {
                // Beyond the last frequency the spectrum repeats.
                let x = (middle + scale * across) as usize & mask;
                let y = (middle + scale * down) as usize & mask;
                self.values[y * self.side + x]
            })
            .sum();
        let count = turned.len() as f32;
        (sum - count) / count.sqrt()
    }

    /// The best size among `tiles` at each of `angles`, and its neighbours, best first.
    pub(crate) fn search(&self, waves: &[Wave], tiles: &[f32], angles: &[f32]) -> Vec<Candidate> {
        let at_angle = |&angle: &f32| {
            let (sin, cos) = angle.sin_cos();
            let turned: Vec<[f32; 2]> = waves
                .iter()
                .map(|wave| {
                    let (x, y) = (wave.across as f32, wave.down as f32);
                    [cos * x - sin * y, sin * x + cos * y]
                })
                .collect();
            let mut found: Vec<Candidate> = tiles
                .iter()
                .map(|&tile| Candidate { score: self.score(&turned, tile), tile, angle })
                .collect();
            found.sort_by(|a, b| b.score.total_cmp(&a.score));
            found.truncate(12);
            found
        };
        let mut found = in_parallel(angles, at_angle);
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found
    }
}

/// The first `count` candidates that are not neighbours of better ones.
pub(crate) fn peaks(candidates: &[Candidate], count: usize) -> Vec<Candidate> {
    let mut peaks: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if peaks.len() == count {
            break;
        }
        let apart = |peak: &Candidate| {
            (candidate.tile / peak.tile).ln().abs() > 2.5 * STEP
                || (candidate.angle - peak.angle).abs() > 2.5 * STEP
        };
        if peaks.iter().all(apart) {
            peaks.push(*candidate);
        }
    }
    peaks
}

/// Each power over the mean of those around it.
fn relative(powers: Vec<f32>, side: usize) -> Vec<f32> {
    let powers = Plane { width: side, height: side, values: powers };
    let mut mean = Plane::default();
    box_mean(&powers, side / 40, &mut mean, &mut Vec::new());
    let bounded = |(power, mean): (f32, f32)| (power / mean.max(f32::MIN_POSITIVE)).min(MOST_POWER);
    powers.values.into_iter().zip(mean.values).map(bounded).collect()
}
