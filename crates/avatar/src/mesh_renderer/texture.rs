//! The photo on a view's pixel grid, and bicubic sampling of it.
//!
//! The photo is resampled once per view with an antialiased filter, on exactly the pixel grid of the view. A warp
//! that moves nothing therefore samples texel centres and reproduces the background bit by bit, and a view smaller
//! than the photo cannot alias.

use std::sync::Arc;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, ResizeOptions, Resizer};
use gioconda_face::warp::View;
use image::RgbImage;
use nalgebra::Vector2;

/// Texels added on each side, so that a filter at the edge finds its neighbours.
const PAD: usize = 2;

/// The photo as far as the view or the moving region need it, on the view's grid.
pub(super) struct Resampled {
    picture: Arc<RgbImage>,
    /// Output pixel coordinates of the picture's first pixel.
    left: i64,
    top: i64,
}

impl Resampled {
    /// Resamples what lies in the view or between `from` and `to` (output pixels).
    pub(super) fn new(photo: &Arc<RgbImage>, view: &View, from: Vector2<f32>, to: Vector2<f32>) -> Self {
        let (width, height) = photo.dimensions();
        let columns = Axis::new(view.left, view.side_x, view.width, width, from.x, to.x);
        let rows = Axis::new(view.top, view.side_y, view.height, height, from.y, to.y);
        if columns.is_aligned() && rows.is_aligned() {
            let (left, top) = (-view.left as i64, -view.top as i64);
            return Self { picture: Arc::clone(photo), left, top };
        }
        let (new_width, new_height) = (columns.len(), rows.len());
        let mut resized = Image::new(new_width, new_height, PixelType::U8x3);
        let ((x, w), (y, h)) = (columns.source(), rows.source());
        let resize = ImageRef::new(width, height, photo.as_raw(), PixelType::U8x3)
            .map_err(|error| error.to_string())
            .and_then(|source| {
                let options = ResizeOptions::new().crop(x, y, w, h);
                Resizer::new().resize(&source, &mut resized, &options).map_err(|error| error.to_string())
            });
        resize.expect("a three-byte picture and a crop box that Axis keeps within it");
        let picture = RgbImage::from_raw(new_width, new_height, resized.into_vec())
            .expect("the buffer has the size it was made with");
        Self { picture: Arc::new(picture), left: columns.first, top: rows.first }
    }

    /// The view's still picture; beyond the photo its border is repeated.
    pub(super) fn picture(&self, width: usize, height: usize) -> RgbImage {
        RgbImage::from_fn(width as u32, height as u32, |x, y| self.pixel(i64::from(x), i64::from(y)))
    }

    /// A texture of the output pixels from `from` to `to`.
    pub(super) fn texture(&self, from: Vector2<f32>, to: Vector2<f32>) -> Texture {
        let (left, top) = (from.x.floor() as i64, from.y.floor() as i64);
        let width = ((to.x.ceil() as i64) - left).max(1) as usize;
        let height = ((to.y.ceil() as i64) - top).max(1) as usize;
        let stride = width + 2 * PAD;
        let texels = (0..stride * (height + 2 * PAD))
            .map(|i| {
                let (x, y) = (left + (i % stride) as i64, top + (i / stride) as i64);
                let [r, g, b] = self.pixel(x - PAD as i64, y - PAD as i64).0;
                [r, g, b, 0]
            })
            .collect();
        Texture { left: left as f32, top: top as f32, width, height, texels }
    }

    fn pixel(&self, x: i64, y: i64) -> image::Rgb<u8> {
        let (width, height) = self.picture.dimensions();
        let x = (x - self.left).clamp(0, i64::from(width) - 1);
        let y = (y - self.top).clamp(0, i64::from(height) - 1);
        *self.picture.get_pixel(x as u32, y as u32)
    }
}

/// One axis of the view's grid over the photo.
struct Axis {
    /// Photo pixel at output pixel 0, and photo pixels per output pixel.
    origin: f64,
    scale: f64,
    size: f64,
    /// The first output pixel that lies wholly in the photo and is needed, and the one after the last.
    first: i64,
    end: i64,
}

impl Axis {
    fn new(origin: f32, side: f32, pixels: usize, size: u32, from: f32, to: f32) -> Self {
        let (origin, scale, size) = (f64::from(origin), f64::from(side) / pixels as f64, f64::from(size));
        let needed = (f64::from(from.floor().min(0.0)), f64::from(to.ceil()).max(pixels as f64));
        // Rounding must not cost the last pixel of a view that ends with the photo.
        let slack = 1e-4;
        let first = (-origin / scale - slack).ceil().max(needed.0);
        let end = ((size - origin) / scale + slack).floor().min(needed.1);
        // A view that lies beside the photo sees its nearest pixels.
        let last = ((size - origin) / scale).floor() - 1.0;
        let first = first.min(last.max(first.min(0.0)));
        Self { origin, scale, size, first: first as i64, end: end.max(first + 1.0) as i64 }
    }

    fn is_aligned(&self) -> bool {
        (self.scale - 1.0).abs() < 1e-9 && self.origin.fract() == 0.0
    }

    fn len(&self) -> u32 {
        (self.end - self.first) as u32
    }

    /// Start and length in the photo.
    fn source(&self) -> (f64, f64) {
        let length = ((self.end - self.first) as f64 * self.scale).min(self.size);
        let start = (self.origin + self.first as f64 * self.scale).clamp(0.0, self.size - length);
        (start, length)
    }
}

/// Texels of the moving region.
pub(super) struct Texture {
    /// Output pixel coordinates of the first texel's corner, without the padding.
    left: f32,
    top: f32,
    width: usize,
    height: usize,
    texels: Vec<[u8; 4]>,
}

impl Texture {
    /// The colour at a position in output pixels, by Catmull-Rom interpolation (Keys 1981, a = -1/2); beyond the
    /// texture its border is repeated.
    pub(super) fn sample(&self, position: Vector2<f32>) -> [u8; 3] {
        let x = (position.x - self.left - 0.5).clamp(0.0, (self.width - 1) as f32);
        let y = (position.y - self.top - 0.5).clamp(0.0, (self.height - 1) as f32);
        let (column, row) = (x as usize, y as usize);
        let (across, down) = (catmull_rom(x - column as f32), catmull_rom(y - row as f32));
        let stride = self.width + 2 * PAD;
        let start = (row + PAD - 1) * stride + column + PAD - 1;
        let mut colour = [0.5_f32; 4];
        for (line, weight) in down.into_iter().enumerate() {
            let at = start + line * stride;
            let texels: &[[u8; 4]; 4] = self.texels[at..at + 4].try_into().expect("a slice of four");
            let mut sum = [0.0_f32; 4];
            for (texel, share) in texels.iter().zip(across) {
                for (sum, &value) in sum.iter_mut().zip(texel) {
                    *sum += share * f32::from(value);
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
    [
        -0.5 * t + t2 - 0.5 * t3,
        1.0 - 2.5 * t2 + 1.5 * t3,
        0.5 * t + 2.0 * t2 - 1.5 * t3,
        -0.5 * t2 + 0.5 * t3,
    ]
}
