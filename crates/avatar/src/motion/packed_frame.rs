//! One frame of motion in 62 numbers: what motion files store and what crosses the wire in a call.

use gioconda_face::features::SIDES;
use gioconda_face::rotation_vector;
use nalgebra::{Rotation3, Vector2, Vector3};

use crate::motion::expression_basis::{BASIS, COMPONENTS};
use crate::motion::frame::MotionFrame;
use crate::motion::regions::iris;

/// A [`MotionFrame`] with its displacements in the [expression basis](crate::motion::expression_basis).
#[derive(Clone, Debug, PartialEq)]
pub struct PackedFrame {
    /// Axis times angle since the neutral frame, radians, camera axes (x right, y up, z to the camera).
    pub rotation: [f32; 3],
    /// Shift since the neutral frame, canonical centimetres, y up.
    pub translation: [f32; 2],
    /// Size over the neutral frame's.
    pub scale: f32,
    /// Coefficients of the expression basis.
    pub expression: [f32; COMPONENTS],
    /// Shift of the right iris (x, y) and of the left since the neutral frame, canonical centimetres.
    pub gaze: [f32; 4],
    /// Right eye, left eye, mouth: 0 shut, 1 as in the neutral frame.
    pub openings: [f32; 3],
    /// The tracker's, 0..1.
    pub confidence: f32,
}

impl PackedFrame {
    /// What the basis cannot say of the expression is lost.
    pub fn pack(frame: &MotionFrame) -> Self {
        let [right, left] = SIDES.map(|side| {
            let points = &frame.expression[iris(side)];
            points.iter().sum::<Vector3<f32>>() / points.len() as f32
        });
        Self {
            rotation: rotation_vector(&frame.rotation).into(),
            translation: frame.translation.into(),
            scale: frame.scale,
            expression: BASIS.encode(&frame.expression),
            gaze: [right.x, right.y, left.x, left.y],
            openings: [frame.eyes[0], frame.eyes[1], frame.mouth],
            confidence: frame.confidence,
        }
    }

    /// The motion these numbers stand for.
    pub fn unpack(&self) -> MotionFrame {
        let mut expression = BASIS.decode(&self.expression);
        for (side, gaze) in SIDES.into_iter().zip(self.gaze.as_chunks::<2>().0) {
            expression[iris(side)].fill(Vector3::new(gaze[0], gaze[1], 0.0));
        }
        let [right, left, mouth] = self.openings;
        MotionFrame {
            rotation: Rotation3::new(Vector3::from(self.rotation)),
            translation: Vector2::from(self.translation),
            scale: self.scale,
            expression,
            eyes: [right, left],
            mouth,
            confidence: self.confidence,
        }
    }

    /// Whether every number is finite and within what a head can do.
    pub fn is_sane(&self) -> bool {
        let within = |numbers: &[f32], bound: f32| numbers.iter().all(|n| n.abs() <= bound);
        within(&self.rotation, std::f32::consts::PI)
            && within(&self.translation, 1000.0)
            && (0.05..=20.0).contains(&self.scale)
            && within(&self.expression, 1000.0)
            && within(&self.gaze, 100.0)
            && self.openings.iter().all(|n| (0.0..=100.0).contains(n))
            && (0.0..=1.0).contains(&self.confidence)
    }

    /// How far two frames are apart to the eye, in radians of head rotation.
    pub(crate) fn distance(&self, other: &Self) -> f32 {
        let apart =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt();
        apart(&self.rotation, &other.rotation)
            + 0.1 * apart(&self.translation, &other.translation)
            + (self.scale - other.scale).abs()
            + 0.03 * apart(&self.expression, &other.expression)
            + 0.2 * apart(&self.openings, &other.openings)
    }
}
