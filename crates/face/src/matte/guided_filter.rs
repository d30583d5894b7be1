//! The guided filter: a coarse mask takes over the edges of a picture.
//!
//! He, Sun, Tang, "Guided Image Filtering" (ECCV 2010): in every window the mask is a linear function of the picture's
//! colour, and a pixel's function is the mean over all windows that hold it. As in "Fast Guided Filter" (He, Sun, 2015) the
//! functions are found in a reduced picture and applied to the whole one.

use image::RgbImage;
use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

/// The linear functions of all pixels: three factors of the colour (0..1), and a constant.
pub(super) struct LinearFunctions {
    /// `[height * width * 4]`.
    values: Vec<f32>,
    width: usize,
    height: usize,
}

/// Numbers per pixel.
const VALUES: usize = 4;
/// Rows that are worked on at once: what a strip needs besides the mask stays small, however large the picture is.
const STRIP: usize = 96;

impl LinearFunctions {
    /// Fits `mask` (`[height * width]`, 0..1) to the colours of `guide` in windows of `2 * radius + 1` pixels. Where colours
    /// vary less than `smoothness` (a variance, colours in 0..1), the mask is only blurred.
    pub(super) fn fit(guide: &RgbImage, mask: &[f32], radius: usize, smoothness: f32) -> Self {
        let (width, height) = (guide.width() as usize, guide.height() as usize);
        let mut values = vec![0.0; width * height * VALUES];
        values.par_chunks_mut(STRIP * width * VALUES).enumerate().for_each(|(index, values)| {
            let (top, rows) = (index * STRIP, values.len() / (width * VALUES));
            let first = top.saturating_sub(2 * radius);
            let last = (top + rows + 2 * radius).min(height);
            let pixels = first * width..last * width;
            let colours = &guide.as_raw()[3 * pixels.start..3 * pixels.end];
            let strip = Strip { width, radius, smoothness };
            let planes = strip.fit(colours, &mask[pixels]);
            let start = (top - first) * width;
            for (i, values) in values.chunks_exact_mut(VALUES).enumerate() {
                for (value, plane) in values.iter_mut().zip(&planes) {
                    *value = plane[start + i];
                }
            }
        });
        Self { values, width, height }
    }

    /// The functions of a row between two rows, `y` in pixels of the reduced picture (a pixel's centre at .5).
    pub(super) fn row(&self, y: f32) -> Vec<[f32; VALUES]> {
        let y = (y - 0.5).clamp(0.0, (self.height - 1) as f32);
        let upper = y as usize;
        let lower = (upper + 1).min(self.height - 1);
        let down = y - upper as f32;
        let row =
            |y: usize| self.values[y * self.width * VALUES..][..self.width * VALUES].as_chunks::<VALUES>().0;
        let between =
            |(a, b): (&[f32; VALUES], &[f32; VALUES])| std::array::from_fn(|i| a[i] + (b[i] - a[i]) * down);
        row(upper).iter().zip(row(lower)).map(between).collect()
    }
}

/// The mask's value for a colour (0..255), at `x` of a [row](LinearFunctions::row).
pub(super) fn apply(row: &[[f32; VALUES]], x: f32, colour: [u8; 3]) -> f32 {
    let x = (x - 0.5).clamp(0.0, (row.len() - 1) as f32);
    let left = x as usize;
    let (a, b) = (&row[left], &row[(left + 1).min(row.len() - 1)]);
    let across = x - left as f32;
    let at = |i: usize| a[i] + (b[i] - a[i]) * across;
    let [r, g, b] = colour.map(|sample| f32::from(sample) / 255.0);
    at(0) * r + at(1) * g + at(2) * b + at(3)
}

struct Strip {
    width: usize,
    radius: usize,
    smoothness: f32,
}

impl Strip {
    /// The four planes of a strip; the outer `2 * radius` rows are right only at the picture's edge.
    fn fit(&self, colours: &[u8], mask: &[f32]) -> [Vec<f32>; VALUES] {
        let channel = |i: usize| -> Vec<f32> {
            colours.chunks_exact(3).map(|colour| f32::from(colour[i]) / 255.0).collect()
        };
        let product = |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
        let colours = [channel(0), channel(1), channel(2)];
        let mean = [0, 1, 2].map(|i| self.mean(&colours[i]));
        let mean_mask = self.mean(mask);
        let with_mask = [0, 1, 2].map(|i| self.mean(&product(&colours[i], mask)));
        let pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)];
        let squares = pairs.map(|(i, j)| self.mean(&product(&colours[i], &colours[j])));
        let mut planes = [const { Vec::new() }; VALUES];
        for plane in &mut planes {
            plane.resize(mask.len(), 0.0);
        }
        for at in 0..mask.len() {
            let colour = Vector3::new(mean[0][at], mean[1][at], mean[2][at]);
            let [rr, rg, rb, gg, gb, bb] =
                std::array::from_fn(|k| squares[k][at] - colour[pairs[k].0] * colour[pairs[k].1]);
            let smooth = self.smoothness;
            let spread = Matrix3::new(rr + smooth, rg, rb, rg, gg + smooth, gb, rb, gb, bb + smooth);
            let covariance = Vector3::from_fn(|i, _| with_mask[i][at] - colour[i] * mean_mask[at]);
            let factors = spread.try_inverse().map_or_else(Vector3::zeros, |inverse| inverse * covariance);
            for i in 0..3 {
                planes[i][at] = factors[i];
            }
            planes[3][at] = mean_mask[at] - factors.dot(&colour);
        }
        planes.map(|plane| self.mean(&plane))
    }

    /// The mean over windows, cut at the edges, by running sums.
    fn mean(&self, plane: &[f32]) -> Vec<f32> {
        let (width, radius) = (self.width, self.radius);
        let height = plane.len() / width;
        let mut across = vec![0.0; plane.len()];
        for (row, out) in plane.chunks_exact(width).zip(across.chunks_exact_mut(width)) {
            let mut sum: f32 = row[..radius.min(width)].iter().sum();
            for x in 0..width {
                if x + radius < width {
                    sum += row[x + radius];
                }
                if x > radius {
                    sum -= row[x - radius - 1];
                }
                let count = (x + radius + 1).min(width) - x.saturating_sub(radius);
                out[x] = sum / count as f32;
            }
        }
        let mut sums = vec![0.0; width];
        let mut mean = vec![0.0; plane.len()];
        let row = |y: usize| &across[y * width..][..width];
        for y in 0..radius.min(height) {
            sums.iter_mut().zip(row(y)).for_each(|(sum, value)| *sum += value);
        }
        for y in 0..height {
            if y + radius < height {
                sums.iter_mut().zip(row(y + radius)).for_each(|(sum, value)| *sum += value);
            }
            if y > radius {
                sums.iter_mut().zip(row(y - radius - 1)).for_each(|(sum, value)| *sum -= value);
            }
            let count = ((y + radius + 1).min(height) - y.saturating_sub(radius)) as f32;
            mean[y * width..][..width].iter_mut().zip(&sums).for_each(|(mean, sum)| *mean = sum / count);
        }
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn filtered(guide: &RgbImage, mask: &[f32], radius: usize, smoothness: f32) -> Vec<f32> {
        let functions = LinearFunctions::fit(guide, mask, radius, smoothness);
        let rows = (0..guide.height()).map(|y| functions.row(y as f32 + 0.5));
        rows.enumerate()
            .flat_map(|(y, row)| {
                let at = |x: u32| apply(&row, x as f32 + 0.5, guide.get_pixel(x, y as u32).0);
                (0..guide.width()).map(at).collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn a_blurred_mask_takes_over_the_edge_of_the_picture() {
        // A slanted edge; the mask is a ramp of 12 pixels around it. Higher than two strips.
        let (width, height) = (64, 230);
        let edge = |y: u32| 20.0 + 0.1 * y as f32;
        let guide = RgbImage::from_fn(width, height, |x, y| {
            if (x as f32) < edge(y) { Rgb([40, 90, 60]) } else { Rgb([150, 70, 50]) }
        });
        let mask: Vec<f32> = (0..height)
            .flat_map(|y| (0..width).map(move |x| ((x as f32 - edge(y)) / 12.0 + 0.5).clamp(0.0, 1.0)))
            .collect();
        let sharp = filtered(&guide, &mask, 6, 1e-4);
        for (i, value) in sharp.iter().enumerate() {
            let (x, y) = (i as u32 % width, i as u32 / width);
            let expected = if (x as f32) < edge(y) { 0.0 } else { 1.0 };
            assert!((value - expected).abs() < 0.35, "{value} at {x}, {y}");
        }
    }

    #[test]
    fn a_constant_mask_stays_constant_at_every_edge() {
        let guide = RgbImage::from_fn(30, 210, |x, y| Rgb([(x * 8) as u8, y as u8, (x * y % 251) as u8]));
        for value in filtered(&guide, &[0.75; 30 * 210], 8, 1e-3) {
            assert!((value - 0.75).abs() < 1e-3, "{value}");
        }
    }
}
