//! From the photo to the picture that is animated.
//!
//! The renderer works on a picture that already has the output's scale, so that its per-frame work neither shrinks
//! nor enlarges and a huge photo costs nothing extra. [`Canvas`] makes that picture once: the whole photo, or the
//! part of it around the head, resampled, with the landmarks carried along.

use std::sync::Arc;

use gioconda_face::{Landmarks, Matte};
use gioconda_warp::{MeshRenderer, View};
use image::{ImageBuffer, Pixel, RgbImage};
use nalgebra::Vector2;

use crate::avatar::Avatar;
use crate::matte::{fitted, resized};

/// What of the photo is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The whole photo, its longer side at most this many pixels; never enlarged.
    Full {
        /// Pixels, 64..=4096.
        longest_side: u32,
    },
    /// A square around the head.
    Head {
        /// Side in pixels, 64..=4096.
        side: u32,
    },
}

/// Longest side of a whole photo when the user asks for none: what every player shows.
pub const DEFAULT_LONGEST_SIDE: u32 = 1920;

/// Side of a head crop when the user asks for none.
pub const DEFAULT_HEAD_SIDE: u32 = 512;

/// Side of the head crop over the larger side of the face's box.
const HEAD_CROP: f32 = 2.0;

/// Kept around a head crop, as a share of its side: hair and shoulders may move into view.
const MARGIN: f32 = 0.35;

/// A rectangle of whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Column of its left edge.
    pub left: u32,
    /// Row of its top edge.
    pub top: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Window {
    /// The window as a view of its picture, pixel for pixel.
    pub(crate) fn view(&self) -> View {
        View {
            left: self.left as f32,
            top: self.top as f32,
            side_x: self.width as f32,
            side_y: self.height as f32,
            width: self.width as usize,
            height: self.height as usize,
        }
    }
}

/// The picture that is animated, at the output's scale.
#[derive(Clone, Debug)]
pub struct Canvas {
    /// The photo, or the part around the head with a margin, at the output's scale.
    pub picture: Arc<RgbImage>,
    /// The face, in pixels of `picture`.
    pub landmarks: Landmarks,
    /// The person in `picture`, of its size, where it is known.
    pub matte: Option<Arc<Matte>>,
    /// Pixels of `picture` per pixel of the photo.
    pub scale: f32,
    /// Where the photo's top-left corner lies in `picture`, pixels.
    pub origin: Vector2<f32>,
    /// What of `picture` the output shows, pixel for pixel; both sides are even, as video wants them.
    pub window: Window,
}

impl Canvas {
    /// Cuts and resamples `photo`, with the face at `landmarks` (pixels of `photo`); it has no matte.
    pub fn new(photo: &Arc<RgbImage>, landmarks: &Landmarks, framing: Framing) -> Self {
        match framing {
            Framing::Full { longest_side } => Self::full(photo, landmarks, longest_side),
            Framing::Head { side } => Self::head(photo, landmarks, side),
        }
    }

    /// Cuts and resamples an avatar's photo, and its matte with it.
    pub fn of(avatar: &Avatar, framing: Framing) -> Self {
        let canvas = Self::new(&avatar.photo, &avatar.landmarks, framing);
        let size = canvas.picture.dimensions();
        let matte = avatar.matte.as_ref().map(|matte| match framing {
            Framing::Full { .. } => fitted(matte, size),
            Framing::Head { .. } => {
                let around = Around::head(&avatar.landmarks, avatar.photo.dimensions());
                resized(&around.cut(&matte.alpha), matte.verdict, size)
            }
        });
        Self { matte, ..canvas }
    }

    /// The mesh renderer of the picture: in layers, where there is a matte.
    pub(crate) fn mesh_renderer(&self) -> MeshRenderer {
        let renderer = MeshRenderer::new(Arc::clone(&self.picture), &self.landmarks);
        match &self.matte {
            Some(matte) => renderer.with_matte(matte),
            None => renderer,
        }
    }

    fn full(photo: &Arc<RgbImage>, landmarks: &Landmarks, longest_side: u32) -> Self {
        let (width, height) = photo.dimensions();
        let longest = width.max(height);
        let (picture, scale) = if longest <= longest_side {
            (Arc::clone(photo), 1.0)
        } else {
            let scale = longest_side as f32 / longest as f32;
            let sides = [width, height].map(|side| ((side as f32 * scale).round() as u32).max(2));
            (Arc::new(gioconda_media::resize(photo, sides[0], sides[1])), scale)
        };
        let window = Window { left: 0, top: 0, width: even(picture.width()), height: even(picture.height()) };
        let origin = Vector2::zeros();
        Self {
            landmarks: landmarks.scaled_and_shifted(scale, origin),
            picture,
            matte: None,
            scale,
            origin,
            window,
        }
    }

    fn head(photo: &RgbImage, landmarks: &Landmarks, side: u32) -> Self {
        let part = Around::head(landmarks, photo.dimensions());
        let Around { crop, left, top, .. } = part;
        let side = even(side);
        let scale = side as f32 / crop.width as f32;
        let around = part.cut(photo);
        let sides = [around.width(), around.height()].map(|s| (s as f32 * scale).round() as u32);
        let origin = -Vector2::new(left as f32, top as f32) * scale;
        let corner = [crop.left - left, crop.top - top].map(|c| (c as f32 * scale).round() as u32);
        // Rounding may leave the far edge one pixel short.
        let (width, height) = (sides[0].max(corner[0] + side), sides[1].max(corner[1] + side));
        Self {
            picture: Arc::new(gioconda_media::resize(&around, width, height)),
            landmarks: landmarks.scaled_and_shifted(scale, origin),
            matte: None,
            scale,
            origin,
            window: Window { left: corner[0], top: corner[1], width: side, height: side },
        }
    }

    /// Landmarks of a frame of `size` pixels, laid over the whole photo as large as fits and centred.
    pub fn lay_over(&self, landmarks: &Landmarks, size: (u32, u32), photo: (u32, u32)) -> Landmarks {
        let [(fw, fh), (pw, ph)] = [size, photo].map(|(w, h)| (w as f32, h as f32));
        let fit = (pw / fw).min(ph / fh);
        let offset = Vector2::new(pw - fit * fw, ph - fit * fh) / 2.0;
        landmarks.scaled_and_shifted(fit * self.scale, offset * self.scale + self.origin)
    }

    /// The still picture: what the window shows when nothing moves.
    pub fn still(&self) -> RgbImage {
        let Window { left, top, width, height } = self.window;
        image::imageops::crop_imm(&*self.picture, left, top, width, height).to_image()
    }
}

/// What is kept of a photo for a head crop: the crop and a margin, as far as the photo goes.
struct Around {
    /// What is shown, pixels of the photo.
    crop: Window,
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
}

impl Around {
    fn head(landmarks: &Landmarks, photo: (u32, u32)) -> Self {
        let crop = head_window(landmarks, photo);
        let margin = (crop.width as f32 * MARGIN).round() as u32;
        Self {
            crop,
            left: crop.left.saturating_sub(margin),
            top: crop.top.saturating_sub(margin),
            right: (crop.left + crop.width + margin).min(photo.0),
            bottom: (crop.top + crop.height + margin).min(photo.1),
        }
    }

    /// That part of the photo, or of what has its size.
    fn cut<P: Pixel + 'static>(
        &self,
        photo: &ImageBuffer<P, Vec<P::Subpixel>>,
    ) -> ImageBuffer<P, Vec<P::Subpixel>> {
        let &Self { left, top, right, bottom, .. } = self;
        image::imageops::crop_imm(photo, left, top, right - left, bottom - top).to_image()
    }
}

/// The square around the head, inside a photo of the given size: centred a little above the face, because heads
/// have hair.
fn head_window(landmarks: &Landmarks, (width, height): (u32, u32)) -> Window {
    let (low, high) = landmarks.bounds();
    let (face, centre) = (high - low, (low + high) / 2.0);
    let side = (HEAD_CROP * face.x.max(face.y)).round().clamp(2.0, width.min(height) as f32);
    let corner = |centre: f32, length: u32| (centre - side / 2.0).clamp(0.0, length as f32 - side) as u32;
    Window {
        left: corner(centre.x, width),
        top: corner(centre.y - 0.08 * face.y, height),
        width: side as u32,
        height: side as u32,
    }
}

fn even(side: u32) -> u32 {
    (side & !1).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gioconda_face::LANDMARKS;
    use nalgebra::Vector3;

    /// A face whose box is `side` wide and high, centred at (x, y).
    fn face(x: f32, y: f32, side: f32) -> Landmarks {
        let mut points = [Vector3::new(x, y, 0.0); LANDMARKS];
        points[0] -= Vector3::new(side / 2.0, side / 2.0, 0.0);
        points[1] += Vector3::new(side / 2.0, side / 2.0, 0.0);
        Landmarks { points }
    }

    #[test]
    fn outputs_have_the_size_asked_for_and_lie_inside_the_picture() {
        let full = |longest_side| Framing::Full { longest_side };
        let head = |side| Framing::Head { side };
        let cases = vec![
            ((743, 1155), face(300.0, 400.0, 200.0), full(1920), (742, 1154)),
            ((743, 1155), face(300.0, 400.0, 200.0), full(500), (322, 500)),
            ((743, 1155), face(300.0, 400.0, 200.0), head(512), (512, 512)),
            ((743, 1155), face(20.0, 30.0, 200.0), head(256), (256, 256)),
            ((200, 150), face(100.0, 75.0, 140.0), head(511), (510, 510)),
        ];
        for ((width, height), landmarks, framing, expected) in cases {
            let photo = Arc::new(RgbImage::new(width, height));
            let canvas = Canvas::new(&photo, &landmarks, framing);
            let Window { left, top, width, height } = canvas.window;
            assert_eq!((width, height), expected, "{framing:?}");
            assert!(left + width <= canvas.picture.width() && top + height <= canvas.picture.height());
        }
    }

    #[test]
    fn the_matte_stays_on_its_pixels() {
        // The photo is white where the person is.
        let photo =
            RgbImage::from_fn(400, 300, |x, y| image::Rgb([if x > 130 && y > 90 { 255 } else { 0 }; 3]));
        let alpha = image::GrayImage::from_fn(400, 300, |x, y| image::Luma([photo.get_pixel(x, y)[0]]));
        let landmarks = face(160.0, 150.0, 80.0);
        let shown = gioconda_model::Reference { photo: Arc::new(photo), landmarks };
        let avatar = Avatar { matte: Some(Arc::new(Matte::of_alpha(alpha))), ..Avatar::of(&[shown]) };
        let full = |longest_side| Framing::Full { longest_side };
        for framing in [Framing::Head { side: 128 }, Framing::Head { side: 512 }, full(400), full(250)] {
            let canvas = Canvas::of(&avatar, framing);
            let matte = canvas.matte.expect("an avatar's matte");
            assert_eq!(matte.alpha.dimensions(), canvas.picture.dimensions(), "{framing:?}");
            let pairs = canvas.picture.pixels().zip(matte.alpha.pixels());
            let apart = pairs.filter(|(colour, alpha)| colour[0].abs_diff(alpha[0]) > 64).count();
            assert!(apart < 20, "{framing:?}: {apart} pixels differ");
        }
    }

    #[test]
    fn landmarks_stay_on_their_pixels() {
        let mut photo = RgbImage::new(400, 400);
        for y in 196..204 {
            for x in 146..154 {
                photo.put_pixel(x, y, image::Rgb([255, 255, 255]));
            }
        }
        let photo = Arc::new(photo);
        for framing in [Framing::Head { side: 256 }, Framing::Full { longest_side: 200 }] {
            let canvas = Canvas::new(&photo, &face(150.0, 200.0, 100.0), framing);
            let at = canvas.landmarks.xy(5);
            let pixel = canvas.picture.get_pixel(at.x as u32, at.y as u32);
            assert!(pixel[0] > 200, "{framing:?}: {pixel:?} at {at}");
        }
    }
}
