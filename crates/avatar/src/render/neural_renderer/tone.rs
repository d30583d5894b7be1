//! What keeps black-and-white and sepia photos what they are: a network that has learned from colour clips paints skin and
//! lips in colour.

use gioconda_kernels::luma::{REC_601, luma};
use image::RgbImage;

/// A photo is of one tone when its pixels lie this near to the colour of their lightness, levels of 255 on average.
/// JPEG's own noise in a grey photo stays below one.
const NEARNESS: f32 = 2.0;

/// Lightnesses that are told apart.
const LEVELS: usize = 64;

/// The one tone of a monochrome photo: the colour that belongs to each lightness.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tone {
    /// R, G and B less the lightness, 0..255, at [`LEVELS`] lightnesses from black to white.
    tints: Vec<[f32; 3]>,
}

impl Tone {
    /// The tone of `photo`; `None` for a photo in colour.
    pub(super) fn of(photo: &RgbImage) -> Option<Self> {
        let pixels = || photo.pixels().map(|pixel| pixel.0.map(f32::from));
        let mut sums = vec![([0.0_f32; 3], 0.0_f32); LEVELS];
        for colour in pixels() {
            let (sum, count) = &mut sums[level(lightness(colour)).round() as usize];
            for (sum, value) in sum.iter_mut().zip(tint(colour)) {
                *sum += value;
            }
            *count += 1.0;
        }
        let tone = Self { tints: without_gaps(&sums)? };
        let off = |colour: [f32; 3]| {
            let expected = tone.tint(lightness(colour));
            (0..3).map(|i| (tint(colour)[i] - expected[i]).abs()).fold(0.0, f32::max)
        };
        let count = f64::from(photo.width()) * f64::from(photo.height());
        let mean = pixels().map(|colour| f64::from(off(colour))).sum::<f64>() / count;
        (mean <= f64::from(NEARNESS)).then_some(tone)
    }

    /// The colour of this tone that is as light as `colour`; levels, 0..255.
    pub(super) fn colour(&self, colour: [f32; 3]) -> [f32; 3] {
        let lightness = lightness(colour);
        self.tint(lightness).map(|tint| lightness + tint)
    }

    fn tint(&self, lightness: f32) -> [f32; 3] {
        let at = level(lightness);
        let below = (at as usize).min(LEVELS - 1);
        let [a, b] = [self.tints[below], self.tints[(below + 1).min(LEVELS - 1)]];
        std::array::from_fn(|i| a[i] + (b[i] - a[i]) * (at - below as f32))
    }
}

fn lightness(colour: [f32; 3]) -> f32 {
    luma(REC_601, colour)
}

fn tint(colour: [f32; 3]) -> [f32; 3] {
    colour.map(|channel| channel - lightness(colour))
}

/// Where a lightness lies among the levels, 0..[`LEVELS`] - 1.
fn level(lightness: f32) -> f32 {
    lightness.clamp(0.0, 255.0) * (LEVELS - 1) as f32 / 255.0
}

/// The mean tint of each level; where the photo has no pixel, that of the nearest level that has.
fn without_gaps(sums: &[([f32; 3], f32)]) -> Option<Vec<[f32; 3]>> {
    let known: Vec<(usize, [f32; 3])> = sums
        .iter()
        .enumerate()
        .filter(|(_, (_, count))| *count > 0.0)
        .map(|(index, (sum, count))| (index, sum.map(|sum| sum / count)))
        .collect();
    let nearest = |index: usize| known.iter().min_by_key(|(other, _)| other.abs_diff(index));
    (0..sums.len()).map(|index| nearest(index).map(|(_, tint)| *tint)).collect()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// A picture of many lightnesses, `paint`ed.
    fn picture(paint: impl Fn(u8) -> [u8; 3]) -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| Rgb(paint((x * 3 + y) as u8)))
    }

    #[test]
    fn grey_stays_grey_and_sepia_sepia() {
        let grey = Tone::of(&picture(|value| [value; 3])).expect("it is grey");
        for [r, g, b] in [[200.0, 120.0, 90.0], [20.0, 200.0, 10.0]].map(|colour| grey.colour(colour)) {
            assert!((r - g).abs() < 1e-3 && (g - b).abs() < 1e-3, "{r} {g} {b}");
        }
        let brown = |value: u8| [value.saturating_add(20), value, value.saturating_sub(25)];
        let sepia = Tone::of(&picture(brown)).expect("it is of one tone");
        let [r, g, b] = sepia.colour([100.0, 120.0, 160.0]);
        assert!((r - g - 20.0).abs() < 2.0 && (g - b - 25.0).abs() < 2.0, "{r} {g} {b}");
        // As light as what was painted.
        assert!((lightness([r, g, b]) - lightness([100.0, 120.0, 160.0])).abs() < 1.0);
    }

    #[test]
    fn noise_is_no_colour_but_colours_are() {
        let noisy = picture(|value| [value, value ^ 1, value ^ 2]);
        assert!(Tone::of(&noisy).is_some());
        let colours = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 4) as u8, (y * 4) as u8, 90]));
        assert_eq!(Tone::of(&colours), None);
        assert_eq!(Tone::of(&RgbImage::new(0, 0)), None);
    }
}
