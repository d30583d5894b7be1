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

impl From<&[[f32; 3]; LANDMARKS]> for Landmarks {
    fn from(points: &[[f32; 3]; LANDMARKS]) -> Self {
        Self { points: points.map(Vector3::from) }
    }
}

impl Landmarks {
    /// The picture position of landmark `index`, without its depth.
    ///
    /// # Panics
    /// When `index >= 478`.
    pub fn xy(&self, index: usize) -> Vector2<f32> {
        self.points[index].xy()
    }

    /// The smallest and the largest corner of the box around the face's mesh.
    pub fn bounds(&self) -> (Vector2<f32>, Vector2<f32>) {
        let mesh = &self.points[..crate::topology::MESH_POINTS];
        mesh.iter()
            .map(Vector3::xy)
            .fold((Vector2::repeat(f32::INFINITY), Vector2::repeat(f32::NEG_INFINITY)), |(low, high), p| {
                (low.inf(&p), high.sup(&p))
            })
    }

    /// The same face after its picture was scaled by `scale` and then shifted by `shift` pixels.
    #[must_use]
    pub fn scaled_and_shifted(&self, scale: f32, shift: Vector2<f32>) -> Self {
        self.map(|p| p * scale + Vector3::new(shift.x, shift.y, 0.0))
    }

    /// The same face with `change` done to every point. (`array::map` over 478 points costs the compiler minutes.)
    #[must_use]
    pub fn map(&self, change: impl Fn(Vector3<f32>) -> Vector3<f32>) -> Self {
        let mut changed = self.clone();
        for point in &mut changed.points {
            *point = change(*point);
        }
        changed
    }
}
