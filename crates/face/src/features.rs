//! Openings of eyes and mouth, and gaze: the one definition that motion transfer and evaluation share.
//!
//! The openings are ratios of distances in space, so they are the same in picture pixels and in the canonical frame
//! ([`HeadPose::to_canonical`]) and do not change when the head turns or comes nearer.

use nalgebra::{Vector2, Vector3};

use crate::topology::point;
use crate::{HeadPose, LANDMARKS, Landmarks};

/// A side of the face, the person's own: their left is on the right in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The person's left.
    Left,
    /// The person's right.
    Right,
}

/// An eye's landmarks: corners, iris centre, and three pairs (upper, lower) across the lids.
struct Eye {
    outer: usize,
    inner: usize,
    iris: usize,
    lids: [(usize, usize); 3],
}

const RIGHT_EYE: Eye = Eye {
    outer: point::RIGHT_EYE_OUTER,
    inner: point::RIGHT_EYE_INNER,
    iris: point::RIGHT_IRIS,
    lids: [(160, 144), (point::RIGHT_EYE_UPPER, point::RIGHT_EYE_LOWER), (158, 153)],
};

const LEFT_EYE: Eye = Eye {
    outer: point::LEFT_EYE_OUTER,
    inner: point::LEFT_EYE_INNER,
    iris: point::LEFT_IRIS,
    lids: [(387, 373), (point::LEFT_EYE_UPPER, point::LEFT_EYE_LOWER), (385, 380)],
};

/// Pairs (upper, lower) across the inner edge of the lips.
const LIPS: [(usize, usize); 3] = [(82, 87), (point::LIP_UPPER_INNER, point::LIP_LOWER_INNER), (312, 317)];

const fn eye(side: Side) -> &'static Eye {
    match side {
        Side::Left => &LEFT_EYE,
        Side::Right => &RIGHT_EYE,
    }
}

fn opening(points: &[Vector3<f32>; LANDMARKS], pairs: &[(usize, usize); 3], width: (usize, usize)) -> f32 {
    let distance = |(a, b): (usize, usize)| (points[a] - points[b]).norm();
    let mean = pairs.iter().map(|&pair| distance(pair)).sum::<f32>() / pairs.len() as f32;
    mean / distance(width).max(f32::MIN_POSITIVE)
}

/// How far an eye is open: the mean distance between the lids at three places, in units of the eye's width between its
/// corners. About 0.3 for an open eye and below 0.12 for a closed one (the "eye aspect ratio" of Soukupová and Čech,
/// 2016, on MediaPipe's landmarks).
pub fn eye_opening(landmarks: &Landmarks, side: Side) -> f32 {
    let eye = eye(side);
    opening(&landmarks.points, &eye.lids, (eye.outer, eye.inner))
}

/// How far the mouth is open: the mean distance between the inner edges of the lips at three places, in units of the
/// mouth's width between its outer corners. Below 0.03 for a closed mouth, above 0.6 for a wide open one.
pub fn mouth_opening(landmarks: &Landmarks) -> f32 {
    opening(&landmarks.points, &LIPS, (point::MOUTH_RIGHT, point::MOUTH_LEFT))
}

/// Where an eye looks, relative to the head: the iris centre from the middle of the eye's corners, in the canonical
/// frame (x to the person's left, y up) and in units of the eye's width. Both eyes have the same sign when they look
/// the same way; x lies within about ±0.3.
pub fn gaze(landmarks: &Landmarks, side: Side) -> Vector2<f32> {
    let pose = HeadPose::fit(landmarks);
    let eye = eye(side);
    let [outer, inner, iris] =
        [eye.outer, eye.inner, eye.iris].map(|i| pose.to_canonical(landmarks.points[i]));
    (iris - (outer + inner) / 2.0).xy() / (outer - inner).norm().max(f32::MIN_POSITIVE)
}
