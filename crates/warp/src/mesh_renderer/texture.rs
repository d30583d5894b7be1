//! The photo on a view's pixel grid, and bicubic sampling of it.
//!
//! The photo is resampled once per view with an antialiased filter, on exactly the pixel grid of the view. A warp
//! that moves nothing therefore samples texel centres and reproduces the background bit by bit, and a view smaller
//! than the photo does not alias.
//!
//! What samples a row is inlined into [`PanelOp::eval`]: only code inside it is compiled for the instruction set found.
#![allow(clippy::inline_always)]

use gioconda_kernels::simd::{NumOps, PANEL, PanelOp};
use image::{GrayImage, RgbImage};
use nalgebra::Vector2;
use rayon::prelude::*;

use crate::layers::Layers;
use crate::view::View;

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

impl Grid {
    fn padded(&self) -> Self {
        Self {
            left: self.left - PAD as i64,
            top: self.top - PAD as i64,
            width: self.width + 2 * PAD,
            height: self.height + 2 * PAD,
        }
    }
}

/// The photo as it looks at the output pixels of `grid`; beyond the photo its border is repeated.
///
/// Lanczos with three lobes, widened where the view is smaller than the photo (an image resampler's usual
/// antialiasing). Where the grid is the photo's own, the pixels are copied.
pub(super) fn resample(photo: &RgbImage, view: &View, grid: Grid) -> RgbImage {
    let values = resampled::<3>(photo.as_raw(), photo.dimensions(), view, grid);
    RgbImage::from_raw(grid.width as u32, grid.height as u32, values).expect("three values a pixel")
}

/// The same of one plane of the photo's size.
pub(super) fn resample_grey(plane: &GrayImage, view: &View, grid: Grid) -> Vec<u8> {
    resampled::<1>(plane.as_raw(), plane.dimensions(), view, grid)
}

/// `[grid.height * grid.width * N]` from the `N` values of each of the picture's pixels.
fn resampled<const N: usize>(values: &[u8], size: (u32, u32), view: &View, grid: Grid) -> Vec<u8> {
    let scale = view.scale();
    let columns = Taps::new(view.left, scale.x, grid.left, grid.width, size.0 as usize);
    let rows = Taps::new(view.top, scale.y, grid.top, grid.height, size.1 as usize);
    let line = N * size.0 as usize;
    let mut picture = vec![0; N * grid.width * grid.height];
    picture.par_chunks_exact_mut(N * grid.width).enumerate().for_each_init(Vec::new, |sums, (y, pixels)| {
        // First down each column of the photo that is needed, then along the row.
        sums.clear();
        sums.resize(line, 0.0_f32);
        for (row, weight) in rows.of(y) {
            let source = &values[row * line..(row + 1) * line];
            for (sum, &value) in sums.iter_mut().zip(source) {
                *sum += weight * f32::from(value);
            }
        }
        let sums = sums.as_chunks::<N>().0;
        for (x, pixel) in pixels.as_chunks_mut::<N>().0.iter_mut().enumerate() {
            let mut colour = [0.5_f32; N];
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
    /// `[(height + 4) * (width + 4)]` red, green and blue of what moves, multiplied by its alpha (premultiplied), and alpha; 0..255.
    /// Floats, because every texel is read sixteen times a frame and would be converted each time.
    texels: Vec<[f32; 4]>,
    /// Where the person's alpha is 0 the colours are 0 too, so that pixels without alpha are skipped; bicubic overshoot would
    /// change them.
    ends: bool,
}

impl Texture {
    /// The photo at the output pixels of `grid`, all of which moves.
    pub(super) fn new(photo: &RgbImage, view: &View, grid: Grid) -> Self {
        let picture = resample(photo, view, grid.padded());
        let texels = picture.pixels().map(|&image::Rgb([r, g, b])| [r, g, b, 255].map(f32::from)).collect();
        Self { grid, texels, ends: false }
    }

    /// The person of `layers` at the output pixels of `grid`. Laid over the plate, it is `photo` again. Of places above the photo
    /// (photo pixels) `above` says how far inside the photo what is seen there stands, and how much of it there is, 0..1. Before the
    /// photo's own background (`keep`) what hair has coloured around the person goes with it.
    pub(super) fn of_person(
        photo: &RgbImage,
        layers: &Layers,
        view: &View,
        grid: Grid,
        above: Option<impl Fn(Vector2<f32>) -> (f32, f32)>,
        keep: bool,
    ) -> Self {
        let size = Vector2::new(photo.width() as f32, photo.height() as f32);
        let [photo, plate] = [photo, &layers.plate].map(|picture| resample(picture, view, grid.padded()));
        let alpha = resample_grey(&layers.alpha, view, grid.padded());
        let texel = |((photo, plate), alpha): ((&image::Rgb<u8>, &image::Rgb<u8>), &u8)| {
            let through = f32::from(255 - alpha) / 255.0;
            if *alpha == 0 && !keep {
                return [0.0; 4];
            }
            let own = |c: usize| f32::from(photo.0[c]) - through * f32::from(plate.0[c]);
            [own(0), own(1), own(2), f32::from(*alpha)]
        };
        let mut texels: Vec<_> = photo.pixels().zip(plate.pixels()).zip(alpha.iter()).map(texel).collect();
        let Grid { left, top, width, height } = grid.padded();
        // Beyond the photo there is nothing, except the border texels that the filter reads.
        let end = view.to_output(size).x.ceil() as i64 + PAD as i64;
        let begin = view.to_output(Vector2::zeros()).map(|edge| edge.floor() as i64 - PAD as i64);
        for (i, texel) in texels.iter_mut().enumerate() {
            let (x, y) = (left + (i % width) as i64, top + (i / width) as i64);
            if x < begin.x || x >= end || y < begin.y {
                *texel = [0.0; 4];
            }
        }
        if let Some(above) = above {
            for y in 0..height {
                let row = view.to_photo(Vector2::new(0.0, (top + y as i64) as f32 + 0.5)).y;
                if row >= 0.0 {
                    break;
                }
                for x in 0..width {
                    let place = view.to_photo(Vector2::new((left + x as i64) as f32 + 0.5, 0.0));
                    let (inside, share) = above(Vector2::new(place.x, row));
                    let seen = view.to_output(Vector2::new(0.0, inside)).y.floor() as i64 - top;
                    let seen = (seen.max(0) as usize).min(height - 1);
                    texels[y * width + x] = texels[seen * width + x].map(|value| value * share);
                }
            }
        }
        let ends =
            texels.iter().all(|texel| texel[3] > 0.0 || texel.iter().all(|value| value.abs() < f32::EPSILON));
        Self { grid, texels, ends }
    }

    /// Lays the colours at `positions`, output pixels, over `pixels`, by Catmull-Rom interpolation (Keys 1981, a = -1/2) in
    /// steps of 1/256 of a pixel; positions beyond the texture are moved to its border. `covered` becomes how much of each
    /// pixel they cover, 0..255.
    pub(super) fn sample(
        &self,
        positions: impl Iterator<Item = Vector2<f32>>,
        pixels: &mut [[u8; 3]],
        covered: &mut [u8],
    ) {
        SampleRow { texture: self, positions, pixels, covered }.dispatch();
    }

    /// The colour at one position.
    pub(super) fn sample_one(&self, position: Vector2<f32>) -> [u8; 3] {
        let mut pixel = [[0; 3]];
        self.sample(std::iter::once(position), &mut pixel, &mut [0]);
        pixel[0]
    }
}

/// Sampling of a row, on the widest vectors that the machine has.
struct SampleRow<'a, P> {
    texture: &'a Texture,
    positions: P,
    pixels: &'a mut [[u8; 3]],
    covered: &'a mut [u8],
}

impl<P: Iterator<Item = Vector2<f32>>> PanelOp for SampleRow<'_, P> {
    type Output = ();

    /// A panel holds the four neighbours in a row of the texture. The four rows are mixed first, then the four columns.
    #[inline(always)]
    fn eval<O: NumOps<f32>, const VECTORS: usize>(self, ops: O) {
        let Grid { left, top, width, height } = self.texture.grid;
        let (left, top) = (left as f32 + 0.5, top as f32 + 0.5);
        let (last_x, last_y) = ((width - 1) as f32, (height - 1) as f32);
        let stride = width + 2 * PAD;
        let texels = self.texture.texels.as_flattened();
        for ((position, pixel), covered) in self.positions.zip(self.pixels).zip(self.covered) {
            let (column, across) = split((position.x - left).clamp(0.0, last_x));
            let (row, down) = split((position.y - top).clamp(0.0, last_y));
            let start = (row + PAD - 1) * stride + column + PAD - 1;
            let mut sums = [ops.zero(); VECTORS];
            for (line, &weight) in WEIGHTS.plain[down].iter().enumerate() {
                let weight = ops.splat(weight);
                let texels: [O::Simd; VECTORS] = ops.load_many(&texels[4 * (start + line * stride)..]);
                for (sum, texel) in sums.iter_mut().zip(texels) {
                    *sum = ops.mul_add(weight, texel, *sum);
                }
            }
            let across: [O::Simd; VECTORS] = ops.load_many(&WEIGHTS.spread[across]);
            let mut columns = [0.0; PANEL];
            for (i, (sum, weight)) in sums.into_iter().zip(across).enumerate() {
                ops.store(ops.mul(sum, weight), &mut columns[i * ops.len()..]);
            }
            let sum = |c: usize| (columns[c] + columns[4 + c]) + (columns[8 + c] + columns[12 + c]);
            let share = sum(3).clamp(0.0, 255.0);
            if self.texture.ends && share < 0.5 {
                *covered = 0;
                continue;
            }
            let through = (255.0 - share) * (1.0 / 255.0);
            *covered = (share + 0.5) as i32 as u8;
            *pixel = std::array::from_fn(|c| {
                let colour = sum(c) + through * f32::from(pixel[c]) + 0.5;
                colour.clamp(0.0, 255.0) as i32 as u8
            });
        }
    }
}

/// A coordinate as a whole number and a number of steps.
#[inline(always)]
fn split(coordinate: f32) -> (usize, usize) {
    let steps = (coordinate * STEPS as f32 + 0.5) as i32 as usize;
    (steps / STEPS, steps % STEPS)
}

/// Positions between two texels.
const STEPS: usize = 256;

/// The weights of the four neighbours for each step between the middle two.
struct Weights {
    plain: [[f32; 4]; STEPS],
    /// Each weight four times, for the four values of a texel.
    spread: [[f32; PANEL]; STEPS],
}

static WEIGHTS: Weights = weights();

const fn weights() -> Weights {
    let mut weights = Weights { plain: [[0.0; 4]; STEPS], spread: [[0.0; PANEL]; STEPS] };
    let mut step = 0;
    while step < STEPS {
        weights.plain[step] = catmull_rom(step as f32 / STEPS as f32);
        let mut i = 0;
        while i < PANEL {
            weights.spread[step][i] = weights.plain[step][i / 4];
            i += 1;
        }
        step += 1;
    }
    weights
}

/// Weights of the four neighbours at `t` in 0..1 between the middle two.
const fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [-0.5 * t + t2 - 0.5 * t3, 1.0 - 2.5 * t2 + 1.5 * t3, 0.5 * t + 2.0 * t2 - 1.5 * t3, -0.5 * t2 + 0.5 * t3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_arrays_sample_as_vectors_do() {
        let photo =
            RgbImage::from_fn(24, 16, |x, y| image::Rgb([(x * 10) as u8, (y * 15) as u8, (x * y) as u8]));
        let grid = Grid { left: 0, top: 0, width: 24, height: 16 };
        let texture = Texture::new(&photo, &View::whole(24, 16), grid);
        let positions =
            || (0..500_u16).map(|i| Vector2::new(f32::from(i) * 0.053 - 1.0, f32::from(i % 61) * 0.29 - 0.7));
        let [mut vectors, mut portable] = [vec![[0; 3]; 500], vec![[0; 3]; 500]];
        let covered = &mut [0; 500];
        texture.sample(positions(), &mut vectors, covered);
        SampleRow { texture: &texture, positions: positions(), pixels: &mut portable, covered }.portable();
        for (a, b) in vectors.as_flattened().iter().zip(portable.as_flattened()) {
            assert!(a.abs_diff(*b) <= 1, "{a} {b}");
        }
    }
}
