//! The photo's grain: film grain, brush strokes, cracked varnish, noise. What is painted where the photo shows nothing gets
//! as much of it as the skin has, or it looks like a sticker.

use gioconda_face::Landmarks;
use gioconda_face::topology::{CHEEKS, point};
use gioconda_kernels::luma::{REC_709, luma};
use image::RgbImage;
use nalgebra::Vector2;

use crate::colour::patch;

/// Side of the square that grain is taken from, in distances of the eyes' outer corners, and its limits in pixels.
const SIDE: f32 = 0.2;
const SIDE_PIXELS: (f32, f32) = (4.0, 96.0);
/// More than this share of the brightness is no grain but an edge, a mole, a hair.
const MOST: f32 = 0.15;
/// Below this brightness, 0..255, shares of it say nothing.
const DARK: f32 = 16.0;

/// A square of a photo's grain, in shares of the brightness: what it is laid over keeps its hue, and dark stays dark.
pub struct Grain {
    side: usize,
    /// `[side * side]`, rows from top to bottom.
    shares: Vec<f32>,
}

impl Grain {
    /// The grain of the face at `landmarks`, photo pixels.
    pub fn of_face(photo: &RgbImage, landmarks: &Landmarks) -> Self {
        let eyes = (landmarks.xy(point::RIGHT_EYE_OUTER) - landmarks.xy(point::LEFT_EYE_OUTER)).norm();
        let side = (SIDE * eyes).clamp(SIDE_PIXELS.0, SIDE_PIXELS.1) as usize;
        Self::new(photo, CHEEKS.map(|i| landmarks.xy(i)), side)
    }

    /// Of the squares of `side` pixels around `places`, photo pixels, the one whose grain is the median: no mole, no hair,
    /// no blurred corner.
    fn new<const N: usize>(photo: &RgbImage, places: [Vector2<f32>; N], side: usize) -> Self {
        let mut squares = places.map(|place| Self::around(photo, place, side));
        squares.sort_by(|a, b| a.strength().total_cmp(&b.strength()));
        squares.into_iter().nth(N / 2).expect("grain is looked for somewhere")
    }

    fn around(photo: &RgbImage, place: Vector2<f32>, side: usize) -> Self {
        let side = side.max(1);
        let corner = place - Vector2::repeat(side as f32 / 2.0);
        let share = |i: usize| {
            let position = corner + Vector2::new((i % side) as f32, (i / side) as f32);
            let (x, y) = (position.x.max(0.0) as u32, position.y.max(0.0) as u32);
            let pixel = photo.get_pixel(x.min(photo.width() - 1), y.min(photo.height() - 1));
            let mean = luma(REC_709, patch(photo, position));
            ((luma(REC_709, pixel.0.map(f32::from)) - mean) / mean.max(DARK)).clamp(-MOST, MOST)
        };
        Self { side, shares: (0..side * side).map(share).collect() }
    }

    /// Root mean square of the shares.
    fn strength(&self) -> f32 {
        (self.shares.iter().map(|share| share * share).sum::<f32>() / self.shares.len() as f32).sqrt()
    }

    /// By which share of its brightness a pixel at `position`, photo pixels (centres at .5), is lighter; bilinear. The square
    /// is repeated, mirrored.
    pub fn at(&self, position: Vector2<f32>) -> f32 {
        let position = position - Vector2::repeat(0.5);
        let first = position.map(f32::floor);
        let part = position - first;
        let mirrored = |at: f32| {
            let at = (at as i32).rem_euclid(2 * self.side as i32) as usize;
            at.min(2 * self.side - 1 - at)
        };
        let columns = [first.x, first.x + 1.0].map(mirrored);
        let rows = [first.y, first.y + 1.0].map(mirrored);
        let share = |x: usize, y: usize| self.shares[rows[y] * self.side + columns[x]];
        let upper = share(0, 0) + (share(1, 0) - share(0, 0)) * part.x;
        let lower = share(0, 1) + (share(1, 1) - share(0, 1)) * part.x;
        upper + (lower - upper) * part.y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// Skin of one colour with noise of this standard deviation, shares of the brightness.
    fn skin(noise: f32) -> RgbImage {
        let mut rng = fastrand::Rng::with_seed(1);
        RgbImage::from_fn(64, 64, |_, _| {
            // Uniform: its deviation is the half range over the root of 3.
            let light = 1.0 + (2.0 * rng.f32() - 1.0) * noise * 3.0_f32.sqrt();
            Rgb([180.0, 140.0, 110.0].map(|v| (v * light + 0.5) as u8))
        })
    }

    fn grain(photo: &RgbImage) -> Grain {
        let places = [(20.0, 20.0), (40.0, 30.0), (30.0, 40.0)];
        Grain::new(photo, places.map(|(x, y)| Vector2::new(x, y)), 24)
    }

    #[test]
    fn it_is_as_strong_as_the_skins() {
        for noise in [0.0, 0.02, 0.05] {
            let found = grain(&skin(noise)).strength();
            assert!((found - noise).abs() < 0.15 * noise + 0.002, "{found} for {noise}");
        }
    }

    #[test]
    fn pixels_keep_theirs_and_the_square_is_mirrored_at_its_edges() {
        let grain = grain(&skin(0.05));
        let at = |x: f32, y: f32| grain.at(Vector2::new(x + 0.5, y + 0.5));
        let same = |a: f32, b: f32| assert!((a - b).abs() < 1e-6, "{a} {b}");
        same(at(7.0, 5.0), grain.shares[5 * 24 + 7]);
        same(at(23.0, 5.0), at(24.0, 5.0));
        same(at(-1.0, 5.0), at(0.0, 5.0));
        same(at(4.0, -1000.0 * 48.0), at(4.0, 0.0));
        same(at(7.5, 5.0), f32::midpoint(at(7.0, 5.0), at(8.0, 5.0)));
    }

    #[test]
    fn moles_and_hairs_do_not_count() {
        let mut photo = skin(0.02);
        for (x, y) in (30..50).flat_map(|x| (20..40).map(move |y| (x, y))).filter(|(x, y)| (x + y) % 5 == 0) {
            photo.put_pixel(x, y, Rgb([10; 3]));
        }
        let places = [(12.0, 50.0), (40.0, 30.0), (12.0, 12.0)].map(|(x, y)| Vector2::new(x, y));
        let found = Grain::new(&photo, places, 16).strength();
        assert!(found < 0.03, "{found}");
    }
}
