//! The colours of a picture between its pixels: one of them, or a region as the input of a model.

use image::RgbImage;
use nalgebra::{Rotation2, Vector2};

use crate::region::Region;

/// What lies beyond the edge of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Black, as MediaPipe letterboxes for its detectors.
    Black,
    /// The nearest pixel of the picture, as MediaPipe crops for its landmark model.
    Replicate,
}

/// The colour at a position in pixels (a pixel's centre at .5), 0..255, between the four nearest pixels. With
/// [`Border::Replicate`] the same as Burn's bilinear `grid_sample_2d` with border padding and `align_corners = false`.
///
/// # Panics
/// When the picture has no pixels.
pub fn bilinear(picture: &RgbImage, at: Vector2<f32>, border: Border) -> [f32; 3] {
    let source = Source::new(picture, border);
    let (mut x, mut y) = (at.x - 0.5, at.y - 0.5);
    if border == Border::Replicate {
        // NaN becomes the last pixel.
        x = x.min((source.width - 1) as f32).max(0.0);
        y = y.min((source.height - 1) as f32).max(0.0);
    }
    let (left, top) = (whole(x), whole(y));
    let (across, down) = (x - left as f32, y - top as f32);
    let corner = |right: isize, below: isize| {
        source.pixel_or_border(left.saturating_add(right), top.saturating_add(below)).map(f32::from)
    };
    let [a, b, c, d] = [corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1)];
    std::array::from_fn(|i| {
        let upper = a[i] + (b[i] - a[i]) * across;
        let lower = c[i] + (d[i] - c[i]) * across;
        upper + (lower - upper) * down
    })
}

/// The whole number not above `x`. `f32::floor` is a call into the C library on processors as old as those we compile for.
fn whole(x: f32) -> isize {
    let towards_zero = x as isize;
    towards_zero.saturating_sub(isize::from(towards_zero as f32 > x))
}

/// Samples `region` as a `[side, side, 3]` tensor (rows, columns, RGB) with 0..255 mapped onto `range`.
///
/// Bilinear, with MediaPipe's convention (`image_to_tensor_converter_opencv.cc`: the corners of the region are
/// mapped onto the corners of the tensor and `warpPerspective` takes integer coordinates as pixel centres): tensor
/// element i lies i/side of the way from one edge to the other, counted between pixel *centres*. Where a tensor
/// element covers more than two pixels, several samples are averaged, which MediaPipe does not do: large photos would
/// alias.
pub(crate) fn sample(
    picture: &RgbImage,
    region: &Region,
    side: usize,
    range: (f32, f32),
    border: Border,
    tensor: &mut Vec<f32>,
) {
    tensor.resize(side * side * 3, 0.0);
    if picture.width() == 0 || picture.height() == 0 {
        tensor.fill(range.0);
        return;
    }
    let step = region.size / side as f32;
    let samples = ((step / 2.0).ceil().min(MAX_SAMPLES) as usize).max(1);
    let along_x = Rotation2::new(region.rotation) * Vector2::new(step, 0.0);
    let along_y = Rotation2::new(region.rotation) * Vector2::new(0.0, step);
    let origin = region.to_picture(Vector2::zeros());
    // Offsets of the samples inside one tensor element, as shares of it and centred on 0.
    let offset = |k: usize| (k as f32 + 0.5) / samples as f32 - 0.5;
    let scale = (range.1 - range.0) / (255.0 * (samples * samples) as f32);
    let source = Source::new(picture, border);
    for (y, row) in tensor.chunks_exact_mut(side * 3).enumerate() {
        row.fill(0.0);
        for (sub_y, sub_x) in (0..samples).flat_map(|sub_y| (0..samples).map(move |sub_x| (sub_y, sub_x))) {
            let start = origin + along_y * (y as f32 + offset(sub_y)) + along_x * offset(sub_x);
            source.add_row(start, along_x, row);
        }
        for value in row {
            *value = *value * scale + range.0;
        }
    }
}

/// Samples per tensor element and axis: enough for 50-megapixel photos in the detector's 192 pixels.
const MAX_SAMPLES: f32 = 24.0;

/// A picture to sample from.
struct Source<'a> {
    pixels: &'a [u8],
    width: usize,
    height: usize,
    border: Border,
}

impl<'a> Source<'a> {
    fn new(picture: &'a RgbImage, border: Border) -> Self {
        let (width, height) = picture.dimensions();
        Self { pixels: picture.as_raw(), width: width as usize, height: height as usize, border }
    }

    /// Adds to `row` (RGB triples) the bilinear samples at `start`, `start + step`, ... (pixel centres at integers).
    fn add_row(&self, start: Vector2<f32>, step: Vector2<f32>, row: &mut [f32]) {
        let stride = self.width * 3;
        for (i, sum) in row.chunks_exact_mut(3).enumerate() {
            let x = start.x + step.x * i as f32;
            let y = start.y + step.y * i as f32;
            let (left, top) = (x.floor(), y.floor());
            let (right_share, bottom_share) = (x - left, y - top);
            let weights = [
                (1.0 - right_share) * (1.0 - bottom_share),
                right_share * (1.0 - bottom_share),
                (1.0 - right_share) * bottom_share,
                right_share * bottom_share,
            ];
            let (left, top) = (left as isize, top as isize);
            let inside = left >= 0
                && top >= 0
                && left.cast_unsigned() + 1 < self.width
                && top.cast_unsigned() + 1 < self.height;
            if inside {
                let first = top.cast_unsigned() * stride + left.cast_unsigned() * 3;
                let upper = &self.pixels[first..first + 6];
                let lower = &self.pixels[first + stride..first + stride + 6];
                for c in 0..3 {
                    sum[c] += weights[0] * f32::from(upper[c])
                        + weights[1] * f32::from(upper[c + 3])
                        + weights[2] * f32::from(lower[c])
                        + weights[3] * f32::from(lower[c + 3]);
                }
            } else {
                for (k, weight) in weights.into_iter().enumerate() {
                    let pixel = self.pixel_or_border(
                        left.saturating_add((k % 2) as isize),
                        top.saturating_add((k / 2) as isize),
                    );
                    for c in 0..3 {
                        sum[c] += weight * f32::from(pixel[c]);
                    }
                }
            }
        }
    }

    fn pixel_or_border(&self, x: isize, y: isize) -> [u8; 3] {
        let (last_x, last_y) = (self.width as isize - 1, self.height as isize - 1);
        let outside = x < 0 || y < 0 || x > last_x || y > last_y;
        if outside && self.border == Border::Black {
            return [0; 3];
        }
        let first =
            (y.clamp(0, last_y).cast_unsigned() * self.width + x.clamp(0, last_x).cast_unsigned()) * 3;
        [self.pixels[first], self.pixels[first + 1], self.pixels[first + 2]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_of_the_tensors_size_copies_pixels() {
        let picture = RgbImage::from_fn(8, 8, |x, y| image::Rgb([x as u8 * 30, y as u8 * 30, 255]));
        let mut tensor = Vec::new();
        let region = Region::from_corner(2.0, 1.0, 4.0);
        sample(&picture, &region, 4, (-1.0, 1.0), Border::Black, &mut tensor);
        for (i, rgb) in tensor.chunks_exact(3).enumerate() {
            let (x, y) = (i % 4 + 2, i / 4 + 1);
            let expected = [x as f32 * 30.0 / 127.5 - 1.0, y as f32 * 30.0 / 127.5 - 1.0, 1.0];
            assert!(rgb.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{rgb:?} {expected:?}");
        }
    }

    #[test]
    fn colours_between_pixels_are_mixed_and_borders_are_what_is_asked_for() {
        let picture = RgbImage::from_fn(3, 2, |x, y| image::Rgb([(40 * x) as u8, (100 * y) as u8, 200]));
        let cases = [
            ((0.5, 0.5), Border::Replicate, [0.0, 0.0, 200.0]),
            ((2.5, 1.5), Border::Black, [80.0, 100.0, 200.0]),
            ((1.25, 1.0), Border::Black, [30.0, 50.0, 200.0]),
            ((-7.0, 90.0), Border::Replicate, [0.0, 100.0, 200.0]),
            ((1e30, -1e30), Border::Replicate, [80.0, 0.0, 200.0]),
            ((0.0, 0.5), Border::Black, [0.0, 0.0, 100.0]),
            ((3.0, 1.5), Border::Black, [40.0, 50.0, 100.0]),
            ((-1e30, 1e30), Border::Black, [0.0; 3]),
        ];
        for ((x, y), border, expected) in cases {
            let found = bilinear(&picture, Vector2::new(x, y), border);
            let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4);
            assert!(near, "{x} {y} {border:?}: {found:?} instead of {expected:?}");
        }
    }

    #[test]
    fn borders_are_black_or_replicated() {
        let picture = RgbImage::from_pixel(4, 4, image::Rgb([200, 200, 200]));
        let mut tensor = Vec::new();
        let region = Region::from_corner(-4.0, -4.0, 12.0);
        for (border, expected) in [(Border::Black, 0.0), (Border::Replicate, 200.0 / 255.0)] {
            sample(&picture, &region, 12, (0.0, 1.0), border, &mut tensor);
            assert!((tensor[0] - expected).abs() < 1e-5, "{border:?} {}", tensor[0]);
            let center = tensor[(5 * 12 + 5) * 3];
            assert!((center - 200.0 / 255.0).abs() < 1e-5, "{border:?} {center}");
        }
    }

    #[test]
    fn strong_reduction_averages_instead_of_aliasing() {
        // Stripes that recur in every element: one sample per element would see only one of them.
        let picture = RgbImage::from_fn(256, 256, |x, _| image::Rgb([if x % 4 < 2 { 0 } else { 255 }; 3]));
        let mut tensor = Vec::new();
        sample(
            &picture,
            &Region::from_corner(0.0, 0.0, 256.0),
            16,
            (0.0, 1.0),
            Border::Replicate,
            &mut tensor,
        );
        for rgb in tensor.chunks_exact(3).skip(1).step_by(16) {
            assert!((rgb[0] - 0.5).abs() < 0.1, "{rgb:?}");
        }
    }

    #[test]
    fn degenerate_pictures_and_regions_do_not_panic() {
        let mut tensor = Vec::new();
        for (width, height) in [(0, 0), (1, 1), (1, 300), (3, 1)] {
            for size in [0.0, 1.0, 1e9, f32::NAN, f32::INFINITY] {
                let region = Region { center: Vector2::new(-1e9, f32::NAN), size, rotation: 1.0 };
                sample(&RgbImage::new(width, height), &region, 8, (0.0, 1.0), Border::Replicate, &mut tensor);
                assert_eq!(tensor.len(), 8 * 8 * 3);
            }
        }
    }
}
