//! What is prepared once for a view: what rests, and a texture of what moves.

use image::{RgbImage, imageops};
use nalgebra::Vector2;

use super::texture::{Grid, Texture, resample, resample_grey};
use crate::background::Background;
use crate::layers::Layers;
use crate::source_mesh::SourceMesh;
use crate::view::View;

/// A blurred background's sigma over the shorter side of the view.
const BLUR: f32 = 0.02;

/// Photo pixels per pixel of the most enlarged view: of a larger one the texture would not fit into memory.
const MOST_ENLARGED: f32 = 1.0 / 64.0;

/// A view of a photo: what it shows when nothing moves, and what is needed to move it.
pub(super) struct Stage {
    pub(super) view: View,
    /// A picture of the view's size: what is behind the person where they can move, the whole picture elsewhere. `None`: the view
    /// is the photo, all of which moves.
    still: Option<RgbImage>,
    /// `[height * width]` how much of each pixel the person covers at rest, 0..255. `None`: all of it.
    alpha: Option<Vec<u8>>,
    pub(super) texture: Texture,
    /// The part of the view that can move: its first column and row, and the view of just that part.
    pub(super) window: (usize, usize),
    pub(super) window_view: View,
}

pub(super) fn is_drawable(view: &View) -> bool {
    let lengths = [view.side_x, view.side_y];
    view.width > 0
        && view.height > 0
        && lengths.iter().all(|side| side.is_finite() && *side > 0.0)
        && view.scale().min() >= MOST_ENLARGED
        && view.left.is_finite()
        && view.top.is_finite()
}

impl Stage {
    pub(super) fn new(
        photo: &RgbImage,
        layers: Option<&Layers>,
        background: Background,
        mesh: &SourceMesh,
        view: &View,
    ) -> Self {
        let region = mesh.region();
        let (left, top) = (region.left as f32, region.top as f32);
        let from = view.to_output(Vector2::new(left, top));
        let to = view.to_output(Vector2::new(left + region.width as f32, top + region.height as f32));
        let pixel = |edge: f32, size: usize| (edge.max(0.0) as usize).min(size);
        let window = (pixel(from.x.floor(), view.width), pixel(from.y.floor(), view.height));
        let width = pixel(to.x.ceil(), view.width) - window.0;
        let height = pixel(to.y.ceil(), view.height) - window.1;
        let scale = view.scale();
        let corner = view.to_photo(Vector2::new(window.0 as f32, window.1 as f32));
        let window_view = View {
            left: corner.x,
            top: corner.y,
            side_x: width as f32 * scale.x,
            side_y: height as f32 * scale.y,
            width,
            height,
        };
        let (corner, end) = mesh.extent();
        let (corner, end) = (view.to_output(corner), view.to_output(end));
        let (left, top) = (corner.x.floor() as i64, corner.y.floor() as i64);
        let grid = Grid {
            left,
            top,
            width: (end.x.ceil() as i64 - left).max(1) as usize,
            height: (end.y.ceil() as i64 - top).max(1) as usize,
        };
        let above = mesh.is_capped().then_some(|place| mesh.above(place));
        let whole = Grid { left: 0, top: 0, width: view.width, height: view.height };
        let is_photo = *view == View::whole(photo.width(), photo.height());
        let (still, alpha, texture) = match layers {
            None => {
                ((!is_photo).then(|| resample(photo, view, whole)), None, Texture::new(photo, view, grid))
            }
            Some(layers) => {
                let alpha = resample_grey(&layers.alpha, view, whole);
                let plate = resample(&layers.plate, view, whole);
                let mut still = resample(photo, view, whole);
                let behind = behind(&plate, background);
                if background != Background::Keep {
                    over(&mut still, &plate, &behind, &alpha);
                }
                imageops::replace(
                    &mut still,
                    &*imageops::crop_imm(
                        &behind,
                        window.0 as u32,
                        window.1 as u32,
                        width as u32,
                        height as u32,
                    ),
                    window.0 as i64,
                    window.1 as i64,
                );
                (
                    Some(still),
                    Some(alpha),
                    Texture::of_person(photo, layers, view, grid, above, background == Background::Keep),
                )
            }
        };
        Self { view: *view, still, alpha, texture, window, window_view }
    }

    /// Whether any pixel of the view can move.
    pub(super) fn moves(&self) -> bool {
        self.window_view.width > 0 && self.window_view.height > 0
    }

    /// What rests: a picture of the view's size. `photo` is the one that the stage was made of.
    pub(super) fn still<'a>(&'a self, photo: &'a RgbImage) -> &'a RgbImage {
        self.still.as_ref().unwrap_or(photo)
    }

    /// The photo's colour at a place of it, photo pixels.
    pub(super) fn photo_at(&self, place: Vector2<f32>) -> [u8; 3] {
        self.texture.sample_one(self.view.to_output(place))
    }

    /// Fills `covered` with how much of each pixel of the view the person covers at rest.
    pub(super) fn cover(&self, covered: &mut Vec<u8>) {
        covered.clear();
        match &self.alpha {
            Some(alpha) => covered.extend_from_slice(alpha),
            None => covered.resize(self.view.width * self.view.height, u8::MAX),
        }
    }
}

/// What is behind the person instead of `plate`.
fn behind(plate: &RgbImage, background: Background) -> RgbImage {
    let filled = |colour| RgbImage::from_pixel(plate.width(), plate.height(), image::Rgb(colour));
    match background {
        Background::Keep => plate.clone(),
        Background::Blur => imageops::fast_blur(plate, BLUR * plate.width().min(plate.height()) as f32),
        Background::Colour(colour) => filled(colour),
        Background::Transparent => filled([0; 3]),
    }
}

/// Puts `behind` in the place of `plate` in `picture`, which `alpha` covers.
fn over(picture: &mut RgbImage, plate: &RgbImage, behind: &RgbImage, alpha: &[u8]) {
    let pixels = picture.pixels_mut().zip(plate.pixels().zip(behind.pixels()));
    for ((pixel, (plate, behind)), alpha) in pixels.zip(alpha) {
        let through = f32::from(255 - alpha) / 255.0;
        if *alpha == 0 {
            *pixel = *behind;
            continue;
        }
        for (c, value) in pixel.0.iter_mut().enumerate() {
            let change = f32::from(behind.0[c]) - f32::from(plate.0[c]);
            *value = (f32::from(*value) + through * change + 0.5).clamp(0.0, 255.0) as u8;
        }
    }
}
