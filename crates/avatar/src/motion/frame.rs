//! What a driver does, freed from who the driver is.
//!
//! A face in a frame is a rigid head pose and, once that is removed, a shape in the canonical frame
//! ([`FaceState`]). The *difference* of a frame to the driver's own neutral frame, measured in the driver's own
//! proportions, is a [`MotionFrame`]: it can be stored, sent and replayed on anyone (DESIGN.md section 5).

use gioconda_face::features::{self, SIDES};
use gioconda_face::{HeadPose, LANDMARKS, Landmarks};
use nalgebra::{Rotation3, Vector2, Vector3};

use crate::motion::regions::{REGIONS, eye_width, mouth_width};

/// A face taken apart into pose and shape.
#[derive(Clone, Debug)]
pub struct FaceState {
    /// Where the head is.
    pub pose: HeadPose,
    /// `[478]` landmarks in the canonical frame: centimetres, x to the person's left, y up, z to the camera.
    pub shape: [Vector3<f32>; LANDMARKS],
    /// How far the eyes are open, right then left; see [`features::eye_opening`].
    pub eyes: [f32; 2],
    /// How far the mouth is open; see [`features::mouth_opening`].
    pub mouth: f32,
}

impl FaceState {
    /// Takes `landmarks` (pixels of one picture) apart.
    pub fn new(landmarks: &Landmarks) -> Self {
        let pose = HeadPose::fit(landmarks);
        let shape = landmarks.map(|p| pose.to_canonical(p)).points;
        let eyes = SIDES.map(|side| features::eye_opening(landmarks, side));
        Self { pose, shape, eyes, mouth: features::mouth_opening(landmarks) }
    }

    /// The landmarks in the picture they came from.
    pub fn landmarks(&self) -> Landmarks {
        Landmarks { points: self.shape }.map(|p| self.pose.from_canonical(p))
    }
}

/// An eye open this far or less, by [`features::eye_opening`], is shut: of 67 blinks of the validation clips nine in ten
/// go below it at their deepest frame (the median is 0.058, four in five lie between 0.030 and 0.105), as
/// `cargo nextest run -p gioconda-avatar --test openings --no-capture` prints.
pub const CLOSED_EYE: f32 = 0.105;

/// What [`features::mouth_opening`] still measures on a shut mouth. Median of the eight people of the validation clips
/// who pause with their lips together (80 % of them lie between 0.009 and 0.014); the same command prints it.
pub const CLOSED_MOUTH: f32 = 0.011;

/// One frame of motion, relative to the driver's neutral frame and free of the driver's proportions.
#[derive(Clone, Debug, PartialEq)]
pub struct MotionFrame {
    /// Rotation of the head since the neutral frame, in the camera's axes (x right, y up, z to the camera).
    pub rotation: Rotation3<f32>,
    /// Shift of the head in the picture plane since the neutral frame, in centimetres of the canonical face, y up.
    pub translation: Vector2<f32>,
    /// Size of the head over its size in the neutral frame.
    pub scale: f32,
    /// `[478]` displacements in the canonical frame, centimetres on a face of canonical proportions.
    pub expression: [Vector3<f32>; LANDMARKS],
    /// How far the eyes (right, left) are open: 0 shut, 1 as in the neutral frame, more when wide open.
    pub eyes: [f32; 2],
    /// How far the mouth is open towards its neutral opening: 0 shut, 1 as in the neutral frame or wider.
    pub mouth: f32,
    /// How sure the tracker was of this frame, 0..1; 0 when the face was lost.
    pub confidence: f32,
}

impl MotionFrame {
    /// No motion at all: the neutral frame itself.
    pub fn rest() -> Self {
        Self {
            rotation: Rotation3::identity(),
            translation: Vector2::zeros(),
            scale: 1.0,
            expression: [Vector3::zeros(); LANDMARKS],
            eyes: [1.0; 2],
            mouth: 1.0,
            confidence: 1.0,
        }
    }

    /// The motion that leads from `neutral` to `state`, both of one driver.
    pub fn between(neutral: &FaceState, state: &FaceState, confidence: f32) -> Self {
        let proportions = Proportions::of(&neutral.shape);
        let mut expression = [Vector3::zeros(); LANDMARKS];
        for (i, displacement) in expression.iter_mut().enumerate() {
            *displacement = (state.shape[i] - neutral.shape[i]) / proportions.at(i);
        }
        Self {
            rotation: state.pose.rotation * neutral.pose.rotation.inverse(),
            translation: (state.pose.translation - neutral.pose.translation).xy() / neutral.pose.scale,
            scale: state.pose.scale / neutral.pose.scale,
            expression,
            eyes: [0, 1].map(|i| openness(state.eyes[i], neutral.eyes[i], CLOSED_EYE)),
            mouth: openness(state.mouth, neutral.mouth, CLOSED_MOUTH).min(1.0),
            confidence,
        }
    }

    /// The motion `t` of the way (0..1) from `self` to `other`.
    #[must_use]
    pub fn blend(&self, other: &Self, t: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * t;
        let mut expression = self.expression;
        for (a, b) in expression.iter_mut().zip(&other.expression) {
            *a += (b - *a) * t;
        }
        Self {
            rotation: self.rotation.slerp(&other.rotation, t),
            translation: self.translation.lerp(&other.translation, t),
            scale: mix(self.scale, other.scale),
            expression,
            eyes: [mix(self.eyes[0], other.eyes[0]), mix(self.eyes[1], other.eyes[1])],
            mouth: mix(self.mouth, other.mouth),
            confidence: mix(self.confidence, other.confidence),
        }
    }
}

/// An opening as a share of the neutral one, 0 at `closed`. A neutral that is itself shut cannot be a measure: then
/// every opening counts as neutral, and the expression alone opens the feature.
fn openness(opening: f32, neutral: f32, closed: f32) -> f32 {
    if neutral <= 1.5 * closed { 1.0 } else { ((opening - closed) / (neutral - closed)).max(0.0) }
}

/// How much larger or smaller one face's features are than the canonical face's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proportions {
    mouth: f32,
    eyes: f32,
}

impl Proportions {
    pub(crate) fn of(shape: &[Vector3<f32>; LANDMARKS]) -> Self {
        let canonical = &gioconda_face::topology::TOPOLOGY.vertices;
        let eyes = |shape: &[Vector3<f32>]| SIDES.map(|side| eye_width(shape, side)).iter().sum::<f32>();
        Self {
            mouth: (mouth_width(shape) / mouth_width(canonical)).max(0.1),
            eyes: (eyes(shape) / eyes(canonical)).max(0.1),
        }
    }

    /// The scale of displacements of landmark `index`.
    pub(crate) fn at(self, index: usize) -> f32 {
        1.0 + REGIONS.mouth[index] * (self.mouth - 1.0) + REGIONS.eyes[index] * (self.eyes - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> FaceState {
        let mut shape = [Vector3::zeros(); LANDMARKS];
        for (point, vertex) in shape.iter_mut().zip(&gioconda_face::topology::TOPOLOGY.vertices) {
            *point = *vertex;
        }
        let pose = HeadPose {
            scale: 10.0,
            rotation: Rotation3::from_euler_angles(0.1, -0.2, 0.05),
            translation: Vector3::new(200.0, -200.0, 0.0),
            residual: 0.0,
        };
        FaceState::new(&Landmarks { points: shape }.map(|p| pose.from_canonical(p)))
    }

    #[test]
    fn landmarks_come_back_from_their_parts() {
        let landmarks = state().landmarks();
        let back = FaceState::new(&landmarks).landmarks();
        for (a, b) in landmarks.points.iter().zip(&back.points) {
            assert!((a - b).norm() < 1e-2, "{a} {b}");
        }
    }

    #[test]
    fn a_frame_compared_with_itself_is_rest() {
        let state = state();
        let motion = MotionFrame::between(&state, &state, 1.0);
        assert!(gioconda_face::rotation_vector(&motion.rotation).norm() < 1e-3);
        assert!((motion.scale - 1.0).abs() < 1e-6 && motion.translation.norm() < 1e-6);
        assert!(motion.expression.iter().all(|d| d.norm() < 1e-6));
        assert!(motion.eyes.iter().all(|eye| (eye - 1.0).abs() < 1e-6));
    }

    #[test]
    fn openness_is_zero_when_shut_and_one_at_neutral() {
        for (opening, neutral, closed, expected) in [
            (0.06, 0.3, 0.06, 0.0),
            (0.03, 0.3, 0.06, 0.0),
            (0.3, 0.3, 0.06, 1.0),
            (0.18, 0.3, 0.06, 0.5),
            (0.2, 0.05, 0.06, 1.0),
        ] {
            assert!((openness(opening, neutral, closed) - expected).abs() < 1e-5, "{opening} {neutral}");
        }
    }

    #[test]
    fn blending_meets_both_ends() {
        let mut other = MotionFrame::rest();
        other.rotation = Rotation3::from_euler_angles(0.2, 0.3, 0.1);
        other.scale = 1.2;
        other.eyes = [0.0, 0.5];
        let rest = MotionFrame::rest();
        let start = rest.blend(&other, 0.0);
        assert!(
            gioconda_face::rotation_vector(&start.rotation).norm() < 1e-3 && (start.scale - 1.0).abs() < 1e-6
        );
        let end = rest.blend(&other, 1.0);
        assert!((end.rotation.matrix() - other.rotation.matrix()).norm() < 1e-5);
        assert!((end.scale - 1.2).abs() < 1e-6);
        assert!(end.eyes.iter().zip(other.eyes).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
