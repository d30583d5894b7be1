//! How fit a face in a photo is to be animated.

use std::fmt;

use gioconda_kernels::luma::{REC_601, luma};
use image::RgbImage;
use nalgebra::Vector2;

use crate::features::{Side, eye_opening, mouth_opening};
use crate::landmark_model::landmark_region;
use crate::region::Region;
use crate::sampling::{Border, sample};
use crate::topology::MESH_POINTS;
use crate::{HeadPose, Landmarks};

/// What can be said about a face before animating it.
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// Width of the face in pixels, as it would be seen from the front.
    pub face_width: f32,
    /// Yaw, pitch and roll in degrees, as [`HeadPose::yaw_pitch_roll`].
    pub yaw_pitch_roll: [f32; 3],
    /// Variance of the Laplacian of the face's luminance at 128 x 128, divided by the luminance's own variance, so
    /// that light and contrast do not count. Above 0.05 for a crisp photo, below 0.01 for a blurred one.
    pub sharpness: f32,
    /// What may spoil the result, the worst first.
    pub warnings: Vec<QualityWarning>,
}

/// Something about a face that may spoil its animation; `Display` is one line for the user.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum QualityWarning {
    /// Part of the face lies outside the picture.
    CutByFrame,
    /// The face has few pixels.
    TooSmall {
        /// [`Quality::face_width`].
        face_width: f32,
    },
    /// The face looks aside, up or down: what is hidden must be guessed.
    TurnedAway {
        /// Degrees, positive to the person's left.
        yaw: f32,
        /// Degrees, positive up.
        pitch: f32,
    },
    /// The face is out of focus, enlarged or strongly compressed.
    Blurred {
        /// [`Quality::sharpness`].
        sharpness: f32,
    },
    /// The eyes are closed: how they look open must be guessed.
    EyesClosed,
    /// The mouth is open: closing it moves the lips far.
    MouthOpen,
}

impl fmt::Display for QualityWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutByFrame => write!(f, "the face is cut off by the edge of the picture"),
            Self::TooSmall { face_width } => {
                write!(
                    f,
                    "the face is only {face_width:.0} pixels wide; {MIN_FACE_WIDTH:.0} or more look better"
                )
            }
            Self::TurnedAway { yaw, pitch } => {
                write!(
                    f,
                    "the face is turned away (yaw {yaw:.0}°, pitch {pitch:.0}°); a frontal photo works best"
                )
            }
            Self::Blurred { sharpness } => write!(f, "the face is blurred (sharpness {sharpness:.3})"),
            Self::EyesClosed => write!(f, "the eyes are closed; a photo with open eyes works best"),
            Self::MouthOpen => write!(f, "the mouth is open; a photo with a closed mouth works best"),
        }
    }
}

const MIN_FACE_WIDTH: f32 = 96.0;
const MAX_YAW: f32 = 35.0;
const MAX_PITCH: f32 = 30.0;
const MIN_SHARPNESS: f32 = 0.01;
const CLOSED_EYE: f32 = 0.12;
const OPEN_MOUTH: f32 = 0.15;

impl Quality {
    /// Looks at the face with these landmarks in `picture`.
    pub fn measure(picture: &RgbImage, landmarks: &Landmarks, pose: &HeadPose) -> Self {
        let face_width = pose.face_width();
        let yaw_pitch_roll @ [yaw, pitch, _] = pose.yaw_pitch_roll();
        let sharpness = sharpness(picture, landmarks);
        let size = Vector2::new(picture.width() as f32, picture.height() as f32);
        let cut = landmarks.points[..MESH_POINTS]
            .iter()
            .any(|p| p.x < 0.0 || p.y < 0.0 || p.x > size.x || p.y > size.y);
        let eyes = eye_opening(landmarks, Side::Left).max(eye_opening(landmarks, Side::Right));
        let checks = [
            (cut, QualityWarning::CutByFrame),
            (face_width < MIN_FACE_WIDTH, QualityWarning::TooSmall { face_width }),
            (yaw.abs() > MAX_YAW || pitch.abs() > MAX_PITCH, QualityWarning::TurnedAway { yaw, pitch }),
            (sharpness < MIN_SHARPNESS, QualityWarning::Blurred { sharpness }),
            (eyes < CLOSED_EYE, QualityWarning::EyesClosed),
            (mouth_opening(landmarks) > OPEN_MOUTH, QualityWarning::MouthOpen),
        ];
        let warnings = checks.into_iter().filter_map(|(holds, warning)| holds.then_some(warning)).collect();
        Self { face_width, yaw_pitch_roll, sharpness, warnings }
    }
}

/// Side of the crop that sharpness is measured on.
const CROP: usize = 128;

fn sharpness(picture: &RgbImage, landmarks: &Landmarks) -> f32 {
    // The landmark region is 1.5 faces wide; its inner half shows skin, eyes and mouth, no background.
    let around = landmark_region(landmarks);
    let region = Region { size: around.size / 2.0, ..around };
    let mut tensor = Vec::new();
    sample(picture, &region, CROP, (0.0, 1.0), Border::Replicate, &mut tensor);
    let luminance: Vec<f32> = tensor.as_chunks::<3>().0.iter().map(|&rgb| luma(REC_601, rgb)).collect();
    let laplacian: Vec<f32> = (1..CROP - 1)
        .flat_map(|y| (1..CROP - 1).map(move |x| y * CROP + x))
        .map(|i| {
            let neighbours = luminance[i - 1] + luminance[i + 1] + luminance[i - CROP] + luminance[i + CROP];
            neighbours - 4.0 * luminance[i]
        })
        .collect();
    // A flat crop has no edges to be sharp; the floor is the variance of 8-bit rounding.
    variance(&laplacian) / variance(&luminance).max(1e-6)
}

fn variance(values: &[f32]) -> f32 {
    let count = values.len() as f32;
    let mean = values.iter().sum::<f32>() / count;
    values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count
}
