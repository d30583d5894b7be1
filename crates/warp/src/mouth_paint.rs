//! The mouth that generators were trained to paint on: a band of colours where a photo keeps it shut.
//!
//! A painter's mouth rather than an anatomist's: a dark cavity, the shadow of the upper lip, a soft band of upper
//! teeth and the tongue. All colours are the photo's own lips and skin, scaled: a grey photo stays grey and a
//! painting keeps its palette. What people see is [`MouthInterior`](crate::MouthInterior).

use gioconda_face::Landmarks;
use gioconda_face::topology::{ACROSS_LIPS, LIT_SKIN};
use gioconda_kernels::luma::{REC_709, luma};
use image::RgbImage;
use nalgebra::Vector2;

use crate::aperture::Aperture;
use crate::colour::{Colour, blend, mean, patch};
use crate::share::step;

/// The colours of one photo's mouth.
pub struct MouthPaint {
    cavity: Colour,
    tongue: Colour,
    teeth: Colour,
}

impl MouthPaint {
    /// The mouth of the face at `landmarks`, photo pixels.
    pub fn new(photo: &RgbImage, landmarks: &Landmarks) -> Self {
        let lips = mean(
            ACROSS_LIPS
                .iter()
                .map(|&(inner, outer)| patch(photo, 0.5 * (landmarks.xy(inner) + landmarks.xy(outer)))),
        );
        let skin = LIT_SKIN.map(|i| patch(photo, landmarks.xy(i)));
        // As light as the best-lit skin, whose highlights are white, but of the colour of all of it: a band of pure
        // grey between red lips looks blue.
        let light = 0.78 * skin.iter().map(|&colour| luma(REC_709, colour)).fold(0.0, f32::max);
        let skin = mean(skin.into_iter());
        let per_light = light / luma(REC_709, skin).max(1.0);
        Self {
            cavity: lips.map(|v| 0.22 * v),
            tongue: lips.map(|v| 0.62 * v),
            teeth: skin.map(|v| (0.75 * v * per_light + 0.25 * light).min(255.0)),
        }
    }

    /// Paints over `pixel`, at `position` (photo pixels), the `share` of it that lies between the driving lips, when
    /// they open wider than the photo's. What the photo shows of its own mouth hangs from the upper lip, as the upper
    /// teeth do, and `sample` gives it (photo pixels); the rest is painted.
    pub fn paint(
        &self,
        photo: &Aperture,
        driving: &Aperture,
        position: Vector2<f32>,
        share: f32,
        pixel: &mut [u8; 3],
        sample: impl Fn(Vector2<f32>) -> [u8; 3],
    ) {
        let (along, above) = driving.coordinates(position);
        let (lower, upper) = driving.edges(along);
        let (open, open_photo) = ((upper - lower).max(1e-3), photo.opening(along));
        let share = share * step(0.0, 0.12, open - open_photo);
        if share <= 0.0 {
            return;
        }
        let from_upper = upper - above;
        let seen = step(0.08, 0.25, open_photo);
        let mut colour = self.colour(along, above - lower, from_upper, driving.widest(), 1.0 - seen);
        let own = seen * (1.0 - step(0.7 * open_photo, open_photo, from_upper));
        if own > 0.0 {
            let below_lip = from_upper.clamp(0.0, open_photo);
            let own_colour = sample(photo.position(along, photo.edges(along).1 - below_lip)).map(f32::from);
            blend(&mut colour, own_colour, own);
        }
        for (pixel, colour) in pixel.iter_mut().zip(colour) {
            let below = f32::from(*pixel);
            *pixel = (below + (colour - below) * share + 0.5).clamp(0.0, 255.0) as u8;
        }
    }

    /// The colour `from_lower` centimetres above the lower lip and `from_upper` below the upper one, in a mouth
    /// that opens `widest` centimetres; `teeth` is how much of the upper teeth is painted, 0..1.
    fn colour(&self, along: f32, from_lower: f32, from_upper: f32, widest: f32, teeth: f32) -> Colour {
        let side = (2.0 * along).clamp(-1.0, 1.0);
        let side = side * side;
        // Light falls in from the front and below: the cavity darkens upwards and into the corners.
        let depth = step(0.0, 1.2, from_upper) * (1.0 - 0.5 * side);
        let mut colour = self.cavity.map(|v| v * (0.55 + 0.75 * depth));
        let tongue_height = (0.5 * widest).min(1.1) * (1.0 - 0.9 * side);
        let tongue = step(0.35, 1.2, widest) * (1.0 - step(0.4 * tongue_height, tongue_height, from_lower));
        blend(&mut colour, self.tongue.map(|v| v * (0.55 + 0.45 * (1.0 - side))), 0.75 * tongue);
        let length = 0.62 * step(0.15, 1.0, widest) * (1.0 - 0.75 * side);
        let teeth = teeth * step(0.05, 0.2, length) * (1.0 - step(length - 0.1, length + 0.05, from_upper));
        let lip_shadow = 0.55 + 0.45 * step(0.0, 0.25, from_upper);
        blend(&mut colour, self.teeth.map(|v| v * lip_shadow * (1.0 - 0.65 * side)), 0.85 * teeth);
        // The lower lip stands before the mouth and keeps light off what is behind it.
        let lower_shadow = 0.6 + 0.4 * step(0.0, 0.25, from_lower);
        colour.map(|v| v * lower_shadow)
    }
}
