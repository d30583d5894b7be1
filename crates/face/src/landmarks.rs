//! The 478 landmarks of one face.

use nalgebra::{Vector2, Vector3};

/// How many landmarks a face has: 468 of the face mesh, then 5 for each iris.
pub const LANDMARKS: usize = 478;

/// The landmarks of one face in one picture, in MediaPipe's order (see [`crate::topology`]).
///
/// Pixels of the picture: x right, y down, origin at the top-left corner; z in the same unit as x, smaller is
/// nearer to the camera, 0 at the head's centre of gravity.
#[derive(Clone, Debug, PartialEq)]
pub struct Landmarks {
    /// `[478]` positions.
    pub points: [Vector3<f32>; LANDMARKS],
}

impl Landmarks {
    /// The picture position of landmark `index`, without its depth.
    ///
    /// # Panics
    /// When `index >= 478`.
    pub fn xy(&self, index: usize) -> Vector2<f32> {
        self.points[index].xy()
    }
}
