//! Pixel by pixel: mean absolute difference and peak signal-to-noise ratio.

use crate::planes::{Planes, Weights};

/// Given to pictures that agree to the last bit, decibels: two clips' mean must stay a number.
pub const LARGEST_PSNR: f64 = 60.0;

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
    fn only_weighted_pixels_count() {
        let half = RgbImage::from_fn(16, 16, |x, _| Rgb([if x < 8 { 10 } else { 200 }; 3]));
        let mask: Vec<u8> = (0..256).map(|i| if i % 16 < 8 { 255 } else { 0 }).collect();
        let left = Weights::of(&mask, 16);
        assert!(l1(&Planes::of(&half), &flat(10), &left).unwrap() < 1e-12);
        assert_eq!(l1(&Planes::of(&half), &flat(10), &Weights::of(&[0; 256], 16)), None);
    }
}
