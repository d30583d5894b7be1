//! Rigid head pose: where the canonical face must stand to explain a set of landmarks.
//!
//! Weak perspective by weighted Procrustes analysis on MediaPipe's own basis points:
//! `scale * rotation * canonical + translation = landmarks`, with the picture's y and z axes turned so that both
//! sides are right-handed (x right, y up, z towards the camera).

use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};

use crate::topology::{TOPOLOGY, point};
use crate::{LANDMARKS, Landmarks};

/// The pose of a head in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadPose {
    /// Pixels per centimetre of the canonical face.
    pub scale: f32,
    /// From the canonical face's axes (x right, y up, z towards the camera) to the picture's, with y up.
    pub rotation: Rotation3<f32>,
    /// Where the canonical origin, a point inside the head, lies: pixels, x right, **y up, z to the camera**.
    pub translation: Vector3<f32>,
    /// Weighted root mean square distance of the basis points from the fit, as a share of the eyes' distance in
    /// the canonical face: how far this face is from a rigid canonical one.
    pub residual: f32,
}

/// Axis times angle of a rotation, radians.
///
/// Through a quaternion: the angle of a small rotation cannot be told from its matrix's trace in f32, where
/// `Rotation3::scaled_axis` gives NaN.
pub fn rotation_vector(rotation: &Rotation3<f32>) -> Vector3<f32> {
    UnitQuaternion::from_rotation_matrix(rotation).scaled_axis()
}

/// The picture's axes (y down, z away) to right-handed ones (y up, z to the camera), and back.
fn flip(v: Vector3<f32>) -> Vector3<f32> {
    Vector3::new(v.x, -v.y, -v.z)
}

/// Distance between the outer eye corners of the canonical face, centimetres.
const CANONICAL_EYE_DISTANCE: f32 = 8.9;

impl HeadPose {
    /// The pose that brings the canonical face nearest to `landmarks`.
    pub fn fit(landmarks: &Landmarks) -> Self {
        let topology = &*TOPOLOGY;
        let basis = || {
            topology
                .procrustes_basis
                .iter()
                .map(|&(i, weight)| (weight, topology.vertices[i], flip(landmarks.points[i])))
        };
        let (mut canonical_mean, mut picture_mean) = (Vector3::zeros(), Vector3::zeros());
        for (weight, canonical, picture) in basis() {
            canonical_mean += weight * canonical;
            picture_mean += weight * picture;
        }
        let (mut covariance, mut canonical_variance) = (Matrix3::zeros(), 0.0_f32);
        for (weight, canonical, picture) in basis() {
            let centred = canonical - canonical_mean;
            covariance += weight * (picture - picture_mean) * centred.transpose();
            canonical_variance += weight * centred.norm_squared();
        }
        let svd = covariance.svd(true, true);
        let (u, v_t) = (svd.u.unwrap_or_default(), svd.v_t.unwrap_or_default());
        // A reflection would fit some profiles better than any rotation: forbid it (Kabsch).
        let sign = if (u * v_t).determinant() < 0.0 { -1.0 } else { 1.0 };
        let keep = Matrix3::from_diagonal(&Vector3::new(1.0, 1.0, sign));
        let rotation = Rotation3::from_matrix_unchecked(u * keep * v_t);
        let trace = svd.singular_values.x + svd.singular_values.y + sign * svd.singular_values.z;
        let scale = trace / canonical_variance;
        let translation = picture_mean - scale * (rotation * canonical_mean);
        let error: f32 = basis()
            .map(|(weight, canonical, picture)| {
                weight * (scale * (rotation * canonical) + translation - picture).norm_squared()
            })
            .sum();
        let residual = error.sqrt() / (scale * CANONICAL_EYE_DISTANCE).max(f32::EPSILON);
        Self { scale, rotation, translation, residual }
    }

    /// A landmark (pixels, y down, z away) in the canonical frame (centimetres, y up, z to the camera).
    pub fn to_canonical(&self, landmark: Vector3<f32>) -> Vector3<f32> {
        self.rotation.inverse() * ((flip(landmark) - self.translation) / self.scale)
    }

    /// The inverse of [`HeadPose::to_canonical`].
    pub fn from_canonical(&self, point: Vector3<f32>) -> Vector3<f32> {
        flip(self.scale * (self.rotation * point) + self.translation)
    }

    /// The canonical face in this pose, in pixels. MediaPipe's model has no irises: the five points of each lie midway
    /// between the corners of its eye.
    pub fn canonical_face(&self) -> Landmarks {
        let vertices = &TOPOLOGY.vertices;
        let right = (vertices[point::RIGHT_EYE_OUTER] + vertices[point::RIGHT_EYE_INNER]) / 2.0;
        let left = (vertices[point::LEFT_EYE_OUTER] + vertices[point::LEFT_EYE_INNER]) / 2.0;
        let mut points = [left; LANDMARKS];
        points[..point::LEFT_IRIS].fill(right);
        points[..vertices.len()].copy_from_slice(vertices);
        Landmarks { points }.map(|p| self.from_canonical(p))
    }

    /// How far the head tilts in the picture, radians, counter-clockwise, whatever else it turns.
    pub fn roll(&self) -> f32 {
        let rotation = self.rotation.matrix();
        (rotation.m21 - rotation.m12).atan2(rotation.m11 + rotation.m22)
    }

    /// How wide the face would be if it looked straight into the camera, pixels.
    pub fn face_width(&self) -> f32 {
        let vertices = &TOPOLOGY.vertices;
        self.scale * (vertices[point::FACE_LEFT] - vertices[point::FACE_RIGHT]).norm()
    }

    /// Yaw (positive: the person turns to their own left), pitch (positive: looks up) and roll (positive: the head
    /// tilts counter-clockwise in the picture), in degrees; zero looks straight into the camera.
    pub fn yaw_pitch_roll(&self) -> [f32; 3] {
        let (x, y, z) = self.rotation.euler_angles();
        [y.to_degrees(), -x.to_degrees(), z.to_degrees()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posed_canonical_face_gives_its_pose_back() {
        for (yaw, pitch, roll) in [(0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (-0.6, 0.3, -0.2), (0.1, -0.4, 0.6)] {
            let pose = HeadPose {
                scale: 12.5,
                rotation: Rotation3::from_euler_angles(pitch, yaw, roll),
                translation: Vector3::new(210.0, -180.0, 30.0),
                residual: 0.0,
            };
            let found = HeadPose::fit(&pose.canonical_face());
            assert!((found.scale - pose.scale).abs() < 1e-3, "{found:?}");
            assert!((found.rotation.matrix() - pose.rotation.matrix()).norm() < 1e-4, "{found:?}");
            assert!((found.translation - pose.translation).norm() < 1e-2, "{found:?}");
            assert!(found.residual < 1e-3, "{found:?}");
        }
    }

    #[test]
    fn angles_have_the_documented_signs() {
        // Person's left is the picture's right (x grows), so a turn to their left moves the nose to larger x.
        let pose = |x, y, z| HeadPose {
            scale: 10.0,
            rotation: Rotation3::from_euler_angles(x, y, z),
            translation: Vector3::zeros(),
            residual: 0.0,
        };
        let nose = Vector3::new(0.0, 0.0, 8.0);
        let left = pose(0.0, 0.3, 0.0);
        assert!(left.from_canonical(nose).x > 0.0 && left.yaw_pitch_roll()[0] > 0.0);
        let up = pose(-0.3, 0.0, 0.0);
        assert!(up.from_canonical(nose).y < 0.0 && up.yaw_pitch_roll()[1] > 0.0);
    }
}
