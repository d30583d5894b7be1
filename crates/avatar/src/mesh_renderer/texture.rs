//! The photo on a view's pixel grid, and bicubic sampling of it.
//!
//! The photo is resampled once per view with an antialiased filter, on exactly the pixel grid of the view. A warp
//! that moves nothing therefore samples texel centres and reproduces the background bit by bit, and a view smaller
//! than the photo does not alias.

use gioconda_face::warp::View;
use image::RgbImage;
use nalgebra::Vector2;
use rayon::prelude::*;

/// Texels added on each side, so that a filter at the edge finds its neighbours.
const PAD: usize = 2;

/// A rectangle of output pixels: first column and row, then width and height. May reach beyond the view.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) left: i64,
    pub(super) top: i64,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// The photo as it looks at the output pixels of `grid`; beyond the photo its border is repeated.
///
/// Lanczos with three lobes, widened where the view is smaller than the photo (an image resampler's usual
/// antialiasing). Where the grid is the photo's own, the pixels are copied.
pub(super) fn resample(photo: &RgbImage, view: &View, grid: Grid) -> RgbImage {
    let scale = view.scale();
    let columns = Taps::new(view.left, scale.x, grid.left, grid.width, photo.width() as usize);
    let rows = Taps::new(view.top, scale.y, grid.top, grid.height, photo.height() as usize);
    let mut picture = RgbImage::new(grid.width as u32, grid.height as u32);
    let line = 3 * photo.width() as usize;
    picture.par_chunks_exact_mut(3 * grid.width).enumerate().for_each_init(Vec::new, |sums, (y, pixels)| {
        // First down each column of the photo that is needed, then along the row.
        sums.clear();
        sums.resize(line, 0.0_f32);
        for (row, weight) in rows.of(y) {
            let source = &photo.as_raw()[row * line..(row + 1) * line];
            for (sum, &value) in sums.iter_mut().zip(source) {
                *sum += weight * f32::from(value);
            }
        }
        let sums = sums.as_chunks::<3>().0;
        for (x, pixel) in pixels.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let mut colour = [0.5_f32; 3];
            for (column, weight) in columns.of(x) {
                for (colour, value) in colour.iter_mut().zip(sums[column]) {
                    *colour += weight * value;
                }
            }
            *pixel = colour.map(|value| value.clamp(0.0, 255.0) as u8);
        }
    });
    picture
}

/// For each output pixel along one axis the photo pixels it mixes and their weights.
struct Taps {
    /// Photo pixels, clamped to the photo.
    sources: Vec<usize>,
    weights: Vec<f32>,
    per_pixel: usize,
}

impl Taps {
    fn new(origin: f32, scale: f32, first: i64, pixels: usize, size: usize) -> Self {
        let (origin, scale) = (f64::from(origin), f64::from(scale));
        let aligned = (scale - 1.0).abs() < 1e-6 && origin.fract() == 0.0;
        let stretch = scale.max(1.0);
        let per_pixel = if aligned { 1 } else { (6.0 * stretch).ceil() as usize + 1 };
        let mut taps = Self { sources: Vec::new(), weights: Vec::new(), per_pixel };
        for pixel in 0..pixels {
            let centre = origin + ((first + pixel as i64) as f64 + 0.5) * scale;
            let start = if aligned { centre.floor() } else { (centre - 3.0 * stretch).floor() };
            let weight = |i: usize| lanczos3((start + i as f64 + 0.5 - centre) / stretch);
            let total: f64 = (0..per_pixel).map(weight).sum();
            for i in 0..per_pixel {
                taps.sources.push((start + i as f64).clamp(0.0, (size - 1) as f64) as usize);
                taps.weights.push((weight(i) / total) as f32);
            }
        }
        taps
    }

    fn of(&self, pixel: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let at = pixel * self.per_pixel..(pixel + 1) * self.per_pixel;
        self.sources[at.clone()].iter().copied().zip(self.weights[at].iter().copied())
    }
}

fn lanczos3(x: f64) -> f64 {
    let sinc = |x: f64| {
        if x.abs() < 1e-9 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) }
    };
    if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

/// Texels of the moving region.
pub(super) struct Texture {
    grid: Grid,
    /// `[(height + 4) * (width + 4)]` red, green, blue, nothing; 0..255. Floats, because every texel is read sixteen
    /// times a frame and would be converted each time.
    texels: Vec<[f32; 4]>,
}

impl Texture {
    /// The photo at the output pixels of `grid`.
    pub(super) fn new(photo: &RgbImage, view: &View, grid: Grid) -> Self {
        let padded = Grid {
            left: grid.left - PAD as i64,
            top: grid.top - PAD as i64,
            width: grid.width + 2 * PAD,
            height: grid.height + 2 * PAD,
        };
        let picture = resample(photo, view, padded);
        let texels = picture.pixels().map(|&image::Rgb([r, g, b])| [r, g, b, 0].map(f32::from)).collect();
        Self { grid, texels }
    }

    /// The colour at a position in output pixels, by Catmull-Rom interpolation (Keys 1981, a = -1/2); positions
    /// beyond the texture are moved to its border.
    pub(super) fn sample(&self, position: Vector2<f32>) -> [u8; 3] {
        let Grid { left, top, width, height } = self.grid;
        let x = (position.x - left as f32 - 0.5).clamp(0.0, (width - 1) as f32);
        let y = (position.y - top as f32 - 0.5).clamp(0.0, (height - 1) as f32);
        let (column, row) = (x as usize, y as usize);
        let (across, down) = (catmull_rom(x - column as f32), catmull_rom(y - row as f32));
        let stride = width + 2 * PAD;
        let start = (row + PAD - 1) * stride + column + PAD - 1;
        let mut colour = [0.5_f32; 4];
        for (line, weight) in down.into_iter().enumerate() {
            let texels = &self.texels[start + line * stride..][..4];
            let mut sum = [0.0_f32; 4];
            for (texel, share) in texels.iter().zip(across) {
                for (sum, value) in sum.iter_mut().zip(texel) {
                    *sum += share * value;
                }
            }
            for (colour, sum) in colour.iter_mut().zip(sum) {
                *colour += weight * sum;
            }
        }
        let [r, g, b, _] = colour.map(|value| value.clamp(0.0, 255.0) as i32 as u8);
        [r, g, b]
    }
}

/// Weights of the four neighbours at `t` in 0..1 between the middle two.
fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [-0.5 * t + t2 - 0.5 * t3, 1.0 - 2.5 * t2 + 1.5 * t3, 0.5 * t + 2.0 * t2 - 1.5 * t3, -0.5 * t2 + 0.5 * t3]
}
