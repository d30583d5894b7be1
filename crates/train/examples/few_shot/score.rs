//! How near a picture comes to the truth, inside the face.

use gioconda_face::warp::MeshWarp;
use image::RgbImage;

/// Of one frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Score {
    /// Decibels, inside the face.
    pub(crate) psnr: f64,
    /// Structural similarity of the luma (Wang et al. 2004), inside the face.
    pub(crate) ssim: f64,
    /// Mean absolute difference inside the face, 0..255.
    pub(crate) l1: f64,
    /// Decibels between lips and lids.
    pub(crate) openings: f64,
}

/// Given to pictures that agree to the last bit.
const LARGEST_PSNR: f64 = 60.0;

/// Side of the window of structural similarity, pixels, all counting alike.
const WINDOW: usize = 7;

/// Compares two pictures of the size of the warp's masks.
pub(crate) fn compare(picture: &RgbImage, truth: &RgbImage, warp: &MeshWarp) -> Score {
    let face: Vec<f64> = warp.face.iter().map(|&v| f64::from(v) / 255.0).collect();
    let openings: Vec<f64> =
        warp.mouth.iter().zip(&warp.eyes).map(|(&mouth, &eyes)| f64::from(mouth.max(eyes)) / 255.0).collect();
    let (squared, absolute) = differences(picture, truth, &face);
    Score {
        psnr: decibels(squared),
        ssim: similarity(picture, truth, &face),
        l1: absolute,
        openings: decibels(differences(picture, truth, &openings).0),
    }
}

fn decibels(squared: f64) -> f64 {
    (10.0 * (255.0 * 255.0 / squared.max(1e-9)).log10()).min(LARGEST_PSNR)
}

/// Weighted means of squared and absolute differences.
fn differences(picture: &RgbImage, truth: &RgbImage, weights: &[f64]) -> (f64, f64) {
    let (mut squared, mut absolute, mut total) = (0.0, 0.0, 0.0);
    for ((a, b), weight) in picture.pixels().zip(truth.pixels()).zip(weights) {
        for (a, b) in a.0.iter().zip(b.0) {
            let difference = f64::from(a.abs_diff(b));
            squared += weight * difference * difference;
            absolute += weight * difference;
            total += weight;
        }
    }
    (squared / f64::max(total, 1e-9), absolute / f64::max(total, 1e-9))
}

fn similarity(picture: &RgbImage, truth: &RgbImage, weights: &[f64]) -> f64 {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (a, b) = (luma(picture), luma(truth));
    let (c1, c2) = ((0.01 * 255.0_f64).powi(2), (0.03 * 255.0_f64).powi(2));
    let (mut sum, mut total) = (0.0, 0.0);
    let reach = WINDOW / 2;
    for y in reach..height - reach {
        for x in reach..width - reach {
            let weight = weights[y * width + x];
            if weight <= 0.0 {
                continue;
            }
            let (mut sa, mut sb, mut saa, mut sbb, mut sab) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for row in y - reach..=y + reach {
                for at in row * width + x - reach..=row * width + x + reach {
                    let (a, b) = (a[at], b[at]);
                    sa += a;
                    sb += b;
                    saa += a * a;
                    sbb += b * b;
                    sab += a * b;
                }
            }
            let n = (WINDOW * WINDOW) as f64;
            let (ma, mb) = (sa / n, sb / n);
            let (va, vb, cov) = (saa / n - ma * ma, sbb / n - mb * mb, sab / n - ma * mb);
            let ssim = (2.0 * ma * mb + c1) * (2.0 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
            sum += weight * ssim;
            total += weight;
        }
    }
    sum / f64::max(total, 1e-9)
}

/// Rec. 709 weights.
fn luma(picture: &RgbImage) -> Vec<f64> {
    picture
        .pixels()
        .map(|p| 0.2126 * f64::from(p[0]) + 0.7152 * f64::from(p[1]) + 0.0722 * f64::from(p[2]))
        .collect()
}
