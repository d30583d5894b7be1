//! Openings of eyes and mouth, and gaze: the one definition that motion transfer and evaluation share.
//!
//! The openings are ratios of distances in space, so they are the same in picture pixels and in the canonical frame
//! ([`HeadPose::to_canonical`]) and do not change when the head turns or comes nearer.

use nalgebra::{Vector2, Vector3};

use crate::topology::{LEFT_LID_COLUMNS, LIP_COLUMNS, RIGHT_LID_COLUMNS, point};
use crate::{HeadPose, LANDMARKS, Landmarks};

/// A side of the face, the person's own: their left is on the right in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The person's left.
    Left,
    /// The person's right.
    Right,
}

/// Right, then left: the order of every pair of eyes.
pub const SIDES: [Side; 2] = [Side::Right, Side::Left];

/// What an opening is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpeningLandmarks {
    /// Pairs (upper, lower) across the opening, whose mean distance is its height.
    pub across: [(usize, usize); 3],
    /// The two corners, whose distance is its width.
    pub corners: (usize, usize),
}

/// The person's right eye, left eye, and mouth.
pub const OPENINGS: [OpeningLandmarks; 3] = [RIGHT_EYE.opening, LEFT_EYE.opening, MOUTH];

/// An eye's landmarks.
struct Eye {
    /// Across the lids, from the outer to the inner corner.
    opening: OpeningLandmarks,
    iris: usize,
}

const RIGHT_EYE: Eye = Eye {
    opening: OpeningLandmarks {
        across: [RIGHT_LID_COLUMNS[2], RIGHT_LID_COLUMNS[3], RIGHT_LID_COLUMNS[4]],
        corners: (point::RIGHT_EYE_OUTER, point::RIGHT_EYE_INNER),
    },
    iris: point::RIGHT_IRIS,
};

const LEFT_EYE: Eye = Eye {
    opening: OpeningLandmarks {
        across: [LEFT_LID_COLUMNS[2], LEFT_LID_COLUMNS[3], LEFT_LID_COLUMNS[4]],
        corners: (point::LEFT_EYE_OUTER, point::LEFT_EYE_INNER),
    },
    iris: point::LEFT_IRIS,
};

/// Across the inner edge of the lips.
const MOUTH: OpeningLandmarks = OpeningLandmarks {
    across: [inner_edges(3), inner_edges(4), inner_edges(5)],
    corners: (point::MOUTH_RIGHT, point::MOUTH_LEFT),
};

const fn inner_edges(column: usize) -> (usize, usize) {
    let (upper, lower) = LIP_COLUMNS[column];
    (upper[0], lower[0])
}

const fn eye(side: Side) -> &'static Eye {
    match side {
        Side::Left => &LEFT_EYE,
        Side::Right => &RIGHT_EYE,
    }
}

fn opening(points: &[Vector3<f32>; LANDMARKS], of: &OpeningLandmarks) -> f32 {
    let distance = |(a, b): (usize, usize)| (points[a] - points[b]).norm();
    let mean = of.across.iter().map(|&pair| distance(pair)).sum::<f32>() / of.across.len() as f32;
    mean / distance(of.corners).max(f32::MIN_POSITIVE)
}

/// How far an eye is open: the mean distance between the lids at three places, in units of the eye's width between its
/// corners. About 0.3 for an open eye and below 0.12 for a closed one (the "eye aspect ratio" of Soukupová and Čech,
/// 2016, on MediaPipe's landmarks).
pub fn eye_opening(landmarks: &Landmarks, side: Side) -> f32 {
    opening(&landmarks.points, &eye(side).opening)
}

/// How far the mouth is open: the mean distance between the inner edges of the lips at three places, in units of the
/// mouth's width between its outer corners. Below 0.03 for a closed mouth, above 0.6 for a wide open one.
pub fn mouth_opening(landmarks: &Landmarks) -> f32 {
    opening(&landmarks.points, &MOUTH)
}

/// Where an eye looks, relative to the head: the iris centre from the middle of the eye's corners, in the canonical
/// frame (x to the person's left, y up) and in units of the eye's width. Both eyes have the same sign when they look
/// the same way; x lies within about ±0.3.
pub fn gaze(landmarks: &Landmarks, side: Side) -> Vector2<f32> {
    let pose = HeadPose::fit(landmarks);
    let eye = eye(side);
    let (outer, inner) = eye.opening.corners;
    let [outer, inner, iris] = [outer, inner, eye.iris].map(|i| pose.to_canonical(landmarks.points[i]));
    (iris - (outer + inner) / 2.0).xy() / (outer - inner).norm().max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use nalgebra::Rotation3;

    use super::*;
    use crate::topology::TOPOLOGY;

    /// The canonical face at `rotation`, its irises in the middle of the eyes' corners, moved by `shift` centimetres.
    fn face(rotation: Rotation3<f32>, scale: f32, iris_shift: Vector3<f32>) -> Landmarks {
        let pose = HeadPose { scale, rotation, translation: Vector3::new(100.0, -90.0, 0.0), residual: 0.0 };
        let mut shape = [Vector3::zeros(); LANDMARKS];
        shape[..TOPOLOGY.vertices.len()].copy_from_slice(&TOPOLOGY.vertices);
        for eye in [&RIGHT_EYE, &LEFT_EYE] {
            let (outer, inner) = eye.opening.corners;
            shape[eye.iris] = (shape[outer] + shape[inner]) / 2.0 + iris_shift;
        }
        Landmarks { points: shape.map(|point| pose.from_canonical(point)) }
    }

    #[test]
    fn openings_do_not_depend_on_pose_or_size() {
        let frontal = face(Rotation3::identity(), 10.0, Vector3::zeros());
        let turned = face(Rotation3::from_euler_angles(0.3, 0.6, -0.4), 33.0, Vector3::zeros());
        for side in [Side::Left, Side::Right] {
            assert!((eye_opening(&frontal, side) - eye_opening(&turned, side)).abs() < 1e-3);
        }
        assert!((mouth_opening(&frontal) - mouth_opening(&turned)).abs() < 1e-3);
    }

    #[test]
    fn a_shut_eye_and_mouth_open_by_nothing() {
        let mut shut = face(Rotation3::identity(), 10.0, Vector3::zeros());
        for (upper, lower) in RIGHT_EYE.opening.across.into_iter().chain(MOUTH.across) {
            shut.points[upper] = shut.points[lower];
        }
        assert!(eye_opening(&shut, Side::Right) < 1e-6 && mouth_opening(&shut) < 1e-6);
        assert!(eye_opening(&shut, Side::Left) > 0.1);
    }

    #[test]
    fn gaze_is_measured_in_the_heads_frame() {
        let aside = Vector3::new(0.3, 0.1, 0.0);
        for rotation in [Rotation3::identity(), Rotation3::from_euler_angles(-0.2, 0.5, 0.3)] {
            for side in [Side::Left, Side::Right] {
                let straight = gaze(&face(rotation, 12.0, Vector3::zeros()), side);
                assert!(straight.norm() < 1e-3, "{straight}");
                let found = gaze(&face(rotation, 12.0, aside), side);
                assert!(
                    found.x > 0.05 && found.y > 0.01 && (found.x / found.y - 3.0).abs() < 0.05,
                    "{found}"
                );
            }
        }
    }
}
