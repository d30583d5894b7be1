//! How much of each pixel of a photo belongs to the person in it, and whether that can be trusted.

mod finder;
mod guided_filter;
mod person;
mod verdict;

use image::GrayImage;
use nalgebra::Vector2;

use crate::Landmarks;

pub use finder::MatteFinder;
pub use verdict::MatteVerdict;

/// A person's matte.
#[derive(Clone, Debug, PartialEq)]
pub struct Matte {
    /// Of the photo's size: 0 background, 255 person.
    pub alpha: GrayImage,
    /// Whether it can be trusted.
    pub verdict: MatteVerdict,
}

impl Matte {
    /// A matte that is known, such as a stored one.
    pub fn of_alpha(alpha: GrayImage) -> Self {
        Self { alpha, verdict: MatteVerdict::Good }
    }

    /// The matte with a verdict on it for the face at `landmarks`, pixels: the alpha channel of a photo may as well be a
    /// round frame or nothing at all.
    #[must_use]
    pub fn judged(self, landmarks: &Landmarks) -> Self {
        let verdict = verdict::judge(landmarks, self.alpha.dimensions(), |at| self.at(at));
        Self { verdict, ..self }
    }

    /// Whether layers can be made of it.
    pub fn is_usable(&self) -> bool {
        self.verdict == MatteVerdict::Good
    }

    /// Which share of a face the matte holds, 0..1; of another person's face it should be nothing.
    pub fn share_of(&self, face: &Landmarks) -> f32 {
        verdict::share_of_face(face, self.alpha.dimensions(), |at| self.at(at))
    }

    /// Alpha at a position inside the photo, 0..1.
    fn at(&self, at: Vector2<f32>) -> f32 {
        let x = (at.x.max(0.0) as u32).min(self.alpha.width() - 1);
        let y = (at.y.max(0.0) as u32).min(self.alpha.height() - 1);
        f32::from(self.alpha.get_pixel(x, y)[0]) / 255.0
    }
}
