//! Pixel by pixel: mean absolute difference, peak signal-to-noise ratio, and what changed.

use image::RgbImage;

use crate::planes::{Planes, Weights};

/// Given to pictures that agree to the last bit, decibels: two clips' mean must stay a number.
pub const LARGEST_PSNR: f64 = 60.0;

/// Levels of 255 by which a channel may differ and its pixel be the same: rounding and resampling do that.
const SAME: u8 = 2;

/// Weighted mean absolute difference, 0..1; `None` where nothing counts.
pub fn l1(a: &Planes, b: &Planes, weights: &Weights) -> Option<f64> {
    mean(a, b, weights, f64::abs)
}

/// 10 log₁₀(1 / MSE) in decibels, at most [`LARGEST_PSNR`]; the mean squared error is over the weighted pixels and all
/// three channels. `None` where nothing counts.
pub fn psnr(a: &Planes, b: &Planes, weights: &Weights) -> Option<f64> {
    mean(a, b, weights, |difference| difference * difference)
        .map(|squared| (-10.0 * squared.max(f64::MIN_POSITIVE).log10()).min(LARGEST_PSNR))
}

/// Percent of the weighted pixels in which a channel differs by more than two levels of 255, as a sum over the pixels and
/// their number; `None` where too little counts.
pub(crate) fn changed(a: &RgbImage, b: &RgbImage, weights: &Weights) -> Option<[f64; 2]> {
    let differ = |(a, b): (&image::Rgb<u8>, &image::Rgb<u8>)| {
        let channels = a.0.iter().zip(&b.0);
        if channels.into_iter().any(|(a, b)| a.abs_diff(*b) > SAME) { 100.0 } else { 0.0 }
    };
    let share = weights.mean(a.pixels().zip(b.pixels()).map(differ))?;
    let size: f64 = weights.values.iter().sum();
    weights.is_measurable().then_some([share * size, size])
}

fn mean(a: &Planes, b: &Planes, weights: &Weights, of: impl Fn(f64) -> f64 + Copy) -> Option<f64> {
    let channels = a.channels.iter().zip(&b.channels);
    let means: Option<Vec<f64>> =
        channels.map(|(a, b)| weights.mean(a.iter().zip(b).map(|(a, b)| of(a - b)))).collect();
    means.map(|means| means.iter().sum::<f64>() / means.len() as f64)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    fn flat(value: u8) -> Planes {
        Planes::of(&RgbImage::from_pixel(16, 16, Rgb([value; 3])))
    }

    #[test]
    fn flat_pictures_differ_by_what_they_differ() {
        let all = Weights::whole(16, 16);
        assert!((l1(&flat(10), &flat(61), &all).unwrap() - 0.2).abs() < 1e-12);
        assert!((psnr(&flat(10), &flat(61), &all).unwrap() - 13.979_400_086_720_375).abs() < 1e-9);
        assert!(
            (psnr(&flat(10), &flat(61), &all).unwrap() - psnr(&flat(61), &flat(10), &all).unwrap()).abs()
                < 1e-12
        );
        assert!((psnr(&flat(10), &flat(10), &all).unwrap() - LARGEST_PSNR).abs() < 1e-12);
    }

    #[test]
    fn a_background_that_moves_has_changed_and_one_that_wobbles_has_not() {
        let grid = |shift: u32| {
            RgbImage::from_fn(16, 16, |x, _| if (x + shift) % 8 < 4 { Rgb([200; 3]) } else { Rgb([40; 3]) })
        };
        let share = |a: &RgbImage, b: &RgbImage, weights: &Weights| {
            changed(a, b, weights).map(|[sum, count]| sum / count)
        };
        let all = Weights::whole(16, 16);
        assert_eq!(share(&grid(0), &grid(0), &all), Some(0.0));
        assert_eq!(share(&grid(0), &grid(1), &all), Some(25.0));
        let mut wobbling = grid(0);
        wobbling.pixels_mut().for_each(|pixel| pixel.0[1] += 1);
        assert_eq!(share(&grid(0), &wobbling, &all), Some(0.0));
        wobbling.pixels_mut().for_each(|pixel| pixel.0[1] += 2);
        assert_eq!(share(&grid(0), &wobbling, &all), Some(100.0));
        assert_eq!(share(&grid(0), &wobbling, &Weights::of(&[0; 256], 16)), None);
    }

    #[test]
    fn only_weighted_pixels_count() {
        let half = RgbImage::from_fn(16, 16, |x, _| Rgb([if x < 8 { 10 } else { 200 }; 3]));
        let mask: Vec<u8> = (0..256).map(|i| if i % 16 < 8 { 255 } else { 0 }).collect();
        let left = Weights::of(&mask, 16);
        assert!(l1(&Planes::of(&half), &flat(10), &left).unwrap() < 1e-12);
        assert_eq!(l1(&Planes::of(&half), &flat(10), &Weights::of(&[0; 256], 16)), None);
    }
}
