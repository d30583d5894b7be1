//! The light mirrored in an eye, apart from the iris behind it.

use gioconda_kernels::luma::{REC_709, luma};
use image::RgbImage;
use nalgebra::Vector2;

use super::lid_shade::LidShade;
use super::whole_iris::WholeIris;
use crate::aperture::Aperture;
use crate::colour::Colour;
use crate::look::Iris;

/// So far from the iris's middle, in radii, a highlight is looked for: farther out there is white.
const REACH: f32 = 0.8;
/// It is lighter than the iris by at least this, levels of 0..255 and share of the iris's own light.
const LIGHTER: (f32, f32) = (24.0, 0.3);
/// From this share of the strongest difference on a pixel belongs to it, and does so in full at the second.
const EDGE: (f32, f32) = (0.2, 0.45);
/// A highlight covers at most this share of the iris: more is a pale iris.
const LARGEST: f32 = 0.25;

/// What a highlight adds to the iris, on the photo's pixels.
pub(super) struct Highlight {
    /// First column and row.
    left: i64,
    top: i64,
    width: usize,
    height: usize,
    /// `[height * width]`, 0..255, 0 at the border.
    light: Vec<Colour>,
}

impl Highlight {
    /// `None` for an iris without one.
    pub(super) fn of_photo(
        photo: &RgbImage,
        eye: &Aperture,
        iris: &Iris,
        whole: &WholeIris,
        shade: &LidShade,
    ) -> Option<Self> {
        let middle = eye.position(iris.photo.x, iris.photo.y);
        let reach = eye.pixels(iris.radius) + 2.0;
        let (left, top) = ((middle.x - reach).floor() as i64, (middle.y - reach).floor() as i64);
        let side = (2.0 * reach).ceil() as usize + 1;
        // What is lighter than the whole iris would be there, and by how much.
        let mut light = vec![[0.0; 3]; side * side];
        let mut lighter = vec![0.0_f32; side * side];
        let mut inside = 0;
        for (i, (light, lighter)) in light.iter_mut().zip(&mut lighter).enumerate() {
            let (x, y) = (left + (i % side) as i64, top + (i / side) as i64);
            if x < 0 || y < 0 || x >= i64::from(photo.width()) || y >= i64::from(photo.height()) {
                continue;
            }
            let (along, above) = eye.coordinates(Vector2::new(x as f32 + 0.5, y as f32 + 0.5));
            let (lower, upper) = eye.edges(along);
            let place = iris.place(iris.photo, along, above);
            if place.norm() > REACH || above > upper - 0.04 || above < lower + 0.04 {
                continue;
            }
            inside += 1;
            let shaded = whole.at(place).map(|v| v * shade.at(upper - above));
            let own = photo.get_pixel(x as u32, y as u32).0.map(f32::from);
            *light = std::array::from_fn(|c| own[c] - shaded[c]);
            let base = luma(REC_709, shaded);
            *lighter = (luma(REC_709, *light) - LIGHTER.1 * base).max(0.0);
        }
        let most = lighter.iter().copied().fold(0.0, f32::max);
        if most < LIGHTER.0 {
            return None;
        }
        let share = |lighter: f32| ((lighter / most - EDGE.0) / (EDGE.1 - EDGE.0)).clamp(0.0, 1.0);
        let covered: f32 = lighter.iter().map(|&lighter| share(lighter)).sum();
        if covered > LARGEST * inside as f32 {
            return None;
        }
        for (light, lighter) in light.iter_mut().zip(lighter) {
            *light = light.map(|v| v * share(lighter));
        }
        Some(Self { left, top, width: side, height: side, light })
    }

    /// What is added at a position of the photo; bilinear.
    pub(super) fn at(&self, position: Vector2<f32>) -> Colour {
        let x = position.x - 0.5 - self.left as f32;
        let y = position.y - 0.5 - self.top as f32;
        let inside = x >= 0.0 && y >= 0.0 && x < (self.width - 1) as f32 && y < (self.height - 1) as f32;
        if !inside {
            return [0.0; 3];
        }
        let (column, row) = (x as usize, y as usize);
        let (across, down) = (x - column as f32, y - row as f32);
        let light = |column: usize, row: usize| self.light[row * self.width + column];
        let [a, b, c, d] =
            [light(column, row), light(column + 1, row), light(column, row + 1), light(column + 1, row + 1)];
        std::array::from_fn(|i| {
            let upper = a[i] + (b[i] - a[i]) * across;
            let lower = c[i] + (d[i] - c[i]) * across;
            upper + (lower - upper) * down
        })
    }
}
