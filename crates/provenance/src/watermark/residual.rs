//! What is left of a frame when its content is taken out as far as possible: the mark and noise.
//!
//! Luma, at a size where the mark's band is just resolved, minus its local mean, over its local deviation, bounded:
//! edges and textures count no more than flat places.

use image::RgbImage;
use multiversion::multiversion;

/// Short side, pixels, below which frames are not made smaller.
const SMALLEST_SIDE: usize = 230;
/// Of the squares over which a full frame is flattened, pixels.
const WINDOW_RADIUS: usize = 4;
/// Added to the deviation, levels of 255: below it is the noise of rounding.
const FLOOR: f32 = 0.1;
/// In deviations.
const BOUND: f32 = 1.0;

/// A picture of one number a pixel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<f32>,
}

/// The brightness of a full frame, levels of 255.
pub(crate) struct Luma {
    pub(crate) width: usize,
    pub(crate) height: usize,
    values: Vec<u8>,
}

impl Luma {
    pub(crate) fn of(frame: &RgbImage) -> Self {
        let mut values = vec![0; frame.as_raw().len() / 3];
        to_luma(frame.as_raw(), &mut values);
        Self { width: frame.width() as usize, height: frame.height() as usize, values }
    }
}

#[multiversion(targets("x86_64+avx2+fma", "x86_64+sse4.1", "aarch64+neon"))]
fn to_luma(pixels: &[u8], values: &mut [u8]) {
    for (value, pixel) in values.iter_mut().zip(pixels.chunks_exact(3)) {
        let sum = 77 * u32::from(pixel[0]) + 150 * u32::from(pixel[1]) + 29 * u32::from(pixel[2]);
        *value = (sum >> 8) as u8;
    }
}

/// Works out residuals of frames; holds what can be used again for the next.
#[derive(Default)]
pub(crate) struct Residuals {
    luma: Plane,
    mean: Plane,
    power: Plane,
    sums: Vec<f32>,
}

impl Residuals {
    /// Of one frame; each side is a whole fraction of the frame's.
    pub(crate) fn of(&mut self, frame: &RgbImage) -> &Plane {
        shrink(frame, &mut self.luma);
        // 5 x 5 pixels where the short side has 256, which passes what the mark uses.
        let radius = ((self.luma.width.min(self.luma.height) as f32 / 128.0).round() as usize).max(1);
        self.flatten(radius)
    }

    /// Of a full frame at `1 / factor` of its size, for tiles of about 100 pixels there.
    pub(crate) fn of_luma(&mut self, frame: &Luma, factor: usize) -> &Plane {
        let luma = &mut self.luma;
        (luma.width, luma.height) = (frame.width / factor, frame.height / factor);
        luma.values.clear();
        luma.values.resize(luma.width * luma.height, 0.0);
        let scale = 1.0 / (factor * factor) as f32;
        for (y, row) in frame.values.chunks_exact(frame.width).take(luma.height * factor).enumerate() {
            let line = &mut luma.values[y / factor * luma.width..][..luma.width];
            for (value, pixels) in line.iter_mut().zip(row.chunks_exact(factor)) {
                *value += scale * pixels.iter().map(|&pixel| f32::from(pixel)).sum::<f32>();
            }
        }
        self.flatten(WINDOW_RADIUS)
    }

    /// What is left of the luma without its mean over squares of `2 radius + 1` pixels.
    fn flatten(&mut self, radius: usize) -> &Plane {
        let Self { luma, mean, power, sums } = self;
        box_mean(luma, radius, mean, sums);
        subtract(&mut luma.values, &mean.values, &mut power.values);
        (power.width, power.height) = (luma.width, luma.height);
        box_mean(power, 2 * radius + 1, mean, sums);
        normalise(&mut luma.values, &mean.values);
        luma
    }
}

/// Luma in levels of 255, each pixel the mean of a square of the frame's.
fn shrink(frame: &RgbImage, luma: &mut Plane) {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let factor = (width.min(height) / SMALLEST_SIDE).max(1);
    (luma.width, luma.height) = (width / factor, height / factor);
    luma.values.clear();
    luma.values.resize(luma.width * luma.height, 0.0);
    let scale = 1.0 / (256 * factor * factor) as f32;
    let rows = frame.as_raw().chunks_exact(3 * width);
    for (y, row) in rows.take(luma.height * factor).enumerate() {
        let line = &mut luma.values[y / factor * luma.width..][..luma.width];
        add_luma(row, factor, scale, line);
    }
}

#[multiversion(targets("x86_64+avx2+fma", "x86_64+sse4.1", "aarch64+neon"))]
fn add_luma(row: &[u8], factor: usize, scale: f32, line: &mut [f32]) {
    for (value, pixels) in line.iter_mut().zip(row.chunks_exact(3 * factor)) {
        let sum: u32 = pixels
            .chunks_exact(3)
            .map(|pixel| 77 * u32::from(pixel[0]) + 150 * u32::from(pixel[1]) + 29 * u32::from(pixel[2]))
            .sum();
        *value += scale * sum as f32;
    }
}

/// The mean over a square of `2 radius + 1`; beyond the border the picture goes on as it ends.
pub(crate) fn box_mean(plane: &Plane, radius: usize, mean: &mut Plane, sums: &mut Vec<f32>) {
    let (width, height) = (plane.width, plane.height);
    (mean.width, mean.height) = (width, height);
    mean.values.resize(width * height, 0.0);
    let row = |y: usize| &plane.values[y * width..][..width];
    sums.clear();
    sums.resize(width, 0.0);
    for y in 0..=2 * radius {
        add_row(sums, row(y.saturating_sub(radius).min(height - 1)));
    }
    for y in 0..height {
        if y > 0 {
            let (enters, leaves) = ((y + radius).min(height - 1), y.saturating_sub(radius + 1));
            exchange_row(sums, row(enters), row(leaves));
        }
        slide(sums, radius, &mut mean.values[y * width..][..width]);
    }
}

#[multiversion(targets("x86_64+avx2+fma", "x86_64+sse4.1", "aarch64+neon"))]
fn add_row(sums: &mut [f32], row: &[f32]) {
    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
}

#[multiversion(targets("x86_64+avx2+fma", "x86_64+sse4.1", "aarch64+neon"))]
fn exchange_row(sums: &mut [f32], enters: &[f32], leaves: &[f32]) {
    for ((sum, enters), leaves) in sums.iter_mut().zip(enters).zip(leaves) {
        *sum += enters - leaves;
    }
}

/// The mean of `2 radius + 1` neighbours in a row of column sums.
fn slide(sums: &[f32], radius: usize, means: &mut [f32]) {
    let last = sums.len() - 1;
    let at = |x: usize| sums[x.saturating_sub(radius).min(last)];
    let mut sum: f32 = (0..=2 * radius).map(at).sum();
    let scale = 1.0 / ((2 * radius + 1) * (2 * radius + 1)) as f32;
    for (x, mean) in means.iter_mut().enumerate() {
        if x > 0 {
            sum += sums[(x + radius).min(last)] - sums[x.saturating_sub(radius + 1)];
        }
        *mean = scale * sum;
    }
}

/// Takes the mean away and stores the squares of what is left.
fn subtract(luma: &mut [f32], mean: &[f32], power: &mut Vec<f32>) {
    luma.iter_mut().zip(mean).for_each(|(luma, mean)| *luma -= mean);
    power.clear();
    power.extend(luma.iter().map(|value| value * value));
}

#[multiversion(targets("x86_64+avx2+fma", "x86_64+sse4.1", "aarch64+neon"))]
fn normalise(values: &mut [f32], power: &[f32]) {
    for (value, power) in values.iter_mut().zip(power) {
        *value = (*value / (power.max(0.0).sqrt() + FLOOR)).clamp(-BOUND, BOUND);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_mean_is_the_mean_over_the_box() {
        let values: Vec<f32> = (0..63_u32).map(|i| (i * i % 17) as f32).collect();
        let plane = Plane { width: 9, height: 7, values };
        let mut mean = Plane::default();
        box_mean(&plane, 2, &mut mean, &mut Vec::new());
        for (x, y) in [(0_i32, 0_i32), (4, 3), (8, 6), (1, 5)] {
            let clamped = |x: i32, y: i32| plane.values[(y.clamp(0, 6) * 9 + x.clamp(0, 8)) as usize];
            let sum: f32 = (-2..=2).flat_map(|v| (-2..=2).map(move |u| clamped(x + u, y + v))).sum();
            assert!((mean.values[(y * 9 + x) as usize] - sum / 25.0).abs() < 1e-4, "({x}, {y})");
        }
    }

    #[test]
    fn what_is_flat_leaves_nothing() {
        let frame = RgbImage::from_pixel(500, 480, image::Rgb([90, 120, 60]));
        let mut residuals = Residuals::default();
        let plane = residuals.of(&frame);
        assert_eq!((plane.width, plane.height), (250, 240));
        assert!(plane.values.iter().all(|value| value.abs() < 1e-2));
    }
}
