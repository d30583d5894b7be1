//! How much fine detail a picture holds, to be compared with another's: a blur has less, noise has more.
//!
//! A high pass takes from the luma (ITU-R BT.601) its Gaussian mean. The Gaussian's response is one half at a quarter of
//! the sampling rate, 0.25 cycles a pixel along an axis, so what remains are patterns finer than about four pixels. Its
//! squares, summed over a region, are the region's energy; of two pictures the ratio of energies is measured, not that of
//! amplitudes.

use crate::planes::{Planes, Weights};

/// Standard deviation of the Gaussian, pixels: exp(-2 π² σ² f²) = 1/2 at f = 1/4.
const SIGMA: f64 = 0.749_563;
/// Pixels from the Gaussian's middle to its end, where it has fallen to 1/3000.
const REACH: usize = 3;
/// Below this mean energy, of values in 0..1, a truth is flat: rounding to 8 bits alone gives it that much.
const LEAST_ENERGY: f64 = 1e-6;

/// The energy of each pixel's fine detail.
pub(crate) struct Detail {
    /// `[height * width]`
    energies: Vec<f64>,
}

impl Detail {
    /// Of a picture.
    pub(crate) fn of(picture: &Planes) -> Self {
        let [red, green, blue] = &picture.channels;
        let colours = red.iter().zip(green).zip(blue);
        let luma: Vec<f64> = colours.map(|((r, g), b)| 0.299 * r + 0.587 * g + 0.114 * b).collect();
        let (width, height) = (picture.width, picture.height);
        let across = low_pass(&luma, width, |x, y, offset| (shifted(x, offset, width), y));
        let smooth = low_pass(&across, width, |x, y, offset| (x, shifted(y, offset, height)));
        Self { energies: luma.iter().zip(&smooth).map(|(value, smooth)| (value - smooth).powi(2)).collect() }
    }

    /// Energies of `self` and of `truth` in a region, whose ratio is its detail ratio; `None` where the region is too small
    /// or the truth flat.
    pub(crate) fn against(&self, truth: &Self, region: &Weights) -> Option<[f64; 2]> {
        let energy = |detail: &Self| region.mean(detail.energies.iter().copied());
        let (own, of_truth) = (energy(self)?, energy(truth)?);
        let size: f64 = region.values.iter().sum();
        (region.is_measurable() && of_truth > LEAST_ENERGY).then_some([own * size, of_truth * size])
    }
}

/// The Gaussian mean along one axis; `at` says where the value lies that is so many steps along it.
fn low_pass(plane: &[f64], width: usize, at: impl Fn(usize, usize, usize) -> (usize, usize)) -> Vec<f64> {
    let bell: [f64; 2 * REACH + 1] =
        std::array::from_fn(|i| (-(i as f64 - REACH as f64).powi(2) / (2.0 * SIGMA * SIGMA)).exp());
    let total: f64 = bell.iter().sum();
    let mean = |index: usize| {
        let (x, y) = (index % width, index / width);
        let values = bell.iter().enumerate().map(|(offset, weight)| {
            let (x, y) = at(x, y, offset);
            weight * plane[y * width + x]
        });
        values.sum::<f64>() / total
    };
    (0..plane.len()).map(mean).collect()
}

/// The coordinate `offset - REACH` further, the picture's edge repeated.
fn shifted(coordinate: usize, offset: usize, length: usize) -> usize {
    (coordinate + offset).saturating_sub(REACH).min(length - 1)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    const SIDE: u32 = 64;

    /// Noise, somewhat smooth, as pictures of skin and teeth are.
    fn texture() -> RgbImage {
        let mut rng = fastrand::Rng::with_seed(3);
        let noise = RgbImage::from_fn(SIDE, SIDE, |_, _| Rgb([rng.u8(40..216); 3]));
        image::imageops::blur(&noise, 0.6)
    }

    /// The detail ratio of the middle of two pictures.
    fn ratio(output: &RgbImage, truth: &RgbImage) -> Option<f64> {
        let middle = |i: u32| (16..48).contains(&(i % SIDE)) && (16..48).contains(&(i / SIDE));
        let mask: Vec<u8> = (0..SIDE * SIDE).map(|i| if middle(i) { 255 } else { 0 }).collect();
        let [output, truth] = [output, truth].map(|picture| Detail::of(&Planes::of(picture)));
        output.against(&truth, &Weights::of(&mask, SIDE as usize)).map(|[own, truth]| own / truth)
    }

    #[test]
    fn blurs_have_less_and_noise_has_more_than_the_truth() {
        let truth = texture();
        assert!((ratio(&truth, &truth).unwrap() - 1.0).abs() < 1e-12);
        let mut last = 1.0;
        for sigma in [0.5, 0.7, 1.5, 3.0] {
            let blurred = ratio(&image::imageops::blur(&truth, sigma), &truth).unwrap();
            assert!(blurred < last, "{sigma}: {blurred} {last}");
            last = blurred;
        }
        assert!(ratio(&image::imageops::blur(&truth, 1.5), &truth).unwrap() < 0.2);
        let mut rng = fastrand::Rng::with_seed(4);
        let noisy = RgbImage::from_fn(SIDE, SIDE, |x, y| {
            truth.get_pixel(x, y).0.map(|value| value.saturating_add_signed(rng.i8(-30..30))).into()
        });
        assert!(ratio(&noisy, &truth).unwrap() > 1.2);
    }

    #[test]
    fn brightness_and_slopes_are_no_detail_and_flat_truths_are_not_measured() {
        let slope = |from: u8| RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb([from + x as u8 + y as u8; 3]));
        let flat = RgbImage::from_pixel(SIDE, SIDE, Rgb([90; 3]));
        assert!(ratio(&slope(9), &texture()).unwrap() < 1e-12);
        assert!(ratio(&flat, &texture()).unwrap() < 1e-12);
        assert_eq!(ratio(&texture(), &flat), None);
        assert_eq!(ratio(&texture(), &slope(0)), None);
    }

    #[test]
    fn half_the_amplitude_remains_at_a_quarter_of_the_sampling_rate() {
        // Four pixels a period, the phase such that none of them is at zero.
        let wave = [180, 180, 80, 80];
        let picture = RgbImage::from_fn(SIDE, SIDE, |x, _| Rgb([wave[x as usize % 4]; 3]));
        let detail = Detail::of(&Planes::of(&picture));
        let middle = detail.energies[(SIDE * SIDE / 2 + SIDE / 2) as usize];
        assert!((middle.sqrt() - 25.0 / 255.0).abs() < 1e-3, "{}", middle.sqrt());
    }
}
