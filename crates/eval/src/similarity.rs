//! Structural similarity (Wang et al. 2004) and its multi-scale form (Wang, Simoncelli, Bovik 2003).
//!
//! The reference definition: an 11 x 11 Gaussian window with σ = 1.5, K₁ = 0.01, K₂ = 0.03, values in 0..1, population
//! covariance, only windows that lie inside the picture; each colour channel by itself, then their mean. Agrees with
//! scikit-image and pytorch-msssim (`reference-tests/make_metric_fixtures.py`).

use crate::planes::{Planes, Weights};

/// Pixels from a window's middle to its edge.
const REACH: usize = 5;
const SIGMA: f64 = 1.5;
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// Exponents of the scales, the finest first (Wang et al. 2003, §3.2).
const SCALES: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// Least side of a picture for [`ms_ssim`]: the coarsest scale must hold a window.
const LEAST_SIDE: usize = (2 * REACH + 1) << (SCALES.len() - 1);

/// Structural similarity of two pictures, window by window: computed once, averaged over any part.
pub struct SimilarityMap {
    /// Pixels across, of the pictures.
    width: usize,
    height: usize,
    /// The mean of the channels, for each window inside the pictures.
    windows: Vec<f64>,
}

impl SimilarityMap {
    /// `None` for pictures smaller than a window.
    pub fn new(a: &Planes, b: &Planes) -> Option<Self> {
        let (width, height) = (a.width, a.height);
        if width <= 2 * REACH || height <= 2 * REACH {
            return None;
        }
        let mut windows = vec![0.0; (width - 2 * REACH) * (height - 2 * REACH)];
        for (a, b) in a.channels.iter().zip(&b.channels) {
            for (sum, [luminance, contrast]) in windows.iter_mut().zip(terms(a, b, width)) {
                *sum += luminance * contrast / 3.0;
            }
        }
        Some(Self { width, height, windows })
    }

    /// The mean over the windows around weighted pixels, -1..1; `None` where no window counts.
    pub fn mean(&self, weights: &Weights) -> Option<f64> {
        let width = self.width;
        let inner = Weights {
            width: width - 2 * REACH,
            values: (REACH..self.height - REACH)
                .flat_map(|y| weights.values[y * width + REACH..(y + 1) * width - REACH].iter().copied())
                .collect(),
        };
        inner.mean(self.windows.iter().copied())
    }
}

/// Multi-scale structural similarity, 0..1; `None` for pictures with a side below 176 pixels.
pub fn ms_ssim(a: &Planes, b: &Planes) -> Option<f64> {
    if a.width.min(a.height) < LEAST_SIDE {
        return None;
    }
    let channels = a.channels.iter().zip(&b.channels);
    Some(channels.map(|(a_plane, b_plane)| one_channel(a_plane, b_plane, a.width)).sum::<f64>() / 3.0)
}

fn one_channel(a: &[f64], b: &[f64], width: usize) -> f64 {
    let (mut a, mut b, mut width) = (a.to_vec(), b.to_vec(), width);
    let mut product = 1.0;
    for (scale, exponent) in SCALES.into_iter().enumerate() {
        let terms = terms(&a, &b, width);
        let last = scale + 1 == SCALES.len();
        let mean =
            terms.iter().map(|[luminance, contrast]| if last { luminance * contrast } else { *contrast });
        // A negative mean has no root: pictures that are opposites are as unlike as can be.
        product *= (mean.sum::<f64>() / terms.len() as f64).max(0.0).powf(exponent);
        if !last {
            let halved = halved(&a, width);
            b = self::halved(&b, width);
            (a, width) = (halved, width / 2);
        }
    }
    product
}

/// Means of 2 x 2 pixels.
fn halved(plane: &[f64], width: usize) -> Vec<f64> {
    let height = plane.len() / width;
    let at = |x: usize, y: usize| plane[y * width + x];
    let cell = |(x, y): (usize, usize)| (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1)) / 4.0;
    (0..height / 2).flat_map(|y| (0..width / 2).map(move |x| (2 * x, 2 * y))).map(cell).collect()
}

/// Of each window inside the picture: the luminance term, and contrast times structure.
fn terms(a: &[f64], b: &[f64], width: usize) -> Vec<[f64; 2]> {
    let product = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let [mean_a, mean_b] = [a, b].map(|plane| blurred(plane, width));
    let squares = [product(a, a), product(b, b), product(a, b)];
    let [square_a, square_b, cross] = squares.map(|plane| blurred(&plane, width));
    (0..mean_a.len())
        .map(|i| {
            let (a, b) = (mean_a[i], mean_b[i]);
            let (variance_a, variance_b, covariance) =
                (square_a[i] - a * a, square_b[i] - b * b, cross[i] - a * b);
            let luminance = (2.0 * a * b + C1) / (a * a + b * b + C1);
            [luminance, (2.0 * covariance + C2) / (variance_a + variance_b + C2)]
        })
        .collect()
}

/// Gaussian means of the windows inside the picture: 2 [`REACH`] fewer rows and columns.
fn blurred(plane: &[f64], width: usize) -> Vec<f64> {
    let kernel = kernel();
    let inner = width - 2 * REACH;
    let rows: Vec<f64> = plane
        .chunks_exact(width)
        .flat_map(|row| row.windows(kernel.len()).map(|window| dot(window.iter().copied(), &kernel)))
        .collect();
    let height = rows.len() / inner;
    (0..height - 2 * REACH)
        .flat_map(|y| (0..inner).map(move |x| (x, y)))
        .map(|(x, y)| dot((0..kernel.len()).map(|k| rows[(y + k) * inner + x]), &kernel))
        .collect()
}

fn dot(values: impl Iterator<Item = f64>, kernel: &[f64]) -> f64 {
    values.zip(kernel).map(|(value, weight)| value * weight).sum()
}

fn kernel() -> [f64; 2 * REACH + 1] {
    let bell = std::array::from_fn(|i| (-(i as f64 - REACH as f64).powi(2) / (2.0 * SIGMA * SIGMA)).exp());
    let total: f64 = bell.iter().sum();
    bell.map(|value| value / total)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;
    use crate::fixtures::{self, number};

    fn ssim(a: &Planes, b: &Planes, weights: &Weights) -> Option<f64> {
        SimilarityMap::new(a, b)?.mean(weights)
    }

    #[test]
    fn agrees_with_scikit_image_and_pytorch_msssim() {
        let fixtures = fixtures::metrics();
        let [a, b] = [fixtures::picture(false), fixtures::picture(true)].map(|picture| Planes::of(&picture));
        let all = Weights::whole(a.width, a.height);
        let [ours, theirs] = [ssim(&a, &b, &all).unwrap(), number(&fixtures, "ssim")];
        assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
        let [ours, theirs] = [ms_ssim(&a, &b).unwrap(), number(&fixtures, "ms_ssim")];
        // pytorch-msssim's window is f32 whatever the pictures are.
        assert!((ours - theirs).abs() < 5e-6, "{ours} {theirs}");
    }

    #[test]
    fn symmetric_and_one_only_for_the_same() {
        let [a, b] = [fixtures::picture(false), fixtures::picture(true)].map(|picture| Planes::of(&picture));
        let all = Weights::whole(a.width, a.height);
        let (there, back) = (ssim(&a, &b, &all).unwrap(), ssim(&b, &a, &all).unwrap());
        assert!((there - back).abs() < 1e-12 && (-1.0..1.0).contains(&there), "{there} {back}");
        assert!((ssim(&a, &a, &all).unwrap() - 1.0).abs() < 1e-12);
        assert!((ms_ssim(&a, &a).unwrap() - 1.0).abs() < 1e-12);
        assert!((ms_ssim(&a, &b).unwrap() - ms_ssim(&b, &a).unwrap()).abs() < 1e-12);
    }

    #[test]
    fn flat_pictures_have_only_luminance() {
        let flat = |value: u8| Planes::of(&RgbImage::from_pixel(20, 20, Rgb([value; 3])));
        let (a, b) = (51.0_f64 / 255.0, 102.0 / 255.0);
        let expected = (2.0 * a * b + C1) / (a * a + b * b + C1);
        let found = ssim(&flat(51), &flat(102), &Weights::whole(20, 20)).unwrap();
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }

    #[test]
    fn small_pictures_are_not_measured() {
        let small = Planes::of(&RgbImage::new(10, 40));
        assert_eq!(ssim(&small, &small, &Weights::whole(10, 40)), None);
        assert_eq!(ms_ssim(&small, &small), None);
    }
}
