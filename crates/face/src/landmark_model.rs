//! 478 landmarks from a face crop: MediaPipe's attention mesh.

use gioconda_kernels::landmarks::{INPUT, LandmarkNetwork};
use image::RgbImage;
use nalgebra::{Rotation2, Vector2, Vector3};

use crate::landmark_network;
use crate::models::card;
use crate::region::Region;
use crate::sampling::{Border, sample};
use crate::topology::point;
use crate::{Error, LANDMARKS, Landmarks};

/// Landmarks as the model gives them, with its opinion whether there is a face at all.
#[derive(Clone, Debug)]
pub struct FoundLandmarks {
    /// The landmarks, in picture pixels.
    pub landmarks: Landmarks,
    /// Probability that the region showed a face, 0..1. Below [`MIN_PRESENCE`] the landmarks mean nothing.
    pub presence: f32,
}

/// Landmarks with less presence than this are not a face (MediaPipe's default).
pub const MIN_PRESENCE: f32 = 0.5;

/// How a region is displaced when a face is looked at again: right and down in its sides, its size in sizes, turned by
/// radians. Neighbours undo each other, so that an even number of looks has no direction of its own.
const DISPLACED: [(f32, f32, f32, f32); 8] = [
    (0.02, -0.02, 0.96, 0.05),
    (-0.02, 0.02, 1.04, -0.05),
    (0.02, 0.02, 0.96, -0.05),
    (-0.02, -0.02, 1.04, 0.05),
    (0.03, 0.0, 1.0, 0.1),
    (-0.03, 0.0, 1.0, -0.1),
    (0.0, 0.03, 1.0, 0.0),
    (0.0, -0.03, 1.0, 0.0),
];

/// Looks at one face that are averaged in a photo, which is found once ...
pub(crate) const LOOKS_AT_A_PHOTO: usize = 1 + DISPLACED.len();
/// ... and in a frame of a clip.
pub(crate) const LOOKS_AT_A_FRAME: usize = 3;

/// The landmark model. One picture takes one thread a few milliseconds.
pub struct LandmarkModel {
    network: LandmarkNetwork,
    /// The model's input, kept between frames.
    tensor: Vec<f32>,
}

impl LandmarkModel {
    /// Loads the built-in model.
    pub fn new() -> Result<Self, Error> {
        let card = card("face_landmarks_478");
        let failed = |reason| Error::LoadModel { model: card.name, reason };
        let network = landmark_network::read(card.bytes).map_err(failed)?;
        if network.landmarks() == LANDMARKS {
            Ok(Self { network, tensor: Vec::new() })
        } else {
            Err(failed(format!("it gives {} landmarks instead of {LANDMARKS}", network.landmarks())))
        }
    }

    /// Landmarks of the face that fills `region` with its eyes level: [`crate::Detection::landmark_region`], or
    /// [`landmark_region`] of the previous frame's landmarks.
    pub fn find(&mut self, picture: &RgbImage, region: &Region) -> FoundLandmarks {
        sample(picture, region, INPUT, (0.0, 1.0), Border::Replicate, &mut self.tensor);
        let (points, logit) = self.network.run(&self.tensor);
        FoundLandmarks { landmarks: to_picture(&points, region), presence: 1.0 / (1.0 + (-logit).exp()) }
    }

    /// The mean of landmarks that were found in `region` and of what the model finds of the same face from slightly
    /// elsewhere, `looks` of them in all, 1 to 9: where landmarks are a little wrong, they are wrong differently from
    /// look to look.
    pub(crate) fn steadied(
        &mut self,
        picture: &RgbImage,
        region: &Region,
        found: FoundLandmarks,
        looks: usize,
    ) -> FoundLandmarks {
        let FoundLandmarks { mut landmarks, presence } = found;
        let mut count = 1.0;
        for &(right, down, size, turn) in &DISPLACED[..looks - 1] {
            let shift = Rotation2::new(region.rotation) * Vector2::new(right, down) * region.size;
            let displaced = Region {
                center: region.center + shift,
                size: region.size * size,
                rotation: region.rotation + turn,
            };
            let again = self.find(picture, &displaced);
            if again.presence >= MIN_PRESENCE {
                count += 1.0;
                let sum = landmarks.points.iter_mut().zip(again.landmarks.points);
                sum.for_each(|(mean, point)| *mean += (point - *mean) / count);
            }
        }
        FoundLandmarks { landmarks, presence }
    }
}

/// Crop pixels to picture pixels; z is scaled like x (MediaPipe's `landmark_projection_calculator.cc`).
fn to_picture(crop: &[f32], region: &Region) -> Landmarks {
    let mut points = [Vector3::zeros(); LANDMARKS];
    for (point, raw) in points.iter_mut().zip(crop.chunks_exact(3)) {
        let scaled = Vector3::new(raw[0], raw[1], raw[2]) / INPUT as f32;
        let xy = region.to_picture(scaled.xy());
        *point = Vector3::new(xy.x, xy.y, scaled.z * region.size);
    }
    Landmarks { points }
}

/// The region to look for the same face in the next frame: around the landmarks' box, square, with the eyes level.
///
/// MediaPipe (`face_landmarks_detector_graph.cc`) takes the box's centre and 1.5 times its longer side, which is
/// framed 9 % wider and 3 % higher than what its detector gives the same model for a photo, and moves the landmarks by
/// 1.1 % of the eyes' distance. The two numbers below undo that (mean over the 50 reference frames): landmarks of a
/// tracked face then differ by 0.7 % from those of a detected one.
pub fn landmark_region(landmarks: &Landmarks) -> Region {
    const SCALE: f32 = 1.5 * 0.917;
    const DOWN: f32 = 0.031 * 1.5;
    let (low, high) = landmarks.bounds();
    let side = (high - low).max().max(f32::MIN_POSITIVE);
    let eyes = landmarks.xy(point::LEFT_EYE_OUTER) - landmarks.xy(point::RIGHT_EYE_OUTER);
    let rotation = eyes.y.atan2(eyes.x);
    let down = Rotation2::new(rotation) * Vector2::new(0.0, DOWN * side);
    Region { center: (low + high) / 2.0 + down, size: SCALE * side, rotation }
}
