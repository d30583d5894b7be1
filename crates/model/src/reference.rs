//! One photo of a person.

use std::sync::Arc;

use gioconda_face::Landmarks;
use image::RgbImage;
use nalgebra::Vector2;

/// A photo of a person and the person's face in it.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The photo, upright.
    pub photo: Arc<RgbImage>,
    /// The face, in pixels of the photo.
    pub landmarks: Landmarks,
}

impl Reference {
    /// The part of the photo that lies within `factor` times the longer side of the face's box, around its middle.
    #[must_use]
    pub fn head(&self, factor: f32) -> Self {
        let (low, high) = self.landmarks.bounds();
        let (middle, reach) = ((low + high) / 2.0, 0.5 * factor * (high - low).max());
        let edge = |value: f32, length: u32| value.round().clamp(0.0, length as f32) as u32;
        let (width, height) = self.photo.dimensions();
        let (left, top) = (edge(middle.x - reach, width - 1), edge(middle.y - reach, height - 1));
        let (right, bottom) = (edge(middle.x + reach, width), edge(middle.y + reach, height));
        let (columns, rows) = (right.saturating_sub(left).max(1), bottom.saturating_sub(top).max(1));
        let photo = image::imageops::crop_imm(&*self.photo, left, top, columns, rows).to_image();
        let corner = Vector2::new(left as f32, top as f32);
        Self { photo: Arc::new(photo), landmarks: self.landmarks.scaled_and_shifted(1.0, -corner) }
    }

    /// The photo at `scale` times its size, each side at most `longest` pixels.
    #[must_use]
    pub fn scaled(&self, scale: f32, longest: u32) -> Self {
        let (width, height) = self.photo.dimensions();
        let scale = scale.min(longest as f32 / width.max(height) as f32);
        let sides = [width, height].map(|side| ((side as f32 * scale).round() as u32).max(1));
        Self {
            photo: Arc::new(gioconda_media::resize(&self.photo, sides[0], sides[1])),
            landmarks: self.landmarks.scaled_and_shifted(scale, Vector2::zeros()),
        }
    }
}
